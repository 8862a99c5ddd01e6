# SPDX-License-Identifier: MIT
"""`chatbox export-user` and `erase-user`, on either database, beside a running server."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from support.answer import Answer
from support.server import BINARY, base_env, provider_env, run_cli
from support.stored import storage
from support.uploads import relative, uploaded
from support.waiting import PATIENCE, wait_for
from support.ws import fresh


def run(server, *args, **kwargs):
    """With the server's own settings, as an administrator has them."""
    return run_cli(*args, env=server.env, **kwargs)


def exported(server, user):
    done = run(server, "export-user", user)
    assert done.returncode == 0, done.all
    whole = json.loads(done.stdout)
    sessions = whole["sessions"]
    assert whole["user_id"] == user and whole["format"] == "chatbox user export"
    assert whole["version"] == 1 and whole["exported_at"].endswith("Z")
    assert whole["counts"] == {
        "sessions": len(sessions), "events": len(whole["audit"]),
        "messages": sum(len(one["messages"]) for one in sessions),
        "unreadable": sum("error" in m for one in sessions for m in one["messages"])}
    return whole


def counts(done):
    assert done.returncode == 0, done.all
    told = dict(line.split(": ") for line in done.stdout.splitlines())
    return {name: int(value) for name, value in told.items()}


def nowhere(server, word):
    """In no document or row; with SQLite, in no byte of any file either."""
    assert word not in storage(server).text()
    if server.env.get("STORE") == "mongo":
        return
    files = [path for path in Path(server.data).rglob("*") if path.is_file()]
    assert any(path.name == "chatbox.db" for path in files)
    for path in files:
        assert word.encode() not in path.read_bytes(), path
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


# --- export

@pytest.fixture(params=["plain", "sealed"])
def keys(request):
    if request.param == "plain":
        return {}
    return {"ENCRYPTION_KEYS": run_cli("keygen", "encryption").stdout.strip()}


def test_an_export_has_every_session_as_its_user_reads_it(spawn, connect, fake, keys):
    """Item and Msg of the protocol; sealed texts are opened; nobody else's."""
    server = spawn({**provider_env(fake), **keys})
    user = fresh("user")
    me = server.user(user)
    for n in range(3):
        one = connect(server, user, session_id="new")
        for k in range(n + 1):
            one.turn(f"äöü {n} {k} \"quoted\" \U0001f600", client_id=f"c-{k}",
                     metadata={"page": "1"})
    assert me.post(f"/sessions/{one.session}/share").status_code == 200
    assert me.get(f"/sessions/{one.session}/export").status_code == 200
    connect(server).turn("somebody else's")
    whole = exported(server, user)
    items = {item["id"]: item for item in me.get("/sessions").json()["sessions"]}
    assert [s["id"] for s in whole["sessions"]] == sorted(
        items, key=lambda sid: items[sid]["start_time"])
    for got in whole["sessions"]:
        messages = got.pop("messages")
        assert got.pop("shared") is (got["id"] == one.session)
        assert got == items[got["id"]]
        assert messages == me.get(f"/sessions/{got['id']}").json()["messages"]
    assert [(e["action"], e["session_id"]) for e in whole["audit"]] == [
        ("export", one.session)]
    assert "somebody else's" not in json.dumps(whole)


def test_an_export_of_many_sessions_and_of_a_long_one_is_whole(spawn, connect, fake):
    """Pages begin where the last one ended: each session and message once, in order."""
    server = spawn(provider_env(fake))
    user = fresh("user")
    me = server.user(user)
    made = {me.post("/sessions", json={"name": f"s {n}"}).json()["id"] for n in range(120)}
    one = connect(server, user, session_id="new")
    one.turn("first")
    server.stop()
    documents = [{"_id": f"{n:032x}", "seq": n, "sender": "user", "type": "user_message",
                  "status": "complete", "ts": 1700000000000 + n, "content": f"m {n} " * 200}
                 for n in range(3, 1203)]
    storage(server).add_messages(one.session, documents)
    whole = exported(server, user)
    ids = [s["id"] for s in whole["sessions"]]
    assert set(ids) == made | {one.session} and len(ids) == 121
    starts = [s["start_time"] for s in whole["sessions"]]
    assert starts == sorted(starts)
    messages = next(s for s in whole["sessions"] if s["id"] == one.session)["messages"]
    assert [m["seq"] for m in messages] == list(range(1, 1203))
    assert messages[500]["content"] == "m 501 " * 200
    server.start()


def test_an_export_goes_to_a_file_of_its_owner(spawn, connect, fake, tmp_path):
    """Whole or not at all; what is there is replaced only when asked."""
    server = spawn(provider_env(fake))
    one = connect(server)
    one.turn("hello")
    file = tmp_path / "export.json"
    done = run(server, "export-user", one.user, str(file))
    assert done.returncode == 0 and done.stdout == "", done.all
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first = json.loads(file.read_text())
    assert first["counts"]["messages"] == 2
    done = run(server, "export-user", one.user, str(file))
    assert done.returncode == 1 and "is there already" in done.stderr
    one.turn("again")
    assert run(server, "export-user", one.user, str(file), "--force").returncode == 0
    assert json.loads(file.read_text())["counts"]["messages"] == 4
    with open("/dev/full", "w") as full:
        done = subprocess.run([BINARY, "export-user", one.user], stdout=full, text=True,
                              stderr=subprocess.PIPE, check=False,
                              env={**base_env(), **server.env})
    assert done.returncode == 1 and "No space left" in done.stderr
    done = run(server, "export-user", one.user, str(tmp_path / "none" / "x"))
    assert done.returncode == 1 and "No such file" in done.stderr
    assert os.listdir(tmp_path) == ["export.json"]


# --- erase

def test_an_erased_user_is_nowhere_while_the_server_runs_on(spawn, connect, fake):
    """Sessions, messages, names, links, files; the others and the server do not
    notice."""
    server = spawn(provider_env(fake))
    canary, user = fresh("canary"), fresh("erased-user")
    other = connect(server)
    chats = [connect(server, user, session_id="new") for _ in range(2)]
    for n in range(12):  # so that the pages have both
        for one in chats:
            fake.when(f"{canary} {n}", Answer().tokens(f"so {canary}").finish())
            one.turn(f"{canary} {n}", client_id=f"{canary}-{n}")
        other.turn(f"other {n}")
    me = server.user(user)
    assert me.patch(f"/sessions/{chats[0].session}",
                    json={"name": f"{canary} name"}).status_code == 200
    link = me.post(f"/sessions/{chats[0].session}/share").json()["share_token"]
    assert canary in server.http.get(f"/shared/{link}").text
    assert me.get(f"/sessions/{chats[1].session}/export").status_code == 200
    file = uploaded(me, f"a file with the {canary}".encode())
    kept = uploaded(server.user(other.user))
    told = counts(run(server, "erase-user", user, "--yes"))
    assert told == {"sessions": 2, "messages": 48, "audit events": 1,
                    "usage entries": 24, "files": 1}
    nowhere(server, canary)
    assert me.get(f"/files/{file['file_id']}").status_code == 404
    assert server.http.get(relative(server, file["file_url"])).status_code == 404
    assert server.http.get(relative(server, kept["file_url"])).status_code == 200
    nowhere(server, user)
    assert server.http.get(f"/shared/{link}").status_code == 404
    assert me.get("/sessions").json()["sessions"] == []
    for one in chats:
        assert me.get(f"/sessions/{one.session}").status_code == 404
        assert one.turn("is anybody there?").error["code"] == "NOT_FOUND"
    assert other.turn("goes on").finish == "stop"
    seen = server.user(other.user).get(f"/sessions/{other.session}").json()["messages"]
    assert [m["seq"] for m in seen] == list(range(1, 27))
    assert connect(server, user, session_id="new").turn("a new life").finish == "stop"
    server.stop()
    nowhere(server, canary)
    storage(server).whole()
    assert server.start()


def test_an_answer_that_runs_while_its_user_is_erased_is_not_stored(spawn, connect, fake,
                                                                    question):
    server = spawn(provider_env(fake))
    canary = fresh("canary")
    words = [f"{canary} {n:05d} " for n in range(300)]
    fake.when(question, Answer().tokens(*words).gate(question).tokens("end").finish())
    one = connect(server)
    one.say(question)
    one.until_said(f"{canary} 00299")
    wait_for(lambda: canary in storage(server).text(), 10, "a checkpoint")
    told = counts(run(server, "erase-user", one.user, "--yes"))
    assert told["sessions"] == 1
    nowhere(server, canary)
    fake.open(question)
    one.rest_of_turn(30)
    server.stop(expect=None)
    nowhere(server, canary)
    assert storage(server).sessions(uid=one.user) == []


def test_the_audit_keeps_what_was_done_and_not_whose_it_was(spawn, connect, fake):
    """By a word that stands for the user; what operators did stays as it is."""
    server = spawn(provider_env(fake))
    one = connect(server)
    one.turn("hello")
    me, boss = server.user(one.user), server.user("boss", roles=["admin"])
    assert boss.get(f"/admin/sessions/{one.session}").status_code == 200
    assert me.get(f"/sessions/{one.session}/export").status_code == 200
    two = connect(server, one.user, session_id="new")
    two.turn("hello")
    assert me.delete(f"/sessions/{two.session}").status_code == 204
    told = counts(run(server, "erase-user", one.user, "--yes"))
    assert told == {"sessions": 1, "messages": 2, "audit events": 2,
                    "usage entries": 2, "files": 0}
    events = boss.get("/admin/audit").json()["events"]
    by = {event["action"]: event for event in events}
    assert by["transcript_read"]["actor"] == "boss"
    assert by["transcript_read"]["session_id"] == one.session
    word = by["export"]["actor"]
    assert word.startswith("erased-") and len(word) == 23
    assert by["delete"]["actor"] == word and by["delete"]["session_id"] == two.session
    assert by["erase"]["actor"] == "system"
    assert by["erase"]["detail"] == f"sessions: 1, messages: 2, of {word}"
    assert one.user not in json.dumps(events)


def test_erasing_asks_first_and_counts_without_harm(spawn, connect, fake):
    server = spawn(provider_env(fake))
    one = connect(server)
    one.turn("hello")
    uploaded(server.user(one.user))
    there = {"sessions": 1, "messages": 2, "audit events": 0, "usage entries": 1,
             "files": 1}
    assert counts(run(server, "erase-user", one.user, "--dry-run")) == there
    for answer in ("", "y\n", "yes\n", f"{one.user}x\n"):
        done = run(server, "erase-user", one.user, stdin=answer)
        assert done.returncode == 1 and done.stdout == "", done.all
        assert "sessions: 1," in done.stderr and "Nothing was erased." in done.stderr
    assert len(exported(server, one.user)["sessions"]) == 1
    assert counts(run(server, "erase-user", one.user, stdin=f"{one.user}\n")) == there
    for command in ("export-user", "erase-user"):
        assert run(server, command, one.user).returncode == 1
        assert run(server, command).returncode == 2
        assert run(server, command, "a", "b", "c").returncode == 2


def test_a_user_with_files_alone_is_erased(spawn, fake, user):
    server = spawn(provider_env(fake))
    file = uploaded(server.user(user))
    assert counts(run(server, "erase-user", user, "--yes"))["files"] == 1
    assert server.user(user).get(f"/files/{file['file_id']}").status_code == 404
    assert run(server, "erase-user", user, "--yes").returncode == 1


def test_a_user_nobody_knows_is_told_in_one_sentence(spawn, connect, fake):
    """Also one whose id looks like an option, and a storage that is not there."""
    server = spawn(provider_env(fake))
    connect(server, "-x").turn("hello")
    for command in ("export-user", "erase-user"):
        done = run(server, command, "no\"body")
        assert done.returncode == 1 and done.stdout == "", done.all
        assert done.stderr == ('chatbox: There is nothing of a user "no\"body" in the '
                               "storage.\n")
    assert len(exported_dashed(server)["sessions"]) == 1
    server.stop()
    empty = {**server.env, "DATA_DIR": server.data + "/none", "MONGO_DATABASE": fresh("none")}
    for command in ("export-user", "erase-user"):
        done = run_cli(command, "ann", env=empty)
        assert done.returncode == 1 and done.stdout == "", done.all
        assert "There is no database" in done.stderr or "No server has used" in done.stderr
    assert not os.path.exists(server.data + "/none")


def exported_dashed(server):
    done = run(server, "export-user", "--", "-x")
    assert done.returncode == 0, done.all
    return json.loads(done.stdout)


@pytest.mark.sqlite
def test_what_a_long_reader_keeps_is_told_and_erased_by_another_run(spawn, connect, fake):
    """Somebody reads the database all the time: deleted, but not yet gone."""
    server = spawn(provider_env(fake))
    canary = fresh("canary")
    one = connect(server)
    one.turn(canary)
    with storage(server).open(isolation_level=None) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM messages").fetchone()
        done = run(server, "erase-user", one.user, "--yes", timeout=30 + 30 / PATIENCE)
        assert done.returncode == 1 and "run it again" in done.stderr, done.all
        assert "messages: 2" in done.stdout
    done = run(server, "erase-user", one.user, "--yes")
    assert done.returncode == 1 and "There is nothing of" in done.stderr, done.all
    nowhere(server, canary)


@pytest.mark.sqlite
def test_a_database_set_aside_is_to_be_removed_first(spawn, connect, fake, tmp_path):
    server = spawn(provider_env(fake))
    one = connect(server)
    one.turn("hello")
    file = str(tmp_path / "backup")
    assert run(server, "backup", file).returncode == 0
    server.stop()
    assert run(server, "restore", file, "--force").returncode == 0
    server.start()
    done = run(server, "erase-user", one.user, "--yes")
    assert done.returncode == 1 and "before-restore" in done.stderr, done.all
    assert len(exported(server, one.user)["sessions"]) == 1
    os.unlink(f"{server.data}/chatbox.db.before-restore")
    assert counts(run(server, "erase-user", one.user, "--yes"))["sessions"] == 1
