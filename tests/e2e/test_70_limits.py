# SPDX-License-Identifier: MIT
"""Rates: messages, user HTTP, public HTTP, refused tokens."""

import time

import pytest

from support.checks import assert_error, one_too_many
from support.server import demo_env, provider_env
from support.tokens import forge, token
from support.waiting import PATIENCE, wait_for
from support.ws import fresh, upgrade


@pytest.fixture(scope="module")
def slow(spawn_module, fake):
    return spawn_module({**provider_env(fake), "RATE_LIMIT": "3",
                         "RATE_LIMIT_WINDOW": "1m"})


def test_messages_over_the_limit_are_refused_with_the_time(slow, connect):
    one = connect(slow)
    began = time.monotonic()
    for n in range(3):
        assert one.turn(f"hello {n}").finish == "stop"
    one.say("too many", client_id="c-4")
    refusal = one.recv()
    took = (time.monotonic() - began) * 1000
    assert refusal["type"] == "error"
    error = refusal["error"]
    assert error["code"] == "TOO_MANY_REQUESTS" and error["recoverable"] is True
    assert 19_999 - took <= error["retry_after"] <= 20_000
    page = slow.user(one.user).get(f"/sessions/{one.session}").json()
    assert len(page["messages"]) == 6
    assert slow.wait_log("rate_limited")


def test_the_limit_is_per_user_not_per_connection(slow, connect):
    user = fresh()
    one, two = connect(slow, user), connect(slow, user, session_id="b")
    one.turn("1")
    two.turn("2")
    one.turn("3")
    assert two.turn("4").error["code"] == "TOO_MANY_REQUESTS"
    again = connect(slow, user)
    assert again.turn("5").error["code"] == "TOO_MANY_REQUESTS", "reconnecting helps not"
    assert connect(slow).turn("another user").finish == "stop"


def test_the_whole_limit_may_come_at_once(slow, connect):
    one = connect(slow)
    for n in range(5):
        one.say(f"q{n}")
    ends = [one.rest_of_turn() for _ in range(5)]
    assert sorted(t.finish or t.error["code"] for t in ends) == [
        "TOO_MANY_REQUESTS"] * 2 + ["stop"] * 3


def test_a_refusal_is_counted_by_limiter(slow, connect):
    one = connect(slow)
    before = slow.metric("chatbox_ratelimit_blocked_total")
    for n in range(4):
        one.turn(f"q{n}")
    assert slow.metric("chatbox_ratelimit_blocked_total") == before + 1


def test_messages_refill_evenly(spawn, connect, fake):
    server = spawn({**provider_env(fake), "RATE_LIMIT": "2",
                    "RATE_LIMIT_WINDOW": f"{2 * PATIENCE}s"})
    one = connect(server)
    one.turn("1")
    one.turn("2")
    assert 0 < one_too_many(one)["retry_after"] <= 1000 * PATIENCE
    wait_for(lambda: one.turn("4").finish == "stop", 3, "one message after a second",
             interval=0.05)


# --- HTTP

def drain(client, path, limit):
    """Ask until refused; the number of good answers and the refusal."""
    for count in range(10 * limit):
        answer = client.get(path)
        if answer.status_code == 429:
            return count, answer
    raise AssertionError(f"{10 * limit} answers and no refusal")


def test_public_routes_share_one_bucket_per_address(spawn):
    server = spawn({**demo_env(), "PUBLIC_RATE_LIMIT": "10", "PUBLIC_RATE_WINDOW": "1h"})
    with server.client() as client:
        count, refusal = drain(client, "/", 10)
        assert count == 10
        body = assert_error(refusal, 429, "TOO_MANY_REQUESTS")
        assert body["error"] == "rate_limit_exceeded"
        assert 300_000 <= body["retry_after_ms"] <= 360_000
        assert client.get("/metrics/prometheus").status_code == 429
        assert server.user("u").get("/models").status_code == 200, "another bucket"
        count, _ = drain(client, "/healthz", 10)
        assert 8 <= count <= 10, "healthz and readyz have one of their own"
        assert client.get("/readyz").status_code == 429
    server._http = None


def test_user_routes_have_a_bucket_per_user(spawn):
    server = spawn({**demo_env(), "USER_HTTP_RATE_LIMIT": "10",
                    "USER_HTTP_RATE_WINDOW": "1h", "ADMIN_RATE_LIMIT": "2",
                    "ADMIN_RATE_WINDOW": "1h"})
    count, refusal = drain(server.user("ann"), "/models", 10)
    assert count == 10
    assert_error(refusal, 429, "TOO_MANY_REQUESTS")
    assert server.user("ann").post("/sessions").status_code == 429
    assert server.user("bob").get("/models").status_code == 200
    assert server.http.get("/healthz").status_code == 200
    assert server.wait_log("rate_limited")


def test_retry_after_is_at_least_one_second(spawn):
    server = spawn({**demo_env(), "USER_HTTP_RATE_LIMIT": "5",
                    "USER_HTTP_RATE_WINDOW": "4s", "ADMIN_RATE_LIMIT": "1"})
    _, refusal = drain(server.user("ann"), "/models", 5)
    body = assert_error(refusal, 429)
    assert 0 <= body["retry_after_ms"] <= 800
    assert refusal.headers["retry-after"] == "1"


# --- refused tokens

def test_too_many_refused_tokens_close_the_door_for_the_address(spawn):
    server = spawn({**demo_env(), "FAILURE_RATE_LIMIT": "5", "FAILURE_RATE_WINDOW": "1h",
                    "TRUSTED_PROXIES": "127.0.0.1"})
    bad = forge(key="x" * 40)

    def ask(bearer, address):
        with server.client(bearer, **{"X-Forwarded-For": address}) as client:
            return client.get("/models")

    def knock(bearer, address):
        return upgrade(server, bearer=bearer, headers={"X-Forwarded-For": address})
    for n in range(5):
        answer = ask(bad, "203.0.113.5") if n % 2 else knock(bad, "203.0.113.5")
        assert_error(answer, 401)
    assert_error(ask(bad, "203.0.113.5"), 429, "TOO_MANY_REQUESTS")
    assert_error(knock(bad, "203.0.113.5"), 429, "TOO_MANY_REQUESTS")
    assert_error(ask(token("u"), "203.0.113.5"), 429, "TOO_MANY_REQUESTS")
    assert_error(ask(bad, "203.0.113.6"), 401)
    assert ask(token("u"), "203.0.113.6").status_code == 200
    assert server.http.get("/healthz").status_code == 200
    assert server.wait_log("rate_limited")


def test_good_tokens_do_not_count_as_failures(spawn):
    server = spawn({**demo_env(), "FAILURE_RATE_LIMIT": "3", "FAILURE_RATE_WINDOW": "1h"})
    for _ in range(10):
        assert server.user("u").get("/models").status_code == 200
        assert upgrade(server).status == 101


# --- purge

def test_the_limiter_forgets_full_keys_and_says_so(spawn, connect, fake):
    """Req 11.1, 11.2, 11.3, 11.4, Property 10: an interval, old keys go, statistics."""
    server = spawn({**provider_env(fake), "RATE_LIMIT_CLEANUP_INTERVAL": "100ms",
                    "RATE_LIMIT": "10", "RATE_LIMIT_WINDOW": "100ms"})
    for _ in range(5):
        connect(server).turn("hello")
    assert server.wait_log("limiter_cleanup")
