# SPDX-License-Identifier: MIT
"""`chatbox health`, the probe of containers: the environment of the server, and no
secret."""

import socket

import pytest

from support.server import demo_env, free_port, run_cli
from support.tlsmodel import ELSEWHERE, Authority

# What a container's probe inherits; the files were never there for this one.
OTHERS = {"JWT_SECRET_FILE": "/no/such/file", "STORE": "mongo", "RATE_LIMIT": "none",
          "LLM_PROVIDER_1_API_KEY_FILE": "/no/such/file"}


def ask(server, **more):
    own = {name: value for name, value in server.env.items()
           if name.startswith(("SERVER_", "TLS_")) or name == "CHATBOX_PATH_PREFIX"}
    return run_cli("health", env={**own, **OTHERS, **more})


def is_healthy(result, url):
    assert (result.returncode, result.stdout) == (0, f"healthy: {url}\n"), result.all
    assert result.stderr == ""


def is_not(result, why):
    assert result.returncode == 1 and result.stdout == "", result.all
    assert result.stderr.count("\n") == 1 and why in result.stderr, result.stderr


@pytest.fixture(scope="module")
def server(spawn_module):
    return spawn_module(demo_env())


def test_a_server_that_lives_is_healthy(server):
    is_healthy(ask(server), server.url("/healthz"))


def test_a_server_on_every_address_is_asked_on_loopback(server):
    is_healthy(ask(server, SERVER_HOST="0.0.0.0"), server.url("/healthz"))


def test_the_settings_file_says_where(server, tmp_path):
    file = tmp_path / "chatbox.yaml"
    file.write_text(f"server:\n  host: 127.0.0.1\n  port: {server.port}\n"
                    "store:\n  data_dir: elsewhere\n")
    is_healthy(run_cli("health", "--config", str(file)), server.url("/healthz"))


def test_proxies_are_passed_by(server):
    proxy = f"http://127.0.0.1:{free_port()}"
    is_healthy(ask(server, http_proxy=proxy, ALL_PROXY=proxy), server.url("/healthz"))


@pytest.mark.parametrize("prefix", ["/", "/a/b"])
def test_the_prefix_is_respected(spawn, prefix):
    server = spawn({**demo_env(), "CHATBOX_PATH_PREFIX": prefix})
    is_healthy(ask(server), server.url("/healthz"))


def test_tls_is_respected_whatever_the_name(spawn, tmp_path):
    pair = str(Authority(tmp_path).pair(ELSEWHERE))
    server = spawn({**demo_env(), "TLS_CERT_FILE": pair, "TLS_KEY_FILE": pair})
    is_healthy(ask(server), server.url("/healthz"))
    is_not(ask(server, TLS_CERT_FILE="", TLS_KEY_FILE=""), "http://")


def test_where_nobody_listens_it_is_not_healthy():
    port = free_port()
    is_not(run_cli("health", env={**OTHERS, "SERVER_PORT": str(port)}),
           f"http://127.0.0.1:{port}/chatbox/healthz: ")


def test_another_answer_is_not_healthy(server):
    is_not(ask(server, CHATBOX_PATH_PREFIX="/other"), "/other/healthz: status 404")


def test_silence_is_not_healthy():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        is_not(run_cli("health", env={"SERVER_PORT": str(silent.getsockname()[1])}),
               "Timeout")


def test_a_bad_port_is_exit_status_78():
    assert run_cli("health", env={"SERVER_PORT": "0"}).returncode == 78
