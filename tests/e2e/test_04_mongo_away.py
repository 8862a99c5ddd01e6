# SPDX-License-Identifier: MIT
"""MongoDB is away: what senders are told, what running answers do meanwhile, and that all
goes on without a restart."""

import json
import secrets
import selectors

import pytest

from support.answer import Answer
from support.mongotalk import is_question, settings
from support.rawhttp import RawConn, request
from support.server import provider_env
from support.tokens import token
from support.waiting import PATIENCE, wait_for
from support.ws import Chat, fresh

UNSAVED = 2048  # bytes of a running answer that are shown and not stored
WORD = "and so on, "


@pytest.fixture
def name():
    return f"away_{secrets.token_hex(6)}"


@pytest.fixture
def stored(database, name):
    return database.client[name]  # goes with the module's server


@pytest.fixture
def server(spawn, fake, database, proxy, name):
    one = spawn({**provider_env(fake), **settings(database, name, proxy.host)})
    yield one
    proxy.well()
    one.close()


def refusal(chat, client_id):
    told = chat.get(lambda one: one.get("client_id") == client_id, 60)
    assert told["type"] == "error" and told["error"]["code"] == "DATABASE_ERROR", told
    assert told["error"]["recoverable"] and told["error"]["retry_after"] > 0
    return told


# --- away

@pytest.mark.timeout(180 * PATIENCE)
@pytest.mark.parametrize("how", ["refuse", "black_hole"])
def test_while_it_is_away_senders_are_told_and_then_all_goes_on(server, proxy, stored, fake,
                                                                connect, question, how):
    """Req 9.4: and nothing is asked, nothing half kept; without a restart."""
    one = connect(server)
    one.turn("hello")
    getattr(proxy, how)()
    one.say(question, client_id="c-1")
    refusal(one, "c-1")
    wait_for(lambda: not server.is_ready(), 30, "not ready without its database")
    retries = len(server.logged("store_retry"))
    for n in range(2, 5):  # known to be away: nobody waits for attempts any more
        one.say(question + " no", client_id=f"c-{n}")
        refusal(one, f"c-{n}")
    assert len(server.logged("store_retry")) == retries
    wait_for(lambda: server.metric("chatbox_store_queue") == 0, 5, "nothing is left waiting")
    proxy.listen() if how == "refuse" else proxy.heal()
    wait_for(server.is_ready, 30, "ready again")
    assert one.turn(question, client_id="c-1").finish == "stop"
    assert [row["cid"] for row in stored.messages.find({"cid": {"$exists": True}})] == ["c-1"]
    assert len(fake.asked(question)) == 1 and fake.asked(question + " no") == []


def test_readiness_sees_it_go_and_come_without_traffic(server, proxy):
    proxy.refuse()
    wait_for(lambda: not server.is_ready(), 30, "not ready without its database")
    proxy.listen()
    wait_for(server.is_ready, 30, "ready again")


def test_a_running_answer_goes_on_from_memory_and_is_stored_later(server, proxy, stored, fake,
                                                                  connect, question):
    """2 KB are shown beyond what is stored and no more; when the storage is there again,
    so is the rest."""
    fake.when(question, Answer().tokens(WORD).gate("gone" + question).tokens(
        *[WORD * 100] * 200).finish())
    one = connect(server)
    one.say(question, client_id="c-1")
    one.get("ai_response")
    proxy.refuse()
    wait_for(lambda: not server.is_ready(), 30, "not ready without its database")
    fake.open("gone" + question)
    shown = len(WORD)
    while shown < UNSAVED - len(WORD) * 2:
        shown += len(one.get("ai_response", 60)["content"])
    assert shown <= UNSAVED + len(WORD)
    proxy.listen()
    turn = one.rest_of_turn(60)
    assert turn.finish == "stop"
    row = stored.messages.find_one({"sid": one.session, "sender": "ai"})
    assert row["content"] == WORD * 20001 and row["status"] == "complete"
    assert stored.pieces.count_documents({}) == 0


def test_an_answer_that_ends_meanwhile_is_told_as_an_error_and_stored_later(
        server, proxy, stored, fake, connect, question):
    fake.when(question, Answer().tokens("Hel").gate("gone" + question).tokens("lo").finish())
    one = connect(server)
    one.say(question, client_id="c-1")
    one.get("ai_response")
    proxy.refuse()
    fake.open("gone" + question)
    error = one.get("error", 60)
    assert error["error"]["code"] == "DATABASE_ERROR"
    proxy.listen()
    late = one.get(lambda one: one["type"] == "ai_response"
                   and one["metadata"]["done"] == "true", 60)
    assert late["content"] == "Hello" and late["metadata"]["replay"] == "true"
    row = stored.messages.find_one({"_id": late["message_id"]})
    assert (row["content"], row["status"], row["seq"]) == ("Hello", "complete", late["seq"])
    assert one.turn("after").seq == late["seq"] + 2


# --- what may be stored is not called lost

def test_a_question_of_unknown_fate_is_told_when_it_is_known(server, proxy, stored, connect):
    """Its insert was carried out and the answer lost, and then nobody was there. The
    sender is not told an error for a message that is stored."""
    one, two = connect(server), connect(server)
    for chat in (one, two):
        chat.turn("hello")
    fault = proxy.fail("hang", "insert", where=is_question)
    one.say("kept", client_id="c-1")
    fault.wait_struck()
    proxy.refuse()
    two.say("refused", client_id="c-2")
    refusal(two, "c-2")
    proxy.heal()
    proxy.listen()
    turn = one.rest_of_turn(60)
    assert turn.ack["client_id"] == "c-1" and turn.finish == "stop"
    row, = stored.messages.find({"cid": "c-1"})
    assert (row["_id"], row["seq"]) == (turn.ack["message_id"], turn.ack["seq"])
    assert stored.messages.count_documents({"cid": "c-2"}) == 0
    asked = [seen for seen in proxy.asked("insert") if is_question(seen.document)
             and seen.document["documents"][0]["_id"] == row["_id"]]
    assert len(asked) >= 2


def test_a_question_that_was_not_stored_either_is_stored_once_by_its_keys(
        server, proxy, stored, connect):
    """The same, but the insert never arrived."""
    one = connect(server)
    one.turn("hello")
    fault = proxy.fail("hang_before", "insert", where=is_question)
    one.say("kept", client_id="c-1")
    wait_for(lambda: fault.struck, 10, "the insert is on its way")
    proxy.refuse()
    proxy.faults.clear()
    wait_for(lambda: not server.is_ready(), 30, "not ready without its database")
    proxy.listen()
    assert one.rest_of_turn(60).finish == "stop"
    assert stored.messages.count_documents({"cid": "c-1"}) == 1


def test_a_repeat_before_it_is_known_is_refused_and_not_asked_twice(
        server, proxy, stored, fake, connect, question):
    one = connect(server)
    one.turn("hello")
    fault = proxy.fail("hang", "insert", where=is_question)
    one.say(question, client_id="c-1")
    fault.wait_struck()
    proxy.refuse()
    wait_for(lambda: not server.is_ready(), 30, "not ready without its database")
    proxy.heal()
    proxy.listen()
    two = Chat(server, one.user, first=False, session_id=one.session)
    assert two.recv(60)["type"] == "connection_status"
    two.say(question, client_id="c-1")
    told = two.get(lambda frame: frame.get("client_id") == "c-1", 60)
    if told["type"] == "error":
        assert told["error"]["code"] == "DATABASE_ERROR"
    two.close()
    wait_for(lambda: stored.messages.count_documents(
        {"sid": one.session, "sender": "ai", "seq": {"$exists": True}}) == 2, 60, "answered")
    assert stored.messages.count_documents({"cid": "c-1"}) == 1
    assert len(fake.asked(question)) == 1


def test_one_without_a_client_id_that_was_stored_is_known_by_its_own_key(
        server, proxy, stored, fake, connect, question):
    """The same for who gave it no id: the next round finds the message there, which is
    neither a conflict nor stored again."""
    one = connect(server)
    one.turn("hello")
    fault = proxy.fail("hang", "insert", where=is_question)
    one.say(question)
    fault.wait_struck()
    proxy.refuse()
    wait_for(lambda: not server.is_ready(), 30, "not ready without its database")
    proxy.heal()
    proxy.listen()
    turn = one.rest_of_turn(60)
    assert turn.finish == "stop" and len(fake.asked(question)) == 1
    row, = stored.messages.find({"sid": one.session, "content": question})
    assert (row["seq"], "cid" in row) == (3, False)
    assert one.turn("after").seq == 6


# --- more than may wait for it

WRITERS = 16  # as many as there are at most: each has its part of the 10,000 places
ROOM = 10_000 // WRITERS + 1
SURPLUS = 30


def acknowledged(chat, client_id):
    return chat.get(lambda one: one["type"] == "ack" and one["client_id"] == client_id, 60)


def strangers_change(server, one):
    """It waits like any other and costs the database little: nothing is found."""
    return request(server, "PATCH", f"{server.prefix}/sessions/{one.session}",
                   [("Authorization", f"Bearer {token(fresh())}")],
                   json.dumps({"name": "mine"}))


def first_answered(conns, count):
    """So many of them, by their numbers: their answers."""
    answers = {}
    with selectors.DefaultSelector() as waiting:
        for number, conn in enumerate(conns):
            waiting.register(conn.sock, selectors.EVENT_READ, number)
        while len(answers) < count:
            events = waiting.select(60 * PATIENCE)
            assert events, f"{len(answers)} of {count} were answered"
            for key, _ in events:
                waiting.unregister(key.fileobj)
                answers[key.data] = conns[key.data].read_response("PATCH")
    return answers


@pytest.mark.timeout(120 * PATIENCE)
def test_what_the_queue_has_no_room_for_is_refused_at_once_and_the_rest_is_stored_once(
        spawn, fake, database, proxy, name, stored, connect):
    """All of one session, and so of one writer, which hangs with the first of them."""
    server = spawn({**provider_env(fake), "MONGO_POOL_SIZE": str(2 * WRITERS),
                    **settings(database, name, proxy.host, socketTimeoutMS=300000)})
    chats = [connect(server)]
    chats[0].turn("hello")
    chats += [connect(server, chats[0].user, session_id=chats[0].session) for _ in range(2)]
    late = connect(server, chats[0].user, session_id=chats[0].session)
    held = proxy.fail("hang_before", "insert", where=is_question)
    for number, chat in enumerate(chats):
        chat.say(f"There is room, {number}.", client_id=f"c-{number}")
        wait_for(lambda: held.struck, 30, "the first is on its way")
        wait_for(lambda n=number: server.metric("chatbox_store_queue") == n, 30, "it waits")
    conns = [RawConn(server, 60) for _ in range(ROOM - 2 + SURPLUS)]
    for conn in conns:
        conn.send(strangers_change(server, chats[0]))
    refused = first_answered(conns, SURPLUS)
    assert {answer.status for answer in refused.values()} == {503}
    assert server.metric("chatbox_store_queue") == ROOM
    late.say("And now?", client_id="late")
    refusal(late, "late")
    assert not stored.messages.count_documents({"cid": {"$exists": True}})
    proxy.release(held)
    for number, chat in enumerate(chats):
        acknowledged(chat, f"c-{number}")
    rest = [conn for number, conn in enumerate(conns) if number not in refused]
    assert {conn.read_response("PATCH").status for conn in rest} == {404}
    late.say("And now?", client_id="late")
    acknowledged(late, "late")
    wait_for(lambda: stored.messages.count_documents({"status": "complete"}) == 10, 60,
             "all are answered")
    rows = list(stored.messages.find().sort("seq"))
    assert [row["seq"] for row in rows] == list(range(1, 11))
    assert [row["cid"] for row in rows if "cid" in row] == ["c-0", "c-1", "c-2", "late"]
    assert stored.sessions.find_one({"_id": late.session})["nm"] == "hello"
    for conn in conns:
        conn.close()
