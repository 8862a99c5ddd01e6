# SPDX-License-Identifier: MIT
"""What a turn costs the database, in commands: counted, not timed, by a proxy that
sees every one. See docs/decisions/0033."""

import collections

import pytest

from support.answer import Answer, plain
from support.mongoproxy import MongoProxy
from support.mongotalk import settings
from support.server import provider_env
from support.waiting import wait_for

NAME = "commands"
AT_ONCE = 50
ONE_WRITER = {"MONGO_POOL_SIZE": "2"}
NO = {"ok": 0.0, "code": 13, "errmsg": "no"}
NOT_BY_ALL = {"ok": 1.0, "n": 1, "writeConcernError": {"code": 64, "errmsg": "wait"}}
COUNTED = ("find", "getMore", "insert", "update", "delete", "aggregate", "count")
FIRST_TURN = ["find sessions", "insert sessions", "update meta",  # the session is made
              "insert messages", "update sessions",
              "insert messages", "insert usage", "update sessions"]
TURN = ["insert messages", "update sessions",
        "insert messages", "insert usage", "update sessions"]


@pytest.fixture(scope="module")
def wire(database):
    with MongoProxy(database.port) as one:
        yield one


@pytest.fixture(scope="module")
def server(spawn_module, fake, database, wire):
    one = spawn_module({**provider_env(fake), **ONE_WRITER,
                        **settings(database, NAME, wire.host, socketTimeoutMS=60000)})
    yield one
    one.close()  # before the wire


class Costs:
    """The commands since it was made, as "insert messages"."""

    def __init__(self, wire):
        self.wire, self.begin = wire, len(wire.commands)

    def all(self):
        return [f"{one.name} {one.document[one.name]}"
                for one in self.wire.commands[self.begin:] if one.name in COUNTED]

    def summed(self):
        return collections.Counter(self.all())

    def of_questions(self):
        """How many each insert of questions has."""
        documents = [one.document["documents"] for one in self.wire.commands[self.begin:]
                     if one.name == "insert" and one.document["insert"] == "messages"]
        return [len(some) for some in documents if some[0]["sender"] == "user"]


def ask(one, fake, question):
    """Its answer comes as a whole, so that no part of it has to be stored before."""
    fake.when(question, Answer(framing="length").raw(plain("Yes.").body()))
    one.say(question)


def turn(one, fake, question):
    ask(one, fake, question)
    assert one.rest_of_turn(60).finish == "stop"


@pytest.mark.parametrize("before, commands", [(0, FIRST_TURN), (1, TURN), (3, TURN)])
def test_a_turn_costs_these_commands(chat, fake, wire, before, commands):
    one = chat()
    for n in range(before):
        turn(one, fake, f"{n} of {before}")
    costs = Costs(wire)
    turn(one, fake, f"after {before}")
    assert costs.all() == commands


def test_the_end_of_an_answer_that_was_checkpointed_takes_the_draft_s_place(chat, fake, wire):
    one = chat()
    turn(one, fake, "hello")
    question = f"long {one.session}"
    fake.when(question, Answer().tokens("word " * 300).gate(question).tokens("end").finish())
    costs = Costs(wire)
    one.say(question)
    wait_for(lambda: costs.summed()["insert pieces"], 30, "a checkpoint")
    fake.open(question)
    assert one.rest_of_turn(60).finish == "stop"
    names = costs.all()
    assert names.count("update messages") == 1 and "delete pieces" in names
    assert names.count("insert messages") == 2, "the question and the draft"
    costs = Costs(wire)
    turn(one, fake, "and on")
    assert costs.all() == TURN


def test_what_the_model_is_told_is_read_once(chat, fake, wire, database):
    """Somebody else has stored something meanwhile, as after a start."""
    one = chat()
    turn(one, fake, "hello")
    lengthen(database.client[NAME], one, range(3, 7), content="Meanwhile.")
    for n, question in enumerate([f"first of {one.session}", f"second of {one.session}"]):
        costs = Costs(wire)
        turn(one, fake, question)
        asked = fake.wait_asked(question, timeout=60)
        told = [message["content"] for message in asked.messages]
        assert told[-1] == question and told.count("Meanwhile.") == 4, told
        assert (costs.summed()["find messages"] > 0) == (n == 0)


def test_questions_that_wait_together_are_one_insert_and_one_update(chat, fake, server, wire):
    clients = [chat() for _ in range(AT_ONCE)]
    first = chat()
    for one in [first, *clients]:
        turn(one, fake, "hello")
    held = wire.fail("hang_before", "insert")
    ask(first, fake, "the first one")
    held.wait_struck()
    costs = Costs(wire)
    for one in clients:
        ask(one, fake, "again")
    wait_for(lambda: server.metric("chatbox_store_queue") >= AT_ONCE, 30, "all wait")
    wire.release(held)
    for one in [first, *clients]:
        assert one.rest_of_turn(60).finish == "stop"
    sums = costs.summed()
    assert sums["find sessions"] == 0 and costs.of_questions() == [AT_ONCE]
    assert sums["find messages"] == 0  # what the model is told is remembered


def test_a_question_behind_one_of_unknown_fate_is_not_stored_before_it(chat, fake, server,
                                                                       wire, database):
    """Of the same session and in the same group; InternalError leaves it open whether
    the first is stored."""
    held_up, one = chat(), chat()
    for client in (held_up, one):
        turn(client, fake, "hello")
    two = chat(one.user, session_id=one.session)
    held = wire.fail("hang_before", "insert")
    ask(held_up, fake, "the first one")
    held.wait_struck()
    for number, client in enumerate((one, two), 1):
        client.say("again", client_id=f"c-{number}")
        wait_for(lambda n=number: server.metric("chatbox_store_queue") >= n, 30, "it waits")
    wire.fail("refuse_command", "insert", reply={"ok": 0.0, "code": 1, "errmsg": "oh"},
              where=lambda command: command["documents"][0].get("cid") == "c-1")
    wire.release(held)
    told = two.get(lambda frame: frame.get("client_id") == "c-2", 60)
    assert told["type"] == "error" and told["error"]["code"] == "DATABASE_ERROR", told
    told = one.get(lambda frame: frame.get("client_id") == "c-1", 60)
    assert (told["type"], told.get("seq")) == ("ack", 3)
    rows = database.client[NAME].messages.find({"sid": one.session, "sender": "user"})
    assert [(row["seq"], row.get("cid")) for row in rows.sort("seq")] == [(1, None), (3, "c-1")]


def erase(stored, one):
    """As `chatbox erase-user` leaves it."""
    stored.messages.delete_many({"sid": one.session})
    stored.sessions.delete_one({"_id": one.session})


def begin_deletion(stored, one):
    """As it leaves it if it is cut off after its first step."""
    stored.sessions.update_one({"_id": one.session}, {"$set": {"gone": True}})
    stored.messages.delete_many({"sid": one.session})


@pytest.mark.parametrize("delete", [erase, begin_deletion])
def test_a_session_deleted_behind_the_server_gets_no_message(chat, fake, server, wire,
                                                             database, delete):
    """In one group with questions of sessions that are there; nobody has looked before."""
    stored = database.client[NAME]
    held_up, gone, there = clients = [chat() for _ in range(3)]
    for one in clients:
        turn(one, fake, "hello")
    held = wire.fail("hang_before", "insert")
    ask(held_up, fake, "the first one")
    held.wait_struck()
    for one in (gone, there):
        ask(one, fake, "again")
    wait_for(lambda: server.metric("chatbox_store_queue") >= 2, 30, "both wait")
    delete(stored, gone)
    wire.release(held)
    error = gone.get("error", 60)
    assert error["error"]["code"] == "NOT_FOUND", error
    assert there.rest_of_turn(60).seq == 4 and held_up.rest_of_turn(60).seq == 4
    assert stored.messages.count_documents({"sid": gone.session}) == 0
    assert stored.messages.count_documents({"sid": there.session}) == 4


def test_it_gets_none_if_it_cannot_be_counted_either(chat, fake, wire, database):
    """The update that finds no session is what tells; when that fails, it is asked."""
    stored = database.client[NAME]
    one = chat()
    turn(one, fake, "hello")
    erase(stored, one)
    wire.fail("refuse_command", "update", reply={"ok": 0.0, "code": 13, "errmsg": "no"})
    ask(one, fake, "again")
    error = one.get("error", 60)
    assert error["error"]["code"] == "NOT_FOUND", error
    assert stored.messages.count_documents({"sid": one.session}) == 0


def test_an_answer_to_a_session_deleted_behind_the_server_is_not_stored(chat, fake, database):
    stored = database.client[NAME]
    one = chat()
    turn(one, fake, "hello")
    fake.when("wait", Answer().gate_before_head("deleted").tokens("Late.").finish())
    one.say("wait")
    fake.wait_asked("wait", timeout=60)
    erase(stored, one)
    fake.open("deleted")
    assert one.get("error", 60)["error"]["code"]
    assert stored.messages.count_documents({"sid": one.session}) == 0


def counts(*clients):
    """Whether an update counts a message of one of them."""
    sids = {one.session for one in clients}
    return lambda command: command["update"] == "sessions" and any(
        update["q"]["_id"] in sids for update in command["updates"])


def asks(one):
    return lambda command: command["insert"] == "messages" and any(
        row["sid"] == one.session for row in command["documents"])


def test_it_gets_none_if_the_group_needs_a_second_try_and_cannot_be_counted(
        chat, fake, server, wire, database):
    """The number of one of them is taken, so that what was not known of the others is
    as old as the first try; and then no update tells who is gone."""
    stored = database.client[NAME]
    held_up, gone, behind = clients = [chat() for _ in range(3)]
    for one in clients:
        turn(one, fake, "hello")
    held = wire.fail("hang_before", "insert")
    ask(held_up, fake, "the first one")
    held.wait_struck()
    for one in (gone, behind):
        ask(one, fake, "again")
    wait_for(lambda: server.metric("chatbox_store_queue") >= 2, 30, "both wait")
    erase(stored, gone)
    stored.messages.insert_one({"_id": f"odd {behind.session}", "sid": behind.session,
                                "seq": 3})
    refused = wire.fail("refuse_command", "update", where=counts(gone), reply=NO)
    wire.release(held)
    error = gone.get("error", 60)
    assert error["error"]["code"] == "NOT_FOUND" and refused.struck == 1, error
    assert behind.rest_of_turn(60).seq == 5 and held_up.rest_of_turn(60).seq == 4
    assert stored.messages.count_documents({"sid": gone.session}) == 0


def test_a_message_that_cannot_be_taken_back_at_once_is_taken_back_later(chat, fake, wire,
                                                                         database):
    stored = database.client[NAME]
    one = chat()
    turn(one, fake, "hello")
    erase(stored, one)
    refused = wire.fail("refuse_command", "delete", reply=NO)
    ask(one, fake, "again")
    error = one.get("error", 60)
    assert error["error"]["code"] == "NOT_FOUND" and refused.struck == 1, error
    assert stored.messages.count_documents({"sid": one.session}) == 0


def test_a_session_deleted_while_its_first_question_is_open_is_not_made_again(
        chat, fake, server, wire, database):
    """The question comes again by itself, behind the deletion."""
    stored = database.client[NAME]
    one, other = chat(), chat()
    open_ = wire.fail("refuse_command", "insert", times=None, where=asks(one),
                      reply=NOT_BY_ALL)
    ask(one, fake, "hello")
    open_.wait_struck(4, 30)  # its attempts are used up, and it has come again
    answer = server.user(one.user).delete(f"/sessions/{one.session}")
    assert answer.status_code == 204
    wire.release(open_)
    turn(other, fake, "hello")  # the same writer's, behind what is open
    assert stored.sessions.count_documents({"_id": one.session}) == 0
    assert stored.messages.count_documents({"sid": one.session}) == 0


def late_answer(chat, fake, question):
    """A client whose question is stored, and known; its answer waits for the gate."""
    one = chat()
    turn(one, fake, "hello")
    fake.when(question, Answer().gate_before_head(question).tokens("Late.").finish())
    one.say(question)
    fake.wait_asked(question, timeout=60)
    return one


def test_an_answer_that_was_not_counted_goes_when_its_session_is_gone(chat, fake, server,
                                                                      wire, database):
    """It is stored before anybody hears that there is no session any more."""
    stored = database.client[NAME]
    one = late_answer(chat, fake, "uncounted")
    erase(stored, one)
    wire.fail("refuse_command", "update", where=counts(one), reply=NO)
    fake.open("uncounted")
    assert one.get("error", 60)["error"]["code"] == "DATABASE_ERROR"
    server.wait_log("store_error", 60, session_id=one.session)
    assert stored.messages.count_documents({"sid": one.session}) == 0


def test_an_answer_that_comes_again_leaves_no_draft_of_its_question(chat, fake, wire,
                                                                    database):
    """One draft is of an answer that could never be stored."""
    stored = database.client[NAME]
    one = late_answer(chat, fake, "leftover")
    question = stored.messages.find_one({"sid": one.session, "seq": 3})
    stored.messages.insert_one({
        "_id": f"draft {one.session[:26]}", "sid": one.session, "sender": "ai",
        "replyTo": question["_id"], "status": "streaming", "ts": question["ts"]})
    wire.fail("refuse_command", "update", where=counts(one), reply=NO)
    fake.open("leftover")
    assert one.get("error", 60)["error"]["code"] == "DATABASE_ERROR"
    late = one.get(lambda frame: frame.get("metadata", {}).get("replay") == "true", 60)
    assert (late["content"], late["seq"]) == ("Late.", 4)
    assert stored.messages.count_documents({"sid": one.session}) == 4


def test_what_it_knew_before_a_silence_is_not_believed(chat, fake, wire, database):
    """Somebody else may have had the database meanwhile: as if here, where the beats
    do not arrive."""
    stored = database.client[NAME]
    one = chat()
    turn(one, fake, "hello")
    silence = wire.fail("refuse_command", "findAndModify", times=None, reply=NO)
    silence.wait_struck(6, 30)  # one a second, and five seconds are a silence
    stored.sessions.update_one({"_id": one.session}, {"$set": {"nm": "Another's"}})
    turn(one, fake, "again")
    wire.release(silence)
    assert stored.sessions.find_one({"_id": one.session})["nm"] == "Another's"


def test_a_session_that_could_not_be_brought_up_is_read_again(chat, fake, wire, database):
    """Its question is stored and counted later, with the answer."""
    stored = database.client[NAME]
    one = chat()
    turn(one, fake, "hello")
    wire.fail("refuse_command", "update", reply=NO)
    costs = Costs(wire)
    turn(one, fake, "again")
    names = costs.all()  # it looks whether it is there, and again for the answer
    answer = names.index("insert messages", names.index("insert messages") + 1)
    assert names[:answer].count("find sessions") == 2
    session = stored.sessions.find_one({"_id": one.session})
    assert (session["seq"], session["msgCount"]) == (4, 4)
    seqs = [row["seq"] for row in stored.messages.find({"sid": one.session}).sort("seq")]
    assert seqs == [1, 2, 3, 4]


def test_a_change_of_the_session_is_read_before_the_next_message(chat, fake, server, wire,
                                                                 database):
    stored = database.client[NAME]
    one = chat()
    turn(one, fake, "hello")
    path = f"/sessions/{one.session}"
    assert server.user(one.user).patch(path, json={"name": "Renamed"}).status_code == 200
    turn(one, fake, "again")
    session = stored.sessions.find_one({"_id": one.session})
    assert (session["nm"], session["msgCount"]) == ("Renamed", 4)


def lengthen(stored, one, seqs, **members):
    """The session has these messages behind its first two, in pairs."""
    rows = {row["seq"]: row for row in stored.messages.find({"sid": one.session})}
    names = {seq: f"{one.session[:26]}{seq:06}" for seq in seqs}
    new = []
    for seq in seqs:
        row = {**rows[2 - seq % 2], **members, "_id": names[seq], "seq": seq}
        row.pop("cid", None)
        if "replyTo" in row:
            row["replyTo"] = names.get(seq - 1, row["replyTo"])
        new.append(row)
    stored.messages.insert_many(new)
    stored.sessions.update_one({"_id": one.session}, {"$set": {"seq": max(seqs)}})


ALL = list(range(3, 301))
HOLE = [seq for seq in ALL if not 255 <= seq <= 290]


@pytest.mark.parametrize("seqs, before, floors", [
    (ALL, None, [249]), (ALL, 201, [149]), (ALL, 41, [0]),
    (HOLE, None, [249, 0])])
def test_the_newest_messages_are_looked_for_by_their_numbers(chat, fake, server, wire,
                                                             database, seqs, before, floors):
    """Not all below: a database may read whatever a range has. Only where numbers are
    missing it is asked for all of them."""
    one = chat()
    turn(one, fake, "hello")
    lengthen(database.client[NAME], one, seqs)
    begin = len(wire.commands)
    params = {"limit": 50, **({"before_seq": before} if before else {})}
    page = server.user(one.user).get(f"/sessions/{one.session}", params=params).json()
    told = [message["seq"] for message in page["messages"]]
    below = [seq for seq in [1, 2, *seqs] if seq < (before or 301)]
    assert told == below[-50:] and ("next_before_seq" in page) == (len(below) > 50)
    ranges = [command.document["filter"]["seq"] for command in wire.commands[begin:]
              if command.document.get("find") == "messages"]
    assert [one["$gt"] for one in ranges if "$lt" in one] == floors


def test_a_read_that_is_cut_in_the_middle_begins_anew(chat, fake, server, wire, database):
    """What came before the cut is not told twice."""
    one = chat()
    turn(one, fake, "hello")
    lengthen(database.client[NAME], one, ALL)
    cut = wire.fail("lost", "getMore")
    page = server.user(one.user).get(f"/sessions/{one.session}?limit=300", timeout=60).json()
    assert cut.struck == 1
    assert [message["seq"] for message in page["messages"]] == [1, 2, *ALL]
