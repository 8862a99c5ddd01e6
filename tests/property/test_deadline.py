# SPDX-License-Identifier: MIT
"""However a model stops in its answer without ending it, each of the request's
time limits that is made for that ends it, also when the others never would: with
an error, or as cut by time when there was text."""

import pathlib
import sys

import pytest
from hypothesis import given, settings, strategies as st

from pure import CASES

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from support.answer import Answer, chunk, event  # noqa: E402
from support.fakellm import FakeLLM  # noqa: E402
from support.server import Server, provider_env  # noqa: E402
from support.ws import Chat, fresh  # noqa: E402

NEVER = {"LLM_FIRST_BYTE_TIMEOUT": "1h", "LLM_IDLE_TIMEOUT": "1h",
         "LLM_STREAM_TIMEOUT": "1h", "RATE_LIMIT": "1000000"}
WORD = event(chunk({"content": "word "}))


@pytest.fixture(scope="module")
def model():
    one = FakeLLM()
    yield one
    one.close()


def no_head(framing, words, cut):
    return Answer(framing=framing).silence_before_head()


def silence(framing, words, cut):
    """After so many words, and so much of the next one."""
    return Answer(framing=framing).tokens(*words).raw(WORD[:cut]).silence()


def comments(framing, words, cut):
    """What keeps the connection busy is no text."""
    return Answer(framing=framing).tokens(*words).trickle_raw(
        b": still here\n\n"[:cut + 1], 0.005)


def drip(framing, words, cut):
    """Text that never ends."""
    return Answer(framing=framing).tokens(*words).trickle("on ", 0.005)


# Which time limit alone must end which of them, and its part of the cases.
LIMITS = [pytest.param("LLM_FIRST_BYTE_TIMEOUT", "20ms", [no_head], 4, id="first_byte"),
          pytest.param("LLM_IDLE_TIMEOUT", "15ms", [silence], 4, id="idle"),
          pytest.param("LLM_STREAM_TIMEOUT", "40ms", [no_head, silence, comments, drip], 2,
                       id="stream")]


def scripts(ways):
    return st.lists(st.tuples(
        st.sampled_from(ways), st.sampled_from(["chunked", "close"]),
        st.lists(st.text("ab é漢", min_size=1, max_size=9), max_size=4),
        st.integers(0, len(WORD) - 1)), min_size=1, max_size=2)


@pytest.mark.parametrize("setting,limit,ways,part", LIMITS)
def test_a_request_that_does_not_end_is_ended_by_each_time_limit_alone(
        model, setting, limit, ways, part):
    """Req 8.1, 8.2, 8.3, 8.5. Property 4, 5."""
    @settings(CASES, max_examples=CASES.max_examples // part)
    @given(scripts(ways))
    def ends(sequence):
        with Chat(server) as chat:
            for make, *rest in sequence:
                assert_ended(chat, model, make, *rest)
            assert chat.quiet() == [], "each has ended once"
    with Server({**provider_env(model), **NEVER, setting: limit}) as server:
        ends()


def assert_ended(chat, model, make, framing, words, cut):
    question = fresh("question")
    model.when(question, make(framing, words, cut))
    turn = chat.turn(question)
    asked = model.asked(question)  # (on a busy machine it may not have been sent)
    assert all(one.closed.wait(10) for one in asked), "the request is given up"
    assert len(asked) <= 1, "a time limit is not asked again"
    if turn.end["type"] == "error":
        assert turn.error["code"] == "LLM_TIMEOUT" and not turn.text
    else:
        assert turn.finish == "timeout" and turn.text
        assert ("".join(words) + "on " * 1000).startswith(turn.text)
    assert turn.frames.count(turn.end) == 1
