# SPDX-License-Identifier: MIT
"""Sharing, exporting and searching sessions; and that a deleted one is gone."""

import json
import re
from pathlib import Path

import pytest

from support.answer import Answer
from support.backend import BACKEND
from support.checks import assert_error, assert_headers, assert_id, assert_time
from support.rawhttp import RawConn
from support.stored import storage
from support.tokens import token
from support.waiting import wait_for
from support.ws import fresh


@pytest.fixture
def client(server, user):
    return server.user(user)


@pytest.fixture
def talk(chat, user):
    """A session of two turns."""
    one = chat(user)
    one.turn("first question", client_id="c-secret-1", metadata={"note": "m-secret"})
    one.turn("second question", client_id="c-secret-2")
    return one


def share(client, sid):
    answer = client.post(f"/sessions/{sid}/share")
    assert answer.status_code == 200, answer.text
    return answer.json()["share_token"]


def body_of(answer):
    return {k: v for k, v in answer.json().items() if k != "request_id"}


# --- sharing

def test_a_share_has_a_token_and_repeating_gives_the_same(client, talk):
    answer = client.post(f"/sessions/{talk.session}/share")
    assert answer.status_code == 200
    assert_headers(answer)
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert_id(body["share_token"])
    assert set(body) == {"share_token"}
    assert body["share_token"] != talk.session
    for _ in range(3):
        assert share(client, talk.session) == body["share_token"]


def test_tokens_are_of_one_session_each(client, chat, user):
    talks = [chat(user, session_id=str(n)) for n in range(5)]
    for one in talks:
        one.turn("hello")
    assert len({share(client, one.session) for one in talks}) == 5


def test_a_shared_session_is_read_without_a_token_of_ones_own(server, client, talk, user):
    shared = share(client, talk.session)
    answer = server.http.get(f"/shared/{shared}")
    assert answer.status_code == 200
    assert_headers(answer)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"].split(";")[0] == "application/json"
    assert answer.headers["x-robots-tag"] == "noindex"
    body = answer.json()
    assert set(body) == {"session_id", "name", "messages"}
    own = client.get(f"/sessions/{talk.session}").json()
    assert body["name"] == own["name"]
    for shown, stored in zip(body["messages"], own["messages"], strict=True):
        for member in ("message_id", "seq", "type", "sender", "content", "timestamp",
                       "status"):
            assert shown[member] == stored[member]


def test_a_share_shows_nothing_else_of_the_user(server, client, talk, user):
    own = client.get(f"/sessions/{talk.session}").json()
    assert any("client_id" in m for m in own["messages"])
    assert any("metadata" in m for m in own["messages"])
    text = server.http.get(f"/shared/{share(client, talk.session)}").text
    for secret in (user, talk.session, "c-secret", "m-secret", "client_id", "user_id",
                   "metadata", "file_url", "file_id", "sig="):
        assert secret not in text


def test_the_shared_session_id_opens_nothing(server, client, talk):
    shown = server.http.get(f"/shared/{share(client, talk.session)}").json()["session_id"]
    assert shown != talk.session
    assert_error(client.get(f"/sessions/{shown}"), 404)


def test_a_share_shows_what_was_said_later(server, client, talk):
    shared = share(client, talk.session)
    talk.turn("third question")
    messages = server.http.get(f"/shared/{shared}").json()["messages"]
    assert [m["seq"] for m in messages] == [1, 2, 3, 4, 5, 6]


def test_a_share_shows_the_latest_answer_only(server, client, talk):
    shared = share(client, talk.session)
    old = client.get(f"/sessions/{talk.session}").json()["messages"][-1]["message_id"]
    talk.send({"type": "regenerate", "message_id": old})
    talk.rest_of_turn()
    text = server.http.get(f"/shared/{shared}").text
    assert old not in text
    assert [m["seq"] for m in json.loads(text)["messages"]] == [1, 2, 3, 5]


def test_an_empty_session_can_be_shared(server, client):
    sid = client.post("/sessions", json={"name": "Plans"}).json()["id"]
    body = server.http.get(f"/shared/{share(client, sid)}").json()
    assert body["name"] == "Plans" and body["messages"] == []


def test_a_running_answer_is_not_shared(server, client, chat, fake, user, question):
    fake.when(question, Answer().tokens("half").gate(question).finish())
    one = chat(user)
    one.say(question)
    one.get("ai_response")
    shared = share(client, one.session)
    assert "half" not in server.http.get(f"/shared/{shared}").text
    fake.open(question)
    one.rest_of_turn()
    assert "half" in server.http.get(f"/shared/{shared}").text


def test_taking_a_share_back(server, client, talk):
    shared = share(client, talk.session)
    for _ in range(2):
        answer = client.delete(f"/sessions/{talk.session}/share")
        assert answer.status_code == 204 and answer.content == b""
        assert_headers(answer)
        assert_error(server.http.get(f"/shared/{shared}"), 404, "NOT_FOUND")
    again = share(client, talk.session)
    assert again != shared
    assert server.http.get(f"/shared/{again}").status_code == 200
    assert_error(server.http.get(f"/shared/{shared}"), 404)


def test_unknown_revoked_and_deleted_shares_are_answered_alike(server, client, chat, user):
    talks = [chat(user, session_id=str(n)) for n in range(2)]
    for one in talks:
        one.turn("hello")
    tokens = [share(client, one.session) for one in talks]
    client.delete(f"/sessions/{talks[0].session}/share")
    client.delete(f"/sessions/{talks[1].session}")
    odd = ["0" * 32, "x", "%20", tokens[0].upper(), tokens[0] + "0", talks[0].session]
    answers = [server.http.get(f"/shared/{one}") for one in tokens + odd]
    for answer in answers:
        assert_error(answer, 404, "NOT_FOUND")
    assert len({json.dumps(body_of(answer)) for answer in answers}) == 1


@pytest.mark.parametrize("method,suffix", [
    ("POST", "/share"), ("DELETE", "/share"), ("GET", "/export"),
    ("GET", "/export?format=md")])
def test_a_foreign_session_is_answered_as_an_unknown_one(server, client, talk, method,
                                                         suffix):
    shared = share(client, talk.session)
    other = server.user(fresh())
    foreign = other.request(method, f"/sessions/{talk.session}{suffix}")
    for sid in ("0" * 32, "not-an-id", shared):
        unknown = other.request(method, f"/sessions/{sid}{suffix}")
        assert_error(unknown, 404, "NOT_FOUND")
        assert body_of(unknown) == body_of(foreign)
    assert share(client, talk.session) == shared
    assert server.http.get(f"/shared/{shared}").status_code == 200


@pytest.mark.parametrize("method,suffix", [
    ("POST", "/share"), ("DELETE", "/share"), ("GET", "/export")])
def test_these_routes_need_a_token(server, talk, method, suffix):
    answer = server.http.request(method, f"/sessions/{talk.session}{suffix}")
    assert_error(answer, 401, "UNAUTHORIZED")


@pytest.mark.parametrize("path,allowed", [
    ("/shared/x", {"GET", "HEAD", "OPTIONS"}),
    ("/sessions/x/share", {"POST", "DELETE", "OPTIONS"}),
    ("/sessions/x/export", {"GET", "HEAD", "OPTIONS"})])
def test_other_methods_are_405(client, path, allowed):
    answer = client.put(path)
    assert_error(answer, 405)
    assert set(re.split(r", *", answer.headers["allow"])) == allowed


def test_no_list_shows_a_share_token(client, talk):
    shared = share(client, talk.session)
    for path in ("/sessions", f"/sessions/{talk.session}",
                 f"/sessions/{talk.session}/export"):
        assert shared not in client.get(path).text
    assert shared not in client.patch(f"/sessions/{talk.session}", json={}).text


def test_a_share_survives_a_restart_and_stands_in_no_log(spawn, connect, fake, demo_settings):
    server = spawn(demo_settings)
    one = connect(server, "ann")
    one.turn("hello")
    shared = share(server.user("ann"), one.session)
    server.stop()
    assert shared not in server.log_text()
    server.start()
    assert share(server.user("ann"), one.session) == shared
    assert server.http.get(f"/shared/{shared}").json()["messages"][0]["content"] == "hello"
    assert shared not in server.log_text()


@pytest.fixture
def demo_settings(fake):
    from support.server import provider_env
    return provider_env(fake)


def test_shares_count_against_the_public_limit(spawn, demo_settings):
    server = spawn({**demo_settings, "PUBLIC_RATE_LIMIT": "3"})
    statuses = [server.http.get(f"/shared/{'0' * 32}").status_code for _ in range(5)]
    assert statuses == [404, 404, 404, 429, 429]
    assert_error(server.http.get("/shared/x"), 429)


# --- exporting

def test_an_export_is_a_file(client, talk):
    answer = client.get(f"/sessions/{talk.session}/export")
    assert answer.status_code == 200
    assert_headers(answer)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"].split(";")[0] == "application/json"
    assert answer.headers["content-disposition"] == (
        f'attachment; filename="chat-first-question-{talk.session[:8]}.json"')


def test_an_export_has_every_message_as_history_shows_it(client, talk):
    old = client.get(f"/sessions/{talk.session}").json()["messages"][-1]["message_id"]
    talk.send({"type": "regenerate", "message_id": old})
    talk.rest_of_turn()
    own = client.get(f"/sessions/{talk.session}").json()
    for query in ("", "?format=json"):
        body = client.get(f"/sessions/{talk.session}/export{query}").json()
        assert body["messages"] == own["messages"] and len(own["messages"]) == 5
        for member in ("session_id", "name", "model_id"):
            assert body[member] == own[member]
        assert_time(body["start_time"])
        assert_time(body["exported_at"])


@pytest.mark.parametrize("name,slug", [
    ("Plans for May", "-Plans-for-May"), ("../../etc/passwd", "-etc-passwd"),
    ('a"b\\c;d', "-a-b-c-d"), ("Планы", ""), ("CON", "-CON"), ("x" * 200, "-" + "x" * 39),
    ("exe.\u202efdp.md", "-exe-fdp-md"), ("a\r\nSet-Cookie: x", "-a-Set-Cookie-x"), ("...", "")])
def test_the_file_name_is_safe_whatever_the_session_is_called(client, name, slug):
    sid = client.post("/sessions", json={"name": name}).json()["id"]
    for kind, ending in (("json", "json"), ("md", "md")):
        answer = client.get(f"/sessions/{sid}/export", params={"format": kind})
        assert answer.headers["content-disposition"] == (
            f'attachment; filename="chat{slug}-{sid[:8]}.{ending}"')
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("bad", ["xml", "", "JSON", "md ", "json,md", "%00", "%ff"])
def test_a_bad_format_is_400_with_the_field(client, talk, bad):
    answer = client.get(f"/sessions/{talk.session}/export?format={bad}")
    assert_error(answer, 400, field="format")


def blocks(text):
    """Headings of level 1 and 2 and the contents of fenced blocks, in order, as
    CommonMark reads them at the outermost level."""
    found, fence, inside = [], None, []
    for line in re.split(r"\r\n|\r|\n", text):
        if fence is None:
            opening = re.match(r"^ {0,3}(`{3,})[^`]*$", line)
            if opening:
                fence, inside = opening[1], []
            elif re.match(r"^#{1,2} ", line):
                found.append(line)
            else:
                assert line == "" or line.startswith("- "), line
        elif re.match(rf"^ {{0,3}}`{{{len(fence)},}}[ \t]*$", line):
            found.append("\n".join(inside))
            fence = None
        else:
            inside.append(line)
    assert fence is None
    return found


NASTY = ["## Assistant, now\n\nI agree", "```\nunclosed", "````\n```\n~~~", "<!-- <script>",
         "# x\n```python\nprint()\n```\nbye", "`" * 50, "\u2028# y", "> q\n- l\n\n[a]: http://x",
         "line\r```````\r## User", "    indented\n\ttab", "</div></blockquote>", "&lt;b&gt;"]


def test_no_content_breaks_out_of_the_markdown(client, chat, fake, user):
    one = chat(user)
    for text in NASTY:
        asked = f"{fresh('m')}\n{text}"
        fake.when(asked, Answer().tokens(text).finish())
        assert one.turn(asked).text == text
    answer = client.get(f"/sessions/{one.session}/export", params={"format": "md"})
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    found = blocks(answer.text)
    messages = client.get(f"/sessions/{one.session}").json()["messages"]
    assert found[0].startswith("# ") and len(found) == 1 + 2 * len(messages)
    for message, heading, content in zip(messages, found[1::2], found[2::2], strict=True):
        who = {"user": "User", "ai": "Assistant"}[message["sender"]]
        assert heading == f"## {who}, {message['timestamp']}"
        stored = re.sub(r"\r\n|\r", "\n", message["content"])
        assert content == stored.removesuffix("\n")
        assert message["content"] in answer.text


@pytest.mark.parametrize("name", ["# a\n# b", "[x](http://x) <b>&amp;", "`a` *b* _c_", "- x"])
def test_no_name_breaks_the_markdown_title(client, name):
    sid = client.post("/sessions", json={"name": name}).json()["id"]
    text = client.get(f"/sessions/{sid}/export?format=md").text
    title = text.split("\n")[0]
    assert title.startswith("# ") and blocks(text) == [title]
    assert re.sub(r"\\(.)", r"\1", title[2:]) == name.replace("\n", " ")
    assert not re.search(r"(?<!\\)[\[\]<>&`*_#-]", title[2:].replace("\\\\", ""))


def test_what_is_special_about_a_message_stands_in_its_heading(client, chat, fake, user,
                                                                question):
    fake.when(question, Answer().tokens("half").gate(question).finish())
    one = chat(user)
    one.say(question)
    one.get("ai_response")
    one.send({"type": "cancel"})
    one.rest_of_turn()
    fake.open(question)
    old = client.get(f"/sessions/{one.session}").json()["messages"][-1]["message_id"]
    fake.when(question, Answer().tokens("whole").finish())
    one.send({"type": "regenerate", "message_id": old})
    one.rest_of_turn()
    found = blocks(client.get(f"/sessions/{one.session}/export?format=md").text)
    assert found[3].endswith(", cancelled, replaced by a later answer")
    assert found[5].endswith("Z") and found[6] == "whole"


# --- long ones

# The database that a run starts itself reads all that follows for every page, and
# takes milliseconds for one document (docs/decisions/0032).
COUNT = 800 if BACKEND.own_database else 50_000


def written(server, sid, count, content):
    """So many messages that no server wrote, while it is down."""
    storage(server).add_messages(sid, (
        {"_id": f"{seq:032x}", "seq": seq, "ts": 1700000000000 + seq, "sender": "user",
         "type": "user_message", "status": "complete", "content": content(seq)}
        for seq in range(1, count + 1)))
    storage(server).change_session(sid, seq=count, msgCount=count)


@pytest.fixture(scope="module")
def long_one(spawn_module, fake):
    """A server with a session of COUNT messages of 2 KB each."""
    from support.server import provider_env
    server = spawn_module(provider_env(fake))
    sid = server.user("long").post("/sessions", json={"name": "long"}).json()["id"]
    server.stop()
    written(server, sid, COUNT, lambda seq: f"{seq} " + "x" * 2000)
    server.start()
    server.sid = sid
    server.shared = share(server.user("long"), sid)
    return server


def long_path(server, kind):
    return (f"/shared/{server.shared}" if kind == "shared"
            else f"/sessions/{server.sid}/export?format={kind}")


def request_for(server, kind, version="1.1"):
    return (f"GET {server.prefix}{long_path(server, kind)} HTTP/{version}\r\nHost: x\r\n"
            f"Authorization: Bearer {token('long')}\r\n\r\n")


@pytest.mark.parametrize("kind", ["json", "shared"])
def test_a_long_session_comes_whole_and_once(long_one, kind):
    body = long_one.user("long").get(long_path(long_one, kind)).json()
    assert [m["seq"] for m in body["messages"]] == list(range(1, COUNT + 1))


def test_a_long_session_comes_as_markdown(long_one):
    text = long_one.user("long").get(long_path(long_one, "md")).text
    numbers = re.findall(r"^(\d+) xxx", text, re.M)
    assert numbers == [str(n) for n in range(1, COUNT + 1)]


def test_an_old_client_gets_it_without_chunks(long_one):
    with RawConn(long_one) as conn:
        conn.send(request_for(long_one, "json", "1.0"))
        head = conn.read_until(b"\r\n\r\n").lower()
        assert b"transfer-encoding" not in head and b"connection: close" in head
        body = conn.buffer + b"".join(iter(lambda: conn.sock.recv(1 << 20), b""))
        assert len(json.loads(body)["messages"]) == COUNT


def test_head_is_the_head_alone(long_one):
    answer = long_one.user("long").head(long_path(long_one, "json"))
    assert answer.status_code == 200 and answer.content == b""
    assert "attachment" in answer.headers["content-disposition"]


def test_a_client_that_does_not_read_costs_little_memory(long_one):
    client = long_one.user("long")
    client.get(long_path(long_one, "json"))  # what one costs at all has been paid
    before = long_one.memory()
    conns = [RawConn(long_one, rcvbuf=4096) for _ in range(8)]
    for conn in conns:
        conn.send(request_for(long_one, "json"))
    for conn in conns:
        conn.read_until(b"\r\n\r\n")
    for _ in range(200):
        assert client.get("/sessions").status_code == 200
    assert long_one.memory() - before < 64 << 20  # 8 × 115 MB would be all of 50,000
    for conn in conns:
        conn.close()
    assert client.get("/sessions").status_code == 200


@pytest.mark.parametrize("kind,end", [
    ("shared", "DELETE /sessions/{}/share"), ("json", "DELETE /sessions/{}"),
    ("shared", "DELETE /sessions/{}")])
def test_what_is_taken_back_while_it_is_read_is_cut_off_not_ended(spawn, demo_settings,
                                                                  kind, end):
    server = spawn(demo_settings)
    client = server.user("long")
    server.sid = client.post("/sessions").json()["id"]
    server.shared = share(client, server.sid)
    server.stop()
    written(server, server.sid, 250, lambda seq: "0" * 80_000)  # 20 MB
    server.start()
    with RawConn(server, rcvbuf=4096) as conn:
        conn.send(request_for(server, kind))
        conn.read_until(b"\r\n\r\n")
        method, path = end.format(server.sid).split(" ")
        assert client.request(method, path).status_code == 204
        while conn._fill():
            assert not conn.buffer.endswith(b"0\r\n\r\n")
        assert len(conn.buffer) < 15_000_000
    assert server.http.get("/readyz").status_code == 200


# --- searching

def found(client, text, **params):
    body = client.get("/sessions", params={"q": text, **params}).json()
    return {s["id"] for s in body["sessions"]}


def test_q_finds_by_name_and_by_what_was_said(client, chat, fake, user):
    question, answer = fresh("Asked"), fresh("Told")
    asked = f"please {question} now"
    fake.when(asked, Answer().tokens("well, ", answer, " it is").finish())
    one, other = chat(user, session_id="a"), chat(user, session_id="b")
    one.turn(asked)
    other.turn("something else")
    named = client.post("/sessions", json={"name": f"About {answer}"}).json()["id"]
    assert found(client, question) == {one.session}
    assert found(client, answer) == {one.session, named}
    assert found(client, answer.upper()) == found(client, answer.lower()) == {
        one.session, named}
    assert found(client, fresh("never")) == set()


def test_q_never_finds_what_somebody_else_said(server, client, talk):
    assert found(client, "first question") == {talk.session}
    assert found(server.user(fresh()), "first question") == set()


@pytest.mark.parametrize("text", ["%", "_", "\\", "a%b", "a_b", "'", '"', "*", "[x]"])
def test_every_character_of_q_means_itself(client, chat, user, text):
    one, other = chat(user, session_id="a"), chat(user, session_id="b")
    one.turn(f"so {text} so")
    other.turn("so aXb so x")
    assert found(client, text) == {one.session}


@pytest.mark.parametrize("said,asked", [
    ("GRÜẞE", "grüße"), ("grüße aus köln", "GRÜSSE AUS KÖLN".replace("SS", "ẞ")),
    ("Привет, Мир", "пРИВЕТ, мИР"), ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"), ("Şehir", "şehir"),
    ("ＡＢＣ", "ａｂｃ"), ("你好世界", "好世"), ("ÉCOLE", "école"), ("Ŵýł", "ŵÝŁ")])
def test_q_matches_either_case_in_every_script(client, chat, user, said, asked):
    one = chat(user)
    one.turn(f"x {said} y")
    assert found(client, asked) == found(client, said) == {one.session}


def test_q_is_walked_by_the_cursor(client):
    ids = {client.post("/sessions", json={"name": f"Trip {n}"}).json()["id"]
           for n in range(7)}
    client.post("/sessions", json={"name": "Work"})
    seen, cursor = [], None
    while True:
        params = {"q": "trip", "limit": 3, **({"cursor": cursor} if cursor else {})}
        body = client.get("/sessions", params=params).json()
        seen += [s["id"] for s in body["sessions"]]
        cursor = body.get("next_cursor")
        if cursor is None:
            break
    assert len(seen) == 7 and set(seen) == ids


def test_a_q_that_is_too_long_is_400(client):
    assert_error(client.get("/sessions", params={"q": "x" * 1001}), 400, field="q")


# --- deleting

def bytes_of(server):
    """Everything that the data folder holds."""
    return b"".join(path.read_bytes() for path in Path(server.data).rglob("*")
                    if path.is_file())


@pytest.mark.sqlite
def test_nothing_of_a_deleted_session_is_left_in_any_file(spawn, demo_settings, connect, fake):
    server = spawn(demo_settings)
    client = server.user("ann")
    name, asked, told, cid = (fresh(w) for w in ("name", "asked", "told", "client"))
    one = connect(server, "ann")
    for n in range(20):
        question = f"{asked} {n} " + "y" * 3000
        fake.when(question, Answer().tokens(told, "-a", "-b").finish())
        one.turn(question, client_id=f"{cid}-{n}")
    client.patch(f"/sessions/{one.session}", json={"name": name})
    shared = share(client, one.session)
    stays = fresh("stays")
    other = connect(server, "ann", session_id="other")
    other.turn(stays)
    # the session's id stays: the audit tells what was deleted
    secrets = [s.encode() for s in (name, asked, told, cid, shared)]
    before = bytes_of(server)
    assert all(s in before for s in secrets) and stays.encode() in before
    assert client.delete(f"/sessions/{one.session}").status_code == 204
    wait_for(lambda: not any(s in bytes_of(server) for s in secrets), 10, "bytes gone")
    assert stays.encode() in bytes_of(server)
    server.stop()
    after = bytes_of(server)
    assert not any(s in after for s in secrets) and stays.encode() in after
    assert not any(s.decode() in server.log_text() for s in secrets[:4])


@pytest.mark.sqlite
def test_nothing_of_a_running_answer_is_left_either(spawn, demo_settings, connect, fake):
    server = spawn(demo_settings)
    asked, told = fresh("asked"), fresh("told")
    fake.when(asked, Answer().tokens(*[f"{told} {'z' * 500}" for _ in range(20)])
              .gate(asked).finish())
    one = connect(server, "ann")
    one.say(asked)
    wait_for(lambda: told.encode() in bytes_of(server), 10, "a piece is stored")
    assert server.user("ann").delete(f"/sessions/{one.session}").status_code == 204
    fake.open(asked)
    assert one.closed() == 4410
    server.stop()
    left = bytes_of(server)
    assert told.encode() not in left and asked.encode() not in left


def test_a_taken_back_token_is_in_no_file(spawn, demo_settings, connect):
    server = spawn(demo_settings)
    one = connect(server, "ann")
    one.turn("hello")
    client = server.user("ann")
    shared = share(client, one.session)
    client.delete(f"/sessions/{one.session}/share")
    server.stop()
    assert shared.encode() not in bytes_of(server)
