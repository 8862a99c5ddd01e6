# SPDX-License-Identifier: MIT
"""Clients that talk while the database fails, and what must be true after it.

A talker sends its messages one after the other. To each it waits for one answer:
an acknowledgement, which it takes for a promise, or an error, after which it sends
the same message again or gives it up. `judge` compares what all were told with what
another driver finds in the database.
"""

import collections
import threading
import time

from websockets.exceptions import ConnectionClosed

from .waiting import PATIENCE, wait_for
from .ws import Chat, fresh

GONE = (ConnectionClosed, OSError, EOFError, TimeoutError)
UNKNOWN = "Whether a message is stored was not learned in time."


PATIENT = {"serverSelectionTimeoutMS": round(8000 * PATIENCE)}


def settings(database, name, host=None, **options):
    """Of a server on this database, by way of a proxy's host. Its waits are short, so
    that a fault of each kind costs seconds at most; pauses are longer than nothing.
    After a connection was cut the driver takes half a second at least to find the
    database again: who is never away from it had better have PATIENT among the
    options."""
    options = {"appName": name, "socketTimeoutMS": round(2000 * PATIENCE),
               "connectTimeoutMS": round(2000 * PATIENCE),
               "serverSelectionTimeoutMS": round(1000 * PATIENCE), **options}
    return {"STORE": "mongo", "MONGO_URI": database.uri(host, **options),
            "MONGO_DATABASE": name, "MONGO_CONNECT_TIMEOUT": f"{10 * PATIENCE:g}s",
            "MONGO_RETRY_DELAY": "20ms", "MONGO_RETRY_MAX_DELAY": "200ms"}


def holder(stored):
    """Who has the database."""
    return stored.meta.find_one({"_id": "server"})


def somebody(stored, **members):
    """Puts down that a server of another machine has the database."""
    stored.meta.replace_one({"_id": "server"}, {
        "holder": "f" * 32, "host": "elsewhere", "place": "another boot", "pid": 4711,
        "start": 1, "beat": 1, **members}, upsert=True)


def is_fate(frame):
    """What becomes of a message; an answer's error names the answer."""
    return "client_id" in frame and (frame["type"] == "ack" or (
        frame["type"] == "error" and "message_id" not in frame))


def is_question(command):
    """Of an insert."""
    return command["insert"] == "messages" and command["documents"][0]["sender"] == "user"


class Talker:
    """One client; `acks` and `errors` are what it was told."""

    def __init__(self, server, dice):
        self.server, self.dice = server, dice
        self.user = fresh("talker")
        self.chat = self.session = self.failure = None
        self.sent = []  # client_ids, in the order of their first sending
        self.acks = {}  # client_id: (message_id, seq)
        self.errors = {}  # client_id: how often
        self.fates = 0  # acknowledgements and errors
        self.said = collections.Counter()  # client_id: how often it went out
        self.told = collections.Counter()  # client_id: fates, also those nobody waited for
        self.cut = False  # a connection ended before a fate

    @staticmethod
    def text(client_id):
        return f"What about {client_id}?"

    def run(self, count, stubborn):
        """So many messages; a stubborn one gives none up."""
        try:
            for _ in range(count):
                if stubborn:
                    self.insist()
                else:
                    self.tell(self.dice.choice((1, 1, 2, 4)))
        except Exception as failure:  # noqa: BLE001 (raised by whoever joins)
            self.failure = failure
        finally:
            self.leave()

    def tell(self, tries):
        """One new message, sent at most so often."""
        client_id = f"{self.user}.{len(self.sent)}"
        self.sent.append(client_id)
        for _ in range(tries):
            if self.say(client_id):
                return True
        return False

    def insist(self, patience=60):
        """One new message, sent until it is acknowledged."""
        client_id = f"{self.user}.{len(self.sent)}"
        self.sent.append(client_id)
        wait_for(lambda: self.say(client_id), patience, f"{client_id} is acknowledged")

    def say(self, client_id):
        """Whether it was acknowledged; a connection that ends says no."""
        try:
            self.connect()
            self.said[client_id] += 1
            self.chat.say(self.text(client_id), client_id=client_id)
            fate = self.chat.get(lambda one: one.get("client_id") == client_id
                                 and is_fate(one), 60)
            self.fates += 1
            if fate["type"] == "error":
                assert fate["error"]["code"] == "DATABASE_ERROR", fate
                assert fate["error"]["recoverable"], fate
                self.errors[client_id] = self.errors.get(client_id, 0) + 1
                time.sleep(self.dice.uniform(0, 0.5))  # as one who is asked to wait
                return False
            promise = (fate["message_id"], fate["seq"])
            assert self.acks.setdefault(client_id, promise) == promise
            self.listen()
        except GONE:
            self.cut = True
            self.leave()
        return client_id in self.acks

    def listen(self):
        """To the end of the turn, whichever it is; an earlier answer may come late."""
        key = None
        while True:
            frame = self.chat.get(lambda one: True, 60)
            if frame["type"] == "loading":
                key = frame["message_id"]
            done = frame.get("metadata", {}).get("done") == "true"
            if frame["type"] == "error" or (done and (
                    frame["message_id"] == key or key is None)):
                return

    def connect(self):
        """To the same session; a server that cannot read says so and closes."""
        deadline = time.monotonic() + 60 * PATIENCE
        while self.chat is None:
            try:
                chat = Chat(self.server, self.user, first=False,
                            session_id=self.session or "new")
                hello = chat.recv(60)
                if hello["type"] == "connection_status":
                    assert self.session in (None, hello["session_id"]) or not self.acks
                    self.chat, self.session = chat, hello["session_id"]
                    return
                assert hello["error"]["code"] == "DATABASE_ERROR", hello
                chat.close()
            except GONE:
                pass
            assert time.monotonic() < deadline, "no connection"
            time.sleep(0.02)  # not to knock without a pause

    def leave(self):
        if self.chat is not None:
            self.told.update(frame["client_id"] for frame in self.chat.frames
                             if is_fate(frame))
            try:
                self.chat.close()
            except GONE:
                pass
            self.chat = None


class Crowd:
    """Talkers, each in a thread of its own."""

    def __init__(self, server, dice, size):
        self.server = server
        self.talkers = [Talker(server, dice) for _ in range(size)]
        self.threads = []

    def start(self, count, stubborn=False):
        self.threads = [threading.Thread(target=one.run, args=(count, stubborn))
                        for one in self.talkers]
        for thread in self.threads:
            thread.start()

    def talking(self):
        return any(thread.is_alive() for thread in self.threads)

    def told(self):
        return sum(one.fates for one in self.talkers)

    def acked(self):
        return sum(len(one.acks) for one in self.talkers)

    def join(self, patience=600):
        for thread in self.threads:
            thread.join(patience * PATIENCE)
            assert not thread.is_alive(), "a talker waits for ever"
        for one in self.talkers:
            if one.failure:
                raise one.failure

    def insist(self):
        """When all is well again everybody gets one more message through."""
        for one in self.talkers:
            one.insist()
            one.leave()

    def judge(self, stored):
        """stored: the database, as another driver has it."""
        for one in self.talkers:
            judge(self.server, one, stored)


def judge(server, one, stored):
    """Acknowledged ⊆ stored, each once and in order, and nobody was told a lie."""
    log = list(stored.messages.find({"sid": one.session, "seq": {"$exists": True}})
               .sort("seq"))
    assert [row["seq"] for row in log] == list(range(1, len(log) + 1))
    asked = {row["cid"]: row for row in log if row["sender"] == "user"}
    assert len(asked) == sum(row["sender"] == "user" for row in log)
    for client_id, promise in one.acks.items():
        row = asked[client_id]
        assert (row["_id"], row["seq"]) == promise
        assert row["content"] == one.text(client_id)
    assert list(asked) == [client_id for client_id in one.sent if client_id in asked]
    for client_id in set(asked) - set(one.acks):  # only if nobody could know
        assert server.logged("store_error", msg=UNKNOWN, message_id=asked[client_id]["_id"])
    assert set(one.sent) == set(one.acks) | set(one.errors)
    assert one.told <= one.said if one.cut else one.told == one.said
    answers = [row["replyTo"] for row in log if row["sender"] == "ai"]
    assert len(set(answers)) == len(answers)
    wait_for(lambda: counted(stored, one.session) == (len(log), len(log)), 20,
             f"the session counts {len(log)} messages")


def counted(stored, sid):
    session = stored.sessions.find_one({"_id": sid})
    return session["seq"], session["msgCount"]
