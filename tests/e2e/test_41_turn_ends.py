# SPDX-License-Identifier: MIT
"""How turns end: every row of the table in protocol.md 2.6, retries, time limits."""

import json
import socket

import pytest

from support.answer import Answer, failure, plain
from support.server import API_KEY, free_port, provider_env
from support.waiting import PATIENCE, wait_for

SETTINGS = {"LLM_FIRST_BYTE_TIMEOUT": f"{PATIENCE:g}s", "LLM_IDLE_TIMEOUT": f"{PATIENCE:g}s",
            "LLM_RETRY_ATTEMPTS": "3"}


def messages(server, chat):
    return server.user(chat.user).get(f"/sessions/{chat.session}").json()["messages"]


def assert_no_answer(server, chat, question):
    """The question is stored, nothing else, and the next turn works."""
    stored = [(m["sender"], m["content"]) for m in messages(server, chat)]
    assert stored == [("user", question)]
    assert chat.turn("and now?").finish == "stop"


# --- after some text: (name, script, finish_reason, stored status)

def text():
    return Answer().tokens("some ", "text")


AFTER_TEXT = [
    ("FIN", lambda: text().fin(), "interrupted"),
    ("end without finish reason", text, "interrupted"),
    ("end of a body of known length",
     lambda: Answer(framing="length").tokens("some ", "text"), "interrupted"),
    ("close of a body without length",
     lambda: Answer(framing="close").tokens("some ", "text"), "interrupted"),
    ("error event", lambda: text().error_event().done(), "provider_error"),
    ("error event and FIN", lambda: text().error_event().fin(), "provider_error"),
    ("silence", lambda: text().silence(), "timeout"),
]


@pytest.mark.parametrize("make,finish", [pytest.param(m, f, id=n)
                                         for n, m, f in AFTER_TEXT])
def test_a_stream_broken_after_text_ends_as_written(chat, server, fake, question, make,
                                                    finish):
    """Req 8.2, 8.5 for silence; never "complete", never asked twice."""
    fake.when(question, make())
    one = chat()
    turn = one.turn(question)
    assert turn.text == "some text" and turn.finish == finish
    answer = messages(server, one)[1]
    assert answer["content"] == "some text" and answer["status"] == "interrupted"
    assert answer["finish_reason"] == finish and answer["seq"] == turn.seq == 2
    assert len(fake.asked(question)) == 1, "no retry after text"
    assert one.quiet() == [], "exactly one end"
    assert one.turn("and now?").finish == "stop"


def test_a_reset_after_text_is_interrupted(chat, server, fake, question):
    fake.when(question, text().gate(question).rst())
    one = chat()
    one.say(question)
    seen = one.until_said("text")
    fake.open(question)
    end = one.rest_of_turn().end
    assert end["finish_reason"] == "interrupted"
    assert "".join(f.get("content", "") for f in seen) == "some text"
    assert messages(server, one)[1]["status"] == "interrupted"


@pytest.mark.parametrize("make", [
    lambda: text().finish("stop", done=False).fin(),
    lambda: text().finish("stop", done=False),
    lambda: text().finish("stop", (1, 2), done=False).fin(),
    lambda: text().finish("stop").silence()],
    ids=["FIN", "end", "FIN after usage", "silence after done"])
def test_a_stream_cut_after_its_finish_reason_is_complete(chat, server, fake, question,
                                                          make):
    fake.when(question, make())
    one = chat()
    turn = one.turn(question)
    assert turn.finish == "stop" and turn.text == "some text"
    assert messages(server, one)[1]["status"] == "complete"


def test_a_reset_after_the_finish_reason_is_complete(chat, server, fake, question):
    fake.when(question, text().finish("stop", done=False).gate(question).rst())
    one = chat()
    one.say(question)
    one.until_said("text")
    wait_for(fake.drained, 5, "the finish reason was read")
    fake.open(question)
    assert one.rest_of_turn().finish == "stop"
    assert messages(server, one)[1]["status"] == "complete"


def test_done_without_a_finish_reason_is_never_an_error(chat, fake, question):
    fake.when(question, text().done())
    turn = chat().turn(question)
    assert turn.text == "some text" and turn.finish in ("stop", "interrupted")


WHOLE = Answer().tokens("Grüße ", "€", "😀", " Ende").finish("stop").body()
FINISH = WHOLE.index(b'"finish_reason": "stop"')


@pytest.mark.parametrize("offset", sorted(
    {*range(180, len(WHOLE), 37), WHOLE.index("ü".encode()) + 1,
     WHOLE.index("€".encode()) + 1, WHOLE.index("€".encode()) + 2,
     WHOLE.index("😀".encode()) + 1, WHOLE.index("😀".encode()) + 3}))
def test_a_stream_cut_at_any_byte_is_never_wrong(chat, server, fake, question, offset):
    fake.when(question, Answer().tokens("Grüße ", "€", "😀", " Ende").finish("stop")
              .cut(offset), failure(500))
    one = chat()
    turn = one.turn(question)
    if turn.error:
        assert turn.error["code"] == "LLM_UNAVAILABLE"
        assert turn.text == ""
        return
    assert "Grüße €😀 Ende".startswith(turn.text) and turn.text
    assert messages(server, one)[1]["content"] == turn.text
    if offset < FINISH:
        assert turn.finish == "interrupted"
    elif offset > WHOLE.index(b"data: [DONE]"):
        assert turn.finish == "stop" and turn.text == "Grüße €😀 Ende"


# --- before any text: (name, script, requests, code)

def html():
    return failure(200, "<html><body>Bad gateway</body></html>", "text/html")


BEFORE_TEXT = [
    ("500", lambda: failure(500, "oops"), 3),
    ("502 in HTML", lambda: failure(502, "<html>", "text/html"), 3),
    ("503", lambda: failure(503), 3),
    ("408", lambda: failure(408), 3),
    ("429", lambda: failure(429), 3),
    ("400", lambda: failure(400, '{"error":{"message":"bad"}}'), 1),
    ("401", lambda: failure(401, '{"error":{"message":"key"}}'), 1),
    ("404", lambda: failure(404), 1),
    ("FIN after the head", lambda: Answer().fin(), 3),
    ("RST after the head", lambda: Answer().rst(), 3),
    ("FIN after an empty delta", lambda: Answer().role().fin(), 3),
    ("HTML with 200", html, None),
    ("an error object with 200", lambda: failure(200, '{"error":{"message":"no"}}'), None),
    ("an error event first", lambda: Answer().error_event().done(), 3),
    ("a redirect", lambda: failure(302, Location="http://127.0.0.1:1/"), None),
    ("an empty 200", lambda: failure(200), None),
]


@pytest.mark.parametrize("make,requests", [pytest.param(m, r, id=n)
                                           for n, m, r in BEFORE_TEXT])
def test_a_failure_before_text_is_one_error(chat, server, fake, question, make, requests):
    fake.when(question, make())
    one = chat()
    turn = one.turn(question, client_id="c")
    assert turn.end["type"] == "error", turn.end
    assert turn.error["code"] == "LLM_UNAVAILABLE"
    assert isinstance(turn.error["recoverable"], bool)
    assert turn.end["session_id"] == one.session
    assert API_KEY not in json.dumps(turn.frames)
    assert turn.deltas == []
    if requests:
        assert len(fake.asked(question)) == requests
    assert one.quiet() == [], "exactly one end"
    assert_no_answer(server, one, question)
    assert API_KEY not in server.log_text()


@pytest.mark.parametrize("make", [lambda: Answer().silence_before_head(),
                                  lambda: Answer().silence(),
                                  lambda: Answer().role().silence()],
                         ids=["before the head", "after the head", "after an empty delta"])
def test_silence_before_text_is_a_timeout(chat, server, fake, question, make):
    """Req 8.1, 8.2, 8.4, 8.5. Property 4, 5."""
    fake.when(question, make())
    one = chat()
    turn = one.turn(question, timeout=20)
    assert turn.end["type"] == "error" and turn.error["code"] == "LLM_TIMEOUT"
    assert len(server.wait_log("llm_timeout", session_id=one.session)) == 1
    assert fake.asked(question)[0].closed.wait(5), "the upstream connection is closed"
    assert len(fake.asked(question)) == 1, "a time limit is not asked again"
    assert_no_answer(server, one, question)


def test_nobody_listening_is_unavailable(spawn, connect, fake, question):
    server = spawn(provider_env(fake, ENDPOINT=f"http://127.0.0.1:{free_port()}/v1"))
    one = connect(server)
    turn = one.turn(question)
    assert turn.error["code"] == "LLM_UNAVAILABLE"
    assert [m["sender"] for m in messages(server, one)] == ["user"]


def test_a_connection_that_is_never_accepted_times_out(spawn, connect, fake, question):
    """Property 4: LLM_CONNECT_TIMEOUT: a listener whose queue is full."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        stuffing = [socket.socket() for _ in range(3)]
        for sock in stuffing:
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
        server = spawn(provider_env(fake, ENDPOINT=f"http://127.0.0.1:{port}/v1")
                       | {"LLM_CONNECT_TIMEOUT": "300ms", "LLM_RETRY_ATTEMPTS": "1"})
        turn = connect(server).turn(question, timeout=8)
        assert turn.error["code"] in ("LLM_TIMEOUT", "LLM_UNAVAILABLE")
        for sock in stuffing:
            sock.close()


# --- retries

@pytest.mark.parametrize("first", [
    lambda: failure(500), lambda: failure(429), lambda: failure(408),
    lambda: Answer().fin(), lambda: Answer().role().rst()],
    ids=["500", "429", "408", "FIN", "RST"])
def test_a_retry_before_text_is_invisible(chat, server, fake, question, first):
    fake.when(question, first(), plain("at last"))
    one = chat()
    turn = one.turn(question)
    assert turn.text == "at last" and turn.finish == "stop"
    assert [f["type"] for f in turn.frames].count("loading") == 1
    assert len(fake.asked(question)) == 2
    assert len(messages(server, one)) == 2
    assert server.logged("llm_retry")


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_kept(spawn, connect, fake, question, status):
    server = spawn(provider_env(fake) | {"LLM_RETRY_MAX_DELAY": "30s"})
    fake.when(question, failure(status, Retry_After="1"), plain("now"))
    assert connect(server).turn(question).text == "now"
    first, second = fake.asked(question)
    assert second.at - first.at >= 0.95


def test_retry_after_of_the_last_refusal_is_told(spawn, connect, fake, question):
    server = spawn(provider_env(fake) | {"LLM_RETRY_ATTEMPTS": "1"})
    fake.when(question, failure(429, Retry_After="7"))
    error = connect(server).turn(question).error
    assert error["code"] == "LLM_UNAVAILABLE" and error["recoverable"] is True
    assert 6000 <= error["retry_after"] <= 7000


def test_the_number_of_attempts_is_a_setting(spawn, connect, fake, question):
    server = spawn(provider_env(fake) | {"LLM_RETRY_ATTEMPTS": "5"})
    fake.when(question, *[failure(500)] * 4, plain("fifth"))
    assert connect(server).turn(question).text == "fifth"
    assert len(fake.asked(question)) == 5


# --- limits of one answer

def test_a_whole_answer_has_a_time_limit(spawn, connect, fake, question):
    """Req 8.1, 8.2, 8.3, Property 4, 5: a setting; the upstream is closed."""
    server = spawn(provider_env(fake) | {"LLM_STREAM_TIMEOUT": "1s"})
    fake.when(question, Answer().trickle("x", 0.1))
    one = connect(server)
    turn = one.turn(question)
    assert turn.finish == "timeout" and set(turn.text) == {"x"}
    assert messages(server, one)[1]["content"] == turn.text
    assert messages(server, one)[1]["status"] == "interrupted"
    assert fake.asked(question)[0].closed.wait(5)
    assert len(server.wait_log("llm_timeout", session_id=one.session)) == 1


def test_a_whole_answer_has_a_size_limit(spawn, connect, fake, question):
    server = spawn(provider_env(fake) | {"LLM_MAX_ANSWER_SIZE": "1KiB"})
    fake.when(question, Answer().trickle("ü" * 50, 0.001))
    one = connect(server)
    turn = one.turn(question)
    assert turn.finish == "length"
    assert 900 <= len(turn.text.encode()) <= 1024
    stored = messages(server, one)[1]
    assert stored["content"] == turn.text and stored["status"] == "complete"
    assert fake.asked(question)[0].closed.wait(5)


def test_a_line_of_ten_megabytes_ends_the_turn_only(chat, server, fake, question):
    fake.when(question, text().raw(b"data: " + b"x" * 10_000_000 + b"\n\n").finish("stop"))
    one = chat()
    before = server.memory()
    turn = one.turn(question, timeout=30)
    assert turn.finish in ("stop", "interrupted", "provider_error")
    assert turn.text == "some text"
    assert server.memory() - before < 20_000_000
    assert one.turn("and now?").finish == "stop"


# --- the endpoint's form

@pytest.mark.parametrize("suffix,path", [
    ("/v1", "/v1/chat/completions"), ("/v1/", "/v1/chat/completions"),
    ("", "/chat/completions"), ("/v1/chat/completions", "/v1/chat/completions"),
    ("/openai/deployments/x?api-version=2024-06",
     "/openai/deployments/x/chat/completions?api-version=2024-06"),
    ("/d/chat/completions?api-version=1&b=2", "/d/chat/completions?api-version=1&b=2")])
def test_the_path_is_appended_unless_it_is_there(spawn, connect, fake, question, suffix,
                                                 path):
    server = spawn(provider_env(fake, ENDPOINT=fake.base + suffix))
    assert connect(server).turn(question).finish == "stop"
    assert fake.asked(question)[0].path == path


def test_no_key_means_no_authorization(spawn, connect, fake, question):
    server = spawn(provider_env(fake, API_KEY=None))
    connect(server).turn(question)
    assert fake.asked(question)[0].headers.get("authorization", "") in ("", "Bearer")


# --- figures

def test_the_models_figures_are_kept(spawn, connect, fake, question):
    server = spawn(provider_env(fake))
    fake.when(question, failure(500), plain("yes", usage=(30, 12)))
    one = connect(server)
    one.turn(question)
    fake.when(question + "?", text().fin())
    one.turn(question + "?")
    figures = wait_for(server.metrics)
    assert figures['chatbox_llm_requests_total{provider="fake"}'] >= 2
    assert figures['chatbox_llm_errors_total{provider="fake"}'] >= 1
    assert figures['chatbox_tokens_used_total{provider="fake"}'] >= 42
    assert figures['chatbox_llm_latency_seconds_count{provider="fake"}'] >= 1


def test_response_times_of_a_session_are_kept(chat, server, fake, question):
    fake.when(question, Answer().gate_before_head(question).tokens("x").finish())
    one = chat()
    one.say(question)
    fake.wait_asked(question)
    fake.open(question)
    one.rest_of_turn()
    item = server.user(one.user).get("/sessions").json()["sessions"][0]
    assert 0 <= item["avg_response_time"] <= item["max_response_time"] < 60_000
