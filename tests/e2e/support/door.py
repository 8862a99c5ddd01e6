# SPDX-License-Identifier: MIT
"""Requests at the OpenAI door, and a provider's whole answers to them."""

import json

from .answer import failure

PATH = "/v1/chat/completions"


def ask(client, question, model="fake", **more):
    return client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": question}], **more)


def post(server, user, body, path=PATH):
    with server.user(user) as http:
        return http.post(path, content=body if isinstance(body, (str, bytes))
                         else json.dumps(body))


def body_of(question, **more):
    return {"model": "fake", "messages": [{"role": "user", "content": question}], **more}


def completion(content="Hello", usage=(5, 2), **more):
    """A whole answer of a provider, with members that nobody here knows."""
    document = {"id": "chatcmpl-theirs", "object": "chat.completion", "created": 7,
                "model": "fake-1-of-today",
                "choices": [{"index": 0, "finish_reason": "stop", "logprobs": None,
                             "message": {"role": "assistant", "content": content,
                                         "refusal": None}}],
                "usage": {"prompt_tokens": usage[0], "completion_tokens": usage[1],
                          "total_tokens": sum(usage)}, **more}
    return failure(200, json.dumps(document)), document
