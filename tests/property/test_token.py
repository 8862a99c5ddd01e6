# SPDX-License-Identifier: MIT
"""guard/token against PyJWT: whatever we accept, it accepts, with the same claims;
whatever it accepts, we accept unless a rule of ours, written down here once
more, refuses it."""

import base64
import hashlib
import hmac
import json
import os
import subprocess

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings, strategies as st

from pure import built

NOW = 1_700_000_000
SECRET = b"0123456789abcdef0123456789abcdef"
pytestmark = pytest.mark.filterwarnings("ignore:The HMAC key is")
CASES = settings(max_examples=1000, deadline=None, print_blob=True)


class Tool:
    def __init__(self):
        path = os.environ.get("CHATBOX_TOKEN_TOOL") or built("token_tool")
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def verify(self, kind, key, token, issuer="-", audience="-"):
        line = f"{kind} {key.hex()} {issuer} {audience} {NOW * 1000} {token.hex()}\n"
        self.process.stdin.write(line)
        self.process.stdin.flush()
        words = self.process.stdout.readline().rstrip("\n").split(" ")
        if words[0] != "OK":
            return words[0], None
        user, name = (bytes.fromhex(w).decode() for w in words[1:3])
        return "OK", {"user_id": user, "name": name, "admin": words[3] == "1",
                      "exp_ms": int(words[4])}

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(60) == 0


@pytest.fixture(scope="module")
def tool():
    one = Tool()
    yield one
    one.close()


def public_pem(key):
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


KEYS = {"RSA": rsa.generate_private_key(65537, 2048),
        "P-256": ec.generate_private_key(ec.SECP256R1()),
        "P-384": ec.generate_private_key(ec.SECP384R1()),
        "P-521": ec.generate_private_key(ec.SECP521R1()),
        "Ed25519": ed25519.Ed25519PrivateKey.generate()}
PEMS = {name: public_pem(key) for name, key in KEYS.items()}
ALGORITHMS = {"secret": ["HS256", "HS384", "HS512"],
              "RSA": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
              "P-256": ["ES256"], "P-384": ["ES384"], "P-521": ["ES512"],
              "Ed25519": ["EdDSA"]}
FAMILIES = list(ALGORITHMS)


def key_of(family):
    """(kind and bytes for us, signing key, verifying key for PyJWT)."""
    if family == "secret":
        return ("secret", SECRET), SECRET, SECRET
    return ("pem", PEMS[family]), KEYS[family], PEMS[family]


def pyjwt(token, family, issuer=None, audience=None):
    """Its verdict on signature, header, issuer and audience; the claims or None.

    Times are left to our own model: PyJWT asks the real clock.
    """
    try:
        return jwt.decode(
            token, key_of(family)[2], algorithms=ALGORITHMS[family],
            issuer=issuer, audience=audience,
            options={"verify_exp": False, "verify_nbf": False, "verify_iat": False,
                     "verify_aud": audience is not None, "verify_sub": False,
                     "verify_jti": False})
    except (jwt.InvalidTokenError, jwt.InvalidKeyError):
        return None


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def times_are_numbers(claims):
    return "exp" in claims and all(is_number(claims[name])
                                   for name in ("exp", "nbf", "iat") if name in claims)


def roles_ok(roles):
    return (isinstance(roles, list) and len(roles) <= 32 and
            all(isinstance(r, str) and len(r.encode()) <= 64 and "\0" not in r
                for r in roles))


def user_ok(user):
    return (isinstance(user, str) and 1 <= len(user.encode()) <= 255 and
            not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in user))


def name_ok(name):
    return isinstance(name, str) and len(name.encode()) <= 255 and "\0" not in name


def parties_ok(claims):
    audience = claims.get("aud", "")
    return isinstance(claims.get("iss", ""), str) and (
        isinstance(audience, str) or
        isinstance(audience, list) and all(isinstance(a, str) for a in audience))


def our_rules(claims):
    """protocol.md section 3 in Python: "OK", "EXPIRED_TOKEN", "INVALID_TOKEN"."""
    good = (user_ok(claims.get("user_id")) and name_ok(claims.get("name", "")) and
            roles_ok(claims.get("roles", [])) and parties_ok(claims) and
            times_are_numbers(claims) and claims.get("nbf", 0) <= NOW + 30)
    if not good:
        return "INVALID_TOKEN"
    return "OK" if claims["exp"] > NOW - 30 else "EXPIRED_TOKEN"


def encode_part(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
junk = st.recursive(st.none() | st.booleans() | st.integers() | words |
                    st.floats(allow_nan=False, allow_infinity=False),
                    lambda inner: st.lists(inner, max_size=3) |
                    st.dictionaries(words, inner, max_size=3), max_leaves=5)
near = st.integers(-40, 40).map(lambda d: NOW + d)
times = near | near.map(lambda t: t + 0.25) | st.integers(0, 2 ** 33)
CLAIMS = {"user_id": st.just("u1") | words, "name": words,
          "roles": st.lists(st.sampled_from(["user", "admin", "chat_admin"]) | words,
                            max_size=35),
          "exp": times, "nbf": times, "iat": times,
          "iss": st.sampled_from(["me", "you"]),
          "aud": st.sampled_from(["me", "you", ["me"], ["you", "me"], []])}
good_claims = st.fixed_dictionaries(
    {"user_id": st.text("abc \u00e4\u6f22", min_size=1, max_size=80),
     "exp": times},
    optional={name: value for name, value in CLAIMS.items()
              if name not in ("user_id", "exp")})
any_claims = st.fixed_dictionaries(
    {}, optional={name: value | junk for name, value in CLAIMS.items()} |
    {"x": junk})


def size_ok(token):
    return len(token) <= 8192


@CASES
@given(st.sampled_from(FAMILIES), good_claims | any_claims, st.data())
def test_every_family_agrees_on_signed_tokens(tool, family, claims, data):
    mine, signing, _ = key_of(family)
    algorithm = data.draw(st.sampled_from(ALGORITHMS[family]))
    token = jwt.PyJWS().encode(json.dumps(claims).encode(), signing, algorithm)
    verdict, who = tool.verify(*mine, token.encode())
    if size_ok(token):
        assert pyjwt(token, family) is not None or not parties_ok(claims)
        assert verdict == our_rules(claims)
    else:
        assert verdict == "INVALID_TOKEN"
    if verdict == "OK":
        roles = claims.get("roles", [])
        assert who == {"user_id": claims["user_id"], "name": claims.get("name", ""),
                       "admin": bool({"admin", "chat_admin"} & set(roles)),
                       "exp_ms": int(claims["exp"] * 1000)}


@CASES
@given(good_claims, st.sampled_from(["me", None]), st.sampled_from(["me", None]))
def test_issuer_and_audience_agree(tool, claims, issuer, audience):
    claims["user_id"], claims["exp"] = "u1", NOW + 60
    for name in ("nbf", "roles", "name"):
        claims.pop(name, None)
    token = jwt.PyJWS().encode(json.dumps(claims).encode(), SECRET, "HS256")
    verdict, _ = tool.verify("secret", SECRET, token.encode(), issuer or "-",
                             audience or "-")
    theirs = pyjwt(token, "secret", issuer, audience)
    assert (verdict == "OK") == (theirs is not None)


def sign_raw(header, claims):
    text = encode_part(header) + b"." + encode_part(claims)
    return text + b"." + encode_part(hmac.new(SECRET, text, hashlib.sha256).digest())


headers = st.fixed_dictionaries(
    {"alg": st.just("HS256") | st.sampled_from(sum(ALGORITHMS.values(), [])) |
     st.sampled_from(["none", "", "hs256"]) | junk},
    optional={"typ": st.sampled_from(["JWT", "jwt", "at+jwt", "JWE", ""]) | junk,
              "crit": junk, "kid": words, "jku": words, "x5c": junk,
              "jwk": junk})


def header_ok(header):
    """What we ask of a header beyond PyJWT's `alg`."""
    typ = header.get("typ", "JWT")
    return (isinstance(typ, str) and typ.lower() in ("jwt", "at+jwt") and
            "crit" not in header)


@CASES
@given(headers)
def test_a_header_is_never_taken_for_more_than_it_is(tool, header):
    token = sign_raw(header, {"user_id": "u1", "exp": NOW + 60})
    verdict, _ = tool.verify("secret", SECRET, token)
    expected = (header["alg"] == "HS256" and header_ok(header) and
                size_ok(token))
    assert verdict == ("OK" if expected else "INVALID_TOKEN")
    if expected:
        assert pyjwt(token.decode(), "secret") is not None


@CASES
@given(st.sampled_from(FAMILIES), st.sampled_from(FAMILIES), st.data())
def test_no_key_takes_another_familys_token(tool, signer, verifier, data):
    algorithm = data.draw(st.sampled_from(ALGORITHMS[signer]))
    token = jwt.encode({"user_id": "u1", "exp": NOW + 60}, key_of(signer)[1], algorithm)
    verdict, _ = tool.verify(*key_of(verifier)[0], token.encode())
    assert verdict == ("OK" if signer == verifier else "INVALID_TOKEN")


@CASES
@given(st.binary(max_size=200), st.integers(0, 10_000), st.integers(0, 3))
def test_a_token_that_was_tampered_with_is_refused_by_both(tool, noise, at, kind):
    token = sign_raw({"alg": "HS256"}, {"user_id": "u1", "exp": NOW + 60})
    at %= len(token)
    changed = [token[:at] + noise + token[at:], token[:at] + noise + token[at + 1:],
               token[:at], noise][kind]
    verdict, _ = tool.verify("secret", SECRET, changed)
    assert verdict == ("OK" if changed == token else "INVALID_TOKEN")
