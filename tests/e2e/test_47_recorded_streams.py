# SPDX-License-Identifier: MIT
"""Streams in the services' documented forms, and as a LiteLLM proxy and llama.cpp's
server wrote them (the fuzz targets' corpus): our server and the official client read
the same answer in them."""

from pathlib import Path

import anthropic
import openai
import pytest

from support.answer import Answer
from support.official import (anthropic_client, check_anthropic, check_openai,
                              openai_client)
from support.server import provider_env

CORPUS = Path(__file__).resolve().parents[1] / "fuzz" / "corpus"
FINISH = {"max_tokens": "length", "model_context_window_exceeded": "length",
          "refusal": "content_filter", "length": "length",
          "content_filter": "content_filter"}
# What is broken on purpose, in ways that no client reads.
BROKEN = {"odd", "page", "cut", "tool-use-cut", "tool-use-odd", "error", "error-document", "error-event",
          "litellm-broken", "litellm-refused"}
# What the official client refuses or leaves out; and what is text in our reading alone.
STRICTER = {"anthropic": {"no-names", "overloaded", "tool-use-json"}, "openai": set()}
# Azure's first event lacks what the types demand.
LOOSE = {"azure"}


def names(kind):
    return sorted(path.name for path in (CORPUS / kind).iterdir())


def recorded(kind, name):
    return (CORPUS / kind / name).read_bytes()


def answer(body):
    form = {b"{": "application/json", b"<": "text/html"}.get(body[:1], "text/event-stream")
    return Answer(content_type=form).raw(body)


def SETTINGS(fake):  # noqa: N802 (the fixture's name)
    return {**provider_env(fake, 1, ID="openai", NAME="O"),
            **provider_env(fake, 2, ID="anthropic", NAME="A", TYPE="anthropic",
                           ENDPOINT=fake.base)}


def read_openai(fake, question, streamed):
    """(text, finish, usage) as the official client reads it."""
    ask = {"model": "m", "messages": [{"role": "user", "content": question}]}
    with openai_client(fake) as client:
        if not streamed:
            whole = client.chat.completions.create(**ask)
            return (whole.choices[0].message.content, whole.choices[0].finish_reason,
                    whole.usage)
        text, finish, usage = "", None, None
        for chunk in client.chat.completions.create(**ask, stream=True):
            usage = chunk.usage or usage
            for choice in chunk.choices:
                if choice.index == 0:
                    delta = choice.delta
                    text += (delta.content or delta.refusal or "") if delta else ""
                    finish = choice.finish_reason or finish
    return text, finish, usage


def read_anthropic(fake, question, streamed):
    ask = {"model": "m", "max_tokens": 10,
           "messages": [{"role": "user", "content": question}]}
    with anthropic_client(fake) as client:
        if streamed:
            with client.messages.stream(**ask) as stream:
                got = stream.get_final_message()
        else:
            got = client.messages.create(**ask)
    text = "".join(block.text for block in got.content if block.type == "text")
    return text, got.stop_reason, got.usage


def tokens(usage):
    """Of either library's usage: (prompt, completion)."""
    if usage is None:
        return None
    if hasattr(usage, "prompt_tokens"):
        return usage.prompt_tokens, usage.completion_tokens
    return (usage.input_tokens + (usage.cache_creation_input_tokens or 0)
            + (usage.cache_read_input_tokens or 0), usage.output_tokens)


READ = {"openai": read_openai, "anthropic": read_anthropic}
CHECK = {"openai": check_openai, "anthropic": check_anthropic}
WHOLE = [(kind, name) for kind in READ for name in names(kind) if name not in BROKEN]


@pytest.mark.parametrize("kind,name", [one for one in WHOLE
                                       if one[1] not in STRICTER[one[0]]])
def test_the_server_reads_what_the_official_client_reads(chat, server, fake, question,
                                                         kind, name):
    body = recorded(kind, name)
    if name not in LOOSE:
        CHECK[kind](body)
    fake.when(question, answer(body))
    text, finish, usage = READ[kind](fake, question, not body.startswith(b"{"))
    one = chat()
    turn = one.turn(question, model_id=kind)
    assert turn.error is None, turn.end
    assert turn.text == text
    assert turn.finish == FINISH.get(finish, "stop")
    told = turn.end.get("usage")
    if usage is None:
        assert told is None or told.get("estimated")
    else:
        assert (told["prompt_tokens"], told["completion_tokens"]) == tokens(usage)
        assert told["total_tokens"] == sum(tokens(usage))


def test_a_stream_without_the_names_of_its_events_is_read(chat, fake, question):
    """Proxies there are that drop them; the official client then reads nothing."""
    fake.when(question, answer(recorded("anthropic", "no-names")))
    turn = chat().turn(question, model_id="anthropic")
    assert turn.text == "Grüße, Welt! 😀" and turn.finish == "stop"


@pytest.mark.parametrize("kind,name,text", [
    ("anthropic", "overloaded", "Hel"), ("openai", "error", "Hel"),
    ("anthropic", "litellm-broken", "Grüße, Welt"),
    ("openai", "litellm-broken", "Grüße, Welt")])
def test_an_error_after_text_keeps_the_text(chat, fake, question, kind, name, text):
    fake.when(question, answer(recorded(kind, name)))
    with pytest.raises((anthropic.APIError, openai.APIError)):
        READ[kind](fake, question, True)
    turn = chat().turn(question, model_id=kind)
    assert turn.text == text and turn.finish == "provider_error"


@pytest.mark.parametrize("kind,name", [
    ("anthropic", "error"), ("anthropic", "page"), ("anthropic", "litellm-refused"),
    ("openai", "error-document"),
    ("openai", "error-event"), ("openai", "page")])
def test_an_error_instead_of_an_answer_is_one(chat, fake, question, kind, name):
    fake.when(question, answer(recorded(kind, name)))
    turn = chat().turn(question, model_id=kind)
    assert turn.error["code"] == "LLM_UNAVAILABLE" and turn.deltas == []


@pytest.mark.parametrize("kind", READ)
def test_a_stream_that_ends_within_the_event_of_its_reason_is_cut(chat, fake, question,
                                                                  kind):
    fake.when(question, answer(recorded(kind, "cut")))
    turn = chat().turn(question, model_id=kind)
    assert turn.text == "Hello" and turn.finish == "interrupted"
