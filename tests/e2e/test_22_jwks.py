# SPDX-License-Identifier: MIT
"""Published key sets and their rotation: protocol.md 3, against a real server."""

import concurrent.futures
import datetime
import http.server
import ipaddress
import json
import ssl
import threading

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from support.checks import assert_error
from support.rawhttp import RawConn, request
from support.server import demo_env, run_cli
from support.tokens import SECRET, b64, claims, forge, token
from support.waiting import wait_for
from support.ws import Chat, upgrade

RSA = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
KEYS = {
    "rsa": (rsa.generate_private_key(public_exponent=65537, key_size=2048), RSA),
    "p256": (ec.generate_private_key(ec.SECP256R1()), ["ES256"]),
    "p384": (ec.generate_private_key(ec.SECP384R1()), ["ES384"]),
    "p521": (ec.generate_private_key(ec.SECP521R1()), ["ES512"]),
    "ed25519": (ed25519.Ed25519PrivateKey.generate(), ["EdDSA"]),
}
MAKERS = {"rsa": jwt.algorithms.RSAAlgorithm, "ed25519": jwt.algorithms.OKPAlgorithm}
PAIRS = [(name, alg) for name, (_, algs) in KEYS.items() for alg in algs]


def jwk(name, key=None, **members):
    """The public key as PyJWT publishes it; a member given as None is left out."""
    key = key or KEYS[name][0]
    maker = MAKERS.get(name, jwt.algorithms.ECAlgorithm)
    made = {**json.loads(maker.to_jwk(key.public_key())), "kid": name, **members}
    return {member: value for member, value in made.items() if value is not None}


def fresh_ec():
    return ec.generate_private_key(ec.SECP256R1())


def signed(kid, key, alg="ES256", **more):
    return token("u", key=key, alg=alg, headers={"kid": kid} if kid else None, **more)


class Publisher:
    """An HTTPS server whose document, status and speed a test decides; `play` writes
    an answer of its own."""

    def __init__(self, folder, address="127.0.0.1", until=9, listening=True):
        self.body, self.status, self.count, self.play = b"", 200, 0, None
        self.open = threading.Event()
        self.open.set()
        self.ca = folder / "ca.pem"
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802 (http.server's name)
                owner.count += 1
                body, status = owner.body, owner.status
                owner.open.wait(60)
                try:
                    if owner.play:
                        owner.play(self.wfile)
                        return
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    return  # the server gave up, as a test wanted

            def log_message(self, *_):
                return

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler, False)
        self.http.daemon_threads = True
        self.http.server_bind()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._certificate(folder, address, until))
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True,
                                               do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        if listening:
            self.listen()

    def listen(self):
        self.http.server_activate()
        self.thread.start()

    def _certificate(self, folder, address, until):
        key = fresh_ec()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "publisher")])
        now = datetime.datetime.now(datetime.timezone.utc)
        names = [x509.IPAddress(ipaddress.ip_address(address))]
        cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name)
                .public_key(key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(days=9))
                .not_valid_after(now + datetime.timedelta(days=until))
                .add_extension(x509.SubjectAlternativeName(names), False)
                .sign(key, hashes.SHA256()))
        pem = serialization.Encoding.PEM
        self.ca.write_bytes(cert.public_bytes(pem))
        (folder / "key.pem").write_bytes(key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return self.ca, folder / "key.pem"

    def publish(self, *keys):
        self.body, self.status = json.dumps({"keys": list(keys)}).encode(), 200

    def env(self, **more):
        return {**demo_env(), "JWT_SECRET": None, "JWT_JWKS_CA_FILE": str(self.ca),
                "JWT_JWKS_URL": f"https://127.0.0.1:{self.http.server_port}/jwks", **more}

    def close(self):
        self.open.set()
        if self.thread.is_alive():
            self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def publisher(tmp_path):
    one = Publisher(tmp_path)
    yield one
    one.close()


@pytest.fixture(scope="module")
def every(spawn_module, tmp_path_factory):
    """A server with one key of every kind, and some that are of no use."""
    one = Publisher(tmp_path_factory.mktemp("every"))
    one.publish({"kty": "oct", "k": b64(SECRET), "kid": "oct"}, {"kty": "new"}, 7,
                *[jwk(name) for name in KEYS])
    yield spawn_module(one.env())
    one.close()


def status(server, bearer):
    return server.client(bearer).get("/models").status_code


# --- which key, which algorithm

@pytest.mark.parametrize("name,alg", PAIRS)
def test_the_key_of_the_kid_checks_every_algorithm_of_its_family(every, name, alg):
    good = signed(name, KEYS[name][0], alg)
    assert status(every, good) == 200
    with Chat(every, "u", bearer=good) as chat:
        assert chat.hello["user_id"] == "u"


@pytest.mark.parametrize("name,alg", PAIRS)
def test_a_token_without_kid_is_tried_against_the_keys_that_fit(every, name, alg):
    assert status(every, signed(None, KEYS[name][0], alg)) == 200


@pytest.mark.parametrize("name,alg", PAIRS)
def test_a_kid_chooses_among_the_keys_but_not_the_family(every, name, alg):
    for other in KEYS:
        if other != name:
            answer = every.client(signed(other, KEYS[name][0], alg)).get("/models")
            assert_error(answer, 401, "INVALID_TOKEN")


@pytest.mark.parametrize("kid", ["oct", "rsa", "ed25519", None])
@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512", "none"])
def test_no_key_of_a_set_is_a_secret(every, kid, alg):
    header = {"alg": alg, **({"kid": kid} if kid else {})}
    pem = KEYS["rsa"][0].public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for key in (SECRET.encode(), pem):
        forged = forge(header=header, key=key, alg=alg, signature="" if alg == "none" else None)
        assert_error(every.client(forged).get("/models"), 401, "INVALID_TOKEN")


@pytest.mark.parametrize("kid", [5, None, ["rsa"], {"a": 1}, True])
def test_a_kid_that_is_no_string_is_refused(every, kid):
    key = KEYS["p256"][0]
    head = {"alg": "ES256", "kid": kid}
    text = ".".join(b64(json.dumps(part)) for part in (head, claims("u")))
    raw = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).sign(text.encode(), key)
    assert_error(every.client(f"{text}.{b64(raw)}").get("/models"), 401, "INVALID_TOKEN")


@pytest.mark.parametrize("member", ["jku", "x5u", "x5c", "jwk"])
def test_keys_that_a_token_brings_along_are_not_looked_at(every, member):
    own = fresh_ec()
    head = {"kid": "p256", member: jwk("p256", own)}
    forged = token("u", key=own, alg="ES256", headers=head)
    assert_error(every.client(forged).get("/models"), 401, "INVALID_TOKEN")
    good = token("u", key=KEYS["p256"][0], alg="ES256", headers=head)
    assert status(every, good) == 200


def test_the_rest_of_the_rules_is_as_with_a_single_key(every):
    key = KEYS["p256"][0]
    assert_error(every.client(signed("p256", key, exp=1)).get("/models"), 401,
                 "EXPIRED_TOKEN")
    for head in ({"crit": ["exp"]}, {"typ": "other"}):
        bad = token("u", key=key, alg="ES256", headers={"kid": "p256", **head})
        assert_error(every.client(bad).get("/models"), 401, "INVALID_TOKEN")
    assert_error(upgrade(every, bearer=signed("p256", fresh_ec())), 401, "INVALID_TOKEN")


def test_what_a_key_says_of_itself_is_kept(spawn, publisher):
    one, two, three, four = (fresh_ec() for _ in range(4))
    publisher.publish(
        jwk("rsa", alg="RS256"), jwk("p256", one, kid="enc", use="enc"),
        jwk("p256", two, kid="ops", key_ops=["sign"]), jwk("p256", three, kid="wrong", alg="RS256"),
        jwk("p256", four, kid="good", use="sig", key_ops=["verify"], alg="ES256"))
    server = spawn(publisher.env())
    assert status(server, signed("good", four)) == 200
    assert status(server, signed("rsa", KEYS["rsa"][0], "RS256")) == 200
    assert status(server, signed("rsa", KEYS["rsa"][0], "RS512")) == 401
    for key in (one, two, three):
        assert status(server, signed(None, key)) == 401


def test_two_keys_may_share_a_kid(spawn, publisher):
    one, two = fresh_ec(), fresh_ec()
    publisher.publish(jwk("p256", one, kid="k"), jwk("p256", two, kid="k"), jwk("rsa", kid="k"))
    server = spawn(publisher.env())
    for bearer in (signed("k", one), signed("k", two), signed("k", KEYS["rsa"][0], "PS384")):
        assert status(server, bearer) == 200


# --- rotation

def test_a_rotation_is_seen_by_the_first_token_of_the_new_key(spawn, publisher):
    old, new = fresh_ec(), fresh_ec()
    publisher.publish(jwk("p256", old, kid="old"))
    server = spawn(publisher.env(SERVER_THREADS="4"))
    assert status(server, signed("old", old)) == 200
    publisher.publish(jwk("p256", new, kid="new"))
    assert status(server, signed("old", old)) == 200
    assert publisher.count == 1
    for _ in range(8):
        assert status(server, signed("new", new)) == 200
    wait_for(lambda: status(server, signed("old", old)) == 401, 5, "all shards have the news")
    assert_error(server.client(signed("old", old)).get("/models"), 401, "INVALID_TOKEN")
    assert publisher.count == 2
    assert server.metric("chatbox_jwks_fetches_total") == 2
    assert server.metric("chatbox_jwks_errors_total") == 0


def test_everybody_who_comes_during_the_refresh_waits_for_it(spawn, publisher):
    old, new = fresh_ec(), fresh_ec()
    publisher.publish(jwk("p256", old, kid="old"))
    server = spawn(publisher.env(SERVER_THREADS="4"))
    publisher.publish(jwk("p256", old, kid="old"), jwk("p256", new, kid="new"))
    publisher.open.clear()
    good, forged = signed("new", new), signed("third", new)
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        asked = [pool.submit(status, server, good) for _ in range(16)]
        bad = [pool.submit(status, server, forged) for _ in range(8)]
        sockets = [pool.submit(lambda: upgrade(server, bearer=good).status) for _ in range(8)]
        wait_for(lambda: publisher.count == 2, 10, "the refresh has begun")
        assert status(server, signed("old", old)) == 200
        publisher.open.set()
        assert {one.result() for one in asked} == {200}
        assert {one.result() for one in bad} == {401}
        assert {one.result() for one in sockets} == {101}
    assert publisher.count == 2


def test_unknown_kids_ask_once_in_a_while_only(spawn, publisher):
    key = fresh_ec()
    publisher.publish(jwk("p256", key, kid="k"))
    server = spawn(publisher.env(SERVER_THREADS="4"))
    for i in range(40):
        answer = server.client(signed(f"forged-{i}", key)).get("/models")
        assert_error(answer, 401, "INVALID_TOKEN")
    assert publisher.count == 2
    assert status(server, signed("k", key)) == 200


def test_tokens_that_fail_otherwise_ask_for_nothing(spawn, publisher):
    key = fresh_ec()
    publisher.publish(jwk("p256", key, kid="k"))
    server = spawn(publisher.env())
    for bad in (signed("k", fresh_ec()), signed(None, fresh_ec()), "a.b.c",
                forge(header={"alg": "HS999", "kid": "x"}, signature="AAAA")):
        assert status(server, bad) == 401
    assert publisher.count == 1


def test_a_client_that_leaves_while_it_waits_harms_nobody(spawn, publisher):
    old, new = fresh_ec(), fresh_ec()
    publisher.publish(jwk("p256", old, kid="old"))
    server = spawn(publisher.env())
    publisher.publish(jwk("p256", new, kid="new"))
    publisher.open.clear()
    head = [("Authorization", "Bearer " + signed("new", new))]
    with RawConn(server) as conn:
        conn.send(request(server, "GET", server.prefix + "/models", head))
        wait_for(lambda: publisher.count == 2, 10, "the refresh has begun")
    publisher.open.set()
    assert status(server, signed("new", new)) == 200
    server.stop()


def test_a_server_that_ends_does_not_wait_for_keys(spawn, publisher):
    old, new = fresh_ec(), fresh_ec()
    publisher.publish(jwk("p256", old, kid="old"))
    server = spawn(publisher.env(SERVER_THREADS="2"))
    publisher.open.clear()
    head = [("Authorization", "Bearer " + signed("new", new))]
    with RawConn(server) as conn:
        conn.send(request(server, "GET", server.prefix + "/models", head))
        wait_for(lambda: publisher.count == 2, 10, "the refresh has begun")
        server.stop()


# --- auth on a live connection

def test_an_auth_frame_of_a_new_key_waits_and_keeps_its_place(spawn, publisher):
    old, new = fresh_ec(), fresh_ec()
    publisher.publish(jwk("p256", old, kid="old"))
    server = spawn(publisher.env(SERVER_THREADS="4"))
    with Chat(server, "u", bearer=signed("old", old)) as chat:
        publisher.publish(jwk("p256", new, kid="new"))
        publisher.open.clear()
        chat.send({"type": "auth", "token": signed("new", new), "client_id": "one"})
        chat.send({"type": "ping"})
        wait_for(lambda: publisher.count == 2, 10, "the refresh has begun")
        publisher.open.set()
        frames = chat.until(lambda frame: frame["type"] == "pong")
        acks = [f for f in frames if f["type"] == "ack" or f.get("client_id") == "one"]
        assert len(acks) == 1 and not [f for f in frames if f["type"] == "error"]
        assert server.metric("chatbox_messages_received_total") == 2, "each counts once"
        chat.send({"type": "auth", "token": signed("other", new)})
        error = chat.get(lambda frame: frame["type"] == "error")
        assert error["error"]["code"] == "INVALID_TOKEN"
        chat.send({"type": "auth", "token": token("v", key=new, alg="ES256",
                                                  headers={"kid": "new"})})
        error = chat.get(lambda frame: frame["type"] == "error")
        assert error["error"]["code"] == "INSUFFICIENT_PERMISSIONS"


def test_a_socket_that_goes_while_its_auth_frame_waits_harms_nobody(spawn, publisher):
    old, new = fresh_ec(), fresh_ec()
    publisher.publish(jwk("p256", old, kid="old"))
    server = spawn(publisher.env())
    chat = Chat(server, "u", bearer=signed("old", old))
    publisher.open.clear()
    chat.send({"type": "auth", "token": signed("new", new)})
    wait_for(lambda: publisher.count == 2, 10, "the refresh has begun")
    chat.drop()
    publisher.open.set()
    assert status(server, signed("old", old)) == 200
    server.stop()


# --- failures

def test_without_keys_the_server_is_not_ready_and_recovers(spawn, publisher):
    publisher.status = 500
    server = spawn(publisher.env(SERVER_THREADS="4"), wait=False)
    server.wait_log("jwks_error", timeout=15, status=500)
    answer = server.http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["keys"] == {"status": "not ready"}
    assert server.http.get("/healthz").status_code == 200
    key = fresh_ec()
    good = signed("k", key)
    assert_error(server.client(good).get("/models"), 503, "SERVICE_UNAVAILABLE")
    assert_error(upgrade(server, bearer=good), 503, "SERVICE_UNAVAILABLE")
    assert_error(server.http.get("/models"), 401, "UNAUTHORIZED")
    publisher.publish(jwk("p256", key, kid="k"))
    server.wait_ready()
    for _ in range(8):
        assert status(server, good) == 200
    assert server.http.get("/readyz").json()["checks"]["keys"] == {"status": "ready"}


WRONG = {
    "nothing": b"", "no JSON": b"<html></html>", "cut": b'{"keys":[', "a list": b"[]",
    "no keys": b"{}", "none": b'{"keys":[]}', "keys of another kind": b'{"keys":{}}',
    "no usable key": b'{"keys":[{"kty":"oct","k":"AAAA"}]}',
    "too large": b'{"keys":[' + b" " * (1 << 20) + b"]}",
    "twice": b'{"keys":[],"keys":[]}',
}


@pytest.mark.parametrize("wrong", list(WRONG))
def test_a_wrong_document_changes_nothing(spawn, publisher, wrong):
    key = fresh_ec()
    publisher.publish(jwk("p256", key, kid="k"))
    server = spawn(publisher.env())
    publisher.body = WRONG[wrong]
    assert_error(server.client(signed("x", key)).get("/models"), 401, "INVALID_TOKEN")
    assert status(server, signed("k", key)) == 200
    assert len(server.wait_log("jwks_error")) == 1
    assert server.metric("chatbox_jwks_errors_total") == 1
    assert server.http.get("/readyz").status_code == 200


def good_set(head):
    """A head, and behind it the good set that only its head spoils."""
    body = json.dumps({"keys": [jwk("p256", kid="x")]})
    return head.format(len(body)).replace("\n", "\r\n").encode() + body.encode()


def endless(wfile):
    while True:
        wfile.write(b" " * 65536)


ANSWERS = {
    "500": good_set("HTTP/1.1 500 Oh\nContent-Length: {}\n\n"),
    "elsewhere": good_set("HTTP/1.1 302 There\nLocation: /other\nContent-Length: {}\n\n"),
    "cut": good_set("HTTP/1.1 200 OK\nContent-Length: 1{}\n\n"),
}


@pytest.mark.parametrize("name", [*ANSWERS, "endless"])
def test_an_answer_that_is_not_whole_and_good_changes_nothing(spawn, publisher, name):
    """The set that it carries is good; status, length or end are not."""
    key = fresh_ec()
    publisher.publish(jwk("p256", key, kid="k"))
    server = spawn(publisher.env())
    publisher.play = endless if name == "endless" else (
        lambda wfile: wfile.write(ANSWERS[name]))
    forged = signed("x", KEYS["p256"][0])
    assert_error(server.client(forged).get("/models"), 401, "INVALID_TOKEN")
    assert status(server, signed("k", key)) == 200
    assert publisher.count == 2, "nobody follows a redirect or asks again"
    assert len(server.wait_log("jwks_error")) == 1


def test_the_old_keys_hold_when_the_publisher_has_gone(spawn, publisher):
    old, new = fresh_ec(), fresh_ec()
    publisher.publish(jwk("p256", old, kid="old"))
    server = spawn(publisher.env(SERVER_THREADS="4"))
    publisher.close()
    for _ in range(8):
        assert_error(server.client(signed("new", new)).get("/models"), 401, "INVALID_TOKEN")
        assert status(server, signed("old", old)) == 200
    assert len(server.wait_log("jwks_error", why="connect_failed")) == 1
    assert server.http.get("/readyz").status_code == 200


def test_a_publisher_that_answers_too_late_is_given_up(spawn, publisher):
    """After five seconds; meanwhile nobody who waits for it is taken for silent."""
    old, new = fresh_ec(), fresh_ec()
    publisher.publish(jwk("p256", old, kid="old"))
    server = spawn(publisher.env(WS_PING_PERIOD="1s", WS_PONG_WAIT="4s"))
    with Chat(server, "u", bearer=signed("old", old)) as chat:
        publisher.publish(jwk("p256", new, kid="new"))
        publisher.open.clear()
        chat.send({"type": "auth", "token": signed("new", new)})
        error = chat.get("error", timeout=15)
        assert error["error"]["code"] == "INVALID_TOKEN"
        server.wait_log("jwks_error", why="total_timeout")
        chat.send("ping")
        chat.get("pong")
    assert status(server, signed("old", old)) == 200


def test_a_publisher_that_comes_later_is_found(spawn, tmp_path):
    """Nobody listens at the start: not ready, one line each try, then ready."""
    key = fresh_ec()
    late = Publisher(tmp_path, listening=False)
    late.publish(jwk("p256", key, kid="k"))
    server = spawn(late.env(), wait=False)
    server.wait_log("jwks_error", timeout=15, why="connect_failed", level="warn")
    assert server.http.get("/readyz").status_code == 503
    assert_error(server.client(signed("k", key)).get("/models"), 503, "SERVICE_UNAVAILABLE")
    late.listen()
    server.wait_ready()
    assert status(server, signed("k", key)) == 200
    assert late.count == 1 and len(server.wait_log("jwks")) == 1
    late.close()


def test_weak_and_broken_keys_are_passed_over(spawn, publisher):
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    key, koblitz = fresh_ec(), ec.generate_private_key(ec.SECP256K1())
    off = {**jwk("p256", fresh_ec(), kid="off"), "y": b64(b"\1" * 32)}
    short = {**jwk("p256", fresh_ec(), kid="short"), "x": b64(b"\1" * 31)}
    secret = {**jwk("p256", fresh_ec(), kid="secret"), "d": b64(b"\1" * 32)}
    publisher.publish(jwk("rsa", weak, kid="weak"), jwk("p256", koblitz, kid="koblitz"),
                      off, short, secret, jwk("p256", key, kid="k"))
    server = spawn(publisher.env())
    assert server.wait_log("jwks", keys=1)
    assert status(server, signed("weak", weak, "RS256")) == 401
    assert status(server, signed("k", key)) == 200


@pytest.mark.parametrize("fault, why", [
    ("unknown", "tls_certificate_untrusted"), ("past", "tls_certificate_expired"),
    ("of another address", "tls_certificate_of_another_host")])
def test_a_certificate_that_is_not_good_is_not_trusted(spawn, tmp_path, fault, why):
    (tmp_path / "other").mkdir()
    one = Publisher(tmp_path, "127.0.0.2" if fault == "of another address" else "127.0.0.1",
                    until=-1 if fault == "past" else 9)
    one.publish(jwk("rsa"))
    settings = {}
    if fault == "unknown":
        other = Publisher(tmp_path / "other")
        other.close()
        settings["JWT_JWKS_CA_FILE"] = str(other.ca)
    server = spawn(one.env(**settings), wait=False)
    server.wait_log("jwks_error", timeout=15, why=why)
    assert server.http.get("/readyz").status_code == 503
    assert one.count == 0
    one.close()


def test_only_https_will_do(publisher):
    env = {**publisher.env(), "JWT_JWKS_URL": "http://127.0.0.1:1/jwks"}
    env.pop("JWT_SECRET")
    result = run_cli("check", env=env)
    assert result.returncode == 78 and "auth.jwks_url" in result.all
