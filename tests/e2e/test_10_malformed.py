# SPDX-License-Identifier: MIT
"""Malformed heads, framings and handshakes, byte by byte: written status, close.

RFC 9112; protocol.md 1 and 2.1: anything ambiguous is 400 and close.
"""

import re

import pytest

from support.checks import assert_error, assert_headers
from support.malformed import FRAMING, HANDSHAKES, HEADS, ODD_TARGETS
from support.rawhttp import RawConn, answered, exchange
from support.tokens import token


def fill(server, text):
    text = re.sub(r"(?<![A-Z])P/", server.prefix + "/", text)
    text = text.replace("TOKEN", token("x"))
    return text.replace("@", f"127.0.0.1:{server.port}").encode("latin-1")


def rows(table):
    return [pytest.param(text, statuses, id=name) for name, text, statuses in table]


@pytest.mark.parametrize("text,statuses", rows(HEADS))
def test_a_malformed_head_is_refused_and_the_connection_closed(server, text, statuses):
    answer, closed = exchange(server, fill(server, text))
    assert answer.status in statuses, answer
    assert_headers(answer)
    if answer.status == 400:
        assert_error(answer, 400, "BAD_REQUEST")
    assert closed


@pytest.mark.parametrize("text,statuses", rows(ODD_TARGETS))
def test_an_odd_target_leads_nowhere(server, text, statuses):
    answer = answered(server, fill(server, text))
    assert answer.status in statuses, answer
    assert_error(answer, answer.status)


@pytest.mark.parametrize("text,statuses", rows(FRAMING))
def test_an_ambiguous_body_is_refused_and_nothing_after_it_answered(server, text,
                                                                    statuses):
    with RawConn(server) as conn:
        conn.send_slack(fill(server, text))
        answer = conn.read_response()
        assert answer.status in statuses, answer
        assert_headers(answer)
        assert conn.closed_by_peer(), conn.buffer


@pytest.mark.parametrize("text,statuses", rows(HANDSHAKES))
def test_a_malformed_handshake_is_refused(server, text, statuses):
    method = text.split(" ", 1)[0]
    answer = answered(server, fill(server, text), method)
    assert answer.status in statuses, answer
    assert_headers(answer)
    if method != "HEAD":
        assert_error(answer, answer.status)
    if answer.status == 426:
        assert answer.header("sec-websocket-version") == "13"
        assert answer.json()["code"] == "BAD_REQUEST"


@pytest.mark.parametrize("cut", ["byte by byte", "in two"])
def test_a_head_may_arrive_in_any_pieces(server, cut):
    data = fill(server, "GET P/healthz HTTP/1.1\r\nHost: @\r\nX-A: b\r\n\r\n")
    with RawConn(server) as conn:
        size = 1 if cut == "byte by byte" else len(data) // 2
        for at in range(0, len(data), size):
            conn.send(data[at:at + size])
        assert conn.read_response().status == 200


GOOD = [
    ("absolute form", "GET http://@P/healthz HTTP/1.1\r\nHost: @\r\n\r\n"),
    ("no space after the colon", "GET P/healthz HTTP/1.1\r\nHost:@\r\n\r\n"),
    ("spaces around the value", "GET P/healthz HTTP/1.1\r\nHost: \t @ \t\r\n\r\n"),
    ("a query", "GET P/healthz?x=1&y=%20 HTTP/1.1\r\nHost: @\r\n\r\n"),
    ("an escaped letter", "GET P/h%65althz HTTP/1.1\r\nHost: @\r\n\r\n"),
    ("names in any case", "GET P/healthz HTTP/1.1\r\nhOST: @\r\n\r\n"),
    ("an empty value", "GET P/healthz HTTP/1.1\r\nHost: @\r\nX-E:\r\n\r\n"),
    ("high bytes in a value",
     "GET P/healthz HTTP/1.1\r\nHost: @\r\nX-E: \xe4\xf6\r\n\r\n"),
    ("an empty line before", "\r\nGET P/healthz HTTP/1.1\r\nHost: @\r\n\r\n"),
]


@pytest.mark.parametrize("text", [pytest.param(t, id=n) for n, t in GOOD])
def test_an_unusual_but_correct_head_is_served(server, text):
    answer = answered(server, fill(server, text))
    assert answer.status == 200, answer


GOOD_SHAKES = [
    ("upgrade in any case", "Upgrade: WebSocket"),
    ("connection list", "Connection: keep-alive, Upgrade"),
    ("connection in any case", "Connection: UPGRADE"),
]


@pytest.mark.parametrize("line", [pytest.param(t, id=n) for n, t in GOOD_SHAKES])
def test_an_unusual_but_correct_handshake_is_accepted(raw, line):
    name, _, value = line.partition(": ")
    assert raw(headers={name: value}).hello["type"] == "connection_status"


def test_the_server_lives_on_after_all_of_it(server):
    assert server.http.get("/healthz").status_code == 200
