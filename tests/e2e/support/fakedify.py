# SPDX-License-Identifier: MIT
"""A Dify service with some apps, each known by its key: POST /v1/chat-messages,
streaming, the stop of a task, and POST /v1/files/upload, as its API reference has them.

It keeps the conversations itself, as the real one does: one that it does not
have, that is another app's or another user's is `Conversation Not Exists`. What
it is asked beyond that form is refused, so that no test passes by accident.
"""

import email
import email.policy
import json
import re
import secrets
import uuid
from urllib.parse import urlsplit

from .answer import Answer, event, failure
from .fakellm import FakeLLM
from .server import provider_env
from .waiting import wait_for

NOW = "The message to answer now:\n\n"
TASK, CONVERSATION = "@task@", "@conversation@"
USAGE = {"prompt_tokens": 3, "prompt_unit_price": "0.001", "prompt_price": "0.000003",
         "completion_tokens": 4, "total_tokens": 7, "total_price": "0.000011",
         "currency": "USD", "latency": 0.7682376249867957}


class Says(Answer):
    """A streamed answer; `@task@` and `@conversation@` become its ids."""

    def event(self, kind, **members):
        return self.raw(event({"event": kind, "task_id": TASK,
                               "conversation_id": CONVERSATION,
                               "message_id": "5ad4cb98-f0c7-4085-b384-88c403be6290",
                               "created_at": 1679586595, **members}))

    def text(self, *texts, kind="message"):
        for text in texts:
            self.event(kind, answer=text)
        return self

    def replace(self, text):
        return self.event("message_replace", answer=text, reason="output_moderation")

    def error(self, status=500, code="internal_server_error", message="no"):
        return self.event("error", status=status, code=code, message=message)

    def end(self, usage=USAGE):
        metadata = {"retriever_resources": [{"position": 1, "content": '"a"\n'}]}
        if usage:
            metadata["usage"] = usage
        return self.event("message_end", id="5e52ce04", metadata=metadata)

    def of(self, task, conversation):
        """The same with these ids."""
        copy = Says(self.status, self.headers["Content-Type"], self.framing)
        copy.pieces, copy.early = self.pieces, self.early
        copy.steps = [
            (step[0], step[1].replace(TASK.encode(), task.encode())
             .replace(CONVERSATION.encode(), conversation.encode()), *step[2:])
            if step[0] in ("bytes", "trickle") else step for step in self.steps]
        return copy


def refusal(status, code, message="no"):
    return failure(status, json.dumps({"code": code, "message": message,
                                       "status": status}))


NOT_EXISTS = (404, "not_found", "Conversation Not Exists.")


class FakeDify(FakeLLM):
    def __init__(self):
        self.kept = {}  # conversation: (key, user, queries)
        self.tasks = {}  # task: (key, user)
        self.stops = []  # the stops that were asked for, as requests
        self.files = {}  # id: (key, user, name, type, bytes)
        self.when_uploaded = lambda n: None  # an answer in place of the n-th one's
        self.uploads = 0
        self.when_stopped = lambda: failure(200, '{"result": "success"}')
        super().__init__()
        self.default = lambda: Says().text("Hello", " from", " Dify.").end()

    @staticmethod
    def env(dify, n, key, **members):
        """The settings that make one of its apps provider number `n`."""
        return provider_env(dify, n, TYPE="dify", API_KEY=key, NAME=f"App {n}",
                            **members)

    @staticmethod
    def new_key():
        return f"app-{secrets.token_urlsafe(18)}"

    # --- for tests

    def asked(self, question):
        """The requests whose message to answer is this, oldest first."""
        return [r for r in list(self.requests)
                if not is_stop(r) and not is_upload(r) and question_of(r) == question]

    def forget(self, conversation):
        """As if the app's operator had removed it."""
        del self.kept[conversation]

    def wait_stopped(self, count=1):
        wait_for(lambda: len(self.stops) >= count, 5, f"{count} stops")
        return self.stops[count - 1]

    # --- inside

    def _pick(self, request):
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not key.startswith("app-"):
            return refusal(401, "unauthorized", "Access token is invalid")
        if is_stop(request):
            return self._stop(request, key)
        if is_upload(request):
            return self._upload(request, key)
        body = request.json
        if not well_formed(body):
            return refusal(400, "invalid_param", "Arg user must be provided.")
        name, user = body["conversation_id"], body["user"]
        if not all(self._is_there(one, key, user) for one in body.get("files", [])):
            return refusal(400, "invalid_param", "Invalid upload file id")
        if name and self.kept.get(name, (None, None))[:2] != (key, user):
            return refusal(*NOT_EXISTS)
        answers = self.scripts.get(question_of(request))
        answer = self.default() if not answers else \
            answers.pop(0) if len(answers) > 1 else answers[0]
        if not isinstance(answer, Says):
            return answer
        name = name or str(uuid.uuid4())
        self.kept.setdefault(name, (key, user, []))[2].append(body["query"])
        task = str(uuid.uuid4())
        self.tasks[task] = (key, user)
        request.task, request.conversation = task, name
        return answer.of(task, name)

    def _is_there(self, file, key, user):
        return file["transfer_method"] == "remote_url" or (
            self.files.get(file["upload_file_id"], (None, None))[:2] == (key, user))

    def _upload(self, request, key):
        self.uploads += 1
        refused = self.when_uploaded(self.uploads)
        if refused:
            return refused
        form = email.message_from_bytes(
            b"Content-Type: " + request.headers["content-type"].encode() + b"\r\n\r\n"
            + request.body, policy=email.policy.HTTP)
        user, file = form.iter_parts()
        assert user.get_param("name", header="content-disposition") == "user"
        assert file.get_param("name", header="content-disposition") == "file"
        name = str(uuid.uuid4())
        self.files[name] = (key, user.get_payload(decode=True).decode(), file.get_filename(),
                            file.get_content_type(), file.get_payload(decode=True))
        return failure(201, json.dumps({
            "id": name, "name": file.get_filename(), "size": len(self.files[name][4]),
            "extension": "png", "mime_type": file.get_content_type(),
            "created_by": str(uuid.uuid4()), "created_at": 1577836800}))

    def _stop(self, request, key):
        self.stops.append(request)
        task = urlsplit(request.path).path.split("/")[-2]
        if self.tasks.get(task) != (key, request.json.get("user")):
            return refusal(404, "not_found", "Task not found")
        return self.when_stopped()


def is_stop(request):
    return re.search(r"/v1/chat-messages/[^/]+/stop(\?|$)", request.path) is not None


def is_upload(request):
    return re.search(r"/v1/files/upload(\?|$)", request.path) is not None


def question_of(request):
    return request.json["query"].split(NOW)[-1]


def well_formed(body):
    texts = ("query", "response_mode", "conversation_id", "user")
    return (all(isinstance(body.get(name), str) for name in texts)
            and isinstance(body.get("inputs"), dict) and body["user"] != ""
            and body["query"] != "" and body["response_mode"] == "streaming")
