# SPDX-License-Identifier: MIT
"""A server starts, says so, answers and stops."""

import json
import os
import re
import signal
import socket
import sqlite3

import pytest

from support.checks import assert_headers, assert_time
from support.server import ROOT, demo_env, minimal_env, provider_env, run_cli
from support.tokens import SECRET
from support.waiting import wait_for


def test_serve_starts_answers_and_stops_cleanly(spawn):
    """Req 5.1, 5.3, 5.4: it answers on the configured port until SIGTERM."""
    server = spawn(demo_env())
    answer = server.http.get("/healthz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "healthy"
    assert_time(answer.json()["timestamp"])
    assert_headers(answer)
    assert server.stop() == 0
    assert server.logged("stop")


ROUTES = re.findall(r'^ROUTE\((\w+), "([^"]+)"',
                    (ROOT / "src" / "gate" / "routes.def").read_text(), re.M)


def test_every_route_is_there_when_the_server_is_ready(spawn):
    """Req 5.1, 5.2: each path with each of its methods."""
    assert len(ROUTES) > 20
    server = spawn(demo_env())
    for method, pattern in ROUTES:
        path = re.sub(r"\{\w+\}", "x", pattern)
        answer = server.http.request("TRACE", path)
        assert answer.status_code == 405, (path, answer)
        assert method in answer.headers["allow"].split(", "), (method, path)
    answer = server.http.get("/no/such/path")
    assert answer.status_code == 404 and "allow" not in answer.headers


def test_the_start_line_names_the_address_really_bound(spawn):
    """Req 5.5: start-up completion and the listening address are logged."""
    server = spawn(demo_env())
    started = server.wait_log("start")
    assert any(f"127.0.0.1:{server.port}" in json.dumps(line) for line in started)


def test_every_log_line_is_a_json_object_with_its_members(spawn):
    server = spawn(demo_env())
    server.http.get("/healthz")
    server.stop()
    assert server.lines
    for text in server.lines:
        line = json.loads(text)
        assert {"ts", "level", "event", "msg"} <= line.keys(), line
        assert line["level"] in ("error", "warn", "info", "debug")
        assert isinstance(line["event"], str) and isinstance(line["msg"], str)


def test_serve_prints_nothing_on_standard_output(spawn):
    server = spawn(demo_env())
    server.stop()
    assert server.stdout == []


def test_readyz_names_its_checks(spawn, fake):
    server = spawn({**provider_env(fake), **demo_env(2)})
    answer = server.http.get("/readyz")
    body = answer.json()
    assert answer.status_code == 200 and body["status"] == "ready"
    assert_time(body["timestamp"])
    assert isinstance(body["checks"]["storage"], dict)
    assert body["checks"]["llm"]["providers_count"] == 2


@pytest.mark.sqlite
def test_the_database_lies_in_the_data_folder(spawn):
    server = spawn(demo_env())
    path = os.path.join(server.data, "chatbox.db")
    assert os.path.isfile(path)
    server.stop()
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        names = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
    assert {"sessions", "messages"} <= names


@pytest.mark.sqlite
def test_the_data_folder_is_made_when_it_is_not_there(spawn, tmp_path):
    server = spawn(demo_env(), data=str(tmp_path / "new"))
    assert (tmp_path / "new" / "chatbox.db").exists()
    server.stop()


@pytest.mark.parametrize("threads", ["1", "4"])
def test_serve_runs_with_any_number_of_threads(spawn, threads):
    server = spawn({**demo_env(), "SERVER_THREADS": threads})
    for _ in range(8):
        assert server.client().get("/healthz").status_code == 200


@pytest.mark.parametrize("prefix,path", [
    ("/chatbox", "/chatbox/healthz"), ("/", "/healthz"),
    ("/a/b", "/a/b/healthz")])
def test_routes_lie_below_the_path_prefix(spawn, prefix, path):
    server = spawn({**demo_env(), "CHATBOX_PATH_PREFIX": prefix})
    root = f"http://127.0.0.1:{server.port}"
    assert server.http.get(root + path).status_code == 200
    if prefix != "/":
        assert server.http.get(root + "/healthz").status_code == 404


def test_sigint_stops_as_sigterm_does(spawn):
    server = spawn(demo_env())
    assert server.stop(sig=signal.SIGINT) == 0


def test_a_taken_port_is_exit_status_1(spawn):
    server = spawn(demo_env())
    second = run_cli("serve", env={**server.env})
    assert second.returncode == 1, second.all
    assert str(server.port) in second.stderr
    assert server.http.get("/healthz").status_code == 200


def test_a_port_taken_by_somebody_else_is_exit_status_1(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = run_cli("serve", env={
            **minimal_env(), "SERVER_HOST": "127.0.0.1", "SERVER_PORT": str(port),
            "DATA_DIR": str(tmp_path)})
    assert result.returncode == 1, result.all


def test_a_data_folder_that_cannot_be_made_is_exit_status_1(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    result = run_cli("serve", env={**minimal_env(), "DATA_DIR": str(blocker / "data"),
                                   "SERVER_PORT": "18080"})
    assert result.returncode == 1, result.all


def test_a_database_that_is_not_one_is_exit_status_1(tmp_path):
    (tmp_path / "chatbox.db").write_bytes(b"certainly not a database\n" * 100)
    result = run_cli("serve", env={**minimal_env(), "DATA_DIR": str(tmp_path),
                                   "SERVER_HOST": "127.0.0.1",
                                   "SERVER_PORT": "18081"})
    assert result.returncode == 1, result.all


@pytest.mark.parametrize("missing,named", [
    ("JWT_SECRET", "auth.jwt_secret"), ("LLM_PROVIDER_1_ID", "llm.providers")])
def test_serve_refuses_to_start_without_a_key_and_a_provider(missing, named, tmp_path):
    """Req 19.1, 19.2, 19.4: required settings are checked before anything else."""
    env = {**minimal_env(), "DATA_DIR": str(tmp_path / "data")}
    if missing == "JWT_SECRET":
        env.pop("JWT_SECRET")
    else:
        env = {"JWT_SECRET": SECRET, "DATA_DIR": env["DATA_DIR"]}
    result = run_cli("serve", env=env)
    assert result.returncode == 78, result.all
    assert named in result.all
    assert not (tmp_path / "data").exists()


def test_a_restart_on_the_same_folder_keeps_sessions(spawn, user):
    server = spawn(demo_env())
    made = server.user(user).post("/sessions", json={"name": "kept"}).json()
    server.stop()
    server.start()
    assert server.user(user).get(f"/sessions/{made['id']}").status_code == 200


def test_descriptors_return_to_where_they_were(spawn, connect):
    """Req 3.5: a closed connection leaves no descriptor behind."""
    server = spawn(demo_env())
    server.http.close()
    server._http = None
    for _ in range(20):
        connect(server).close()  # every thread has opened what it keeps open
    before = wait_for(lambda: server.metric("chatbox_websocket_connections_total") == 0
                      and server.descriptors(), 5, "all closed")
    for _ in range(40):
        connect(server).close()
    wait_for(lambda: server.descriptors() <= before, 5, "descriptors closed")
