# SPDX-License-Identifier: MIT
"""Operators: their clients, their sockets, what they read."""

from .server import provider_env
from .tokens import token
from .ws import fresh

ROOMY = {"ADMIN_RATE_LIMIT": "100000", "SERVER_THREADS": "4"}


def SETTINGS(fake):  # noqa: N802
    return {**provider_env(fake), **ROOMY}


def operator(server, name=None, role="admin"):
    return server.user(name or fresh("op"), roles=[role])


def watch(chat, session, name=None, **query):
    """An operator's socket in a session."""
    name = name or fresh("op")
    return chat(name, bearer=token(name, roles=["chat_admin"]), session_id=session,
                **query)


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["sessions"]]


def listed(admin, **params):
    return ids(admin.get("/admin/sessions", params=params))


def make(server, user, count=1):
    client = server.user(user)
    return [client.post("/sessions", json={"name": f"n{i}"}).json()["id"]
            for i in range(count)]


def audit(client, **params):
    answer = client.get("/admin/audit", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["events"]
