# SPDX-License-Identifier: MIT
"""Each member of the envelope, wrong in every way: the written error, no turn.

Every refused frame is followed by a ping: exactly one error and then the pong
show that the connection lives on and that nothing else happened.
"""

import datetime
import json

import pytest

from support.envelopes import (ACCEPTED, BLAMED, FORMAT, GOOD_MESSAGES, MEMBERS, NOT_JSON,
                               SHAPE, later, say, wire)
from support.waiting import wait_for
from support.ws import TEXT, encode


def refused(chat, frame):
    """The one error that answers a frame; the conversation goes on."""
    chat.send_text(wire(frame))
    answers = chat.quiet()
    assert [a["type"] for a in answers] == ["error"], answers
    error = answers[0]["error"]
    assert isinstance(error["message"], str) and error["message"]
    assert isinstance(error["recoverable"], bool)
    assert answers[0]["session_id"] == chat.session
    return error


@pytest.mark.parametrize("text", [pytest.param(t, id=n) for n, t in NOT_JSON])
def test_text_that_is_not_json_is_invalid_format_without_a_field(chat, text):
    """Req 7.1, 7.2."""
    error = refused(chat(), text)
    assert error["code"] == FORMAT and "field" not in error


@pytest.mark.parametrize("text,code", [pytest.param(t, c, id=n) for n, t, c in SHAPE])
def test_a_frame_of_the_wrong_shape_is_invalid_format(chat, text, code):
    """Req 7.1, 7.2."""
    assert refused(chat(), text)["code"] == code


@pytest.mark.parametrize("text,field", [pytest.param(t, f, id=n) for n, t, f in BLAMED])
def test_a_frame_that_is_json_is_refused_with_the_member_to_blame(chat, text, field):
    """2.3: the field is absent only when it is not JSON."""
    error = refused(chat(), text)
    assert error["code"] == FORMAT and error.get("field") == field


@pytest.mark.parametrize("frame,code,field",
                         [pytest.param(f, c, d, id=n) for n, f, c, d in MEMBERS])
def test_a_wrong_member_is_refused_by_its_name(chat, server, user, frame, code, field):
    """Req 7.1, 7.2."""
    error = refused(chat(user), frame)
    assert error["code"] == code, error
    if field.endswith("*"):
        assert error.get("field", "").startswith(field[:-1])
    else:
        assert error["field"] == field, error
    assert server.user(user).get("/sessions").json()["count"] == 0, "nothing is stored"


def test_a_timestamp_over_60_seconds_ahead_is_refused(chat):
    error = refused(chat(), say(timestamp=later(120)))
    assert (error["code"], error["field"]) == (FORMAT, "timestamp")


@pytest.mark.parametrize("text", [pytest.param(t, id=n) for n, t in ACCEPTED])
def test_what_is_unusual_but_right_is_accepted(chat, text):
    one = chat()
    one.send_text(text)
    assert one.recv()["type"] == "pong"


@pytest.mark.parametrize("frame", [pytest.param(f, id=n) for n, f in GOOD_MESSAGES])
def test_a_message_at_its_limits_is_a_turn(chat, frame):
    one = chat()
    one.send(frame)
    assert one.rest_of_turn().finish == "stop"


def test_the_servers_clock_is_what_is_stored(chat, server):
    one = chat()
    one.turn("hello", timestamp="1999-12-31T23:59:59Z")
    one.turn("again", timestamp=later(30))
    messages = server.user(one.user).get(f"/sessions/{one.session}").json()["messages"]
    now = datetime.datetime.now(datetime.timezone.utc)
    for message in messages:
        stored = datetime.datetime.fromisoformat(message["timestamp"].replace("Z", "+00:00"))
        assert abs((now - stored).total_seconds()) < 60


def test_ping_is_answered_by_pong(chat):
    one = chat()
    one.send("ping")
    assert one.recv()["type"] == "pong"


# --- sanitising

DIRTY = [("NUL inside", "a\0b", "ab"), ("spaces around", "  a b \n", "a b"),
         ("NUL at the edge", "\0 a \0", "a"), ("NUL between spaces", " \0 a", "a"),
         ("markup stays", "<b>&amp;\"'</b>", "<b>&amp;\"'</b>"),
         ("other controls stay", "a\tb\nc", "a\tb\nc"),
         ("emoji", " 😀 ", "😀")]


@pytest.mark.parametrize("sent,kept", [pytest.param(s, k, id=n) for n, s, k in DIRTY])
def test_the_sanitised_form_is_used_everywhere(chat, server, fake, user, sent, kept):
    """Req 7.3, 7.5: others, the store and the model see the same clean text."""
    one = chat(user)
    one.turn("begin")
    two = chat(user, session_id=one.session)
    one.turn(sent, metadata={"note": " x\0y "})
    seen = two.get("user_message")
    assert seen["content"] == kept and seen["metadata"]["note"] == "xy"
    stored = server.user(user).get(f"/sessions/{one.session}").json()["messages"]
    assert stored[2]["content"] == kept
    assert fake.asked(kept)[-1].question == kept


def test_numbers_and_booleans_in_metadata_become_strings(chat, user):
    one = chat(user)
    one.turn("begin")
    two = chat(user, session_id=one.session)
    one.turn("hello", metadata={"n": 5, "t": True, "f": False, "d": 1.5, "s": "x",
                                "long": 12345678901234567890})
    metadata = two.get("user_message")["metadata"]
    assert metadata["n"] == "5" and metadata["t"] == "true" and metadata["f"] == "false"
    assert metadata["d"] == "1.5" and metadata["s"] == "x"
    assert metadata["long"] == "12345678901234567890"


def test_metadata_keys_are_sanitised_too(chat, user):
    """2.3: NUL removed, surrounding white space trimmed, in metadata."""
    one = chat(user)
    one.turn("begin")
    two = chat(user, session_id=one.session)
    one.turn("hello", metadata={" a\0b ": "\0x ", "c": "d"})
    assert two.get("user_message")["metadata"] == {"ab": "x", "c": "d"}


def test_ids_are_trimmed(chat):
    one = chat()
    one.turn("begin")
    turn = one.turn("hello", session_id=f" {one.session} ", client_id=" c-1 ")
    assert turn.ack["client_id"] == "c-1"


def test_a_validation_failure_is_logged_without_content(chat, server):
    """Req 7.4."""
    one = chat()
    marker = "very-private-words-7c1"
    before = len(server.logged("validation_failed"))
    refused(one, say(marker, sender="ai"))
    refused(one, say(marker + "x" * 20_000))
    refused(one, '{"type":"user_message","content":"' + marker)
    wait_for(lambda: len(server.logged("validation_failed")) >= before + 3, 5,
             "three lines in the log")
    lines = server.logged("validation_failed")[before:]
    assert "sender" in json.dumps(lines[0]) and "user_message" in json.dumps(lines[0])
    assert "content" in json.dumps(lines[1])
    assert marker not in server.log_text()


def test_errors_are_counted(chat, server):
    one = chat()
    before = server.metric("chatbox_message_errors_total")
    refused(one, "nonsense")
    assert server.metric("chatbox_message_errors_total") >= before + 1


def test_a_hundred_errors_do_not_close_the_connection(chat):
    one = chat()
    for _ in range(100):
        one.send_text("nonsense")
    answers = one.quiet()
    assert [a["type"] for a in answers] == ["error"] * 100


def test_two_bad_frames_in_one_write_give_two_errors_in_order(raw):
    ws = raw()
    ws.send(encode(TEXT, "{}") + encode(TEXT, "[") + encode(TEXT, '{"type":"ping"}'))
    assert ws.json()["error"]["code"] == "MISSING_FIELD"
    assert ws.json()["error"]["code"] == FORMAT
    assert ws.json()["type"] == "pong"


def test_the_length_of_content_is_a_setting(spawn, fake, connect):
    from support.server import provider_env
    server = spawn({**provider_env(fake), "MAX_CONTENT_LENGTH": "5"})
    one = connect(server)
    assert one.turn("ü" * 5).finish == "stop"
    assert refused(one, say("ü" * 6))["field"] == "content"
