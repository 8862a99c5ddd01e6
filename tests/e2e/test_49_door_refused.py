# SPDX-License-Identifier: MIT
"""What the OpenAI door refuses: bad input, limits, and what is beyond a budget."""

import concurrent.futures
import json

import openai
import pytest

from support.answer import Answer
from support.door import PATH, ask, body_of, completion, post
from support.official import documents, door_client
from support.server import provider_env
from support.stored import storage
from support.tokens import token
from support.waiting import wait_for
from support.ws import Chat, fresh


@pytest.fixture(scope="module")
def server(spawn_module, fake):
    return spawn_module({**provider_env(fake), "LLM_PROVIDER_2_ID": "demo",
                         "LLM_PROVIDER_2_TYPE": "demo"})


@pytest.fixture
def client(server, user):
    with door_client(server, token(user)) as one:
        yield one


# --- bad input

BAD = [
    ({"messages": [{"role": "user", "content": "x"}]}, 400, "model"),
    (body_of("x", model=7), 400, "model"),
    (body_of("x", model="nobody"), 404, "model"),
    (body_of("x", messages=[]), 400, "messages"),
    (body_of("x", messages="x"), 400, "messages"),
    (body_of("x", messages=["x"]), 400, "messages[0].role"),
    (body_of("x", messages=[{"role": "king", "content": "x"}]), 400, "messages[0].role"),
    (body_of("x", messages=[{"role": "user", "content": "x"}, {"role": "user"}]), 400,
     "messages[1].content"),
    (body_of("x", messages=[{"role": "user", "content": 5}]), 400, "messages[0].content"),
    (body_of("x", messages=[{"role": "user", "content": [5]}]), 400, "messages[0].content"),
    (body_of("x", messages=[{"role": "user", "content": [{"type": "text"}]}]), 400,
     "messages[0].content"),
    (body_of("x", stream="yes"), 400, "stream"),
    (body_of("x", stream=1), 400, "stream"),
    (body_of("x", stream_options={}), 400, "stream_options"),
    (body_of("x", stream=True, stream_options=5), 400, "stream_options"),
    (body_of("x", stream=True, stream_options={"include_usage": 1}), 400, "stream_options"),
    (body_of("x", max_tokens=-1), 400, "max_tokens"),
    (body_of("x", max_tokens=0), 400, "max_tokens"),
    (body_of("x", max_tokens=1.5), 400, "max_tokens"),
    (body_of("x", max_tokens="9"), 400, "max_tokens"),
    (body_of("x", max_tokens=10 ** 30), 400, "max_tokens"),
    (body_of("x", max_completion_tokens=0), 400, "max_completion_tokens"),
    (body_of("x", n=0), 400, "n"),
    (body_of("x", n=1000), 400, "n"),
    (body_of("x", temperature="hot"), 400, "temperature"),
    (body_of("x", top_p=[]), 400, "top_p"),
    (body_of("x", stop=[1]), 400, "stop"),
    (body_of("x", stop={}), 400, "stop"),
    (body_of("x", tools={}), 400, "tools"),
    (body_of("x", response_format="json"), 400, "response_format"),
    (body_of("x", logprobs=1), 400, "logprobs"),
    ([], 400, None), ("x", 400, None), (5, 400, None),
]


@pytest.mark.parametrize("body,status,param", BAD)
def test_bad_input_is_told_in_openais_form(server, user, fake, body, status, param):
    before = len(fake.requests)
    got = post(server, user, json.dumps(body))
    assert got.status_code == status
    error = got.json()["error"]
    assert set(got.json()) == {"error"}
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert error["code"] == ("NOT_FOUND" if status == 404 else "BAD_REQUEST")
    assert len(fake.requests) == before
    if status == 404:
        assert all(m in error["message"] for m in ("fake", "demo"))


@pytest.mark.parametrize("url", [
    "http://127.0.0.1/a.png", "http://localhost/a.png", "https://10.1.2.3/a.png",
    "http://169.254.169.254/latest", "http://[::1]/a.png", "https://intranet/a.png",
    "https://files.internal/a.png", "ftp://example.com/a.png", "file:///etc/passwd",
    "http://2130706433/a.png", "", 5, None])
def test_pictures_at_private_places_are_refused(server, user, fake, url):
    before = len(fake.requests)
    part = {"type": "image_url", "image_url": {"url": url}}
    got = post(server, user, body_of("x", messages=[{"role": "user", "content": [part]}]))
    assert got.status_code == 400
    assert got.json()["error"]["param"] == "messages[0].content"
    assert len(fake.requests) == before


def test_pictures_pass(server, user, fake, question):
    """Untouched, and never fetched by us."""
    parts = [{"type": "text", "text": "what is it?"},
             {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
             {"type": "image_url", "image_url": {"url": "https://example.com/a.png",
                                                 "detail": "low"}}]
    got = post(server, user, body_of("x", stream=True, messages=[
        {"role": "user", "content": parts}, {"role": "user", "content": question}]))
    assert got.status_code == 200
    assert fake.wait_asked(question).messages[0]["content"] == parts


def test_malformed_json_is_told_with_its_place(server, user):
    got = post(server, user, '{"model": "fake",\n "messages": [}')
    assert got.status_code == 400
    assert "line 2, column 15" in got.json()["error"]["message"]
    for body in ("", "{", '{"a":1}x', '{"model":"fake","model":"demo"}', b"\xff\xfe",
                 "[" * 100000, '{"a":' + "[" * 70 + "]" * 70 + "}", '{"model":"\\ud800"}'):
        got = post(server, user, body)
        assert got.status_code == 400 and got.json()["error"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize("kind,status", [
    ("text/plain", 415), ("application/x-www-form-urlencoded", 415), ("", 415),
    ("multipart/form-data; boundary=x", 415), ("application/jsonl", 415), ("json", 415),
    ("application/json", 400), ("Application/JSON ; charset=utf-8", 400)])
@pytest.mark.parametrize("path", [PATH, "/v1/embeddings"])
def test_a_body_that_is_no_json_is_refused_by_its_type(server, user, path, kind, status):
    """Where the type is right the body is read, and found to name no model."""
    with server.user(user) as http:
        got = http.post(path, content="{}", headers={"Content-Type": kind})
    error = got.json()["error"]
    assert (got.status_code, error["type"]) == (status, "invalid_request_error")
    assert error["code"] == ("BAD_REQUEST" if status == 400 else "UNSUPPORTED_MEDIA_TYPE")


def test_other_refusals_have_the_form_too(server, user):
    def error(got, status, code):
        assert got.status_code == status
        assert set(got.json()["error"]) == {"message", "type", "param", "code"}
        assert got.json()["error"]["code"] == code
    error(server.http.post(PATH, json={}), 401, "UNAUTHORIZED")
    with server.client("x.y.z") as http:
        error(http.post(PATH, json={}), 401, "INVALID_TOKEN")
    with server.user(user) as http:
        error(http.get(PATH), 405, "METHOD_NOT_ALLOWED")
        error(http.post("/v1/completions", json={}), 404, "NOT_FOUND")
        error(http.post(PATH, content=b"x" * (1024 * 1024 + 1)), 413, "PAYLOAD_TOO_LARGE")


def test_the_official_client_names_the_errors(server, client, question):
    with pytest.raises(openai.AuthenticationError), door_client(server, "nonsense") as one:
        one.models.list()
    with pytest.raises(openai.NotFoundError):
        ask(client, question, "nobody")
    with pytest.raises(openai.BadRequestError):
        ask(client, question, max_tokens=-1)


def test_the_users_limit_holds(spawn, fake):
    server = spawn({**provider_env(fake), "USER_HTTP_RATE_LIMIT": "25",
                    "USER_HTTP_RATE_WINDOW": "1h", "ADMIN_RATE_LIMIT": "1",
                    "ADMIN_RATE_WINDOW": "1h"}, limits=False)
    user = fresh("busy")
    with door_client(server, token(user)) as one:
        for _ in range(25):
            one.models.list()
        with pytest.raises(openai.RateLimitError) as caught:
            one.models.list()
    assert caught.value.code == "TOO_MANY_REQUESTS"
    assert int(caught.value.response.headers["retry-after"]) > 0


def test_how_large_a_request_may_be_is_configured(spawn, fake, question, user):
    server = spawn({**provider_env(fake), "LLM_MAX_REQUEST_SIZE": "2MiB"})
    answer, _ = completion()
    fake.when(question, answer)
    assert post(server, user, body_of(question, odd="x" * (1 << 20))).status_code == 200
    assert len(fake.wait_asked(question).json["odd"]) == 1 << 20
    got = post(server, user, body_of(question, odd="x" * (2 << 20)))
    assert (got.status_code, got.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
    with server.user(user) as http:
        assert http.post("/sessions", json={"odd": "x" * (1 << 20)}).status_code == 413


def budget(**members):
    return {f"LLM_BUDGET_1_{name}": str(value) for name, value in members.items()}


def words(n):
    return Answer().tokens(*["word"] * n)


@pytest.mark.usefixtures("same_day")
def test_budgets_hold_at_the_door(spawn, fake, question, user):
    """The user's, and the same as in a conversation: before, and while it streams."""
    server = spawn({**provider_env(fake), **budget(TOKENS_PER_DAY=200)})
    fake.when(question, words(300).silence())
    got = post(server, user, body_of(question, stream=True))
    told = documents(got.content)
    assert told[-1]["error"]["code"] == "BUDGET_EXCEEDED" and "[DONE]" not in got.text
    said = "".join(d["choices"][0]["delta"]["content"] for d in told[:-1])
    assert 150 <= len(said) // 4 <= 200, "one chunk more than there was left, at most"
    assert fake.wait_asked(question).closed.wait(5)
    refused = post(server, user, body_of(question))
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "BUDGET_EXCEEDED"
    assert int(refused.headers["retry-after"]) > 0 and len(fake.asked(question)) == 1
    with Chat(server, user) as chat:
        assert chat.turn("word").error["code"] == "BUDGET_EXCEEDED"


@pytest.mark.usefixtures("same_day")
def test_what_the_door_used_is_kept_over_a_restart(spawn, fake, question, user):
    server = spawn({**provider_env(fake), **budget(TOKENS_PER_DAY=200)})
    answer, _ = completion(usage=(100, 99))
    fake.when(question, answer)
    assert post(server, user, body_of(question)).status_code == 200
    entry, = wait_for(lambda: storage(server).usage(uid=user), 5, "its entry")
    assert (entry["totalTokens"], entry["modelId"]) == (199, "fake")
    server.stop()
    server.start()
    assert post(server, user, body_of(question)).status_code == 429


@pytest.mark.usefixtures("same_day")
def test_a_hundred_at_once_overspend_by_a_chunk_each(spawn, fake, question, user):
    limit = 2000
    server = spawn({**provider_env(fake), **budget(TOKENS_PER_DAY=limit)})
    fake.when(question, words(1).gate(question).tokens(*["word"] * limit).finish())
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        waiting = [pool.submit(post, server, user, body_of(question, stream=True))
                   for _ in range(50)]
        fake.wait_asked(question, 50, timeout=60)
        fake.open(question)
        ends = [one.result() for one in waiting]
    assert all(documents(one.content)[-1]["error"]["code"] == "BUDGET_EXCEEDED" for one in ends)
    server.stop()  # behind the last state of each entry
    entries = storage(server).usage(uid=user)
    used = sum(row["totalTokens"] for row in entries)
    assert len(entries) == 50 and limit <= used <= limit + 50


def test_figures_count_what_came_through_the_door(spawn, fake, question, user):
    server = spawn(provider_env(fake))
    answer, _ = completion(usage=(5, 2))
    fake.when(question, answer)
    post(server, user, body_of(question))
    assert server.metric('chatbox_llm_requests_total{provider="fake"}') == 1
    assert server.metric('chatbox_tokens_used_total{provider="fake"}') == 7
