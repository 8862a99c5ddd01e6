# SPDX-License-Identifier: MIT
"""What a provider may do to a stream, byte by byte on the wire: cuts at fifty
offsets, bytes that drip, odd framing. Never "complete" before the finish
reason, never an end too many, never a secret, and the next question is served."""

import os

import pytest

from support.answer import Answer, chunk, event
from support.cuts import chunked, cut_everywhere, judge, raw
from support.server import API_KEY, provider_env
from support.waiting import PATIENCE, wait_for
from support.ws import RawWs, is_end

SETTINGS = {"LLM_FIRST_BYTE_TIMEOUT": "2s", "LLM_IDLE_TIMEOUT": "2s",
            "LLM_STREAM_TIMEOUT": "30s", "LLM_RETRY_ATTEMPTS": "3"}
TEXTS = ("Grüße ", "€", "😀", " und ", "Ende")
WHOLE = "".join(TEXTS)
SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
EVENTS = [event(chunk({"content": text})) for text in TEXTS]
FINISH = event(chunk(finish="stop"))
DONE = b"data: [DONE]\n\n"
WIRE = SSE + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(*EVENTS, FINISH, DONE)


def at_end(piece):
    return WIRE.index(piece) + len(piece)


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_stream_cut_at_fifty_offsets_ends_once_and_as_it_is(chat, server, fake, question,
                                                             how):
    one = chat()
    texts = [(text, at_end(piece)) for text, piece in zip(TEXTS, EVENTS)]
    ends = cut_everywhere(server, fake, one, question, how, WIRE, texts, at_end(FINISH))
    assert {"LLM_UNAVAILABLE", "interrupted", "stop"} == ends
    assert one.turn("and now?", client_id="last").finish == "stop"
    assert API_KEY not in server.log_text()


@pytest.mark.parametrize("begin,finish", [
    (b"", "LLM_TIMEOUT"), (SSE, "LLM_TIMEOUT"), (WIRE[:WIRE.index(EVENTS[1])], "timeout")],
    ids=["in the head", "in a header", "after text"])
def test_bytes_that_drip_do_not_hold_a_turn_for_ever(spawn, connect, fake, question, begin,
                                                     finish):
    """A byte now and then is no silence; the whole has its limit all the same."""
    server = spawn({**provider_env(fake), "LLM_FIRST_BYTE_TIMEOUT": "2500ms",
                    "LLM_IDLE_TIMEOUT": "1500ms", "LLM_STREAM_TIMEOUT": "2500ms"})
    answer = raw(begin)
    drip = b"1" if b"\r\n\r\n" in begin else b"HTTP/1.1 200 " if not begin else b"X"
    answer.steps += [("bytes", drip), ("trickle", b"0", 0.3)]
    fake.when(question, answer)
    one = connect(server)
    turn = one.turn(question, client_id="c", timeout=20)
    assert judge(server, one, turn, fake.asked(question), WHOLE) == finish
    assert len(fake.asked(question)) == 1
    assert fake.asked(question)[0].closed.wait(10), "the upstream connection is closed"
    assert server.wait_log("llm_timeout", session_id=one.session)
    assert one.turn("and now?", client_id="d").finish == "stop"


BODY = b"".join(EVENTS) + FINISH + DONE
LENGTH = b"Content-Length: %d\r\n\r\n" % len(BODY)
ODD = [  # name, wire, then "fin" or nothing, the finish reason
    ("extensions and trailers", SSE + b"Transfer-Encoding: chunked\r\n\r\n"
     + b"%x;a=b\r\n%s\r\n0\r\nX: y\r\n\r\n" % (len(BODY), BODY), "", "stop"),
    ("both framings", SSE + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
     + chunked(BODY), "", "stop"),
    ("interim answers", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nA: b\r\n\r\n"
     + SSE + LENGTH + BODY, "", "stop"),
    ("no reason", SSE.replace(b" OK", b"") + LENGTH + BODY, "", "stop"),
    ("HTTP/1.0 without a length", SSE.replace(b"1.1", b"1.0") + b"\r\n" + BODY, "fin",
     "stop"),
    ("close announced in mid-answer", SSE + b"Connection: close\r\n" + LENGTH + BODY[:400],
     "fin", "interrupted"),
    ("a second answer behind the first", SSE + LENGTH + BODY + SSE + LENGTH + BODY, "",
     "stop"),
    ("garbage behind the first", SSE + LENGTH + BODY + b"\0\xff garbage\r\n\r\n" * 100, "",
     "stop"),
    ("another protocol", b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + BODY, "fin",
     "LLM_UNAVAILABLE"),
    ("no content with a body", SSE.replace(b"200 OK", b"204 x") + LENGTH + BODY, "fin",
     "LLM_UNAVAILABLE"),
    ("a redirection", b"HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:1/\r\n"
     b"Content-Length: 0\r\n\r\n", "", "LLM_UNAVAILABLE"),
    ("two lengths", SSE + b"Content-Length: 5\r\n" + LENGTH + BODY, "fin",
     "LLM_UNAVAILABLE"),
    ("a folded line", SSE + b" folded\r\n" + LENGTH + BODY, "fin", "LLM_UNAVAILABLE"),
    ("an unknown coding", SSE + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunked(BODY),
     "fin", "LLM_UNAVAILABLE"),
    ("a hundred thousand headers", SSE + b"A: b\r\n" * 100_000 + LENGTH + BODY, "fin",
     "LLM_UNAVAILABLE"),
    ("a header of a megabyte", SSE + b"A: " + b"b" * 1_000_000 + b"\r\n" + LENGTH + BODY,
     "fin", "LLM_UNAVAILABLE"),
    ("a wrong chunk after text", SSE + b"Transfer-Encoding: chunked\r\n\r\n"
     + b"%x\r\n%s\r\nxyz\r\n" % (len(EVENTS[0]), EVENTS[0]), "fin", "interrupted"),
]


@pytest.mark.parametrize("wire,then,end", [pytest.param(w, t, e, id=n)
                                           for n, w, t, e in ODD])
def test_odd_answers_are_whole_or_not_but_never_both(chat, server, fake, question, wire,
                                                     then, end):
    answer = raw(wire)
    fake.when(question, answer.fin() if then == "fin" else answer)
    one = chat()
    before = server.memory()
    turn = one.turn(question, client_id="c")
    assert judge(server, one, turn, fake.asked(question), WHOLE) == end
    if end == "stop":
        assert turn.text == WHOLE
    assert server.memory() - before < 20_000_000
    for n in range(3):  # (also on connections that were kept)
        assert one.turn(f"{question} {n}", client_id=f"d-{n}").finish == "stop"


@pytest.mark.timeout(180 * PATIENCE)
def test_ten_thousand_tokens_a_second_into_a_slow_reader_leave_no_hole(
        spawn, connect, fake, question):
    """The model is faster than any reader, and nobody else takes its text:
    it has to wait, and memory does not grow with what it has to say."""
    sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
    server = spawn({**provider_env(fake), "LLM_MAX_ANSWER_SIZE": "11MiB",
                    "LLM_STREAM_TIMEOUT": "1h", "LLM_IDLE_TIMEOUT": "1h",
                    "WS_PING_PERIOD": "9m", "WS_PONG_WAIT": "10m",  # it answers none
                    "ASAN_OPTIONS": sanitizer})  # what is freed is not counted
    words = [f"{n:06d} " + "x" * 500 for n in range(22_000)]  # 11.2 MB of text
    fake.when(question, Answer().raw(b"".join(
        event(chunk({"content": word})) for word in words)).finish())
    before = server.memory()
    with RawWs(server, rcvbuf=4096, timeout=60) as slow:
        slow.text({"type": "user_message", "content": question})
        fake.wait_asked(question)
        pauses = "chatbox_upstream_pauses_total"
        for _ in range(3):  # a second each, a kilobyte of it
            slow.buffer += slow.sock.recv(1024)
            wait_for(lambda: server.metric(pauses) >= 1, 20, "the model has to wait")
        assert not fake.asked(question)[0].answered.is_set(), "it is not read ahead"
        assert server.memory() - before < 30_000_000  # (of a sanitizer's, too)
        text, chunks, end = [], 0, None
        while end is None:
            frame = slow.json()
            if frame["type"] == "ai_response" and "content" in frame:
                assert frame["chunk"] == chunks, "numbers without a gap"
                chunks += 1
                text.append(frame["content"])
            elif is_end(frame):
                end = frame
        assert end.get("finish_reason") == "stop", end
        assert "".join(text) == "".join(words)
        user, session = slow.user, slow.hello["session_id"]
    kept = server.user(user).get(f"/sessions/{session}").json()["messages"][1]
    assert kept["content"] == "".join(words) and kept["status"] == "complete"
