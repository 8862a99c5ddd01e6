# SPDX-License-Identifier: MIT
"""Origins are replaced while upgrades are judged: each sees one list, whole."""

import json
import pathlib
import signal
import sys

import pytest
from hypothesis import given, strategies as st

from pure import CASES

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from support.rawhttp import RawConn  # noqa: E402
from support.server import Server, demo_env  # noqa: E402
from support.waiting import wait_for  # noqa: E402
from support.ws import upgrade, upgrade_request  # noqa: E402

POOL = ["https://one.example", "https://two.example:8443", "http://two.example",
        "https://one.example.evil", "null"]
origins = st.sets(st.sampled_from(POOL), min_size=1)


class House:
    """A server and the list that it has now."""

    def __init__(self, path):
        self.path, self.now = path, {POOL[0]}
        self.write(self.now)
        self.server = Server({**demo_env(), "SERVER_THREADS": "4",
                              "CHATBOX_CONFIG": str(path)})

    def write(self, names):
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps({"ws": {"allowed_origins": sorted(names)}}))
        new.rename(self.path)

    def ask(self, origin):
        conn = RawConn(self.server, 30)
        conn.send(upgrade_request(self.server, headers={"Origin": origin}))
        return conn

    def replace(self, names):
        self.write(names)
        self.server.lines.clear()
        self.server.signal(signal.SIGHUP)

    def replaced(self):
        wait_for(lambda: [line for line in self.server.logged("reload")
                          if "applied" in line], 10, "the list is replaced")


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    one = House(tmp_path_factory.mktemp("origins") / "chatbox.yaml")
    yield one
    one.server.close()


@CASES
@given(origins, st.lists(st.sampled_from(POOL), min_size=2, max_size=6),
       st.sampled_from(POOL))
def test_no_upgrade_is_judged_by_a_list_that_never_was(house, new, asked, last):
    """Req 13.1, 13.2, 13.4, 13.5. Property 14."""
    early = asked[::2]
    waiting = [(origin, house.ask(origin)) for origin in early]
    house.replace(new)
    waiting += [(origin, house.ask(origin)) for origin in asked[1::2]]
    for origin, conn in waiting:
        with conn:
            accepted = conn.read_response().status == 101
        assert accepted in {origin in house.now, origin in new}, origin
    house.replaced()
    house.now = new
    judged = upgrade(house.server, headers={"Origin": last}).status
    assert judged == (101 if last in new else 403)
