# SPDX-License-Identifier: MIT
"""Another provider beside one that is silent (configuration.md, `llm.hedge_after`): the
first text is shown, the other request is closed."""

import threading

import pytest

from support.answer import Answer, chunk, event, plain
from support.door import body_of, completion, post
from support.fakellm import FakeLLM
from support.messages import Message
from support.official import documents, door_client
from support.server import provider_env
from support.tokens import token
from support.waiting import PATIENCE
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


# --- at the OpenAI door

def events_of(*texts, **more):
    """Chunks of an answer, its opening first, which says nothing."""
    return [chunk({"role": "assistant", "content": ""}, **more),
            {**chunk(), "choices": [], "prompt_filter_results": [], **more},
            *(chunk({"content": text}, **more) for text in texts), chunk(finish="stop", **more)]


def play(events, silent_after=None, gate=None):
    answer = Answer()
    for n, one in enumerate(events):
        if n == silent_after:
            return answer.silence()
        if gate and n == 2:
            answer.gate(gate)
        answer.raw(event(one))
    return answer.done()


@pytest.mark.parametrize("silent_after", [0, 2])
def test_at_the_door_the_other_one_s_events_pass_untouched(server, user, fake, other, question,
                                                          silent_after):
    """And nothing of who had opened its answer before."""
    theirs = events_of("of the ", "other", odd=2)
    fake.when(question, play(events_of("x", odd=1), silent_after))
    other.when(question, play(theirs))
    got = post(server, user, body_of(question, model="a", stream=True))
    assert documents(got.content) == theirs and got.text.endswith("data: [DONE]\n\n")
    assert fake.wait_asked(question).closed.wait(5)
    assert server.metrics()['chatbox_llm_hedges_total{provider="a"}'] == 1


def test_at_the_door_the_first_one_s_do_too(server, user, fake, other, question):
    """What it had opened its answer with is not lost by the race."""
    ours, gate = events_of("of the ", "first", odd=1), fresh("gate")
    fake.when(question, play(ours, gate=gate))
    other.when(question, play(events_of("x"), silent_after=2))
    got = []
    waiting = threading.Thread(target=lambda: got.append(
        post(server, user, body_of(question, model="a", stream=True))))
    waiting.start()
    asked = other.wait_asked(question)
    fake.open(gate)
    waiting.join(20 * PATIENCE)
    assert documents(got[0].content) == ours
    assert asked.closed.wait(5)


def test_at_the_door_who_fails_leaves_it_to_the_other(server, user, fake, other, question):
    theirs, gates = events_of("of the other", odd=2), [fresh("gate"), fresh("gate")]
    fake.when(question, Answer().role().gate(gates[0]).rst())
    other.when(question, play(theirs, gate=gates[1]))
    got = []
    waiting = threading.Thread(target=lambda: got.append(
        post(server, user, body_of(question, model="a", stream=True))))
    waiting.start()
    other.wait_asked(question)
    fake.open(gates[0])
    server.wait_log("llm_error", provider="a")
    other.open(gates[1])
    waiting.join(20 * PATIENCE)
    assert documents(got[0].content) == theirs


def test_at_the_door_a_whole_answer_is_hedged_too(server, user, fake, other, question):
    answer, document = completion("of the other")
    fake.when(question, Answer().silence_before_head())
    other.when(question, answer)
    got = post(server, user, body_of(question, model="a"))
    assert got.json() == document and fake.wait_asked(question).closed.wait(5)


def test_at_the_door_a_call_of_a_tool_wins(spawn, user, fake, other, question):
    """Also against one that relays, and has begun."""
    server = spawn({**provider_env(fake, ID="a", NAME="A", FALLBACK="b"),
                    **provider_env(other, 2, ID="b", NAME="B", TYPE="anthropic",
                                   ENDPOINT=other.base), "LLM_HEDGE_AFTER": "50ms"})
    fake.when(question, play(events_of("x"), silent_after=1))
    other.when(question, Message().start().tool("f", "{}").finish("tool_use"))
    tools = [{"type": "function", "function": {"name": "f"}}]
    with door_client(server, token(user)) as client:
        with client.chat.completions.stream(
                model="a", messages=[{"role": "user", "content": question}],
                tools=tools) as stream:
            choice = stream.get_final_completion().choices[0]
    assert choice.message.tool_calls[0].function.name == "f"
    assert fake.wait_asked(question).closed.wait(5)
