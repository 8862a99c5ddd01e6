# SPDX-License-Identifier: MIT
"""Many at once on four shards: what must never happen is a race, a crash, or
something left behind. Written for ThreadSanitizer, and true without it.
"""

import os
import random
import resource
import signal
import socket
import threading
import time

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from support.answer import Answer
from support.fakellm import FakeLLM
from support.rawhttp import RawConn
from support.server import provider_env
from support.tokens import token
from support.transcript import transcript
from support.waiting import PATIENCE, wait_for
from support.ws import Chat, fresh, upgrade

FOUR = {"SERVER_THREADS": "4"}
STOPS = int(os.environ.get("CHATBOX_HAMMER_STOPS", "4"))


def together(*jobs):
    """Runs all at once, to their ends; the first failure is raised here."""
    failures = []

    def run(job):
        try:
            job()
        except Exception as failure:  # noqa: BLE001 (raised below)
            failures.append(failure)
    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@pytest.fixture
def endless():
    """A model that talks until it is stopped."""
    model = FakeLLM()
    model.default = lambda: Answer().trickle("and so on ", 0.005)
    yield model
    model.close()


def left_alone(server, sockets=0):
    """Nothing runs, nobody is connected."""
    wait_for(lambda: server.metric("chatbox_websocket_connections_total") == sockets,
             10, "all sockets are gone")


def test_origins_are_replaced_while_upgrades_are_judged(spawn, fake, tmp_path):
    """Req 13.1, 13.2, 13.3, 13.4, 13.5, Property 14: on all shards at the same time."""
    path = tmp_path / "chatbox.yaml"
    always, never = "https://always.example", "https://never.example"
    lists = [f"['https://one.example', '{always}']",
             f"['{always}', 'https://one.example', 'https://two.example']",
             f"['{always}']"]

    def write(text):
        path.with_suffix(".new").write_text(f"ws:\n  allowed_origins: {text}\n")
        path.with_suffix(".new").rename(path)
    write(lists[0])
    server = spawn({**provider_env(fake), **FOUR, "CHATBOX_CONFIG": str(path)})
    seen, sure = [], []

    def judge():
        for n in range(30):
            origin = ("https://one.example", "https://two.example", always, never)[n % 4]
            (seen if n % 4 < 2 else sure).append(
                (upgrade(server, headers={"Origin": origin}).status, origin))

    def replace():
        for n in range(30):
            write(lists[n % 3])
            server.signal(signal.SIGHUP)
            upgrade(server)
    together(replace, *[judge] * 6)
    assert {status for status, _ in seen} <= {101, 403} and len(seen) == 6 * 16
    assert set(sure) == {(101, always), (403, never)}, "no check sees half a list"
    write(lists[1])
    server.signal(signal.SIGHUP)
    wait_for(lambda: upgrade(server, headers={"Origin": "https://two.example"}).status
             == 101, 10, "the last list holds")
    left_alone(server)


def test_the_limit_of_a_user_holds_while_connections_come_and_go(spawn, fake):
    """Req 14.1, 14.2, 14.4, 14.5: notifications while the list of connections changes."""
    server = spawn({**provider_env(fake), **FOUR, "MAX_CONNECTIONS_PER_USER": "5"})
    users = [fresh("crowd") for _ in range(3)]
    refused = []

    def come_and_go(dice):
        mine = []
        for _ in range(40):
            try:
                mine.append(Chat(server, dice.choice(users)))
            except InvalidStatus as refusal:
                assert refusal.response.status_code == 429
                refused.append(refusal)
            if mine and dice.random() < 0.6:
                one = mine.pop(dice.randrange(len(mine)))
                one.drop() if dice.random() < 0.5 else one.close()
        for one in mine:
            one.close()
    together(*[lambda n=n: come_and_go(random.Random(n)) for n in range(6)])
    assert refused
    left_alone(server)
    chats = [Chat(server, users[0]) for _ in range(5)]
    with pytest.raises(InvalidStatus):
        Chat(server, users[0])
    for one in chats:
        assert one.get("notification")["metadata"]["event"] == "connection_limit"
        one.close()


def test_keep_alive_connections_serve_one_user_after_the_other(spawn, fake):
    """Req 4.4, 4.5: each request may belong to another user, on another shard."""
    server = spawn({**provider_env(fake), **FOUR})
    users = [fresh("tenant") for _ in range(20)]

    def visit(dice):
        with server.client() as client:
            for _ in range(60):
                user = dice.choice(users)
                head = {"Authorization": f"Bearer {token(user)}"}
                if dice.random() < 0.3:
                    item = client.post("/sessions", json={"name": user}, headers=head)
                    assert item.json()["user_id"] == user
                page = client.get("/sessions", headers=head).json()
                assert page["user_id"] == user
                assert {item["name"] for item in page["sessions"]} <= {user}

    def pipeline(dice):
        asked = [dice.choice(users) for _ in range(40)]
        with RawConn(server) as conn:
            conn.send("".join(
                f"GET /chatbox/sessions HTTP/1.1\r\nHost: x\r\n"
                f"Authorization: Bearer {token(user)}\r\n\r\n" for user in asked))
            answers = [conn.read_response().json()["user_id"] for _ in asked]
        assert answers == asked
    together(*[lambda n=n: visit(random.Random(n)) for n in range(5)],
             *[lambda n=n: pipeline(random.Random(n)) for n in range(3)])


def test_sessions_are_deleted_while_they_stream(spawn, endless):
    """Req 3.2, 4.2, 4.4, 10.5."""
    server = spawn({**provider_env(endless), **FOUR})

    def delete(n):
        for _ in range(5):
            user = fresh("gone")
            with Chat(server, user) as one, server.user(user) as client:
                one.say(fresh("q"), client_id="c-1")
                if n % 2:
                    one.get("ai_response")
                else:
                    one.get("ack")
                with Chat(server, user, session_id=one.session) as two:
                    assert client.delete(f"/sessions/{one.session}").status_code == 204
                    assert one.closed() == 4410 and two.closed() == 4410
                assert client.get(f"/sessions/{one.session}").status_code == 404
    together(*[lambda n=n: delete(n) for n in range(6)])
    left_alone(server)
    wait_for(lambda: all(r.closed.is_set() for r in endless.requests), 10,
             "no request to the model is left")


def storm(server, user, session, dice):
    """One connection of many: whatever comes to its mind."""
    with Chat(server, user, session_id=session) as chat:
        for _ in range(40):
            kind = dice.random()
            if kind < 0.35:
                chat.say(fresh("q"), client_id=dice.choice(("a", "b", "c", fresh("c"))))
            elif kind < 0.6:
                chat.send("cancel")
            elif kind < 0.75:
                answers = [f["message_id"] for f in chat.frames
                           if f["type"] in ("ai_response", "ack") and "message_id" in f]
                chat.send("regenerate", message_id=dice.choice(answers or ["0" * 32]))
            elif kind < 0.85:
                chat.send("model_select", model_id="fake")
            elif kind < 0.95:
                chat.send("typing_indicator")
            else:
                chat.drop()
                return
            if dice.random() < 0.5:
                chat.quiet()


def test_storms_of_cancel_and_regenerate_leave_a_log_in_order(spawn, endless):
    """Req 4.1, 4.4, 10.5."""
    server = spawn({**provider_env(endless), **FOUR})
    users = [fresh("storm") for _ in range(4)]
    homes = {}
    for user in users:
        with Chat(server, user) as first:
            first.say("begin", client_id="first")
            first.get("ai_response")
            first.send("cancel")
            first.get(lambda f: f.get("metadata", {}).get("done") == "true")
            homes[user] = first.session

    def rage(user, seed):
        dice = random.Random(seed)
        for _ in range(2):
            try:
                storm(server, user, homes[user], dice)
            except (ConnectionClosed, OSError, EOFError):
                continue
    together(*[lambda u=u, n=n: rage(u, f"{u}{n}") for u in users for n in range(3)])
    for user in users:
        calm(server, user, homes[user])
    left_alone(server)
    wait_for(lambda: all(r.closed.is_set() for r in endless.requests), 10,
             "no request to the model is left")


def calm(server, user, session):
    """A last turn behind all that wait; then the log is whole."""
    with Chat(server, user, session_id=session) as chat:
        assert chat.session == session
        chat.say(fresh("q"), client_id="last")
        question = chat.get("ack")["message_id"]
        answer = None
        while answer is None:
            chat.send("cancel")
            answer = next((f["message_id"] for f in chat.quiet() if f["type"] == "loading"
                           and f["reply_to"] == question), None)
        if not ended(chat, answer):
            chat.send("cancel")
            chat.get(lambda frame: ended(chat, answer))
        log = transcript(server.user(user), f"/sessions/{session}")
    assert [m["seq"] for m in log] == list(range(1, len(log) + 1))
    assert all(m["status"] in ("complete", "cancelled") for m in log)
    ids = {m["message_id"] for m in log}
    assert all(m["sender"] == "user" or m["reply_to"] in ids for m in log)
    standing = [m["reply_to"] for m in log
                if m["sender"] == "ai" and not m.get("superseded")]
    assert len(standing) == len(set(standing))


def ended(chat, answer):
    return any(f["type"] == "ai_response" and f["message_id"] == answer
               and f["metadata"]["done"] == "true" for f in chat.frames)


class Caller:
    """Comes again and again until the server is gone; keeps what it was told."""

    def __init__(self, server, seed):
        self.server, self.dice = server, random.Random(seed)
        self.ends = []

    def __call__(self):
        user = fresh("caller")
        while True:
            try:
                with Chat(self.server, user) as chat:
                    self.stay(chat)
            except InvalidStatus as refusal:
                assert refusal.response.status_code == 503
                return
            except (OSError, EOFError, ConnectionClosed):
                return  # the listener is closed, or was while we waited in it

    def stay(self, chat):
        for _ in range(self.dice.randint(1, 20)):
            try:
                chat.say(fresh("q"), client_id=fresh("c"))
                chat.until("ack", 30)
                if self.dice.random() < 0.5:
                    chat.send("cancel")
            except ConnectionClosed as end:
                self.ends.append(end.rcvd.code if end.rcvd else None)
                raise
            except AssertionError:
                return


@pytest.mark.timeout((60 + 30 * STOPS) * PATIENCE)
def test_stopping_at_random_moments_tells_every_socket(spawn, endless):
    """Property 15, 16."""
    endless.default = lambda: random.choice((
        Answer().tokens("Hello", " you").finish(),
        Answer().trickle("and so on ", 0.005)))
    for n in range(STOPS):
        server = spawn({**provider_env(endless), **FOUR, "SHUTDOWN_TIMEOUT": "1s"})
        callers = [Caller(server, f"{n}{k}") for k in range(10)]
        threads = [threading.Thread(target=one) for one in callers]
        for thread in threads:
            thread.start()
        time.sleep(random.uniform(0.05, 0.6) * PATIENCE)
        server.signal(signal.SIGTERM)
        if n % 4 == 3:
            server.signal(signal.SIGTERM)
        assert server.wait_exit(None, 20) in (0, 3)
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        for one in callers:
            assert set(one.ends) <= {1001}, one.ends


# --- no descriptors left

def limit_descriptors(server, count):
    pid, what = server.process.pid, resource.RLIMIT_NOFILE
    resource.prlimit(pid, what, (count, resource.prlimit(pid, what)[1]))


def cpu_seconds(server):
    with open(f"/proc/{server.process.pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def crowd(server, count):
    """Connections that nobody has the descriptors for."""
    socks = []
    for _ in range(count):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", server.port))
        socks.append(sock)
    return socks


def answers(server):
    """Whether a newcomer is served again, behind those that still wait."""
    try:
        return server.client().get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_without_descriptors_it_refuses_idles_and_recovers(spawn, fake, question):
    server = spawn({**provider_env(fake), **FOUR})
    with Chat(server) as chat:
        assert chat.turn("before").finish == "stop"
        before = server.descriptors()
        limit_descriptors(server, 64)
        socks = crowd(server, 150)
        server.wait_log("accept_error")
        chat.send("ping")
        assert chat.get("pong")
        began, used = time.monotonic(), cpu_seconds(server)
        time.sleep(1)
        share = (cpu_seconds(server) - used) / (time.monotonic() - began)
        assert share < 0.5, f"{share:.0%} of a core for nothing"
        for sock in socks:
            sock.close()
        wait_for(lambda: answers(server), 10, "the queue is worked off")
        wait_for(lambda: server.descriptors() <= before + 1, 10, "all are closed")
        with Chat(server) as other:
            assert other.turn(question).finish == "stop"
        assert chat.turn("after").finish == "stop"


def test_a_model_that_cannot_be_reached_for_want_of_descriptors(spawn, fake, question):
    server = spawn({**provider_env(fake), **FOUR, "LLM_RETRY_ATTEMPTS": "2"})
    warm = "warm up " + question
    fake.when(warm, Answer(framing="close").tokens("x").finish())
    with Chat(server) as chat:
        chat.turn(warm)
        fake.wait_asked(warm).closed.wait(5)
        limit_descriptors(server, server.descriptors() - 1)
        turn = chat.turn(question, client_id="c-1")
        assert turn.error["code"] == "LLM_UNAVAILABLE"
        assert turn.error["recoverable"] is True
        limit_descriptors(server, 1024)
        assert chat.turn(question, client_id="c-1").finish == "stop"
