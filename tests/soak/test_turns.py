# SPDX-License-Identifier: MIT
"""Tens of thousands of turns in one process, and what must be true after them:
memory is flat, and everything that counts has counted the same.

bench/load_turns.c talks and is the model, too; it stops at the first answer
that is not as it must be. The wall clock of the server is pushed on by six
minutes sixty times. CHATBOX_TURNS is how many turns memory is watched for
(60,000), after as many until the storage's page caches (32 MB, and 2 for each
reader) are full.
"""

import os
import pathlib
import re
import sqlite3
import statistics
import struct
import subprocess
import sys

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from support import server as server_module  # noqa: E402
from support.server import Server, free_port  # noqa: E402
from support.tokens import SECRET  # noqa: E402
from support.waiting import wait_for  # noqa: E402

WATCHED = int(os.environ.get("CHATBOX_TURNS", "60000"))
TURNS = 2 * WATCHED
ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CHATBOX_BUILD", ROOT / "build"))
CLOCK = ROOT / "tests" / "e2e" / "support" / "clockshift.c"
SAMPLE = max(TURNS // 60, 1)
STEP_S = 360
LEAK = 32  # bytes: the least that malloc gives; lost in every turn it is seen


@pytest.fixture
def shift(tmp_path):
    """The seconds that the wall clock is ahead: a file that the server maps."""
    library, path = tmp_path / "clockshift.so", tmp_path / "shift"
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o",
                    str(library), str(CLOCK)], check=True)
    path.write_bytes(struct.pack("q", 0))
    return library, path


@pytest.fixture
def server(shift):
    library, path = shift
    port = free_port()
    one = Server({
        "LOG_LEVEL": "error", "LD_PRELOAD": str(library), "CLOCK_SHIFT": str(path),
        "SESSION_TTL": "2s", "SESSION_CLEANUP_INTERVAL": "500ms",
        "RATE_LIMIT_CLEANUP_INTERVAL": "1s",
        "LLM_PROVIDER_1_ID": "m", "LLM_PROVIDER_1_NAME": "M",
        "LLM_PROVIDER_1_TYPE": "openai", "LLM_PROVIDER_1_API_KEY": "k",
        "LLM_PROVIDER_1_ENDPOINT": f"http://127.0.0.1:{port}/v1",
        "LLM_PROVIDER_1_MODEL": "m"})
    one.model_port = port
    yield one
    one.close()
    server_module.LIVE.remove(one)


def talk(server, shift):
    """Runs the load; its samples [(turns, bytes)] and its totals."""
    samples, totals = [], {}
    with subprocess.Popen(
            [BUILD / "bench" / "load_turns", "--pid", str(server.process.pid),
             "--port", str(server.port), "--model-port", str(server.model_port),
             "--secret", SECRET, "--turns", str(TURNS), "--sample", str(SAMPLE)],
            stdout=subprocess.PIPE, text=True) as load:
        for line in load.stdout:
            if match := re.match(r"turns (\d+) kb (\d+)", line):
                samples.append((int(match[1]), int(match[2]) * 1024))
                with open(shift, "r+b") as file:  # truncated it would be a SIGBUS
                    file.write(struct.pack("q", len(samples) * STEP_S))
            else:
                words = line.split()[1:]
                totals = dict(zip(words[::2], map(int, words[1::2])))
    assert load.returncode == 0
    return samples, totals


def slope(samples):
    """Bytes a turn by least squares, and the standard error of that."""
    turns, memory = zip(*samples)
    fit = statistics.linear_regression(turns, memory)
    spread = sum((t - statistics.fmean(turns)) ** 2 for t in turns)
    rest = sum((m - fit.intercept - fit.slope * t) ** 2 for t, m in samples)
    return fit.slope, (rest / (len(samples) - 2) / spread) ** 0.5


def rows(server, sql):
    with sqlite3.connect(f"file:{server.data}/chatbox.db?mode=ro", uri=True) as db:
        return db.execute(sql).fetchall()


@pytest.mark.timeout(60 + TURNS // 20)
def test_turns_without_end_leave_nothing_behind(server, shift):
    descriptors = server.descriptors()
    samples, totals = talk(server, shift[1])
    settled = [one for one in samples if one[0] >= TURNS - WATCHED]
    growth, error = slope(settled)
    print(f"\n{totals}\n{len(samples) * STEP_S / 3600:.1f} hours of the wall clock; memory "
          f"{samples[0][1] >> 10} KB first, {settled[0][1] >> 10} KB after the warm-up, "
          f"{samples[-1][1] >> 10} KB last; slope {growth:.2f} B a turn "
          f"(standard error {error:.2f})")
    check_life(server, descriptors)
    check_counters(server, totals)
    check_rows(server, totals)
    assert growth < LEAK / 2


def check_life(server, descriptors):
    """Nobody is there any more, and nothing of anybody."""
    for gauge in ("chatbox_websocket_connections_total", "chatbox_sessions_in_memory",
                  "chatbox_active_sessions_total", "chatbox_store_queue"):
        wait_for(lambda name=gauge: server.metric(name) == 0, 30, f"{gauge} is 0")
    wait_for(lambda: server.descriptors() <= descriptors + 1, 100,
             "idle connections to the model are closed")


def check_counters(server, totals):
    """What the load saw, what the server counted."""
    assert totals["asked"] == totals["acked"] == totals["ended"] == TURNS
    ends = {key: value for key, value in server.metrics().items()
            if key.startswith("chatbox_turns_total") and value}
    assert sum(ends.values()) == TURNS
    assert ends.pop('chatbox_turns_total{end="cancelled"}', 0) == totals["cancelled"]
    assert list(ends) == ['chatbox_turns_total{end="stop"}']
    assert server.metric("chatbox_llm_requests_total") == totals["requests"]
    assert server.metric("chatbox_sessions_created_total") == totals["sessions"]
    assert server.metric("chatbox_websocket_connection_duration_seconds_count") == \
        totals["connections"]
    for name in ("chatbox_store_errors_total", "chatbox_llm_bad_events_total",
                 "chatbox_llm_retries_total", "chatbox_output_overflow_total",
                 "chatbox_accept_errors_total"):
        assert server.metric(name) == 0, name


def check_rows(server, totals):
    """What the load saw, what is stored."""
    server.stop()
    by_sender = dict(rows(server, "SELECT sender,count(*) FROM messages GROUP BY sender"))
    assert by_sender == {"user": TURNS, "ai": TURNS}
    assert rows(server, "SELECT count(*) FROM messages WHERE seq IS NULL") == [(0,)]
    assert rows(server, "SELECT count(*) FROM pieces") == [(0,)]
    assert rows(server, "SELECT count(DISTINCT replyTo) FROM messages") == [(TURNS,)]
    assert rows(server, "SELECT count(*) FROM messages WHERE status='cancelled'") == \
        [(totals["cancelled"],)]
    assert rows(server, "SELECT count(*),sum(seq),sum(msgCount) FROM sessions") == \
        [(totals["sessions"], 2 * TURNS, 2 * TURNS)]
    assert rows(server, "SELECT count(*) FROM (SELECT session FROM messages GROUP BY"
                " session HAVING min(seq)<>1 OR max(seq)<>count(*))") == [(0,)]
    assert rows(server, "PRAGMA integrity_check") == [("ok",)]
