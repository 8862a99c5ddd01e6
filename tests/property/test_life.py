# SPDX-License-Identifier: MIT
"""chat/session against a model: who stays in memory, who leaves it when, and
what is told of how many there are. Time is what the test says it is."""

import ctypes as c

import pytest
from hypothesis import given, strategies as st

from pure import CASES, LIB

for name, result in {"life_open": c.c_void_p, "life_begin": c.c_void_p,
                     "life_join": c.c_void_p, "life_turn_begin": c.c_void_p,
                     "life_sweep": c.c_size_t, "life_holds": c.c_bool,
                     "life_close": None, "life_set_ttl": None,
                     "life_set_clock": None, "life_end": None, "life_leave": None,
                     "life_turn_end": None, "life_kill": None, "life_counts": None,
                     "session_job_begin": None, "session_job_end": None}.items():
    getattr(LIB, name).restype = result

PAUSES = st.integers(0, 3) | st.sampled_from([0, 0, 99, 100, 101, 10 ** 9])
KINDS = ["begin", "join", "leave", "turn", "turn over", "job", "job over", "end",
         "reopen", "kill", "sweep"]
steps = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 20), PAUSES),
                 min_size=1, max_size=40)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("life")).encode()
    life = c.c_void_p(LIB.life_open(folder))
    yield life
    LIB.life_close(life)


class Session:
    """One in memory, as it should be."""

    def __init__(self, house, user, now):
        name = c.create_string_buffer(33)
        self.at = c.c_void_p(LIB.life_begin(house, user, name))
        self.id, self.user = name.value, user
        self.outlets, self.turns, self.jobs = [], [], 0
        self.ended = self.gone = False
        self.idle_since = now

    def used(self):
        return bool(self.outlets or self.turns or self.jobs)


class Memory:
    """A shard's sessions, and the same steps on the real one."""

    def __init__(self, house, ttl):
        self.house, self.ttl, self.now = house, ttl, 1000
        self.there, self.left = [], []  # sessions
        LIB.life_set_ttl(house, c.c_uint64(ttl))

    def settle(self, one):
        one.idle_since = None if one.used() else self.now
        if one.gone and not one.used():
            self.forget(one)

    def forget(self, one):
        self.there.remove(one)
        self.left.append(one)

    def step(self, kind, pick, pause):
        self.now += pause
        LIB.life_set_clock(self.house, c.c_uint64(self.now))
        if kind == "begin" or kind == "sweep":
            getattr(self, kind)(pick)
        elif self.there:
            one = self.there[pick % len(self.there)]
            if not one.gone or kind == "job over":
                getattr(self, kind.replace(" ", "_"))(one)

    def begin(self, pick):
        user = b"user %d" % (pick % 3)
        self.there.append(Session(self.house, user, self.now))

    def sweep(self, _):
        due = [one for one in self.there if one.idle_since is not None
               and one.idle_since + self.ttl <= self.now]
        for one in due:
            self.forget(one)
        assert LIB.life_sweep(self.house, c.c_uint64(self.now)) == len(due)

    def join(self, one):
        one.outlets.append(c.c_void_p(LIB.life_join(one.at)))
        self.settle(one)

    def leave(self, one):
        if one.outlets:
            LIB.life_leave(one.outlets.pop())
            self.settle(one)

    def turn(self, one):
        one.turns.append(c.c_void_p(LIB.life_turn_begin(one.at)))
        self.settle(one)

    def turn_over(self, one):
        if one.turns:
            LIB.life_turn_end(one.at, one.turns.pop())
            self.settle(one)

    def job(self, one):
        LIB.session_job_begin(one.at)
        one.jobs += 1
        one.idle_since = None

    def job_over(self, one):
        if one.jobs:
            LIB.session_job_end(one.at)
            one.jobs -= 1
            self.settle(one)

    def end(self, one):
        one.ended = True
        LIB.life_end(one.at, c.c_bool(True))

    def reopen(self, one):
        one.ended = False
        LIB.life_end(one.at, c.c_bool(False))

    def kill(self, one):
        if one.turns:
            return  # (they would be ended by libcurl)
        LIB.life_kill(one.at)
        one.gone = True
        for outlet in one.outlets:
            LIB.life_leave(outlet)
        one.outlets = []
        self.settle(one)

    def judge(self):
        told = (c.c_int64 * 6)()
        LIB.life_counts(self.house, told)
        ended = sum(one.ended for one in self.there)
        count = len(self.there)
        assert list(told) == [count, count, count, count - ended, ended,
                              len({one.user for one in self.there})]

    def judge_names(self):
        assert all(LIB.life_holds(self.house, one.id) for one in self.there)
        assert not any(LIB.life_holds(self.house, one.id) for one in self.left)

    def empty(self):
        for one in list(self.there):
            while one.jobs:
                self.job_over(one)
            while one.outlets:
                self.leave(one)
            while one.turns:
                self.turn_over(one)
        self.step("sweep", 0, self.ttl)
        assert self.there == []
        self.judge()


@CASES
@given(st.sampled_from([0, 1, 100]) | st.integers(0, 10 ** 9), steps)
def test_who_is_unused_for_the_ttl_leaves_memory_and_nobody_else(house, ttl, sequence):
    """Req 1.1, 1.2, 1.4. Property 1, 2, 3."""
    memory = Memory(house, ttl)
    try:
        for kind, pick, pause in sequence:
            memory.step(kind, pick, pause)
            memory.judge()
        memory.judge_names()
    finally:
        memory.empty()
