# SPDX-License-Identifier: MIT
"""The disk stops: full, locked, damaged. No false ack, and it heals by itself."""

import resource
import sqlite3

import pytest

from support.answer import Answer, plain
from support.checks import assert_error
from support.server import provider_env
from support.waiting import wait_for
from support.ws import Chat, fresh


def messages(server, chat):
    return server.user(chat.user).get(f"/sessions/{chat.session}").json()["messages"]


class full_disk:  # noqa: N801 (a context manager with a function's name)
    """No file of the server can grow beyond what it is, as on a full disk."""

    def __init__(self, server):
        self.pid = server.process.pid

    def __enter__(self):
        self.before = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (1, self.before[1]))

    def __exit__(self, *_):
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, self.before)


def ready(server):
    return server.http.get("/readyz").status_code


def test_a_full_disk_is_told_and_nothing_is_acknowledged(spawn, connect, fake, question):
    """2.6: storage failing is DATABASE_ERROR; it heals without a restart."""
    server = spawn(provider_env(fake))
    one = connect(server)
    one.turn("hello")
    with full_disk(server):
        one.say(question, client_id="c-1")
        refusal = one.recv()
        assert refusal["type"] == "error", "no ack"
        assert refusal["error"]["code"] == "DATABASE_ERROR"
        assert refusal["error"]["recoverable"] is True
        assert refusal["error"]["retry_after"] > 0
        assert refusal["session_id"] == one.session
        wait_for(lambda: ready(server) == 503, 10, "not ready without storage")
        body = server.http.get("/readyz").json()
        assert body["checks"]["storage"]["status"] == "not ready"
        assert server.http.get("/healthz").status_code == 200
        client = server.user(one.user)
        assert_error(client.post("/sessions", json={"name": "x"}), 503,
                     "SERVICE_UNAVAILABLE")
        assert_error(client.patch(f"/sessions/{one.session}", json={"name": "x"}), 503)
        assert_error(client.delete(f"/sessions/{one.session}"), 503)
        assert len(messages(server, one)) == 2, "reading goes on"
        assert fake.asked(question) == []
        assert server.wait_log("store_error")
    wait_for(lambda: ready(server) == 200, 10, "ready again")
    turn = one.turn(question, client_id="c-1", timeout=30)
    assert turn.finish == "stop" and turn.ack["seq"] == 3
    stored = messages(server, one)
    assert [m["seq"] for m in stored] == [1, 2, 3, 4]
    assert len(fake.asked(question)) == 1
    assert server.metric("chatbox_store_errors_total") >= 1


def test_the_disk_fills_up_while_an_answer_streams(spawn, connect, fake, question):
    """The turn ends once, by an error; what was stored before is not complete."""
    server = spawn(provider_env(fake))
    words = [f"word{n:05d} " for n in range(500)]
    fake.when(question, Answer().tokens(*words).gate(question).tokens("end").finish(),
              plain("the second try"))
    one = connect(server)
    one.say(question, client_id="c-1")
    one.get(lambda f: "word00499" in f.get("content", ""))
    with full_disk(server):
        fake.open(question)
        end = one.rest_of_turn(30).end
        assert end["type"] == "error" and end["error"]["code"] == "DATABASE_ERROR"
        assert one.quiet() == [], "one end"
    wait_for(lambda: ready(server) == 200, 10, "ready again")
    assert one.turn("the next one").finish == "stop"
    stored = messages(server, one)
    assert [m["seq"] for m in stored] == list(range(1, len(stored) + 1))
    assert all(m["status"] != "complete" for m in stored if "word00000" in m["content"])
    one.say(question, client_id="c-1")
    assert one.get("ack")["seq"] == 1
    assert one.rest_of_turn(30).text == "the second try"
    before = messages(server, one)
    server.kill9()
    server.start()
    assert messages(server, one) == before, "no second answer appears at the start"


def test_many_busy_clients_on_a_disk_that_fills_and_empties(spawn, connect, fake):
    """Acknowledged is stored, whatever the disk did in between."""
    server = spawn(provider_env(fake))
    chats = [connect(server) for _ in range(6)]
    acked = {one: [] for one in chats}
    for n in range(4):
        disk = full_disk(server)
        if n % 2:
            disk.__enter__()
        for one in chats:
            for k in range(2):
                one.say(fresh("q"), client_id=f"c-{n}-{k}")
        for one in chats:
            for _ in range(2):
                end = one.rest_of_turn(30)
                acked[one] += [f["client_id"] for f in end.frames if f["type"] == "ack"]
        if n % 2:
            disk.__exit__()
            wait_for(lambda: ready(server) == 200, 10, "ready again")
    for one in chats:
        stored = messages(server, one)
        assert [m["seq"] for m in stored] == list(range(1, len(stored) + 1))
        questions = [m["client_id"] for m in stored if m["sender"] == "user"]
        assert questions == acked[one] and len(set(questions)) == len(questions)
        assert set(f"c-{n}-{k}" for n in (0, 2) for k in (0, 1)) <= set(questions)


@pytest.mark.timeout(120)
def test_a_lock_that_lasts_while_others_read(spawn, connect, fake, question):
    """A locked database refuses writers, serves readers and heals."""
    server = spawn(provider_env(fake))
    one = connect(server)
    one.turn("hello")
    lock = sqlite3.connect(f"{server.data}/chatbox.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    try:
        one.say(question, client_id="c-1")
        assert one.get("error", timeout=30)["error"]["code"] == "DATABASE_ERROR"
        two = Chat(server, one.user, session_id=one.session, last_seq=0,
                   epoch=one.hello["epoch"])
        assert [f["seq"] for f in two.quiet()] == [1, 2]
        two.close()
        assert len(messages(server, one)) == 2
    finally:
        lock.execute("ROLLBACK")
        lock.close()
    wait_for(lambda: ready(server) == 200, 30, "ready again")
    assert one.turn(question, client_id="c-1", timeout=30).finish == "stop"


def routes(server, user, sid, shared):
    """Every route that asks the storage, as client, method and path."""
    mine, anybody = server.user(user), server.http
    admin = server.user(fresh("op"), roles=["admin"])
    for one in (sid, "0" * 32):
        for method, rest in (("GET", ""), ("PATCH", ""), ("POST", "/end"),
                             ("GET", "/export"), ("GET", "/export?format=md"),
                             ("POST", "/share"), ("DELETE", "/share"), ("DELETE", "")):
            yield mine, method, f"/sessions/{one}{rest}"
        yield admin, "GET", f"/admin/sessions/{one}"
    for method, path in (("GET", "/sessions"), ("GET", "/sessions?q=x"),
                         ("POST", "/sessions")):
        yield mine, method, path
    for one in (shared, "0" * 32):
        yield anybody, "GET", f"/shared/{one}"
    for path in ("/sessions", f"/users/{user}/sessions", "/metrics", "/audit"):
        yield admin, "GET", f"/admin{path}"


@pytest.mark.timeout(120)
def test_every_route_of_a_failing_storage_is_503(spawn, connect, fake, user):
    """1: the same for what is there and what is not, and all is there again after it."""
    server = spawn({**provider_env(fake), "ADMIN_RATE_LIMIT": "100000"})
    one = connect(server, user)
    one.turn("hello")
    path = f"/sessions/{one.session}"
    shared = server.user(user).post(f"{path}/share").json()["share_token"]
    with sqlite3.connect(f"{server.data}/chatbox.db", isolation_level=None,
                         timeout=30) as db:
        for name in ("sessions", "messages", "audit"):
            db.execute(f"ALTER TABLE {name} RENAME TO gone_{name}")
        for client, method, target in routes(server, user, one.session, shared):
            assert_error(client.request(method, target), 503, "SERVICE_UNAVAILABLE")
        assert ready(server) == 503
        assert server.http.get("/healthz").status_code == 200
        for name in ("sessions", "messages", "audit"):
            db.execute(f"ALTER TABLE gone_{name} RENAME TO {name}")
    db.close()
    wait_for(lambda: ready(server) == 200, 30, "ready again")
    assert len(messages(server, one)) == 2
    assert server.http.get(f"/shared/{shared}").status_code == 200
    assert one.turn("more").finish == "stop"


def test_a_damaged_database_is_503_and_never_404(spawn, connect, fake, user):
    """1: a failing database is 503, never 404."""
    server = spawn(provider_env(fake))
    one = connect(server, user)
    for _ in range(4):
        one.turn("x" * 9000)
    server.stop()
    path = f"{server.data}/chatbox.db"
    with sqlite3.connect(path) as db:
        page = db.execute("PRAGMA page_size").fetchone()[0]
        root = db.execute("SELECT rootpage FROM sqlite_master WHERE type='table' AND "
                          "name='messages'").fetchone()[0]
    with open(path, "r+b") as file:
        file.seek((root - 1) * page)
        good = file.read(page)
        file.seek((root - 1) * page)
        file.write(b"\xa5" * page)
    server.start(wait=False)

    def answers():
        if server.process.poll() is not None:
            return "refused to start"
        try:
            return server.user(user).get(f"/sessions/{one.session}").status_code
        except OSError:
            return None
        except Exception:  # noqa: BLE001 (httpx's own, while it starts)
            return None
    seen = wait_for(answers, 10, "an answer")
    if seen == "refused to start":
        assert server.wait_exit(1) == 1
        assert server.logged("start_failed")
    else:
        assert seen == 503
        assert ready(server) == 503
        server.stop(None)
    with open(path, "r+b") as file:
        file.seek((root - 1) * page)
        file.write(good)
    server.start()
    assert len(messages(server, one)) == 8
