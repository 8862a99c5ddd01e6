# SPDX-License-Identifier: MIT
"""Behind Debian's nginx and HAProxy, with the files of deploy/ (docs/deployment/proxies.md)."""

import json

import pytest

from support.answer import Answer
from support.checks import assert_error
from support.fronts import HAProxy, Nginx
from support.official import documents
from support.rawhttp import RawConn
from support.server import demo_env, provider_env, reserve_port
from support.tokens import token
from support.uploads import form_head, png, uploaded
from support.waiting import wait_for
from support.ws import Chat, fresh

BEHIND = {"TRUSTED_PROXIES": "127.0.0.1"}


@pytest.fixture(scope="module", params=[Nginx, HAProxy], ids=["nginx", "haproxy"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def server(spawn_module, fake):
    return spawn_module({**provider_env(fake), **BEHIND})


@pytest.fixture(scope="module")
def front(kind, server, authority):
    one = kind(server, authority)
    yield one
    one.close()


@pytest.fixture
def before(kind, authority):
    """Puts a proxy before a server of the test's own."""
    made = []

    def put(server, changes=None):
        made.append(kind(server, authority, changes))
        return made[-1]
    yield put
    for one in made:
        one.close()


def test_a_chat_goes_through(front, connect, fake, question):
    fake.when(question, Answer().tokens("so ").gate(question).tokens("far").finish())
    one = connect(front)
    one.say(question)
    assert one.get("ai_response")["content"] == "so ", "as it comes"
    fake.open(question)
    turn = one.rest_of_turn()
    assert turn.text == "far" and turn.finish == "stop"
    with front.user(one.user) as http:
        log = http.get(f"/sessions/{one.session}").json()["messages"]
    assert [m["content"] for m in log] == [question, "so far"]


def test_the_page_of_this_origin_may_connect(front, connect):
    """The proxy tells scheme, host and port; another origin stays out."""
    with front.client() as http:
        assert "<html" in http.get("/").text
    own = f"https://127.0.0.1:{front.port}"
    assert connect(front, headers={"Origin": own}).turn("hello").finish == "stop"
    with pytest.raises(Exception, match="403"):
        connect(front, headers={"Origin": "https://127.0.0.1"})


def test_a_stream_at_the_openai_door_arrives_event_by_event(front, fake, question):
    """The model says a word only when the one before has arrived."""
    words = [f"word{n} " for n in range(20)]
    answer = Answer()
    for n, word in enumerate(words):
        answer.tokens(word).gate(f"{question}-{n}")
    fake.when(question, answer.finish())
    body = json.dumps({"model": "fake", "stream": True,
                       "messages": [{"role": "user", "content": question}]})
    heard, text = 0, ""
    with front.user(fresh()) as http, \
            http.stream("POST", "/v1/chat/completions", content=body) as stream:
        assert stream.status_code == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        for piece in stream.iter_text():
            text += piece
            while heard < len(words) and words[heard] in text:
                fake.open(f"{question}-{heard}")
                heard += 1
    assert heard == len(words) and text.endswith("data: [DONE]\n\n")
    said = [d["choices"][0]["delta"].get("content") or ""
            for d in documents(text.encode()) if d.get("choices")]
    assert "".join(said) == "".join(words)


@pytest.mark.parametrize("path", ["/chatbox/upload", "/api/upload"])
def test_a_file_goes_through_and_comes_back(front, path):
    """A larger one than a proxy keeps in memory."""
    data = png(3 << 20, seed=path.encode())
    with front.user(fresh()) as http:
        made = uploaded(http, data, path=front.url("/").replace("/chatbox/", path))
        back = http.get(front.url("/").replace("/chatbox/", made["file_url"]))
    assert back.status_code == 200 and back.content == data


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(front):
    head, _ = form_head(front, fresh(), 200 << 20)
    with RawConn(front, tls=True) as conn:
        conn.send(head)
        assert conn.read_response().status == 413


def test_plain_http_is_sent_to_https_and_metrics_stay_inside(front):
    with front.client() as http:
        plain = http.post(front.url("/v1/models?a=b", scheme="http"), content="x")
        assert plain.status_code == 308, "a POST stays one"
        assert plain.headers["location"].startswith("https://127.0.0.1")
        assert plain.headers["location"].endswith("/chatbox/v1/models?a=b")
        assert http.get("/metrics/prometheus").status_code == 404
        answer = http.get("/readyz")
        assert answer.status_code == 200
        assert "max-age=" in answer.headers["strict-transport-security"]
        root = http.get(front.url("/").replace("/chatbox/", "/"))
        assert root.status_code == 302
        assert root.headers["location"].endswith("/chatbox/")


def test_our_limits_behind_it_are_by_the_clients_address(spawn, before):
    """Whoever uses up an address does so for that one alone, whatever it says of itself."""
    server = spawn({**demo_env(), **BEHIND, "FAILURE_RATE_LIMIT": "5",
                    "FAILURE_RATE_WINDOW": "1h"}, limits=False)
    front = before(server)

    def knock(source, forged):
        with front.client("no.such.token", source=source,
                          **{"X-Forwarded-For": forged}) as http:
            return http.get("/models")
    answers = [knock("127.0.0.5", f"203.0.113.{n}") for n in range(7)]
    assert [one.status_code for one in answers] == [401] * 5 + [429] * 2
    assert_error(answers[-1], 429, "TOO_MANY_REQUESTS")
    assert knock("127.0.0.6", "127.0.0.5").status_code == 401
    line = server.wait_log("rate_limited", limiter="failures")[0]
    assert line["client"] == "127.0.0.5"


def test_who_is_not_told_of_the_proxy_takes_all_for_one(spawn, before):
    """Without TRUSTED_PROXIES: why the page says so in its first step."""
    server = spawn({**demo_env(), "FAILURE_RATE_LIMIT": "5",
                    "FAILURE_RATE_WINDOW": "1h"}, limits=False)
    front = before(server)
    seen = []
    for n in range(7):
        with front.client("no.such.token", source=f"127.0.0.{n + 5}") as http:
            seen.append(http.get("/models").status_code)
    assert seen == [401] * 5 + [429] * 2


def answered(server, endpoint):
    """How many requests there; a proxy's own looks are at another one."""
    return sum(value for name, value in server.metrics().items()
               if name.startswith("chatbox_http_request_duration_seconds_count{")
               and f'endpoint="{endpoint}"' in name)


def test_its_limits_in_front_are_by_address_and_keep_the_rest_away(kind, server, before):
    front = before(server, kind.few)
    asked = answered(server, "/healthz")
    with front.client(source="127.0.0.5") as http:
        seen = [http.get("/healthz").status_code for _ in range(9)]
    assert seen == [200] * 6 + [429] * 3
    with front.client(source="127.0.0.6") as http:
        assert http.get("/healthz").status_code == 200
    wait_for(lambda: answered(server, "/healthz") == asked + 6 + 1, 5, "all are counted")
    assert answered(server, "/healthz") == asked + 6 + 1, "no other one came here"


def test_a_socket_counts_for_its_user_behind_it(spawn, before, connect):
    """MAX_CONNECTIONS_PER_USER holds through the proxy, and its words arrive."""
    server = spawn({**demo_env(), **BEHIND, "MAX_CONNECTIONS_PER_USER": "2"}, limits=False)
    front = before(server)
    kept = [connect(front, "ann") for _ in range(2)]
    with pytest.raises(Exception, match="429"):
        Chat(front, bearer=token("ann"))
    assert connect(front, "bob", source="127.0.0.5").turn("hello").finish == "stop"
    assert len(kept) == 2


def test_nobody_there_is_told_as_a_gateways_error(spawn, before):
    server = spawn({**demo_env(), **BEHIND})
    front = before(server)
    server.stop()
    with front.client() as http:
        assert http.get("/readyz").status_code in (502, 503)


def test_a_server_of_several_that_is_not_there_costs_nobody_anything(kind, before, server):
    """With the lines that docs/deployment/proxies.md has for several servers."""
    with reserve_port() as kept:
        dead = "127.0.0.1:%d" % kept.getsockname()[1]
        front = before(server, {
            Nginx: {"    keepalive 32;": f"    server {dead};\n    keepalive 32;",
                    "proxy_next_upstream off;": "proxy_next_upstream error;"},
            HAProxy: {
                "rise 1\n": f"rise 1\n    server b {dead} check inter 1s fall 2 rise 1\n",
                "retries 0 ": "retries 1\n    option redispatch 1 "}}[kind])
        with front.client() as http:
            assert {http.get("/healthz").status_code for _ in range(20)} == {200}
