# SPDX-License-Identifier: MIT
"""A provider's fallback (configuration.md, `llm.providers[].fallback`), and the breaker
that spares everybody a provider which fails again and again (decision 0041)."""

import signal

import pytest

from support.answer import Answer, failure, plain
from support.fakellm import FakeLLM
from support.receiver import Receiver
from support.reloadable import Reloadable
from support.server import free_port, provider_env
from support.waiting import wait_for
from support.ws import fresh

FAILURES = 5  # in a row, until a provider is passed over


@pytest.fixture
def other():
    """Another provider."""
    one = FakeLLM()
    yield one
    one.close()


@pytest.fixture
def operators():
    """They are told of a breaker that opens and closes."""
    with Receiver() as one:
        yield one


@pytest.fixture
def pair(spawn, fake, other, operators):
    """A server with the provider a = `fake`, whose fallback is b = `other`. Asking the
    same one again would take longer than any test."""
    return spawn({**provider_env(fake, ID="a", NAME="A", FALLBACK="b"),
                  **provider_env(other, 2, ID="b", NAME="B"),
                  "LLM_RETRY_DELAY": "300s", "LLM_RETRY_MAX_DELAY": "300s",
                  "LLM_STREAM_TIMEOUT": "600s",
                  "WEBHOOK_URL": operators.url, "WEBHOOK_SECRET": "x" * 32})


def breakers(server):
    return server.http.get("/readyz").json()["checks"]["llm"]["breakers"]


def ask(one, fake, *answers):
    """(The answer's model, whether the first provider was asked)."""
    question = fresh("q")
    fake.when(question, *answers)
    turn = one.turn(question)
    assert turn.finish == "stop", turn.end
    return turn.end["model_id"], bool(fake.asked(question))


def break_down(one, fake):
    for _ in range(FAILURES):
        assert ask(one, fake, failure(503)) == ("b", True)


def test_a_fallback_is_asked_in_order(spawn, connect, fake, question):
    """FALLBACK: other ids, tried in order when the chosen one fails."""
    server = spawn({
        **provider_env(fake, ID="a", NAME="A", FALLBACK="b,c",
                       ENDPOINT=f"http://127.0.0.1:{free_port()}/v1"),
        **provider_env(fake, 2, ID="b", NAME="B",
                       ENDPOINT=f"http://127.0.0.1:{free_port()}/v1"),
        **provider_env(fake, 3, ID="c", NAME="C")})
    turn = connect(server).turn(question)
    assert turn.finish == "stop" and turn.text == "Hello from the model."


@pytest.mark.parametrize("status", [401, 408, 429, 500, 502, 503, 529])
def test_a_fallback_does_not_wait_for_another_try(pair, connect, fake, status):
    """Whatever the provider failed with, and however long it wants to be left alone."""
    retry_after = {"Retry-After": "200"} if status in (429, 503) else {}
    assert ask(connect(pair), fake, failure(status, **retry_after)) == ("b", True)


def test_the_last_one_is_asked_again(spawn, connect, fake, other, question):
    server = spawn({**provider_env(fake, ID="a", NAME="A", FALLBACK="b"),
                    **provider_env(other, 2, ID="b", NAME="B"),
                    "LLM_RETRY_DELAY": "10ms"})
    fake.when(question, failure(500))
    other.when(question, failure(500), failure(500), plain("at last"))
    turn = connect(server).turn(question)
    assert turn.text == "at last" and turn.end["model_id"] == "b"
    assert len(fake.asked(question)) == 1 and len(other.asked(question)) == 3


def test_a_provider_that_fails_again_and_again_is_passed_over(pair, connect, fake,
                                                              operators):
    """Until a probe of it succeeds; readiness and metrics say so meanwhile."""
    one = connect(pair)
    assert breakers(pair) == {}
    break_down(one, fake)
    assert breakers(pair) == {"a": "open"}
    assert pair.metrics()['chatbox_llm_breaker_open{provider="a"}'] == 1
    assert ask(connect(pair), fake) == ("b", False), "other users are spared, too"
    line, = pair.logged("llm_breaker")
    assert line["provider"] == "a" and line["level"] == "warn"
    assert pair.http.get("/readyz").status_code == 200
    wait_for(lambda: ask(one, fake) == ("a", True), 15, "a probe", interval=0.5)
    assert breakers(pair) == {}
    assert pair.metrics()['chatbox_llm_breaker_open{provider="a"}'] == 0
    assert ask(one, fake) == ("a", True)
    told = wait_for(lambda: len(operators.posts) == 2 and operators.posts, 10, "both")
    assert [post.json["event"] for post in told] == ["provider_down", "provider_up"]
    assert told[1].json["data"] == {"provider": "a"}


def test_refusals_that_are_the_request_s_fault_break_nothing(pair, connect, fake):
    one = connect(pair)
    for _ in range(2 * FAILURES):
        assert ask(one, fake, failure(400)) == ("b", True)
    assert breakers(pair) == {}


def test_answers_that_break_off_are_failures(pair, connect, fake):
    """Text that was shown stays shown; the next question goes to somebody else."""
    one = connect(pair)
    for _ in range(FAILURES):
        question = fresh("q")
        fake.when(question, Answer().tokens("some ", "text").rst())
        turn = one.turn(question)
        assert turn.finish == "interrupted" and turn.end["model_id"] == "a"
    assert ask(one, fake) == ("b", False)


def test_success_in_between_forgets_failures(pair, connect, fake):
    one = connect(pair)
    for _ in range(3):
        for _ in range(FAILURES - 1):
            assert ask(one, fake, failure(503)) == ("b", True)
        assert ask(one, fake) == ("a", True)
    assert breakers(pair) == {}


def test_what_a_provider_asks_for_holds_for_all_users(pair, connect, fake):
    """Retry-After: with somebody else to ask, nobody asks it before."""
    assert ask(connect(pair), fake, failure(429, **{"Retry-After": "30"})) == ("b", True)
    assert breakers(pair) == {"a": "open"}
    assert ask(connect(pair), fake) == ("b", False)


def test_a_provider_without_a_fallback_is_asked_whatever_it_did(spawn, connect, fake):
    """A breaker spares time where there is another way, and never costs an answer."""
    server = spawn({**provider_env(fake), "LLM_RETRY_ATTEMPTS": "1"})
    one = connect(server)
    for _ in range(2 * FAILURES):
        question = fresh("q")
        fake.when(question, failure(503))
        assert one.turn(question).error["code"] == "LLM_UNAVAILABLE"
        assert len(fake.asked(question)) == 1
    assert list(breakers(server).values()) == ["open"]
    assert one.turn(fresh("q")).finish == "stop"
    assert breakers(server) == {}


def test_a_reload_leaves_a_breaker_open(spawn, connect, fake, other):
    env = {**provider_env(fake, ID="a", NAME="A", FALLBACK="b"),
           **provider_env(other, 2, ID="b", NAME="B")}
    server = spawn(env)
    one = connect(server)
    break_down(one, fake)
    server.signal(signal.SIGHUP)
    wait_for(lambda: server.logged("reload", msg="the settings were read again"), 10, "it")
    assert breakers(server)["a"] in ("open", "half_open")


def test_a_provider_that_a_reload_takes_away_is_not_open_any_more(spawn, connect, fake, other,
                                                                 tmp_path, question):
    """Nor by what was still under way to it; and it comes back as a new one."""
    gauge = 'chatbox_llm_breaker_open{provider="a"}'
    b = {"id": "b", "name": "B", "type": "openai", "endpoint": other.endpoint,
         "model": "fake-1"}
    a = {**b, "id": "a", "name": "A", "endpoint": fake.endpoint, "fallback": ["b"]}
    kept = Reloadable(spawn, fake, tmp_path / "config.yaml", {"llm": {"providers": [a, b]}})
    server, one = kept.server, connect(kept.server)
    gate = fresh("gate")
    fake.when(question, Answer().tokens("begun").gate(gate).rst())
    one.say(question)
    one.get(lambda f: f.get("content") == "begun")
    break_down(connect(server), fake)
    assert server.metrics()[gauge] == 1
    kept.with_(llm={"providers": [b]})
    assert server.metrics()[gauge] == 0 and breakers(server) == {}
    fake.open(gate)
    assert one.rest_of_turn().finish == "interrupted"
    assert server.metrics()[gauge] == 0
    kept.with_(llm={"providers": [a, b]})
    break_down(connect(server), fake)
    assert server.metrics()[gauge] == 1 and breakers(server) == {"a": "open"}
