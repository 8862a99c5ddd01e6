# SPDX-License-Identifier: MIT
"""Several servers on one database: who of them has it."""

import secrets

from .mongotalk import settings
from .server import free_port, provider_env


def new_name():
    """Of a database that nobody has yet."""
    return f"standby_{secrets.token_hex(6)}"


def member(fake, database, name, host=None, **members):
    """The settings of one that may serve and may wait."""
    return {**provider_env(fake), **settings(database, name, host),
            "CLUSTER_ADDRESS": f"127.0.0.1:{free_port()}",
            "TRUSTED_PROXIES": "127.0.0.1", **members}


def stands_by(server):
    answer = server.http.get("/readyz")
    return answer.status_code == 200 and answer.json().get("standby", False)


def serves(server):
    return server.is_ready() and not stands_by(server)


def messages(server, one):
    """As its user reads them there."""
    answer = server.user(one.user).get(f"/sessions/{one.session}")
    assert answer.status_code == 200, answer.text
    return answer.json()["messages"]
