# SPDX-License-Identifier: MIT
"""Ordinary HTTP: headers, errors, methods, limits, bodies, connections."""

import json

import pytest

from support.checks import assert_error, assert_headers
from support.rawhttp import RawConn, answered, exchange, request
from support.tokens import token
from support.waiting import PATIENCE

ROUTES = [("GET", "/healthz", 200), ("GET", "/readyz", 200), ("GET", "/", 200),
          ("GET", "/metrics/prometheus", 200), ("GET", "/sessions", 401),
          ("GET", "/models", 401), ("GET", "/nothing-here", 404),
          ("PUT", "/sessions", 405)]


@pytest.mark.parametrize("method,path,status", ROUTES)
def test_every_answer_carries_the_headers(server, method, path, status):
    answer = server.http.request(method, path)
    assert answer.status_code == status, answer.text
    assert_headers(answer)


def test_request_ids_differ(server):
    ids = {server.http.get("/healthz").headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


@pytest.mark.parametrize("path", ["/nothing", "/sessions/x/y/z", "/healthz/",
                                  "/ws/x", "/HEALTHZ", "/api"])
def test_an_unknown_path_is_404_as_json(server, path):
    assert_error(server.user("u").get(path), 404, "NOT_FOUND")


def test_a_path_outside_the_prefix_is_404(server):
    root = f"http://127.0.0.1:{server.port}"
    for path in ("/healthz", "/chatboxhealthz", "/chatbo", "/other/chatbox/healthz"):
        assert_error(server.http.get(root + path), 404)


@pytest.mark.parametrize("method,path,allowed", [
    ("POST", "/healthz", {"GET", "HEAD"}), ("DELETE", "/readyz", {"GET", "HEAD"}),
    ("PUT", "/sessions", {"GET", "HEAD", "POST"}),
    ("DELETE", "/sessions", {"GET", "HEAD", "POST"}),
    ("POST", "/models", {"GET", "HEAD"}), ("PATCH", "/metrics/prometheus", {"GET"}),
    ("PUT", "/sessions/0123", {"GET", "PATCH", "DELETE"}),
    ("GET", "/sessions/0123/end", {"POST"}), ("BREW", "/healthz", {"GET"})])
def test_a_wrong_method_is_405_with_allow(server, method, path, allowed):
    answer = server.user("u").request(method, path)
    assert_error(answer, 405, "METHOD_NOT_ALLOWED")
    named = {name.strip() for name in answer.headers["allow"].split(",")}
    assert allowed <= named and method not in named


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/models", "/nothing", "/"])
def test_head_answers_as_get_without_a_body(server, path):
    bearer = token("u")
    head = (("Authorization", f"Bearer {bearer}"),)
    get = answered(server, request(server, "GET", server.prefix + path, head))
    with RawConn(server) as conn:
        data = request(server, "HEAD", server.prefix + path, head)
        conn.send(data + data)
        answers = [conn.read_response("HEAD") for _ in range(2)]
    for answer in answers:
        assert answer.status == get.status
        assert answer.header("content-type") == get.header("content-type")
        assert_headers(answer)
        if get.header("content-length") and path != "/readyz":
            assert answer.header("content-length") == get.header("content-length")


def test_options_of_everything_names_every_method(server):
    with RawConn(server) as conn:
        for _ in range(2):
            conn.send(request(server, "OPTIONS", "*"))
            answer = conn.read_response("OPTIONS")
            assert answer.status == 204 and answer.body == b""
            assert_headers(answer)
            assert set(answer.header("allow").split(", ")) == {
                "GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"}


@pytest.mark.parametrize("method,path,allowed", [
    ("OPTIONS", "/sessions", "GET, HEAD, POST, OPTIONS"),
    ("OPTIONS", "/admin/users/a%2Fb/sessions", "GET, HEAD, OPTIONS"),
    ("OPTIONS", "/*", None), ("OPTIONS", "/nothing", None)])
def test_options_of_a_path_names_its_methods(server, method, path, allowed):
    answer = server.http.request(method, path)
    if allowed is None:
        assert_error(answer, 404, "NOT_FOUND")
    else:
        assert answer.status_code == 204 and answer.headers["allow"] == allowed


@pytest.mark.parametrize("path", ["P%2Fhealthz", "P%2fhealthz", "%2Fchatbox/healthz",
                                  "P/admin%2Fsessions", "P/sessions%2F", "P/%25",
                                  "P/sessions/%2F", "P/sessions/a%2Fend", "P/shared/%5C"])
def test_an_escaped_slash_parts_nothing(server, path):
    path = path.replace("P", server.prefix)
    path = path if path.startswith("/") else "/" + path
    head = (("Authorization", f"Bearer {token('u', roles=['admin'])}"),)
    with RawConn(server) as conn:
        conn.send(request(server, "GET", path, head))
        assert_error(conn.read_response(), 404, "NOT_FOUND")
        conn.send(request(server, "GET", server.prefix + "/healthz"))
        assert conn.read_response().status == 200


# --- limits

def test_a_request_line_over_8_kib_is_414(server):
    line = request(server, "GET", f"{server.prefix}/healthz?" + "x" * 8192)
    answer, closed = exchange(server, line)
    assert_error(answer, 414, "PAYLOAD_TOO_LARGE")
    assert closed


def test_a_request_line_just_below_8_kib_is_served(server):
    path = f"{server.prefix}/healthz?"
    room = 8192 - len(f"GET {path} HTTP/1.1\r\n")
    answer = answered(server, request(server, "GET", path + "x" * room))
    assert answer.status == 200


def test_a_request_line_without_end_is_414(server):
    with RawConn(server) as conn:
        conn.send_slack(b"GET /" + b"a" * 100_000)
        assert_error(conn.read_response(), 414)
        assert conn.closed_by_peer()


def numbered(count):
    return [(f"X-H{n}", "v") for n in range(count)]


def test_100_headers_are_served_and_101_are_431(server):
    path = server.prefix + "/healthz"
    good = answered(server, request(server, "GET", path, numbered(99)))
    assert good.status == 200
    bad, closed = exchange(server, request(server, "GET", path, numbered(100)))
    assert_error(bad, 431, "PAYLOAD_TOO_LARGE")
    assert closed


@pytest.mark.parametrize("headers", [
    [("X-Big", "v" * 16385)], [(f"X-{n}", "v" * 400) for n in range(42)]],
    ids=["one", "many"])
def test_more_than_16_kib_of_headers_are_431(server, headers):
    data = request(server, "GET", server.prefix + "/healthz", headers)
    answer, closed = exchange(server, data)
    assert_error(answer, 431, "PAYLOAD_TOO_LARGE")
    assert closed


def test_15_kib_of_headers_are_served(server):
    data = request(server, "GET", server.prefix + "/healthz", [("X-B", "v" * 15000)])
    assert answered(server, data).status == 200


def authorised(user="u"):
    return ("Authorization", f"Bearer {token(user)}")


def test_a_body_over_1_mib_is_413_before_it_is_read(server):
    with RawConn(server) as conn:
        conn.send(request(server, "POST", server.prefix + "/sessions",
                          [authorised(), ("Content-Length", str(1024 * 1024 + 1))]))
        assert_error(conn.read_response(), 413, "PAYLOAD_TOO_LARGE")
        assert conn.closed_by_peer()


def test_a_body_of_1_mib_is_read(server, user):
    filler = "x" * (1024 * 1024 - len('{"name":"n","pad":""}'))
    body = json.dumps({"name": "n", "pad": filler}, separators=(",", ":"))
    assert len(body) == 1024 * 1024
    answer = server.user(user).post("/sessions", content=body)
    assert answer.status_code == 201, answer.text


def test_a_chunked_body_over_1_mib_is_413(server):
    with RawConn(server) as conn:
        conn.send(request(server, "POST", server.prefix + "/sessions",
                          [authorised(), ("Transfer-Encoding", "chunked")]))
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        for _ in range(17):
            conn.send_slack(chunk)
        assert_error(conn.read_response(), 413, "PAYLOAD_TOO_LARGE")


@pytest.mark.timeout(120 * PATIENCE)
def test_slow_heads_and_slow_bodies_are_408(server):
    """10 s for a whole head, also when it trickles; 30 s without progress of a body."""
    with RawConn(server, 45) as head, RawConn(server, 45) as idle, \
            RawConn(server, 45) as body:
        head.send(b"GET /chatbox/healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        body.send(request(server, "POST", server.prefix + "/sessions",
                          [authorised(), ("Content-Length", "10")]) + b"{")
        idle.send(request(server, "GET", server.prefix + "/healthz"))
        assert idle.read_response().status == 200
        assert_error(head.read_response(), 408, "REQUEST_TIMEOUT")
        assert head.closed_by_peer()
        assert_error(body.read_response(), 408, "REQUEST_TIMEOUT")
        assert body.closed_by_peer()
        idle.send(request(server, "GET", server.prefix + "/healthz"))
        assert idle.read_response().status == 200, "keep-alive is 75 s"


# --- bodies and connections

@pytest.mark.parametrize("body", [
    "2\r\n{}\r\n0\r\n\r\n", "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
    "2;ext=1;b=\"c\"\r\n{}\r\n0\r\n\r\n", "0002\r\n{}\r\n000\r\n\r\n",
    "2\r\n{}\r\n0\r\nX-Trailer: yes\r\n\r\n"],
    ids=["plain", "two chunks", "extension", "zeros", "trailer"])
def test_a_chunked_body_is_read(server, body):
    with RawConn(server) as conn:
        conn.send(request(server, "POST", server.prefix + "/sessions",
                          [authorised(), ("Transfer-Encoding", "Chunked")]))
        conn.send(body)
        assert conn.read_response().status == 201
        conn.send(request(server, "GET", server.prefix + "/healthz"))
        assert conn.read_response().status == 200


def test_a_body_may_arrive_byte_by_byte(server):
    data = request(server, "POST", server.prefix + "/sessions", [authorised()],
                   '{"name":"slow"}')
    with RawConn(server) as conn:
        for at in range(len(data)):
            conn.send(data[at:at + 1])
        answer = conn.read_response()
    assert answer.status == 201 and answer.json()["name"] == "slow"


def test_requests_in_one_write_are_answered_in_order(server):
    paths = ["/healthz", "/nothing", "/readyz", "/models", "/metrics/prometheus"] * 4
    expected = [200, 404, 200, 401, 200] * 4
    with RawConn(server) as conn:
        conn.send(b"".join(request(server, "GET", server.prefix + p) for p in paths))
        assert [conn.read_response().status for _ in paths] == expected


def test_pipelined_posts_keep_their_bodies_apart(server, user):
    head = [authorised(user)]
    names = [f"n{n}" for n in range(10)]
    data = b"".join(request(server, "POST", server.prefix + "/sessions", head,
                            json.dumps({"name": name})) for name in names)
    with RawConn(server) as conn:
        conn.send(data)
        assert [conn.read_response().json()["name"] for _ in names] == names


def test_a_connection_changes_users_between_requests(server):
    with RawConn(server) as conn:
        for n in range(8):
            head = [authorised(f"changing-{n}")]
            conn.send(request(server, "GET", server.prefix + "/sessions", head))
            assert conn.read_response().json()["user_id"] == f"changing-{n}"


def test_connection_close_is_obeyed(server):
    data = request(server, "GET", server.prefix + "/healthz", [("Connection", "close")])
    answer, closed = exchange(server, data + data)
    assert answer.status == 200 and closed
    assert (answer.header("connection") or "").lower() == "close"


def test_http_1_0_is_answered_and_closed(server):
    data = f"GET {server.prefix}/healthz HTTP/1.0\r\nHost: x\r\n\r\n".encode()
    answer, closed = exchange(server, data)
    assert answer.status in (200, 400) and closed


def test_expect_100_continue_is_answered_before_the_body(server):
    with RawConn(server) as conn:
        conn.send(request(server, "POST", server.prefix + "/sessions",
                          [authorised(), ("Content-Length", "2"),
                           ("Expect", "100-continue")]))
        interim = conn.read_until(b"\r\n\r\n")
        assert interim.startswith(b"HTTP/1.1 100")
        conn.send("{}")
        assert conn.read_response().status == 201


@pytest.mark.parametrize("headers,status", [
    ([authorised(), ("Content-Length", "2000000")], 413),
    ([("Content-Length", "2")], 401)])
def test_a_refusal_comes_instead_of_100_continue(server, headers, status):
    with RawConn(server) as conn:
        conn.send(request(server, "POST", server.prefix + "/sessions",
                          [*headers, ("Expect", "100-continue")]))
        assert conn.read_response().status == status


def test_an_unknown_expectation_is_refused(server):
    answer = answered(server, request(server, "GET", server.prefix + "/healthz",
                                         [("Expect", "the-unexpected")]))
    assert answer.status in (400, 417)


def test_a_body_on_get_does_not_become_the_next_request(server):
    smuggled = request(server, "GET", server.prefix + "/nothing")
    first = request(server, "GET", server.prefix + "/healthz", body=smuggled)
    second = request(server, "GET", server.prefix + "/readyz")
    with RawConn(server) as conn:
        conn.send(first + second)
        answer = conn.read_response()
        if answer.status == 200:
            assert "checks" in conn.read_response().json()
        else:
            assert answer.status == 400 and conn.closed_by_peer()


def test_a_refused_request_with_a_body_does_not_confuse_the_connection(server):
    data = request(server, "POST", server.prefix + "/nothing", body="GET / HTTP/1.1")
    with RawConn(server) as conn:
        conn.send(data + request(server, "GET", server.prefix + "/healthz"))
        assert conn.read_response().status == 404
        try:
            assert conn.read_response().status == 200
        except EOFError:
            pass


@pytest.mark.parametrize("count", [200])
def test_many_requests_on_one_connection(server, count):
    data = request(server, "GET", server.prefix + "/healthz")
    with RawConn(server) as conn:
        for _ in range(count):
            conn.send(data)
            assert conn.read_response().status == 200


def test_a_client_that_leaves_in_the_middle_costs_nothing(server):
    for part in (b"", b"GET /cha", b"GET /chatbox/healthz HTTP/1.1\r\nHost"):
        with RawConn(server) as conn:
            conn.send(part)
    assert server.http.get("/healthz").status_code == 200


# --- JSON bodies

@pytest.mark.parametrize("body", [
    "{", "[]", "null", "1", '"x"', "{}{}", '{"name":"a",}', "{'name':'a'}", "\xff",
    '{"name":"\\ud800"}', '{"name":"a"} x'])
def test_a_body_that_is_not_a_json_object_is_400(server, body):
    answer = server.user("u").post("/sessions", content=body.encode("latin-1"))
    assert_error(answer, 400, "BAD_REQUEST")


def test_an_empty_body_is_an_empty_object(server, user):
    assert server.user(user).post("/sessions").status_code == 201


def test_unknown_members_are_ignored(server, user):
    answer = server.user(user).post("/sessions", json={"name": "a", "colour": [1, {}]})
    assert answer.status_code == 201


@pytest.mark.parametrize("member", ["name", "model_id"])
@pytest.mark.parametrize("value", [1, True, [], {}])
def test_a_wrong_type_is_400_with_the_field(server, member, value):
    answer = server.user("u").post("/sessions", json={member: value})
    assert_error(answer, 400, "BAD_REQUEST", member)
