# SPDX-License-Identifier: MIT
"""MongoDB fails while ten clients talk: by the death of the server, of the database
and of both, by a step-down. Schedules of faults are test_04_mongo_schedules.

Whatever happens, what was acknowledged is stored, once and in order; who was told an
error finds nothing stored, unless the log says that nobody could know; and afterwards
all goes on without a restart.

With CHATBOX_LONG=1 there are ten deaths of each instead of two.
"""

import os
import random
import secrets

import pytest

from support.mongotalk import Crowd, settings
from support.server import provider_env
from support.waiting import PATIENCE, wait_for

SIZE = 10  # clients
LONG = os.environ.get("CHATBOX_LONG") == "1"
DEATHS = 10 if LONG else 2
EACH = 4 * DEATHS  # messages of each client

pytestmark = pytest.mark.timeout(60 * (DEATHS + 1) * PATIENCE)


@pytest.fixture
def name():
    return f"faults_{secrets.token_hex(6)}"


@pytest.fixture
def server(spawn, fake, database, proxy, name):
    one = spawn({**provider_env(fake), **settings(database, name, proxy.host)})
    yield one
    database.fail_point_off()
    proxy.well()
    one.close()


def all_is_well(server):
    wait_for(server.is_ready, 30, "ready again")


@pytest.mark.parametrize("victims", ["server", "database", "both"])
def test_nothing_acknowledged_is_lost_or_doubled_by_kill_9(server, database, name, victims):
    crowd = Crowd(server, random.Random(), SIZE)
    crowd.start(EACH, stubborn=True)
    for death in range(1, DEATHS + 1):
        wait_for(lambda: crowd.acked() >= death * SIZE * EACH / (DEATHS + 1), 60,  # noqa: B023
                 f"so many messages are acknowledged that it is time for death {death}")
        if victims != "database":
            server.kill9()
        if victims != "server":
            database.kill9()
            database.start()
        if victims != "database":
            server.start()
    crowd.join()
    all_is_well(server)
    assert crowd.acked() == SIZE * EACH
    crowd.insist()
    crowd.judge(database.client[name])


def test_a_step_down_of_4_s_under_load_loses_nothing(server, database, name):
    """Req 9.1: no primary for a while is a reason that passes."""
    crowd = Crowd(server, random.Random(), SIZE)
    crowd.start(EACH)
    wait_for(lambda: crowd.acked() >= 0.25 * SIZE * EACH, 60, "all are talking")
    database.step_down(4)
    crowd.join()
    wait_for(database.is_primary, 20, "primary again")
    all_is_well(server)
    assert server.logged("store_retry")
    crowd.insist()
    crowd.judge(database.client[name])
