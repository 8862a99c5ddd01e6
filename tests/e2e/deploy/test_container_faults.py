# SPDX-License-Identifier: MIT
"""A container that cannot start says why in one sentence and ends with the right status,
by the start that the image and the compose files have."""

import os
import socket
import struct
import time

import pytest

from support.container import KEYS, Container
from support.preload import build
from support.server import free_port
from support.tlsmodel import HERE, Authority
from support.waiting import wait_for

PLACEHOLDER = "REPLACE_WITH_a_secret_of_yours_that_is_long_enough"
NAMES = {"jwt_secret": "JWT_SECRET", "encryption_keys": "ENCRYPTION_KEYS"}
DAY = 24 * 3600


@pytest.fixture
def container(image, tmp_path):
    return Container(image, tmp_path)


def refused(server, status, *words):
    """One line of the log says it, and nothing was listening."""
    server.wait_exit(expect=status)
    errors = [line["msg"] for line in server.logs if line["level"] == "error"]
    assert len(errors) == 1 and not server.logged("start"), server.lines
    assert all(word in errors[0] for word in words), errors[0]
    return errors[0]


@pytest.mark.parametrize("secret", KEYS)
@pytest.mark.parametrize("value,why", [
    (None, "does not exist"), ("weak", "<secret>"), (PLACEHOLDER, "is a placeholder")],
    ids=["missing", "weak", "placeholder"])
def test_a_secret_that_is_no_good_is_named(spawn, container, secret, value, why):
    """Req 6.4: each one by its name, and without its value."""
    if value is None:
        (container.secrets / secret).unlink()
    else:
        container.write(secret, value)
    said = refused(container.start(spawn, wait=False), 78, NAMES[secret], why)
    assert "REPLACE" not in said and KEYS[secret] not in said


@pytest.mark.parametrize("secret", KEYS)
def test_a_secret_that_the_user_may_not_read_is_named(spawn, container, secret):
    """Req 6.4: the mistake that a secret of the machine's root is."""
    os.chown(container.secrets / secret, 0, 0)
    refused(container.start(spawn, wait=False), 78, NAMES[secret], "permission denied")


@pytest.mark.parametrize("name", ["LLM_PROVIDER_1_API_KEY", "MONGO_URI"])
@pytest.mark.parametrize("value,mode,why", [
    (None, 0, "does not exist"), ("mongodb://REPLACE_WITH_yours", 0o400, "is a placeholder"),
    ("whatever", 0, "permission denied")], ids=["missing", "placeholder", "unreadable"])
def test_secrets_of_others_are_named_as_well(spawn, container, name, value, mode, why):
    """Req 6.4: those that the files' comments add."""
    if value is not None:
        container.write("another", value, mode)
    server = container.start(spawn, wait=False, **{f"{name}_FILE": "/run/secrets/another"})
    refused(server, 78, name, why)


def test_a_newline_behind_a_secret_is_not_part_of_it(spawn, connect, container):
    for secret, value in KEYS.items():
        container.write(secret, value + "\n")
    server = container.start(spawn)
    assert connect(server).turn("hello").finish == "stop"


def test_all_that_is_wrong_with_the_secrets_is_told_at_once(spawn, container):
    """Req 6.4: one line each."""
    for secret in KEYS:
        container.write(secret, PLACEHOLDER)
    server = container.start(spawn, wait=False)
    server.wait_exit(expect=78)
    said = [line["msg"] for line in server.logged("config_error")]
    assert len(said) == 2 and all(any(name in line for line in said)
                                  for name in NAMES.values())


def test_a_database_that_is_away_is_told(spawn, image, tmp_path):
    away = f"127.0.0.1:{free_port()}"
    container = Container(image, tmp_path, "compose.mongo.yaml")
    server = container.start(spawn, wait=False, MONGO_CONNECT_TIMEOUT="1s",
                             MONGO_URI=f"mongodb://{away}/?replicaSet=rs0")
    refused(server, 1, away)


def test_a_port_that_is_taken_is_told(spawn, container):
    with socket.create_server(("", container.port)):
        refused(container.start(spawn, wait=False), 1, str(container.port))


def test_a_data_folder_that_cannot_be_written_is_told(spawn, container):
    container.binds.append(f"{container.image / 'data'}:/data:ro")
    refused(container.start(spawn, wait=False), 1, "/data")


def test_a_certificate_with_another_key_is_told(spawn, container, tmp_path):
    authority = Authority(tmp_path)
    for name in ("tls_cert", "tls_key"):
        container.write(name, authority.pair(HERE).read_text())
    refused(container.start(spawn, wait=False, TLS_CERT_FILE="/run/secrets/tls_cert",
                            TLS_KEY_FILE="/run/secrets/tls_key"), 78, "/run/secrets/tls_key")


@pytest.mark.parametrize("days", [-1000, 1000])
def test_a_clock_that_is_far_off_keeps_nobody_from_starting(spawn, container, tmp_path, days):
    """But tokens of the right time are not good then: that is told as what it is."""
    shift = tmp_path / "shift"
    shift.write_bytes(struct.pack("qq", days * DAY, 0))
    container.binds += [f"{build('clockshift')}:/run/clockshift.so", f"{shift}:/run/shift"]
    server = container.start(spawn, LD_PRELOAD="/run/clockshift.so", CLOCK_SHIFT="/run/shift")
    assert server.http.get("/healthz").status_code == 200
    ahead = server.user("u", nbf=int(time.time()) - 60).get("/sessions")
    assert ahead.status_code == 401, ahead.text
    wait_for(lambda: server.logged("start"), 5, "it has started")
    year = time.gmtime(time.time() + days * DAY).tm_year
    assert server.logged("start")[0]["ts"].startswith(str(year)), "the log shows the clock"
