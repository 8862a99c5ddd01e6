# SPDX-License-Identifier: MIT
"""Separate buckets, exact waiting times, floods of keys, the purge and its log."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from support.checks import assert_error, one_too_many
from support.rawhttp import RawConn, request
from support.server import demo_env, provider_env
from support.tokens import token
from support.waiting import PATIENCE, wait_for
from support.ws import fresh, upgrade

HOUR = {"RATE_LIMIT_WINDOW": "1h", "PUBLIC_RATE_WINDOW": "1h",
        "USER_HTTP_RATE_WINDOW": "1h", "ADMIN_RATE_WINDOW": "1h",
        "FAILURE_RATE_WINDOW": "1h"}
SMALL = {**HOUR, "RATE_LIMIT": "3", "PUBLIC_RATE_LIMIT": "6", "USER_HTTP_RATE_LIMIT": "4",
         "ADMIN_RATE_LIMIT": "2", "FAILURE_RATE_LIMIT": "5"}


class Buckets:
    """Each bucket as a question that is answered True until it is empty."""

    def __init__(self, server, connect):
        self.server = server
        self.who = fresh("ann")
        self.http = server.user(self.who)
        self.desk = server.user(self.who, roles=["admin"])
        self.chat = connect(server, self.who)
        self.anybody = server.client()

    def message(self):
        turn = self.chat.turn("hello")
        assert turn.finish or turn.error["code"] == "TOO_MANY_REQUESTS"
        return turn.finish is not None

    def help(self):
        self.chat.send("help_request")
        frame = self.chat.get(lambda f: f["type"] in ("error", "connection_status"))
        return frame["type"] != "error"

    def user_http(self):
        return self.http.get("/models").status_code == 200

    def admin(self):
        return self.desk.get("/admin/sessions").status_code == 200

    def public(self):
        return self.anybody.get("/").status_code == 200

    def probe(self):
        return self.anybody.get("/healthz").status_code == 200

    def failure(self):
        with self.server.client("no.such.token") as client:
            return client.get("/models").status_code == 401


LIMITS = {"message": 3, "help": 3, "user_http": 4, "admin": 2, "public": 6}


@pytest.mark.parametrize("name", LIMITS)
def test_an_empty_bucket_empties_no_other(spawn, connect, fake, name):
    """Req 18.5; Property 20: message, help, user, admin and public limits, each of
    one user at one address, are independent."""
    server = spawn({**provider_env(fake), **SMALL}, limits=False)
    buckets = Buckets(server, connect)
    answers = [getattr(buckets, name)() for _ in range(LIMITS[name] + 3)]
    assert answers == [True] * LIMITS[name] + [False] * 3
    for other in LIMITS:
        if other != name:
            answers = [getattr(buckets, other)() for _ in range(LIMITS[other] + 1)]
            assert answers == [True] * LIMITS[other] + [False], other


def test_a_probe_starves_by_nothing_else(spawn, connect, fake):
    server = spawn({**provider_env(fake), **SMALL}, limits=False)
    buckets = Buckets(server, connect)
    while buckets.public():
        pass
    assert buckets.probe()
    while buckets.failure():
        pass
    assert buckets.probe() and not buckets.public()


def test_help_is_limited_by_session_not_by_user(spawn, connect, fake):
    """2.4: 3 per session in 5 minutes."""
    server = spawn(provider_env(fake))
    user = fresh()
    one, two = connect(server, user, session_id="a"), connect(server, user, session_id="b")

    def ask(chat):
        chat.send("help_request")
        return chat.get(lambda f: f["type"] in ("error", "connection_status"))
    began = time.monotonic()
    assert [ask(one)["type"] for _ in range(3)] == ["connection_status"] * 3
    error = ask(one)["error"]
    took = (time.monotonic() - began) * 1000
    assert error["code"] == "TOO_MANY_REQUESTS" and error["recoverable"] is True
    assert 99_999 - took <= error["retry_after"] <= 100_000
    assert ask(two)["type"] == "connection_status"


# --- waiting times

@pytest.mark.parametrize("limit,window,wait", [
    (3, "1h", 1_200_000), (60, "1h", 60_000), (1, "1d", 86_400_000)])
def test_the_waiting_time_is_that_of_one_message(spawn, connect, limit, window, wait):
    server = spawn({**demo_env(), "RATE_LIMIT": str(limit), "RATE_LIMIT_WINDOW": window})
    one = connect(server)
    began = time.monotonic()
    for _ in range(limit):
        one.say("x", model_id="no such model")  # counted, and answered at once
    one.say("x")
    errors = [one.get("error")["error"] for _ in range(limit + 1)]
    assert [e["code"] for e in errors] == ["NOT_FOUND"] * limit + ["TOO_MANY_REQUESTS"]
    took = (time.monotonic() - began) * 1000
    assert wait - 1 - took <= errors[-1]["retry_after"] <= wait


def test_who_waits_as_long_as_told_is_admitted(spawn, connect, fake):
    """GCRA: retry_after is enough, and not much more than needed."""
    server = spawn({**provider_env(fake), "RATE_LIMIT": "4",
                    "RATE_LIMIT_WINDOW": f"{4 * PATIENCE}s"})
    one = connect(server)
    for n in range(4):
        one.turn(f"q{n}")
    for _ in range(3):
        wait_ms = one_too_many(one)["retry_after"]
        at = time.monotonic() + wait_ms / 1000
        wait_for(lambda: time.monotonic() > at, 5, "the time that was told",
                 interval=0.001)
        assert one.turn("in time").finish == "stop"


def test_retry_after_is_told_alike_in_header_and_body(spawn):
    server = spawn({**demo_env(), **SMALL}, limits=False)
    client = server.user(fresh())
    for _ in range(4):
        client.get("/models")
    refused = client.get("/models")
    body = assert_error(refused, 429, "TOO_MANY_REQUESTS")
    seconds = int(refused.headers["retry-after"])
    assert seconds == -(-body["retry_after_ms"] // 1000)
    line = server.wait_log("rate_limited", limiter="user_http")[0]
    assert line["wait_ms"] == body["retry_after_ms"]
    assert line["user_id"] and line["endpoint"] == "/models"


def test_the_operators_bucket_is_by_operator_and_exact(spawn):
    """18: as many as the limit at once, then the time to wait, in header, body and log."""
    server = spawn({**demo_env(), **SMALL, "ADMIN_RATE_LIMIT": "3"}, limits=False)
    for name in ("olga", "max"):
        desk = server.user(name, roles=["chat_admin"])
        paths = ("/admin/sessions", "/admin/metrics", "/admin/audit")
        assert [desk.get(path).status_code for path in paths] == [200] * 3
        refused = desk.get("/admin/users/ann/sessions")
        body = assert_error(refused, 429, "TOO_MANY_REQUESTS")
        assert 1_190_000 <= body["retry_after_ms"] <= 1_200_000  # an hour's third
        assert int(refused.headers["retry-after"]) == -(-body["retry_after_ms"] // 1000)
        line = server.wait_log("rate_limited", limiter="admin", user_id=name)[0]
        assert line["wait_ms"] == body["retry_after_ms"]
        assert line["endpoint"] == "/admin/users/{id}/sessions"
        assert server.user(name).get("/models").status_code == 200


# --- refused tokens, by address

def knock(server, forwarded, bearer="no.such.token"):
    with server.client(bearer, **{"X-Forwarded-For": forwarded}) as client:
        return client.get("/models").status_code


def test_nobody_talks_himself_out_of_his_own_address(spawn):
    """X-Forwarded-For is believed of trusted proxies only."""
    server = spawn({**demo_env(), **SMALL, "TRUSTED_PROXIES": "10.0.0.0/8"}, limits=False)
    answers = [knock(server, f"203.0.113.{n}") for n in range(8)]
    assert answers == [401] * 5 + [429] * 3
    assert knock(server, "203.0.113.99", token("ann")) == 429
    assert server.wait_log("rate_limited", limiter="failures")[0]["client"] == "127.0.0.1"


def test_the_first_untrusted_address_from_the_right_counts(spawn):
    """What a client writes in front of it changes nothing; of IPv6 64 bits are one."""
    server = spawn({**demo_env(), **SMALL, "TRUSTED_PROXIES": "127.0.0.1,10.0.0.0/8"},
                   limits=False)
    for theirs, shown in [("198.51.100.{}, 203.0.113.7", "203.0.113.7"),
                          ("198.51.100.{},203.0.113.8, 10.1.2.3", "203.0.113.8"),
                          ("{}, [2001:db8::9]:443, 10.9.9.9", "2001:db8::9"),
                          ("10.0.0.{}, 203.0.113.10:5000", "203.0.113.10"),
                          ("2001:db8:0:1::{}", "2001:db8:0:1::5")]:
        answers = [knock(server, theirs.format(n)) for n in range(8)]
        assert answers == [401] * 5 + [429] * 3, theirs
        assert server.wait_log("rate_limited", limiter="failures", client=shown)
    assert knock(server, "203.0.113.11") == knock(server, "2001:db8:0:2::1") == 401


# --- floods

def pipelined(server, path, headers):
    """The set of the statuses that a request for each of the headers is answered with."""
    seen = set()
    with RawConn(server) as conn:
        for n in range(0, len(headers), 50):
            batch = headers[n:n + 50]
            conn.send(b"".join(request(server, "GET", server.prefix + path, [header])
                               for header in batch))
            seen |= {conn.read_response().status for _ in batch}
    return seen


@pytest.mark.timeout(180 * PATIENCE)
def test_a_flood_of_users_keeps_the_honest_one_coming_in(spawn):
    """A full table forgets who was idle longest and admits who is new."""
    server = spawn({**demo_env(), **HOUR, "RATE_LIMIT_MAX_KEYS": "1000",
                    "USER_HTTP_RATE_LIMIT": "30", "ADMIN_RATE_LIMIT": "1",
                    "SERVER_THREADS": "1"}, limits=False)

    def flood(first, last):
        return pipelined(server, "/models", [
            ("Authorization", f"Bearer {token(f'flood-{n}')}") for n in range(first, last)])
    with server.user("honest") as honest:
        assert flood(0, 3000) == {200}
        answers = [honest.get("/models").status_code for _ in range(31)]
        assert answers == [200] * 30 + [429], "a limit of its own, whole"
        assert flood(3000, 3500) == {200}
        assert honest.get("/models").status_code == 429, "who comes often is not forgotten"


@pytest.mark.timeout(180 * PATIENCE)
def test_a_flood_of_addresses_keeps_its_room_and_admits_new_ones(spawn):
    """What is asked for is no token by its length: the storage is not asked for it."""
    server = spawn({**demo_env(), **HOUR, "RATE_LIMIT_MAX_KEYS": "1000",
                    "PUBLIC_RATE_LIMIT": "2", "TRUSTED_PROXIES": "127.0.0.1"},
                   limits=False)

    def ask(*addresses):
        return pipelined(server, "/shared/none", [
            ("X-Forwarded-For", f"203.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}")
            for n in addresses])
    assert ask(*range(5000)) == {404}
    assert [ask(70_000) for _ in range(3)] == [{404}, {404}, {429}]


def test_the_figures_tell_how_many_keys_are_held(spawn):
    server = spawn({**demo_env(), **HOUR, "RATE_LIMIT_CLEANUP_INTERVAL": "100ms",
                    "USER_HTTP_RATE_LIMIT": "30", "ADMIN_RATE_LIMIT": "1"})
    for n in range(7):
        server.user(f"u{n}").get("/models")
    wait_for(lambda: server.metrics().get('chatbox_ratelimit_keys{limiter="user_http"}')
             == 7, 5, "seven users")


def test_refusals_cost_nothing_and_the_bucket_refills_meanwhile(spawn, connect, fake):
    server = spawn({**provider_env(fake), "RATE_LIMIT": "5", "RATE_LIMIT_WINDOW": "5s"})
    one = connect(server)
    for n in range(5):
        one.turn(f"q{n}")
    wait_for(lambda: one.turn("knock").finish == "stop", 5,
             "admitted in spite of a hundred knocks", interval=0.01)


# --- the purge

def test_the_purge_comes_at_its_interval_and_logs_what_it_removed(spawn, connect, fake):
    """Req 11.1, 11.2, 11.3, 11.4; Property 9, Property 10."""
    server = spawn({**provider_env(fake), "RATE_LIMIT_CLEANUP_INTERVAL": "300ms",
                    "SESSION_CLEANUP_INTERVAL": "1h",
                    "RATE_LIMIT": "1000", "RATE_LIMIT_WINDOW": "1s",
                    "USER_HTTP_RATE_LIMIT": "1000", "USER_HTTP_RATE_WINDOW": "1s",
                    "ADMIN_RATE_LIMIT": "1", "ADMIN_RATE_WINDOW": "1h",
                    "PUBLIC_RATE_LIMIT": "1000", "PUBLIC_RATE_WINDOW": "1s"})
    users = [fresh() for _ in range(12)]
    for user in users:
        connect(server, user).turn("hello")
        server.user(user).get("/models")
    server.http.get("/")

    def removed(limiter):
        return sum(x["removed"] for x in server.logged("limiter_cleanup", limiter=limiter))
    wait_for(lambda: removed("message") == 12 and removed("user_http") == 12, 10,
             "every key is removed once")
    wait_for(lambda: removed("public") >= 1 and removed("probe") >= 1, 10,
             "addresses too")
    for line in server.logged("limiter_cleanup"):
        assert line["level"] == "info" and line["removed"] > 0 and line["left"] >= 0


def at(line):
    return datetime.fromisoformat(line["ts"].replace("Z", "+00:00")).timestamp()


def test_the_time_between_two_purges_is_the_interval_that_was_set(spawn):
    """Req 11.2; Property 10: not more often, and with an hour not at all."""
    quick, slow = (spawn({**demo_env(), "RATE_LIMIT_CLEANUP_INTERVAL": interval,
                          "SERVER_THREADS": "1", "USER_HTTP_RATE_LIMIT": "1000",
                          "USER_HTTP_RATE_WINDOW": "1s"}) for interval in ("700ms", "1h"))

    def purged():
        for server in (quick, slow):
            assert server.user(fresh()).get("/models").status_code == 200
        return len(quick.logged("limiter_cleanup", limiter="user_http")) >= 4
    wait_for(purged, 20, "four purges", interval=0.05)
    times = [at(line) for line in quick.logged("limiter_cleanup", limiter="user_http")]
    assert times[3] - times[0] > 2 * 0.7, "three times the interval, nearly"
    assert slow.logged("limiter_cleanup") == []


def test_a_key_that_is_not_full_again_is_not_removed(spawn, connect, fake):
    """Property 9 from the other side: a purge changes no answer."""
    server = spawn({**provider_env(fake), "RATE_LIMIT_CLEANUP_INTERVAL": "100ms",
                    "RATE_LIMIT": "2", "RATE_LIMIT_WINDOW": "1h",
                    "USER_HTTP_RATE_LIMIT": "100000", "USER_HTTP_RATE_WINDOW": "1s"})
    one = connect(server)
    one.turn("1")
    one.turn("2")
    rounds = len(server.logged("limiter_cleanup", limiter="user_http"))

    def purged():
        server.user(fresh()).get("/models")
        return len(server.logged("limiter_cleanup", limiter="user_http")) >= rounds + 2
    wait_for(purged, 10, "two purges", interval=0.05)
    assert one.turn("3").error["code"] == "TOO_MANY_REQUESTS"
    assert server.logged("limiter_cleanup", limiter="message") == []


def test_the_server_stops_at_once_with_purges_planned(spawn):
    """Req 11.5; Property 11: nothing of the clean-up outlives the stop."""
    server = spawn({**demo_env(), "RATE_LIMIT_CLEANUP_INTERVAL": "100ms",
                    "SESSION_CLEANUP_INTERVAL": "100ms"})
    server.user(fresh()).get("/models")
    assert server.stop() == 0


# --- one connection too many

def test_every_other_connection_hears_of_a_refused_one(spawn, connect, fake):
    """Req 14.3; 2.8: a notification to each of the user's others, to nobody else."""
    server = spawn({**provider_env(fake), "MAX_CONNECTIONS_PER_USER": "3"})
    user = fresh()
    mine = [connect(server, user, session_id=name) for name in "aab"]
    stranger = connect(server)
    refused = upgrade(server, bearer=token(user))
    assert_error(refused, 429, "TOO_MANY_REQUESTS")
    for one in mine:
        told = one.get("notification")
        assert told["metadata"]["event"] == "connection_limit"
        assert told["session_id"] == one.session
    assert stranger.quiet() == []
    mine[0].close()

    def enters():
        return upgrade(server, bearer=token(user)).status == 101
    wait_for(enters, 5, "room again")


def test_many_threads_at_once_are_admitted_exactly(spawn):
    """One bucket of an address, asked from all shards."""
    server = spawn({**demo_env(), **HOUR, "PUBLIC_RATE_LIMIT": "40", "SERVER_THREADS": "4"},
                   limits=False)

    def ask(_):
        with socket.create_connection(("127.0.0.1", server.port), 10) as conn:
            conn.sendall(f"GET {server.prefix}/ HTTP/1.1\r\nHost: x\r\n"
                         "Connection: close\r\n\r\n".encode())
            return conn.makefile("rb").read(12)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(80)))
    assert answers.count(b"HTTP/1.1 200") == 40
    assert answers.count(b"HTTP/1.1 429") == 40
