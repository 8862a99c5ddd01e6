# SPDX-License-Identifier: MIT
"""Notifications by webhook: what is posted, how it is signed, and what happens when
it cannot be delivered (protocol.md 2.7)."""

import hashlib
import hmac
import json
import re
import signal
import subprocess
import time
from datetime import datetime

import pytest

from support.receiver import CUT, HANG, Receiver
from support.server import ROOT, provider_env, reserve_port
from support.waiting import wait_for
from support.ws import fresh

SECRET = "a secret of more than thirty-two bytes"


@pytest.fixture
def receiver():
    with Receiver() as one:
        yield one


@pytest.fixture
def notifying(spawn, fake, receiver):
    def start(**settings):
        return spawn({**provider_env(fake), "WEBHOOK_URL": receiver.url,
                      "WEBHOOK_SECRET": SECRET, **settings})
    return start


def calls_for_help(one):
    one.send("help_request")
    one.get("connection_status")


def signed_at(post):
    """The time of a good signature; fails on a bad one."""
    at, signature = post.headers["X-Chatbox-Signature"].split(",")
    assert at.startswith("t=") and signature.startswith("v1=")
    wanted = hmac.new(SECRET.encode(), at[2:].encode() + b"." + post.body,
                      hashlib.sha256).hexdigest()
    assert signature == f"v1={wanted}"
    return int(at[2:])


def ends(server, end, channel="webhook"):
    """How many notifications have ended so."""
    name = f'chatbox_notifications_total{{channel="{channel}",end="{end}"}}'
    return server.metrics().get(name, 0)


def test_a_call_for_help_is_posted(notifying, receiver, connect):
    server = notifying()
    before = int(time.time())
    one = connect(server, 'o\'neill "<b>" \u00fc')
    one.turn("a secret matter")
    calls_for_help(one)
    post, = receiver.wait(one.session)
    body = post.json
    assert set(body) == {"id", "event", "at", "session_id", "user_id", "data"}
    assert body["event"] == "help_request" and body["data"] == {}
    assert body["user_id"] == one.user
    assert before - 1 <= datetime.fromisoformat(body["at"]).timestamp() <= time.time() + 1
    assert post.headers["Content-Type"] == "application/json"
    assert post.headers["X-Chatbox-Delivery"] == body["id"]
    assert before <= signed_at(post) <= time.time()
    assert b"secret matter" not in post.body
    wait_for(lambda: ends(server, "sent") == 1, 5, "it is counted")
    line, = server.wait_log("notify", delivery=body["id"])
    assert line["channel"] == "webhook" and line["tries"] == 1
    assert SECRET not in server.log_text()


def test_the_examples_of_the_documentation_know_what_is_ours(notifying, receiver, connect):
    page = (ROOT / "docs/notifications.md").read_text()
    python, = re.findall(r"(?s)```python\n(.*?)```", page)
    node, = re.findall(r"(?s)```js\n(.*?)```", page)
    is_ours = {}
    exec(python, is_ours)  # noqa: S102
    server = notifying()
    one = connect(server, fresh())
    calls_for_help(one)
    post, = receiver.wait(one.session)
    header = post.headers["X-Chatbox-Signature"]
    old = "t=1000000000,v1=" + hmac.new(SECRET.encode(), b"1000000000." + post.body,
                                         hashlib.sha256).hexdigest()
    tries = [(SECRET, header, post.body), (SECRET + "x", header, post.body),
             (SECRET, header, post.body + b" "), (SECRET, header[:-1], post.body),
             (SECRET, old, post.body), (SECRET, "", post.body),
             (SECRET, header[:-1] + "\u00e9", post.body)]
    for secret, signature, body in tries:
        answer = (secret, signature, body) == tries[0]
        assert is_ours["is_ours"](secret.encode(), signature, body) is answer
    script = node + "console.log(JSON.stringify(JSON.parse(process.argv[1])" \
        ".map((one) => isOurs(one[0], one[1], one[2]))))"
    texts = [(secret, signature, body.decode()) for secret, signature, body in tries]
    done = subprocess.run([ROOT / "tools/node", "node", "-e", script, "--", json.dumps(texts)], check=False,
                          capture_output=True, text=True)
    assert done.stderr == "" and json.loads(done.stdout) == [True] + [False] * 6


def test_each_call_is_a_delivery_of_its_own(notifying, receiver, connect):
    server = notifying()
    one, other = connect(server, fresh()), connect(server, fresh())
    for who in (one, other, one):
        calls_for_help(who)
    mine, = [receiver.wait(one.session, 2)]
    theirs, = receiver.wait(other.session)
    assert len({post.json["id"] for post in [*mine, theirs]}) == 3


def test_what_is_no_2xx_is_tried_again_under_the_same_id(notifying, receiver, connect):
    faults = {}
    elsewhere = f"http://127.0.0.1:{receiver.port}/elsewhere"
    receiver.answer = lambda post, number: (
        faults[post.json["session_id"]] if number == 1 else 204)
    server = notifying()
    asked = {}
    # A cut on a connection that was used before is no try (net/fetch.h): it comes first.
    for fault, why, status in ((CUT, "connect_failed", 0), (500, "status", 500),
                               (404, "status", 404),
                               ((302, {"Location": elsewhere}), "status", 302)):
        one = connect(server, fresh())
        faults[one.session] = fault
        asked[one.session] = (why, status)
        calls_for_help(one)
    for session, (why, status) in asked.items():
        first, second = receiver.wait(session, 2)
        assert first.body == second.body
        assert signed_at(second) > signed_at(first)  # a second lies between them
        delivery = first.json["id"]
        line, = server.wait_log("notify_retry", delivery=delivery)
        assert (line["why"], line["status"], line["tries"]) == (why, status, 1)
        assert server.wait_log("notify", delivery=delivery)[0]["tries"] == 2
    assert {post.path for post in receiver.posts} == {"/hook"}
    wait_for(lambda: ends(server, "sent") == 4, 5, "all are counted")
    assert server.metric("chatbox_notification_retries_total") == 4


def test_a_receiver_that_comes_later_is_told(spawn, fake, connect):
    with reserve_port() as kept:
        port = kept.getsockname()[1]
        server = spawn({**provider_env(fake), "WEBHOOK_SECRET": SECRET,
                        "WEBHOOK_URL": f"http://127.0.0.1:{port}/hook"})
        one = connect(server, fresh())
        calls_for_help(one)
        server.wait_log("notify_retry", why="connect_failed")
        with Receiver(port=port) as receiver:
            assert receiver.wait(one.session)[0].json["event"] == "help_request"
            server.wait_log("notify")


def test_a_stop_waits_for_what_is_to_be_tried_again(notifying, receiver, connect):
    receiver.answer = lambda post, number: 503 if number == 1 else 200
    server = notifying()
    one = connect(server, fresh())
    calls_for_help(one)
    server.wait_log("notify_retry")
    server.stop()
    assert len(receiver.of(one.session)) == 2
    assert server.logged("notify") and not server.logged("notify_dropped")


def test_one_that_hangs_keeps_nobody_waiting_and_is_dropped_at_the_deadline(
        notifying, receiver, connect):
    receiver.answer = lambda post, number: HANG
    server = notifying(SHUTDOWN_TIMEOUT="1s", SERVER_THREADS="1")
    one = connect(server, fresh())
    calls_for_help(one)
    receiver.wait(one.session)
    assert one.turn("still here?").finish == "stop"
    assert server.metric("chatbox_notifications_pending") == 1
    server.stop(expect=3)
    line, = server.logged("notify_dropped")
    assert line["dropped"] == 1 and server.logged("shutdown_forced")


def test_a_second_signal_waits_for_nothing(notifying, receiver, connect):
    receiver.answer = lambda post, number: HANG
    server = notifying(SHUTDOWN_TIMEOUT="10m")
    one = connect(server, fresh())
    calls_for_help(one)
    receiver.wait(one.session)
    server.signal(signal.SIGTERM)
    server.wait_log("shutdown")
    server.stop(expect=3)
    assert server.logged("notify_dropped")


def test_without_a_webhook_nothing_is_sent(spawn, fake, connect):
    server = spawn(provider_env(fake))
    calls_for_help(connect(server, fresh()))
    server.stop()
    assert not [line for line in server.logs if line["event"].startswith("notify")]
