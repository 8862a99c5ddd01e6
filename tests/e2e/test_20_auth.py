# SPDX-License-Identifier: MIT
"""Tokens on HTTP and on the upgrade: protocol.md 3 and 2.1."""

import time
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from support.checks import assert_error
from support.forged import ACCEPTED, REFUSED
from support.rawhttp import answered, request
from support.server import demo_env
from support.tokens import SECRET, claims, forge, token
from support.ws import Chat, upgrade


@pytest.mark.parametrize("make,code", [pytest.param(m, c, id=n) for n, m, c in REFUSED])
def test_a_forged_token_is_refused_on_both_doors(server, make, code):
    forged = make()
    head = [("Authorization", f"Bearer {forged}")]
    answer = answered(server, request(server, "GET", server.prefix + "/models", head))
    assert_error(answer, 401, code)
    assert_error(upgrade(server, bearer=forged), 401, code)


@pytest.mark.parametrize("make", [pytest.param(m, id=n) for n, m in ACCEPTED])
def test_a_good_token_passes_both_doors(server, make):
    good = make()
    assert server.client(good).get("/models").status_code == 200
    assert upgrade(server, bearer=good).status == 101


def test_no_token_is_unauthorized(server):
    assert_error(server.http.get("/models"), 401, "UNAUTHORIZED")
    assert_error(upgrade(server, bearer=""), 401, "UNAUTHORIZED")


@pytest.mark.parametrize("value", ["Basic dTpw", "Token abc", "Bearer", "Bearer "])
def test_another_scheme_is_unauthorized(server, value):
    head = [("Authorization", value)]
    answer = answered(server, request(server, "GET", server.prefix + "/models", head))
    assert_error(answer, 401)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_is_read_in_any_case(server, scheme):
    header = {"Authorization": f"{scheme} {token('u')}"}
    assert server.http.get("/models", headers=header).status_code == 200
    assert upgrade(server, bearer="", headers=header).status == 101


def test_two_authorization_headers_are_refused(server):
    head = [("Authorization", f"Bearer {token('a')}"),
            ("Authorization", f"Bearer {token('b')}")]
    data = request(server, "GET", server.prefix + "/models", head)
    assert answered(server, data).status in (400, 401)


def test_the_user_of_the_token_is_the_user(server, chat):
    name = "žluťoučký kůň 😀"
    assert chat(name).hello["user_id"] == name
    assert server.user(name).get("/sessions").json()["user_id"] == name


# --- where the token stands

def test_the_token_may_stand_in_the_query_of_the_upgrade(server):
    answer = upgrade(server, bearer="", query="token=" + token("u"))
    assert answer.status == 101
    assert answer.header("sec-websocket-protocol") is None


def test_the_query_is_no_place_for_other_routes(server):
    answer = server.http.get("/models", params={"token": token("u")})
    assert_error(answer, 401, "UNAUTHORIZED")


def test_the_token_may_stand_in_a_subprotocol(server):
    answer = upgrade(server, bearer="", headers={
        "Sec-WebSocket-Protocol": f"chatbox.v1, bearer.{token('u')}"})
    assert answer.status == 101
    assert answer.header("sec-websocket-protocol") == "chatbox.v1"


def test_an_offered_subprotocol_is_answered_and_no_other(server):
    known = upgrade(server, headers={"Sec-WebSocket-Protocol": "x, chatbox.v1"})
    assert known.header("sec-websocket-protocol") == "chatbox.v1"
    unknown = upgrade(server, headers={"Sec-WebSocket-Protocol": "chatbox.v9, x"})
    assert unknown.status == 101
    assert unknown.header("sec-websocket-protocol") is None


def test_the_first_place_wins(server):
    good, bad = token("u"), forge(key="x" * 32)
    protocol = {"Sec-WebSocket-Protocol": f"chatbox.v1, bearer.{bad}"}
    assert upgrade(server, bearer=good, headers=protocol,
                   query="token=" + bad).status == 101
    assert upgrade(server, bearer=bad, query="token=" + good).status == 401
    protocol["Sec-WebSocket-Protocol"] = f"chatbox.v1, bearer.{good}"
    assert upgrade(server, bearer="", headers=protocol, query="token=" + bad).status == 101
    protocol["Sec-WebSocket-Protocol"] = f"chatbox.v1, bearer.{bad}"
    assert upgrade(server, bearer="", headers=protocol, query="token=" + good).status == 401


def test_the_query_can_be_switched_off(spawn):
    server = spawn({**demo_env(), "WS_TOKEN_IN_QUERY": "false"})
    assert_error(upgrade(server, bearer="", query="token=" + token("u")), 401)
    assert upgrade(server).status == 101


def test_tokens_are_never_written_to_the_log(spawn):
    server = spawn(demo_env())
    good, bad = token("u"), forge(key="y" * 40)
    upgrade(server, bearer="", query="token=" + good)
    upgrade(server, bearer="", query="token=" + bad)
    upgrade(server, bearer=bad)
    upgrade(server, bearer="", headers={
        "Sec-WebSocket-Protocol": f"chatbox.v1, bearer.{good}"})
    server.http.get("/models", params={"token": good})
    server.http.get("/nothing/" + good)
    server.stop()
    for text in (good, bad):
        assert text.split(".")[2] not in server.log_text()
    assert SECRET not in server.log_text()


@pytest.mark.parametrize("query,field", [
    ("last_seq=abc", "last_seq"), ("last_seq=-1", "last_seq"),
    ("last_seq=1.5", "last_seq"), ("last_seq=99999999999999999999999", "last_seq"),
    ("device_id=" + "d" * 65, "device_id"), ("device_id=a%01b", "device_id"),
    ("device_id=%C3%BC", "device_id"), ("strict=2", "strict"),
    ("strict=maybe", "strict"), ("session_id=" + "s" * 129, "session_id"),
    ("desk=7", "desk")])
def test_a_bad_value_in_the_query_is_400_with_the_field(server, query, field):
    assert_error(upgrade(server, query=query), 400, "BAD_REQUEST", field)


def test_an_unknown_member_of_the_query_is_no_harm(server):
    assert upgrade(server, query="colour=red&x").status == 101


def test_desk_is_for_operators(server):
    assert_error(upgrade(server, query="desk=1"), 403, "FORBIDDEN")


def test_401_comes_before_403(server):
    answer = upgrade(server, bearer=forge(key="x" * 32),
                     headers={"Origin": "https://evil.example"})
    assert_error(answer, 401)


# --- settings of tokens

def test_exp_may_be_left_out_when_it_is_not_required(spawn):
    server = spawn({**demo_env(), "JWT_REQUIRE_EXP": "false"})
    assert server.client(forge(claims(exp=None))).get("/models").status_code == 200
    past = forge(claims(exp=int(time.time()) - 3600))
    assert_error(server.client(past).get("/models"), 401, "EXPIRED_TOKEN")
    assert_error(server.client(forge(claims(exp="x"))).get("/models"), 401)


def test_the_leeway_is_a_setting(spawn):
    server = spawn({**demo_env(), "JWT_LEEWAY": "0"})
    past = forge(claims(exp=int(time.time()) - 2))
    assert_error(server.client(past).get("/models"), 401, "EXPIRED_TOKEN")


@pytest.mark.parametrize("aud,passes", [
    ("chat", True), (["other", "chat"], True), ("other", False), ([], False),
    (["other"], False), (None, False), (5, False), ([5, "chat"], False), ("Chat", False)])
def test_the_audience_is_checked_when_configured(spawn_audience, aud, passes):
    answer = spawn_audience.client(forge(claims(aud=aud, iss="us"))).get("/models")
    assert answer.status_code == (200 if passes else 401)


@pytest.mark.parametrize("iss,passes", [("us", True), ("them", False), (None, False),
                                        (5, False), ("US", False), (["us"], False)])
def test_the_issuer_is_checked_when_configured(spawn_audience, iss, passes):
    answer = spawn_audience.client(forge(claims(aud="chat", iss=iss))).get("/models")
    assert answer.status_code == (200 if passes else 401)


@pytest.fixture(scope="module")
def spawn_audience(spawn_module):
    return spawn_module({**demo_env(), "JWT_AUDIENCE": "chat", "JWT_ISSUER": "us"})


def test_the_user_claim_is_a_setting(spawn):
    server = spawn({**demo_env(), "JWT_USER_CLAIM": "sub"})
    good = forge(claims(user_id=None, sub="by-sub"))
    assert server.client(good).get("/sessions").json()["user_id"] == "by-sub"
    assert_error(server.client(forge(claims("u"))).get("/models"), 401, "INVALID_TOKEN")


# --- public keys

KEYS = {
    "rsa": (lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
            ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]),
    "p256": (lambda: ec.generate_private_key(ec.SECP256R1()), ["ES256"]),
    "p384": (lambda: ec.generate_private_key(ec.SECP384R1()), ["ES384"]),
    "p521": (lambda: ec.generate_private_key(ec.SECP521R1()), ["ES512"]),
    "ed25519": (ed25519.Ed25519PrivateKey.generate, ["EdDSA"]),
}
MADE = {name: make() for name, (make, _) in KEYS.items()}


def public_pem(key):
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(scope="module", params=list(KEYS))
def keyed(request, spawn_module, tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "public.pem"
    path.write_bytes(public_pem(MADE[request.param]))
    server = spawn_module({**demo_env(), "JWT_SECRET": None,
                           "JWT_PUBLIC_KEY_FILE": str(path)})
    server.kind = request.param
    return server


def test_a_public_key_checks_its_own_family(keyed):
    for alg in KEYS[keyed.kind][1]:
        good = token("u", key=MADE[keyed.kind], alg=alg)
        assert keyed.client(good).get("/models").status_code == 200, alg
        with Chat(keyed, "u", bearer=good) as chat:
            assert chat.hello["user_id"] == "u"


def test_a_public_key_refuses_every_other_family(keyed):
    own = KEYS[keyed.kind][1]
    pem = public_pem(MADE[keyed.kind])
    for kind, (_, algorithms) in KEYS.items():
        for alg in set(algorithms) - set(own):
            foreign = token("u", key=MADE[kind], alg=alg)
            answer = keyed.client(foreign).get("/models")
            assert_error(answer, 401, "INVALID_TOKEN")
    for alg in ("HS256", "HS384", "HS512"):
        for key in (pem, pem.strip(), b"", SECRET.encode()):
            forged = forge(header={"alg": alg}, key=key, alg=alg)
            assert keyed.client(forged).get("/models").status_code == 401
    none = forge(header={"alg": "none"}, signature="")
    assert keyed.client(none).get("/models").status_code == 401


def test_a_public_key_refuses_another_key_of_its_family(keyed):
    make, algorithms = KEYS[keyed.kind]
    for alg in algorithms:
        answer = keyed.client(token("u", key=make(), alg=alg)).get("/models")
        assert_error(answer, 401, "INVALID_TOKEN")


def test_a_public_key_refuses_a_damaged_signature(keyed):
    for alg in KEYS[keyed.kind][1]:
        good = token("u", key=MADE[keyed.kind], alg=alg)
        head, body, signature = good.split(".")
        for wrong in (signature[:-4], signature + "AAAA", "A" * len(signature), "",
                      "B" + signature[1:] if signature[0] != "B" else "C" + signature[1:]):
            answer = keyed.client(f"{head}.{body}.{wrong}").get("/models")
            assert answer.status_code == 401


def test_a_key_file_alone_is_enough_to_start(keyed):
    assert keyed.http.get("/readyz").status_code == 200


def test_a_token_in_the_query_may_be_escaped(server):
    escaped = quote(token("u"), safe="").replace(".", "%2E")
    assert upgrade(server, bearer="", query="token=" + escaped).status == 101
