# SPDX-License-Identifier: MIT
"""`chatbox rekey` on MongoDB, held up in its middle by a proxy: what changes meanwhile
stays changed, and what is not done yet still needs its key."""

import secrets
import subprocess

import pytest

from support.server import BINARY, base_env, provider_env, run_cli
from support.mongotalk import settings
from support.waiting import PATIENCE
from support.ws import fresh


def new_key(name):
    return f"{name}:{run_cli('keygen', 'encryption').stdout.strip().split(':')[1]}"


@pytest.fixture
def name():
    return f"rekey_{secrets.token_hex(6)}"


@pytest.fixture
def stored(database, name):
    return database.client[name]  # goes with the module's server


@pytest.fixture
def keys():
    return new_key("old"), new_key("new")


@pytest.fixture
def server(spawn, fake, database, name, keys):
    """Whose texts are sealed with the old key, and which seals with the new one now."""
    old, new = keys
    one = spawn({**provider_env(fake), **settings(database, name),
                 "ENCRYPTION_KEYS": old})
    yield one
    one.close()


def restart(server, keys):
    server.stop()
    server.env["ENCRYPTION_KEYS"] = ",".join(keys)
    server.start()


@pytest.fixture
def held(server, database, name, proxy, connect, keys):
    """Begins a rekey beside the server that is held up before it changes documents of
    a collection: (the process, the fault, a client of the session)."""
    running = []

    def begin(collection):
        user = fresh("rekey")
        first = connect(server, user)
        assert first.turn("hello").finish == "stop"
        restart(server, reversed(keys))
        one = connect(server, user, session_id=first.session)
        fault = proxy.fail("hang_before", "update",
                           where=lambda command: command["update"] == collection)
        behind = settings(database, name, proxy.host, socketTimeoutMS=300000)
        running.append(subprocess.Popen(
            [BINARY, "rekey"], env={**base_env(), **server.env, **behind},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        fault.wait_struck(timeout=60)
        return running[0], fault, one
    yield begin
    for one in running:
        one.kill()
        one.wait()


def test_a_name_that_changes_meanwhile_stays_changed(server, held, proxy, stored, keys):
    process, fault, one = held("sessions")
    path = f"/sessions/{one.session}"
    assert server.user(one.user).patch(path, json={"name": "Another"}).status_code == 200
    proxy.release(fault)
    assert process.wait(60 * PATIENCE) == 0
    assert stored.sessions.find_one({"_id": one.session})["nm"].startswith("v1.new.")
    restart(server, keys[1:])
    listed, = server.user(one.user).get("/sessions").json()["sessions"]
    assert listed["name"] == "Another"


@pytest.mark.parametrize("collection", ["messages", "sessions"])
def test_the_old_key_is_needed_as_long_as_it_is_not_done(server, held, keys, collection):
    old, new = keys
    process, _, one = held(collection)
    process.kill()
    process.wait()
    server.stop()
    server.env["ENCRYPTION_KEYS"] = new
    server.start(wait=False)
    server.wait_exit(1)
    assert "old" in server.logged("start_failed")[0]["msg"]
    server.env["ENCRYPTION_KEYS"] = f"{new},{old}"
    assert run_cli("rekey", env={**base_env(), **server.env}, timeout=120).returncode == 0
    server.env["ENCRYPTION_KEYS"] = new
    server.start()
    told = server.user(one.user).get(f"/sessions/{one.session}").json()["messages"]
    assert told[0]["content"] == "hello"
