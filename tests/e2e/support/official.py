# SPDX-License-Identifier: MIT
"""The official client libraries, as judges of forms: what they send, and what
they make of what they get. Their streams are read leniently, so each event is
also held against their types strictly."""

import json

import anthropic
import openai
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.message_create_params import MessageCreateParamsStreaming
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from .server import API_KEY
from .waiting import PATIENCE

LIMITS = {"max_retries": 0, "timeout": 10 * PATIENCE, "api_key": API_KEY}


def openai_client(fake, **more):
    return openai.OpenAI(base_url=fake.endpoint, **LIMITS, **more,
                         http_client=openai.DefaultHttpxClient(trust_env=False))


def azure_client(fake, version):
    return openai.AzureOpenAI(azure_endpoint=fake.base, api_version=version, **LIMITS,
                              http_client=openai.DefaultHttpxClient(trust_env=False))


def anthropic_client(fake, **more):
    return anthropic.Anthropic(base_url=fake.base, **LIMITS, **more,
                               http_client=anthropic.DefaultHttpxClient(trust_env=False))


def documents(body):
    """The data of a stream's events, but for `[DONE]`."""
    text = body.decode().replace("\r\n", "\n")
    data = [line[5:].strip() for line in text.split("\n") if line.startswith("data:")]
    return [json.loads(one) for one in data if one != "[DONE]"]


def check_openai(body):
    """Each event, or the whole document, has the form that its types say."""
    if body.startswith(b"{"):
        ChatCompletion.model_validate_json(body)
        return
    for document in documents(body):
        ChatCompletionChunk.model_validate(document)


def check_anthropic(body):
    if body.startswith(b"{"):
        Message.model_validate_json(body)
        return
    for document in documents(body):
        if document["type"] != "ping":
            TypeAdapter(RawMessageStreamEvent).validate_python(document)


# Members of an older version of the Messages API, with which they are sent.
OLDER = {"temperature", "top_p", "top_k"}


def walk(value):
    """Look at everything: types judge what is iterable only as it is."""
    if isinstance(value, dict):
        value = value.values()
    if not isinstance(value, (str, bytes)) and hasattr(value, "__iter__"):
        for one in value:
            walk(one)


def check_anthropic_request(document):
    """The request has the form that its types say, and no member that they do not know."""
    known = {*MessageCreateParamsStreaming.__annotations__, *OLDER}
    assert set(document) <= known, set(document) - known
    judge = TypeAdapter(MessageCreateParamsStreaming)
    walk(judge.validate_python(document))


def door_client(server, bearer, **more):
    """The official client at our own OpenAI door, with our token as its key."""
    return openai.OpenAI(base_url=server.url("/v1"), **{**LIMITS, "api_key": bearer, **more},
                         http_client=openai.DefaultHttpxClient(trust_env=False))
