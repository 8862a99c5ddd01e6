# SPDX-License-Identifier: MIT
"""What operators read: everybody's sessions, and figures."""

from datetime import datetime, timedelta, timezone
from urllib.parse import quote

import pytest

from support.answer import plain
from support.checks import assert_error, assert_id, assert_time
from support.operators import ROOMY, SETTINGS, listed, make, operator  # noqa: F401
from support.rawhttp import answered, request
from support.server import minimal_env, provider_env, run_cli
from support.tokens import token
from support.transcript import transcript
from support.waiting import wait_for
from support.ws import fresh


# --- who may

ROUTES = ["/admin/sessions", f"/admin/sessions/{'0' * 32}", "/admin/users/ann/sessions",
          "/admin/metrics", "/admin/audit"]


@pytest.mark.parametrize("path", ROUTES)
def test_operators_only(server, user, path):
    assert_error(server.http.get(path), 401, "UNAUTHORIZED")
    assert_error(server.user(user).get(path), 403, "FORBIDDEN")
    assert_error(server.user(user, roles=["user", "Admin", "administrator"]).get(path),
                 403, "FORBIDDEN")
    assert_error(operator(server).post(path), 405)


@pytest.mark.parametrize("role", ["admin", "chat_admin"])
@pytest.mark.parametrize("path", ROUTES)
def test_both_roles_may(server, path, role):
    expected = 404 if path.endswith("0") else 200
    assert operator(server, role=role).get(path).status_code == expected


def test_the_roles_can_be_configured(spawn, fake):
    server = spawn({**provider_env(fake), "ADMIN_ROLES": "boss"})
    assert operator(server, role="boss").get("/admin/sessions").status_code == 200
    assert_error(operator(server, role="admin").get("/admin/sessions"), 403)


# --- the list

def test_an_empty_list(admin):
    body = admin.get("/admin/sessions", params={"user_id": fresh()}).json()
    assert body == {"sessions": [], "count": 0, "total": 0, "limit": body["limit"],
                    "offset": 0}
    assert 1 <= body["limit"] <= 1000


def test_an_item_has_every_member_and_no_share_token(chat, server, admin, user):
    one = chat(user)
    one.turn("hello")
    chat(user, session_id=one.session)
    body = admin.get("/admin/sessions", params={"user_id": user}).json()
    assert body["count"] == body["total"] == 1
    item = body["sessions"][0]
    assert item["id"] == item["session_id"] == one.session and item["user_id"] == user
    assert_id(item["id"])
    assert_time(item["start_time"])
    assert_time(item["last_activity"])
    assert item["is_active"] is True and "end_time" not in item
    assert item["message_count"] == 2 and item["connections"] == 2
    for member in ("admin_assisted", "help_requested", "archived"):
        assert item[member] is False
    for member in ("duration", "total_tokens", "max_response_time", "avg_response_time"):
        assert isinstance(item[member], (int, float))
    assert not [key for key in item if "share" in key or "token" in key.lower()
                and key != "total_tokens"]


def test_connections_are_those_of_this_moment_on_every_shard(chat, server, admin):
    """Users of all four shards; each with as many connections as their number."""
    users = [fresh(f"u{n}") for n in range(8)]
    sockets = []
    for n, name in enumerate(users):
        one = chat(name)
        one.turn("hello")
        sockets.append([one] + [chat(name, session_id=one.session) for _ in range(n % 3)])

    def counts():
        items = admin.get("/admin/sessions", params={"limit": 1000}).json()["sessions"]
        found = {item["user_id"]: item["connections"] for item in items}
        return [found[name] for name in users]
    assert counts() == [1 + n % 3 for n in range(8)]
    for group in sockets:
        group[0].close()
    wait_for(lambda: counts() == [n % 3 for n in range(8)], 5, "they are counted no more")


def test_filters(chat, server, admin, user):
    mine = make(server, user, 3)
    client = server.user(user)
    client.post(f"/sessions/{mine[0]}/end")
    other = make(server, fresh())[0]
    helped = chat(user, session_id=mine[1])
    helped.send("help_request")
    helped.get("connection_status")

    def of(**params):
        return set(listed(admin, user_id=user, limit=1000, **params))
    assert of() == set(mine) and other not in of()
    assert of(status="active") == set(mine[1:]) and of(status="ended") == {mine[0]}
    assert of(help_requested="true") == {mine[1]}
    assert of(help_requested="false") == {mine[0], mine[2]}
    assert of(admin_assisted="true") == set() and of(admin_assisted="0") == set(mine)
    assert of(help_requested="1", status="active") == {mine[1]}
    assert of(help_requested="1", status="ended") == set()
    assert other in listed(admin, limit=1000)


def day(offset):
    return (datetime.now(timezone.utc) + timedelta(days=offset)).strftime("%Y-%m-%d")


@pytest.mark.parametrize("since,until", [("start_time_from", "start_time_to"),
                                         ("start_time", "end_time")])
def test_times_by_both_names_whole_and_as_bare_dates(server, admin, user, since, until):
    first = make(server, user)[0]
    start = server.user(user).get("/sessions").json()["sessions"][0]["start_time"]
    at = datetime.fromisoformat(start.replace("Z", "+00:00"))

    def of(**params):
        return listed(admin, user_id=user, **params)

    def near(ms):
        return (at + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds")
    assert of(**{since: start, until: start}) == [first]
    assert of(**{since: near(1)}) == [] and of(**{until: near(-1)}) == []
    assert of(**{since: near(-1), until: near(1)}) == [first]
    assert of(**{since: start[:10]}) == [first] and of(**{until: start[:10]}) == [first]
    assert of(**{since: day(-2), until: day(2)}) == [first]
    assert of(**{since: day(2)}) == [] and of(**{until: day(-2)}) == []


KEYS = {"start_time": "start_time", "end_time": "end_time", "duration": "duration",
        "message_count": "message_count", "total_tokens": "total_tokens",
        "user_id": "user_id", "last_activity": "last_activity"}


@pytest.mark.parametrize("key", KEYS)
def test_sorting_by_every_key_both_ways(chat, server, admin, fake, key):
    day_start = {"start_time_from": day(-1)}
    for n in range(3):
        one = chat(fresh())
        question = fresh("q")
        fake.when(question, plain("x", usage=(n, 10 - n)))
        for _ in range(3 - n):
            one.turn(question)
        server.user(one.user).post(f"/sessions/{one.session}/end")

    def values(**params):
        items = admin.get("/admin/sessions", params={
            "sort_by": key, "limit": 1000, **day_start, **params}).json()["sessions"]
        return [item.get(KEYS[key]) or "" for item in items] if key == "end_time" else [
            item[KEYS[key]] for item in items]
    up = values(sort_order="asc")
    assert len(up) >= 3 and up == sorted(up)
    assert values(sort_order="desc") == up[::-1] == values()


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
def test_pages_give_everything_once(server, admin, user, limit):
    made = make(server, user, 7)
    seen, offset = [], 0
    while True:
        body = admin.get("/admin/sessions", params={
            "user_id": user, "limit": limit, "offset": offset}).json()
        assert body["limit"] == limit and body["offset"] == offset and body["total"] == 7
        assert body["count"] == len(body["sessions"]) <= limit
        if not body["sessions"]:
            break
        seen += [item["id"] for item in body["sessions"]]
        offset += limit
    assert seen == made[::-1]


BAD = [(name, value)
       for names, values in [
           (["limit"], ["0", "1001", "-1", "abc", "1.5", "", "1e1", " 1"]),
           (["offset"], ["-1", "abc", "", "1.0", "9" * 30]),
           (["status"], ["nope", "", "Active", "active,ended"]),
           (["admin_assisted", "help_requested"], ["maybe", "", "2", "TRUE", "yes"]),
           (["start_time_from", "start_time_to", "start_time", "end_time"],
            ["yesterday", "", "2026-13-01", "2026-02-30", "2026-1-1", "1700000000",
             "2026-11-21T25:00:00Z", "2026-11-21T10:00:00", "2026-11-21 10:00:00Z"]),
           (["sort_by"], ["name", "", "ts", "start_time desc", "start_time;--", "1"]),
           (["sort_order"], ["up", "", "ASC", "-1"]),
           (["user_id"], ["", "x" * 256, "a\nb", "\x00"])]
       for name in names for value in values]


@pytest.mark.parametrize("name,value", BAD)
def test_every_bad_value_is_400_naming_the_parameter(admin, name, value):
    answer = admin.get("/admin/sessions", params={name: value})
    assert_error(answer, 400, "BAD_REQUEST", field=name)


def test_what_is_not_a_filter_is_left_alone(admin):
    assert admin.get("/admin/sessions?x=1&limit=5&sort=up").status_code == 200


def test_a_user_s_sessions_are_an_array_of_items(chat, server, admin, user):
    made = make(server, user, 2)
    chat(user, session_id=made[0])
    body = admin.get(f"/admin/users/{user}/sessions").json()
    assert isinstance(body, list)
    assert [item["id"] for item in body] == made[::-1]
    assert [item["connections"] for item in body] == [0, 1]
    assert {item["user_id"] for item in body} == {user}
    assert admin.get(f"/admin/users/{fresh()}/sessions").json() == []
    assert_error(admin.get(f"/admin/users/{user}/sessions?limit=0"), 400, field="limit")


@pytest.mark.parametrize("name", ["a/b", "/", "a/../b", ".", "..", "a\\b", "100%", "%2F", "a?b#c",
                                  "ä ü", "😀", "a+b", "a;b=c&d", "x" * 255, "{id}"])
def test_every_user_id_can_be_asked_for(server, name):
    """Whatever a token may say: one path segment, percent-encoded, names it."""
    made = make(server, name)
    head = [("Authorization", f"Bearer {token(fresh('op'), roles=['admin'])}")]
    segment = quote(name, safe="").replace(".", "%2E")
    path = f"{server.prefix}/admin/users/{segment}/sessions"
    answer = answered(server, request(server, "GET", path, head))
    assert answer.status == 200, answer
    assert {item["user_id"] for item in answer.json()} == {name}
    assert set(made) <= {item["id"] for item in answer.json()}


# --- a transcript

def test_a_transcript_is_the_user_s_page_with_the_operators_members(chat, server, admin,
                                                                    user):
    one = chat(user)
    one.turn("first")
    one.turn("second")
    own = server.user(user).get(f"/sessions/{one.session}").json()
    theirs = admin.get(f"/admin/sessions/{one.session}").json()
    assert {key: theirs[key] for key in own} == own
    assert theirs["user_id"] == user and theirs["connections"] == 1
    assert theirs["message_count"] == 4 and theirs["is_active"] is True
    assert "share_token" not in theirs


def test_a_transcript_is_read_page_by_page(chat, admin, user):
    one = chat(user)
    for n in range(3):
        one.turn(f"q{n}")
    seen = transcript(admin, f"/admin/sessions/{one.session}", limit=2)
    assert [m["seq"] for m in seen] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("sid", ["0" * 32, "nope", "x" * 32, "0" * 31, "A" * 32])
def test_an_unknown_transcript_is_404_and_not_audited(server, sid):
    name = fresh("op")
    one = operator(server, name)
    assert_error(one.get(f"/admin/sessions/{sid}"), 404, "NOT_FOUND")
    assert one.get("/admin/audit", params={"actor": name}).json() == {"events": []}


@pytest.mark.parametrize("name,value", [
    ("limit", "0"), ("limit", "1001"), ("limit", "x"), ("before_seq", "0"),
    ("before_seq", "x"), ("before_seq", "-1")])
def test_a_bad_page_of_a_transcript_is_400(server, admin, user, name, value):
    made = make(server, user)[0]
    assert_error(admin.get(f"/admin/sessions/{made}", params={name: value}), 400,
                 field=name)


# --- figures

COUNTS = ("active_sessions", "total_sessions", "max_concurrent", "total_tokens",
          "max_response_time", "admin_assisted_count", "connections")
AVERAGES = ("avg_concurrent", "avg_response_time")


@pytest.fixture
def quiet(spawn, fake):
    """A server that nobody else uses."""
    return spawn({**provider_env(fake), **ROOMY})


def figures(client, **params):
    answer = client.get("/admin/metrics", params=params)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    for name in COUNTS:
        assert isinstance(body[name], int) and body[name] >= 0, name
    for name in AVERAGES:
        assert isinstance(body[name], (int, float)) and body[name] >= 0, name
    assert {name: body[name] for name in body["metrics"]} == body["metrics"]
    assert set(COUNTS + AVERAGES) <= set(body["metrics"])
    assert_time(body["time_range"]["start_time"])
    assert_time(body["time_range"]["end_time"])
    return body


def test_figures_of_an_empty_server_are_zero(quiet):
    body = figures(operator(quiet))
    assert not any(body[name] for name in COUNTS + AVERAGES)


def test_figures_count_what_happened(quiet, connect, fake, question):
    """Req 1.4: what memory holds can be asked for; Req 12.4: response times."""
    fake.when(question, plain("x", usage=(3, 4)))
    one, two = connect(quiet, "ann"), connect(quiet, "bob")
    one.turn(question)
    two.turn(question)
    two.turn(question)
    body = figures(operator(quiet))
    assert body["total_sessions"] == body["active_sessions"] == 2
    assert body["total_tokens"] == 21 and body["connections"] == 2
    assert body["sessions_in_memory"] == {"active": 2, "inactive": 0, "total": 2}
    assert body["max_response_time"] >= body["avg_response_time"] > 0 or (
        body["max_response_time"] == 0)
    quiet.user("bob").post(f"/sessions/{two.session}/end")
    body = figures(operator(quiet))
    assert (body["active_sessions"], body["inactive_sessions"]) == (1, 1)
    assert body["total_sessions"] == 2
    assert body["sessions_in_memory"] == {"active": 1, "inactive": 1, "total": 2}
    one.close()
    wait_for(lambda: figures(operator(quiet))["connections"] == 1, 5, "one has gone")


def test_sessions_that_may_still_go_on_are_at_once(quiet):
    """Those without an end live on while they are idle, as in memory."""
    made = make(quiet, "ann", 3)
    one = operator(quiet)
    assert figures(one)["max_concurrent"] == figures(one)["active_sessions"] == 3
    quiet.user("ann").post(f"/sessions/{made[0]}/end")
    body = figures(one)
    assert (body["max_concurrent"], body["active_sessions"]) == (3, 2)
    assert body["avg_concurrent"] <= body["max_concurrent"]


def test_sessions_at_once(quiet, connect):
    one, two = connect(quiet, "ann"), connect(quiet, "bob")
    one.turn("a")
    two.turn("b")
    one.turn("c")
    assert figures(operator(quiet))["max_concurrent"] == 2


def test_figures_are_of_the_range_that_is_asked_for(quiet):
    make(quiet, "ann", 2)
    one = operator(quiet)
    assert figures(one, start_time=day(-1), end_time=day(0))["total_sessions"] == 2
    assert figures(one, start_time=day(-9), end_time=day(-8))["total_sessions"] == 0
    assert figures(one, start_time=day(2), end_time=day(3))["total_sessions"] == 0
    body = figures(one, start_time="2026-01-02T03:04:05+01:00", end_time="2026-01-03")
    assert body["time_range"] == {"start_time": "2026-01-02T02:04:05.000Z",
                                  "end_time": "2026-01-03T23:59:59.999Z"}


@pytest.mark.parametrize("params,field", [
    ({"start_time": "soon"}, "start_time"), ({"end_time": "later"}, "end_time"),
    ({"start_time": ""}, "start_time"), ({"end_time": "2026-02-30"}, "end_time"),
    ({"start_time": "2026-01-02", "end_time": "2026-01-01"}, "end_time"),
    ({"start_time": "2026-01-01T00:00:01Z", "end_time": "2026-01-01T00:00:00Z"},
     "end_time")])
def test_a_bad_range_is_400(admin, params, field):
    assert_error(admin.get("/admin/metrics", params=params), 400, field=field)


# --- how often

def spend(client, path, most):
    """Ask until refused; the number of good answers and the refusal."""
    for count in range(most + 5):
        answer = client.get(path)
        if answer.status_code == 429:
            return count, answer
        assert answer.status_code in (200, 404), answer.text
    raise AssertionError("never refused")


@pytest.fixture(scope="module")
def strict(spawn_module, fake):
    return spawn_module({**provider_env(fake), "ADMIN_RATE_LIMIT": "4",
                         "ADMIN_RATE_WINDOW": "1m", "USER_HTTP_RATE_LIMIT": "6",
                         "SERVER_THREADS": "4"})


@pytest.mark.parametrize("path", ROUTES)
def test_operators_are_limited_told_when_and_logged(strict, path):
    """Req 18.1, 18.3, 18.4, Property 19: 429 with Retry-After, and a line in the log."""
    name = fresh("op")
    count, refusal = spend(operator(strict, name), path, 4)
    assert count == 4
    body = assert_error(refusal, 429, "TOO_MANY_REQUESTS")
    assert 0 < body["retry_after_ms"] <= 15_000
    (line,) = strict.wait_log("rate_limited", user_id=name)
    assert line["limiter"] == "admin" and line["endpoint"].startswith("/admin/")
    assert line["wait_ms"] == body["retry_after_ms"]


def test_the_buckets_of_operators_and_users_are_separate(strict):
    """Req 18.5, Property 20: an operator who has spent one has the whole of the other."""
    one = operator(strict)
    assert spend(one, "/admin/sessions", 4)[0] == 4
    assert spend(one, "/sessions", 6)[0] == 6
    other = operator(strict)
    assert spend(other, "/sessions", 6)[0] == 6
    assert spend(other, "/admin/metrics", 4)[0] == 4


def test_operators_have_the_stricter_limit(spawn, fake):
    """Req 18.2: as delivered, and whatever is configured."""
    server = spawn(provider_env(fake), limits=False)
    one = operator(server)
    assert spend(one, "/admin/audit", 60)[0] < 60
    assert [one.get("/models").status_code for _ in range(80)] == [200] * 80
    for limit, window, good in (("9", "1m", True), ("10", "1m", False), ("9", "1s", False),
                                ("500", "1h", True)):
        said = run_cli("check", env={
            **minimal_env(), "USER_HTTP_RATE_LIMIT": "10", "USER_HTTP_RATE_WINDOW": "1m",
            "ADMIN_RATE_LIMIT": limit, "ADMIN_RATE_WINDOW": window})
        assert (said.returncode == 0) == good, said.all
        assert good or "limit.admin" in said.all


def test_who_is_not_an_operator_spends_nothing_of_it(strict):
    name = fresh()
    for _ in range(8):
        assert_error(strict.user(name).get("/admin/sessions"), 403)
    assert operator(strict, name).get("/admin/sessions").status_code == 200
