# SPDX-License-Identifier: MIT
"""Operators watch: their sockets in other people's sessions."""

import json

import pytest
from websockets.exceptions import InvalidStatus

from support.answer import Answer
from support.checks import assert_error
from support.operators import ROOMY, SETTINGS, audit, make, operator, watch  # noqa: F401
from support.rawhttp import RawConn
from support.server import provider_env
from support.tokens import token
from support.waiting import wait_for
from support.ws import fresh, is_end, upgrade, upgrade_request


def test_an_operator_sees_everything_of_a_session(chat, server, user):
    """Eight operators, so that session and operator are also on different shards."""
    one = chat(user)
    one.turn("before")
    watchers = [watch(chat, one.session, last_seq=0) for _ in range(8)]
    for each in watchers:
        assert each.session == one.session and each.hello["resumed"] is True
        assert each.hello["seq"] == 2 and each.hello["user_id"] == user
        replay = each.until(is_end)
        assert [f.get("seq") for f in replay] == [1, 2]
    one.turn("after")
    for each in watchers:
        frames = each.until(is_end)
        assert frames[0]["type"] == "user_message" and frames[0]["content"] == "after"
        assert frames[-1]["seq"] == 4


def test_a_session_without_a_message_can_be_watched(chat, server):
    for _ in range(6):
        one = chat(fresh())
        each = watch(chat, one.session, strict="1")
        assert each.session == one.session
        one.turn("hello")
        assert each.until(is_end)[-1]["seq"] == 2


def test_a_session_that_is_not_in_memory_can_be_watched(chat, server):
    for _ in range(6):
        made = make(server, fresh())[0]
        assert watch(chat, made).session == made


def test_an_operator_comes_into_a_running_answer(chat, fake, user, question):
    fake.when(question, Answer().role().tokens("half").gate(question).tokens(" whole")
              .finish())
    one = chat(user)
    one.say(question)
    one.get(lambda f: f["type"] == "ai_response")
    each = watch(chat, one.session)
    snapshot = each.get("ai_response")
    assert snapshot["metadata"]["snapshot"] == "true" and snapshot["content"] == "half"
    fake.open(question)
    rest = each.until(is_end)
    assert "".join(f.get("content", "") for f in rest) == " whole"


SAYS = [{"type": "user_message", "content": "hello"}, {"type": "help_request"},
        {"type": "model_select", "model_id": "fake"}, {"type": "typing_indicator"},
        {"type": "cancel"}, {"type": "regenerate", "message_id": "0" * 32},
        {"type": "file_upload", "file_id": "f", "file_url": "https://example.com/f"},
        {"type": "voice_message", "file_id": "f", "file_url": "https://example.com/f"}]


@pytest.mark.parametrize("frame", SAYS, ids=[f["type"] for f in SAYS])
def test_who_watches_may_say_nothing(chat, server, user, frame):
    one = chat(user)
    one.turn("hello")
    each = watch(chat, one.session)
    each.send(frame)
    error = each.get("error")
    assert error["error"]["code"] == "INSUFFICIENT_PERMISSIONS"
    assert error["error"]["recoverable"] is False
    assert each.quiet() == [] and one.quiet() == []
    assert len(server.user(user).get(f"/sessions/{one.session}").json()["messages"]) == 2


def test_a_user_is_still_kept_out(chat, user):
    one = chat(fresh())
    one.turn("mine")
    assert chat(user, session_id=one.session).session != one.session


def test_an_operator_s_own_session_is_their_own(chat, server):
    name = fresh("op")
    bearer = token(name, roles=["admin"])
    one = chat(name, bearer=bearer)
    assert one.turn("hello").finish == "stop"
    again = chat(name, bearer=bearer, session_id=one.session)
    assert again.session == one.session and again.turn("more").finish == "stop"
    assert audit(operator(server), actor=name) == []


@pytest.mark.parametrize("name", ["f" * 32, "no-such-session"])
def test_an_operator_who_names_nobody_s_session_gets_a_new_one(chat, name):
    one = watch(chat, name)
    assert one.session != name
    assert one.hello["metadata"]["requested_session_id"] == name
    assert one.turn("hello").finish == "stop"


def test_strict_refuses_an_operator_nobody_s_session(chat):
    one = watch(chat, "f" * 32, first=False, strict="1")
    assert one.recv()["error"]["code"] == "NOT_FOUND"
    assert one.closed() == 4403


def test_watching_is_put_down_before_anything_is_shown(chat, server, admin, user):
    one = chat(user)
    one.turn("hello")
    name = fresh("op")
    watch(chat, one.session, name)
    (event,) = audit(admin, session_id=one.session)
    assert event["actor"] == name and event["action"] == "transcript_read"


def test_the_same_device_id_of_an_operator_takes_nobody_s_place(chat, user):
    one = chat(user, device_id="d")
    one.turn("hello")
    name = fresh("op")
    first = watch(chat, one.session, name, device_id="d")
    second = watch(chat, one.session, name, device_id="d")
    assert first.closed() == 4409
    assert one.turn("more").finish == "stop"
    assert second.until(is_end)[-1]["seq"] == 4


def test_one_connection_a_session_does_not_count_who_watches(spawn, fake, connect):
    server = spawn({**provider_env(fake), **ROOMY, "SESSION_CONNECTIONS": "one"})
    one = connect(server, "ann")
    one.turn("hello")
    watch(lambda *a, **k: connect(server, *a, **k), one.session)
    assert one.turn("more").finish == "stop"


def test_watching_counts_against_the_operator_s_own_limit(spawn, fake, connect):
    """On whichever shards the sessions are; and no more once it has ended."""
    server = spawn({**provider_env(fake), **ROOMY, "MAX_CONNECTIONS_PER_USER": "5"})
    bearer = token("olga", roles=["admin"])
    sessions = []
    for n in range(6):
        one = connect(server, f"user-{n}")
        one.turn("hello")
        sessions.append(one.session)

    def join(sid):
        return connect(server, "olga", bearer=bearer, session_id=sid)
    sockets = [join(sid) for sid in sessions[:5]]
    answer = upgrade(server, bearer=bearer, query=f"session_id={sessions[5]}")
    assert_error(answer, 429)
    for socket in sockets:
        socket.close()

    def free():
        if upgrade(server, bearer=bearer, query=f"session_id={sessions[5]}").status != 101:
            return False
        return True
    wait_for(free, 5, "there is room again")


@pytest.fixture
def narrow(spawn, fake, connect):
    """A server that lets operators have two connections, and sessions of users on
    all its shards."""
    def start(**settings):
        server = spawn({**provider_env(fake), **ROOMY, "MAX_CONNECTIONS_PER_USER": "2",
                        **settings})
        sessions = []
        for n in range(8):
            one = connect(server, f"user-{n}")
            one.turn("hello")
            sessions.append(one.session)
        return server, sessions
    return start


@pytest.mark.parametrize("rule,query", [("many", {"device_id": "desk"}), ("one", {})])
def test_an_operator_without_room_may_replace_his_own(narrow, connect, rule, query):
    """2.5: it does not count twice, on whichever shard the session is."""
    server, sessions = narrow(SESSION_CONNECTIONS=rule)
    bearer = token("olga", roles=["admin"])

    def join(sid):
        return connect(server, "olga", bearer=bearer, session_id=sid, **query)

    def join_if_room(sid):
        try:
            return join(sid)
        except InvalidStatus:
            return None
    fill = connect(server, "olga", bearer=bearer)
    for sid in sessions:
        old = wait_for(lambda: join_if_room(sid), 5, "the last one's place is free")
        for _ in range(4):
            new = join(sid)
            assert new.session == sid and old.closed() == 4409
            old = new
        assert_error(upgrade(server, bearer=bearer, query=f"session_id={'f' * 32}"), 429)
        other = sessions[sessions.index(sid) - 1]
        assert_error(upgrade(server, bearer=bearer, query=f"session_id={other}"), 429)
        assert fill.get("notification")["metadata"]["event"] == "connection_limit"
        reads = audit(operator(server), actor="olga", session_id=sid)
        assert len(reads) == 5, "who was refused has read nothing"
        old.close()


def test_watching_connections_hear_of_one_more_that_is_refused(narrow, connect):
    """2.8: the user's other connections, wherever they are; and nobody else's."""
    server, sessions = narrow(MAX_CONNECTIONS_PER_USER="8")
    bearer = token("olga", roles=["admin"])
    watchers = [connect(server, "olga", bearer=bearer, session_id=sid)
                for sid in sessions]
    others = [watch(lambda *a, **k: connect(server, *a, **k), sid) for sid in sessions]
    assert_error(upgrade(server, bearer=bearer), 429)
    for sid, each in zip(sessions, watchers):
        told = each.get("notification")
        assert told["metadata"]["event"] == "connection_limit"
        assert told["session_id"] == sid
    assert all(each.quiet() == [] for each in watchers + others)


def test_no_more_operator_s_sockets_get_in_than_may(narrow):
    """However many come at once, and wherever to."""
    server, sessions = narrow()
    bearer = token("olga", roles=["admin"])
    conns = [RawConn(server) for _ in range(24)]
    for n, conn in enumerate(conns):
        sid = sessions[n % 8] if n % 4 else "e" * 32
        conn.send(upgrade_request(server, bearer=bearer, query=f"session_id={sid}"))
    status = [conn.read_response().status for conn in conns]
    assert sorted(set(status)) == [101, 429] and status.count(101) == 2
    for conn in conns:
        conn.close()
    wait_for(lambda: upgrade(server, bearer=bearer).status == 101, 5, "room again")


def test_a_token_without_the_role_does_not_go_on_watching(chat, user):
    one = chat(user)
    one.turn("hello")
    name = fresh("op")
    each = watch(chat, one.session, name)
    each.send("auth", token=token(name))
    assert each.get("error")["error"]["code"] == "INSUFFICIENT_PERMISSIONS"
    each.send("auth", token=token(name, roles=["admin"]))
    assert each.get("ack")


def test_who_watches_is_told_of_the_end_and_the_delete(chat, server, user):
    one = chat(user)
    one.turn("hello")
    each = watch(chat, one.session)
    client = server.user(user)
    client.post(f"/sessions/{one.session}/end")
    assert each.get("connection_status")["metadata"]["event"] == "session_ended"
    client.delete(f"/sessions/{one.session}")
    assert each.closed() == 4410


def test_operators_come_and_go_under_load(chat, server):
    """Sessions, lists and watching of all shards at once; nothing is lost."""
    users = [chat(fresh()) for _ in range(6)]
    for one in users:
        one.turn("hello")
    admin = operator(server)
    for _ in range(5):
        watchers = [watch(chat, one.session) for one in users]
        for one in users:
            one.say("again")
        for each in watchers:
            assert each.until(is_end)[-1]["type"] == "ai_response"
        for one in users:
            one.rest_of_turn()
        items = admin.get("/admin/sessions", params={"limit": 1000}).json()["sessions"]
        found = {item["id"]: item["connections"] for item in items}
        assert all(found[one.session] >= 2 for one in users)
        for each in watchers:
            each.drop()
    json.dumps(admin.get("/admin/metrics").json())
