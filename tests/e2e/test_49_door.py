# SPDX-License-Identifier: MIT
"""The OpenAI door: the official client, unchanged, with our token as its key."""

import json
import threading

import openai
import pytest

from support.answer import Answer, chunk, event, failure, plain
from support.door import PATH, ask, body_of, completion, post
from support.fakedify import FakeDify, Says
from support.fakellm import FakeLLM
from support.messages import Message, message
from support.official import check_openai, documents, door_client
from support.rawhttp import RawConn, request
from support.server import API_KEY, provider_env
from support.stored import storage
from support.tokens import token
from support.waiting import PATIENCE, wait_for
from support.ws import fresh

KEY = FakeDify.new_key()


@pytest.fixture(scope="module")
def other():
    """Another kind of model's server."""
    model = FakeLLM()
    model.default = lambda: message("seen")
    yield model
    model.close()


@pytest.fixture(scope="module")
def dify():
    service = FakeDify()
    yield service
    service.close()


@pytest.fixture(scope="module")
def server(spawn_module, fake, other, dify):
    return spawn_module({
        **provider_env(fake, 1, ID="fake"),
        **provider_env(other, 2, ID="claude", TYPE="anthropic", ENDPOINT=other.base),
        **FakeDify.env(dify, 3, KEY, ID="app"),
        **provider_env(fake, 4, ID="pair", FALLBACK="claude"),
        **provider_env(other, 6, ID="seer", TYPE="anthropic", ENDPOINT=other.base,
                       VISION="true"),
        **provider_env(fake, 7, ID="lens", FALLBACK="claude,seer"),
        "LLM_PROVIDER_5_ID": "demo", "LLM_PROVIDER_5_TYPE": "demo",
        "LLM_RETRY_ATTEMPTS": "1"})


@pytest.fixture
def bearer(user):
    return token(user)


@pytest.fixture
def client(server, bearer):
    with door_client(server, bearer) as one:
        yield one


def text_of(chunks):
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


# --- models

def test_models_are_listed_and_found(client):
    listed = client.models.list().data
    assert [(m.id, m.object, m.owned_by) for m in listed] == [
        ("fake", "model", "openai"), ("claude", "model", "anthropic"),
        ("app", "model", "dify"), ("pair", "model", "openai"), ("demo", "model", "demo"),
        ("seer", "model", "anthropic"), ("lens", "model", "openai")]
    assert client.models.retrieve("claude").id == "claude"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("nobody")
    assert caught.value.code == "NOT_FOUND" and "claude" in caught.value.message


# --- providers that speak the form

def test_a_whole_answer_passes_untouched(client, fake, question):
    answer, document = completion("Grüße 😀", system_fingerprint="fp_1", odd={"a": [1, None]})
    fake.when(question, answer)
    got = ask(client, question).to_dict()
    assert got == document


def test_a_request_passes_untouched_but_for_the_model(server, user, fake, question):
    answer, _ = completion()
    fake.when(question, answer)
    sent = body_of(question, temperature=0.30, seed=1234567890123456789012,
                   response_format={"type": "json_object"}, logprobs=True, n=3,
                   tools=[{"type": "function", "function": {"name": "f"}}],
                   unknown={"x": "\u0001ü", "y": [1.50, -0.0, 1e3]}, max_tokens=17)
    text = json.dumps(sent)
    assert post(server, user, text).status_code == 200
    asked = fake.wait_asked(question)
    assert asked.json == {**sent, "model": "fake-1"}
    for piece in ('"temperature":0.3', '"seed":1234567890123456789012', '[1.5, -0.0, 1000.0]'):
        assert piece in asked.body.decode()
    assert asked.headers["authorization"] == f"Bearer {API_KEY}"
    assert user not in asked.body.decode()


def test_a_stream_passes_event_by_event(server, user, fake, question):
    """Every event is there, in order, as it was; nothing but comments goes."""
    events = [chunk({"role": "assistant", "content": ""}, odd=1), chunk({"content": "Hel"}),
              chunk({"tool_calls": [{"index": 0, "id": "call_1", "type": "function",
                                     "function": {"name": "f", "arguments": "{\"x\":"}}]}),
              chunk({"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}),
              chunk({"reasoning_content": "hm"}), chunk(finish="tool_calls")]
    answer = Answer().raw(": a comment\r\n\r\n")
    for one in events:
        answer.raw(event(one))
    fake.when(question, answer.done())
    got = post(server, user, body_of(question, stream=True))
    assert got.headers["content-type"].startswith("text/event-stream")
    assert documents(got.content) == events
    assert got.text.endswith("data: [DONE]\n\n")
    check_openai(got.content)


def test_a_stream_of_several_choices_passes_whole(server, user, fake, question):
    """Also when each chunk has one of them, and a usage."""
    count = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    events = [{**chunk({"content": f"word{n}"}), "usage": count} for n in range(4)]
    for n, one in enumerate(events):
        one["choices"][0]["index"] = n % 2
    answer = Answer()
    for one in events:
        answer.raw(event(one))
    fake.when(question, answer.finish())
    got = post(server, user, body_of(question, stream=True, n=2))
    assert documents(got.content)[:4] == events


def test_a_stream_cut_anywhere_passes_the_same(server, user, fake, question):
    answers = [plain("Hel", "lo 😀").bytewise(n) for n in (1, 2, 3, 7)]
    fake.when(question, *answers)
    texts = {post(server, user, body_of(question, stream=True)).text for _ in answers}
    assert len(texts) == 1 and "lo 😀" in texts.pop()


def test_usage_comes_when_it_is_asked_for_and_not_else(client, fake, question):
    fake.when(question, plain("a", "b", usage=(9, 2)))
    without = list(ask(client, question, stream=True))
    assert all(c.choices for c in without) and text_of(without) == "ab"
    with_usage = list(ask(client, question, stream=True,
                          stream_options={"include_usage": True}))
    assert with_usage[-1].choices == [] and with_usage[-1].usage.total_tokens == 11
    for asked in fake.asked(question):
        assert asked.json["stream_options"] == {"include_usage": True}


def test_usage_that_a_provider_does_not_tell_is_estimated(client, fake, question):
    """In the name of the completion that it is about."""
    fake.when(question, plain("four", "four"))
    first, *_, last = ask(client, question, stream=True,
                          stream_options={"include_usage": True})
    assert last.usage.completion_tokens == 2 and last.usage.estimated is True
    assert (last.id, last.model) == (first.id, first.model)


def test_a_stream_without_an_end_gets_one(server, user, fake, question):
    fake.when(question, Answer(framing="close").tokens("a").finish(done=False))
    got = post(server, user, body_of(question, stream=True))
    assert got.text.count("[DONE]") == 1


def test_a_whole_answer_to_who_wants_a_stream_becomes_one(client, fake, question):
    answer, _ = completion("all at once")
    fake.when(question, answer)
    chunks = list(ask(client, question, stream=True))
    assert text_of(chunks) == "all at once"
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_a_stream_to_who_wants_it_whole_becomes_that(client, fake, question):
    fake.when(question, plain("piece", " by piece", usage=(1, 2)))
    got = ask(client, question)
    assert got.choices[0].message.content == "piece by piece"
    assert got.usage.total_tokens == 3


def test_configured_parameters_stand_beside_the_clients(spawn, fake, question, user):
    """The client's own win; temperature, max_tokens and extra_body fill up."""
    server = spawn(provider_env(fake, TEMPERATURE="0.5", MAX_TOKENS="50",
                                EXTRA_BODY='{"top_k":3,"seed":1}'))
    answer, _ = completion()
    fake.when(question, answer)
    post(server, user, body_of(question, temperature=1, seed=None))
    post(server, user, body_of(question, max_completion_tokens=9))
    first, second = [r.json for r in fake.asked(question)]
    assert (first["temperature"], first["max_tokens"], first["top_k"]) == (1, 50, 3)
    assert first["seed"] is None
    assert second["temperature"] == 0.5 and "max_tokens" not in second
    assert second["max_completion_tokens"] == 9 and second["seed"] == 1


# --- providers that do not

def test_an_anthropic_model_answers_in_openais_form(client, other, question):
    other.when(question, Message().start().thinking("hm").text("Grü", "ße 😀")
               .finish("max_tokens", (9, 3)))
    got = ask(client, question, "claude", temperature=0.5, top_p=0.9, stop="END",
              max_completion_tokens=77)
    assert got.choices[0].message.content == "Grüße 😀" and got.model == "claude"
    assert got.choices[0].finish_reason == "length"
    assert (got.usage.prompt_tokens, got.usage.completion_tokens) == (9, 3)
    asked = other.wait_asked(question).json
    assert (asked["temperature"], asked["top_p"], asked["stop_sequences"],
            asked["max_tokens"]) == (0.5, 0.9, ["END"], 77)


def test_an_anthropic_model_streams_in_openais_form(server, user, other, question):
    other.when(question, message("Hel", "lo", usage=(4, 2)))
    got = post(server, user, body_of(question, model="claude", stream=True,
                                     stream_options={"include_usage": True}))
    check_openai(got.content)
    told = documents(got.content)
    assert [c["choices"][0]["delta"].get("content") for c in told[:-1]] == ["Hel", "lo", None]
    assert told[0]["choices"][0]["delta"]["role"] == "assistant"
    assert told[-1]["usage"]["total_tokens"] == 6 and got.text.endswith("data: [DONE]\n\n")


def test_who_said_what_is_passed_on_in_words(client, other, question):
    other.when(question, message("yes"))
    client.chat.completions.create(model="claude", messages=[
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "one"},
                                     {"type": "text", "text": "two"}]},
        {"role": "assistant", "content": "three"},
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": question}])
    asked = other.wait_asked(question).json
    assert asked["system"] == "Be brief.\n\nBe kind."
    assert [(m["role"], m["content"]) for m in asked["messages"]] == [
        ("user", "one\ntwo"), ("assistant", "three"), ("user", question)]


def test_dify_and_demo_answer_in_openais_form(client, dify):
    question = fresh("q")
    dify.when(question, Says().text("from ", "the app").end())
    assert ask(client, question, "app").choices[0].message.content == "from the app"
    told = list(ask(client, question, "demo", stream=True))
    assert text_of(told) and told[-1].choices[0].finish_reason == "stop"


PNG = "data:image/png;base64,iVBORw0KGgo="


def seeing(question, url=PNG):
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}},
                                         {"type": "text", "text": question}]}]


def seen(request_):
    return [part.get("source") for part in request_.messages[-1]["content"]
            if part["type"] == "image"]


def test_a_picture_goes_to_who_sees_in_its_own_form(client, other):
    before = len(other.requests)
    client.chat.completions.create(model="seer", messages=seeing("what is it?"))
    assert seen(other.requests[before]) == [
        {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}]
    client.chat.completions.create(model="seer",
                                   messages=seeing("and it?", "https://example.com/a.png"))
    assert seen(other.requests[-1]) == [{"type": "url", "url": "https://example.com/a.png"}]


def test_a_fallback_that_does_not_see_is_not_asked(client, fake, other):
    fake.default, default = lambda: failure(500), fake.default
    before = len(other.requests)
    try:
        got = client.chat.completions.create(model="lens", messages=seeing(fresh("q")))
    finally:
        fake.default = default
    assert got.choices[0].message.content is not None
    assert len(seen(other.requests[before])) == 1 and len(other.requests) == before + 1


@pytest.mark.parametrize("model,url", [("claude", PNG), ("demo", PNG),
                                       ("seer", "data:image/tiff;base64,AAAA"),
                                       ("seer", "http://example.com/a.png")])
def test_a_picture_that_a_model_cannot_take_is_refused(client, other, model, url):
    before = len(other.requests)
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=model, messages=seeing("?", url))
    assert len(other.requests) == before


# --- failures

def test_another_provider_answers_before_the_first_token(client, fake, other, question):
    fake.when(question, failure(500), Answer().role().rst())
    other.when(question, message("from the other"))
    assert ask(client, question, "pair").choices[0].message.content == "from the other"
    told = list(ask(client, question, "pair", stream=True))
    assert text_of(told) == "from the other", "and nothing of the first one's"
    assert {c.model for c in told} == {"pair"}


def test_a_fallback_that_cannot_do_it_is_not_asked(client, fake, other, question):
    fake.when(question, failure(500))
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client, question, "pair", logprobs=True)
    assert caught.value.status_code == 502 and not other.asked(question)


def test_a_stream_that_breaks_ends_with_an_error_and_no_done(server, user, fake, question):
    """protocol.md 1: one such error event."""
    fake.when(question, Answer().tokens("Hel").rst(), Answer().tokens("Hel").error_event(),
              Answer(framing="close").tokens("Hel"))
    for _ in range(3):
        got = post(server, user, body_of(question, stream=True))
        *before, last = documents(got.content)
        assert got.status_code == 200 and len(before) == 1
        assert set(last["error"]) == {"message", "type", "param", "code"}
        assert last["error"]["code"] == "LLM_UNAVAILABLE" and "[DONE]" not in got.text


def test_the_client_raises_when_a_stream_breaks(client, fake, question):
    fake.when(question, Answer().tokens("Hel").rst())
    with pytest.raises(openai.APIError):
        list(ask(client, question, stream=True))


@pytest.mark.parametrize("status,told", [(500, 502), (503, 502), (401, 502), (403, 502),
                                         (404, 502), (429, 503), (302, 502)])
def test_a_providers_status_is_told_as_ours(server, user, fake, question, status, told):
    fake.when(question, failure(status, json.dumps({"error": {"message": "about sk-key"}}),
                                Location="http://127.0.0.1:1/", Retry_After="7"))
    got = post(server, user, body_of(question))
    assert got.status_code == told and got.json()["error"]["code"] == "LLM_UNAVAILABLE"
    assert "sk-key" not in got.text
    if status == 429:
        assert got.headers["retry-after"] == "7"


@pytest.mark.parametrize("status", [400, 422, 413])
def test_what_a_provider_says_about_the_request_is_told(server, user, fake, question, status):
    theirs = {"error": {"message": "bad schema", "type": "invalid_request_error",
                        "param": "response_format", "code": "invalid_schema", "more": 1}}
    fake.when(question, failure(status, json.dumps(theirs)))
    got = post(server, user, body_of(question))
    assert (got.status_code, got.json()) == (status, theirs)


def test_what_a_provider_says_of_its_key_is_not_told(server, user, fake, question):
    fake.when(question, failure(400, json.dumps({"error": {"message": f"no {API_KEY}"}})))
    got = post(server, user, body_of(question))
    assert got.status_code == 502 and API_KEY not in got.text


def test_silence_is_a_504(spawn, fake, question, user):
    server = spawn({**provider_env(fake), "LLM_STREAM_TIMEOUT": "300ms"})
    fake.when(question, Answer().silence_before_head())
    got = post(server, user, body_of(question))
    assert (got.status_code, got.json()["error"]["code"]) == (504, "LLM_TIMEOUT")


def test_a_whole_answer_may_take_longer_than_a_first_byte(spawn, fake, question, user):
    """It says nothing until it is there; a stream that does so has failed."""
    server = spawn({**provider_env(fake), "LLM_FIRST_BYTE_TIMEOUT": "200ms",
                    "LLM_RETRY_ATTEMPTS": "1"})
    answer, _ = completion("late")
    fake.when(question, answer.gate_before_head(question), Answer().silence_before_head())
    results = []
    waiting = threading.Thread(
        target=lambda: results.append(post(server, user, body_of(question))))
    waiting.start()
    fake.wait_asked(question)
    assert post(server, user, body_of(question, stream=True)).status_code == 504
    fake.open(question)
    waiting.join()
    assert results[0].json()["choices"][0]["message"]["content"] == "late"


def test_nobody_at_the_endpoint_is_a_502(spawn, fake, user, question):
    server = spawn({**provider_env(fake, ENDPOINT="http://127.0.0.1:1/v1"),
                    "LLM_RETRY_ATTEMPTS": "1"})
    assert post(server, user, body_of(question)).status_code == 502


# --- who goes

def test_a_client_that_goes_ends_the_request_to_the_model(server, user, fake, question):
    fake.when(question, Answer().trickle("on ", 0.01))
    data = json.dumps(body_of(question, stream=True))
    with RawConn(server) as conn:
        conn.send(request(server, "POST", server.prefix + PATH,
                          [("Authorization", f"Bearer {token(user)}")], data))
        conn.read_until(b"data: ")
    assert fake.wait_asked(question).closed.wait(5)


def test_a_client_that_goes_before_anything_came_does_so_too(server, user, fake, question):
    fake.when(question, Answer().silence_before_head())
    with RawConn(server) as conn:
        conn.send(request(server, "POST", server.prefix + PATH,
                          [("Authorization", f"Bearer {token(user)}")],
                          json.dumps(body_of(question))))
        asked = fake.wait_asked(question)
    assert asked.closed.wait(5)


def test_one_that_reads_nothing_stops_the_model(server, user, fake, question):
    """The provider waits; nothing piles up in memory."""
    fake.when(question, Answer().trickle("x" * 60000, 0))
    with RawConn(server, rcvbuf=4096) as conn:
        conn.send(request(server, "POST", server.prefix + PATH,
                          [("Authorization", f"Bearer {token(user)}")],
                          json.dumps(body_of(question, stream=True))))
        asked = fake.wait_asked(question)
        wait_for(lambda: server.metric("chatbox_upstream_pauses_total") > 0, 20,
                 "the provider is held back")
    assert asked.closed.wait(5)


def test_a_connection_serves_one_request_after_the_other(server, user, fake, question):
    answer, _ = completion()
    fake.when(question, plain("a"), answer)
    head = [("Authorization", f"Bearer {token(user)}")]
    with RawConn(server) as conn:
        for stream in (True, False):
            conn.send(request(server, "POST", server.prefix + PATH, head,
                              json.dumps(body_of(question, stream=stream))))
            assert conn.read_response("POST").status == 200
        conn.send(request(server, "GET", server.prefix + "/v1/models", head))
        assert conn.read_response().status == 200


def test_requests_that_come_at_once_are_answered_in_order(server, user, fake, question):
    fake.when(question, plain("first").gate(question), plain("first"))
    head = [("Authorization", f"Bearer {token(user)}")]
    one = request(server, "POST", server.prefix + PATH, head,
                  json.dumps(body_of(question, stream=True)))
    with RawConn(server) as conn:
        conn.send(one + request(server, "GET", server.prefix + "/v1/models", head))
        fake.open(question)
        assert b"first" in conn.read_response("POST").body
        assert conn.read_response().json()["object"] == "list"


def test_a_client_of_http_1_0_gets_its_stream(server, user, fake, question):
    fake.when(question, plain("Hello"))
    data = json.dumps(body_of(question, stream=True))
    with RawConn(server) as conn:
        conn.send(f"POST {server.prefix}{PATH} HTTP/1.0\r\nHost: x\r\n"
                  f"Authorization: Bearer {token(user)}\r\n"
                  f"Content-Length: {len(data)}\r\n\r\n{data}")
        head = conn.read_until(b"\r\n\r\n")
        assert b"chunked" not in head.lower() and b"200" in head.split(b"\r\n")[0]
        assert b"Hello" in conn.read_until(b"data: [DONE]\n\n")
        assert conn.closed_by_peer()


def test_a_stop_lets_streams_end(spawn, fake, question, user):
    server = spawn(provider_env(fake))
    fake.when(question, Answer().tokens("a").gate(question).tokens("b").finish())
    got = []
    waiting = threading.Thread(
        target=lambda: got.append(post(server, user, body_of(question, stream=True))))
    waiting.start()
    fake.wait_asked(question)
    server.signal(15)
    server.wait_log("shutdown")
    fake.open(question)
    waiting.join(20 * PATIENCE)
    assert got[0].text.endswith("data: [DONE]\n\n")
    assert server.wait_exit(None) == 0


def test_at_the_deadline_of_a_stop_streams_end_with_an_error(spawn, fake, question, user):
    server = spawn({**provider_env(fake), "SHUTDOWN_TIMEOUT": "1s"})
    fake.when(question, Answer().tokens("a").silence())
    got = []
    waiting = threading.Thread(
        target=lambda: got.append(post(server, user, body_of(question, stream=True))))
    waiting.start()
    fake.wait_asked(question)
    server.signal(15)
    waiting.join(20 * PATIENCE)
    assert "[DONE]" not in got[0].text and "error" in documents(got[0].content)[-1]
    assert server.wait_exit(None) == 3


# --- embeddings

def test_embeddings_pass_untouched(client, other, spawn, user):
    own = FakeLLM()
    document = {"object": "list", "model": "e-1", "odd": 1,
                "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.25]}],
                "usage": {"prompt_tokens": 3, "total_tokens": 3}}
    own.default = lambda: failure(200, json.dumps(document))
    server = spawn({**provider_env(own, MODEL="e-1", FALLBACK="demo", TEMPERATURE="0.5"),
                    "LLM_PROVIDER_2_ID": "demo", "LLM_PROVIDER_2_TYPE": "demo",
                    "LLM_RETRY_ATTEMPTS": "1"})
    with door_client(server, token(user)) as one:
        got = one.embeddings.create(model="fake", input=["a", "b"], dimensions=2,
                                    encoding_format="float")
    assert got.to_dict() == document
    asked = own.requests[-1]
    assert asked.path == "/v1/embeddings"
    assert asked.json == {"model": "e-1", "input": ["a", "b"], "dimensions": 2,
                          "encoding_format": "float"}
    entry, = wait_for(lambda: storage(server).usage(uid=user), 10, "its entry")
    assert (entry["promptTokens"], entry["completionTokens"], entry["estimated"]) == \
        (3, 0, False), "the provider's, which knows of no answer's"
    own.default = lambda: failure(500)
    assert post(server, user, {"model": "fake", "input": "a"},
                "/v1/embeddings").status_code == 502, "another model's are of no use"
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model="claude", input="a")
    own.close()
