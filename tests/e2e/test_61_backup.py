# SPDX-License-Identifier: MIT
"""`chatbox backup` and `restore`: beside a busy server, sealed, on a full disk, killed
at any call. What a folder holds is asked by `export-user`, which opens it as a start
does."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from support.disk import full
from support.nthcall import NthCall
from support.server import BINARY, base_env, provider_env, run_cli
from support.waiting import PATIENCE, wait_for
from support.ws import Chat, fresh

KINDS = ("close", "fsync", "ftruncate", "open", "pwrite", "rename", "unlink")
FEW = 3 if PATIENCE > 1 else 6  # of the calls of a kind that is called often


def folder(data, **more):
    return {"DATA_DIR": str(data), **more}


def contents(data, user):
    """The user's messages in a data folder that no server uses."""
    done = run_cli("export-user", user, env=folder(data))
    assert done.returncode == 0, done.all
    return [m["content"] for s in json.loads(done.stdout)["sessions"] for m in s["messages"]]


def good(*args, **kwargs):
    done = run_cli(*args, **kwargs)
    assert done.returncode == 0, done.all
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


def refused(part, *args, **kwargs):
    """One sentence that says why, and no words on standard output."""
    done = run_cli(*args, **kwargs)
    assert done.returncode == 1, done.all
    assert part in done.stderr and done.stdout == "", done.all
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("chatbox: "), done.all


def whole(path):
    """Another program finds it sound; its mode is its owner's alone."""
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    db = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    with contextlib.closing(db):
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return db.execute("SELECT count(*) FROM messages").fetchone()[0]


class Busy:
    """Clients that talk until they are told to stop, and what was acknowledged."""

    def __init__(self, server, count):
        self.stop, self.acked, self.errors = threading.Event(), [], []
        self.user = fresh("busy")
        self.threads = [threading.Thread(target=self.talk, args=(server,), daemon=True)
                        for _ in range(count)]
        for one in self.threads:
            one.start()

    def talk(self, server):
        try:
            with Chat(server, self.user, session_id="new") as chat:
                while not self.stop.is_set():
                    text = fresh("said")
                    turn = chat.turn(text, client_id=text)
                    assert turn.error is None, turn.error
                    self.acked.append(text)
        except Exception as error:  # noqa: BLE001 (told by the main thread)
            self.errors.append(error)

    def end(self):
        self.stop.set()
        for one in self.threads:
            one.join(30 * PATIENCE)
        assert self.errors == []


@pytest.mark.sqlite
def test_a_backup_of_a_busy_server_has_all_that_was_acknowledged(spawn, fake, tmp_path):
    """Once more and once more, nobody is disturbed, and a server starts on it."""
    server = spawn(provider_env(fake))
    busy = Busy(server, 4)
    for n in range(3):
        wait_for(lambda n=n: len(busy.acked) > 20 * (n + 1), 30, "messages")
        before = list(busy.acked)
        file = tmp_path / f"backup-{n}"
        told = good("backup", str(file), env=folder(server.data))
        assert whole(file) == int(told["messages"])
        assert int(told["bytes"]) == file.stat().st_size
    late = len(busy.acked) + len(busy.threads)  # each may have asked before the last backup
    wait_for(lambda: len(busy.acked) > late, 30, "a question that was asked after it")
    busy.end()
    assert server.metric("chatbox_store_errors_total") == 0
    server.stop()
    good("restore", str(file), env=folder(tmp_path / "new"))
    kept = set(contents(tmp_path / "new", busy.user))
    assert set(before) <= kept and not set(busy.acked) <= kept | {""}
    again = spawn(provider_env(fake), data=str(tmp_path / "new"))
    assert Chat(again, busy.user).turn("and on").finish == "stop"
    assert sorted(os.listdir(tmp_path)) == ["backup-0", "backup-1", "backup-2", "new"]


@pytest.mark.sqlite
def test_what_is_sealed_stays_sealed_in_a_backup(spawn, connect, fake, tmp_path):
    """No key is needed to back up; a restore wants those that open it."""
    key = run_cli("keygen", "encryption").stdout.strip()
    server = spawn({**provider_env(fake), "ENCRYPTION_KEYS": key})
    canary = fresh("canary")
    one = connect(server)
    one.turn(canary)
    file = tmp_path / "backup"
    good("backup", str(file), env=folder(server.data))
    assert canary.encode() not in file.read_bytes()
    target = tmp_path / "new"
    refused("ENCRYPTION_KEYS", "restore", str(file), env=folder(target))
    other = run_cli("keygen", "encryption").stdout.strip()
    refused("not among", "restore", str(file), env=folder(target, ENCRYPTION_KEYS=other))
    assert os.listdir(target) == []
    good("restore", str(file), env=folder(target, ENCRYPTION_KEYS=key))
    again = spawn({**provider_env(fake), "ENCRYPTION_KEYS": key}, data=str(target))
    assert canary in again.user(one.user).get(f"/sessions/{one.session}").text


@pytest.mark.sqlite
def test_a_full_disk_leaves_no_backup_and_harms_nobody(spawn, connect, fake, tmp_path):
    server = spawn(provider_env(fake))
    one = connect(server)
    one.turn("hello " * 1000)
    disk = full(tmp_path)
    try:
        where = Path(disk.folder or tmp_path / "there")
        where.mkdir(exist_ok=True)
        (where / "backup").write_bytes(b"kept")
        with disk:
            for args in ((), ("--force",)):
                done = run_cli("backup", str(where / "new"), *args,
                               env={**folder(server.data), **disk.env})
                assert done.returncode == 1 and "cannot be" in done.stderr, done.all
            done = run_cli("backup", str(where / "backup"), "--force",
                           env={**folder(server.data), **disk.env})
            assert done.returncode == 1, done.all
            assert one.turn("goes on").finish == "stop"
        assert os.listdir(where) == ["backup"]
        assert (where / "backup").read_bytes() == b"kept"
    finally:
        disk.close()


@pytest.mark.sqlite
def test_what_stands_there_is_asked_for(spawn, connect, fake, tmp_path):
    """Neither a file nor a database is replaced unless --force says so, and no
    database under a running server."""
    server = spawn(provider_env(fake))
    connect(server).turn("hello")
    env, file = folder(server.data), str(tmp_path / "backup")
    good("backup", file, env=env)
    refused("is there already", "backup", file, env=env)
    refused("storage's own", "backup", f"{server.data}/chatbox.db", "--force", env=env)
    refused("stop the server", "restore", file, "--force", env=env)
    server.stop()
    refused("--force", "restore", file, env=env)
    refused("No such file", "restore", str(tmp_path / "none"), "--force", env=env)
    refused("not a database", "restore", BINARY, "--force", env=env)
    broken = tmp_path / "broken"  # what the file says would clear a terminal
    broken.write_bytes(Path(file).read_bytes().replace(b"INTEGER", b"INT\x1b[2J", 1))
    refused('"?"', "restore", str(broken), "--force", env=env)
    refused("There is no database", "backup", f"{file}2", env=folder(tmp_path / "none"))
    assert "chatbox.db.before-restore" not in os.listdir(server.data)
    told = good("restore", file, "--force", env=env)
    assert told["before"] == f"{server.data}/chatbox.db.before-restore"
    assert whole(told["before"]) == 2
    server.start()
    assert run_cli("backup", env=env).returncode == 2
    assert run_cli("restore", "a", "b", env=env).returncode == 2


def test_mongodb_is_backed_up_by_its_own_tools(tmp_path):
    """One sentence that says where to read on; nothing is connected."""
    env = {"STORE": "mongo", "MONGO_URI": "mongodb://127.0.0.1:9/"}
    for command in ("backup", "restore"):
        refused("docs/operations.md", command, str(tmp_path / "x"), env=env)
    assert os.listdir(tmp_path) == []


# --- killed at any call

def run_until_killed(calls, name, nth, *args, env):
    """Whether it was; the page forgets what it has counted."""
    calls.kill(name, nth)
    done = subprocess.run([BINARY, *args], env={**base_env(), **calls.env, **env},
                          capture_output=True, timeout=60 * PATIENCE, check=False)
    calls.disarm()
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


def moments(calls, *args, env):
    """(name, n) of the calls at which a run may die, after one that did not."""
    calls.forget()
    done = run_cli(*args, env={**calls.env, **env})
    assert done.returncode == 0, done.all
    for name in KINDS:
        seen = calls.seen(name)
        step = 1 if name in ("rename", "unlink", "fsync") else max(1, seen // FEW)
        yield from ((name, n) for n in range(1, seen + 1, step))


@pytest.fixture
def left_by_a_crash(spawn, connect, fake, tmp_path):
    """A data folder whose log file a kill has left, and a backup of another one."""
    texts = {}
    for name in ("new", "old"):
        server = spawn(provider_env(fake), data=str(tmp_path / name))
        one = connect(server, "ann")
        for n in range(5):
            one.turn(f"{name} {n}")
        texts[name] = [m["content"] for m in server.user("ann").get(
            f"/sessions/{one.session}").json()["messages"]]
        if name == "new":
            good("backup", str(tmp_path / "backup"), env=folder(server.data))
            server.stop()
        else:
            server.kill9()
            assert (tmp_path / "old" / "chatbox.db-wal").stat().st_size > 0
    return tmp_path, texts


@pytest.mark.sqlite
@pytest.mark.timeout(120 * PATIENCE)
def test_a_restore_that_is_killed_leaves_the_old_or_the_new(left_by_a_crash):
    """Never half of one, nor the one with the other's log; and it can be repeated."""
    place, texts = left_by_a_crash
    calls = NthCall(place / "page")
    data, restore = place / "data", ("restore", str(place / "backup"), "--force")

    def begin():
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(place / "old", data)

    begin()
    killed = {"old": 0, "new": 0}
    for name, nth in list(moments(calls, *restore, env=folder(data))):
        begin()
        if not run_until_killed(calls, name, nth, *restore, env=folder(data)):
            continue
        again = (name, nth) if name != "rename" else None
        if again is None:
            good(*restore, env=folder(data))
            assert contents(data, "ann") == texts["new"], (name, nth)
            begin()
            assert run_until_killed(calls, name, nth, *restore, env=folder(data))
        found = contents(data, "ann")
        which = "new" if found == texts["new"] else "old"
        assert found == texts[which], (name, nth)
        killed[which] += 1
        if which == "new":
            shutil.rmtree(place / "kept", ignore_errors=True)
            (place / "kept").mkdir()
            for path in data.glob("chatbox.db.before-restore*"):
                end = path.name.removeprefix("chatbox.db.before-restore")
                shutil.copy(path, place / "kept" / f"chatbox.db{end}")
            assert contents(place / "kept", "ann") == texts["old"], (name, nth)
        assert not [n for n in os.listdir(data) if "restored" in n], (name, nth)
    assert killed["old"] > 10 and killed["new"] >= 4


@pytest.mark.sqlite
@pytest.mark.timeout(120 * PATIENCE)
def test_a_backup_that_is_killed_leaves_nothing_under_its_name(left_by_a_crash):
    """Or all of it; and what is left beside it is in nobody's way."""
    place, texts = left_by_a_crash
    calls, file = NthCall(place / "page"), place / "out" / "backup"
    file.parent.mkdir()
    command = ("backup", str(file), "--force")
    died = 0
    for name, nth in list(moments(calls, *command, env=folder(place / "old"))):
        file.unlink(missing_ok=True)
        if run_until_killed(calls, name, nth, *command, env=folder(place / "old")):
            died += 1
            assert not file.exists() or whole(file) == len(texts["old"]), (name, nth)
        for path in file.parent.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert died > 10
    good(*command, env=folder(place / "old"))
    assert os.listdir(file.parent) == ["backup"]
    assert whole(file) == len(texts["old"])


def test_a_command_on_the_storage_needs_no_other_settings(tmp_path):
    """No secret and no provider; what it needs is checked as ever."""
    done = run_cli("backup", str(tmp_path / "x"), env={"STORE": "mongo"})
    assert done.returncode == 78 and "MONGO_URI" in done.stderr, done.all
    done = run_cli("backup", str(tmp_path / "x"), env={"DATA_DIR": str(tmp_path),
                                                       "ENCRYPTION_KEY": "short"})
    assert done.returncode == 78, done.all
    assert os.listdir(tmp_path) == []
