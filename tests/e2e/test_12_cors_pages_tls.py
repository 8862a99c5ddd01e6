# SPDX-License-Identifier: MIT
"""CORS, the built-in pages, TLS."""

import datetime
import gzip
import re
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.checks import assert_error, assert_headers
from support.rawhttp import RawConn, answered, request
from support.server import provider_env
from support.tokens import token
from support.ws import RawWs, upgrade

LISTED = "https://app.example"
SETTINGS = {"CORS_ALLOWED_ORIGINS": f"{LISTED},http://other.example:8080"}


def cors_headers(answer):
    return {name for name in answer.headers if name.startswith("access-control-")}


def preflight(server, origin, method="POST"):
    return server.http.options("/sessions", headers={
        "Origin": origin, "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization, content-type"})


def test_a_listed_origin_is_echoed_with_vary(server):
    answer = server.user("u").get("/models", headers={"Origin": LISTED})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == LISTED
    assert "origin" in answer.headers["vary"].lower()


def test_another_origin_gets_no_cors_headers(server):
    answer = server.user("u").get("/models", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 200 and not cors_headers(answer)


def test_a_preflight_from_a_listed_origin_is_answered(server):
    answer = preflight(server, LISTED)
    assert answer.status_code in (200, 204)
    assert answer.headers["access-control-allow-origin"] == LISTED
    methods = answer.headers["access-control-allow-methods"].upper()
    assert "POST" in methods and "GET" in methods
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert "authorization" in allowed and "content-type" in allowed
    assert_headers(answer)


def test_a_preflight_from_another_origin_is_403(server):
    answer = preflight(server, "https://evil.example")
    assert_error(answer, 403, "FORBIDDEN")
    assert not cors_headers(answer)


def test_errors_carry_the_cors_headers_too(server):
    answer = server.http.get("/models", headers={"Origin": LISTED})
    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == LISTED


def test_without_configuration_nobody_gets_cors_headers(spawn, fake):
    plain = spawn(provider_env(fake))
    answer = plain.user("u").get("/models", headers={"Origin": LISTED})
    assert answer.status_code == 200 and not cors_headers(answer)
    assert not cors_headers(preflight(plain, LISTED))


# --- pages

def page(server):
    answer = server.http.get("/")
    assert answer.status_code == 200
    return answer


def assets(server):
    found = re.findall(r'(?:src|href)="([^"#?:]+\.(?:js|css|svg|woff2?))"',
                       page(server).text)
    assert found
    return [p if p.startswith("/") else f"{server.prefix}/{p.removeprefix('./')}"
            for p in found]


def test_the_page_is_html_with_a_strict_policy(server):
    answer = page(server)
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "unsafe-inline" not in policy and "unsafe-eval" not in policy
    assert "default-src" in policy or "script-src" in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)", answer.text)


def test_the_page_loads_nothing_from_elsewhere(server):
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page(server).text)


def test_assets_are_immutable_and_have_an_etag(server):
    for path in assets(server):
        answer = server.http.get(f"http://127.0.0.1:{server.port}{path}")
        assert answer.status_code == 200, path
        assert_headers(answer)
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["etag"].startswith('"')


def test_a_known_etag_is_answered_304(server):
    url = f"http://127.0.0.1:{server.port}{assets(server)[0]}"
    tag = server.http.get(url).headers["etag"]
    for value in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        answer = server.http.get(url, headers={"If-None-Match": value})
        assert answer.status_code == 304 and not answer.content, value
    other = server.http.get(url, headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


def test_assets_are_compressed_for_those_who_take_gzip(server):
    path = assets(server)[0]
    plain = answered(server, request(server, "GET", path))
    assert plain.header("content-encoding") is None
    packed = answered(server, request(server, "GET", path,
                                         [("Accept-Encoding", "br;q=1, gzip")]))
    assert packed.header("content-encoding") == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert "accept-encoding" in ",".join(packed.all("vary")).lower()
    refused = answered(server, request(server, "GET", path,
                                          [("Accept-Encoding", "gzip;q=0")]))
    assert refused.header("content-encoding") is None


@pytest.mark.parametrize("path", ["/assets/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
                                  "/assets/", "/index.php", "/.git/config"])
def test_pages_lead_nowhere_else(server, path):
    data = request(server, "GET", server.prefix + path)
    assert answered(server, data).status in (400, 404)


# --- TLS

@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    return make_certificate(folder, "localhost")


def make_certificate(folder, name):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    cert = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=9))
            .sign(key, hashes.SHA256()))
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(cert.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return {"TLS_CERT_FILE": str(folder / "cert.pem"),
            "TLS_KEY_FILE": str(folder / "key.pem")}


@pytest.fixture(scope="module")
def secure(spawn_module, fake, certificate):
    return spawn_module({**provider_env(fake), **certificate})


def test_https_answers(secure):
    answer = secure.http.get("/healthz")
    assert answer.status_code == 200
    assert_headers(answer)


def test_a_conversation_over_wss(secure, connect, fake, question):
    chat = connect(secure)
    other = connect(secure, chat.user)
    turn = chat.turn(question)
    assert turn.text == "Hello from the model." and turn.finish == "stop"
    assert other.rest_of_turn().text == turn.text


def test_same_origin_over_tls_is_https(secure):
    own = f"https://127.0.0.1:{secure.port}"
    assert upgrade(secure, headers={"Origin": own}).status == 101
    plain = own.replace("https", "http")
    assert upgrade(secure, headers={"Origin": plain}).status == 403


def test_a_large_pipeline_over_tls_is_answered(secure):
    data = request(secure, "GET", secure.prefix + "/healthz")
    with RawConn(secure, tls=True) as conn:
        conn.send(data * 100)
        assert all(conn.read_response().status == 200 for _ in range(100))


def test_a_connection_over_tls_survives_its_way_to_the_users_thread(secure):
    for _ in range(100):
        with RawWs(secure) as ws:
            ws.text({"type": "ping"})
            assert ws.json()["type"] == "pong"


def test_plain_text_on_a_tls_port_does_no_harm(secure):
    with RawConn(secure) as conn:
        conn.send(request(secure, "GET", secure.prefix + "/healthz"))
        conn.buffer = b""
        try:
            while conn._fill():
                pass
        except TimeoutError:
            pytest.fail("the connection stays open")
    assert secure.http.get("/healthz").status_code == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_versions_are_refused(secure, version):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = version
    with RawConn(secure) as conn:
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            context.wrap_socket(conn.sock)


@pytest.mark.parametrize("broken", ["TLS_CERT_FILE", "TLS_KEY_FILE"])
def test_a_certificate_that_does_not_fit_is_refused_at_start(certificate, tmp_path,
                                                             broken):
    from support.server import minimal_env, run_cli
    other = make_certificate(tmp_path, "other")
    env = {**minimal_env(), **certificate, broken: other[broken],
           "DATA_DIR": str(tmp_path / "data"), "SERVER_PORT": "18090"}
    assert run_cli("serve", env=env).returncode in (1, 78)


def test_a_token_works_over_tls(secure):
    assert secure.client(token("u")).get("/models").status_code == 200
