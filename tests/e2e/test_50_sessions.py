# SPDX-License-Identifier: MIT
"""The REST routes of a user: sessions and models."""


import pytest

from support.answer import Answer
from support.checks import assert_error, assert_id, assert_time
from support.server import provider_env
from support.stored import storage
from support.waiting import wait_for
from support.ws import fresh


def SETTINGS(fake):  # noqa: N802
    return provider_env(fake, 2, ID="other", NAME="Other")


@pytest.fixture
def client(server, user):
    return server.user(user)


def make(client, *names):
    return [client.post("/sessions", json={"name": name}).json()["id"] for name in names]


# --- creating

def test_creating_gives_the_whole_item(client, user):
    answer = client.post("/sessions", json={"name": "Plans", "model_id": "other"})
    assert answer.status_code == 201, answer.text
    item = answer.json()
    assert_id(item["id"])
    assert item["session_id"] == item["id"] and item["user_id"] == user
    assert item["name"] == "Plans" and item["model_id"] == "other"
    assert_time(item["start_time"])
    assert_time(item["last_activity"])
    assert not item.get("end_time") and item["is_active"] is True
    for member in ("message_count", "total_tokens", "max_response_time",
                   "avg_response_time", "duration"):
        assert isinstance(item[member], (int, float)) and item[member] >= 0
        assert not isinstance(item[member], bool)
    for member in ("admin_assisted", "help_requested", "archived"):
        assert item[member] is False
    assert "share_token" not in item and "connections" not in item


def test_creating_without_anything_takes_the_default_model(client):
    item = client.post("/sessions").json()
    assert item["model_id"] == "fake" and isinstance(item["name"], str)


@pytest.mark.parametrize("name", ["x", "x" * 200, "ü" * 200, "😀" * 200, "<b>&\"'"])
def test_a_good_name_is_kept(client, name):
    answer = client.post("/sessions", json={"name": name})
    assert answer.status_code == 201 and answer.json()["name"] == name


@pytest.mark.parametrize("name", ["", "x" * 201, "😀" * 201, 5, True, [], {}])
def test_a_bad_name_is_400_with_the_field(client, name):
    assert_error(client.post("/sessions", json={"name": name}), 400, field="name")
    assert client.get("/sessions").json()["count"] == 0


@pytest.mark.parametrize("model", ["nope", "", 5, "Fake"])
def test_an_unknown_model_is_400_with_the_field(client, model):
    assert_error(client.post("/sessions", json={"model_id": model}), 400,
                 field="model_id")


# --- listing

def test_an_empty_list(client, user):
    body = client.get("/sessions").json()
    assert body["sessions"] == [] and body["user_id"] == user
    assert body["count"] == 0 and body["truncated"] is False
    assert isinstance(body["limit"], int) and "next_cursor" not in body


def test_the_list_is_newest_first(client):
    ids = make(client, "a", "b", "c")
    listed = [s["id"] for s in client.get("/sessions").json()["sessions"]]
    assert sorted(listed) == sorted(ids)
    starts = [s["start_time"] for s in client.get("/sessions").json()["sessions"]]
    assert starts == sorted(starts, reverse=True)


@pytest.mark.parametrize("limit", [1, 3, 7, 8, 100])
def test_pages_follow_one_another_without_loss(client, limit):
    ids = set(make(client, *"abcdefgh"))
    seen, cursor = [], None
    while True:
        params = {"limit": limit, **({"cursor": cursor} if cursor else {})}
        body = client.get("/sessions", params=params).json()
        assert body["limit"] == limit and body["count"] == len(body["sessions"]) <= limit
        seen += [s["id"] for s in body["sessions"]]
        cursor = body.get("next_cursor")
        assert body["truncated"] is (cursor is not None)
        if cursor is None:
            break
        assert len(seen) < 20
    assert len(seen) == len(set(seen)) == 8 and set(seen) == ids


def test_a_page_is_stable_while_new_sessions_arrive(client):
    make(client, *"abcd")
    first = client.get("/sessions", params={"limit": 2}).json()
    make(client, "new")
    second = client.get("/sessions", params={
        "limit": 10, "cursor": first["next_cursor"]}).json()
    ids = [s["id"] for s in first["sessions"] + second["sessions"]]
    assert len(ids) == len(set(ids)) == 4


@pytest.mark.parametrize("limit", ["0", "101", "-1", "abc", "1.5", "", "1e1", " 1"])
def test_a_bad_limit_is_400(client, limit):
    assert_error(client.get("/sessions", params={"limit": limit}), 400, field="limit")


@pytest.mark.parametrize("cursor", ["nonsense", "0", "AAAA", "x" * 500, "../..", "%00"])
def test_a_bad_cursor_is_400(client, cursor):
    assert_error(client.get("/sessions", params={"cursor": cursor}), 400, field="cursor")


def test_q_finds_by_name(client):
    make(client, "Holiday in Spain", "Work", "spanish lessons", "100% sure_thing")

    def found(text):
        body = client.get("/sessions", params={"q": text}).json()
        return sorted(s["name"] for s in body["sessions"])
    assert found("Holiday") == ["Holiday in Spain"]
    assert found("spa") == ["Holiday in Spain", "spanish lessons"]
    assert found("nowhere") == []
    assert found("%") == ["100% sure_thing"]
    assert found("_") == ["100% sure_thing"]
    assert found("'; DROP TABLE sessions; --") == []


def test_everybody_sees_only_their_own(server, client):
    make(client, "mine")
    assert server.user(fresh()).get("/sessions").json()["sessions"] == []


# --- reading

@pytest.fixture
def long_talk(chat, user):
    """A session of 6 turns, 12 events."""
    one = chat(user)
    for n in range(6):
        one.turn(f"question {n}", client_id=f"c{n}")
    return one


def test_reading_gives_the_messages_oldest_first(client, long_talk):
    body = client.get(f"/sessions/{long_talk.session}").json()
    assert body["session_id"] == long_talk.session
    assert body["model_id"] == "fake" and isinstance(body["name"], str)
    assert [m["seq"] for m in body["messages"]] == list(range(1, 13))
    assert [m["sender"] for m in body["messages"]] == ["user", "ai"] * 6
    assert "next_before_seq" not in body


@pytest.mark.parametrize("limit", [1, 5, 11, 12, 13, 1000])
def test_pages_go_back_by_before_seq(client, long_talk, limit):
    seen, before = [], None
    while True:
        params = {"limit": limit, **({"before_seq": before} if before else {})}
        body = client.get(f"/sessions/{long_talk.session}", params=params).json()
        page = [m["seq"] for m in body["messages"]]
        assert page == sorted(page) and len(page) <= limit
        seen = page + seen
        before = body.get("next_before_seq")
        if before is None:
            break
        assert len(seen) < 12
    assert seen == list(range(1, 13))


def test_before_the_first_there_is_nothing(client, long_talk):
    path = f"/sessions/{long_talk.session}"
    assert client.get(path, params={"before_seq": 1}).json()["messages"] == []


@pytest.mark.parametrize("params,field", [
    ({"limit": "0"}, "limit"), ({"limit": "1001"}, "limit"), ({"limit": "x"}, "limit"),
    ({"before_seq": "x"}, "before_seq"), ({"before_seq": "-1"}, "before_seq"),
    ({"before_seq": "1.5"}, "before_seq"),
    ({"before_seq": "99999999999999999999999"}, "before_seq")])
def test_bad_paging_is_400(client, long_talk, params, field):
    answer = client.get(f"/sessions/{long_talk.session}", params=params)
    assert_error(answer, 400, field=field)


def test_the_default_page_has_200_messages(server, client, chat, user):
    one = chat(user)
    for n in range(102):
        one.turn(f"n{n}")
    body = client.get(f"/sessions/{one.session}").json()
    assert len(body["messages"]) == 200
    assert body["messages"][0]["seq"] == 5 and body["messages"][-1]["seq"] == 204
    assert body["next_before_seq"]


def test_a_running_answer_is_never_shown_as_complete(client, chat, fake, user, question):
    fake.when(question, Answer().tokens("half").gate(question).finish())
    one = chat(user)
    one.say(question)
    one.get("ai_response")
    for message in client.get(f"/sessions/{one.session}").json()["messages"]:
        if message["sender"] == "ai":
            assert message["status"] == "streaming" and "seq" not in message
    fake.open(question)
    one.rest_of_turn()


# --- somebody else's

def without_id(answer):
    return {k: v for k, v in answer.json().items() if k != "request_id"}


@pytest.mark.parametrize("method,suffix,body", [
    ("GET", "", None), ("PATCH", "", {"name": "x"}), ("DELETE", "", None),
    ("POST", "/end", None)])
def test_a_foreign_id_is_answered_as_an_unknown_one(server, client, method, suffix, body):
    mine = make(client, "mine")[0]
    other = server.user(fresh())
    kwargs = {"json": body} if body else {}
    foreign = other.request(method, f"/sessions/{mine}{suffix}", **kwargs)
    unknown = other.request(method, f"/sessions/{'0' * 32}{suffix}", **kwargs)
    odd = other.request(method, f"/sessions/not-an-id{suffix}", **kwargs)
    for answer in (foreign, unknown, odd):
        assert_error(answer, 404, "NOT_FOUND")
    assert without_id(foreign) == without_id(unknown) == without_id(odd)
    assert client.get(f"/sessions/{mine}").json()["name"] == "mine"


# --- changing

def test_patch_changes_what_it_names(client):
    sid = make(client, "before")[0]
    item = client.patch(f"/sessions/{sid}", json={"name": "after"}).json()
    assert item["name"] == "after" and item["model_id"] == "fake"
    item = client.patch(f"/sessions/{sid}", json={"model_id": "other"}).json()
    assert item["name"] == "after" and item["model_id"] == "other"
    item = client.patch(f"/sessions/{sid}", json={"archived": True}).json()
    assert item["archived"] is True
    item = client.patch(f"/sessions/{sid}", json={}).json()
    assert (item["name"], item["archived"]) == ("after", True)
    assert client.get(f"/sessions/{sid}").json()["name"] == "after"


@pytest.mark.parametrize("member,value", [
    ("name", ""), ("name", "x" * 201), ("name", 5), ("model_id", "nope"),
    ("model_id", 5), ("archived", "true"), ("archived", 1), ("archived", [])])
def test_a_bad_change_is_400_and_changes_nothing(client, member, value):
    sid = make(client, "kept")[0]
    answer = client.patch(f"/sessions/{sid}", json={"name": "lost", member: value})
    assert_error(answer, 400, field=member)
    assert client.get(f"/sessions/{sid}").json()["name"] == "kept"


# --- ending

def test_ending_and_ending_again(client):
    sid = make(client, "x")[0]
    for _ in range(3):
        answer = client.post(f"/sessions/{sid}/end")
        assert answer.status_code == 200 and answer.json() == {"status": "ended"}
    item = client.get("/sessions").json()["sessions"][0]
    assert item["is_active"] is False
    assert_time(item["end_time"])
    first = item["end_time"]
    client.post(f"/sessions/{sid}/end")
    assert client.get("/sessions").json()["sessions"][0]["end_time"] == first


def test_ended_sessions_are_counted(server, client):
    """Req 1.4."""
    before = server.metric("chatbox_sessions_ended_total")
    sid = make(client, "x")[0]
    client.post(f"/sessions/{sid}/end")
    client.post(f"/sessions/{sid}/end")
    assert server.metric("chatbox_sessions_ended_total") == before + 1


# --- deleting

def test_deleting_really_deletes_and_tells_the_sockets(server, client, chat, user):
    marker = fresh("private")
    one, other = chat(user, session_id="a"), chat(user, session_id="b")
    one.turn(marker)
    two = chat(user, session_id=one.session)
    assert marker in storage(server).text()
    answer = client.delete(f"/sessions/{one.session}")
    assert answer.status_code == 204 and answer.content == b""
    assert one.closed() == 4410 and two.closed() == 4410
    assert_error(client.get(f"/sessions/{one.session}"), 404)
    assert_error(client.delete(f"/sessions/{one.session}"), 404)
    assert marker not in storage(server).text()
    assert one.session not in storage(server).text(but=["audit"])
    assert other.turn("still here").finish == "stop"


def test_deleting_in_mid_answer_leaves_nothing(server, client, chat, fake, user, question):
    """Req 1.5."""
    marker = fresh("half")
    fake.when(question, Answer().tokens(marker).gate(question).tokens("end").finish())
    one = chat(user)
    one.say(question)
    one.get("ai_response")
    client.delete(f"/sessions/{one.session}")
    assert one.closed() == 4410
    assert fake.asked(question)[0].closed.wait(5)
    wait_for(lambda: marker not in storage(server).text()
             and question not in storage(server).text(), 5, "rows gone")


def test_a_deleted_session_is_not_found_by_a_new_connection(client, chat, user):
    one = chat(user)
    one.turn("hello")
    client.delete(f"/sessions/{one.session}")
    again = chat(user, session_id=one.session)
    assert again.session != one.session and again.hello["seq"] == 0


# --- models

def test_the_models_are_listed_in_configuration_order(client):
    body = client.get("/models").json()
    assert [(m["id"], m["name"]) for m in body["models"]] == [
        ("fake", "Fake"), ("other", "Other")]
    assert body["default"] == "fake"


def test_the_default_model_is_a_setting(spawn, connect, fake):
    server = spawn(provider_env(fake) | provider_env(fake, 2, ID="other", NAME="Other")
                   | {"LLM_DEFAULT_MODEL": "other"})
    assert server.user("u").get("/models").json()["default"] == "other"
    assert connect(server).hello["model_id"] == "other"


def test_no_answer_shows_a_key(client):
    for path in ("/models", "/sessions"):
        assert "sk-" not in client.get(path).text
