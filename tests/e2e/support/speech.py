# SPDX-License-Identifier: MIT
"""A service that writes down what was said, in the OpenAI API's form."""

import email
import json

from .receiver import Receiver

PATH = "/v1/audio/transcriptions"


class Request:
    """The form of one request, taken apart by a library that is not ours."""

    def __init__(self, post):
        self.path, self.headers = post.path, post.headers
        whole = b"Content-Type: " + post.headers["Content-Type"].encode() + b"\r\n\r\n" + post.body
        self.fields, self.file = {}, None
        for part in email.message_from_bytes(whole).get_payload():
            name = part.get_param("name", header="content-disposition")
            if part.get_filename() is None:
                self.fields[name] = part.get_payload()
            else:
                assert name == "file" and self.file is None
                self.file = part
        self.bytes = self.file.get_payload(decode=True)


def words(text, **members):
    """The answer that says it."""
    return 200, {"Content-Type": "application/json"}, json.dumps({**members, "text": text}).encode()


class Speech(Receiver):
    """`answers`: what it answers to the recordings with these last bytes; the others are
    heard as "hello"."""

    def __init__(self):
        self.answers = {}
        super().__init__(self._answer)
        self.endpoint = f"http://127.0.0.1:{self.port}/v1"

    def _answer(self, post, number):
        request = Request(post)
        for ending, answer in self.answers.items():
            if request.bytes.endswith(ending):
                return answer(number) if callable(answer) else answer
        return words("hello")

    def asked(self, ending):
        """The requests with such a recording."""
        found = map(Request, list(self.posts))
        return [request for request in found if request.bytes.endswith(ending)]
