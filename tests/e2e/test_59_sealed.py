# SPDX-License-Identifier: MIT
"""Messages at rest when keys are set: protocol.md 4 and what it says of content."""

import base64
import contextlib
import hashlib
import json
import os
import re
import resource
import secrets
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from support.answer import Answer
from support.server import BINARY, base_env, free_port, provider_env, run_cli
from support.stored import storage
from support.transcript import transcript as whole_transcript
from support.waiting import PATIENCE, wait_for
from support.ws import fresh

RAW = "0123456789abcdefGHIJKLMNOPQRSTUV"  # ENCRYPTION_KEY as it stands
TOLD = {"code": "DATABASE_ERROR", "recoverable": False,
        "message": "This message is stored, but it cannot be opened."}


def new_key():
    return run_cli("keygen", "encryption").stdout.strip()


@pytest.fixture
def keys():
    """Two entries of ENCRYPTION_KEYS."""
    return [new_key(), new_key()]


def key_of(entry):
    name, text = entry.split(":")
    return name, base64.b64decode(text)


def aad(sid, seq=0, part=""):
    return sid.encode() + b"\0" + seq.to_bytes(8, "big") + part.encode()


def opened(stored, key, sid, seq=0, part=""):
    """What another program makes of it."""
    raw = base64.b64decode(stored.rsplit(".", 1)[1], validate=True)
    return AESGCM(key).decrypt(raw[:12], raw[12:], aad(sid, seq, part)).decode()


def sealed_before(text, key):
    """As the older system stored it: no associated data, bare base64."""
    nonce = os.urandom(12)
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, text.encode(), None)).decode()


def transcript(server, user, sid):
    return whole_transcript(server.user(user), f"/sessions/{sid}")


def files_with(server, word):
    files = [path for path in Path(server.data).rglob("*") if path.is_file()]
    for path in files + storage(server).files():
        with contextlib.suppress(FileNotFoundError):  # a log that was just removed
            if word.encode() in path.read_bytes():
                yield path


def nowhere(server, word):
    """The word is in no file of the data folder or of the database, in nothing that
    the database gives, and in no line of the log."""
    assert not list(files_with(server, word))
    assert word not in storage(server).text()
    assert word not in server.log_text() + "\n".join(server.stdout)


# --- what is on the disk

def test_a_message_is_nowhere_on_disk_nor_in_the_log(spawn, connect, fake, keys):
    """A canary in question, answer, name and search, also after kill -9."""
    canary, gate = f"canary{secrets.token_hex(8)}", fresh("gate")
    server = spawn({**provider_env(fake), "ENCRYPTION_KEYS": keys[0]})
    one = connect(server)
    fake.when(f"{canary} first", Answer().tokens(f"So {canary} ", "it is.").finish())
    assert one.turn(f"{canary} first").finish == "stop"
    me = server.user(one.user)
    assert me.patch(f"/sessions/{one.session}",
                    json={"name": f"About {canary}"}).status_code == 200
    found = me.get("/sessions", params={"q": canary.upper()}).json()["sessions"]
    assert [item["name"] for item in found] == [f"About {canary}"]
    fake.when(f"{canary} second", Answer().tokens(
        *[f"{canary} {n} " for n in range(200)]).gate(gate).finish())
    one.say(f"{canary} second")
    one.get("ai_response")
    wait_for(storage(server).pieces, 10, "a checkpoint of the running answer")
    nowhere(server, canary)
    server.kill9()
    nowhere(server, canary)
    fake.open(gate)
    server.start()
    told = transcript(server, one.user, one.session)
    assert [m["content"].startswith((canary, f"So {canary}")) for m in told] == [True] * 4
    assert told[1]["content"] == f"So {canary} it is."
    assert told[3]["status"] == "interrupted"
    nowhere(server, canary)
    server.stop()
    nowhere(server, canary)


def test_a_plain_message_would_be_seen(spawn, connect, fake):
    """The search of the test above finds what is there."""
    canary = f"canary{secrets.token_hex(8)}"
    server = spawn(provider_env(fake))
    connect(server).turn(canary)
    assert canary in storage(server).text()
    assert list(files_with(server, canary)) or not storage(server).files()


@contextlib.contextmanager
def large_cores():
    """Who is started meanwhile may leave a core dump of any size."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        yield before[1]
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)


def dumps(process):
    """Whether the kernel wrote a core dump of it, wherever that goes on this machine,
    and though a superuser lifts its limits where this can be."""
    with contextlib.suppress(PermissionError):
        resource.prlimit(process.pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
    process.send_signal(signal.SIGABRT)
    end = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert end.si_status == signal.SIGABRT
    process.wait()
    return end.si_code == os.CLD_DUMPED


def test_a_server_that_has_keys_leaves_no_core_dump(spawn, connect, fake, keys, tmp_path):
    """So that what is opened in its memory comes to no disk by its death; another
    program that was started like it leaves one."""
    with large_cores() as limit:
        server = spawn({**provider_env(fake), "ENCRYPTION_KEYS": keys[0]}, cwd=tmp_path)
        other = subprocess.Popen(["sleep", "60"], cwd=tmp_path)
    connect(server).turn("hello")
    left = dumps(other)
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    assert left or limit == 0 or pattern == "" or pattern.startswith("|"), "as it could be"
    assert not dumps(server.process)


def test_another_program_opens_what_is_stored(spawn, connect, fake, keys):
    name, key = key_of(keys[0])
    server = spawn({**provider_env(fake), "ENCRYPTION_KEYS": ",".join(keys)})
    one = connect(server)
    one.turn("Größe\nund mehr")
    told = transcript(server, one.user, one.session)
    for seq, stored in storage(server).contents(one.session).items():
        assert re.fullmatch(rf"v1\.{name}\.[A-Za-z0-9+/]+=*", stored)
        assert opened(stored, key, one.session, seq) == told[seq - 1]["content"]
    stored = storage(server).session(one.session)["nm"]
    assert opened(stored, key, one.session, 0, "name") == "Größe"


def test_the_one_key_has_a_name_of_its_own(spawn, connect, fake):
    server = spawn({**provider_env(fake), "ENCRYPTION_KEY": RAW})
    one = connect(server)
    one.turn("hello")
    stored = storage(server).contents(one.session)[1]
    assert stored.split(".")[1] == "k" + hashlib.sha256(RAW.encode()).hexdigest()[:8]
    assert opened(stored, RAW.encode(), one.session, 1) == "hello"


# --- older forms

def test_the_older_form_and_plain_text_are_read(spawn, connect, fake, keys):
    server = spawn({**provider_env(fake), "ENCRYPTION_KEYS": keys[0],
                    "ENCRYPTION_KEY": RAW})
    one = connect(server)
    one.turn("hello")
    server.stop()
    store = storage(server)
    store.change_message(one.session, 1,
                         content=sealed_before("from before", RAW.encode()))
    store.change_message(one.session, 2, content="v1.2 is plain text")
    server.start()
    assert [m["content"] for m in transcript(server, one.user, one.session)] == [
        "from before", "v1.2 is plain text"]
    found = server.user(one.user).get("/sessions", params={"q": "FROM BEFORE"}).json()
    assert found["count"] == 1


# --- what does not open

def broken(server, sid, keys):
    """Ways to spoil the first of two messages; each gives what is stored then."""
    first, second = (storage(server).contents(sid)[seq] for seq in (1, 2))
    head, body = first.rsplit(".", 1)
    flipped = base64.b64decode(body)
    flipped = base64.b64encode(flipped[:20] + bytes([flipped[20] ^ 1]) + flipped[21:])
    return {"a flipped bit": f"{head}.{flipped.decode()}", "cut": first[:-4],
            "another number": second,
            "an unknown key": f"v1.kffffffff.{body}",
            "an unknown older key": sealed_before("lost", os.urandom(32))}


@pytest.mark.parametrize("how", ["a flipped bit", "cut", "another number",
                                 "an unknown key", "an unknown older key"])
def test_what_does_not_open_is_told_counted_and_never_shown(spawn, connect, fake, keys, how):
    server = spawn({**provider_env(fake), "ENCRYPTION_KEYS": keys[0]})
    one = connect(server, fresh("reader"))
    one.turn(fresh("question"))
    stored = broken(server, one.session, keys)[how]
    server.stop()
    storage(server).change_message(one.session, 1, content=stored)
    server.start()
    me = server.user(one.user)
    before = server.metric("chatbox_store_unreadable_total")
    answer = me.get(f"/sessions/{one.session}")
    asked, reply = answer.json()["messages"]
    assert asked["content"] == "" and asked["error"] == TOLD
    assert "error" not in reply and reply["content"]
    assert server.metric("chatbox_store_unreadable_total") == before + 1
    line = server.wait_log("store_unreadable", session_id=one.session, seq=1)[0]
    assert line["level"] == "error"
    export = me.get(f"/sessions/{one.session}/export", params={"format": "md"}).text
    assert "cannot be opened" in export
    back = connect(server, one.user, session_id=one.session, last_seq=0,
                   epoch=one.hello["epoch"])
    frame = back.get("user_message")
    assert "content" not in frame and frame["error"] == TOLD
    body = stored.rsplit(".", 1)[-1][:30]
    for text in (answer.text, export, json.dumps(back.frames), server.log_text()):
        assert body not in text
    # the session goes on, and the model is told of neither half of the pair
    next_question = fresh("question")
    assert back.turn(next_question).finish == "stop"
    assert fake.wait_asked(next_question).pairs == [("user", next_question)]


# --- wrong keys

@pytest.mark.parametrize("wrong", ["none", "another", "the same name"])
def test_wrong_keys_are_told_at_the_start(spawn, connect, fake, keys, wrong):
    server = spawn({**provider_env(fake), "ENCRYPTION_KEYS": keys[0]})
    one = connect(server)
    one.turn("hello")
    server.stop()
    name = keys[0].split(":")[0]
    given = {"none": None, "another": keys[1],
             "the same name": f"{name}:{keys[1].split(':')[1]}"}[wrong]
    right = server.env["ENCRYPTION_KEYS"]
    server.env = {k: v for k, v in server.env.items() if k != "ENCRYPTION_KEYS"}
    if given:
        server.env["ENCRYPTION_KEYS"] = given
    server.start(wait=False)
    server.wait_exit(1)
    failures = server.logged("start_failed")
    assert len(failures) == 1 and name in failures[0]["msg"]
    assert right.split(":")[1] not in server.log_text()
    server.env["ENCRYPTION_KEYS"] = ",".join([keys[1], right])
    server.start()
    assert transcript(server, one.user, one.session)[0]["content"] == "hello"


def test_every_key_that_has_sealed_is_needed(spawn, connect, fake, keys):
    """Whichever of them comes first."""
    server = spawn({**provider_env(fake), "ENCRYPTION_KEYS": keys[0]})
    connect(server).turn("hello")
    restart(server, [keys[1], keys[0]])
    server.stop()
    for one, missing in (keys, reversed(keys)):
        server.env["ENCRYPTION_KEYS"] = one
        server.start(wait=False)
        server.wait_exit(1)
        assert missing.split(":")[0] in server.logged("start_failed")[-1]["msg"]


# --- another key

def rekey(server, **settings):
    return run_cli("rekey", env={**server.env, **settings}, timeout=120)


def restart(server, keys):
    server.stop()
    server.env["ENCRYPTION_KEYS"] = ",".join(keys)
    server.start()


def test_the_key_changes_under_load(spawn, connect, fake, keys):
    """Old first, new first, rekey beside the server, then the old one goes. The old
    one's name begins like the new one's."""
    old, new = (f"{name}:{key.split(':')[1]}" for name, key in zip(("k10", "k1"), keys))
    server = spawn({**provider_env(fake), "ENCRYPTION_KEYS": old})
    talkers = [connect(server, fresh("talker")) for _ in range(3)]
    said = {one.user: [] for one in talkers}
    for one in talkers:
        for _ in range(10):
            said[one.user].append(fresh("text"))
            assert one.turn(said[one.user][-1]).finish == "stop"
    refused = rekey(server, ENCRYPTION_KEYS=f"{new},{old}")
    assert refused.returncode == 1 and "restart it with the new key" in refused.stderr
    restart(server, [new, old])
    users = [(one.user, one.session) for one in talkers]
    talkers = [connect(server, user, session_id=sid) for user, sid in users]
    stop, failures = threading.Event(), []

    def talk(one):
        try:
            while not stop.is_set():
                said[one.user].append(fresh("text"))
                assert one.turn(said[one.user][-1]).finish == "stop"
        except Exception as failure:  # noqa: BLE001 (told by the main thread)
            failures.append(failure)
    threads = [threading.Thread(target=talk, args=(one,)) for one in talkers]
    for thread in threads:
        thread.start()
    try:
        done = rekey(server)
    finally:
        stop.set()
        for thread in threads:
            thread.join(60 * PATIENCE)
    assert not failures, failures
    assert done.returncode == 0, done.all
    assert int(re.search(r"messages sealed anew: (\d+)", done.stdout)[1]) == 60
    again = rekey(server)
    assert "messages sealed anew: 0\n" in again.stdout, again.all
    restart(server, [new])
    for user, sid in users:
        messages = transcript(server, user, sid)
        assert [m["content"] for m in messages if m["sender"] == "user"] == said[user]
        listed, = server.user(user).get("/sessions").json()["sessions"]
        assert listed["name"] == said[user][0]
        at_rest = [storage(server).session(sid)["nm"], *storage(server).contents(sid).values()]
        assert all(text.startswith("v1.k1.") for text in at_rest)


COUNT = 1200


@pytest.mark.timeout(180 * PATIENCE)
def test_a_rekey_that_was_killed_goes_on(spawn, connect, fake, keys):
    old, new = keys
    server = spawn({**provider_env(fake), "ENCRYPTION_KEYS": old})
    one = connect(server)
    one.turn("hello")
    server.stop()
    store = storage(server)  # many more, plain
    store.add_messages(one.session, (
        {"_id": f"{seq:032x}", "seq": seq, "ts": 1700000000000 + seq, "sender": "user",
         "type": "user_message", "status": "complete", "content": f"text {seq}"}
        for seq in range(3, COUNT + 1)))
    store.change_session(one.session, seq=COUNT)
    server.env["ENCRYPTION_KEYS"] = f"{new},{old}"
    name = new.split(":")[0]

    def done():
        return store.begin_with(f"v1.{name}.")
    first = subprocess.Popen([BINARY, "rekey"], env={**base_env(), **server.env},
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: first.poll() is not None or done(), 30, "the first of it")
    first.send_signal(signal.SIGKILL)
    first.wait()
    left = COUNT - done()  # nothing, if it was quicker than the kill
    result = rekey(server)
    assert result.returncode == 0, result.all
    # a database may still carry out what it was told before the kill
    anew = int(re.search(r"messages sealed anew: (\d+)", result.stdout)[1])
    assert min(left, 1) <= anew <= left
    assert done() == COUNT
    server.env["ENCRYPTION_KEYS"] = new
    server.start()
    page = server.user(one.user).get(f"/sessions/{one.session}",
                                     params={"limit": 1000}).json()
    assert [m["content"] for m in page["messages"]] == [
        f"text {seq}" for seq in range(COUNT - 999, COUNT + 1)]


def test_rekey_needs_a_key_and_valid_settings(keys, tmp_path):
    """Of the storage; it needs no others."""
    env = {"DATA_DIR": str(tmp_path / "data"), "SERVER_PORT": "none"}
    none = run_cli("rekey", env=env)
    assert none.returncode == 1 and "ENCRYPTION_KEYS" in none.stderr
    bad = run_cli("rekey", env={**env, "ENCRYPTION_KEYS": "k1:short"})
    assert bad.returncode == 78 and "ENCRYPTION_KEYS" in bad.stderr
    assert "short" not in bad.stderr
    assert run_cli("rekey", "more", env=env).returncode == 2
    empty = run_cli("rekey", env={**env, "ENCRYPTION_KEYS": ",".join(keys)})
    assert empty.returncode == 0 and "messages sealed anew: 0\n" in empty.stdout
