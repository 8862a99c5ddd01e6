# SPDX-License-Identifier: MIT
"""RFC 6455 sections 5 to 7, each rule broken once and kept once."""

import json

import pytest

from support.ws import (BINARY, CLOSE, CONTINUE, PING, PONG, TEXT, RawWs,
                        close_payload, encode)

SETTINGS = {"MAX_MESSAGE_SIZE": "64KiB"}
LIMIT = 64 * 1024
HELLO = json.dumps({"type": "ping"})


def parts(*frames):
    """The bytes of frames, each (opcode, payload, {…})."""
    return b"".join(encode(f[0], f[1], **(f[2] if len(f) > 2 else {})) for f in frames)


def text_of(size):
    """A valid ping message of exactly so many bytes."""
    empty = len(json.dumps({"type": "ping", "pad": ""}))
    return json.dumps({"type": "ping", "pad": "x" * (size - empty)})


OPEN = {"fin": False}
PROTOCOL = [
    ("text without a mask", parts((TEXT, HELLO, {"mask": False}))),
    ("ping without a mask", parts((PING, "", {"mask": False}))),
    ("close without a mask", parts((CLOSE, "", {"mask": False}))),
    *[(f"reserved bit {bit} on text", parts((TEXT, HELLO, {"rsv": bit})))
      for bit in (1, 2, 4)],
    ("reserved bit on ping", parts((PING, "", {"rsv": 4}))),
    ("reserved bit on a continuation",
     parts((TEXT, HELLO[:3], OPEN), (CONTINUE, HELLO[3:], {"rsv": 4}))),
    *[(f"reserved opcode {code:X}", parts((code, "")))
      for code in (3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF)],
    ("fragmented ping", parts((PING, "", OPEN))),
    ("fragmented pong", parts((PONG, "", OPEN))),
    ("fragmented close", parts((CLOSE, "", OPEN))),
    ("ping of 126 bytes", parts((PING, "x" * 126))),
    ("pong of 126 bytes", parts((PONG, "x" * 126))),
    ("close of 126 bytes", parts((CLOSE, b"\x03\xe8" + b"x" * 124))),
    ("ping with a 64 bit length", parts((PING, "x", {"form": 64}))),
    ("continuation of nothing", parts((CONTINUE, HELLO))),
    ("last continuation of nothing", parts((CONTINUE, ""))),
    ("continuation after the end",
     parts((TEXT, HELLO[:3], OPEN), (CONTINUE, HELLO[3:]), (CONTINUE, "x"))),
    ("text inside a fragmented text", parts((TEXT, HELLO[:3], OPEN), (TEXT, HELLO))),
    ("16 bit length for 125 bytes", parts((TEXT, "x" * 125, {"form": 16}))),
    ("16 bit length for nothing", parts((TEXT, "", {"form": 16}))),
    ("64 bit length for 126 bytes", parts((TEXT, "x" * 126, {"form": 64}))),
    ("64 bit length for 65535 bytes", parts((TEXT, "x" * 65535, {"form": 64}))),
    ("length with the highest bit",
     parts((TEXT, "", {"form": 64, "length": 1 << 63}))),
    ("close of one byte", parts((CLOSE, b"\x03"))),
    *[(f"close code {code}", parts((CLOSE, close_payload(code))))
      for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)],
]


@pytest.mark.parametrize("data", [pytest.param(d, id=n) for n, d in PROTOCOL])
def test_a_broken_rule_of_the_protocol_closes_with_1002(raw, data):
    ws = raw()
    ws.send_slack(data)
    assert ws.close_code() == 1002


@pytest.mark.parametrize("data", [
    pytest.param(d, id=n) for n, d in PROTOCOL if "close" not in n][::7])
def test_a_broken_rule_is_found_byte_by_byte_too(raw, data):
    ws = raw()
    for at in range(len(data)):
        ws.send_slack(data[at:at + 1])
    assert ws.close_code() == 1002


@pytest.mark.parametrize("data", [
    parts((BINARY, b"\0\1")), parts((BINARY, b"")), parts((BINARY, b"x", OPEN)),
    parts((BINARY, HELLO))], ids=["bytes", "empty", "first fragment", "json"])
def test_binary_is_refused_with_1003(raw, data):
    ws = raw()
    ws.send_slack(data)
    assert ws.close_code() == 1003


UTF8 = [
    ("lone continuation", b"\x80"), ("lone lead", b"a\xc3"), ("0xff", b"\xff"),
    ("0xfe", b"\xfe"), ("overlong slash", b"\xc0\xaf"), ("overlong NUL", b"\xe0\x80\x80"),
    ("overlong of four", b"\xf0\x80\x80\x80"), ("surrogate", b"\xed\xa0\x80"),
    ("surrogate pair", b"\xed\xa0\xbd\xed\xb8\x80"), ("over the last", b"\xf4\x90\x80\x80"),
    ("five bytes", b"\xf8\x88\x80\x80\x80"), ("cut inside", b"\xe2\x82"),
    ("lead then letter", b"\xe2\x82a"), ("in a JSON text", b'{"type":"\xe4"}')]


@pytest.mark.parametrize("data", [pytest.param(d, id=n) for n, d in UTF8])
def test_invalid_utf8_closes_with_1007(raw, data):
    ws = raw()
    ws.frame(TEXT, data)
    assert ws.close_code() == 1007


@pytest.mark.parametrize("data", [pytest.param(d, id=n) for n, d in UTF8])
def test_invalid_utf8_over_fragments_closes_with_1007(raw, data):
    ws = raw()
    ws.frame(TEXT, "ok ", fin=False)
    for at in range(len(data)):
        ws.frame(CONTINUE, data[at:at + 1], fin=False)
    ws.frame(CONTINUE, b"")
    assert ws.close_code() == 1007


def test_invalid_utf8_is_found_before_the_message_ends(raw):
    ws = raw()
    ws.frame(TEXT, b"begin \xff and then", fin=False)
    assert ws.close_code() == 1007


def test_invalid_utf8_is_found_before_the_frame_ends(raw):
    ws = raw()
    whole = encode(TEXT, b"\xff" + b"x" * 4000)
    ws.send(whole[:200])
    assert ws.close_code() in (1007,)


def test_a_close_reason_in_invalid_utf8_is_refused(raw):
    ws = raw()
    ws.frame(CLOSE, close_payload(1000, b"\xff"))
    assert ws.close_code() in (1002, 1007)


# --- limits

def test_a_message_at_the_limit_is_taken(raw):
    ws = raw()
    ws.text(text_of(LIMIT))
    assert ws.json()["type"] == "pong"


@pytest.mark.parametrize("length", [LIMIT + 1, 1 << 31, 1 << 32, (1 << 63) - 1])
def test_a_declared_length_over_the_limit_is_1009_at_once(raw, length):
    ws = raw()
    ws.send(encode(TEXT, b"", form=64, length=length))
    assert ws.close_code() == 1009


def test_fragments_over_the_limit_together_are_1009(raw):
    ws = raw()
    half = "x" * (LIMIT // 2)
    ws.frame(TEXT, half, fin=False)
    ws.frame(CONTINUE, half, fin=False)
    ws.frame(CONTINUE, "x", fin=False)
    assert ws.close_code() == 1009


def fragments(count, size=0):
    """A ping message in exactly `count` fragments, most of them empty."""
    body = [encode(TEXT, HELLO, fin=False)]
    body += [encode(CONTINUE, "", fin=False)] * (count - 2)
    body.append(encode(CONTINUE, ""))
    return b"".join(body)


def test_4096_fragments_are_taken(raw):
    ws = raw()
    ws.send(fragments(4096))
    assert ws.json()["type"] == "pong"


def test_4097_fragments_are_1008(raw):
    ws = raw()
    ws.send_slack(fragments(4097))
    assert ws.close_code() == 1008


def test_endless_empty_fragments_are_1008(raw):
    ws = raw()
    ws.frame(TEXT, "", fin=False)
    ws.send_slack(encode(CONTINUE, "", fin=False) * 131_000)
    assert ws.close_code() == 1008


# --- what must work

def test_a_message_may_come_in_fragments_with_control_frames_between(raw):
    ws = raw()
    ws.frame(TEXT, HELLO[:4], fin=False)
    ws.frame(PING, "between")
    assert ws.read_frame() == (PONG, b"between")
    ws.frame(CONTINUE, "", fin=False)
    ws.frame(PONG, "nobody asked")
    ws.frame(CONTINUE, HELLO[4:])
    assert ws.json()["type"] == "pong"


def test_a_character_may_be_cut_by_fragments(raw):
    ws = raw()
    data = json.dumps({"type": "ping", "x": "ä€😀"}, ensure_ascii=False).encode()
    ws.frame(TEXT, data[:1], fin=False)
    for at in range(1, len(data)):
        ws.frame(CONTINUE, data[at:at + 1], fin=False)
    ws.frame(CONTINUE, "")
    assert ws.json()["type"] == "pong"


def test_everything_may_come_byte_by_byte(raw):
    ws = raw()
    data = encode(TEXT, text_of(130)) + encode(PING, "p")
    for at in range(len(data)):
        ws.send(data[at:at + 1])
    assert ws.json()["type"] == "pong"
    assert ws.read_frame() == (PONG, b"p")


def test_many_frames_may_come_in_one_write(raw):
    ws = raw()
    ws.send(encode(TEXT, HELLO) * 50 + encode(PING, "end"))
    assert [ws.json()["type"] for _ in range(50)] == ["pong"] * 50
    assert ws.read_frame() == (PONG, b"end")


def test_frames_right_behind_the_handshake_are_not_lost(server):
    for _ in range(8):
        with RawWs(server, early=encode(TEXT, HELLO) + encode(PING, "x")) as ws:
            assert ws.json()["type"] == "pong"
            assert ws.read_frame() == (PONG, b"x")


@pytest.mark.parametrize("payload", [b"", b"x", b"\xff\x00\xfe", b"y" * 125])
def test_a_ping_is_answered_with_its_own_payload(raw, payload):
    ws = raw()
    ws.frame(PING, payload)
    assert ws.read_frame() == (PONG, payload)


def test_a_pong_that_nobody_asked_for_is_ignored(raw):
    ws = raw()
    ws.frame(PONG, "hello")
    assert ws.pong() == []


@pytest.mark.parametrize("key", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\1\2\3\4"])
def test_any_masking_key_is_right(raw, key):
    ws = raw()
    ws.frame(TEXT, HELLO, key=key)
    assert ws.json()["type"] == "pong"


@pytest.mark.parametrize("size", [30, 125, 126, 127, 65535, 65536])
def test_every_form_of_length_is_read(raw, size):
    ws = raw()
    ws.text(text_of(size))
    assert ws.json()["type"] == "pong"


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011,
                                  3000, 3999, 4000, 4999])
def test_a_close_is_answered_with_its_code(raw, code):
    ws = raw()
    ws.frame(CLOSE, close_payload(code, "Grüße".encode()))
    assert ws.close_code() == code


def test_a_close_with_a_reason_of_123_bytes_is_answered(raw):
    ws = raw()
    ws.frame(CLOSE, close_payload(1000, b"r" * 123))
    assert ws.close_code() == 1000


def test_an_empty_close_is_answered(raw):
    ws = raw()
    ws.frame(CLOSE)
    assert ws.close_code() in (None, 1000)


def test_nothing_after_a_close_is_heard(raw, server, user):
    ws = raw(user)
    ws.send(encode(CLOSE, close_payload(1000))
            + encode(TEXT, json.dumps({"type": "user_message", "content": "late"})))
    assert ws.close_code() == 1000
    assert server.user(user).get("/sessions").json()["count"] == 0


def test_the_server_ends_the_tcp_connection_after_a_failure(raw):
    ws = raw()
    ws.frame(3)
    assert ws.close_code() == 1002
    assert ws.closed_by_peer()


def test_other_connections_do_not_notice(raw):
    good, bad = raw(), raw()
    bad.frame(TEXT, b"\xff")
    assert bad.close_code() == 1007
    good.text(HELLO)
    assert good.json()["type"] == "pong"
