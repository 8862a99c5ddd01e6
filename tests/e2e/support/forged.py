# SPDX-License-Identifier: MIT
"""Tokens that must be refused and tokens that must pass: protocol.md 3.

REFUSED: (name, function making the token, CODE). The function is called when
the test runs, because times count.
"""

import base64
import hashlib
import hmac
import json
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from .tokens import SECRET, b64, claims, forge, mac, token


def now(seconds=0):
    return int(time.time()) + seconds


def with_header(**members):
    header = {"alg": "HS256", "typ": "JWT", **members}
    return lambda: forge(header={k: v for k, v in header.items() if v is not None})


def with_claims(**members):
    return lambda: forge(claims(**members))


def raw_payload(text):
    return lambda: forge(text if isinstance(text, bytes)
                         else text.replace("EXP", str(now(3600))))


def alg_none(name, signature=""):
    return lambda: forge(header={"alg": name, "typ": "JWT"}, signature=signature)


def mangled(function):
    return lambda: function(token("u"))


def swap_signature(change):
    def make():
        head, body, signature = token("u").split(".")
        raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
        return f"{head}.{body}.{b64(bytes(change(raw)))}"
    return make


def flip(index):
    def change(raw):
        raw[index] ^= 1
        return raw
    return swap_signature(change)


def sized(total):
    """A token of exactly so many bytes (or up to two fewer)."""
    def make():
        low, high = 0, total
        while low < high:
            middle = (low + high + 1) // 2
            if len(forge({**claims(), "pad": "x" * middle})) <= total:
                low = middle
            else:
                high = middle - 1
        return forge({**claims(), "pad": "x" * low})
    return make


def own_key_in_header():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return jwt.encode(claims(), key, algorithm="RS256", headers={"jwk": jwk})


def hmac_with_jwk():
    """Signed with a key that stands in the header itself."""
    key = b"a key that the token brings along"
    return forge(header={"alg": "HS256", "jwk": {"kty": "oct", "k": b64(key)}}, key=key)


def wrong_hash():
    """Says HS512, signed as HS256."""
    return forge(header={"alg": "HS512", "typ": "JWT"}, alg="HS256")


def trailing_bits():
    """The last character of the signature carries bits that must be zero."""
    text = token("u")
    alphabet = ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                "0123456789-_")
    return text[:-1] + alphabet[alphabet.index(text[-1]) | 1]


def padded_signature():
    head, body, signature = token("u").split(".")
    return f"{head}.{body}.{signature}="


def standard_alphabet():
    """Signed over its own text, but in the alphabet of plain base64."""
    body = json.dumps({**claims(), "name": "\u00fb\u00ff?>\u00fe" * 9},
                      ensure_ascii=False)
    parts = [b64(json.dumps({"alg": "HS256"})), base64.b64encode(body.encode()).decode()]
    parts[1] = parts[1].rstrip("=")
    assert "+" in parts[1] or "/" in parts[1]
    signed = ".".join(parts)
    return f"{signed}.{mac(signed)}"


def empty_key():
    signed = ".".join([b64('{"alg":"HS256"}'), b64(json.dumps(claims()))])
    return f"{signed}.{b64(hmac.new(b'', signed.encode(), hashlib.sha256).digest())}"


BAD = "INVALID_TOKEN"

REFUSED = [
    *[(f"alg {name}", alg_none(name), BAD)
      for name in ("none", "None", "NONE", "nOnE", "", "null")],
    ("alg none with a signature", alg_none("none", "AAAA"), BAD),
    ("alg in lower case", with_header(alg="hs256"), BAD),
    ("alg unknown", with_header(alg="HS1"), BAD),
    ("alg absent", with_header(alg=None), BAD),
    ("alg a number", with_header(alg=256), BAD),
    ("alg a list", with_header(alg=["HS256"]), BAD),
    *[(f"alg {name} by HMAC", with_header(alg=name), BAD)
      for name in ("RS256", "PS256", "ES256", "EdDSA", "ES256K", "HS256 ")],
    ("alg twice", lambda: forge(header='{"alg":"none","alg":"HS256"}'), BAD),
    ("hash other than said", wrong_hash, BAD),
    ("another secret", lambda: forge(key="another-key-that-is-long-enough-0001"), BAD),
    ("secret with a newline", lambda: forge(key=SECRET + "\n"), BAD),
    ("secret cut short", lambda: forge(key=SECRET[:-1]), BAD),
    ("empty secret", empty_key, BAD),
    ("RSA key of its own in the header", own_key_in_header, BAD),
    ("HMAC key of its own in the header", hmac_with_jwk, BAD),
    ("jku with a wrong signature",
     lambda: forge(header={"alg": "HS256", "jku": "https://evil.example/k"},
                   key="k" * 40), BAD),
    ("first bit of the signature", flip(0), BAD),
    ("last bit of the signature", flip(-1), BAD),
    ("signature cut", swap_signature(lambda raw: raw[:-1]), BAD),
    ("signature cut to half", swap_signature(lambda raw: raw[:16]), BAD),
    ("signature too long", swap_signature(lambda raw: raw + b"\0"), BAD),
    ("signature empty", mangled(lambda t: t.rsplit(".", 1)[0] + "."), BAD),
    ("signature padded", padded_signature, BAD),
    ("signature with loose bits", trailing_bits, BAD),
    ("signature not base64", mangled(lambda t: t.rsplit(".", 1)[0] + ".!!!!"), BAD),
    ("payload in plain base64", standard_alphabet, BAD),
    ("two segments", mangled(lambda t: t.rsplit(".", 1)[0]), BAD),
    ("one segment", mangled(lambda t: t.split(".")[0]), BAD),
    ("four segments", mangled(lambda t: t + ".AAAA"), BAD),
    ("five segments", lambda: ".".join([b64('{"alg":"dir","enc":"A128GCM"}'), "",
                                        "AAAA", "AAAA", "AAAA"]), BAD),
    ("only dots", lambda: "..", BAD),
    ("a word", lambda: "letmein", BAD),
    ("a letter in the payload",
     mangled(lambda t: t.replace(".", ".A", 1)), BAD),
    ("header not JSON", lambda: forge(header="alg:HS256"), BAD),
    ("header an array", lambda: forge(header='["HS256"]'), BAD),
    ("header empty", lambda: forge(header=""), BAD),
    ("header with text behind", lambda: forge(header='{"alg":"HS256"}x'), BAD),
    ("crit", with_header(crit=["exp"], exp=1), BAD),
    ("crit empty", with_header(crit=[]), BAD),
    ("crit b64", with_header(crit=["b64"], b64=False), BAD),
    ("typ unknown", with_header(typ="JOSE+JSON"), BAD),
    ("typ a number", with_header(typ=5), BAD),
    ("payload not JSON", raw_payload("user_id=u"), BAD),
    ("payload an array", raw_payload('["u"]'), BAD),
    ("payload a string", raw_payload('"u"'), BAD),
    ("payload empty", raw_payload(b""), BAD),
    ("payload with text behind", raw_payload('{"user_id":"u","exp":EXP} x'), BAD),
    ("payload with a byte order mark",
     raw_payload(b"\xef\xbb\xbf" + b'{"user_id":"u","exp":9999999999}'), BAD),
    ("payload invalid UTF-8",
     raw_payload(b'{"user_id":"u\xff","exp":9999999999}'), BAD),
    ("payload overlong UTF-8",
     raw_payload(b'{"user_id":"u\xc0\xaf","exp":9999999999}'), BAD),
    ("lone surrogate", raw_payload('{"user_id":"u\\ud800","exp":EXP}'), BAD),
    ("no user", with_claims(user_id=None), BAD),
    ("user null", raw_payload('{"user_id":null,"exp":EXP}'), BAD),
    ("user a number", with_claims(user_id=7), BAD),
    ("user a list", with_claims(user_id=["u"]), BAD),
    ("user empty", with_claims(user_id=""), BAD),
    ("user of 256 bytes", with_claims(user_id="u" * 256), BAD),
    ("user of 256 bytes in 128 letters", with_claims(user_id="ü" * 128), BAD),
    ("user with NUL", with_claims(user_id="a\0b"), BAD),
    ("user with a newline", with_claims(user_id="a\nb"), BAD),
    ("user with DEL", with_claims(user_id="a\x7fb"), BAD),
    ("user twice", raw_payload('{"user_id":"a","user_id":"b","exp":EXP}'), BAD),
    ("user twice by an escape",
     raw_payload('{"user_id":"a","\\u0075ser_id":"b","exp":EXP}'), BAD),
    ("only sub", with_claims(user_id=None, sub="u"), BAD),
    ("no exp", with_claims(exp=None), BAD),
    ("exp null", raw_payload('{"user_id":"u","exp":null}'), BAD),
    ("exp text", with_claims(exp=str(2**31)), BAD),
    ("exp true", with_claims(exp=True), BAD),
    ("exp a list", with_claims(exp=[9999999999]), BAD),
    ("exp an object", with_claims(exp={"t": 9999999999}), BAD),
    ("exp twice", raw_payload('{"user_id":"u","exp":1,"exp":EXP}'), BAD),
    ("exp past", lambda: forge(claims(exp=now(-3600))), "EXPIRED_TOKEN"),
    ("exp just past the leeway", lambda: forge(claims(exp=now(-32))), "EXPIRED_TOKEN"),
    ("exp zero", with_claims(exp=0), "EXPIRED_TOKEN"),
    ("exp negative", with_claims(exp=-1), None),
    ("nbf ahead", lambda: forge(claims(nbf=now(3600))), BAD),
    ("nbf just ahead of the leeway", lambda: forge(claims(nbf=now(35))), BAD),
    ("nbf text", with_claims(nbf="0"), BAD),
    ("nbf true", with_claims(nbf=True), BAD),
    ("iat text", with_claims(iat="now"), BAD),
    ("iat an object", with_claims(iat={}), BAD),
    ("roles text", with_claims(roles="admin"), BAD),
    ("roles a number", with_claims(roles=1), BAD),
    ("roles an object", with_claims(roles={"admin": True}), BAD),
    ("roles of numbers", with_claims(roles=[1]), BAD),
    ("33 roles", with_claims(roles=["r"] * 33), BAD),
    ("a role of 65 bytes", with_claims(roles=["r" * 65]), BAD),
    ("name a number", with_claims(name=1), BAD),
    ("name of 256 bytes", with_claims(name="n" * 256), BAD),
    ("over 8 KiB", lambda: sized(8192 + 8)(), BAD),
    ("signed by the right key twice over",
     lambda: forge(payload=token("u")), BAD),
]

ACCEPTED = [
    *[(alg, lambda alg=alg: token("u", alg=alg)) for alg in ("HS256", "HS384", "HS512")],
    ("typ absent", with_header(typ=None)),
    ("typ in lower case", with_header(typ="jwt")),
    ("typ at+jwt", with_header(typ="at+jwt")),
    ("typ AT+JWT", with_header(typ="AT+JWT")),
    ("kid ignored", with_header(kid="whatever")),
    ("jku ignored", with_header(jku="https://evil.example/keys")),
    ("x5u ignored", with_header(x5u="https://evil.example/chain")),
    ("jwk ignored", with_header(jwk={"kty": "oct", "k": "AAAA"})),
    ("x5c ignored", with_header(x5c=["AAAA"])),
    ("an unknown header member", with_header(colour="red")),
    ("user of 255 bytes", with_claims(user_id="u" * 255)),
    ("user in another script", with_claims(user_id="žluťoučký-用户-😀")),
    ("user of one byte", with_claims(user_id="u")),
    ("32 roles of 64 bytes", with_claims(roles=["r" * 64] * 32)),
    ("no roles", with_claims(roles=[])),
    ("name of 255 bytes", with_claims(name="n" * 255)),
    ("exp with a fraction", lambda: forge(claims(exp=time.time() + 60.5))),
    ("exp within the leeway", lambda: forge(claims(exp=now(-10)))),
    ("nbf within the leeway", lambda: forge(claims(nbf=now(10)))),
    ("nbf past and iat", lambda: forge(claims(nbf=now(-10), iat=now(-10)))),
    ("exp far ahead", with_claims(exp=32503680000)),
    ("unknown claims", with_claims(colour="red", deep={"a": [1, {"b": None}]})),
    ("8 KiB", sized(8192)),
    ("whitespace in the payload", raw_payload(' { "user_id" : "u" , "exp" : EXP }\n')),
]
