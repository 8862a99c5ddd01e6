# SPDX-License-Identifier: MIT
"""Many slow and dead peers at once, and a process that is out of descriptors."""

import os
import resource
import socket
import time
from pathlib import Path

import pytest

from support.answer import Answer
from support.server import provider_env
from support.waiting import PATIENCE, wait_for
from support.ws import RawWs

SLOW = 800


@pytest.fixture(scope="module", autouse=True)
def room():
    """This process may have as many sockets as the system lets it."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def dial(server, data=b""):
    conn = socket.create_connection(("127.0.0.1", server.port), 10)
    conn.sendall(data)
    return conn


def answer_of(conn):
    """What the server says until it closes."""
    conn.settimeout(40)
    got = b""
    while True:
        try:
            more = conn.recv(4096)
        except ConnectionResetError:
            return got
        if not more:
            return got
        got += more


@pytest.mark.timeout(180 * PATIENCE)
def test_slow_heads_and_bodies_by_the_hundred_disturb_nobody(spawn, connect, fake):
    """1: a head within 10 s, a body with progress every 30 s; others go on."""
    server = spawn(provider_env(fake))
    before = server.descriptors()
    head = f"GET {server.prefix}/healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ".encode()
    slow = [dial(server, head) for _ in range(SLOW)]
    silent = [dial(server) for _ in range(SLOW // 4)]
    wait_for(lambda: server.descriptors() >= before + len(slow), 10, "all are there")
    one = connect(server)
    for n in range(10):
        assert one.turn(f"q{n}").finish == "stop"
        slow[n].sendall(b"a")  # progress of a head does not count
    assert server.http.get("/readyz").status_code == 200
    for conn in slow:
        assert answer_of(conn).startswith(b"HTTP/1.1 408 ")
        conn.close()
    for conn in silent:
        assert answer_of(conn)[:12] in (b"", b"HTTP/1.1 408")
        conn.close()
    wait_for(lambda: server.descriptors() <= before + 5, 10, "they are let go")
    assert one.turn("still here").finish == "stop"


@pytest.mark.timeout(120 * PATIENCE)
def test_half_open_peers_by_the_hundred_are_found_by_silence(spawn, connect, fake):
    """2.2: who answers no ping is dropped on time, whoever else is busy."""
    server = spawn({**provider_env(fake), "WS_PING_PERIOD": "1s", "WS_PONG_WAIT": "3s"})
    gauge = "chatbox_websocket_connections_total"
    keeps = connect(server)
    dead = [RawWs(server) for _ in range(150)]
    wait_for(lambda: server.metric("chatbox_peers_silent_total") == 150, 15,
             "the silent ones are dropped")
    wait_for(lambda: server.metric(gauge) == 1, 5, "and counted no more")
    assert keeps.turn("still here").finish == "stop"
    for peer in dead:
        peer.close()


class few_descriptors:  # noqa: N801 (a context manager with a function's name)
    """The server may open so many descriptors more."""

    def __init__(self, server, more):
        self.server, self.more = server, more

    def __enter__(self):
        pid = self.server.process.pid
        self.before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        highest = max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE,
                         (highest + 1 + self.more, self.before[1]))

    def __exit__(self, *_):
        resource.prlimit(self.server.process.pid, resource.RLIMIT_NOFILE, self.before)


def cpu_ticks(server):
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


# With so few none is kept back, and MongoDB's driver may want one at any time;
# test_33_floods.py has 256 on either storage.
@pytest.mark.sqlite
@pytest.mark.timeout(120 * PATIENCE)
def test_out_of_descriptors_those_inside_go_on_and_it_recovers(spawn, connect, fake,
                                                               question):
    """Clean refusals, no busy loop, recovery when others leave."""
    server = spawn(provider_env(fake))
    fake.when(question, Answer().tokens("some ").gate(question).tokens("more").finish())
    one = connect(server)
    one.say(question, client_id="c")
    one.get("ai_response")
    with few_descriptors(server, 10):
        crowd = [dial(server) for _ in range(60)]
        one.send("ping")
        one.get("pong")
        began, ticks = time.monotonic(), cpu_ticks(server)
        wait_for(lambda: time.monotonic() - began > 2, 5, "two seconds of being full")
        spent = (cpu_ticks(server) - ticks) / os.sysconf("SC_CLK_TCK")
        assert spent < 1, "it does not try again and again"
        one.send("ping")
        one.get("pong")
        fake.open(question)
        turn = one.rest_of_turn()
        assert turn.finish == "stop" and turn.text == "more"
        for conn in crowd:
            conn.close()
        wait_for(server.is_ready, 20, "it serves again")
    assert connect(server).turn("hello").finish == "stop"
    page = server.user(one.user).get(f"/sessions/{one.session}").json()["messages"]
    assert page[1]["content"] == "some more"
    assert server.metric("chatbox_accept_errors_total") >= 1
