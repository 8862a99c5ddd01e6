# SPDX-License-Identifier: MIT
"""Collections of the older form, whose sessions have their messages inside: written
by hand with another driver, read by the server as they are, moved by the command."""

import base64
import datetime
import os
import re
import secrets
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from bson import ObjectId
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from support.answer import plain
from support.mongoproxy import MongoProxy
from support.operators import operator
from support.server import (BINARY, base_env, free_port, minimal_env, provider_env,
                            run_cli)
from support.transcript import transcript
from support.waiting import PATIENCE, wait_for
from support.ws import Chat, fresh

RAW = "0123456789abcdefGHIJKLMNOPQRSTUV"  # ENCRYPTION_KEY as it stands
OTHER = b"another key that nobody has now!"
TOLD = {"code": "DATABASE_ERROR", "recoverable": False,
        "message": "This message is stored, but it cannot be opened."}
# The suite's own database reads a session whole for every page of it.
MANY = 50_000 if os.environ.get("CHATBOX_LONG") == "1" else 5_000
LIMIT = 60 + MANY // 100  # seconds for one of its steps
BEGIN = datetime.datetime(2025, 3, 1, 12, 0)  # UTC, as the driver takes it


def sealed(text, key=RAW.encode()):
    """No associated data, bare base64."""
    nonce = os.urandom(12)
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, text.encode(), None)).decode()


def said(sender, content, at=0, **members):
    return {"content": content, "ts": BEGIN + datetime.timedelta(seconds=at),
            "sender": sender, **members}


def older(user, messages, **members):
    """A session as the older system wrote it."""
    return {"_id": secrets.token_hex(16), "uid": user, "nm": "Old times",
            "modelId": "", "msgs": messages, "ts": BEGIN, "dur": 60,
            "adminAssisted": False, "helpRequested": False, "totalTokens": 12,
            "maxRespTime": 900, "avgRespTime": 450, "_ts": BEGIN, "_mt": BEGIN, **members}


def talk(count, seal=str, word="turn"):
    """Questions and answers in turns."""
    return [said("ai" if n % 2 else "user", seal(f"{word} {n + 1}"), n)
            for n in range(count)]


@pytest.fixture
def name():
    return f"older_{secrets.token_hex(6)}"


@pytest.fixture
def stored(database, name):
    return database.client[name]  # goes with the module's server


@pytest.fixture
def env(database, name):
    """What the server and the command share. A slow machine is no reason to take the
    database for one that is away."""
    uri = database.uri(socketTimeoutMS=round(8000 * PATIENCE))
    return {**minimal_env(), "STORE": "mongo", "MONGO_URI": uri,
            "MONGO_DATABASE": name, "MONGO_CONNECT_TIMEOUT": "5s",
            "ENCRYPTION_KEY": RAW}


@pytest.fixture
def start(spawn, fake, env):
    def begin(**members):
        return spawn({**env, **provider_env(fake), **members})
    return begin


def migrate(env, *options, status=0, timeout=120):
    result = run_cli("migrate", *options, env=env, timeout=timeout)
    assert result.returncode == status, result.all
    return {line.strip().split(": ")[0]: int(line.split(": ")[1])
            for line in result.stdout.splitlines()}, result.stderr


def told(server, user, sid):
    """All messages, over as many pages as there are."""
    with server.user(user) as client:
        return transcript(client, f"/sessions/{sid}", limit=1000)


def page(server, user, sid, before):
    with server.user(user) as client:
        return client.get(f"/sessions/{sid}?limit=1000&before_seq={before}",
                          timeout=LIMIT * PATIENCE).json()["messages"]


def texts(messages):
    return [one["content"] for one in messages]


def check_moved(stored, sid, contents=None):
    """Every message once, in order, and the session's document says so."""
    rows = list(stored.messages.find({"sid": sid}).sort("seq"))
    document = stored.sessions.find_one({"_id": sid})
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert len({row["_id"] for row in rows}) == len(rows)
    assert document["seq"] == document["msgCount"] == len(rows)
    assert document["v"] >= 1
    if contents is not None:
        assert [row["content"] for row in rows] == contents


# --- the whole way

def test_an_older_collection_is_read_continued_moved_and_read(start, stored, env, fake,
                                                              user, question):
    """With the server running on it all the time."""
    first = older(user, talk(6, sealed))
    second = older(user, [said("user", "plain words", 0, meta={"colour": "red"}),
                          said("ai", sealed("sealed words"), 1),
                          said("admin", "a person", 2),
                          said("user", "", 3, fileId="f1", fileUrl="https://example.org/f"),
                          said("ai", sealed("lost words", OTHER), 4)],
                   endTs=BEGIN + datetime.timedelta(hours=1))
    third = older(user, talk(4, word="third"), nm="Third")
    stored.sessions.insert_many([first, second, third])
    server = start()
    client = server.user(user)

    items = {one["id"]: one for one in client.get("/sessions").json()["sessions"]}
    assert {sid: items[sid]["message_count"] for sid in items} == {
        first["_id"]: 6, second["_id"]: 5, third["_id"]: 4}
    assert items[first["_id"]]["last_activity"] == "2025-03-01T12:00:05.000Z"
    assert not items[second["_id"]]["is_active"] and items[third["_id"]]["is_active"]
    before = {sid: told(server, user, sid) for sid in items}
    assert texts(before[first["_id"]]) == [f"turn {n}" for n in range(1, 7)]
    assert before[first["_id"]][1]["reply_to"] == before[first["_id"]][0]["message_id"]
    mixed = before[second["_id"]]
    assert texts(mixed) == ["plain words", "sealed words", "a person", "", ""]
    assert [one["sender"] for one in mixed] == ["user", "ai", "admin", "user", "ai"]
    assert mixed[0]["metadata"] == {"colour": "red"} and mixed[3]["file_id"] == "f1"
    assert mixed[4]["error"] == TOLD and "error" not in mixed[1]
    assert [one["id"] for one in client.get("/sessions?q=sealed+words").json()["sessions"]
            ] == [second["_id"]]
    two = client.get(f"/sessions/{first['_id']}?limit=2&before_seq=4").json()
    assert texts(two["messages"]) == ["turn 2", "turn 3"]
    assert "turn 6" in client.get(f"/sessions/{first['_id']}/export?format=md").text
    desk = operator(server)
    seen = desk.get(f"/admin/sessions/{second['_id']}").json()["messages"]
    assert texts(seen) == texts(mixed)
    assert desk.get("/admin/sessions?admin_assisted=false").json()["total"] == 3

    fake.when(question, plain("fine"))
    with Chat(server, user, session_id=first["_id"]) as one:
        assert one.hello["seq"] == 6
        epoch = one.hello["epoch"]
        assert one.turn(question).end["seq"] == 8
    asked = fake.asked(question)[0].pairs
    assert [text for _, text in asked[-7:-1]] == [f"turn {n}" for n in range(1, 7)]
    with Chat(server, user, session_id=first["_id"], last_seq=5, epoch=epoch) as one:
        assert one.hello["resumed"] is True
        assert [one.recv()["seq"] for _ in range(3)] == [6, 7, 8]
    check_moved(stored, first["_id"])
    before[first["_id"]] = told(server, user, first["_id"])
    assert [one["seq"] for one in before[first["_id"]]] == list(range(1, 9))

    counts, _ = migrate(env, "--dry-run", status=1)
    assert counts["sessions to be moved"] == 2 and counts["messages to be moved"] == 9
    assert stored.messages.count_documents({}) == 8
    counts, log = migrate(env, status=1)
    assert counts["sessions moved"] == 2 and counts["messages moved"] == 9
    assert counts["opened from the older encryption"] == 1
    assert counts["that do not open"] == 1
    assert second["_id"] in log and "plain words" not in log and "lost" not in log
    for sid in items:
        check_moved(stored, sid)
        assert told(server, user, sid) == before[sid]
        assert len(stored.sessions.find_one({"_id": sid})["msgs"]) in (4, 5, 6)
    for row in stored.messages.find({"content": {"$ne": ""}}):
        assert row["content"].startswith("v1.") or row["content"] == \
            second["msgs"][4]["content"]
    assert stored.sessions.find_one({"_id": third["_id"]})["nm"].startswith("v1.")
    counts, _ = migrate(env, "--finish")
    assert counts["sessions moved"] == 0 and counts["sessions finished"] == 3
    assert stored.sessions.count_documents({"msgs": {"$exists": True}}) == 0
    assert stored.meta.count_documents({"_id": re.compile("^moving")}) == 0
    for sid in items:
        assert told(server, user, sid) == before[sid]
    assert client.delete(f"/sessions/{second['_id']}").status_code == 204
    assert stored.messages.count_documents({"sid": second["_id"]}) == 0


def test_an_older_session_can_be_renamed_shared_ended_and_deleted(start, stored, user):
    document = older(user, talk(3))
    stored.sessions.insert_one(document)
    server = start()
    client, sid = server.user(user), document["_id"]
    assert client.patch(f"/sessions/{sid}", json={"name": "New"}).json()["name"] == "New"
    share = client.post(f"/sessions/{sid}/share").json()["share_token"]
    assert texts(server.http.get(f"/shared/{share}").json()["messages"]) == [
        "turn 1", "turn 2", "turn 3"]
    assert client.post(f"/sessions/{sid}/end").json() == {"status": "ended"}
    item = client.get("/sessions").json()["sessions"][0]
    assert (item["message_count"], item["name"], item["is_active"]) == (3, "New", False)
    assert client.delete(f"/sessions/{sid}").status_code == 204
    assert stored.sessions.count_documents({}) == stored.messages.count_documents({}) == 0


# --- cut off anywhere

STEPS = 20  # more than a run has commands about sessions and messages


def killed_at(proxy, env, kind, n, *options):
    """One run that is killed at its n-th command about sessions and messages, before
    or after that was carried out. False: it has fewer."""
    fault = proxy.fail(kind, nth=n, where=lambda command: (
        command.get("insert") == "messages" or "moved" in repr(command) or
        command.get("find") in ("messages", "sessions")))
    process = subprocess.Popen([BINARY, "migrate", *options], env={**base_env(), **env},
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: fault.struck or process.poll() is not None, 60, "the n-th command")
    struck = process.poll() is None
    process.kill()
    process.wait()
    return struck


@pytest.mark.parametrize("kind", ["hang_before", "hang"])
def test_a_run_that_is_killed_at_any_step_is_gone_on_with(database, env, user, kind):
    """Several at a time, each in a database of its own: a run mostly waits for the
    driver to end."""
    documents = [older(user, talk(count, sealed)) for count in (3, 0)]

    def at(n):
        name = f"{env['MONGO_DATABASE']}_{n}"
        stored, mine = database.client[name], {**env, "MONGO_DATABASE": name}
        stored.sessions.insert_many(documents)
        with MongoProxy(database.port) as proxy:
            struck = killed_at(proxy, {**mine, "MONGO_URI": database.uri(host=proxy.host)},
                               kind, n, "--finish")
        migrate(mine, "--finish")
        for document in documents:
            check_moved(stored, document["_id"])
            row = stored.sessions.find_one({"_id": document["_id"]})
            assert row["seq"] == len(document["msgs"]) and "msgs" not in row
        assert stored.messages.count_documents({}) == 3
        return struck

    with ThreadPoolExecutor(4) as pool:
        struck = list(pool.map(at, range(1, STEPS + 1)))
    assert 7 < struck.count(True) < STEPS
    assert struck == sorted(struck, reverse=True)


@pytest.mark.timeout(3 * LIMIT * PATIENCE)
def test_a_long_session_moves_though_the_command_is_killed_again_and_again(
        start, stored, env, user, question, fake):
    document = older(user, talk(MANY))
    stored.sessions.insert_one(document)
    server = start(ENCRYPTION_KEY=None)
    env = {**env, "ENCRYPTION_KEY": ""}
    sid = document["_id"]
    pages, middle = (1001, MANY // 2, MANY + 1), MANY // 2
    before = [page(server, user, sid, at) for at in pages]
    assert texts(before[1]) == [f"turn {n}" for n in range(middle - 1000, middle)]
    for so_many in (1, middle):
        process = subprocess.Popen([BINARY, "migrate"], env={**base_env(), **env},
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wait_for(lambda: stored.messages.estimated_document_count() >= so_many or
                 process.poll() is not None, LIMIT, f"{so_many} messages", interval=0.05)
        assert process.poll() is None, process.stderr.read()
        process.kill()
        process.communicate()
        assert page(server, user, sid, middle) == before[1]
    counts, _ = migrate(env, timeout=LIMIT * PATIENCE)
    assert counts["messages moved"] == MANY
    check_moved(stored, sid, [one["content"] for one in document["msgs"]])
    assert [page(server, user, sid, at) for at in pages] == before
    fake.when(question, plain("fine"))
    with Chat(server, user, session_id=sid) as one:
        assert one.turn(question, LIMIT).end["seq"] == MANY + 2


def test_a_document_of_15_megabytes_moves(start, stored, env, user):
    contents = [secrets.token_hex(1) * 2500000 for _ in range(3)]
    document = older(user, [said("user", text, n) for n, text in enumerate(contents)])
    stored.sessions.insert_one(document)
    server = start()
    assert texts(told(server, user, document["_id"])) == contents
    counts, _ = migrate(env, "--finish")
    assert counts["messages moved"] == 3 and counts["sessions finished"] == 1
    assert texts(told(server, user, document["_id"])) == contents
    check_moved(stored, document["_id"])


# --- beside a server that does something else

def test_a_session_that_is_continued_while_it_is_moved_has_each_message_once(
        database, start, stored, env, proxy, fake, user, question):
    document = older(user, talk(5))
    stored.sessions.insert_one(document)
    server = start()
    behind = {**env, "MONGO_URI": database.uri(host=proxy.host)}
    fault = proxy.fail("hang_before", "insert", where=lambda c: c["insert"] == "messages")
    process = subprocess.Popen([BINARY, "migrate"], env={**base_env(), **behind},
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    fault.wait_struck()
    fake.when(question, plain("fine"))
    with Chat(server, user, session_id=document["_id"]) as one:
        assert one.turn(question).end["seq"] == 7
    proxy.release(fault)
    assert process.wait(60 * PATIENCE) == 0
    check_moved(stored, document["_id"])
    assert texts(told(server, user, document["_id"])) == [
        *(f"turn {n}" for n in range(1, 6)), question, "fine"]


def test_a_session_that_is_deleted_while_it_is_moved_leaves_nothing(
        database, start, stored, env, proxy, user):
    server = start()
    behind = {**env, "MONGO_URI": database.uri(host=proxy.host)}
    for end in ("goes on", "is killed"):
        document = older(user, talk(5))
        stored.sessions.insert_one(document)
        fault = proxy.fail("hang", "insert", where=lambda c: c["insert"] == "messages")
        process = subprocess.Popen([BINARY, "migrate"], env={**base_env(), **behind},
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        fault.wait_struck()
        stored.sessions.delete_one({"_id": document["_id"]})  # but not its messages
        if end == "is killed":
            process.kill()
        proxy.release(fault)
        process.wait(60 * PATIENCE)
    migrate(env)
    assert stored.messages.count_documents({}) == stored.sessions.count_documents({}) == 0
    assert server.user(user).get("/sessions").json()["count"] == 0


# --- bad input

def test_values_of_wrong_kinds_are_counted_kept_and_harm_nobody(start, stored, env, user):
    odd = older(user, [
        "no document", 7, None, said("user", "whole"), said("robot", {"no": "text"}),
        {"sender": "ai"}, {"content": "no sender", "ts": "no date", "meta": [1]},
        said("user", 5, meta={"number": 5, "word": "yes"})],
        ts="no date", nm=5, adminAssisted="no", totalTokens=[], lastActivity="then")
    bare = {"_id": secrets.token_hex(16), "uid": user}
    no_list = older(user, "no list")
    strangers = [{"_id": ObjectId(), "uid": user, "msgs": []},
                 {"_id": secrets.token_hex(16), "msgs": [said("user", "nobody's")]},
                 {"_id": "short", "uid": user, "msgs": [said("user", "short")]}]
    stored.sessions.insert_many([odd, bare, no_list, *strangers])
    server = start()
    before = told(server, user, odd["_id"])
    assert [one["seq"] for one in before] == list(range(1, 9))
    assert texts(before) == ["", "", "", "whole", "", "", "no sender", ""]
    assert told(server, user, bare["_id"]) == told(server, user, no_list["_id"]) == []
    assert {odd["_id"], bare["_id"], no_list["_id"]} == {
        one["id"] for one in server.user(user).get("/sessions").json()["sessions"]}
    counts, log = migrate(env, "--finish", status=1)
    assert counts["sessions moved"] == 3 and counts["messages moved"] == 8
    assert counts["documents that are no sessions"] == 3
    assert counts["with values of a wrong kind"] == 7
    assert counts["sessions finished"] == 1
    assert counts["sessions that keep their old messages"] == 2
    assert "whole" not in log and "nobody's" not in log
    assert told(server, user, odd["_id"]) == before
    assert stored.sessions.find_one({"_id": odd["_id"]})["msgs"] == odd["msgs"]
    assert stored.messages.count_documents({}) == 8


def test_what_the_session_shows_before_the_move_it_shows_after_it(start, stored, env, user):
    """Without a start it has that of its first message; a list that is a document
    has no messages, and stays. Of response times the last hundred stay. An empty
    text is none."""
    headless = older(user, [said("user", "first", 5), said("ai", "second", 9)],
                     respTimes=[1] + [300, 600] * 50, nm="", assistingAdminId="",
                     assistingAdminName="")
    del headless["ts"]
    keyed = older(user, {"0": said("user", "not in a list")})
    stored.sessions.insert_many([headless, keyed])
    server = start()
    before = server.user(user).get("/sessions").json()["sessions"]
    assert [(one["start_time"], one["duration"]) for one in before
            if one["id"] == headless["_id"]] == [("2025-03-01T12:00:05.000Z", 4)]
    counts, _ = migrate(env, status=1)
    assert counts["sessions moved"] == 2 and counts["messages moved"] == 2
    assert counts["with values of a wrong kind"] == 1
    assert counts["sessions that cannot be moved"] == 0
    assert server.user(user).get("/sessions").json()["sessions"] == before
    assert not any("assisting_admin_name" in one for one in before)
    check_moved(stored, headless["_id"])
    kept = {one["_id"]: one for one in stored.sessions.find()}
    assert kept[headless["_id"]]["respTimes"] == [300, 600] * 50
    assert kept[keyed["_id"]]["respTimes"] == [450]  # the average, when that is all
    assert kept[keyed["_id"]]["msgs"] == keyed["msgs"]


def test_sealed_texts_without_a_key_are_not_shown_and_not_moved(start, stored, env, user):
    document = older(user, talk(2, sealed))
    stored.sessions.insert_one(document)
    server = start(ENCRYPTION_KEY=None)
    assert [one["error"] for one in told(server, user, document["_id"])] == [TOLD, TOLD]
    with Chat(server, user, session_id=document["_id"]) as one:
        one.say("hello")
        assert one.get("error")
    counts, log = migrate({**env, "ENCRYPTION_KEY": ""}, status=1)
    assert counts["sessions moved"] == 0 and counts["sessions that cannot be moved"] == 1
    assert "no_key" in log
    assert stored.sessions.find_one({"_id": document["_id"]})["msgs"][0]["content"] == \
        document["msgs"][0]["content"]


def test_numbers_that_other_messages_have_are_not_written_over(stored, env, user):
    document = older(user, talk(2))
    stored.sessions.insert_one(document)
    stored.messages.insert_one({"_id": "0" * 32, "sid": document["_id"], "seq": 2,
                                "content": "somebody's"})
    counts, log = migrate(env, status=1)
    assert counts["sessions that cannot be moved"] == 1 and "taken" in log
    assert "v" not in stored.sessions.find_one({"_id": document["_id"]})
    assert stored.messages.find_one({"_id": "0" * 32})["content"] == "somebody's"


def test_a_list_that_grows_after_the_move_is_not_dropped(stored, env, user):
    document = older(user, talk(2))
    stored.sessions.insert_one(document)
    migrate(env)
    stored.sessions.update_one({"_id": document["_id"]},
                               {"$push": {"msgs": said("user", "late")}})
    counts, log = migrate(env, "--finish", status=1)
    assert counts["sessions that keep their old messages"] == 1 and "grows" in log
    stored.sessions.update_one({"_id": document["_id"]}, {"$pop": {"msgs": 1}})
    stored.messages.delete_one({"sid": document["_id"], "seq": 1})
    counts, log = migrate(env, "--finish", status=1)
    assert counts["sessions that keep their old messages"] == 1 and "missing" in log


def test_migrate_says_in_one_sentence_why_it_does_not_run(env, stored, tmp_path):
    sqlite = run_cli("migrate", env={**minimal_env(), "DATA_DIR": str(tmp_path)})
    assert sqlite.returncode == 1 and "MONGO_URI" in sqlite.stderr and not sqlite.stdout
    assert run_cli("migrate", env={**minimal_env(), "STORE": "mongo"}).returncode == 78
    host = f"127.0.0.1:{free_port()}"
    away = run_cli("migrate", env={**env, "MONGO_URI": f"mongodb://{host}/",
                                   "MONGO_CONNECT_TIMEOUT": "300ms"})
    assert away.returncode == 1 and host in away.stderr
    assert run_cli("migrate", "--fast", env=env).returncode == 2
    assert run_cli("migrate", "now", env=env).returncode == 2
    assert not away.stdout
    counts, _ = migrate({key: value for key, value in env.items()
                         if key.startswith(("STORE", "MONGO_", "ENCRYPTION_"))}, "--dry-run")
    assert set(counts.values()) == {0} and stored.list_collection_names() == []


def test_whole_collections_are_read_in_portions(database, stored, env, proxy, user):
    """What is left out of an answer is read all the same: a full one could take longer
    than anybody waits for it."""
    stored.sessions.insert_many([older(user, talk(1)) for _ in range(3)])
    migrate({**env, "MONGO_URI": database.uri(proxy.host)}, "--finish")
    scans = {}
    for one in proxy.asked("find"):
        scans[next(iter(one.document["filter"]), None)] = one.document.get("batchSize")
    assert [scans[key] for key in ("lastActivity", "v", "moved")] == [100, 100, 100]
