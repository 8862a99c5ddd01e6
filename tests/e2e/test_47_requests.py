# SPDX-License-Identifier: MIT
"""Our requests beside those of the official client libraries for the same
conversation: the same path, the same body, the key in the same place."""

import pytest

from support.answer import Answer, plain
from support.messages import Message, message
from support.official import anthropic_client, azure_client, openai_client
from support.server import API_KEY, provider_env

SYSTEM = "Be \"brief\".\n"
VERSION = "2024-10-21"
PARAMS = {"TEMPERATURE": "0.7", "MAX_TOKENS": "300"}
AZURE = f"openai/deployments/fake-1/chat/completions?api-version={VERSION}"


def SETTINGS(fake):  # noqa: N802 (the fixture's name)
    return {
        "LLM_SYSTEM_PROMPT": SYSTEM,
        **provider_env(fake, 1, ID="openai", NAME="O", **PARAMS,
                       EXTRA_BODY='{"top_p": 0.5, "stop": ["\\n\\n"]}'),
        **provider_env(fake, 2, ID="anthropic", NAME="A", TYPE="anthropic",
                       ENDPOINT=fake.base, **PARAMS,
                       EXTRA_BODY='{"top_k": 5, "metadata": {"user_id": "x"}}'),
        **provider_env(fake, 3, ID="azure", NAME="Z", ENDPOINT=f"{fake.base}/{AZURE}"),
        **provider_env(fake, 4, ID="bare", NAME="B", TYPE="anthropic",
                       ENDPOINT=fake.endpoint)}


def converse(one, fake, question, model, first):
    """Two questions; gives the request of the second and the conversation."""
    fake.when(f"{question} 1", first)
    assert one.turn(f"{question} 1", model_id=model).finish == "stop"
    assert one.turn(f"{question} 2", model_id=model).error is None
    said = [{"role": "user", "content": f"{question} 1"},
            {"role": "assistant", "content": "A \u00e4 😀"},
            {"role": "user", "content": f"{question} 2"}]
    return fake.wait_asked(f"{question} 2"), said


def same_request(ours, theirs):
    """All but the key's place."""
    assert ours.path == theirs.path and ours.method == theirs.method
    assert ours.json == theirs.json
    assert ours.headers["content-type"] == theirs.headers["content-type"]
    assert ours.headers.get("anthropic-version") == theirs.headers.get("anthropic-version")


def keys(request):
    """Where the key is in a request's head, and as what."""
    return {name: value for name, value in request.headers.items() if API_KEY in value}


def chat_completion(client, fake, question, said, **more):
    with client:
        list(client.chat.completions.create(
            model="fake-1", messages=[{"role": "system", "content": SYSTEM}, *said],
            stream=True, stream_options={"include_usage": True}, **more))
    return fake.wait_asked(f"{question} 2", 2)


def test_openais_client_sends_the_same(chat, fake, question):
    ours, said = converse(chat(), fake, question, "openai", plain("A ä", " 😀"))
    theirs = chat_completion(openai_client(fake), fake, question, said, temperature=0.7,
                             max_tokens=300, top_p=0.5, stop=["\n\n"])
    same_request(ours, theirs)
    assert ours.path == "/v1/chat/completions"
    assert keys(ours) == keys(theirs) == {"authorization": f"Bearer {API_KEY}"}


def test_azures_client_sends_the_same(chat, fake, question):
    ours, said = converse(chat(), fake, question, "azure", plain("A ä", " 😀"))
    theirs = chat_completion(azure_client(fake, VERSION), fake, question, said)
    same_request(ours, theirs)
    assert ours.path == f"/{AZURE}"
    assert keys(ours) == {"api-key": API_KEY} and keys(theirs)["api-key"] == API_KEY


def ask_anthropic(fake, question, said, **more):
    with anthropic_client(fake) as client:
        list(client.messages.create(model="fake-1", system=SYSTEM, messages=said,
                                    stream=True, **more))
    return fake.wait_asked(f"{question} 2", 2)


@pytest.mark.parametrize("model,more", [
    ("bare", {"max_tokens": 4096}),
    # The client has no word for what the newest version refuses.
    ("anthropic", {"max_tokens": 300, "metadata": {"user_id": "x"},
                   "extra_body": {"temperature": 0.7, "top_k": 5},
                   "extra_headers": {"anthropic-version": "2023-06-01"}})])
def test_anthropics_client_sends_the_same(chat, fake, question, model, more):
    fake.when(f"{question} 2", message("x"))
    ours, said = converse(chat(), fake, question, model, message("A ä", " 😀"))
    same_request(ours, ask_anthropic(fake, question, said, **more))
    assert ours.path == "/v1/messages"
    assert keys(ours) == {"x-api-key": API_KEY}


def test_what_anthropic_refuses_in_a_conversation_is_not_sent(chat, fake, question):
    """An answer of nothing but blanks: the questions around it become one message."""
    one = chat()
    joined = f"{question} 1\n\n{question} 2"
    fake.when(f"{question} 1", Message().start().text(" \n", "\n").finish())
    fake.when(joined, message("fine"))
    assert one.turn(f"{question} 1", model_id="anthropic").finish == "stop"
    assert one.turn(f"{question} 2", model_id="anthropic").text == "fine"
    assert fake.wait_asked(joined).pairs == [("user", joined)]


def test_a_conversation_goes_on_with_another_provider(chat, fake, question):
    """Each gets what all have said, in its own form."""
    one = chat()
    fake.when(f"{question} 1", plain("first"))
    fake.when(f"{question} 2", message("second"))
    fake.when(f"{question} 3", plain("third"))
    texts = [one.turn(f"{question} {n}", model_id=model).text
             for n, model in enumerate(("openai", "anthropic", "openai"), 1)]
    assert texts == ["first", "second", "third"]
    said = [("user", f"{question} 1"), ("assistant", "first"), ("user", f"{question} 2"),
            ("assistant", "second"), ("user", f"{question} 3")]
    assert fake.wait_asked(f"{question} 2").pairs == said[:3]
    assert fake.wait_asked(f"{question} 2").json["system"] == SYSTEM
    assert fake.wait_asked(f"{question} 3").pairs == [("system", SYSTEM), *said]


def test_usage_is_not_asked_of_a_server_that_refuses_it(spawn, connect, fake, question):
    server = spawn(provider_env(fake, EXTRA_BODY='{"stream_options": null}'))
    fake.when(question, Answer().tokens("x").finish())
    assert connect(server).turn(question).text == "x"
    assert "stream_options" not in fake.wait_asked(question).json
