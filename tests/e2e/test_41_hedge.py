# SPDX-License-Identifier: MIT
"""Another provider beside one that is silent (configuration.md, `llm.hedge_after`): the
first text is shown, the other request is closed."""

import pytest

from support.answer import Answer, plain
from support.fakellm import FakeLLM
from support.server import provider_env
from support.ws import fresh


@pytest.fixture
def other():
    """Another provider."""
    one = FakeLLM()
    yield one
    one.close()


@pytest.fixture
def server(spawn, fake, other):
    return spawn({**provider_env(fake, ID="a", NAME="A", FALLBACK="b"),
                  **provider_env(other, 2, ID="b", NAME="B"),
                  "LLM_HEDGE_AFTER": "50ms", "LLM_STREAM_TIMEOUT": "600s"})


def test_the_other_one_answers(server, connect, fake, other, question):
    """Whether the first one has not answered at all, or has not said anything yet."""
    one = connect(server)
    for text, silent in ((question, Answer().silence_before_head()),
                         (f"{question} 2", Answer().role().silence())):
        fake.when(text, silent)
        other.when(text, plain("of the other", usage=(3, 4)))
        turn = one.turn(text)
        assert turn.text == "of the other" and turn.finish == "stop"
        assert turn.end["model_id"] == "b" and turn.end["usage"]["total_tokens"] == 7
        assert fake.wait_asked(text).closed.wait(5)
        assert one.quiet() == []
    assert server.metrics()['chatbox_llm_hedges_total{provider="a"}'] == 2
    first, _ = server.logged("llm_hedge")
    assert first["provider"] == "a" and first["fallback"] == "b"
    assert server.http.get("/readyz").json()["checks"]["llm"]["breakers"] == {}


def test_the_first_one_may_answer_all_the_same(server, connect, fake, other, question):
    gate = fresh("gate")
    fake.when(question, plain("of the first").gate_before_head(gate))
    other.when(question, Answer().silence_before_head())
    one = connect(server)
    one.say(question)
    asked = other.wait_asked(question)
    fake.open(gate)
    turn = one.rest_of_turn()
    assert turn.text == "of the first" and turn.end["model_id"] == "a"
    assert asked.closed.wait(5) and one.quiet() == []


def test_cancel_closes_both(server, connect, fake, other, question):
    for model in (fake, other):
        model.when(question, Answer().silence_before_head())
    one = connect(server)
    one.say(question)
    asked = other.wait_asked(question)
    one.send("cancel")
    assert one.rest_of_turn().finish == "cancelled"
    assert asked.closed.wait(5) and fake.wait_asked(question).closed.wait(5)


def test_it_is_off_by_default(spawn, connect, fake, other, question):
    """A provider may be silent until its time is over; then the other one is asked."""
    server = spawn({**provider_env(fake, ID="a", NAME="A", FALLBACK="b"),
                    **provider_env(other, 2, ID="b", NAME="B"),
                    "LLM_FIRST_BYTE_TIMEOUT": "1s"})
    fake.when(question, Answer().silence_before_head())
    turn = connect(server).turn(question)
    assert turn.finish == "stop" and turn.end["model_id"] == "b"
    asked, = other.asked(question)
    assert fake.asked(question)[0].closed.wait(5) and asked
    assert server.metrics().get('chatbox_llm_hedges_total{provider="a"}', 0) == 0
