# SPDX-License-Identifier: MIT
"""What the fake model does with one request, written as a chain of steps.

    Answer().tokens("Hel", "lo").gate("more").tokens("!").finish("stop")

The head is sent first (status, content type, framing), then the steps in
order. A *gate* stops until the test opens it: delays without clocks. The body
ends as HTTP says unless a step cuts it.
"""

import json


def event(document):
    return f"data: {json.dumps(document, ensure_ascii=False)}\n\n".encode()


def chunk(delta=None, finish=None, **more):
    """One `chat.completion.chunk` as OpenAI writes it."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1,
            "model": "fake-1", "choices": [choice], **more}


class Answer:
    def __init__(self, status=200, content_type="text/event-stream",
                 framing="chunked", **headers):
        self.status = status
        self.headers = {"Content-Type": content_type}
        self.headers.update({k.replace("_", "-"): v for k, v in headers.items()})
        self.framing = framing  # chunked, length, close, or raw: steps are all of it
        self.steps = []
        self.pieces = None  # at most so many bytes per write
        self.early = []  # steps before the head

    def _add(self, *step):
        self.steps.append(step)
        return self

    # --- content

    def raw(self, data):
        return self._add("bytes", data if isinstance(data, bytes) else data.encode())

    def tokens(self, *texts):
        for text in texts:
            self.raw(event(chunk({"content": text})))
        return self

    def role(self):
        return self.raw(event(chunk({"role": "assistant", "content": ""})))

    def finish(self, reason="stop", usage=None, done=True):
        """The finish reason, the usage when given, and `[DONE]`."""
        self.raw(event(chunk(finish=reason)))
        if usage:
            self.usage(*usage)
        return self.done() if done else self

    def usage(self, prompt, completion, cached=None, reasoning=None):
        document = chunk()
        document["choices"] = []
        document["usage"] = {"prompt_tokens": prompt, "completion_tokens": completion,
                             "total_tokens": prompt + completion}
        if cached is not None:
            document["usage"]["prompt_tokens_details"] = {"cached_tokens": cached}
        if reasoning is not None:
            document["usage"]["completion_tokens_details"] = {"reasoning_tokens": reasoning}
        return self.raw(event(document))

    def done(self):
        return self.raw(b"data: [DONE]\n\n")

    def error_event(self, message="overloaded"):
        return self.raw(event({"error": {"message": message, "type": "server_error"}}))

    # --- time and ends

    def gate(self, name):
        return self._add("gate", name)

    def gate_before_head(self, name):
        self.early.append(("gate", name))
        return self

    def silence_before_head(self):
        self.early.append(("silence",))
        return self

    def silence(self):
        """Nothing more until the other side goes."""
        return self._add("silence",)

    def trickle(self, text, seconds):
        """The same token again and again, so far apart, until the peer goes."""
        return self.trickle_raw(event(chunk({"content": text})), seconds)

    def trickle_raw(self, data, seconds):
        return self._add("trickle", data, seconds)

    def fin(self):
        return self._add("fin",)

    def rst(self):
        return self._add("rst",)

    # --- form

    def bytewise(self, size=1):
        self.pieces = size
        return self

    def crlf(self):
        """The same stream with CRLF line ends."""
        self.steps = [("bytes", step[1].replace(b"\n", b"\r\n"))
                      if step[0] == "bytes" else step for step in self.steps]
        return self

    def body(self):
        return b"".join(step[1] for step in self.steps if step[0] == "bytes")

    def cut(self, offset, how="fin"):
        """The same answer, cut after `offset` bytes of its body."""
        kept, left = [], offset
        for step in self.steps:
            if step[0] != "bytes":
                kept.append(step)
                continue
            kept.append(("bytes", step[1][:left]))
            left -= len(step[1])
            if left <= 0:
                break
        self.steps = [*kept, (how,)]
        return self


def plain(*texts, usage=None):
    """An ordinary complete answer."""
    return Answer().role().tokens(*texts).finish("stop", usage)


def failure(status, body="", content_type="application/json", **headers):
    """A whole non-streamed answer."""
    return Answer(status, content_type, "length", **headers).raw(body)
