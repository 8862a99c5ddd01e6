# SPDX-License-Identifier: MIT
"""Ten thousand attempts to reach what is somebody else's: every route and every
frame with every id that a stranger could have heard of. The answer is always
the one that an unknown id gets, and nothing changes."""

import json
import re
from pathlib import Path

import pytest

from support.answer import Answer
from support.backend import BACKEND
from support.checks import assert_id
from support.operators import ROOMY
from support.rawhttp import RawConn, request
from support.server import provider_env
from support.tokens import token
from support.waiting import PATIENCE
from support.ws import RawWs, fresh

SETTINGS = {"LLM_IDLE_TIMEOUT": "1h", "LLM_STREAM_TIMEOUT": "1h"}  # it runs all the while
SRC = Path(__file__).resolve().parents[2] / "src"
UNKNOWN = "0123456789abcdef" * 2
BATCH = 40
# Who refuses them all does not know which storage it has.
SESSIONS, ATTEMPTS = (320, 10_000) if BACKEND.kind == "sqlite" else (40, 1_250)


def table(path, pattern):
    return re.findall(pattern, (SRC / path).read_text(), re.M)


ROUTES = table("gate/routes.def", r'^ROUTE\((\w+), "([^"]*\{[^"]*)", (\w+)')
FRAMES = [kind for kind, way in table("proto/message.def",
                                      r'^MESSAGE\(\w+, "(\w+)", (\w+)')
          if way != "SERVER" and kind != "ping"]
VARIANTS = {  # of a method: (query, body)
    "GET": [("", ""), ("?limit=1&before_seq=2", ""), ("?format=md", "")],
    "HEAD": [("", "")], "DELETE": [("", "")], "POST": [("", "{}")],
    "PATCH": [("", '{"name":"stolen"}'), ("", '{"archived":true}'),
              ("", '{"model_id":"fake"}')]}
MEMBERS = {"content": "stolen", "model_id": "fake", "token": "x.y.z", "file_id": "f" * 32,
           "file_url": "https://example.com/x", "client_id": "c-1"}


def attempts():
    """What is asked with each id: (method, path with {}, body)."""
    for method, pattern, _ in [*ROUTES, *((("HEAD",) + r[1:]) for r in ROUTES
                                          if r[0] == "GET")]:
        for query, body in VARIANTS[method]:
            yield method, re.sub(r"\{\w+\}", "{}", pattern) + query, body


class Owner:
    """Somebody with much to lose, connected, and with an answer that runs."""

    def __init__(self, server, fake, chat, question):
        self.user, self.question, self.fake = fresh("owner"), question, fake
        fake.when(question, Answer().tokens("some ").gate(question).tokens("more")
                  .finish())
        self.client = server.user(self.user)
        self.chat = chat(self.user)
        self.turns = [self.chat.turn(f"secret {n}", client_id=f"c-{n}") for n in range(9)]
        self.chat.say(question, client_id="c-running")
        self.running = self.chat.get("ai_response")["message_id"]
        self.shared = self.client.post(f"/sessions/{self.chat.session}/share").json()
        made = batch(server, self.user, [("POST", "/sessions", f'{{"name":"secret {n}"}}')
                                         for n in range(SESSIONS)])
        self.sessions = [self.chat.session, *(a.json()["id"] for a in made)]
        self.client.post(f"/sessions/{self.sessions[1]}/end")
        self.messages = [self.running, *(t.answer_id for t in self.turns),
                         *(t.ack["message_id"] for t in self.turns)]
        self.ids = [*self.sessions, *self.messages]
        self.before = self.state()

    def state(self):
        items, cursor = [], ""
        while cursor is not None:
            page = self.client.get(f"/sessions?limit=100{cursor}").json()
            items += page["sessions"]
            cursor = "next_cursor" in page and f"&cursor={page['next_cursor']}" or None
        for item in items:
            item.pop("connections", None)
        return items, self.client.get(f"/sessions/{self.chat.session}").json()

    def assert_unharmed(self):
        assert self.chat.quiet() == [], "the owner hears nothing of it"
        items, page = self.state()
        assert items == self.before[0]
        assert page["messages"][:19] == self.before[1]["messages"][:19]
        assert self.client.get(f"/shared/{self.shared['share_token']}").status_code == 200
        self.fake.open(self.question)
        turn = self.chat.rest_of_turn()
        assert turn.finish == "stop" and turn.text == "more"


def batch(server, user, asked):
    """The answers to many requests of a user, pipelined."""
    head = [("Authorization", f"Bearer {token(user)}")]
    with RawConn(server, 30) as conn:
        answers = []
        for at in range(0, len(asked), BATCH):
            part = asked[at:at + BATCH]
            conn.send(b"".join(request(server, method, server.prefix + path, head, body)
                               for method, path, body in part))
            answers += [conn.read_response(method) for method, _, _ in part]
        return answers


def seen(answer, name):
    """All that an answer tells, but for the id that was asked for."""
    body = re.sub(rb'"request_id":"\w+"', b"", answer.body)
    headers = [(k, v) for k, v in answer.headers if k not in ("x-request-id", "date")]
    return answer.status, headers, body.replace(name.encode(), b"ID")


@pytest.mark.timeout(300 * PATIENCE)
def test_ten_thousand_attempts_of_a_stranger_learn_and_change_nothing(
        server, fake, chat, question):
    """Req 2.3, 2.4: 1: somebody else's id is answered exactly as an unknown one."""
    owner = Owner(server, fake, chat, question)
    thief = fresh("thief")
    asked = list(attempts())
    count = 0
    for method, path, body in asked:
        names = [UNKNOWN, *owner.ids]
        answers = batch(server, thief, [(method, path.format(n), body) for n in names])
        wanted = seen(answers[0], UNKNOWN)
        assert wanted[0] in (403, 404), (method, path, answers[0])
        for name, answer in zip(names, answers):
            assert seen(answer, name) == wanted, (method, path, answer)
        count += len(names)
    count += frames_of(server, thief, owner)
    assert count >= ATTEMPTS, count
    owner.assert_unharmed()
    assert server.user(thief).get("/sessions").json()["count"] == 0


ODD = ["%2E", "%2e%2E", ".%2E", "...", "%2F", "a%2Fb", "%2F..%2F", "%5C", "%25", "%2500",
       "%20", "+", "~", "'", "%22", "*", "%3F", "%23", "%7B%7D", "%C3%A9", "%F0%9F%98%80",
       "%E2%80%AE", "-1", "0", "null", UNKNOWN[1:], UNKNOWN + "0", UNKNOWN[:31] + "g",
       UNKNOWN[:30] + "%2F", UNKNOWN[:29] + "%2F", UNKNOWN[:31] + "%2E", UNKNOWN + "%20",
       UNKNOWN.upper(), "0" * 32, "x" * 3000]


def test_whatever_a_path_may_say_in_an_id_s_place_is_an_unknown_id(spawn, fake):
    """One segment, escaped as its client likes: 404, or nobody's sessions."""
    server = spawn({**provider_env(fake), **ROOMY})
    name = fresh("op")
    head = [("Authorization", f"Bearer {token(name, roles=['admin'])}")]
    for method, path, body in attempts():
        wanted = None
        for odd in [UNKNOWN, *ODD]:
            with RawConn(server) as conn:
                conn.send(request(server, method, server.prefix + path.format(odd), head,
                                  body))
                answer = conn.read_response(method)
            wanted = wanted or seen(answer, odd)
            assert seen(answer, odd) == wanted, (method, path, odd)


def frames(name):
    """Every frame about a session, and those about a message in my own one."""
    for kind in FRAMES:
        yield {**MEMBERS, "type": kind, "session_id": name, "message_id": name}
    yield {"type": "cancel", "message_id": name}
    yield {"type": "regenerate", "message_id": name}


def frames_of(server, thief, owner):
    """Sends every frame with every id; the number of them."""
    names = [UNKNOWN, *owner.ids]
    with RawWs(server, thief, timeout=30) as ws:
        wanted, count = None, 0
        for name in names:
            told = []
            for frame in frames(name):
                ws.text(frame)
                ws.text({"type": "ping"})
                told.append(answers_before_pong(ws, name))
                count += 1
            wanted = wanted or told
            assert told == wanted, name
        assert all(len(t) == 1 and t[0]["type"] == "error" for t in wanted), wanted
        return count


def answers_before_pong(ws, name):
    told = []
    while (frame := ws.json())["type"] != "pong":
        told.append(neutral(frame, name))
    return told


def neutral(frame, name):
    frame.pop("timestamp", None)
    return json.loads(json.dumps(frame).replace(name, "ID"))


@pytest.mark.timeout(120 * PATIENCE)
def test_a_stranger_who_connects_to_any_of_them_gets_a_new_session(server, fake, chat,
                                                                   question):
    """2.5: with and without strict, and as if to resume."""
    owner = Owner(server, fake, chat, question)
    thief = fresh("thief")
    epoch = owner.chat.hello["epoch"]
    for query in ("", "&last_seq=0", f"&last_seq=3&epoch={epoch}", "&strict=1",
                  "&device_id=phone"):
        wanted = None
        for name in (UNKNOWN, *owner.sessions[:3], *owner.messages):
            with RawWs(server, thief, query=f"session_id={name}{query}") as ws:
                hello = ws.hello
                if hello["type"] == "connection_status":
                    assert_id(hello["session_id"])
                    assert hello.pop("session_id") not in owner.ids
                    assert hello.pop("epoch") != epoch
                    assert ws.pong() == []
                else:
                    assert ws.close_code() == 4403
                wanted = wanted or neutral(hello, name)
                assert neutral(hello, name) == wanted
    owner.assert_unharmed()


def test_a_client_id_of_somebody_else_is_as_any_other(server, fake, chat, question):
    owner = Owner(server, fake, chat, question)
    thief = chat(fresh("thief"))
    for n, theirs in enumerate(owner.turns):
        fake.when(f"{question} {n}", Answer().tokens(f"mine {n}").finish())
        mine = thief.turn(f"{question} {n}", client_id=f"c-{n}")
        assert mine.text == f"mine {n}" and mine.ack["seq"] == 2 * n + 1
        assert mine.ack["message_id"] != theirs.ack["message_id"]
    owner.assert_unharmed()
