# SPDX-License-Identifier: MIT
"""The program started with what a pod of the chart is given: it answers a chat, and
its probes are answered, also while it stops."""

import signal
import stat

import pytest

from support.charts import (VALUES, containers, environment, mounted, pod, rendered,
                            settings)
from support.mongoserver import MongoServer
from support.server import API_KEY, free_port, run_cli
from support.tokens import SECRET
from support.waiting import wait_for

KEYS = {"JWT_SECRET": SECRET, "LLM_PROVIDER_1_API_KEY": API_KEY,
        "ENCRYPTION_KEYS": "k1:" + "A" * 43 + "=", "S3_SECRET_ACCESS_KEY": "0x7e" * 10}


@pytest.fixture(params=VALUES)
def documents(request, fake):
    """The shipped values, with a model, an address and ports of this machine. Nobody
    is where S3 should be: chats go on without it."""
    places = [f"port={free_port()}", f"cluster.port={free_port()}",
              "cluster.podNetworks={127.0.0.0/8}", "config.LLM_PROVIDER_1_ID=fake",
              f"config.LLM_PROVIDER_1_ENDPOINT={fake.endpoint}"]
    if "s3" in request.param:
        places.append(f"config.S3_ENDPOINT=http://127.0.0.1:{free_port()}")
    return rendered(*settings(*places), values=request.param)


@pytest.fixture
def secrets(documents, tmp_path):
    """The Secret as the volume shows it."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    keys = dict(KEYS)
    with_mongo = "MONGO_URI" in mounted(documents)
    database = MongoServer() if with_mongo else None
    if with_mongo:
        keys["MONGO_URI"] = database.uri()
    for name in mounted(documents):
        (folder / name).write_text(keys[name])
        (folder / name).chmod(stat.S_IRUSR | stat.S_IRGRP)
    yield folder
    if database:
        database.close()


def test_a_pod_answers_a_chat_and_its_probes(spawn, connect, documents, secrets, tmp_path):
    serve = containers(documents)[1]
    env = environment(documents, serve, secrets, pod_ip="127.0.0.1")
    command = tuple(serve["command"][1:])
    server = spawn({"JWT_SECRET": None, **env, "DATA_DIR": str(tmp_path)}, command=command)
    probes = {name: serve[f"{name}Probe"]["httpGet"]["path"].removeprefix(server.prefix)
              for name in ("startup", "liveness", "readiness")}
    assert [server.http.get(path).status_code for path in probes.values()] == [200] * 3
    made = run_cli("token", "--user", "ann", env=env)  # by `kubectl exec`
    one = connect(server, "ann", bearer=made.stdout.strip())
    assert one.turn("hello").finish == "stop"
    server.signal(signal.SIGTERM)
    wait_for(lambda: server.http.get(probes["readiness"]).status_code == 503, 5,
             "it says that it is not ready")
    assert server.http.get(probes["liveness"]).status_code == 200, "it is not killed"
    one.close()
    assert server.wait_exit(0, pod(documents)["terminationGracePeriodSeconds"]) == 0
