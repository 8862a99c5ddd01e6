# SPDX-License-Identifier: MIT
"""The audit: what operators did, for operators to read."""

import signal

import pytest

from support.checks import assert_error, assert_time
from support.operators import ROOMY, SETTINGS, audit, make, operator  # noqa: F401
from support.server import provider_env
from support.waiting import wait_for
from support.ws import fresh


def test_reading_a_transcript_is_put_down(server, user):
    made = make(server, user)[0]
    name = fresh("op")
    one = operator(server, name)
    one.get(f"/admin/sessions/{made}")
    (event,) = audit(one, session_id=made)
    assert event["actor"] == name and event["session_id"] == made
    assert event["action"] == "transcript_read" and isinstance(event["detail"], str)
    assert_time(event["at"])
    assert server.wait_log("audit", action="transcript_read", user_id=name,
                           session_id=made)


def test_lists_are_not_put_down(server, user):
    make(server, user)
    name = fresh("op")
    one = operator(server, name)
    for path in ("/admin/sessions", f"/admin/users/{user}/sessions", "/admin/metrics",
                 "/admin/audit"):
        assert one.get(path).status_code == 200
    assert audit(one, actor=name) == []


def test_a_delete_is_put_down(server, admin, user):
    made = make(server, user)[0]
    client = server.user(user)
    assert client.delete(f"/sessions/{made}").status_code == 204
    assert_error(client.delete(f"/sessions/{made}"), 404)
    (event,) = audit(admin, session_id=made)
    assert event["action"] == "delete" and event["actor"] == user


@pytest.mark.parametrize("query", ["", "?format=md"])
def test_an_export_is_put_down(server, admin, user, query):
    made = make(server, user)[0]
    answer = server.user(user).get(f"/sessions/{made}/export{query}")
    assert answer.status_code == 200, answer.text
    (event,) = audit(admin, session_id=made)
    assert event["action"] == "export" and event["actor"] == user


def test_shares_are_not_put_down_and_not_shown(server, admin, user):
    made = make(server, user)[0]
    client = server.user(user)
    shared = client.post(f"/sessions/{made}/share").json()["share_token"]
    assert server.http.get(f"/shared/{shared}").status_code == 200
    for answer in (admin.get("/admin/sessions", params={"user_id": user}),
                   admin.get(f"/admin/users/{user}/sessions"),
                   admin.get(f"/admin/sessions/{made}")):
        assert answer.status_code == 200 and shared not in answer.text
    assert client.delete(f"/sessions/{made}/share").status_code == 204
    assert [e["action"] for e in audit(admin, session_id=made)] == ["transcript_read"]


def test_the_audit_is_newest_first_and_read_by_its_cursor(server, user):
    made = make(server, user, 5)
    name = fresh("op")
    one = operator(server, name)
    for sid in made:
        one.get(f"/admin/sessions/{sid}")
    seen, cursor = [], {}
    while True:
        body = one.get("/admin/audit", params={"actor": name, "limit": 2,
                                               **cursor}).json()
        assert 1 <= len(body["events"]) <= 2
        seen += [event["session_id"] for event in body["events"]]
        if "next_cursor" not in body:
            break
        cursor = {"cursor": body["next_cursor"]}
    assert seen == made[::-1]


@pytest.mark.parametrize("name,value", [
    ("limit", "0"), ("limit", "1001"), ("limit", ""), ("limit", "x"),
    ("cursor", "0"), ("cursor", "nonsense"), ("cursor", "x" * 500),
    ("session_id", ""), ("session_id", "nope"), ("session_id", "G" * 32),
    ("actor", ""), ("actor", "x" * 256)])
def test_a_bad_value_of_the_audit_is_named(admin, name, value):
    assert_error(admin.get("/admin/audit", params={name: value}), 400, field=name)


def test_the_audit_survives_a_restart(spawn, fake):
    server = spawn({**provider_env(fake), **ROOMY})
    made = make(server, "ann")[0]
    operator(server, "olga").get(f"/admin/sessions/{made}")
    server.kill9()
    server.start()
    (event,) = audit(operator(server, "max"))
    assert event["actor"] == "olga" and event["session_id"] == made


def test_a_reload_is_put_down(spawn, fake, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("limit: {messages: 100}\n")
    server = spawn({**provider_env(fake), **ROOMY, "CHATBOX_CONFIG": str(path),
                    "RATE_LIMIT": None})
    admin = operator(server)

    def reload_by(text, event, count):
        path.write_text(text)
        server.signal(signal.SIGHUP)
        wait_for(lambda: len([x for x in server.logged(event)
                              if event != "reload" or "applied" in x]) == count, 5, event)
    reload_by("limit: {messages: 50}\n", "reload", 1)
    (event,) = audit(admin)
    assert event["action"] == "reload" and "session_id" not in event
    assert event["actor"] and isinstance(event["detail"], str)
    assert_time(event["at"])
    assert server.logged("audit", action="reload")
    reload_by("limit: {messages: 0}\n", "reload_failed", 1)
    assert audit(admin) == [event], "nothing was changed"
    reload_by("limit: {messages: 60}\n", "reload", 2)
    assert [e["action"] for e in audit(admin, actor=event["actor"])] == ["reload"] * 2
    server.kill9()
    server.start()
    assert len(audit(operator(server))) == 2


def test_the_log_tells_who_it_was_in_every_script(server, user):
    made = make(server, user)[0]
    name = fresh("žluťoučký 😀 ")
    assert operator(server, name).get(f"/admin/sessions/{made}").status_code == 200
    assert server.wait_log("audit", action="transcript_read", user_id=name)
