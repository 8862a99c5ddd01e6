# SPDX-License-Identifier: MIT
"""The fake's answers as the official client libraries read them: what our server
is tried with has the real services' form."""

import anthropic
import openai
import pytest

from support.answer import Answer, plain
from support.messages import Message, message, refusal
from support.official import (anthropic_client, check_anthropic, check_openai,
                              openai_client)

HELLO = ("Grüße", ", ", "Welt 😀")


def completion(fake, question, **more):
    with openai_client(fake) as client:
        stream = client.chat.completions.create(
            model="fake-1", messages=[{"role": "user", "content": question}], stream=True,
            **more)
        return list(stream)


def test_the_fakes_completion_is_openais(fake, question):
    answer = plain(*HELLO, usage=(9, 3))
    fake.when(question, answer)
    check_openai(answer.body())
    chunks = completion(fake, question)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == \
        "".join(HELLO)
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.total_tokens) == (9, 12)


def test_the_fakes_error_event_is_openais(fake, question):
    fake.when(question, Answer().tokens("Hel").error_event().done())
    with pytest.raises(openai.APIError, match="overloaded"):
        completion(fake, question)


def read(fake, question):
    with anthropic_client(fake) as client, client.messages.stream(
            model="fake-1", max_tokens=10,
            messages=[{"role": "user", "content": question}]) as stream:
        return stream.get_final_message()


def test_the_fakes_message_is_anthropics(fake, question):
    answer = message(*HELLO, usage=(9, 3))
    fake.when(question, answer)
    check_anthropic(answer.body())
    got = read(fake, question)
    assert [block.text for block in got.content] == ["".join(HELLO)]
    assert got.stop_reason == "end_turn"
    assert (got.usage.input_tokens, got.usage.output_tokens) == (9, 3)


def test_the_fakes_blocks_are_anthropics(fake, question):
    answer = (Message().start(cache_read_input_tokens=7).thinking("Hm", ".").text("a", "b")
              .tool("f", '{"x":', "1}").finish("tool_use"))
    fake.when(question, answer)
    check_anthropic(answer.body())
    got = read(fake, question)
    assert [block.type for block in got.content] == ["thinking", "text", "tool_use"]
    assert got.content[0].thinking == "Hm." and got.content[2].input == {"x": 1}
    assert got.usage.cache_read_input_tokens == 7 and got.stop_reason == "tool_use"


def test_the_fakes_error_event_is_anthropics(fake, question):
    fake.when(question, Message().start().text("Hel").error_event())
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        read(fake, question)


@pytest.mark.parametrize("status,kind,error", [
    (400, "invalid_request_error", anthropic.BadRequestError),
    (401, "authentication_error", anthropic.AuthenticationError),
    (429, "rate_limit_error", anthropic.RateLimitError),
    (529, "overloaded_error", anthropic.InternalServerError)])
def test_the_fakes_refusals_are_anthropics(fake, question, status, kind, error):
    fake.when(question, refusal(status, kind))
    with pytest.raises(error) as caught:
        read(fake, question)
    assert caught.value.status_code == status
    assert caught.value.body["error"]["type"] == kind
