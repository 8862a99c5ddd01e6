# SPDX-License-Identifier: MIT
"""auth frames and the end of a token on a live connection: protocol.md 2.4, 3."""

import time

import pytest

from support.server import provider_env
from support.tokens import forge, token
from support.waiting import PATIENCE
from support.ws import fresh, upgrade

LEEWAY = int(2 * PATIENCE)
SETTINGS = {"JWT_LEEWAY": f"{LEEWAY}s"}


def now(seconds=0):
    return int(time.time()) + seconds


def auth(chat, **members):
    """What answers an auth frame: one frame, and the connection lives on."""
    chat.send("auth", **members)
    answers = chat.quiet()
    assert len(answers) == 1, answers
    return answers[0]


BAD = [
    ("absent", lambda user: {}, "MISSING_FIELD", "token"),
    ("null", lambda user: {"token": None}, "MISSING_FIELD", "token"),
    ("empty", lambda user: {"token": " "}, "MISSING_FIELD", "token"),
    ("a number", lambda user: {"token": 5}, "INVALID_FORMAT", "token"),
    ("an object", lambda user: {"token": {}}, "INVALID_FORMAT", "token"),
    ("a word", lambda user: {"token": "nonsense"}, "INVALID_TOKEN", None),
    ("three parts of nothing", lambda user: {"token": "a.b.c"}, "INVALID_TOKEN", None),
    ("over 8 KiB", lambda user: {"token": token(user, name="n", pad="x" * 8192)},
     "INVALID_TOKEN", None),
    ("signed by another", lambda user: {"token": forge({"user_id": user, "exp": now(60)},
                                                       key="x" * 40)},
     "INVALID_TOKEN", None),
    ("not valid yet", lambda user: {"token": token(user, nbf=now(3600))},
     "INVALID_TOKEN", None),
    ("without exp", lambda user: {"token": token(user, exp=None)}, "INVALID_TOKEN", None),
    ("expired", lambda user: {"token": token(user, exp=now(-3600))}, "EXPIRED_TOKEN", None),
    ("of another user", lambda user: {"token": token(fresh())},
     "INSUFFICIENT_PERMISSIONS", None),
]


@pytest.mark.parametrize("make,code,field",
                         [pytest.param(m, c, f, id=n) for n, m, c, f in BAD])
def test_a_bad_token_is_told_and_the_connection_lives_on(chat, user, make, code, field):
    one = chat(user)
    frame = auth(one, **make(user), client_id="a-1")
    assert frame["type"] == "error" and frame["session_id"] == one.session
    assert frame["error"]["code"] == code and frame["error"].get("field") == field
    assert frame["error"]["recoverable"] is False
    assert one.turn("still here").finish == "stop"


def test_a_good_token_is_acknowledged(chat, user):
    one = chat(user)
    assert auth(one, token=token(user))["type"] == "ack"
    ack = auth(one, token=" " + token(user, roles=["admin"]) + "\n", client_id="a-2")
    assert (ack["type"], ack["client_id"]) == ("ack", "a-2")


def test_a_token_of_8_kib_is_taken(chat, user):
    one = chat(user)
    long = token(user, pad="x" * 5900)
    assert 7900 < len(long) <= 8192
    assert auth(one, token=long)["type"] == "ack"


def test_a_live_connection_is_told_of_the_end_of_its_token_once(chat, server, user):
    """Section 3: at exp + leeway EXPIRED_TOKEN, once; an auth frame renews."""
    one, keeps = chat(user), chat(user, session_id="another")
    end = now() + 1
    last = token(user, exp=end)
    assert auth(one, token=last)["type"] == "ack"
    told = one.get("error", timeout=10)
    assert told["error"]["code"] == "EXPIRED_TOKEN"
    assert told["session_id"] == one.session
    assert time.time() > end + LEEWAY - 0.5
    assert one.turn("within the grace").finish == "stop"
    assert auth(one, token=last)["error"]["code"] == "EXPIRED_TOKEN", "asked, and told"
    assert upgrade(server, bearer=last).json()["code"] == "EXPIRED_TOKEN"
    assert auth(one, token=token(user, exp=now() + 1))["type"] == "ack"
    told = one.get("error", timeout=10)
    assert told["error"]["code"] == "EXPIRED_TOKEN", "the new one ends, too"
    assert auth(one, token=token(user))["type"] == "ack"
    assert one.turn("renewed").finish == "stop"
    assert keeps.quiet() == []


def test_a_connection_that_came_within_the_leeway_is_told(spawn, connect, fake, user):
    server = spawn(provider_env(fake) | {"JWT_LEEWAY": f"{3 * LEEWAY}s"})
    one = connect(server, user, bearer=token(user, exp=now(-2 * LEEWAY)))
    assert one.get("error", timeout=10)["error"]["code"] == "EXPIRED_TOKEN"
    assert one.turn("within the grace").finish == "stop"
