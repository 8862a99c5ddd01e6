# SPDX-License-Identifier: MIT
"""Schedules of faults between a server and MongoDB, as Hypothesis draws them: each
step waits for some more fates of messages and then does one harm, by the proxy or in
the database. The first of each choice is the mildest, so that a schedule that failed
shrinks to the steps that it needs."""

import time
from typing import NamedTuple

import bson
from hypothesis import strategies as st

from .waiting import PATIENCE, wait_for

COMMANDS = ("find", "insert", "insert", "insert", "update", "delete", None)
CODES = (112, 6, 24, 91, 189, 262, 10107, 11600, 11602, 13435, 13436, 1, 8, 13, 96)
LABELS = ([], ["RetryableWriteError"], ["RetryableWriteError", "NoWritesPerformed"])
NONSENSE = ({}, {"ok": 1.0}, {"ok": 1.0, "n": "many"}, {"ok": "yes"}, {"cursor": 5, "ok": 1.0},
            {"ok": 1.0, "n": 1, "writeErrors": [{"index": 7, "code": "x"}]},
            {"ok": 1.0, "cursor": {"id": bson.Int64(0), "ns": "a.b", "firstBatch": {}}})
KINDS = ("slow", "lost", "lost", "cut", "truncated", "garbage", "hang", "hang_before",
         "replaced", "refuse_command")
STEPS = 8
STEP_S = 2  # for the fates that a step waits for; nobody may be left to have one


class Calm(NamedTuple):
    """Nothing."""

    def strike(self, stage):
        pass


class Heal(NamedTuple):
    """What was done to the wire is over."""

    def strike(self, stage):
        stage.proxy.heal()


class OnTheWire(NamedTuple):
    """One kind of mongoproxy's for some commands."""
    kind: str
    command: str | None
    nth: int
    times: int
    options: dict

    def strike(self, stage):
        stage.proxy.fail(self.kind, self.command, self.nth, self.times, **self.options)


class InTheDatabase(NamedTuple):
    """A fail point for some commands."""
    commands: tuple
    times: int
    data: dict

    def strike(self, stage):
        stage.database.fail_point(*self.commands, times=self.times, app=stage.name,
                                  **self.data)


class Cut(NamedTuple):
    """Every connection ends."""
    reset: bool

    def strike(self, stage):
        stage.proxy.cut_all(reset=self.reset)


class Away(NamedTuple):
    """Nobody listens, or nothing comes through, for a while."""
    seconds: float
    black_hole: bool

    def strike(self, stage):
        stage.proxy.black_hole() if self.black_hole else stage.proxy.refuse()
        time.sleep(self.seconds * PATIENCE)
        stage.proxy.well()


class StepDown(NamedTuple):
    """No primary for a second."""

    def strike(self, stage):
        stage.database.step_down(1)
        wait_for(stage.database.is_primary, 20, "primary again")


class Step(NamedTuple):
    after: int  # so many more acknowledgements and errors
    harm: tuple


def fail_points():
    codes = st.sampled_from(CODES)
    return st.one_of(
        st.builds(lambda code, labels: {"errorCode": code, "errorLabels": labels}, codes,
                  st.sampled_from(LABELS)),
        st.builds(lambda code: {"errorCode": code}, codes),
        st.just({"closeConnection": True}),
        st.builds(lambda code: {"writeConcernError": {"code": code, "errmsg": "not confirmed"}},
                  st.sampled_from((64, 91, 100, 189))))


def on_the_wire():
    options = st.fixed_dictionaries({
        "reset": st.booleans(), "size": st.sampled_from((40, 21, 16, 3, 0)),
        "reply": st.sampled_from(NONSENSE), "seconds": st.sampled_from((0.02, 0.3))})
    return st.builds(OnTheWire, st.sampled_from(KINDS), st.sampled_from(COMMANDS),
                     st.integers(1, 4), st.sampled_from((1, 2, 3, 8)), options)


def harms():
    wire = on_the_wire()
    points = st.builds(InTheDatabase, st.sampled_from((
        ("find",), ("insert",), ("update",), ("insert", "update", "delete"))),
        st.sampled_from((1, 2, 3, 6)), fail_points())
    away = st.builds(Away, st.sampled_from((0.1, 0.5, 2)), st.booleans())
    return st.one_of(st.builds(Calm), wire, wire, wire, points, points,
                     st.builds(Cut, st.booleans()), away, st.builds(StepDown),
                     st.builds(Heal))


def schedules():
    steps = st.builds(Step, st.integers(0, 30), harms())
    return st.lists(steps, min_size=STEPS, max_size=STEPS).filter(
        lambda schedule: any(step.harm != Calm() for step in schedule))


def play(stage, crowd, schedule):
    """Does what the schedule says while the crowd talks; then all is well again."""
    for step in schedule:
        goal, until = crowd.told() + step.after, time.monotonic() + STEP_S * PATIENCE
        while crowd.talking() and crowd.told() < goal and time.monotonic() < until:
            time.sleep(0.005)
        step.harm.strike(stage)
    goal, until = crowd.told() + 10, time.monotonic() + STEP_S * PATIENCE
    while crowd.talking() and crowd.told() < goal and time.monotonic() < until:
        time.sleep(0.005)
    stage.database.fail_point_off()
    stage.proxy.well()
