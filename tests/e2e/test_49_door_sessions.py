# SPDX-License-Identifier: MIT
"""A question of a conversation by the OpenAI door (the header X-Session-Id)."""

import threading

import openai
import pytest

from support.answer import Answer, plain
from support.messages import message
from support.official import door_client
from support.rawhttp import RawConn, request
from support.server import provider_env
from support.tokens import token
from support.transcript import transcript
from support.waiting import wait_for
from support.ws import Chat, fresh


@pytest.fixture
def server(spawn, fake):
    return spawn({**provider_env(fake, 1, ID="fake"),
                  **provider_env(fake, 2, ID="claude", TYPE="anthropic", ENDPOINT=fake.base)})


@pytest.fixture
def session(server, user):
    with server.user(user) as http:
        return http.post("/sessions", json={"name": "of the app"}).json()["id"]


@pytest.fixture
def client(server, user):
    with door_client(server, token(user)) as one:
        yield one


def ask(client, session, question, model="fake", headers=None, **more):
    return client.chat.completions.create(
        model=model, messages=[{"role": "system", "content": "Be brief."},
                               {"role": "user", "content": question}],
        extra_headers={"X-Session-Id": session, **(headers or {})}, **more)


def log(server, user, session):
    with server.user(user) as http:
        return transcript(http, f"/sessions/{session}")


def test_the_exchange_is_in_the_log_and_on_open_sockets(server, user, client, session, fake,
                                                        question):
    fake.when(question, plain("Hel", "lo", usage=(9, 2)))
    with Chat(server, user, session_id=session) as chat:
        got = ask(client, session, question, seed=7)
        assert got.choices[0].message.content == "Hello" and got.usage.total_tokens == 11
        chat.get(lambda f: f["type"] == "user_message" and f["content"] == question)
        chat.get(lambda f: f.get("metadata", {}).get("done") == "true")
        assert "".join(f.get("content", "") for f in chat.frames
                       if f["type"] == "ai_response") == "Hello"
    asked, answered = log(server, user, session)
    assert (asked["sender"], asked["content"]) == ("user", question)
    assert (answered["sender"], answered["content"]) == ("ai", "Hello")
    assert answered["reply_to"] == asked["message_id"]
    told = fake.wait_asked(question)
    assert told.pairs == [("system", "Be brief."), ("user", question)]
    assert told.json["seed"] == 7 and told.json["stream"] is True


def test_it_streams(server, user, client, session, fake, question):
    fake.when(question, plain("Hel", "lo", usage=(9, 2)))
    chunks = list(ask(client, session, question, stream=True,
                      stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Hello"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.total_tokens == 11


def test_another_kind_of_model_too(server, user, client, session, fake, question):
    fake.when(question, message("from there"))
    assert ask(client, session, question, "claude").choices[0].message.content == "from there"
    assert fake.wait_asked(question).json["system"] == "Be brief."
    assert [m["content"] for m in log(server, user, session)] == [question, "from there"]


def test_a_key_asks_the_model_once(server, user, client, session, fake, question):
    fake.when(question, plain("once"), plain("twice"))
    for _ in range(3):
        got = ask(client, session, question, headers={"Idempotency-Key": "k-1"})
        assert got.choices[0].message.content == "once"
    assert len(fake.asked(question)) == 1 and len(log(server, user, session)) == 2


def test_a_key_holds_over_a_restart(spawn, fake, user, question):
    """It is the message's client_id, which the storage knows."""
    fake.when(question, plain("once"), plain("twice"))
    first = spawn(provider_env(fake))
    with first.user(user) as http:
        session = http.post("/sessions", json={}).json()["id"]
    key = {"Idempotency-Key": fresh("k")}
    with door_client(first, token(user)) as one:
        ask(one, session, question, headers=key)
    first.kill9()
    second = spawn(provider_env(fake), data=first.data)
    with door_client(second, token(user)) as one:
        got = ask(one, session, question, headers=key)
    assert got.choices[0].message.content == "once" and len(fake.asked(question)) == 1


def test_who_comes_again_while_it_runs_gets_the_same(server, user, client, session, fake,
                                                     question):
    fake.when(question, Answer().tokens("Hel").gate(question).tokens("lo").finish())
    key, texts = {"Idempotency-Key": "k-1"}, []
    first = threading.Thread(target=lambda: texts.append(
        ask(client, session, question, headers=key).choices[0].message.content))
    first.start()
    fake.wait_asked(question)
    second = iter(ask(client, session, question, headers=key, stream=True))
    begun = next(second).choices[0].delta.content
    fake.open(question)
    first.join()
    texts.append(begun + "".join(c.choices[0].delta.content or "" for c in second))
    assert texts == ["Hello", "Hello"] and len(fake.asked(question)) == 1


def test_an_answer_belongs_to_the_conversation(server, user, session, fake, question):
    """Who goes does not end it."""
    fake.when(question, Answer().tokens("Hel").gate(question).tokens("lo").finish())
    body = ('{"model":"fake","stream":true,"messages":[{"role":"user","content":"%s"}]}'
            % question)
    with RawConn(server) as conn:
        conn.send(request(server, "POST", server.prefix + "/v1/chat/completions",
                          [("Authorization", f"Bearer {token(user)}"),
                           ("X-Session-Id", session)], body))
        conn.read_until(b"Hel")
    fake.open(question)
    wait_for(lambda: [m["content"] for m in log(server, user, session)] == [question, "Hello"],
             10, "the whole answer is stored")


def test_a_cancel_on_another_device_ends_it(server, user, client, session, fake, question):
    fake.when(question, Answer().tokens("Hel").silence())
    got = []
    asking = threading.Thread(target=lambda: got.append(ask(client, session, question)))
    with Chat(server, user, session_id=session) as chat:
        asking.start()
        chat.get("ai_response")
        chat.send("cancel")
        asking.join(20)
    assert got[0].choices[0].message.content == "Hel"
    assert got[0].choices[0].finish_reason == "stop"


def test_failures_are_statuses(server, user, client, session, fake, question):
    fake.when(question, Answer(400))
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client, session, question)
    assert caught.value.status_code == 502 and caught.value.code == "LLM_UNAVAILABLE"
    broken = fresh("q")
    fake.when(broken, Answer().tokens("Hel").rst())
    with pytest.raises(openai.APIError):
        list(ask(client, session, broken, stream=True))
    assert log(server, user, session)[-1]["status"] == "interrupted"


@pytest.mark.parametrize("wrong", ["0" * 32, "x", "f" * 33])
def test_an_unknown_session_is_not_found(server, user, client, fake, question, wrong):
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client, wrong, question)
    assert caught.value.status_code == (400 if len(wrong) > 32 else 404)
    assert not fake.asked(question)


def test_somebody_elses_session_is_not_found(server, session, fake, question):
    with door_client(server, token(fresh("other"))) as one, \
            pytest.raises(openai.NotFoundError):
        ask(one, session, question)
    assert not fake.asked(question)


def test_what_is_no_text_is_refused(client, session, fake, question):
    with pytest.raises(openai.BadRequestError):
        ask(client, session, question, tools=[{"type": "function", "function": {"name": "f"}}])
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, session, question, headers={"Idempotency-Key": "k" * 65})
    assert caught.value.param == "Idempotency-Key" and not fake.asked(question)


def test_it_takes_nobodys_place(spawn, fake, user, question):
    """Where one connection is allowed, the open one stays and sees it."""
    server = spawn({**provider_env(fake), "SESSION_CONNECTIONS": "one",
                    "MAX_CONNECTIONS_PER_USER": "1"})
    fake.when(question, plain("Hello"))
    with Chat(server, user) as chat, door_client(server, token(user)) as one:
        chat.turn("first")
        ask(one, chat.session, question)
        chat.get(lambda f: f["type"] == "user_message" and f["content"] == question)
        chat.turn("and on")


def test_the_limit_of_messages_holds(spawn, fake, user):
    server = spawn({**provider_env(fake), "RATE_LIMIT": "2", "RATE_LIMIT_WINDOW": "1h"},
                   limits=False)
    with server.user(user) as http:
        session = http.post("/sessions", json={}).json()["id"]
    with door_client(server, token(user)) as one:
        for _ in range(2):
            ask(one, session, fresh("q"))
        with pytest.raises(openai.RateLimitError) as caught:
            ask(one, session, fresh("q"))
    assert int(caught.value.response.headers["retry-after"]) > 0


@pytest.mark.usefixtures("same_day")
def test_budgets_hold_in_conversations(spawn, fake, user, question):
    server = spawn({**provider_env(fake), "LLM_BUDGET_1_ROLE": "metered",
                    "LLM_BUDGET_1_TOKENS_PER_DAY": "100"})
    bearer = token(user, roles=["metered"])
    with server.client(bearer) as http:
        session = http.post("/sessions", json={}).json()["id"]
    fake.when(question, Answer().tokens(*["word"] * 200).silence())
    with door_client(server, bearer) as one:
        with pytest.raises(openai.APIError) as caught:
            list(ask(one, session, question, stream=True))
        assert caught.value.code == "BUDGET_EXCEEDED"
        with pytest.raises(openai.RateLimitError) as caught:
            ask(one, session, question)
        assert caught.value.code == "BUDGET_EXCEEDED"


def test_a_session_that_is_deleted_meanwhile(server, user, client, session, fake, question):
    fake.when(question, Answer().tokens("Hel").silence())
    failures = []

    def run():
        try:
            ask(client, session, question)
        except openai.APIStatusError as error:
            failures.append(error.status_code)
    asking = threading.Thread(target=run)
    asking.start()
    fake.wait_asked(question)
    with server.user(user) as http:
        assert http.delete(f"/sessions/{session}").status_code == 204
    asking.join(20)
    assert failures == [404]
