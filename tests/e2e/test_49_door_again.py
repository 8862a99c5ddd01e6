# SPDX-License-Identifier: MIT
"""Who comes again to the OpenAI door: Idempotency-Key and Last-Event-ID."""

import json
import re
import threading

import openai
import pytest

from support.answer import Answer, failure, plain
from support.fakellm import FakeLLM
from support.messages import message
from support.official import documents, door_client
from support.rawhttp import RawConn, request
from support.server import provider_env
from support.tokens import token
from support.waiting import PATIENCE, wait_for
from support.ws import fresh

PATH = "/v1/chat/completions"


@pytest.fixture(scope="module")
def other():
    model = FakeLLM()
    yield model
    model.close()


@pytest.fixture(scope="module")
def server(spawn_module, fake, other):
    return spawn_module({
        **provider_env(fake, 1, ID="fake", FALLBACK="claude"),
        **provider_env(other, 2, ID="claude", TYPE="anthropic", ENDPOINT=other.base),
        **provider_env(fake, 3, ID="alone"),
        "LLM_RETRY_ATTEMPTS": "1", "SERVER_THREADS": "4"})


def body_of(question, **more):
    return {"model": "fake", "messages": [{"role": "user", "content": question}], **more}


def post(server, user, question, key="k-1", after=None, **more):
    headers = {"Idempotency-Key": key} if key else {}
    if after is not None:
        headers["Last-Event-ID"] = str(after)
    with server.user(user) as http:
        return http.post(PATH, content=json.dumps(body_of(question, **more)), headers=headers)


def ids(text):
    return [int(one) for one in re.findall(r"^id: (\d+)$", text, re.M)]


def text_of(answer):
    return "".join(d["choices"][0]["delta"].get("content") or ""
                   for d in documents(answer.content) if d.get("choices"))


def test_a_repeat_gets_the_stored_answer(server, user, fake, question):
    for stream in (False, True):
        key = fresh("k")
        fake.when(question, plain("once"), plain("twice"))
        before = len(fake.asked(question))
        answers = [post(server, user, question, key, stream=stream) for _ in range(3)]
        assert len({a.text for a in answers}) == 1 and "once" in answers[0].text
        assert {a.status_code for a in answers} == {200}
        assert len(fake.asked(question)) == before + 1


def test_the_official_clients_repeat(server, user, fake, question):
    fake.when(question, plain("once"), plain("twice"))
    with door_client(server, token(user)) as one:
        texts = [one.chat.completions.create(
            model="fake", messages=[{"role": "user", "content": question}],
            extra_headers={"Idempotency-Key": "k"}).choices[0].message.content
            for _ in range(2)]
    assert texts == ["once", "once"]


def test_many_at_once_ask_the_model_once(server, user, fake, question):
    fake.when(question, Answer().tokens("Hel").gate("go-" + question).tokens("lo").finish())
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(
        post(server, user, question, stream=True))) for _ in range(8)]
    for one in threads:
        one.start()
    fake.wait_asked(question)
    fake.open("go-" + question)
    for one in threads:
        one.join()
    assert [text_of(a) for a in answers] == ["Hello"] * 8
    assert len(fake.asked(question)) == 1


def test_keys_are_a_users_own(server, fake, question):
    fake.when(question, plain("one"), plain("two"))
    texts = [post(server, fresh("user"), question).json()["choices"][0]["message"]["content"]
             for _ in range(2)]
    assert texts == ["one", "two"]


def test_a_key_is_for_one_request(server, user, fake, question):
    fake.when(question, plain("one"))
    assert post(server, user, question).status_code == 200
    got = post(server, user, question, seed=1)
    assert got.status_code == 400 and got.json()["error"]["param"] == "Idempotency-Key"
    assert len(fake.asked(question)) == 1


def test_a_failure_is_not_kept(server, user, fake, question):
    fake.when(question, failure(400, '{"error":{"message":"no"}}'), plain("yes"))
    assert post(server, user, question, model="alone").status_code == 400
    got = post(server, user, question, model="alone")
    assert got.json()["choices"][0]["message"]["content"] == "yes"
    broken = fresh("q")
    fake.when(broken, Answer().tokens("Hel").rst(), plain("Hello"))
    assert "error" in documents(post(server, user, broken, "k-2", stream=True).content)[-1]
    assert text_of(post(server, user, broken, "k-2", stream=True)) == "Hello"


def test_events_are_numbered_from_one(server, user, fake, other, question):
    """Also when somebody else had begun an answer before."""
    fake.when(question, Answer().role().rst())
    other.when(question, message("Hel", "lo"))
    got = post(server, user, question, stream=True)
    assert text_of(got) == "Hello"
    assert ids(got.text) == list(range(1, len(documents(got.content)) + 2))
    assert not ids(post(server, user, question, key=None, stream=True).text)


def test_a_stream_is_taken_up_behind_any_event(server, user, fake, question):
    """Nothing twice, nothing missing."""
    fake.when(question, plain("a", "b", "c", usage=(1, 3)))
    more = {"stream": True, "stream_options": {"include_usage": True}}
    whole = post(server, user, question, **more).text
    last = ids(whole)[-1]
    for after in range(last + 1):
        rest = post(server, user, question, after=after, **more).text
        assert ids(rest) == list(range(after + 1, last + 1)) and whole.endswith(rest)
    assert len(fake.asked(question)) == 1
    for wrong in (last + 1, 10 ** 6, "x", -1):
        got = post(server, user, question, after=wrong, **more)
        assert got.status_code == 400 and got.json()["error"]["param"] == "Last-Event-ID"


def test_a_stream_that_was_cut_is_taken_up_while_it_runs(server, user, fake, question):
    fake.when(question, Answer().tokens("Hel").gate("go-" + question).tokens("lo").finish())
    with RawConn(server) as conn:
        conn.send(request(server, "POST", server.prefix + PATH,
                          [("Authorization", f"Bearer {token(user)}"),
                           ("Idempotency-Key", "k-1")],
                          json.dumps(body_of(question, stream=True))))
        conn.read_until(b"Hel")
    rest = []
    again = threading.Thread(
        target=lambda: rest.append(post(server, user, question, after=1, stream=True)))
    again.start()
    fake.open("go-" + question)
    again.join(20 * PATIENCE)
    assert text_of(rest[0]) == "lo" and len(fake.asked(question)) == 1


def test_what_is_not_there_is_not_taken_up(server, user, fake, question):
    """Asking anew would say it twice."""
    got = post(server, user, question, after=3, stream=True)
    assert got.status_code == 404 and not fake.asked(question)
    got = post(server, user, question, key=None, after=3, stream=True)
    assert got.status_code == 400 and not fake.asked(question)


def test_a_slow_follower_holds_nobody_up(server, user, fake, question):
    fake.when(question, Answer().tokens(*["x" * 60000] * 40).finish())
    head = [("Authorization", f"Bearer {token(user)}"), ("Idempotency-Key", "k-1")]
    data = request(server, "POST", server.prefix + PATH, head,
                   json.dumps(body_of(question, stream=True)))
    with RawConn(server, rcvbuf=4096) as slow:
        slow.send(data)
        fake.wait_asked(question)
        with RawConn(server) as conn:
            conn.send(data)
            whole = conn.read_response("POST").body
        assert whole.endswith(b"data: [DONE]\n\n")
        assert slow.read_response("POST").body == whole


def test_a_stop_ends_what_nobody_follows(spawn, fake, user, question):
    server = spawn({**provider_env(fake), "SHUTDOWN_TIMEOUT": "1s"})
    fake.when(question, Answer().tokens("Hel").silence())
    with RawConn(server) as conn:
        conn.send(request(server, "POST", server.prefix + PATH,
                          [("Authorization", f"Bearer {token(user)}"),
                           ("Idempotency-Key", "k-1")],
                          json.dumps(body_of(question, stream=True))))
        conn.read_until(b"Hel")
    asked = fake.wait_asked(question)
    wait_for(lambda: server.descriptors(), 5, "it runs")
    assert not asked.closed.is_set(), "its answer goes on"
    server.signal(15)
    assert server.wait_exit(None) == 3 and asked.closed.wait(5)


@pytest.mark.parametrize("path,body", [
    ("/v1/embeddings", {"model": "fake", "input": "a"})])
def test_embeddings_have_keys_too(server, user, fake, path, body):
    with server.user(user) as http:
        one, two = [http.post(path, json={**body, "input": user},
                              headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert one.status_code == two.status_code == 502, "this fake has none"
    with pytest.raises(openai.BadRequestError), door_client(server, token(user)) as client:
        client.embeddings.create(model="fake", input="a",
                                 extra_headers={"Idempotency-Key": "k" * 65})
