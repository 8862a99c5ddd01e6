# SPDX-License-Identifier: MIT
"""Which session a connection gets, resuming it, several devices: protocol.md 2.5."""

import json
import time
from datetime import datetime

import pytest

from support.answer import Answer, plain
from support.checks import HEX_ID, assert_id
from support.server import provider_env
from support.tokens import token
from support.waiting import wait_for
from support.ws import Chat, fresh, upgrade


def SETTINGS(fake):  # noqa: N802
    return provider_env(fake, 2, ID="other", NAME="Other")


def test_the_first_frame_tells_everything(chat, user):
    """Req 2.5: the authoritative session id is told in the first frame."""
    hello = chat(user).hello
    assert_id(hello["session_id"])
    assert hello["user_id"] == user and hello["sender"] == "system"
    assert [m["id"] for m in hello["models"]] == ["fake", "other"]
    assert all(m["name"] for m in hello["models"])
    assert hello["model_id"] == "fake"
    assert hello["seq"] == 0
    assert isinstance(hello["epoch"], str) and hello["epoch"]
    assert hello["resumed"] is False
    assert hello["admin_assisted"] is False and hello["help_requested"] is False


def test_a_new_session_is_stored_with_its_first_message(chat, server, user):
    one = chat(user)
    client = server.user(user)
    assert client.get("/sessions").json()["sessions"] == []
    one.turn("hello")
    assert [s["id"] for s in client.get("/sessions").json()["sessions"]] == [one.session]


def test_the_told_session_is_the_one_used_everywhere(chat, server, user):
    """Req 2.1, 2.2: one id in every frame and in the store."""
    one = chat(user)
    turn = one.turn("hello", client_id="c")
    assert {f["session_id"] for f in turn.frames if "session_id" in f} == {one.session}
    assert server.user(user).get(f"/sessions/{one.session}").status_code == 200


def test_a_named_session_of_mine_is_used(chat, user):
    first = chat(user)
    first.turn("hello")
    other = chat(user, session_id="unknown-so-new")
    other.turn("hello")
    again = chat(user, session_id=first.session)
    assert again.session == first.session != other.session
    assert again.hello["seq"] == 2


def test_a_session_made_over_http_is_used(chat, server, user):
    made = server.user(user).post("/sessions", json={"model_id": "other"}).json()
    one = chat(user, session_id=made["id"])
    assert one.session == made["id"] and one.hello["model_id"] == "other"


@pytest.mark.parametrize("name", ["no-such-session", "f" * 32, "1", "s" * 128])
def test_an_unknown_name_gives_a_new_session(chat, user, name):
    """Req 2.3: the id a client names is checked."""
    one = chat(user, session_id=name)
    assert one.session != name and HEX_ID.match(one.session)
    assert one.hello["metadata"]["requested_session_id"] == name


def test_a_foreign_session_is_answered_as_an_unknown_one(chat, user):
    """Req 2.3, 2.4."""
    owner = chat()
    owner.turn("mine")
    thief = chat(user, session_id=owner.session)
    unknown = chat(user, session_id="e" * 32)
    assert thief.session not in (owner.session, unknown.session)
    assert thief.hello["metadata"]["requested_session_id"] == owner.session
    assert thief.hello.keys() == unknown.hello.keys()
    assert thief.hello["seq"] == 0


@pytest.mark.parametrize("whose", ["unknown", "foreign"])
def test_strict_refuses_instead_of_a_new_session(chat, server, user, whose):
    owner = chat()
    owner.turn("mine")
    name = owner.session if whose == "foreign" else "f" * 32
    one = chat(user, first=False, session_id=name, strict="1")
    error = one.recv()
    assert error["type"] == "error" and error["error"]["code"] == "NOT_FOUND"
    assert one.closed() == 4403


def test_strict_lets_my_own_session_in(chat, user):
    one = chat(user)
    one.turn("hello")
    assert chat(user, session_id=one.session, strict="1").session == one.session


def test_without_a_name_the_latest_active_session_is_used(chat, server, user):
    first, second = chat(user, session_id="a"), chat(user, session_id="b")
    first.turn("one")
    second.turn("two")
    assert chat(user).session == second.session
    first.turn("three")
    assert chat(user).session == first.session
    server.user(user).post(f"/sessions/{first.session}/end")
    assert chat(user).session == second.session, "an ended one is not active"


def test_without_a_name_and_history_a_new_session_begins(chat, server, user):
    one = chat(user)
    one.turn("hello")
    server.user(user).post(f"/sessions/{one.session}/end")
    assert chat(user).session != one.session


def test_after_the_reconnect_timeout_a_new_session_begins(spawn, connect, fake, user):
    server = spawn(provider_env(fake) | {"RECONNECT_TIMEOUT": "700ms"})
    one = connect(server, user)
    one.turn("hello")
    again, at = connect(server, user), time.time()
    item = server.user(user).get("/sessions").json()["sessions"][0]
    last = datetime.fromisoformat(item["last_activity"].replace("Z", "+00:00")).timestamp()
    assert again.session == one.session or at - last > 0.7
    wait_for(lambda: time.time() - last > 1.0, 5, "the timeout to pass")
    assert connect(server, user).session != one.session


def test_a_session_is_found_again_after_a_restart(spawn, connect, fake, user):
    server = spawn(provider_env(fake))
    one = connect(server, user)
    one.turn("hello")
    server.stop()
    server.start()
    again = connect(server, user, session_id=one.session)
    assert again.session == one.session and again.hello["seq"] == 2
    assert connect(server, user).session == one.session


# --- resume

def talk(chat, fake, count):
    """So many turns; returns the conversation as (sender, text) by seq."""
    log = {}
    for n in range(count):
        question = fresh("q")
        fake.when(question, plain("answer to ", question))
        turn = chat.turn(question, client_id=f"id-{question}")
        log[turn.ack["seq"]] = ("user", question)
        log[turn.seq] = ("ai", turn.text)
    return log


def replayed(chat):
    """The events replayed right after the first frame, up to a pong."""
    return chat.quiet()


def test_all_events_after_last_seq_follow_in_order(chat, fake, user):
    one = chat(user)
    log = talk(one, fake, 3)
    for after in (0, 1, 2, 5):
        two = chat(user, session_id=one.session, last_seq=after,
                   epoch=one.hello["epoch"])
        assert two.hello["resumed"] is True and two.hello["seq"] == 6
        events = replayed(two)
        assert [e["seq"] for e in events] == list(range(after + 1, 7))
        for event in events:
            assert event["metadata"]["replay"] == "true"
            sender, text = log[event["seq"]]
            assert event["content"] == text and event["sender"] == sender
            if sender == "ai":
                assert event["type"] == "ai_response"
                assert event["metadata"]["done"] == "true"
                assert event["finish_reason"] == "stop"
            else:
                assert event["type"] == "user_message"


def test_a_long_replay_has_no_hole_and_nothing_twice(chat, user):
    """2.5: also when it is more than the store is asked for at a time."""
    one = chat(user)
    for n in range(103):
        assert one.turn(f"n{n}").finish == "stop"
    two = chat(user, session_id=one.session, last_seq=1, epoch=one.hello["epoch"])
    assert two.hello["resumed"] is True and two.hello["seq"] == 206
    assert [e["seq"] for e in replayed(two)] == list(range(2, 207))


def test_at_the_end_nothing_follows(chat, fake, user):
    one = chat(user)
    talk(one, fake, 1)
    two = chat(user, session_id=one.session, last_seq=2, epoch=one.hello["epoch"])
    assert two.hello["resumed"] is True and replayed(two) == []


@pytest.mark.parametrize("query", [{"last_seq": 3}, {"last_seq": 4000000000},
                                   {"last_seq": 0, "epoch": "another"},
                                   {"last_seq": 1, "epoch": "e" * 200},
                                   {"last_seq": 2, "epoch": "another"}])
def test_what_cannot_be_exact_is_not_resumed(chat, fake, user, query):
    one = chat(user)
    talk(one, fake, 1)
    query.setdefault("epoch", one.hello["epoch"])
    two = chat(user, session_id=one.session, **query)
    assert two.hello["resumed"] is False and replayed(two) == []
    assert two.session == one.session and two.hello["seq"] == 2


def test_too_far_behind_is_not_resumed(spawn, connect, fake, user):
    server = spawn(provider_env(fake) | {"RESUME_MAX_EVENTS": "4"})
    one = connect(server, user)
    talk(one, fake, 3)
    epoch = one.hello["epoch"]
    far = connect(server, user, session_id=one.session, last_seq=1, epoch=epoch)
    assert far.hello["resumed"] is False and replayed(far) == []
    near = connect(server, user, session_id=one.session, last_seq=2, epoch=epoch)
    assert near.hello["resumed"] is True
    assert [e["seq"] for e in replayed(near)] == [3, 4, 5, 6]


def test_without_last_seq_nothing_is_replayed(chat, fake, user):
    one = chat(user)
    talk(one, fake, 2)
    two = chat(user, session_id=one.session)
    assert two.hello["resumed"] is False and replayed(two) == []


def test_a_running_answer_follows_as_a_snapshot_then_live(chat, fake, user, question):
    fake.when(question, Answer().tokens("so ", "far ").gate(question).tokens("and ", "on")
              .finish())
    one = chat(user)
    log = talk(one, fake, 1)
    one.say(question)
    while "far " not in one.recv().get("content", ""):
        pass
    two = chat(user, session_id=one.session, last_seq=2, epoch=one.hello["epoch"])
    assert two.hello["resumed"] is True
    message = two.recv()
    assert message["type"] == "user_message" and message["seq"] == 3
    snapshot = two.get("ai_response")
    assert snapshot["metadata"]["snapshot"] == "true" and "seq" not in snapshot
    assert snapshot["content"] == "so far "
    fake.open(question)
    turn = two.rest_of_turn()
    assert snapshot["content"] + turn.text == "so far and on"
    assert turn.answer_id == snapshot["message_id"] and turn.seq == 4
    assert len(log) == 2


def test_resume_after_a_restart_is_exact(spawn, connect, fake, user):
    server = spawn(provider_env(fake))
    one = connect(server, user)
    log = talk(one, fake, 2)
    server.stop()
    server.start()
    two = connect(server, user, session_id=one.session, last_seq=1,
                  epoch=one.hello["epoch"])
    assert two.hello["resumed"] is True
    assert [(e["sender"], e["content"]) for e in replayed(two)] == [log[2], log[3], log[4]]


def test_messages_sent_while_away_are_replayed(chat, fake, user, question):
    one, two = chat(user), None
    talk(one, fake, 1)
    two = chat(user, session_id=one.session)
    two.drop()
    one.turn(question)
    again = chat(user, session_id=one.session, last_seq=2, epoch=one.hello["epoch"])
    assert [e["content"] for e in replayed(again)] == [question, "Hello from the model."]


def test_a_replay_is_marked_whatever_the_metadata_says(chat, user):
    one = chat(user)
    one.turn("hello", metadata={"replay": "no", "colour": "r\u00e4d \"1\"", "n": 5})
    two = chat(user, session_id=one.session, last_seq=0)
    two.send("ping")
    text = two.ws.recv(10)
    assert text.count('"replay"') == 1, "a member twice is read in two ways"
    assert json.loads(text)["metadata"] == {"replay": "true", "colour": "r\u00e4d \"1\"",
                                            "n": "5"}


# --- devices

def test_the_same_device_replaces_its_older_connection(chat, server, user):
    """Req 3.1, 3.3: the old one is closed with 4409 and it is logged."""
    one = chat(user, device_id="phone")
    one.turn("hello")
    two = chat(user, session_id=one.session, device_id="phone")
    assert one.closed() == 4409
    assert two.turn("still here").finish == "stop"
    server.wait_log("connection_replaced", session_id=one.session)


def test_other_devices_and_none_stay(chat, user):
    one = chat(user, device_id="phone")
    one.turn("hello")
    others = [chat(user, session_id=one.session, device_id="desk"),
              chat(user, session_id=one.session),
              chat(user, session_id=one.session)]
    turn = one.turn("all there?")
    for other in others:
        assert other.rest_of_turn().text == turn.text


def test_the_same_device_in_another_session_stays(chat, user):
    one = chat(user, device_id="phone", session_id="a")
    one.turn("hello")
    chat(user, device_id="phone", session_id="b").turn("hello")
    assert one.turn("still here").finish == "stop"


def test_the_same_device_of_another_user_stays(chat):
    one = chat(device_id="phone")
    one.turn("hello")
    chat(device_id="phone")
    assert one.turn("still here").finish == "stop"


def test_a_replaced_device_does_not_count_twice(spawn, connect, fake, user):
    """Req 3.4, 3.5: resources are released before the new one is served."""
    server = spawn(provider_env(fake) | {"MAX_CONNECTIONS_PER_USER": "1"})
    one = connect(server, user, device_id="phone")
    one.turn("hello")
    chats = [one]
    for _ in range(20):
        chats.append(connect(server, user, session_id=one.session, device_id="phone"))
        assert chats[-2].closed() == 4409
    assert chats[-1].turn("last one").finish == "stop"
    assert upgrade(server, bearer=token(user)).status == 429


def test_a_replaced_device_does_not_count_twice_in_the_process(spawn, connect, fake, user):
    """2.5: neither against MAX_CONNECTIONS."""
    server = spawn(provider_env(fake) | {"MAX_CONNECTIONS": "1"})
    chats = [connect(server, user, device_id="phone")]
    chats[0].turn("hello")
    for _ in range(5):
        chats.append(connect(server, user, session_id=chats[0].session,
                             device_id="phone"))
        assert chats[-2].closed() == 4409
    assert upgrade(server, bearer=token(user), query="device_id=other").status == 429
    told = chats[-1].get("notification")
    assert told["metadata"]["event"] == "connection_limit"
    assert chats[-1].turn("last one").finish == "stop"
    chats[-1].close()
    wait_for(lambda: upgrade(server).status == 101, 5, "room again")


def test_a_replacement_in_mid_answer_loses_nothing(chat, fake, user, question):
    fake.when(question, Answer().tokens("so far ").gate(question).tokens("done").finish())
    one = chat(user, device_id="phone")
    one.say(question)
    first = one.get("ai_response")["content"]
    two = chat(user, session_id=one.session, device_id="phone")
    assert one.closed() == 4409
    assert two.get("ai_response")["content"] == first
    fake.open(question)
    assert two.rest_of_turn().text == "done"


def test_one_connection_only_when_set_so(spawn, connect, fake, user):
    """Req 3.1: the strict rule of the seeds."""
    server = spawn(provider_env(fake) | {"SESSION_CONNECTIONS": "one"})
    one = connect(server, user)
    one.turn("hello")
    two = connect(server, user, session_id=one.session)
    assert one.closed() == 4409
    assert two.turn("hello").finish == "stop"
    assert server.wait_log("connection_replaced")
    stranger = connect(server)
    assert stranger.turn("hello").finish == "stop"
    assert two.quiet() == []


# --- ends and wrong ids

def test_a_frame_for_another_session_changes_nothing(chat, server, user):
    """Req 2.3, 2.4."""
    one, two = chat(user, session_id="a"), chat(user, session_id="b")
    one.turn("hello")
    two.turn("hello")
    one.say("misdirected", session_id=two.session)
    error = one.recv()
    assert error["type"] == "error" and error["error"]["code"] == "NOT_FOUND"
    assert error["error"]["field"] == "session_id"
    for session in (one.session, two.session):
        page = server.user(user).get(f"/sessions/{session}").json()
        assert "misdirected" not in [m["content"] for m in page["messages"]]
    assert one.turn("well directed", session_id=one.session).finish == "stop"


def test_the_end_of_a_session_is_told_to_its_connections(chat, server, user):
    one = chat(user)
    one.turn("hello")
    two, other = chat(user, session_id=one.session), chat(user, session_id="another")
    server.user(user).post(f"/sessions/{one.session}/end")
    for each in (one, two):
        told = each.get("connection_status")
        assert told["metadata"]["event"] == "session_ended"
        assert told["session_id"] == one.session
    assert other.quiet() == []


def test_a_hundred_reconnects_lose_and_double_nothing(server, fake, user):
    with Chat(server, user) as one:
        talk(one, fake, 1)
        epoch, session, seen = one.hello["epoch"], one.session, 2
    contents = []
    for n in range(20):
        with Chat(server, user, session_id=session, last_seq=seen, epoch=epoch) as again:
            assert again.hello["resumed"] is True
            assert replayed(again) == []
            turn = again.turn(f"n{n}", client_id=f"n{n}")
            contents.append(turn.text)
            seen = turn.seq
    assert seen == 42 and len(contents) == 20
