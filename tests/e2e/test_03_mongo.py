# SPDX-License-Identifier: MIT
"""MongoDB: how a server starts on it, and what another driver finds there."""

import datetime
import secrets
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.answer import plain
from support.mongotalk import holder, somebody
from support.server import free_port, minimal_env, provider_env, run_cli
from support.waiting import PATIENCE, wait_for
from support.ws import Chat, fresh

MEMBERS = {  # the type in which pymongo gives a field that is always there
    "sessions": {"_id": str, "uid": str, "nm": str, "modelId": str,
                 "ts": datetime.datetime, "lastActivity": datetime.datetime,
                 "dur": int, "adminAssisted": bool, "helpRequested": bool,
                 "archived": bool, "totalTokens": int, "maxRespTime": int,
                 "avgRespTime": float, "respTimes": list, "msgCount": int,
                 "seq": int, "epoch": str, "takeoverEpoch": int, "v": int},
    "messages": {"_id": str, "sid": str, "seq": int, "ts": datetime.datetime,
                 "sender": str, "type": str, "content": str, "status": str},
}


@pytest.fixture
def name():
    return f"mongo_{secrets.token_hex(6)}"


@pytest.fixture
def stored(database, name):
    """The database of this test; another driver's view of it."""
    yield database.client[name]
    database.client.drop_database(name)


def settings(database, name, **options):
    return {"STORE": "mongo", "MONGO_URI": database.uri(**options),
            "MONGO_DATABASE": name, "MONGO_CONNECT_TIMEOUT": "5s"}


@pytest.fixture
def start(spawn, fake, database, name):
    def begin(**members):
        return spawn({**provider_env(fake), **settings(database, name), **members})
    return begin


def refused(env):
    """Why `serve` does not start: exit 1, and a log line."""
    result = run_cli("serve", env={**minimal_env(), "SERVER_PORT": str(free_port()),
                                   **env})
    assert result.returncode == 1, result.all
    return result.stderr


# --- starts that fail, or take long

def test_a_database_that_cannot_be_reached_is_exit_1_naming_the_host(name):
    host = f"127.0.0.1:{free_port()}"
    why = refused({"MONGO_URI": f"mongodb://zoe:pass-0815@{host}/?replicaSet=x",
                   "MONGO_DATABASE": name, "MONGO_CONNECT_TIMEOUT": "300ms"})
    assert host in why and "cannot be reached" in why
    assert "pass-0815" not in why and "zoe" not in why


def test_an_index_in_the_way_is_exit_1_naming_it(database, name, stored):
    stored.messages.create_index([("sid", 1)], name="chatbox_seq")
    assert "chatbox_seq" in refused(settings(database, name))


def test_an_index_that_takes_long_to_make_is_waited_for(start, database, name, stored):
    """Longer than a connection waits for an answer, and than the start for a primary."""
    database.fail_point("createIndexes", times=1, app=name, blockConnection=True,
                        blockTimeMS=round(3000 * PATIENCE))
    server = start(MONGO_URI=database.uri(
        appName=name, socketTimeoutMS=round(1000 * PATIENCE)))
    assert [line["code"] for line in server.logged("store_retry")] == ["chatbox_seq"]
    assert "chatbox_seq" in stored.messages.index_information()


def test_two_messages_with_one_number_are_exit_1_naming_the_index(database, name,
                                                                  stored):
    stored.messages.insert_many([{"_id": one, "sid": "s", "seq": 1} for one in "ab"])
    assert "chatbox_seq" in refused(settings(database, name))


def test_a_newer_schema_is_refused(database, name, stored):
    stored.meta.insert_one({"_id": "schema", "v": 99})
    assert "version 99" in refused(settings(database, name))
    assert stored.list_collection_names() == ["meta"]


def test_a_collection_that_is_already_something_else_is_a_wrong_setting(database, name):
    """It would have two kinds of documents; `check` says the same (test_05)."""
    result = run_cli("serve", env={**minimal_env(), **settings(database, name),
                                   "MONGO_COLLECTION": "messages"})
    assert result.returncode == 78 and "MONGO_COLLECTION" in result.stderr, result.all
    assert name not in database.client.list_database_names()


# --- one server at a time

def test_a_second_server_is_refused_naming_the_first(start, database, name, stored):
    first = start()
    why = refused(settings(database, name))
    assert f"process {first.process.pid} on {socket.gethostname()}" in why
    assert "in use" in why and first.http.get("/readyz").status_code == 200
    first.stop()
    assert holder(stored) is None
    start()


def test_who_was_killed_here_is_not_waited_for(start, stored):
    server = start()
    before = holder(stored)
    server.kill9()
    assert holder(stored)["holder"] == before["holder"]
    server.start()
    assert holder(stored)["holder"] != before["holder"]
    assert not server.logged("store_lease")


def test_a_silent_server_elsewhere_is_waited_for_then_followed(start, stored):
    somebody(stored)
    server = start()
    waited, = server.logged("store_lease")
    assert (waited["host"], waited["pid"]) == ("elsewhere", 4711)
    assert holder(stored)["pid"] == server.process.pid


def test_a_server_elsewhere_that_lives_is_not_followed(database, name, stored):
    somebody(stored)
    stop = threading.Event()

    def beat():
        while not stop.wait(0.1):
            stored.meta.update_one({"_id": "server"}, {"$inc": {"beat": 1}})
    thread = threading.Thread(target=beat)
    thread.start()
    try:
        assert "process 4711 on elsewhere" in refused(settings(database, name))
    finally:
        stop.set()
        thread.join()
    assert holder(stored)["holder"] == "f" * 32


def test_a_server_that_was_followed_stores_nothing_more(start, stored, connect, fake,
                                                        user, question):
    fake.when(question, plain("fine"))
    server = start()
    one = connect(server, user)
    one.turn(question)
    somebody(stored)
    lost, = server.wait_log("store_lease", 15)
    assert lost["level"] == "error" and lost["host"] == "elsewhere"
    count = stored.messages.count_documents({})
    one.say(fresh("question"))
    assert one.get("error")["error"]["code"] == "DATABASE_ERROR"
    wait_for(lambda: server.http.get("/readyz").status_code == 503, 5, "not ready")
    assert stored.messages.count_documents({}) == count
    server.stop()
    assert holder(stored)["holder"] == "f" * 32


def test_a_server_goes_on_when_its_place_was_emptied(start, stored):
    server = start()
    before = holder(stored)
    stored.meta.delete_one({"_id": "server"})
    wait_for(lambda: holder(stored), 10, "it is put down again")
    assert holder(stored)["holder"] == before["holder"]
    assert server.http.get("/readyz").status_code == 200


# --- what is there

def test_indexes_are_made_once(start, stored):
    first = start()
    before = {one: stored[one].index_information()
              for one in ("sessions", "messages", "pieces", "audit")}
    seq, cid = before["messages"]["chatbox_seq"], before["messages"]["chatbox_cid"]
    assert seq["unique"] and list(seq["key"]) == [("sid", 1), ("seq", 1)]
    assert cid["unique"] and list(cid["key"]) == [("sid", 1), ("cid", 1)]
    first.stop()
    first.start()
    assert before == {one: stored[one].index_information() for one in before}


def test_another_driver_finds_the_fields_of_the_contract(start, stored, fake, user,
                                                         question):
    fake.when(question, plain("fine", usage=(3, 4)))
    with Chat(start(), user) as one:
        one.turn(question, client_id="c-1", metadata={"colour": "red"})
        sid = one.session
    session = stored.sessions.find_one({"_id": sid})
    asked, answer = stored.messages.find({"sid": sid}).sort("seq")
    for document, members in ((session, MEMBERS["sessions"]),
                              (asked, MEMBERS["messages"]),
                              (answer, MEMBERS["messages"])):
        for member, kind in members.items():
            assert isinstance(document[member], kind), member
    assert (session["uid"], session["seq"], session["msgCount"]) == (user, 2, 2)
    assert asked["meta"] == {"colour": "red"} and asked["cid"] == "c-1"
    assert answer["usage"] == {"prompt_tokens": 3, "completion_tokens": 4,
                               "total_tokens": 7}
    assert answer["replyTo"] == asked["_id"] and answer["finish"] == "stop"
    assert "cid" not in answer and "superseded" not in answer
    assert stored.pieces.count_documents({}) == 0


def test_sessions_that_write_at_once_have_numbers_without_gaps(start, stored, fake):
    server = start()

    def talk(_):
        with Chat(server) as one:
            for _ in range(5):
                text = fresh("question")
                fake.when(text, plain("fine"))
                one.turn(text)
            return one.session
    with ThreadPoolExecutor(8) as pool:
        sessions = list(pool.map(talk, range(16)))
    for sid in sessions:
        numbers = [one["seq"] for one in stored.messages.find({"sid": sid}).sort("seq")]
        assert numbers == list(range(1, 11))
        assert stored.sessions.find_one({"_id": sid})["msgCount"] == 10


# --- what a crash or somebody else left

def test_a_session_that_is_behind_its_messages_is_brought_up(start, stored, fake,
                                                             user):
    texts = [fresh("question") for _ in range(2)]
    for text in texts:
        fake.when(text, plain("fine", usage=(1, 1)))
    server = start()
    with Chat(server, user) as one:
        one.turn(texts[0])
        sid = one.session
    server.stop()
    stored.sessions.update_one({"_id": sid}, {"$set": {
        "seq": 1, "msgCount": 1, "totalTokens": 0, "respTimes": []}})
    server.start()
    with Chat(server, user, session_id=sid) as one:
        assert one.hello["seq"] == 2
        one.turn(texts[1])
    session = stored.sessions.find_one({"_id": sid})
    assert (session["seq"], session["msgCount"], session["totalTokens"]) == (4, 4, 4)
    assert len(session["respTimes"]) == 2


def test_a_delete_that_was_cut_is_not_seen_and_is_ended(start, stored, fake, user, name,
                                                        database, question):
    """By a failing database, and then by a crash."""
    fake.when(question, plain("fine"))
    server = start(MONGO_URI=database.uri(appName=name), MONGO_RETRY_ATTEMPTS="1")
    with Chat(server, user) as one:
        one.turn(question)
        sid = one.session
    client = server.user(user)
    database.fail_point("delete", times=None, app=name, errorCode=24)
    try:
        assert client.delete(f"/sessions/{sid}").status_code == 503
    finally:
        database.fail_point_off()
    assert stored.messages.count_documents({"sid": sid}) == 2
    wait_for(server.is_ready, 10, "it works again")
    assert client.get("/sessions").json()["sessions"] == []
    assert client.get(f"/sessions/{sid}").status_code == 404
    server.kill9()
    server.start()
    assert stored.sessions.find_one({"_id": sid}) is None
    assert stored.messages.count_documents({"sid": sid}) == 0


def test_documents_of_odd_types_harm_nobody(start, stored, fake, user, question):
    fake.when(question, plain("fine"))
    server = start()
    with Chat(server, user) as one:
        one.turn(question)
        sid = one.session
    stored.messages.insert_many([
        {"_id": 7, "sid": sid, "seq": 3, "content": "no text id"},
        {"_id": "odd", "sid": sid, "seq": 4, "content": {"not": "text"}, "ts": "then",
         "sender": 5, "meta": [1], "usage": "none", "durMs": -1}])
    stored.sessions.insert_one({"_id": "odd", "uid": user, "ts": "then", "seq": []})
    client = server.user(user)
    told = client.get(f"/sessions/{sid}").json()["messages"]
    assert [one["seq"] for one in told] == [1, 2, 4]
    assert told[2]["content"] == "" and told[2]["sender"] == "system"
    assert sid in [one["id"] for one in client.get("/sessions").json()["sessions"]]


def test_documents_that_are_none_hide_nothing_behind_them(start, stored, fake, user):
    """Pages are as long as ever, and there is a next one as long as there is more."""
    server = start()
    with Chat(server, user) as one:
        one.turn("one")
        one.turn("two")
        sid = one.session
    first = stored.sessions.find_one({"_id": sid})
    reader = fresh("reader")
    wanted = [secrets.token_hex(16) for _ in range(3)]
    stored.sessions.insert_many(
        [{**first, "_id": one, "uid": reader,
          "lastActivity": first["lastActivity"] - datetime.timedelta(seconds=n)}
         for n, one in enumerate(wanted)] +
        [{"_id": n, "uid": reader, "lastActivity": first["lastActivity"] -
          datetime.timedelta(milliseconds=200 * n)} for n in range(-3, 12)])
    stored.messages.insert_many(
        [{"_id": n, "sid": sid, "seq": n} for n in range(5, 10)] +
        [{"_id": "f" * 32, "sid": sid, "seq": 10}])
    assert numbers(server.user(user), sid, 2) == [4, 10, 2, 3, 1]
    told, cursor, client = [], "", server.user(reader)
    while cursor is not None:
        page = client.get(f"/sessions?limit=1{cursor}").json()
        told += [one["id"] for one in page["sessions"]]
        cursor = f"&cursor={page['next_cursor']}" if "next_cursor" in page else None
    assert told == wanted
    with Chat(server, reader) as again:
        assert again.session == wanted[0]


def numbers(client, sid, limit):
    """The messages' numbers, page by page from the end."""
    told, before = [], ""
    while before is not None:
        page = client.get(f"/sessions/{sid}?limit={limit}{before}").json()
        told += [one["seq"] for one in page["messages"]]
        before = (f"&before_seq={page['next_before_seq']}"
                  if "next_before_seq" in page else None)
    return told


def test_a_repeated_client_id_is_one_message(start, stored, fake, user, question):
    fake.when(question, plain("fine"))
    server = start()
    with Chat(server, user) as one:
        one.turn(question, client_id="c-1")
        sid = one.session
        one.say(question, client_id="c-1")
        first = one.get("ack")
    assert first["seq"] == 1
    assert stored.messages.count_documents({"sid": sid, "cid": "c-1"}) == 1


# --- retries, as they show from outside

def failing(database, name, code, times=None):
    """Every insert of the test's server fails with this code, so often."""
    database.fail_point("insert", times=times, app=name, errorCode=code)


@pytest.fixture
def patient(start, database, name):
    """A server of few attempts and short pauses; its connections have a name."""
    yield start(MONGO_URI=database.uri(appName=name), MONGO_RETRY_ATTEMPTS="4",
                MONGO_RETRY_DELAY="20ms", MONGO_RETRY_MAX_DELAY="1s")
    database.fail_point_off()


def test_a_failure_that_passes_is_tried_again_and_logged(patient, database, name, stored,
                                                         connect, fake, question):
    """Req 9.1, 9.5. Property 6."""
    fake.when(question, plain("fine"))
    one = connect(patient)
    failing(database, name, 24, times=2)  # LockTimeout
    assert one.turn(question).finish == "stop"
    assert stored.messages.count_documents({"content": question}) == 1
    first, second = patient.logged("store_retry")[:2]
    for line, attempt in ((first, 1), (second, 2)):
        assert (line["code"], line["number"]) == ("LockTimeout", 24)
        assert line["attempt"] == attempt and line["level"] == "warn"
    assert 10 <= first["wait_ms"] <= 20 and 20 <= second["wait_ms"] <= 40


def test_after_the_last_attempt_the_sender_is_told(patient, database, name, stored,
                                                   connect):
    """Req 9.2, 9.3, 9.4, 9.5. Property 7."""
    one = connect(patient)
    failing(database, name, 24)
    one.say(fresh("question"))
    assert one.get("error")["error"]["code"] == "DATABASE_ERROR"
    waits = [line["wait_ms"] for line in patient.logged("store_retry")]
    assert len(waits) == 3 and waits == sorted(waits)
    assert patient.wait_log("store_error", code="LockTimeout")
    assert stored.messages.count_documents({}) == 0


def test_a_failure_that_lasts_is_told_at_once(patient, database, name, stored, connect):
    """Property 8."""
    one = connect(patient)
    failing(database, name, 13)  # Unauthorized
    one.say(fresh("question"))
    assert one.get("error")["error"]["code"] == "DATABASE_ERROR"
    assert patient.logged("store_retry") == []
    assert stored.messages.count_documents({}) == 0
