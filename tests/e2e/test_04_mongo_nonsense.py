# SPDX-License-Identifier: MIT
"""Connections to MongoDB are cut, and its answers lost or make no sense: nobody is refused
for it, nothing is doubled and nothing believed. One server for all, which is never away
from its database."""

import pytest

from support.mongoproxy import MongoProxy
from support.mongotalk import PATIENT, is_question, settings
from support.server import provider_env
from support.waiting import PATIENCE, wait_for

PUZZLED = "puzzled"  # a database


@pytest.fixture(scope="module")
def wire(database):
    with MongoProxy(database.port) as one:
        yield one


@pytest.fixture(scope="module")
def puzzled(spawn_module, fake, database, wire):
    server = spawn_module({**provider_env(fake),
                           **settings(database, PUZZLED, wire.host, **PATIENT)})
    yield server
    server.close()  # before the wire


@pytest.fixture
def one(puzzled, wire, connect):
    """A client whose session is there; its name is its message's id."""
    client = connect(puzzled)
    client.turn("hello")
    yield client
    wire.heal()
    wait_for(puzzled.is_ready, 30, "ready again")


@pytest.fixture
def row_of(database):
    """The one message with this client_id."""
    def find(client_id):
        row, = database.client[PUZZLED].messages.find({"cid": client_id})
        return row
    return find


def is_asking(client):
    return lambda command: is_question(command) and any(
        row.get("cid") == client.user for row in command["documents"])


def test_one_whose_connections_are_cut_refuses_nobody_else(one, puzzled, wire, database,
                                                           connect):
    """An operation that failed of cut connections says nothing about the others."""
    two = connect(puzzled)
    two.turn("hello")
    wire.fail("cut", "insert", times=None, where=is_asking(one))
    one.say("cut", client_id=one.user)
    for n in range(8):
        assert two.turn("fine", client_id=f"{two.user}.{n}").finish == "stop"
    wire.heal()
    assert one.get(lambda frame: frame.get("client_id") == one.user, 60)
    assert database.client[PUZZLED].messages.count_documents(
        {"cid": {"$regex": f"^{two.user}"}}) == 8


def test_one_that_shares_a_command_with_it_is_not_refused_either(spawn, fake, database, wire,
                                                                 connect):
    """One writer, which takes together what comes while it waits."""
    server = spawn({**provider_env(fake), "MONGO_POOL_SIZE": "2",
                    **settings(database, "shared", wire.host, **PATIENT,
                               socketTimeoutMS=round(30_000 * PATIENCE))})
    first, cut, fine = (connect(server) for _ in range(3))
    for client in (first, cut, fine):
        client.turn("hello")
    held = wire.fail("hang_before", "insert", where=is_asking(first))
    wire.fail("cut", "insert", times=None, where=is_asking(cut))
    for n, client in enumerate((first, cut, fine)):
        client.say("and", client_id=client.user)
        held.wait_struck()
        wait_for(lambda: server.metric("chatbox_store_queue") >= n, 10, "it waits")
    wire.release(held)
    assert fine.get(lambda frame: frame.get("client_id") == fine.user, 60)["type"] == "ack"
    assert any(is_asking(cut)(seen.document) and is_asking(fine)(seen.document)
               for seen in wire.asked("insert") if is_question(seen.document))
    wire.heal()


@pytest.mark.parametrize("kind, options", [
    ("garbage", {}), ("truncated", {"size": 3}), ("truncated", {"size": 30}),
    ("replaced", {"reply": {"ok": 1.0}}), ("replaced", {"reply": {}}),
    ("replaced", {"reply": {"ok": 1.0, "n": 0}}),
    ("replaced", {"reply": {"ok": 1.0, "n": 1, "writeErrors": "some"}}),
    ("replaced", {"reply": {"ok": 1.0, "n": 1, "writeErrors": [{"index": -4, "code": 1}]}})])
def test_an_answer_that_makes_no_sense_is_not_believed(one, wire, row_of, kind, options):
    fault = wire.fail(kind, "insert", where=is_asking(one), **options)
    turn = one.turn("again", client_id=one.user, timeout=60)
    assert fault.struck == 1 and turn.finish == "stop"
    assert row_of(one.user)["_id"] == turn.ack["message_id"]
    asked = [seen for seen in wire.asked("insert") if is_asking(one)(seen.document)]
    assert len(asked) >= 2


def test_a_question_is_not_stored_because_a_false_answer_says_so(one, wire, row_of):
    wire.fail("refuse_command", "insert", where=is_asking(one), reply={"ok": 1.0})
    turn = one.turn("again", client_id=one.user, timeout=60)
    assert row_of(one.user)["_id"] == turn.ack["message_id"]


@pytest.mark.parametrize("kind, times", [("lost", 1), ("lost", 3), ("garbage", 2)])
def test_answers_lost_after_the_insert_neither_double_nor_refuse_one_without_a_client_id(
        one, wire, database, fake, question, kind, times):
    """Its own key says that it is the one that is there."""
    fault = wire.fail(kind, "insert", times=times, where=lambda command: is_question(command)
                      and any(row["sid"] == one.session for row in command["documents"]))
    turn = one.turn(question, timeout=60)
    assert fault.struck == times and turn.finish == "stop"
    assert len(fake.asked(question)) == 1
    row, = database.client[PUZZLED].messages.find({"sid": one.session, "content": question})
    assert (row["seq"], "cid" in row) == (3, False)
    assert one.turn("after").seq == 6


def test_whether_it_is_there_may_be_unknown_for_a_while_too(one, wire, database, question):
    """The insert's answer is lost, and then it cannot be asked for."""
    wire.fail("lost", "insert", where=lambda command: is_question(command)
              and command["documents"][0]["content"] == question)
    asked = wire.fail("refuse_command", "find", times=2,
                      reply={"ok": 0.0, "code": 13, "errmsg": "no"},
                      where=lambda command: command["find"] == "messages"
                      and "_id" in command["filter"])
    turn = one.turn(question, timeout=60)
    assert turn.finish == "stop" and asked.struck == 2
    row, = database.client[PUZZLED].messages.find({"sid": one.session, "content": question})
    assert row["seq"] == 3


@pytest.mark.parametrize("reply", [
    {"ok": 1.0}, {"ok": 1.0, "cursor": 5}, {"ok": 1.0, "cursor": {"firstBatch": {}}}])
def test_a_read_that_makes_no_sense_is_an_error_and_no_crash(puzzled, one, wire, reply):
    wire.fail("replaced", "find", times=None, reply=reply)
    answer = puzzled.user(one.user).get(f"/sessions/{one.session}")
    assert answer.status_code == 503 and "SERVICE_UNAVAILABLE" in answer.text
    wire.heal()
    wait_for(puzzled.is_ready, 30, "ready again")
    assert one.turn("after").finish == "stop"


def test_an_odd_document_under_the_next_number_does_not_block_the_session(puzzled, one,
                                                                          database):
    """It is skipped and counted; its number is taken."""
    before = puzzled.metric("chatbox_store_odd_documents_total")
    database.client[PUZZLED].messages.insert_one(
        {"_id": 7, "sid": one.session, "seq": 3, "content": "no record"})
    turn = one.turn("after", client_id="c-1")
    assert turn.finish == "stop" and turn.ack["seq"] == 4
    assert puzzled.metric("chatbox_store_odd_documents_total") > before
    page = puzzled.user(one.user).get(f"/sessions/{one.session}").json()["messages"]
    assert [row["seq"] for row in page] == [1, 2, 4, 5]
