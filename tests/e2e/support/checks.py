# SPDX-License-Identifier: MIT
"""What every answer owes its reader: protocol.md 1."""

import re

from .waiting import wait_for

CODES = {400: {"BAD_REQUEST"}, 401: {"UNAUTHORIZED", "INVALID_TOKEN", "EXPIRED_TOKEN"},
         403: {"FORBIDDEN"}, 404: {"NOT_FOUND"}, 405: {"METHOD_NOT_ALLOWED"},
         408: {"REQUEST_TIMEOUT"}, 409: {"CONFLICT"}, 413: {"PAYLOAD_TOO_LARGE"},
         414: {"PAYLOAD_TOO_LARGE"}, 415: {"UNSUPPORTED_MEDIA_TYPE"},
         426: {"BAD_REQUEST"}, 429: {"TOO_MANY_REQUESTS"},
         431: {"PAYLOAD_TOO_LARGE"}, 500: {"INTERNAL_ERROR"},
         503: {"SERVICE_UNAVAILABLE"}}
HEX_ID = re.compile(r"^[0-9a-f]{32}$")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
SNAKE = re.compile(r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$")


def status_of(answer):
    return getattr(answer, "status_code", None) or answer.status


def header_of(answer, name):
    if hasattr(answer, "status_code"):
        return answer.headers.get(name)
    return answer.header(name)


def assert_headers(answer):
    """The headers that every response carries."""
    assert header_of(answer, "x-content-type-options") == "nosniff"
    assert header_of(answer, "x-frame-options") == "DENY"
    assert header_of(answer, "referrer-policy") == "strict-origin-when-cross-origin"
    assert header_of(answer, "x-request-id")


def assert_error(answer, status, code=None, field=None):
    """An error answer of this status in the written form; gives its body."""
    assert status_of(answer) == status, getattr(answer, "text", answer)
    assert_headers(answer)
    kind = header_of(answer, "content-type") or ""
    assert kind.split(";")[0] == "application/json", kind
    body = answer.json()
    assert SNAKE.match(body["error"]), body
    assert body["code"] in CODES[status], body
    assert code is None or body["code"] == code, body
    assert isinstance(body["message"], str) and body["message"], body
    assert body["request_id"] == header_of(answer, "x-request-id"), body
    if field is not None:
        assert body.get("field") == field, body
    if status == 429:
        retry_ms, retry_s = body["retry_after_ms"], header_of(answer, "retry-after")
        assert isinstance(retry_ms, int) and retry_ms >= 0, body
        assert int(retry_s) == max(1, -(-retry_ms // 1000)), (retry_s, body)
    return body


def one_too_many(chat):
    """Asks until it is refused; the error. Who takes long to ask is allowed more."""
    turn = wait_for(lambda: (asked := chat.turn("once more")).error and asked, 10, "a refusal")
    assert turn.error["code"] == "TOO_MANY_REQUESTS", turn.error
    return turn.error


def assert_id(value):
    assert isinstance(value, str) and HEX_ID.match(value), value


def assert_time(value):
    assert isinstance(value, str) and TIME.match(value), value
