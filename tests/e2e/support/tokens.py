# SPDX-License-Identifier: MIT
"""Tokens, good and forged. PyJWT signs the good ones; `forge` signs anything."""

import base64
import hashlib
import hmac
import json
import time

import jwt

SECRET = "k3V9xQ2mZ7bT4nW8rY1cL6hJ5gF0dSzPuB+RqXe="
HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def claims(user_id="user", **more):
    """The usual claims; a claim given as None is left out."""
    merged = {"user_id": user_id, "exp": int(time.time()) + 3600, **more}
    return {key: value for key, value in merged.items() if value is not None}


def token(user_id="user", key=SECRET, alg="HS256", headers=None, **more):
    """A well-formed token as PyJWT makes it."""
    return jwt.encode(claims(user_id, **more), key, algorithm=alg, headers=headers)


def b64(data):
    """Base64url without padding."""
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def mac(signing_input, key=SECRET, alg="HS256"):
    if isinstance(key, str):
        key = key.encode()
    return b64(hmac.new(key, signing_input.encode(), HASHES[alg]).digest())


def forge(payload=None, header=None, key=SECRET, alg="HS256", signature=None):
    """A token from any header and payload (dict, text or bytes), signed by HMAC.

    The signature is right for `alg` and `key` unless `signature` is given, so
    that what is refused is refused for its content.
    """
    if header is None:
        header = {"alg": alg, "typ": "JWT"}
    if payload is None:
        payload = claims()
    parts = [b64(part if isinstance(part, (str, bytes)) else json.dumps(part))
             for part in (header, payload)]
    signed = ".".join(parts)
    if signature is None:
        signature = mac(signed, key, alg)
    return f"{signed}.{signature}"
