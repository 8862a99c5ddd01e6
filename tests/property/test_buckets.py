# SPDX-License-Identifier: MIT
"""Whatever users and operators ask, in whatever order: each has a bucket for
each kind of route, and nobody's requests cost anybody else's."""

import pathlib
import sys

import pytest
from hypothesis import given, strategies as st

from pure import CASES

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from support.rawhttp import RawConn, request  # noqa: E402
from support.server import Server, demo_env  # noqa: E402
from support.tokens import token  # noqa: E402
from support.ws import fresh  # noqa: E402

USER, ADMIN = 5, 3  # requests in an hour
PATHS = {"user": ["/models", "/sessions?limit=1", f"/sessions/{'0' * 32}"],
         "admin": ["/admin/metrics", "/admin/sessions?limit=1", "/admin/audit?limit=1"]}
# (who of three, of whom the first is no operator; kind; which path)
steps = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(list(PATHS)),
                           st.integers(0, 2)), max_size=24)


@pytest.fixture(scope="module")
def server():
    with Server({**demo_env(), "USER_HTTP_RATE_LIMIT": str(USER), "ADMIN_RATE_LIMIT":
                 str(ADMIN), "USER_HTTP_RATE_WINDOW": "1h", "ADMIN_RATE_WINDOW": "1h"}) as one:
        yield one


@CASES
@given(steps)
def test_every_bucket_is_emptied_by_its_own_requests_alone(server, sequence):
    """Req 18.1, 18.3, 18.5. Property 19, 20."""
    names = [fresh("user"), fresh("admin"), fresh("admin")]
    bearers = [token(name, roles=["chat_admin"] if n else []) for n, name in
               enumerate(names)]
    left = {(who, kind): most for who in range(3)
            for kind, most in (("user", USER), ("admin", ADMIN))}
    with RawConn(server, 30) as conn:
        conn.send(b"".join(request(
            server, "GET", server.prefix + PATHS[kind][path],
            [("Authorization", f"Bearer {bearers[who]}")]) for who, kind, path in sequence))
        for who, kind, path in sequence:
            answer = conn.read_response()
            if kind == "admin" and who == 0:
                assert answer.status == 403
                continue
            if left[who, kind] == 0:
                assert answer.status == 429
                assert int(answer.header("retry-after")) > 60
                continue
            left[who, kind] -= 1
            assert answer.status == (404 if "0000" in PATHS[kind][path] else 200)
