# SPDX-License-Identifier: MIT
"""What an administrator reads in the storage: protocol.md 4."""

import pytest

from support.answer import Answer, plain
from support.server import provider_env
from support.stored import Taken, storage
from support.waiting import wait_for
from support.ws import fresh

def messages(server, sid):
    return storage(server).messages(sid=sid)


def test_a_session_is_one_row_of_the_written_fields(server, chat, fake, user, question):
    fake.when(question, plain("fine", usage=(3, 4)))
    one = chat(user)
    one.turn(question)
    client = server.user(user)
    shared = client.post(f"/sessions/{one.session}/share").json()["share_token"]
    one.send("help_request")
    one.get("connection_status")
    client.patch(f"/sessions/{one.session}", json={"archived": True, "name": "Plans"})
    client.post(f"/sessions/{one.session}/end")
    row = storage(server).session(one.session)
    (item,) = client.get("/sessions").json()["sessions"]
    assert row["uid"] == user and row["nm"] == "Plans" and row["modelId"] == "fake"
    assert row["shareToken"] == shared and row["epoch"] == one.hello["epoch"]
    assert row["archived"] and row["helpRequested"] and not row["adminAssisted"]
    assert row["assistingAdminId"] is None and row["assistingAdminName"] is None
    assert (row["msgCount"], row["seq"], row["totalTokens"]) == (2, 2, 7)
    assert row["ts"] <= row["lastActivity"] <= row["endTs"]
    assert row["dur"] // 1000 == item["duration"]
    assert row["maxRespTime"] == item["max_response_time"]
    assert len(row["respTimes"]) == 1 and row["v"] >= 1


def test_a_message_is_one_row_of_the_written_fields(server, chat, fake, user, question):
    fake.when(question, plain("fine", usage=(3, 4)))
    one = chat(user)
    one.turn(question, client_id="c-1", metadata={"colour": "red"})
    asked, answer = messages(server, one.session)
    told = server.user(user).get(f"/sessions/{one.session}").json()["messages"]
    for row, message in zip((asked, answer), told, strict=True):
        assert row["_id"] == message["message_id"] and row["seq"] == message["seq"]
        for member in ("type", "sender", "content", "status"):
            assert row[member] == message[member]
        assert row["fileId"] is row["fileUrl"] is row["replaces"] is None
        assert not row["superseded"]
    assert asked["cid"] == "c-1" and asked["meta"] == {"colour": "red"}
    assert asked["usage"] is None and asked["replyTo"] is None and answer["cid"] is None
    assert answer["replyTo"] == asked["_id"] and answer["finish"] == "stop"
    assert answer["usage"] == told[1]["usage"] == {
        "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert (answer["durMs"], answer["ttftMs"]) == (told[1]["duration_ms"],
                                                   told[1]["ttft_ms"])
    assert answer["modelId"] == "fake"


def test_an_estimate_is_stored_as_one(server, chat, fake, user, question):
    fake.when(question, Answer().tokens("fine").finish(usage=None))
    one = chat(user)
    one.turn(question)
    told = server.user(user).get(f"/sessions/{one.session}").json()["messages"][1]
    assert told["usage"]["estimated"] is True
    assert messages(server, one.session)[1]["usage"] == told["usage"]


def test_another_answer_names_the_one_that_it_replaces(server, chat, user):
    one = chat(user)
    one.turn("hello")
    old = messages(server, one.session)[1]
    one.send("regenerate", message_id=old["_id"])
    one.rest_of_turn()
    _, first, second = messages(server, one.session)
    assert first["_id"] == old["_id"] and first["superseded"]
    assert second["replaces"] == old["_id"] and not second["superseded"]


def test_a_running_answer_has_no_number(server, chat, fake, user, question):
    fake.when(question, Answer().tokens("half").gate(question).finish())
    one = chat(user)
    one.say(question)
    one.get("ai_response")
    (row,) = wait_for(lambda: storage(server).messages(sid=one.session, sender="ai"), 5,
                      "the answer's checkpoint")
    assert (row["status"], row["seq"], row["cid"]) == ("streaming", None, None)
    fake.open(question)
    one.rest_of_turn()
    assert [(m["status"], m["seq"]) for m in messages(server, one.session)] == [
        ("complete", 1), ("complete", 2)]


@pytest.mark.parametrize("column", ["seq", "cid"])
def test_no_write_doubles_a_message(spawn, connect, fake, column):
    """The unique indexes, asked by another writer while the server is down."""
    server = spawn(provider_env(fake))
    one = connect(server)
    one.turn("hello", client_id="c-1")
    server.stop()
    store = storage(server)
    row = {k: v for k, v in store.messages(cid="c-1")[0].items() if v is not None}
    del row["cid" if column == "seq" else "seq"], row["superseded"]
    row["_id"] = "f" * 32
    with pytest.raises(Taken):
        store.add_messages(one.session, [row])
    row[column] = 99 if column == "seq" else fresh("c")
    store.add_messages(one.session, [row])
