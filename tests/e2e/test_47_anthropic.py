# SPDX-License-Identifier: MIT
"""The provider `anthropic`: a turn, its ends, and what the service may do to it."""

import json

import pytest

from support.answer import Answer, plain
from support.cuts import chunked, cut_everywhere, stored
from support.messages import Message, event, message, refusal
from support.reloadable import Reloadable
from support.server import API_KEY, provider_env
from support.waiting import wait_for

TEXTS = ("Grüße ", "€", "😀", " und ", "Ende")


def anthropic_env(fake, n=1, **more):
    return provider_env(fake, n, **{"TYPE": "anthropic", "ENDPOINT": fake.base, **more})


def SETTINGS(fake):  # noqa: N802 (the fixture's name)
    return {**anthropic_env(fake), "LLM_FIRST_BYTE_TIMEOUT": "2s",
            "LLM_IDLE_TIMEOUT": "2s", "LLM_STREAM_TIMEOUT": "30s"}


def test_a_turn_is_streamed_and_stored(chat, server, fake, question):
    fake.when(question, Message().start().ping().thinking("Hm").open_block(
        type="text", text="").tokens("Hel").gate(question).tokens("lo").close_block()
        .finish("end_turn", (20, 9)))
    one = chat()
    one.say(question)
    first = one.until(lambda f: f["type"] == "ai_response")[-1]
    assert first["content"] == "Hel", "shown before the rest is there"
    fake.open(question)
    turn = one.rest_of_turn()
    assert turn.text == "lo" and turn.finish == "stop"
    usage = {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29}
    assert turn.end["usage"] == usage
    answer = stored(server, one)[1]
    assert answer["content"] == "Hello" and answer["usage"] == usage
    assert answer["status"] == "complete" and answer["model_id"] == "fake"


def test_cancel_closes_the_request(chat, fake, question):
    fake.when(question, Message().start().open_block(type="text", text="").tokens("Hel")
              .silence())
    one = chat()
    one.say(question)
    one.until(lambda f: f.get("content") == "Hel")
    one.send({"type": "cancel"})
    assert one.rest_of_turn().finish == "cancelled"
    assert fake.wait_asked(question).closed.wait(5)


WIRE = chunked(event("message_start", message={"usage": {"input_tokens": 1,
                                                         "output_tokens": 1}}),
               *(delta := [event("content_block_delta", index=0,
                                 delta={"type": "text_delta", "text": text})
                           for text in TEXTS]),
               reason := event("message_delta", delta={"stop_reason": "end_turn"},
                               usage={"output_tokens": 15}),
               event("message_stop"))
WIRE = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n" + WIRE)


def at_end(piece):
    return WIRE.index(piece) + len(piece)


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_stream_cut_at_fifty_offsets_ends_once_and_as_it_is(chat, server, fake, question,
                                                             how):
    one = chat()
    texts = [(text, at_end(piece)) for text, piece in zip(TEXTS, delta)]
    ends = cut_everywhere(server, fake, one, question, how, WIRE, texts, at_end(reason))
    assert {"LLM_UNAVAILABLE", "interrupted", "stop"} == ends
    fake.when(f"{question} last", message("fine"))
    assert one.turn(f"{question} last", client_id="last").finish == "stop"
    assert API_KEY not in server.log_text()


# --- before any text: (name, script, requests, the word in the log)

BEFORE_TEXT = [
    ("529", lambda: refusal(529, "overloaded_error"), 3, "overloaded_error"),
    ("500", lambda: refusal(500, "api_error"), 3, "api_error"),
    ("429", lambda: refusal(429, "rate_limit_error"), 3, "rate_limit_error"),
    ("400", lambda: refusal(400, "invalid_request_error", API_KEY), 1,
     "invalid_request_error"),
    ("401", lambda: refusal(401, "authentication_error", API_KEY), 1,
     "authentication_error"),
    ("404", lambda: refusal(404, "not_found_error"), 1, "not_found_error"),
    ("413", lambda: refusal(413, "request_too_large"), 1, "request_too_large"),
    ("an error with 200", lambda: refusal(200, "invalid_request_error"), 1,
     "invalid_request_error"),
    ("an event of overload", lambda: Message().error_event(), 3, "overloaded_error"),
    ("that after the start", lambda: Message().start().ping().error_event(), 3,
     "overloaded_error"),
    ("an event of refusal", lambda: Message().error_event(kind="permission_error"), 1,
     "permission_error"),
    ("thinking, then the end", lambda: Message().start().thinking("Hm").fin(), 3, None),
]


@pytest.mark.parametrize("make,requests,word", [pytest.param(*r, id=n)
                                                for n, *r in BEFORE_TEXT])
def test_a_failure_before_text_is_one_error(chat, server, fake, question, make, requests,
                                            word):
    fake.when(question, make())
    one = chat()
    turn = one.turn(question, client_id="c")
    assert turn.error["code"] == "LLM_UNAVAILABLE" and turn.deltas == []
    assert len(fake.asked(question)) == requests
    assert one.quiet() == [], "exactly one end"
    assert [m["sender"] for m in stored(server, one)] == ["user"]
    assert API_KEY not in json.dumps(turn.frames)
    assert API_KEY not in server.log_text()
    if word:
        wait_for(lambda: len(server.logged("llm_error", session_id=one.session, reason=word))
                 == requests, 5, "a line of each attempt in the log")


@pytest.mark.parametrize("make", [
    lambda: Message().silence_before_head(), lambda: Message().start().ping().silence(),
    lambda: Message().start().thinking("Hm").silence()],
    ids=["before the head", "after the start", "after thinking"])
def test_silence_before_text_is_a_timeout(chat, server, fake, question, make):
    """Req 8.1, 8.2, 8.4, 8.5. Property 4, 5."""
    fake.when(question, make())
    one = chat()
    turn = one.turn(question, timeout=20)
    assert turn.error["code"] == "LLM_TIMEOUT" and turn.deltas == []
    assert len(server.wait_log("llm_timeout", session_id=one.session)) == 1
    assert fake.asked(question)[0].closed.wait(5), "the upstream connection is closed"
    assert len(fake.asked(question)) == 1, "a time limit is not asked again"
    assert [m["sender"] for m in stored(server, one)] == ["user"]


def test_silence_after_text_keeps_the_text(chat, server, fake, question):
    """Req 8.2."""
    fake.when(question, Message().start().open_block(type="text", text="").tokens("Hel")
              .silence())
    one = chat()
    turn = one.turn(question, timeout=20)
    assert turn.text == "Hel" and turn.finish == "timeout"
    assert stored(server, one)[1]["status"] == "interrupted"


def test_overload_that_passes_is_invisible(chat, fake, question):
    fake.when(question, refusal(529, "overloaded_error"),
              Message().start().error_event(), message("fine"))
    turn = chat().turn(question)
    assert turn.text == "fine" and turn.finish == "stop"
    assert len(fake.asked(question)) == 3


def test_an_error_after_text_is_not_asked_again(chat, server, fake, question):
    fake.when(question, Message().start().text("Hel").error_event())
    one = chat()
    turn = one.turn(question)
    assert turn.text == "Hel" and turn.finish == "provider_error"
    assert len(fake.asked(question)) == 1
    assert stored(server, one)[1]["status"] == "interrupted"


def test_retry_after_is_told(spawn, connect, fake, question):
    server = spawn(anthropic_env(fake))
    fake.when(question, refusal(529, "overloaded_error", Retry_After="7"))
    error = connect(server).turn(question).error
    assert error["recoverable"] and 6000 <= error["retry_after"] <= 7000


def test_an_openai_provider_is_the_fallback_of_an_anthropic_one(spawn, connect, fake,
                                                                question):
    server = spawn({**anthropic_env(fake, 1, ID="a", NAME="A", FALLBACK="b"),
                    **provider_env(fake, 2, ID="b", NAME="B"), "LLM_RETRY_ATTEMPTS": "1"})
    fake.when(question, refusal(529, "overloaded_error"), plain("from b"))
    assert connect(server).turn(question).text == "from b"
    assert [r.path for r in fake.asked(question)] == ["/v1/messages",
                                                      "/v1/chat/completions"]


def test_parameters_are_read_again_and_a_running_answer_ends_as_it_began(
        spawn, connect, fake, question, tmp_path):
    entry = {"id": "m", "name": "M", "type": "anthropic", "endpoint": fake.base,
             "api_key": API_KEY, "model": "fake-1"}
    served = Reloadable(spawn, fake, tmp_path / "c.yaml", {"llm": {"providers": [entry]}})
    fake.when(f"{question} 1", Message().start().open_block(type="text", text="")
              .tokens("a").gate(question).tokens("b").close_block().finish())
    fake.when(f"{question} 2", message("c"))
    one = connect(served.server)
    one.say(f"{question} 1")
    one.until(lambda f: f.get("content") == "a")
    served.with_(llm={"providers": [{**entry, "temperature": 0.25, "max_tokens": 99,
                                     "extra_body": {"top_k": 3}}]})
    fake.open(question)
    assert one.rest_of_turn().finish == "stop"
    assert one.turn(f"{question} 2").text == "c"
    before, after = (fake.wait_asked(f"{question} {n}").json for n in (1, 2))
    assert before["max_tokens"] == 4096 and "temperature" not in before
    assert (after["temperature"], after["max_tokens"], after["top_k"]) == (0.25, 99, 3)
    changed = served.server.log_text()
    assert "llm.providers[1].extra_body" in changed


def test_odd_events_are_skipped_and_counted(chat, server, fake, question):
    def bad():
        return server.metric("chatbox_llm_bad_events_total")

    before = bad()
    fake.when(question, Message().start().raw(b"data: {\"type\"\n\n").text("x")
              .raw(event("something_new", text="no")).delta(type="sound", text="no")
              .finish())
    assert chat().turn(question).text == "x"
    wait_for(lambda: bad() == before + 1, 5, "the malformed one is counted")


def test_a_page_is_not_an_answer(chat, fake, question):
    fake.when(question, Answer(content_type="text/html", framing="length")
              .raw("<html>Bad gateway</html>"))
    assert chat().turn(question).error["code"] == "LLM_UNAVAILABLE"
