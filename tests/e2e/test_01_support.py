# SPDX-License-Identifier: MIT
"""The suite's own tools, tested before they judge anybody."""

import json
import os

import httpx
import jwt
import pytest

from support.answer import Answer, failure, plain
from support.output import Output
from support.tokens import SECRET, claims, forge, token
from support.waiting import wait_for
from support.ws import CLOSE, TEXT, Turn, close_payload, encode, is_end


def ask(fake, question, **kwargs):
    body = {"model": "m", "stream": True,
            "messages": [{"role": "user", "content": question}]}
    return httpx.post(f"{fake.endpoint}/chat/completions", json=body,
                      trust_env=False, timeout=5, **kwargs)


def contents(text):
    deltas = []
    for line in text.replace("\r\n", "\n").split("\n\n"):
        if line.startswith("data: {"):
            for choice in json.loads(line[6:])["choices"]:
                deltas.append(choice["delta"].get("content", ""))
    return "".join(deltas)


def test_the_fake_streams_its_script_and_records_the_request(fake, question):
    fake.when(question, plain("a", "ü", usage=(3, 2)))
    answer = ask(fake, question, headers={"X-Probe": "1"})
    assert contents(answer.text) == "aü"
    assert answer.text.endswith("data: [DONE]\n\n")
    seen = fake.wait_asked(question)
    assert seen.headers["x-probe"] == "1" and seen.path == "/v1/chat/completions"
    assert seen.pairs == [("user", question)]
    assert seen.answered.wait(5) and not seen.gone_early


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_the_fake_frames_the_body_as_asked(fake, question, framing):
    fake.when(question, Answer(framing=framing).tokens("x", "y").finish())
    answer = ask(fake, question)
    assert contents(answer.text) == "xy"
    header = {"chunked": "transfer-encoding", "length": "content-length",
              "close": "connection"}[framing]
    assert header in answer.headers


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("offset", [0, 1, 40, 200])
def test_the_fake_cuts_at_any_byte(fake, question, how, offset):
    whole = plain("Grüße", " an", " alle").body()
    fake.when(question, plain("Grüße", " an", " alle").cut(offset, how))
    got = b""
    with pytest.raises(httpx.TransportError):
        with httpx.stream("POST", f"{fake.endpoint}/chat/completions",
                          json={"messages": [{"content": question}]},
                          trust_env=False) as answer:
            for part in answer.iter_raw():
                got += part
    assert whole[:offset].startswith(got)
    assert how == "rst" or got == whole[:offset]


def test_the_fake_waits_at_a_gate_and_notices_the_peer_leaving(fake, question):
    fake.when(question, Answer().tokens("one").gate("never"))
    with pytest.raises(httpx.ReadTimeout):
        with httpx.stream("POST", f"{fake.endpoint}/chat/completions", timeout=0.2,
                          json={"messages": [{"content": question}]},
                          trust_env=False) as answer:
            for _ in answer.iter_raw():
                pass
    seen = fake.wait_asked(question)
    assert seen.closed.wait(5) and seen.gone_early


def test_the_fake_takes_successive_answers_and_keeps_the_last(fake, question):
    fake.when(question, failure(500, "no"), failure(429, "slow", Retry_After="7"),
              plain("ok"))
    assert ask(fake, question).status_code == 500
    assert ask(fake, question).headers["retry-after"] == "7"
    assert contents(ask(fake, question).text) == "ok"
    assert contents(ask(fake, question).text) == "ok"


def test_the_fake_writes_byte_by_byte_and_with_crlf(fake, question):
    fake.when(question, plain("äöü").crlf().bytewise())
    text = ask(fake, question).text
    assert contents(text) == "äöü" and "\r\n\r\n" in text


def test_forge_makes_what_pyjwt_accepts_and_refuses():
    good = forge(claims("u"))
    assert jwt.decode(good, SECRET, algorithms=["HS256"])["user_id"] == "u"
    assert jwt.decode(token("u"), SECRET, algorithms=["HS256"])["user_id"] == "u"
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(forge(claims("u"), key="other" * 8), SECRET, algorithms=["HS256"])


def test_frames_are_encoded_as_rfc_6455_shows():
    hello = encode(TEXT, "Hello", key=bytes.fromhex("37fa213d"))
    assert hello.hex() == "818537fa213d7f9f4d5158"
    assert encode(TEXT, "Hello", mask=False).hex() == "810548656c6c6f"
    assert encode(TEXT, b"x" * 256, mask=False)[:4].hex() == "817e0100"
    assert encode(TEXT, b"x" * 65536, mask=False)[:10].hex() == "817f0000000000010000"
    assert close_payload(1000, b"bye") == b"\x03\xe8bye"
    assert encode(CLOSE, mask=False) == b"\x88\x00"


def test_a_turn_is_read_from_its_frames():
    delta = {"type": "ai_response", "content": "a", "metadata": {"done": "false"}}
    end = {"type": "ai_response", "metadata": {"done": "true"}, "seq": 2,
           "finish_reason": "stop"}
    turn = Turn([{"type": "ack"}, {"type": "loading"}, delta, delta, end])
    assert turn.text == "aa" and turn.finish == "stop" and turn.seq == 2
    assert is_end({"type": "error"}) and not is_end(delta)


# --- what a process writes

@pytest.fixture
def pipe():
    """(What it writes to, what is seen of it.)"""
    there, here = os.pipe()
    output = Output(open(there, "rb"))  # noqa: SIM115 (closed at the end of the pipe)
    with open(here, "wb", buffering=0) as written:
        yield written, output
    output.join()


def test_a_line_is_seen_as_soon_as_it_is_written(pipe):
    """No thread has to come first."""
    written, output = pipe
    for n in range(2000):
        written.write(b"line %d\n" % n)
        assert output.lines[-1] == f"line {n}"
    assert len(output.lines) == 2000


def test_lines_are_put_together_from_pieces(pipe):
    written, output = pipe
    for byte in "a ü\n\nbroken \xff".encode():
        written.write(bytes([byte]))
        output.lines  # noqa: B018 (it reads)
    written.write(b"\xff")
    assert output.lines == ["a ü", ""]
    written.close()
    output.join()
    assert output.lines == ["a ü", "", "broken ÿ\\xff"]


def test_who_writes_more_than_a_pipe_holds_is_not_held_up(pipe):
    written, output = pipe
    for _ in range(100):
        written.write(b"x" * 99_999 + b"\n")
    assert wait_for(lambda: output.lines == ["x" * 99_999] * 100, 10, "all of it")
