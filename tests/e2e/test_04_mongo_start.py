# SPDX-License-Identifier: MIT
"""MongoDB: addresses that a server does not start with, and one that it waits for.
Conflicts of indexes, schemas and names are in test_03."""

import json
import secrets
from pathlib import Path

import pytest

from support.mongotalk import settings
from support.server import free_port, minimal_env, run_cli
from support.waiting import PATIENCE, wait_for

USER, PASSWORD = "zoe", "pass-0815"
CONFIG = "is not a mongodb URI"


@pytest.fixture
def name():
    return f"start_{secrets.token_hex(6)}"


def refused(uri, name, wait="1s"):
    """The status and what was said, which is never the password."""
    result = run_cli("serve", timeout=40, env={
        **minimal_env(), "SERVER_PORT": str(free_port()), "MONGO_URI": uri,
        "MONGO_DATABASE": name, "MONGO_CONNECT_TIMEOUT": wait})
    assert PASSWORD not in result.all and PASSWORD[5:] not in result.all
    return result.returncode, result.all


@pytest.mark.parametrize("uri", ["mongodb://", "mongodb://:27017/", "mongodb://h:1:2/",
                                 "mongodb://h:99999/", "http://h/", "h:27017"])
def test_what_is_no_address_of_a_database_is_exit_78(name, uri):
    status, said = refused(uri, name)
    assert status == 78 and "MONGO_URI" in said and CONFIG in said


@pytest.mark.parametrize("uri, said", [
    ("mongodb://{user}:a:{password}@h/", "percent-encoded"),
    ("mongodb://{user}:{password}/x@h/", ""),
    ("mongodb://{user}:{password}@x@h/", ""),
    ("mongodb://{user}/?a\":{password}@h/?\"a=1", "percent-encoded"),
    ("mongodb://h/?readPreference=sideways", "sideways"),
    ("mongodb://{user}:{password}@h/?readPreference=sideways", "sideways"),
    ("mongodb://h/?connectTimeoutMS=soon", "soon"), ("mongodb://h/?w=0", "w=0"),
    ("mongodb://{user}:{password}@h/?compressors=zip&nonsense=1", ""),
    ("mongodb+srv://{user}:{password}@no.host.invalid/", "no.host.invalid")])
def test_an_address_that_the_driver_refuses_names_it_without_the_password(name, uri, said):
    status, told = refused(uri.format(user=USER, password=PASSWORD), name)
    assert status in (1, 78) and "MONGO_URI" in told and said in told


@pytest.mark.parametrize("options, said", [
    ("nonsense=1", "nonsense"), ("connectTimeoutMS=soon", "soon"), ("w=0", "w=0"),
    ("loadBalanced=true&replicaSet=x", "replicaset")])
def test_options_that_the_driver_does_not_take_are_a_wrong_setting(options, said):
    """Told with what else is wrong, and before anything is opened."""
    uri = f"mongodb://{USER}:{PASSWORD}@h/?{options}"
    for command in ("check", "serve", "migrate"):
        result = run_cli(command, env={**minimal_env(), "MONGO_URI": uri,
                                       "MONGO_POOL_SIZE": "0"})
        assert result.returncode == 78 and PASSWORD not in result.all, result.all
        why, = [line for line in result.stderr.splitlines() if "MONGO_URI" in line]
        assert said in why and "MONGO_POOL_SIZE" in result.stderr


@pytest.mark.parametrize("options, said", [
    ({}, "authentication failed"), ({"authMechanism": "SCRAM-SHA-256"}, "authentication failed"),
    ({"tls": "true"}, "TLS"), ({"tls": "true", "tlsCAFile": "/nowhere.pem"}, "TLS")])
def test_who_is_not_let_in_is_exit_1_naming_host_and_reason(database, proxy, name, options,
                                                            said):
    """The proxy hangs up on TLS at once; the database would leave it to the clock."""
    uri = database.uri(f"{USER}:{PASSWORD}@{proxy.host}", **options)
    status, told = refused(uri, name, wait=f"{int(3 * PATIENCE)}s")
    assert status == 1 and proxy.host in told and said in told


def test_a_host_that_nobody_knows_is_exit_1_naming_it(name):
    status, told = refused(f"mongodb://{USER}:{PASSWORD}@no.host.invalid/?replicaSet=x", name)
    assert status == 1 and "no.host.invalid:27017" in told and "resolve" in told


def test_a_database_that_comes_up_in_time_is_waited_for(spawn, database, proxy, name):
    proxy.black_hole()
    one = spawn({**minimal_env(), **settings(database, name, proxy.host)}, wait=False)
    wait_for(lambda: proxy.knocks, 30, "it knocks")
    assert one.process.poll() is None
    proxy.heal()
    one.wait_ready()
    one.close()
    database.client.drop_database(name)


def test_the_driver_says_nothing_and_leaves_nothing_behind(spawn, database, name):
    """Its counters would be a file in /dev/shm for as long as it stands, which a kill
    leaves there, and a line that is no JSON for the next process of that number."""
    one = spawn({**minimal_env(), **settings(database, name)})
    assert "/dev/shm/" not in Path(f"/proc/{one.process.pid}/maps").read_text()
    one.stop()
    assert one.lines and all(isinstance(json.loads(line), dict) for line in one.lines)
