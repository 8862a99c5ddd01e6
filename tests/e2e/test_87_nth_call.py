# SPDX-License-Identifier: MIT
"""The n-th allocation, and the n-th system call of each kind, fails.

A scripted conversation (connect, question, stream, second device, cancel,
repeat, history, leave) runs against a server in which one call of one kind
fails, the n-th for a spread of n, or every k-th. Whoever is concerned gets an
error and tries again; then everything that was told must be stored, once, in
order, and nothing else may be called complete.

Small allocations that fail end the process by design (base/xalloc.h), and so
does libuv when the kernel will not watch a descriptor. Then the same must hold
after the next start, and no other end is accepted.

CHATBOX_LONG=1 takes every n and many k: twenty minutes with four workers.
"""

import errno
import os
import re
import signal
import time

import httpx
import pytest
from websockets.exceptions import WebSocketException

from support.answer import Answer
from support.nthcall import ERRORS, ERRORS_AT_START, NthCall
from support.server import provider_env
from support.stored import storage
from support.waiting import PATIENCE, wait_for
from support.ws import Chat, fresh, is_end

pytestmark = pytest.mark.sqlite  # its calls are the ones that fail

LONG = os.environ.get("CHATBOX_LONG") == "1"
SLOW = PATIENCE > 1
VALUES = {"memory": 10 if SLOW else 40}  # of n, spread over all that there are
OTHERS = 2 if SLOW else 6
STARTS = 1 if SLOW else 3  # of n, while a server starts
STARTS_MEMORY = 6 if SLOW else 120  # OpenSSL sets itself up in sixty of 7,000
EVERY = 5
TIMEOUT = (6 * 3600 if LONG else 120) * PATIENCE
STORAGE = ("fcntl", "fstat", "fsync", "ftruncate", "mmap", "open", "pread", "pwrite",
           "stat", "unlink")
GROUPS = {"memory": ("memory",), "storage": STORAGE, "network": tuple(
    name for name in sorted(ERRORS) if name != "memory" and name not in STORAGE)}
SPARE = 4  # connections to the model that are kept for the next question
DESIGNED = {"xalloc.c", "fetch_pool.c"}  # whose checks say that memory is out
SHORT = ["one ", "two ", "three"]
LONG_ANSWER = [f"word{n:05d} " for n in range(300)]
REASONS = {"complete": ("stop",), "cancelled": ("cancelled",),
           "interrupted": ("interrupted", "timeout", "provider_error")}
# What a client may be told when something is short: nothing that says that it
# did wrong.
EXCUSES = {"DATABASE_ERROR", "SERVICE_ERROR", "LLM_UNAVAILABLE", "LLM_TIMEOUT"}
GONE = (OSError, EOFError, WebSocketException, httpx.TransportError)
SETTINGS = {"LLM_CONNECT_TIMEOUT": "2s", "LLM_FIRST_BYTE_TIMEOUT": "4s",
            "LLM_IDLE_TIMEOUT": "4s", "LLM_RETRY_ATTEMPTS": "2"}


class Again(Exception):
    """The conversation was disturbed; whoever insists begins again."""


class Ear:
    """One connection, and what it showed of each answer."""

    def __init__(self, talk, **query):
        self.talk = talk
        self.texts = {}  # answer's id → text
        self.ends = {}  # answer's id → its last frame
        try:
            self.chat = Chat(talk.server, talk.user, first=False, **query)
        except TimeoutError:
            raise AssertionError("neither a WebSocket nor a refusal") from None
        talk.ears.append(self)
        try:
            self.first = self.next()
        except GONE:
            self.chat.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.chat.close()

    def next(self):
        try:
            frame = self.chat.recv(20)
        except TimeoutError:
            raise AssertionError(f"nothing after {self.chat.frames[-5:]}") from None
        if frame["type"] == "ack":
            told = (frame["message_id"], frame["seq"])
            assert self.talk.acks.setdefault(frame["client_id"], told) == told
        elif frame["type"] == "error":
            code = frame["error"]["code"]
            assert code in EXCUSES or code == "NOT_FOUND", frame  # a late cancel
            assert code == "NOT_FOUND" or frame["error"]["recoverable"], frame
        elif frame["type"] == "ai_response":
            self.take_answer(frame)
        return frame

    def take_answer(self, frame):
        key, about = frame["message_id"], frame["metadata"]
        if about.get("snapshot") == "true" or about.get("replay") == "true":
            self.texts[key] = frame["content"]
        else:
            self.texts[key] = self.texts.get(key, "") + frame.get("content", "")
        if about["done"] == "true":
            self.ends[key] = frame

    def hear(self, client_id, cancel=False):
        """Up to the end of the answer to what was asked last."""
        while True:
            frame = self.next()
            question = self.talk.acks.get(client_id, (None,))[0]
            if frame["type"] == "error" and frame["error"]["code"] != "NOT_FOUND":
                raise Again
            if frame["type"] != "ai_response":
                continue
            if is_end(frame) and question and frame["reply_to"] == question:
                return
            if cancel and not is_end(frame):
                self.chat.send("cancel")
                cancel = False


class Talk:
    """One user's conversation, and all that was ever told about it."""

    def __init__(self, server, fake):
        self.server = server
        self.user = fresh("nth")
        self.session = self.epoch = None
        self.texts = {"c-short": fresh("short"), "c-long": fresh("long")}
        fake.when(self.texts["c-short"],
                  Answer(framing="close").role().tokens(*SHORT).finish())
        fake.when(self.texts["c-long"], Answer().tokens(*LONG_ANSWER).finish())
        self.acks = {}  # client_id → (message_id, seq)
        self.ears = []

    def insist(self, tries):
        """The script again until nothing disturbs it; False when it never went."""
        for _ in range(tries):
            if self.server.process.poll() is not None:
                return False
            try:
                self.script()
                return True
            except (Again, *GONE):
                time.sleep(0.01)
        return False

    def script(self):
        with self.connect(device_id="a") as one:
            self.ask(one, "c-short")
            with self.connect(device_id="b", last_seq=0) as two:
                one.chat.say(self.texts["c-long"], client_id="c-long")
                one.hear("c-long", cancel=True)
                two.hear("c-long")
                self.ask(two, "c-short")
                self.read_history()

    def connect(self, **query):
        if self.session is not None:
            query.update(session_id=self.session, epoch=self.epoch)
        ear = Ear(self, **query)
        if ear.first["type"] == "error":
            raise Again
        known = (self.session, self.epoch)
        self.session, self.epoch = ear.first["session_id"], ear.first["epoch"]
        assert not self.acks or known == (self.session, self.epoch)
        return ear

    def ask(self, ear, client_id):
        ear.chat.say(self.texts[client_id], client_id=client_id)
        ear.hear(client_id)

    def stored(self):
        """The answers that were told to be in the log."""
        return {key for ear in self.ears for key, end in ear.ends.items()
                if "seq" in end}

    def read_history(self):
        with self.server.user(self.user) as client:
            for path in ("", "/export?format=json"):
                answer = client.get(f"/sessions/{self.session}{path}")
                if answer.status_code != 200:
                    assert answer.status_code in (500, 503), answer.text
                    raise Again
                assert len(answer.json()["messages"]) == 2 + len(self.stored())


# --- what must be true

def check(server, talk):
    """Acknowledged is stored, once, in order; ended is what was said to be."""
    log = sorted(storage(server).messages(sid=talk.session),
                 key=lambda row: row["seq"] or 0)
    assert [row["seq"] for row in log] == list(range(1, len(log) + 1))
    asked = {row["cid"]: row for row in log if row["sender"] == "user"}
    answers = {row["_id"]: row for row in log if row["sender"] == "ai"}
    assert len(asked) + len(answers) == len(log)
    for client_id, told in talk.acks.items():
        assert (asked[client_id]["_id"], asked[client_id]["seq"]) == told
        assert asked[client_id]["content"] == talk.texts[client_id]
    whole = {asked[client_id]["_id"]: "".join(words) for client_id, words in
             (("c-short", SHORT), ("c-long", LONG_ANSWER)) if client_id in asked}
    assert len({row["replyTo"] for row in answers.values()}) == len(answers)
    for row in answers.values():
        assert row["finish"] in REASONS[row["status"]]
        said = whole[row["replyTo"]]
        assert row["content"] == said if row["status"] == "complete" else (
            said.startswith(row["content"]))
    for ear in talk.ears:
        check_ear(ear, answers)


def check_ear(ear, answers):
    for key, end in ear.ends.items():
        if "seq" in end:
            assert end["seq"] == answers[key]["seq"]
            assert end["finish_reason"] == answers[key]["finish"]
            assert ear.texts[key] == answers[key]["content"]
        else:
            assert end["finish_reason"] == "cancelled" and not ear.texts[key]


def died_as_designed(server, name):
    """Of a small allocation, here or in libuv, or of libuv's watching."""
    server.kill9()  # it is dead already; its last lines are read
    text = server.log_text()
    callers = re.findall(r"^abort called by .*?([^/\n]+)$", text, re.M)
    checks = set(re.findall(r"(\w+\.c):\d+: CHECK failed", text))
    if (server.process.returncode != -signal.SIGABRT or "Sanitizer" in text
            or not callers or not all(c.startswith(("chatbox", "libuv.")) for c in callers)):
        return False
    return checks <= DESIGNED if name == "memory" else (
        name == "epoll_ctl" and not checks)



# --- one sweep

class Sweep:
    """A server whose calls fail; it starts again when it died."""

    def __init__(self, spawn, fake, page):
        self.page, self.fake = page, fake
        self.server = spawn({**provider_env(fake), **SETTINGS, **page.env})
        self.talks = []
        assert self.talk(8), "undisturbed it goes well"
        page.forget()
        assert self.talk(8)
        self.calls = {name: page.seen(name) for name in ERRORS}
        self.descriptors = self.server.descriptors()

    def talk(self, tries):
        self.talks.append(Talk(self.server, self.fake))
        return self.talks[-1].insist(tries)

    def disturb(self, name, error, first, every=0):
        what = f"{name} {first}/{every} fails with {errno.errorcode[error]}"
        aborts = self.aborts()
        self.page.arm(name, error, first, every)
        went = self.talk(1 if every else 8)
        self.page.disarm()
        if self.has_died(aborts):
            assert died_as_designed(self.server, name), (
                f"{what}: exit {self.server.process.returncode}\n{self.server.tail()}")
            self.server.start()
            self.descriptors = 0
        else:
            assert went or every, f"{what}: the conversation did not end"
        self.settle(what)
        check(self.server, self.talks[-1])
        self.descriptors = self.descriptors or self.server.descriptors()

    def aborts(self):
        return self.server.log_text().count("abort called by")

    def has_died(self, aborts):
        """Also when that takes a moment yet, in which its other threads may answer."""
        wait_for(lambda: self.server.process.poll() is not None or is_ready(self.server),
                 20, "an answer, or the end")
        if self.aborts() > aborts:
            wait_for(lambda: self.server.process.poll() is not None, 20, "its end")
        return self.server.process.poll() is not None

    def settle(self, what):
        """Ready again, and nothing half kept, without a restart."""
        wait_for(self.server.is_ready, 10,
                 f"ready again after: {what}")
        wait_for(lambda: not storage(self.server).messages(seq=None), 10,
                 f"no unfinished answer after: {what}")
        assert self.talks[-1].insist(3), f"not usable after: {what}"

    def end(self):
        """Nothing leaked, and after a restart all is as it was."""
        wait_for(lambda: self.server.descriptors() <= self.descriptors + SPARE, 10,
                 "the descriptors are given back")
        self.server.stop()
        self.server.start()
        for talk in self.talks:
            check(self.server, talk)
        storage(self.server).whole()


def is_ready(server):
    try:
        return server.http.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def came_up(server):
    return server.process.returncode == 0 and server.logged("stop")


def says_why(server):
    return server.process.returncode == 1 and server.logged("start_failed")


def spread(calls, most):
    """At most `most` of 1 … calls, evenly, with both ends."""
    if LONG or calls <= most:
        return list(range(1, calls + 1))
    if most == 1:
        return [1 + calls // 2]
    return sorted({1 + round(i * (calls - 1) / (most - 1)) for i in range(most)})


def each_error(values, errors):
    """Each value with one of the errors in turn; in the long form with all."""
    for i, n in enumerate(values):
        for error in errors if LONG else [errors[i % len(errors)]]:
            yield n, error


@pytest.fixture
def page(tmp_path):
    return NthCall(tmp_path / "page")


@pytest.mark.timeout(TIMEOUT)
@pytest.mark.parametrize("group", GROUPS)
def test_the_nth_call_fails(spawn, fake, page, group):
    sweep = Sweep(spawn, fake, page)
    for name in GROUPS[group]:
        values = spread(sweep.calls[name], VALUES.get(name, OTHERS))
        for n, error in each_error(values, ERRORS[name]):
            sweep.disturb(name, error, n)
    sweep.end()


@pytest.mark.timeout(TIMEOUT)
@pytest.mark.parametrize("group", GROUPS)
def test_every_kth_call_fails(spawn, fake, page, group):
    sweep = Sweep(spawn, fake, page)
    for name in GROUPS[group]:
        for k, error in each_error(range(2, 50) if LONG else [EVERY], ERRORS[name]):
            sweep.disturb(name, error, k, k)
    sweep.end()


def start_with(server, page, name, error, first):
    page.arm(name, error, first)
    server.start(wait=False)
    wait_for(lambda: server.process.poll() is not None or is_ready(server), 15,
             "a start or an end")
    page.disarm()
    if server.process.poll() is None:
        server.signal(signal.SIGTERM)  # it may still be dying: of two shards one
    if server.process.wait(20 * PATIENCE) >= 0:
        server.wait_exit(None)
    assert came_up(server) or says_why(server) or died_as_designed(server, name), (
        f"{name} {first} fails with {errno.errorcode[error]}: exit "
        f"{server.process.returncode}\n{server.tail()}")


@pytest.mark.timeout(TIMEOUT)
def test_a_start_with_a_failing_call_comes_up_or_says_why(spawn, fake, page, tmp_path):
    # OpenSSL, setting itself up without some of its memory, leaks.
    (tmp_path / "known").write_text("leak:libcrypto.so\n")
    known = f"suppressions={tmp_path}/known:print_suppressions=0"
    server = spawn({**provider_env(fake), **SETTINGS, **page.env,
                    "LSAN_OPTIONS": known})
    calls = {name: page.seen(name) for name in ERRORS_AT_START}
    server.stop()
    for name, errors in ERRORS_AT_START.items():
        values = spread(calls[name], STARTS_MEMORY if name == "memory" else STARTS)
        for n, error in each_error(values, errors):
            start_with(server, page, name, error, n)
    server.start()
