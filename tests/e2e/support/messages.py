# SPDX-License-Identifier: MIT
"""Answers in the form of Anthropic's Messages API, written like answer.py's.

    Message().start(input_tokens=9).text("Hel", "lo").finish("end_turn")

What is sent is judged by the official client (test_01_official_clients.py).
"""

import json

from .answer import Answer, failure


def event(name, **members):
    document = {"type": name, **members}
    return f"event: {name}\ndata: {json.dumps(document, ensure_ascii=False)}\n\n".encode()


def error(kind="overloaded_error", message="Overloaded"):
    return {"type": "error", "error": {"type": kind, "message": message},
            "request_id": "req_1"}


def refusal(status, kind, message="no", **headers):
    """A whole answer that is an error, as the service words it."""
    return failure(status, json.dumps(error(kind, message)), **headers)


class Message(Answer):
    """A streamed message. Blocks are opened and closed as they are needed."""

    def __init__(self, **members):
        super().__init__(**members)
        self.blocks = 0

    def start(self, input_tokens=25, output_tokens=1, **usage):
        return self.raw(event("message_start", message={
            "id": "msg_1", "type": "message", "role": "assistant", "model": "fake-1",
            "content": [], "stop_reason": None, "stop_sequence": None,
            "usage": {"input_tokens": input_tokens, "output_tokens": output_tokens,
                      **usage}}))

    def ping(self):
        return self.raw(event("ping"))

    def open_block(self, **block):
        return self.raw(event("content_block_start", index=self.blocks,
                              content_block=block))

    def delta(self, **delta):
        return self.raw(event("content_block_delta", index=self.blocks, delta=delta))

    def close_block(self):
        self.raw(event("content_block_stop", index=self.blocks))
        self.blocks += 1
        return self

    def tokens(self, *texts):
        """Deltas of a block that is open."""
        for text in texts:
            self.delta(type="text_delta", text=text)
        return self

    def text(self, *texts):
        return self.open_block(type="text", text="").tokens(*texts).close_block()

    def thinking(self, *texts):
        self.open_block(type="thinking", thinking="", signature="")
        for text in texts:
            self.delta(type="thinking_delta", thinking=text)
        return self.delta(type="signature_delta", signature="EqQB").close_block()

    def open_tool(self, name, *pieces, id="toolu_1"):  # noqa: A002 (the member's name)
        """A block of a tool that stays open."""
        self.open_block(type="tool_use", id=id, name=name, input={})
        return self.pieces_of(*pieces)

    def pieces_of(self, *pieces, block=None):
        """More of a tool's input, of the block that is open or another one."""
        for piece in pieces:
            self.raw(event("content_block_delta",
                           index=self.blocks if block is None else block,
                           delta={"type": "input_json_delta", "partial_json": piece}))
        return self

    def tool(self, name, *pieces, id="toolu_1"):  # noqa: A002
        return self.open_tool(name, *pieces, id=id).close_block()

    def reason(self, reason="end_turn", output_tokens=15, **usage):
        return self.raw(event("message_delta",
                              delta={"stop_reason": reason, "stop_sequence": None},
                              usage={"output_tokens": output_tokens, **usage}))

    def done(self):
        return self.raw(event("message_stop"))

    def finish(self, reason="end_turn", usage=None, done=True):
        """The reason with the usage, and `message_stop`."""
        self.reason(reason, **({"input_tokens": usage[0], "output_tokens": usage[1]}
                               if usage else {}))
        return self.done() if done else self

    def error_event(self, message="Overloaded", kind="overloaded_error"):
        return self.raw(event("error", **error(kind, message)))


def message(*texts, usage=None):
    """An ordinary complete answer."""
    return Message().start().ping().text(*texts).finish("end_turn", usage)
