# SPDX-License-Identifier: MIT
"""The disk stops: full, locked, damaged. No false ack, and it heals by itself."""

import os
import sqlite3

import pytest

from support.answer import Answer, plain
from support.checks import assert_error
from support.disk import full, limited, read_only, small_disk
from support.server import provider_env
from support.stored import storage
from support.waiting import PATIENCE, wait_for
from support.ws import Chat, fresh, is_end


def messages(server, chat):
    return server.user(chat.user).get(f"/sessions/{chat.session}").json()["messages"]


@pytest.fixture(params=[limited, full, read_only])
def disk(request, tmp_path):
    """A disk that can stop; `with disk:` it has stopped."""
    one = request.param(tmp_path)
    yield one
    one.close()


@pytest.fixture
def on_disk(disk, spawn, fake):
    """Starts the server that keeps its data there."""
    def start(**settings):
        server = spawn({**provider_env(fake), **disk.env, **settings}, data=disk.folder)
        disk.watch(server)
        return server
    return start


def ready(server):
    return server.http.get("/readyz").status_code


@pytest.mark.sqlite
def test_a_disk_that_stops_is_told_and_nothing_is_acknowledged(on_disk, disk, connect,
                                                              fake, question):
    """2.6: storage failing is DATABASE_ERROR; it heals without a restart."""
    server = on_disk()
    one = connect(server)
    one.turn("hello")
    with disk:
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


@pytest.mark.sqlite
def test_the_disk_stops_while_an_answer_streams(on_disk, disk, connect, fake, question):
    """One end, an error; when the disk is back the answer is stored with its own."""
    server = on_disk()
    words = [f"word{n:05d} " for n in range(500)]
    whole = "".join(words) + "end"
    fake.when(question, Answer().tokens(*words).gate(question).tokens("end").finish())
    one = connect(server)
    two = connect(server, one.user, session_id=one.session)
    one.say(question, client_id="c-1")
    one.until_said("word00499")
    with disk:
        fake.open(question)
        end = one.rest_of_turn(30).end
        assert end["type"] == "error" and end["error"]["code"] == "DATABASE_ERROR"
        assert one.quiet() == [], "one end"
        assert [m["seq"] for m in messages(server, one)] == [1]
    for chat in (one, two):
        late = chat.get(lambda f: f["type"] == "ai_response" and is_end(f), timeout=20)
        assert late["content"] == whole and late["metadata"]["replay"] == "true"
        assert late["finish_reason"] == "stop" and late["seq"] == 2
    assert ready(server) == 200
    assert server.logged("store_recovered", msg="an answer was stored after all")
    assert one.turn("the next one").seq == 4
    assert [m["content"] for m in fake.asked("the next one")[0].messages][-2] == whole
    one.say(question, client_id="c-1")
    assert one.get("ack")["seq"] == 1
    again = one.rest_of_turn()
    assert again.end["content"] == whole and again.seq == 2
    assert len(fake.asked(question)) == 1
    before = messages(server, one)
    assert [m["seq"] for m in before] == [1, 2, 3, 4]
    server.kill9()
    server.start()
    assert messages(server, one) == before, "no second answer appears at the start"


@pytest.mark.sqlite
def test_a_server_that_stops_on_a_full_disk_leaves_an_interrupted_answer(
        spawn, connect, fake, question):
    """What could not be stored is closed by the next start, never as complete."""
    server = spawn(provider_env(fake))
    disk = limited(None)
    disk.watch(server)
    words = [f"word{n:05d} " for n in range(500)]
    fake.when(question, Answer().tokens(*words).gate(question).finish())
    one = connect(server)
    one.say(question, client_id="c-1")
    one.until_said("word00499")
    with disk:
        fake.open(question)
        assert one.rest_of_turn(30).error["code"] == "DATABASE_ERROR"
        server.stop()
    server.start()
    stored = messages(server, one)
    assert [m["seq"] for m in stored] == [1, 2]
    assert stored[1]["status"] == stored[1]["finish_reason"] == "interrupted"
    assert "".join(words).startswith(stored[1]["content"])
    assert len(stored[1]["content"]) >= len("".join(words)) - 2048


@pytest.mark.sqlite
@pytest.mark.parametrize("disk", [full], indirect=True)
def test_many_busy_clients_on_a_disk_that_fills_and_empties(on_disk, disk, connect, fake):
    """Acknowledged is stored, whatever the disk did in between."""
    server = on_disk()
    chats = [connect(server) for _ in range(6)]
    acked = {one: [] for one in chats}
    for n in range(4):
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


@pytest.mark.harms_store
@pytest.mark.timeout(120 * PATIENCE)
def test_a_lock_that_lasts_while_others_read(spawn, connect, fake, question):
    """A locked database refuses writers, serves readers and heals."""
    server = spawn(provider_env(fake))
    one = connect(server)
    one.turn("hello")
    with storage(server).refusing_writes():
        one.say(question, client_id="c-1")
        assert one.get("error", timeout=30)["error"]["code"] == "DATABASE_ERROR"
        two = Chat(server, one.user, session_id=one.session, last_seq=0,
                   epoch=one.hello["epoch"])
        assert [f["seq"] for f in two.quiet()] == [1, 2]
        two.close()
        assert len(messages(server, one)) == 2
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


@pytest.mark.harms_store
@pytest.mark.timeout(120 * PATIENCE)
def test_every_route_of_a_failing_storage_is_503(spawn, connect, fake, user):
    """1: the same for what is there and what is not, and all is there again after it."""
    server = spawn({**provider_env(fake), "ADMIN_RATE_LIMIT": "100000"})
    one = connect(server, user)
    one.turn("hello")
    path = f"/sessions/{one.session}"
    shared = server.user(user).post(f"{path}/share").json()["share_token"]
    with storage(server).failing():
        for client, method, target in routes(server, user, one.session, shared):
            assert_error(client.request(method, target), 503, "SERVICE_UNAVAILABLE")
        assert ready(server) == 503
        assert server.http.get("/healthz").status_code == 200
    wait_for(lambda: ready(server) == 200, 30, "ready again")
    assert len(messages(server, one)) == 2
    assert server.http.get(f"/shared/{shared}").status_code == 200
    assert one.turn("more").finish == "stop"


@pytest.mark.sqlite
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


class damage:  # noqa: N801 (a context manager with a function's name)
    """The first page of the messages is noise."""

    def __init__(self, server):
        self.path = f"{server.data}/chatbox.db"
        with sqlite3.connect(self.path) as db:
            self.page = db.execute("PRAGMA page_size").fetchone()[0]
            root = db.execute("SELECT rootpage FROM sqlite_master WHERE type='table' AND "
                              "name='messages'").fetchone()[0]
        self.at = (root - 1) * self.page

    def __enter__(self):
        with open(self.path, "r+b") as file:
            self.good = os.pread(file.fileno(), self.page, self.at)
            os.pwrite(file.fileno(), b"\xa5" * self.page, self.at)

    def __exit__(self, *_):
        with open(self.path, "r+b") as file:
            os.pwrite(file.fileno(), self.good, self.at)


@pytest.mark.sqlite
@pytest.mark.timeout(120 * PATIENCE)
def test_a_file_that_is_damaged_under_a_running_server(spawn, connect, fake, user,
                                                       question):
    """Errors, 503 that lasts as long as the damage, and no restart to heal."""
    server = spawn(provider_env(fake))
    connect(server, user).turn("hello")
    session = connect(server, user).session
    server.stop()
    harm = damage(server)
    server.start()
    client = server.user(user)
    with harm:
        assert_error(client.get(f"/sessions/{session}"), 503, "SERVICE_UNAVAILABLE")
        one = connect(server, user, session_id=session)
        one.say(question, client_id="c-1")
        refusal = one.recv()
        assert refusal["type"] == "error", "no ack"
        assert refusal["error"]["code"] == "DATABASE_ERROR"
        assert client.get("/sessions").status_code == 200, "what is whole is read"
        assert ready(server) == 503, "and makes nobody forget the rest"
        assert server.wait_log("store_error", code="SQLITE_CORRUPT")
        assert fake.asked(question) == []
    assert [m["seq"] for m in client.get(f"/sessions/{session}").json()["messages"]] == [1, 2]
    assert one.turn(question, client_id="c-1").seq == 4
    wait_for(lambda: ready(server) == 200, 20, "ready again")


@pytest.mark.sqlite
@pytest.mark.parametrize("content", [b"This is not a database. " * 400, b"SQLite format 3"])
def test_a_file_that_is_no_database_stops_the_start_with_a_sentence(spawn, fake, content):
    server = spawn(provider_env(fake))
    server.stop()
    path = f"{server.data}/chatbox.db"
    with open(path, "rb") as file:
        good = file.read()
    with open(path, "wb") as file:
        file.write(content)
    server.start(wait=False)
    assert server.wait_exit(1) == 1
    assert "chatbox.db" in server.logged("start_failed")[0]["msg"]
    with open(path, "rb") as file:
        assert file.read() == content, "nobody made it another file"
    with open(path, "wb") as file:
        file.write(good)
    server.start()


@pytest.mark.sqlite
def test_a_start_on_a_disk_that_cannot_be_written_says_so(spawn, fake, tmp_path):
    """Read-only, then full; with its disk back it starts."""
    disk = small_disk(tmp_path)
    folder = disk.folder if disk else str(tmp_path / "file" / "data")
    if not disk:  # nobody may mount: what stands in the way is a file
        (tmp_path / "file").write_text("")
    server = spawn(provider_env(fake), data=folder, wait=False) if not disk else spawn(
        provider_env(fake), data=folder)
    try:
        if disk:
            server.stop()
            assert disk.read_only(True)
            server.start(wait=False)
        assert server.wait_exit(1) == 1
        assert folder in server.logged("start_failed")[0]["msg"]
        if disk:
            assert disk.read_only(False)
            os.unlink(f"{folder}/chatbox.db")
            with disk:
                server.start(wait=False)
                assert server.wait_exit(1) == 1
                assert server.logged("start_failed")
            server.start()
            server.stop()
    finally:
        if disk:
            disk.close()
