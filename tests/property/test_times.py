# SPDX-License-Identifier: MIT
"""The response times that a session keeps, against a list that is cut."""

import ctypes as c
import json

import pytest
from hypothesis import given, strategies as st

from pure import CASES, LIB

LIB.times_open.restype = c.c_void_p
LIB.times_answer.restype = c.c_double

answers = st.lists(st.tuples(st.integers(0, 3) | st.integers(-1, 10 ** 12),
                             st.integers(1, 6)), min_size=1, max_size=25)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("times") / "data").encode()
    opened = c.c_void_p(LIB.times_open(folder))
    yield opened
    LIB.times_close(opened)


@CASES
@given(answers, st.integers(1, 100), st.booleans())
def test_a_session_keeps_the_last_response_times_and_no_more(store, sequence, most, fixed):
    """Req 12.1, 12.2, 12.4, 12.5. Property 12, 13: also when the limit changes."""
    session = LIB.times_session(store)
    kept, longest = [], 0
    text, counts = c.create_string_buffer(4096), (c.c_int64 * 2)()
    for duration, limit in sequence:
        limit = most if fixed else limit
        average = LIB.times_answer(store, session, c.c_int64(duration), c.c_size_t(limit),
                                   text, counts)
        if duration >= 0:
            kept = [*kept, duration][-limit:]
            longest = max(longest, duration)
            assert len(kept) <= limit
            assert average == sum(kept) / len(kept)
        assert json.loads(text.value) == kept
        assert list(counts) == [len(kept), longest]
