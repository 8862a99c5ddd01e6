# SPDX-License-Identifier: MIT
"""Criteria of docs/requirements.md that no other file shows."""

import threading

from support.answer import Answer
from support.server import ROOT, demo_env, provider_env, run_cli
from support.tokens import SECRET
from support.waiting import wait_for
from support.ws import Chat, fresh

MEMBERS = ("seq", "content", "status", "sender", "reply_to")


def test_a_session_is_read_while_it_is_written(spawn, fake):
    """Req 10.1, 10.2, 10.4, 10.5: every reading is one consistent state."""
    server = spawn({**provider_env(fake), "SERVER_THREADS": "4"})
    user, readings, done = fresh("reader"), [], threading.Event()
    chat = Chat(server, user)
    chat.turn("first")

    def read():
        with server.user(user) as client:
            while not done.is_set():
                answer = client.get(f"/sessions/{chat.session}")
                assert answer.status_code == 200
                readings.append(answer.json()["messages"])

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for n in range(20):
        chat.turn(f"question {n}")
    wait_for(lambda: len(readings) > 40, 20, "readings")
    done.set()
    for reader in readers:
        reader.join()
    chat.close()
    with server.user(user) as client:
        last = client.get(f"/sessions/{chat.session}").json()["messages"]
    assert [m["seq"] for m in last] == list(range(1, 43))
    whole = [{k: m.get(k) for k in MEMBERS} for m in last]
    for reading in readings:
        stored = [{k: m.get(k) for k in MEMBERS} for m in reading
                  if m["status"] == "complete"]
        assert stored == whole[:len(stored)]
        assert len(reading) - len(stored) <= 1, "one answer runs at a time"


def test_the_clean_up_of_the_limiter_ends_with_the_server(spawn, connect, fake):
    """Req 11.5, Property 11: its timers do not keep the server from leaving."""
    server = spawn({**provider_env(fake), "RATE_LIMIT_CLEANUP_INTERVAL": "100ms",
                    "RATE_LIMIT": "10", "RATE_LIMIT_WINDOW": "100ms"})
    with connect(server) as chat:
        chat.turn("hello")
    server.wait_log("limiter_cleanup")
    assert server.stop() == 0
    assert server.logs[-1]["event"] == "stop"


def test_how_many_response_times_are_kept_is_a_setting(spawn, connect, fake, question):
    """Req 12.3, Property 13: of two answers the average is the newer one alone."""
    server = spawn({**provider_env(fake), "SESSION_RESPONSE_TIMES": "1"})
    fake.when(question, Answer().gate_before_head(question).tokens("x").finish())
    chat = connect(server)
    chat.turn("the first")
    chat.say(question)
    fake.wait_asked(question)
    fake.open(question)
    last = chat.rest_of_turn().end["duration_ms"]
    item = server.user(chat.user).get("/sessions").json()["sessions"][0]
    assert item["avg_response_time"] == last


def test_what_origins_mean_is_written_where_they_are_set():
    """Req 16.5: in both pages and in the warning of `check`."""
    settings = (ROOT / "docs" / "configuration.md").read_text()
    assert "empty means same origin only" in settings
    page = (ROOT / "SECURITY.md").read_text()
    assert "`ws.allowed_origins`" in page and "`*`" in page
    said = run_cli("check", env={"JWT_SECRET": SECRET, **demo_env(),
                                 "WS_ALLOWED_ORIGINS": "*"})
    assert said.returncode == 0
    assert any("allowed_origins" in line and "*" in line
               for line in said.all.splitlines())
