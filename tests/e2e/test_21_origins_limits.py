# SPDX-License-Identifier: MIT
"""Who may open a WebSocket: origins, connections per user and per process."""

import json
import threading

import pytest

from support.checks import assert_error
from support.server import demo_env
from support.tokens import token
from support.waiting import wait_for
from support.ws import RawWs, fresh, upgrade

SETTINGS = {"WS_ALLOWED_ORIGINS": "https://app.example,https://port.example:8443,"
                                  "http://plain.example,https://[2001:db8::1]",
            "TRUSTED_PROXIES": "127.0.0.1"}

TABLE = [
    (None, True), ("https://app.example", True), ("https://APP.Example", True),
    ("https://app.example:443", True), ("http://plain.example:80", True),
    ("https://port.example:8443", True), ("http://plain.example", True),
    ("https://[2001:db8::1]", True),
    ("http://app.example", False), ("https://app.example:80", False),
    ("https://app.example:444", False), ("https://port.example", False),
    ("https://port.example:443", False), ("https://plain.example", False),
    ("https://app.example.evil.example", False), ("https://evilapp.example", False),
    ("https://sub.app.example", False), ("https://app.exampl", False),
    ("https://app.example.", False), ("https://app.example@evil.example", False),
    ("https://evil.example/https://app.example", False), ("app.example", False),
    ("//app.example", False), ("null", False), ("https://", False),
    ("https://app.example https://evil.example", False),
    ("https://app.example,https://evil.example", False),
    ("file://", False), ("*", False), ("javascript:alert(1)", False),
    ("https://app.example:0443x", False), ("https://app.example\xe4", False),
]


@pytest.mark.parametrize("origin,passes", TABLE, ids=[str(o) for o, _ in TABLE])
def test_only_listed_origins_pass(server, origin, passes):
    """Req 16.2: the table of origins."""
    answer = upgrade(server, headers={"Origin": origin} if origin else {})
    if passes:
        assert answer.status == 101, answer
    else:
        assert_error(answer, 403, "FORBIDDEN")


def test_the_same_origin_passes(server):
    own = f"http://127.0.0.1:{server.port}"
    assert upgrade(server, headers={"Origin": own}).status == 101


@pytest.mark.parametrize("host,origin,proto,status", [
    ("chat.example", "http://chat.example", None, 101),
    ("chat.example", "http://chat.example:80", None, 101),
    ("chat.example:80", "http://chat.example", None, 101),
    ("Chat.Example", "http://chat.example", None, 101),
    ("chat.example:8080", "http://chat.example", None, 403),
    ("chat.example", "http://chat.example:8080", None, 403),
    ("chat.example", "https://chat.example", None, 403),
    ("chat.example", "https://chat.example", "https", 101),
    ("chat.example", "http://chat.example", "https", 403),
    ("chat.example:443", "https://chat.example", "https", 101)])
def test_our_side_is_scheme_host_and_port(server, host, origin, proto, status):
    headers = {"Host": host, "Origin": origin}
    if proto:
        headers["X-Forwarded-Proto"] = proto
    assert upgrade(server, headers=headers).status == status


def test_the_scheme_of_an_untrusted_proxy_does_not_count(spawn):
    server = spawn(demo_env())
    answer = upgrade(server, headers={
        "Host": "chat.example", "Origin": "https://chat.example",
        "X-Forwarded-Proto": "https"})
    assert_error(answer, 403)


def test_two_origin_headers_are_refused(server):
    answer = upgrade(server, headers={"Origin": "https://app.example"},
                     extra=[("Origin", "https://evil.example")])
    assert answer.status in (400, 403)


def test_an_empty_list_refuses_every_other_origin(spawn):
    """Req 16.1, 16.4: the default is secure."""
    server = spawn(demo_env())
    for origin in ("https://app.example", "null", f"https://127.0.0.1:{server.port}",
                   f"http://localhost:{server.port}", "http://127.0.0.1"):
        assert_error(upgrade(server, headers={"Origin": origin}), 403)
    assert upgrade(server).status == 101
    own = f"http://127.0.0.1:{server.port}"
    assert upgrade(server, headers={"Origin": own}).status == 101
    assert not server.logged("security_warning")


def test_a_star_lets_everybody_in_and_is_warned_of(spawn):
    """Req 16.3: disabled validation is logged as a security warning."""
    server = spawn({**demo_env(), "WS_ALLOWED_ORIGINS": "*"})
    for origin in ("https://anything.example", "null"):
        assert upgrade(server, headers={"Origin": origin}).status == 101
    assert server.wait_log("security_warning")


def test_null_is_an_origin_like_another(spawn):
    server = spawn({**demo_env(), "WS_ALLOWED_ORIGINS": "null"})
    assert upgrade(server, headers={"Origin": "null"}).status == 101
    assert_error(upgrade(server, headers={"Origin": "https://app.example"}), 403)


def test_origins_are_checked_alike_from_many_threads(server):
    """Req 13.1, 13.4, 13.5: concurrent checks never let a wrong one in."""
    results = []

    def knock(origin, expected):
        for _ in range(25):
            answer = upgrade(server, headers={"Origin": origin})
            results.append(answer.status == expected)
    threads = [threading.Thread(target=knock, args=pair) for pair in (
        ("https://app.example", 101), ("https://evil.example", 403)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 150 and all(results)


# --- how many

@pytest.fixture(scope="module")
def narrow(spawn_module):
    return spawn_module({**demo_env(), "MAX_CONNECTIONS_PER_USER": "2"})


def assert_full(answer):
    assert_error(answer, 429, "TOO_MANY_REQUESTS")


def test_one_connection_too_many_is_429_and_the_others_are_told(narrow, connect):
    """Req 14.3, 14.5: the user's other connections get a notification."""
    user = fresh()
    one, two = connect(narrow, user), connect(narrow, user)
    assert_full(upgrade(narrow, bearer=token(user)))
    for chat in (one, two):
        assert chat.get("notification")["type"] == "notification"
    assert upgrade(narrow, bearer=token(fresh())).status == 101


def test_a_closed_connection_makes_room(narrow, connect):
    user = fresh()
    one = connect(narrow, user)
    connect(narrow, user)
    assert_full(upgrade(narrow, bearer=token(user)))
    one.close()
    wait_for(lambda: upgrade(narrow, bearer=token(user)).status == 101, 5, "room")


def test_a_dropped_connection_makes_room(narrow, connect):
    user = fresh()
    one = connect(narrow, user)
    connect(narrow, user)
    one.drop()
    wait_for(lambda: upgrade(narrow, bearer=token(user)).status == 101, 5, "room")


def test_refused_upgrades_do_not_count(narrow, connect):
    user = fresh()
    for _ in range(5):
        upgrade(narrow, bearer=token(user), headers={"Origin": "https://evil.example"})
        upgrade(narrow, bearer=token(user), query="last_seq=x")
    connect(narrow, user)
    connect(narrow, user)


def test_fifty_at_once_are_never_more_than_allowed(narrow):
    """Req 14.4."""
    user = fresh()
    held, refused = [], []

    def knock():
        try:
            held.append(RawWs(narrow, user))
        except AssertionError as error:
            refused.append(str(error))
    threads = [threading.Thread(target=knock) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) == 2 and len(refused) == 48
    assert all("429" in text for text in refused)
    for one in held:
        one.close()


def test_the_process_has_a_limit_too(spawn, connect):
    server = spawn({**demo_env(), "MAX_CONNECTIONS": "3"})
    chats = [connect(server) for _ in range(3)]
    answer = upgrade(server)
    assert answer.status == 429, answer
    assert json.loads(answer.body)["code"] == "TOO_MANY_REQUESTS"
    chats[0].close()
    wait_for(lambda: upgrade(server).status == 101, 5, "room")


def test_the_default_is_ten_for_a_user(spawn, connect):
    server = spawn({**demo_env(), "MAX_CONNECTIONS_PER_USER": None})
    user = fresh()
    for _ in range(10):
        connect(server, user)
    assert_full(upgrade(server, bearer=token(user)))
