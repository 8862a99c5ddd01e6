# SPDX-License-Identifier: MIT
"""Any sequence of connect, send, repeat, cancel, drop, resume, second device
and restart, tried on the real program. Whatever happened, in the end every
device shows what is stored, numbers have no gaps, each client_id is there
once, and each turn has ended once.

CHATBOX_CONVERSATIONS is how many sequences are tried (1000); in a tenth of
them the server is stopped and killed (test_conversation_restarts.py).
"""

import os
import pathlib
import sqlite3
import sys

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import (RuleBasedStateMachine, initialize, precondition,
                                 rule, run_state_machine_as_test)
from websockets.exceptions import ConnectionClosed

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from support.answer import Answer  # noqa: E402
from support.fakellm import FakeLLM  # noqa: E402
from support.server import Server, provider_env  # noqa: E402
from support.waiting import PATIENCE, wait_for  # noqa: E402
from support.ws import Chat, fresh  # noqa: E402

CONVERSATIONS = int(os.environ.get("CHATBOX_CONVERSATIONS", "1000"))
UNSAVED = 2048  # bytes of an answer that a crash may take
# A late cancel; a stop before any text; a full queue.
HARMLESS = {"NOT_FOUND", "SERVICE_ERROR"}
GONE = (ConnectionClosed, OSError, EOFError)
DEVICES = ("phone", "tablet", "desk")


class Device:
    """A client with a memory: what it shows is `log` and `texts`."""

    def __init__(self, name, talk):
        self.name, self.talk = name, talk
        self.chat = None
        self.last_seq = 0
        self.log = {}  # seq → (message_id, text)
        self.texts = {}  # answer's id → text so far
        self.ended = {}  # answer's id → ends seen live
        self.replies = set()  # questions whose answer has ended, replayed or not
        self.errors = 0

    def connect(self):
        known = {"session_id": self.talk.session, "last_seq": self.last_seq,
                 "epoch": self.talk.epoch} if self.talk.session else {
                     "session_id": "new"}
        chat = Chat(self.talk.server, self.talk.user, device_id=self.name, **known)
        if self.talk.session:
            assert chat.session == self.talk.session
            assert chat.hello["epoch"] == self.talk.epoch
            assert chat.hello["resumed"] is True
        else:
            self.talk.session, self.talk.epoch = chat.session, chat.hello["epoch"]
        self.chat = chat

    def read(self):
        """Everything that is on its way; False when the connection is over."""
        try:
            for frame in self.chat.quiet():
                self.take(frame)
        except GONE:
            self.chat = None
        return self.chat is not None

    def read_to_the_end(self):
        """Until the server has closed."""
        try:
            while True:
                self.take(self.chat.recv())
        except ConnectionClosed as end:
            self.chat = None
            return end.rcvd.code if end.rcvd else None

    def take(self, frame):
        kind = frame["type"]
        if kind == "ack":
            known = self.talk.acks.setdefault(frame["client_id"], frame["message_id"])
            assert known == frame["message_id"]
            self.keep(frame, self.talk.sent[frame["client_id"]])
        elif kind == "user_message":
            self.keep(frame, frame["content"])
        elif kind == "ai_response":
            self.take_answer(frame)
        elif kind == "error":
            assert frame["error"]["code"] in HARMLESS, frame
            self.errors += 1

    def take_answer(self, frame):
        key, about = frame["message_id"], frame["metadata"]
        whole = about.get("snapshot") == "true" or about.get("replay") == "true"
        text = frame.get("content", "")
        self.texts[key] = text if whole else self.texts.get(key, "") + text
        if about["done"] != "true":
            return
        if about.get("replay") != "true":
            assert key not in self.ended, "a turn ends once"
            self.ended[key] = frame
        if "seq" in frame:
            self.keep(frame, self.texts[key])
        if "reply_to" in frame:
            self.replies.add(frame["reply_to"])

    def keep(self, frame, text):
        """An event with a number: the same one means the same for ever."""
        event = (frame["message_id"], text)
        assert self.log.setdefault(frame["seq"], event) == event
        while self.last_seq + 1 in self.log:
            self.last_seq += 1


class Conversation(RuleBasedStateMachine):
    server = model = None
    most_restarts = 0

    def __init__(self):
        super().__init__()
        self.user = fresh("talk")
        self.session = self.epoch = None
        self.sent, self.acks = {}, {}  # client_id → text, message_id
        self.gates = set()
        self.devices = {name: Device(name, self) for name in DEVICES}
        self.restarts = 0

    def online(self):
        return [one for one in self.devices.values() if one.chat]

    @initialize()
    def begin(self):
        one = self.devices["phone"]
        one.connect()
        self.say(one, "first", "Hello?")
        wait_for(lambda: one.read() and one.ended, 10, "the first answer")

    def say(self, device, client_id, text):
        self.sent[client_id] = text
        try:
            device.chat.say(text, client_id=client_id)
        except GONE:
            device.chat = None

    @rule(name=st.sampled_from(DEVICES))
    def connect_or_replace(self, name):
        """Resume; also while the same device is still connected."""
        one = self.devices[name]
        old = one.chat if one.chat and one.read() else None
        one.connect()
        if old:
            assert old.closed() == 4409
        one.read()

    @precondition(online)
    @rule(pick=st.integers(0, 2), halves=st.lists(st.integers(1, 60), min_size=2,
                                                  max_size=2), gated=st.booleans())
    def send(self, pick, halves, gated):
        one = self.online()[pick % len(self.online())]
        client_id = fresh("c")
        text = f"What about {client_id}?"
        answer = Answer().tokens(*[f"w{n}é " for n in range(halves[0])])
        if gated:
            self.gates.add(text)
            answer.gate(text)
        self.model.when(text, answer.tokens(
            *[f"漢{n}." for n in range(halves[1])]).finish())
        self.say(one, client_id, text)

    @precondition(online)
    @rule(pick=st.integers(0, 2), which=st.integers(0, 99))
    def repeat(self, pick, which):
        one = self.online()[pick % len(self.online())]
        client_id = list(self.sent)[which % len(self.sent)]
        self.say(one, client_id, self.sent[client_id])

    @precondition(online)
    @rule(pick=st.integers(0, 2))
    def cancel(self, pick):
        one = self.online()[pick % len(self.online())]
        try:
            one.chat.send("cancel")
        except GONE:
            one.chat = None

    @precondition(online)
    @rule(pick=st.integers(0, 2))
    def listen(self, pick):
        self.online()[pick % len(self.online())].read()

    @precondition(online)
    @rule(pick=st.integers(0, 2), politely=st.booleans())
    def drop(self, pick, politely):
        one = self.online()[pick % len(self.online())]
        chat, one.chat = one.chat, None
        chat.close() if politely else chat.drop()

    @precondition(lambda self: self.gates)
    @rule()
    def let_the_model_go_on(self):
        self.model.open(self.gates.pop())

    @precondition(lambda self: self.restarts < self.most_restarts)
    @rule(kill=st.booleans())
    def restart(self, kill):
        self.restarts += 1
        if kill:
            self.server.kill9()
        else:
            self.server.signal(15)
            self.server.stop(expect=None)
        for one in self.online():
            one.read_to_the_end()
        self.server.start()

    # --- the end

    def teardown(self):
        try:
            if self.session:
                self.settle()
                self.judge()
        finally:
            for one in self.online():
                one.chat.close()

    def settle(self):
        """All that was ever asked has its answer; all devices have resumed."""
        for gate in self.gates:
            self.model.open(gate)
        for one in self.devices.values():
            if not one.chat or not one.read():
                one.connect()
        for client_id in self.sent:
            wait_for(lambda: self.answered(self.devices["phone"], client_id), 20,
                     f"an answer to {client_id}")
        for one in self.devices.values():
            one.read()

    def answered(self, one, client_id):
        """Ask once more; False when it was refused, as the queue was full."""
        one.replies.clear()
        before = one.errors
        self.say(one, client_id, self.sent[client_id])
        wait_for(lambda: not one.read() or one.errors > before or
                 self.acks.get(client_id) in one.replies, 20, "an answer or an error")
        return self.acks.get(client_id) in one.replies

    def judge(self):
        with sqlite3.connect(f"file:{self.server.data}/chatbox.db?mode=ro",
                             uri=True) as db:
            db.row_factory = sqlite3.Row
            rows = db.execute("SELECT * FROM messages WHERE sid=? ORDER BY seq",
                              [self.session]).fetchall()
        assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
        stored = {row["seq"]: (row["_id"], row["content"]) for row in rows}
        asked = [row for row in rows if row["sender"] == "user"]
        assert sorted(row["cid"] for row in asked) == sorted(self.sent)
        assert all(row["content"] == self.sent[row["cid"]] and
                   row["_id"] == self.acks[row["cid"]] for row in asked)
        replies = [row["replyTo"] for row in rows if row["sender"] == "ai"]
        assert len(replies) == len(set(replies))
        for one in self.devices.values():
            assert one.log == stored, one.name
            for key, text in one.texts.items():
                shown = dict(stored.values()).get(key)
                assert shown == text or shown is None and len(text) <= UNSAVED


def converse(kind, count):
    """Tries so many conversations on a server of their own."""
    kind.model = FakeLLM()
    kind.server = Server({**provider_env(kind.model), "SHUTDOWN_TIMEOUT": "1s"})
    try:
        run_state_machine_as_test(kind, settings=settings(
            max_examples=count, stateful_step_count=30, deadline=None,
            print_blob=True, suppress_health_check=list(HealthCheck)))
        kind.server.stop(expect=0)
    finally:
        kind.server.close()
        kind.model.close()
