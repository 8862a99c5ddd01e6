# SPDX-License-Identifier: MIT
"""Operators: their clients, their sockets, what they read."""

from datetime import datetime, timezone

from .server import provider_env
from .tokens import token
from .waiting import wait_for
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


def clock():
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    return now.replace("+00:00", "Z")


def make(server, user, count=1):
    """Each began in a millisecond of its own; within one any order is right."""
    client, made = server.user(user), []
    for n in range(count):
        item = client.post("/sessions", json={"name": f"n{n}"}).json()
        made.append(item["id"])
        wait_for(lambda: clock() > item["start_time"], 5, "the next one", interval=0.0002)
    return made


def audit(client, **params):
    answer = client.get("/admin/audit", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["events"]
