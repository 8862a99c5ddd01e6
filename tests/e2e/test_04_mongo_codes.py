# SPDX-License-Identifier: MIT
"""Which failures of MongoDB are tried again, through the whole server: every code of
the table, labels, write concerns, connections that end."""

import re

import pytest

from support.answer import Answer
from support.mongoproxy import MongoProxy
from support.mongotalk import PATIENT, settings
from support.server import ROOT, provider_env
from support.waiting import wait_for

NAME = "codes"
ATTEMPTS, DELAY_MS, MAX_DELAY_MS = 6, 8, 50
TABLE = re.findall(r"^PASSING\((\d+), (\w+), (\w+), (\w+),",
                   (ROOT / "src/store/mongo_retry.def").read_text(), re.M)
PASSING = [(int(code), name, done) for code, name, done, _ in TABLE]
OF_WRITES = [row for row, (*_, which) in zip(PASSING, TABLE) if which == "ANY"]
OF_READS_ONLY = [code for (code, *_), (*_, which) in zip(PASSING, TABLE)
                 if which == "READS"]
LASTING = [2, 9, 13, 14, 26, 61, 72, 96, 121, 146, 10334, 17280]
NOT_BY_FAIL_POINTS = [249, 13388]  # they need particulars, which a fail point has not


@pytest.fixture(scope="module")
def wire(database):
    with MongoProxy(database.port) as one:
        yield one


@pytest.fixture(scope="module")
def server(spawn_module, fake, database, wire):
    env = {**provider_env(fake), **settings(database, NAME, wire.host, **PATIENT)}
    env |= {"MONGO_RETRY_ATTEMPTS": str(ATTEMPTS), "MONGO_RETRY_DELAY": f"{DELAY_MS}ms",
            "MONGO_RETRY_MAX_DELAY": f"{MAX_DELAY_MS}ms"}
    one = spawn_module(env)
    yield one
    one.close()  # before the wire


@pytest.fixture
def fails(database, server, wire):
    """Faults of the next commands of a name, until the end of the test."""
    def fail(command, times=1, **members):
        code = members.get("errorCode")
        if code in NOT_BY_FAIL_POINTS:
            wire.fail("refuse_command", command, times=times,
                      reply={"ok": 0.0, "code": code, "errmsg": "stale"})
        else:
            database.fail_point(command, times=times, app=NAME, **members)
    yield fail
    database.fail_point_off()
    wire.heal()
    wait_for(server.is_ready, 30, "ready again")


@pytest.fixture
def one(chat, server):
    """A client whose session is there, and who reads the lines of retries since then."""
    client = chat()
    client.turn("hello")
    before = len(server.logged("store_retry"))
    client.retries = lambda: server.logged("store_retry")[before:]
    return client


def documents(database, client_id):
    return list(database.client[NAME].messages.find({"cid": client_id}))


def accepted(one, database):
    """Its next message is stored, once."""
    turn = one.turn("again", client_id=one.user, timeout=60)
    assert turn.finish == "stop", turn.end
    row, = documents(database, one.user)
    assert row["_id"] == turn.ack["message_id"] and row["seq"] == turn.ack["seq"] == 3


def refused(one, database):
    one.say("again", client_id=one.user)
    error = one.get("error", 60)
    assert error["client_id"] == one.user and error["error"]["code"] == "DATABASE_ERROR"
    assert error["error"]["recoverable"] is True
    assert documents(database, one.user) == []


# --- codes

@pytest.mark.parametrize("code, name, done", OF_WRITES)
def test_a_write_that_failed_for_a_passing_reason_is_tried_again(fails, one, database, code,
                                                                 name, done):
    """Req 9.1, 9.5."""
    fails("insert", times=2, errorCode=code)
    accepted(one, database)
    line = one.retries()[0]
    assert (line["code"], line["number"], line["attempt"]) == (name, code, 1)
    assert line["outcome"] == ("not_now" if done == "NOTHING" else "unknown")
    assert line["level"] == "warn" and DELAY_MS / 2 <= line["wait_ms"] <= DELAY_MS


@pytest.mark.parametrize("code, name, _", PASSING)
def test_a_read_that_failed_for_a_passing_reason_is_tried_again(fails, server, one, code, name,
                                                                _):
    """Req 9.1, 9.5."""
    fails("find", times=2, errorCode=code)
    page = server.user(one.user).get(f"/sessions/{one.session}").json()
    assert [row["seq"] for row in page["messages"]] == [1, 2]
    line = one.retries()[0]
    assert (line["code"], line["number"], line["attempt"]) == (name, code, 1)


@pytest.mark.parametrize("code", LASTING + OF_READS_ONLY)
def test_a_write_that_failed_for_a_lasting_reason_is_not(fails, server, one, database, code):
    """Property 8: it fails at once."""
    fails("insert", errorCode=code)
    refused(one, database)
    assert one.retries() == []
    assert server.logged("store_error")


@pytest.mark.parametrize("code", [13, 96])
def test_a_read_that_failed_for_a_lasting_reason_is_not(fails, server, one, code):
    """Property 8."""
    fails("find", errorCode=code)
    answer = server.user(one.user).get(f"/sessions/{one.session}")
    assert answer.status_code == 503 and "SERVICE_UNAVAILABLE" in answer.text
    assert one.retries() == []


@pytest.mark.parametrize("code", [1, 8])
def test_a_code_that_says_nothing_leaves_it_open_until_it_is_known(fails, one, database, code):
    """InternalError and UnknownError: it may be stored, so nobody is told an error."""
    fails("insert", errorCode=code)
    accepted(one, database)
    assert [frame for frame in one.frames if frame["type"] == "error"] == []


def test_labels_go_before_codes(fails, one, database):
    """Req 9.1: a lasting code that the server calls passing."""
    fails("insert", times=2, errorCode=96, errorLabels=["RetryableWriteError"])
    accepted(one, database)
    assert {line["number"] for line in one.retries()} == {96}


# --- how often, after which pauses

def is_about(seen, client_id):
    return any(row.get("cid") == client_id for row in seen.document["documents"])


def test_pauses_grow_and_attempts_end(fails, server, one, database, wire):
    """Req 9.2, 9.3, 9.4, 9.5."""
    fails("insert", times=None, errorCode=112)
    refused(one, database)
    lines = one.retries()
    assert [line["attempt"] for line in lines] == list(range(1, ATTEMPTS))
    pauses = [min(DELAY_MS * 2 ** n, MAX_DELAY_MS) for n in range(ATTEMPTS - 1)]
    for line, pause in zip(lines, pauses):
        assert (line["code"], line["number"]) == ("WriteConflict", 112)
        assert pause / 2 <= line["wait_ms"] <= pause
    # by lot: once in half a million times they all are the longest
    assert [line["wait_ms"] for line in lines] != pauses
    assert server.logged("store_error")
    at = [seen.at for seen in wire.asked("insert") if is_about(seen, one.user)]
    assert len(at) == ATTEMPTS
    for line, before, after in zip(lines, at, at[1:]):
        assert after - before >= line["wait_ms"] / 1000


def test_a_pause_that_would_end_too_late_is_not_begun(spawn, fake, connect, database, wire):
    """Req 9.3: an operation has ten seconds in all, whatever the settings allow."""
    name = f"{NAME}_late"
    server = spawn({**provider_env(fake), **settings(database, name, wire.host, **PATIENT),
                    "MONGO_RETRY_DELAY": "25s", "MONGO_RETRY_MAX_DELAY": "25s"})
    client = connect(server)
    client.turn("hello")
    database.fail_point("insert", app=name, errorCode=112)
    client.say("again", client_id="c-1")
    assert client.get("error", 60)["client_id"] == "c-1"
    database.fail_point_off()
    assert server.logged("store_retry") == []
    assert database.client[name].messages.count_documents({"cid": "c-1"}) == 0


def test_reads_end_with_an_error_too(fails, server, one):
    """Req 9.3, 9.4."""
    fails("find", times=None, errorCode=24)
    answer = server.user(one.user).get(f"/sessions/{one.session}")
    assert answer.status_code == 503 and "SERVICE_UNAVAILABLE" in answer.text
    lines = [line for line in one.retries() if line["code"] == "LockTimeout"]
    assert [line["attempt"] for line in lines][:ATTEMPTS - 1] == list(range(1, ATTEMPTS))


# --- stored, and not confirmed

def test_messages_and_pieces_are_asked_for_on_the_journals_of_the_majority(one, fake, wire,
                                                                            question):
    """A question, an answer's draft, its pieces and its end."""
    before = len(wire.commands)
    fake.when(question, Answer().tokens(*["some words "] * 1000).finish())
    assert one.turn(question).finish == "stop"
    asked = [seen.document for seen in wire.commands[before:]]
    concerns = {(name, command[name]): command["writeConcern"] for command in asked
                for name in ("insert", "update")
                if command.get(name) in ("messages", "pieces")}
    assert {("insert", "messages"), ("insert", "pieces"), ("update", "messages")} <= \
        set(concerns)
    for what, concern in concerns.items():
        assert (concern["w"], concern["j"]) == ("majority", True), what
        assert concern["wtimeout"] > 0

@pytest.mark.parametrize("code", [64, 91, 189])
def test_what_is_stored_and_not_confirmed_is_sent_again_by_its_keys(fails, one, database, code):
    """Req 9.1: and is there once."""
    fails("insert", times=1, writeConcernError={"code": code, "errmsg": "not confirmed"})
    accepted(one, database)
    line = one.retries()[0]
    assert (line["number"], line["outcome"]) == (code, "unconfirmed")


def test_nobody_is_told_anything_before_it_is_confirmed(fails, one, database):
    fails("insert", times=None, writeConcernError={"code": 64, "errmsg": "not confirmed"})
    one.say("again", client_id=one.user)
    wait_for(lambda: len(one.retries()) > ATTEMPTS, 30, "more attempts than one round has")
    assert documents(database, one.user)
    with pytest.raises(TimeoutError):
        one.ws.recv(0)
    database.fail_point_off()
    assert one.rest_of_turn(60).ack["client_id"] == one.user
    assert len(documents(database, one.user)) == 1


def test_a_repeat_is_not_confirmed_by_finding_the_first(fails, one, database):
    """It is there, and perhaps not yet where it cannot be lost."""
    accepted(one, database)
    fails("insert", times=None, writeConcernError={"code": 64, "errmsg": "not confirmed"})
    one.say("again", client_id=one.user)
    assert one.get(lambda frame: frame["type"] in ("ack", "error"), 60)["type"] == "error"
    database.fail_point_off()
    one.say("again", client_id=one.user)
    assert one.get("ack", 60)["seq"] == 3


# --- connections

@pytest.mark.parametrize("times", [1, 3])
def test_a_connection_that_ends_is_tried_again(fails, one, database, times):
    """Req 9.1: without a sign whether it was carried out."""
    fails("insert", times=times, closeConnection=True)
    accepted(one, database)
