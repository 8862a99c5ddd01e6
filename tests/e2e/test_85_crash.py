# SPDX-License-Identifier: MIT
"""Death at random moments, and what must be true after it (protocol.md 2.6).

Eight clients talk, several questions at a time, with short, long and endless
answers that some of them cancel; then the server gets SIGKILL and starts again
on the same folder. What the clients were told is compared with the HTTP
interface and with the database itself, as another program reads it. The
sessions go on from round to round, for twenty rounds on one database.

CHATBOX_CRASH_ROUNDS sets how many in all (5), CHATBOX_CRASH_SEED the dice.
"""

import os
import random
import threading
import time

import pytest
from websockets.exceptions import ConnectionClosed

from support.answer import Answer
from support.fakellm import FakeLLM
from support.server import provider_env
from support.stored import storage
from support.transcript import transcript
from support.waiting import PATIENCE, wait_for
from support.ws import Chat, fresh

CLIENTS = 8
ROUNDS = int(os.environ.get("CHATBOX_CRASH_ROUNDS", "5"))
SEED = os.environ.get("CHATBOX_CRASH_SEED", str(random.SystemRandom().random()))
BLOCK = 20
BLOCKS = [(at, min(BLOCK, ROUNDS - at)) for at in range(0, ROUNDS, BLOCK)]
UNSAVED = 2048  # bytes of an answer that a crash may take
REASONS = {"complete": ("stop", "length", "content_filter"), "cancelled": ("cancelled",),
           "interrupted": ("interrupted", "timeout", "provider_error")}


def words(count):
    return [f"w{n:04d}." for n in range(count)]


def random_answer(dice):
    """Short, long, in great haste, or without an end until it is cancelled."""
    kind = dice.random()
    if kind < 0.5:
        return Answer().tokens("Hello", " from", " the", " model.").finish()
    if kind < 0.7:
        return Answer().tokens(*words(400)).finish()
    if kind < 0.8:
        return Answer().tokens("".join(words(3000))).finish()
    return Answer().trickle("and so on, ", 0.004)


class Talker:
    """One client: its conversation, and all that it was ever told about it."""

    def __init__(self, dice):
        self.dice = dice
        self.user = fresh("crash")
        self.session = None
        self.sent = {}  # client_id → text
        self.acks = {}  # client_id → (message_id, seq)
        self.texts = {}  # answer's id → what was shown of it
        self.ends = {}  # answer's id → the frame that ended it
        self.open = []  # client_ids of questions without an end
        self.seqs = []
        self.failure = None

    # --- talking

    def run(self, server, stop):
        try:
            with Chat(server, self.user, session_id=self.session or "new") as chat:
                assert chat.session == self.session or not self.acks
                self.session = chat.session
                while not stop.is_set():
                    self.talk(chat)
        except (ConnectionClosed, OSError, EOFError):
            return
        except Exception as failure:  # noqa: BLE001 (told by the main thread)
            self.failure = failure

    def talk(self, chat):
        for _ in range(self.dice.choice((1, 1, 2, 3))):
            self.ask(chat, fresh("c"))
        patience = self.dice.randint(5, 60)  # deltas until "cancel"
        while self.open:
            frame = chat.recv(30)
            self.take(frame)
            patience -= frame["type"] == "ai_response"
            if patience == 0:
                chat.send("cancel")
                patience = self.dice.randint(5, 60)

    def ask(self, chat, client_id):
        self.sent.setdefault(client_id, f"What about {client_id}?")
        self.open.append(client_id)
        chat.say(self.sent[client_id], client_id=client_id)

    # --- listening

    def take(self, frame):
        if "seq" in frame:
            self.seqs.append(frame["seq"])
        if frame["type"] == "ack":
            known = (frame["message_id"], frame["seq"])
            assert self.acks.setdefault(frame["client_id"], known) == known
        elif frame["type"] == "ai_response":
            self.take_answer(frame)
        elif frame["type"] == "error":
            assert frame["error"]["code"] == "NOT_FOUND", frame  # a late cancel

    def take_answer(self, frame):
        key, about = frame["message_id"], frame["metadata"]
        if about.get("snapshot") == "true" or about.get("replay") == "true":
            self.texts[key] = frame["content"]
        else:
            self.texts[key] = self.texts.get(key, "") + frame.get("content", "")
        if about["done"] == "true":
            assert self.ends.setdefault(key, frame).get("seq") == frame.get("seq")
            self.open.pop(0)


def kill_in_the_middle(server, talkers, dice):
    """All talk for a while; then the server dies."""
    stop = threading.Event()
    threads = [threading.Thread(target=one.run, args=(server, stop)) for one in talkers]
    before = sum(len(one.acks) for one in talkers)
    for thread in threads:
        thread.start()
    wait_for(lambda: sum(len(one.acks) for one in talkers) >= before + CLIENTS, 20,
             "the clients are busy")
    time.sleep(dice.uniform(0, 0.8) * PATIENCE)
    server.kill9()
    stop.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    for one in talkers:
        if one.failure:
            raise one.failure


# --- what must be true

def stored_messages(server, one):
    """As another program sees the database."""
    return sorted(storage(server).messages(sid=one.session), key=lambda row: row["seq"] or 0)


def over_http(server, one):
    """The whole log, page by page."""
    with server.user(one.user) as client:
        return transcript(client, f"/sessions/{one.session}", limit=50)


def check_numbers(server, one, log):
    assert [row["seq"] for row in log] == list(range(1, len(log) + 1))
    session = storage(server).session(one.session)
    assert session["seq"] == session["msgCount"] == len(log)
    assert session["uid"] == one.user
    assert [m["message_id"] for m in over_http(server, one)] == [r["_id"] for r in log]
    assert max(one.seqs, default=0) <= len(log)


def check_questions(one, log):
    asked = [row for row in log if row["sender"] == "user"]
    by_client_id = {row["cid"]: row for row in asked}
    assert len(by_client_id) == len(asked)
    for client_id, (message_id, seq) in one.acks.items():
        row = by_client_id[client_id]
        assert (row["_id"], row["seq"]) == (message_id, seq)
        assert row["content"] == one.sent[client_id] and row["status"] == "complete"
    order = [client_id for client_id in one.sent if client_id in by_client_id]
    assert [row["cid"] for row in asked] == order


def check_answers(one, log):
    by_id = {row["_id"]: row for row in log}
    answers = [row for row in log if row["sender"] == "ai"]
    for row in answers:
        assert by_id[row["replyTo"]]["seq"] < row["seq"]
        assert row["finish"] in REASONS[row["status"]]
        check_text(row, one.texts.get(row["_id"], ""))
    assert len({row["replyTo"] for row in answers}) == len(answers)
    for key, end in one.ends.items():
        if "seq" in end:
            row = by_id[key]
            assert row["content"] == one.texts[key] and row["seq"] == end["seq"]
            assert row["finish"] == end["finish_reason"]
    for key, text in one.texts.items():
        assert key in by_id or len(text) <= UNSAVED


def check_text(row, seen):
    content = row["content"]
    if row["finish"] == "interrupted":
        assert content.startswith(seen) or seen.startswith(content)
        assert len(seen) - len(content) <= UNSAVED
    else:
        assert content.startswith(seen)


def check_log(server, one):
    log = stored_messages(server, one)
    if not log:
        assert not one.acks
        return
    check_numbers(server, one, log)
    check_questions(one, log)
    check_answers(one, log)


def check_repeats(server, model, one):
    """Sends the questions of the crash again, all of them twice."""
    if one.session is None:
        return  # the server died while it was connecting
    again = [*one.open, *[c for c in one.acks if c not in one.open][-3:]]
    old = {row["cid"]: row["_id"] for row in stored_messages(server, one)}
    answered = {row["replyTo"] for row in stored_messages(server, one)} - {None}
    counts = {client_id: len(model.asked(one.sent[client_id])) for client_id in again}
    one.open.clear()
    with Chat(server, one.user, session_id=one.session) as chat:
        assert chat.session == one.session or not old  # told, but nothing said in it
        one.session = chat.session
        for client_id in again * 2:
            one.ask(chat, client_id)
            while one.open:
                frame = chat.recv(30)
                one.take(frame)
                if frame["type"] == "ai_response" and len(
                        one.texts[frame["message_id"]]) % 7 == 0:
                    chat.send("cancel")
    for client_id in again:
        known = old.get(client_id)
        assert known is None or one.acks[client_id][0] == known
        more = len(model.asked(one.sent[client_id])) - counts[client_id]
        assert more == (0 if known in answered else 1)


@pytest.fixture
def model():
    """Its own, as it answers everything by the dice."""
    one = FakeLLM()
    yield one
    one.close()


@pytest.mark.timeout(60 + 20 * BLOCK * int(PATIENCE))
@pytest.mark.parametrize(("first", "rounds"), BLOCKS)
def test_nothing_acknowledged_is_lost_by_death_at_random_moments(spawn, model, first,
                                                                 rounds):
    print(f"CHATBOX_CRASH_SEED={SEED}")
    dice = random.Random(f"{SEED} {first}")
    model.default = lambda: random_answer(dice)
    server = spawn(provider_env(model))
    talkers = [Talker(random.Random(dice.random())) for _ in range(CLIENTS)]
    ready = []
    for _ in range(rounds):
        kill_in_the_middle(server, talkers, dice)
        began = time.monotonic()
        server.start()
        ready.append(time.monotonic() - began)
        assert storage(server).messages(seq=None) == []
        for one in talkers:
            check_log(server, one)
            check_repeats(server, model, one)
            check_log(server, one)
    storage(server).whole()
    print(f"{rounds} deaths, {sum(len(one.acks) for one in talkers)} questions "
          f"acknowledged, ready again after {max(ready):.2f} s at most")
