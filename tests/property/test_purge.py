# SPDX-License-Identifier: MIT
"""The clean-up of a limiter: at its interval, as long as there is one."""

import ctypes as c

import pytest
from hypothesis import given, strategies as st

from pure import CASES, LIB

for name, result in {"life_open": c.c_void_p, "life_close": None,
                     "purge_begin": None, "purge_end": c.c_size_t,
                     "purge_use": None, "purge_keys": c.c_size_t,
                     "purge_is_near": c.c_bool, "purge_planned_ms": c.c_int64,
                     "purge_await": c.c_int64}.items():
    getattr(LIB, name).restype = result

# The keys that are used before each clean-up.
rounds = st.lists(st.lists(st.binary(min_size=1, max_size=8), max_size=20, unique=True),
                  max_size=3)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    life = c.c_void_p(LIB.life_open(str(tmp_path_factory.mktemp("purge")).encode()))
    yield life
    LIB.life_close(life)


def await_one(house):
    """Between which two times it came."""
    before = c.c_int64()
    after = LIB.purge_await(house, c.byref(before))
    assert after >= 0, "it comes"
    return before.value, after


def clean_up(house, interval, keys):
    """Nothing leaves before its time, everything at its time."""
    assert LIB.purge_planned_ms(house) <= interval + 1
    for key in keys:
        LIB.purge_use(house, key, c.c_size_t(len(key)))
    assert LIB.purge_keys(house) == len(keys)
    late = LIB.purge_is_near(house)
    came = await_one(house)
    if late:  # used a moment ago: the next one's
        came = await_one(house)
    assert LIB.purge_keys(house) == 0
    return came


@CASES
@given(st.integers(2, 6), rounds)
def test_the_clean_up_comes_at_its_interval(house, interval, sequence):
    """Req 11.1, 11.2. Property 10: never earlier, and planned for no later."""
    LIB.purge_begin(house, c.c_uint64(interval))
    last = None
    for keys in sequence:
        before, after = clean_up(house, interval, keys)
        assert last is None or after - last >= interval
        last = before
    LIB.purge_end(house)


@CASES
@given(st.integers(1, 10 ** 9), rounds, st.booleans())
def test_the_clean_up_ends_with_its_limiter(house, interval, sequence, some):
    """Req 11.5. Property 11: whatever was planned, and whatever it has done."""
    LIB.purge_begin(house, c.c_uint64(interval))
    for keys in sequence if some and 1 < interval < 9 else []:
        clean_up(house, interval, keys)
    for key in [b"left", *(sequence[-1] if sequence else [])]:
        LIB.purge_use(house, key, c.c_size_t(len(key)))
    assert LIB.purge_end(house) == 0, "no timer is left that could fire"
