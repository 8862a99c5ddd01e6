# SPDX-License-Identifier: MIT
"""What answers used, on a MongoDB that fails between an answer and its entry: the
entry is there in the end, once (docs/decisions/0039)."""

import secrets

import pytest

from support.answer import plain
from support.mongotalk import PATIENT, settings
from support.server import provider_env
from support.waiting import wait_for
from support.ws import fresh


@pytest.fixture
def name():
    return f"usage_{secrets.token_hex(6)}"


@pytest.fixture
def stored(database, name):
    return database.client[name]  # goes with the module's server


@pytest.fixture
def server(spawn, fake, database, name, proxy):
    one = spawn({**provider_env(fake),
                 **settings(database, name, proxy.host, **PATIENT)})
    yield one
    one.close()


AFTER_ALL = "an answer was stored after all"


def entry(command):
    return command["insert"] == "usage"


def sums(stored, one):
    """(answers, entries, tokens by the session, tokens by the entries)."""
    ids = [m["_id"] for m in stored.messages.find({"sid": one.session, "sender": "ai"})]
    rows = list(stored.usage.find({"uid": one.user}))
    session = stored.sessions.find_one({"_id": one.session})
    assert {row["_id"] for row in rows} <= set(ids)
    return (len(ids), len(rows), session["totalTokens"],
            sum(row["totalTokens"] for row in rows))


def whole(answers):
    return answers, answers, 7 * answers, 7 * answers


@pytest.mark.parametrize("kind", ["cut", "lost", "garbage", "refuse_command"])
def test_an_entry_that_fails_is_put_down_later_and_once(server, connect, fake, proxy,
                                                        stored, kind):
    """Also when its answer got lost, and when all the attempts of a job fail."""
    question = fresh("q")
    fake.when(question, plain("fine", usage=(3, 4)))
    one = connect(server)
    assert one.turn(question).finish == "stop"
    fault = proxy.fail(kind, "insert", times=3, where=entry,
                       reply={"ok": 0.0, "code": 91, "errmsg": "going down"})
    one.say(question)
    if one.rest_of_turn(60).error:  # it took too long to learn that it is stored
        wait_for(lambda: server.logged("store_recovered", msg=AFTER_ALL), 60, "it is told")
    fault.wait_struck(3, 60)
    wait_for(lambda: sums(stored, one) == whole(2), 30, "two entries")
    again = connect(server, one.user, session_id=one.session)
    assert again.turn(question).finish == "stop"
    assert sums(stored, one) == whole(3)


def test_a_crash_between_an_answer_and_its_entry_is_made_good(server, connect, fake, proxy,
                                                              stored):
    question = fresh("q")
    fake.when(question, plain("fine", usage=(3, 4)))
    one = connect(server)
    assert one.turn(question).finish == "stop"
    held = proxy.fail("cut", "insert", times=None, where=entry)
    one.say(question)
    held.wait_struck(1, 30)
    wait_for(lambda: stored.messages.count_documents({"sid": one.session}) == 4, 30,
             "the answer is stored")
    server.kill9()
    assert stored.usage.count_documents({"uid": one.user}) == 1
    proxy.release(held)
    server.start()
    assert sums(stored, one) == whole(2)
    again = connect(server, one.user, session_id=one.session)
    assert again.turn(question).finish == "stop"
    assert sums(stored, one) == whole(3)
