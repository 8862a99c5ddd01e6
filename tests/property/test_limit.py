# SPDX-License-Identifier: MIT
"""guard/limit against an exact model: a bucket of whole fractions for every
key that ever came, with unlimited memory."""

import ctypes as c

from hypothesis import given, strategies as st

from pure import CASES, LIB, borrowed


class Bucket:
    """Holds `count` drops, one flows in per interval; all in nanoseconds."""

    def __init__(self, count, interval, now):
        self.size, self.interval = count * interval, interval
        self.level, self.at = self.size, now

    def flow(self, now):
        self.level = min(self.size, self.level + now - self.at)
        self.at = now

    def take(self, now):
        """None when allowed, else the milliseconds until it will be."""
        self.flow(now)
        if self.level >= self.interval:
            self.level -= self.interval
            return None
        return -(-(self.interval - self.level) // 1_000_000)

    def full(self, now):
        self.flow(now)
        return self.level == self.size


KEYS = [b"anna", b"bert", b"", b"\0", b"203.0.113.9", b"x" * 300]
steps = st.lists(
    st.tuples(st.sampled_from(KEYS) | st.none(),  # None: a purge
              st.integers(0, 50) | st.integers(0, 3_000_000) |
              st.sampled_from([0, 0, 0, 1, 999, 1000, 10 ** 10])),
    max_size=120)
windows = st.integers(1, 5) | st.integers(1, 10 ** 8)


@CASES
@given(st.integers(1, 5) | st.integers(1, 10 ** 6), windows, steps,
       st.integers(0, 2 ** 50))
def test_the_limiter_equals_a_model_with_unlimited_memory(
        count, window_ms, sequence, now_us):
    """Req 11.3, Property 9: a purge takes all that is full again, and no more."""
    interval = max(1, window_ms * 1_000_000 // count)
    limit = c.c_void_p(LIB.limit_new(c.c_uint64(count), c.c_uint64(window_ms),
                                     c.c_size_t(100)))
    buckets, retry = {}, c.c_uint64()
    try:
        for key, pause_us in sequence:
            now_us += pause_us
            now = now_us * 1000
            if key is None:
                held = len(buckets)
                buckets = {k: b for k, b in buckets.items() if not b.full(now)}
                gone = LIB.limit_purge(limit, c.c_uint64(now_us))
                assert gone == held - len(buckets)
                assert LIB.limit_count(limit) == len(buckets)
                continue
            bucket = buckets.setdefault(key, Bucket(count, interval, now))
            wait = bucket.take(now)
            allowed = LIB.limit_check(limit, borrowed(key), c.c_uint64(now_us),
                                      c.byref(retry))
            assert allowed == (wait is None)
            if not allowed:
                assert retry.value == wait
    finally:
        LIB.limit_free(limit)
