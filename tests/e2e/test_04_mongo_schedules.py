# SPDX-License-Identifier: MIT
"""Any schedule of faults between server and MongoDB, over 200 messages of ten clients.

What was acknowledged is stored, once and in order; who was told an error finds nothing
stored, unless the log says that nobody could know; each message that was sent is told
one fate; and afterwards all goes on without a restart.

CHATBOX_FAULT_SCHEDULES is how many schedules are tried (2; with CHATBOX_LONG=1 it is
1,000, in four parts), CHATBOX_FAULT_SEED what they are drawn from.
"""

import os
import random
import secrets
import sys
import traceback

import pytest
from hypothesis import HealthCheck, given, note, seed, settings as how, strategies as st

from support.mongoharm import play, schedules
from support.mongoproxy import MongoProxy
from support.mongotalk import Crowd, settings
from support.server import provider_env
from support.waiting import PATIENCE, wait_for

SIZE, COUNT = 10, 20  # clients, messages of each
LONG = os.environ.get("CHATBOX_LONG") == "1"
SCHEDULES = int(os.environ.get("CHATBOX_FAULT_SCHEDULES", "1000" if LONG else "2"))
SEED = os.environ.get("CHATBOX_FAULT_SEED", str(random.SystemRandom().getrandbits(32)))
PARTS = 4 if LONG else 1
SHRINKING_S = 600


class Stage:
    """A database, a proxy and a server, which are there for all schedules; a server
    that one of them has broken is killed and followed by another."""

    def __init__(self, spawn, fake, database, proxy):
        self.spawn, self.fake = spawn, fake
        self.database, self.proxy = database, proxy
        self.server = self.name = None

    def begin(self):
        if self.server is None:
            self.name = f"schedules_{secrets.token_hex(6)}"
            self.server = self.spawn({
                **provider_env(self.fake), "LOG_LEVEL": "info",
                **settings(self.database, self.name, self.proxy.host,
                           socketTimeoutMS=round(1000 * PATIENCE))})

    def give_up(self):
        self.proxy.well()
        self.database.fail_point_off()
        if self.server:
            self.server.kill9()
        self.server = None

    def run(self, schedule, dice):
        crowd = Crowd(self.server, dice, SIZE)
        crowd.start(COUNT)
        try:
            play(self, crowd, schedule)
        finally:
            crowd.join()
        wait_for(self.server.is_ready, 30, "ready again")
        crowd.insist()
        note(f"{crowd.acked()} acknowledged, {crowd.told()} fates")
        stored = self.database.client[self.name]
        crowd.judge(stored)
        for gone in (stored.messages, stored.sessions):
            gone.delete_many({})  # a read looks at all that there is (decision 32)


@pytest.fixture(scope="module")
def stage(spawn_module, fake, database):
    with MongoProxy(database.port) as wire:
        one = Stage(spawn_module, fake, database, wire)
        yield one
        one.proxy.well()
        if one.server:
            one.server.close()


@pytest.mark.timeout((SHRINKING_S + 30 * SCHEDULES // PARTS) * PATIENCE)
@pytest.mark.parametrize("part", range(PARTS))
def test_no_schedule_of_faults_loses_doubles_or_lies(stage, part):
    print(f"CHATBOX_FAULT_SEED={SEED}")

    @seed(f"{SEED} {part}")
    @how(max_examples=SCHEDULES // PARTS, deadline=None, print_blob=True,
         suppress_health_check=list(HealthCheck))
    @given(schedules(), st.integers(0, 2 ** 32))
    def check(schedule, dice):
        stage.begin()
        try:
            stage.run(schedule, random.Random(dice))
        except BaseException as failure:
            print(f"{failure!r}: {dice}, {schedule}")
            traceback.print_exc(file=sys.stdout)
            print("\n".join(stage.server.lines[-200:]), flush=True)
            stage.give_up()
            raise
    check()
