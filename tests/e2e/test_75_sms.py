# SPDX-License-Identifier: MIT
"""Notifications by SMS: what either kind of provider is asked (protocol.md 2.7)."""

import base64
import json
from urllib.parse import parse_qs

from support.receiver import Receiver
from support.server import provider_env
from support.waiting import wait_for
from support.ws import fresh

TOKEN = "9d8c7b6a-a token"
NUMBERS = ["+15551230001", "+4915112345678"]


def sms_env(fake, receiver, kind, **more):
    return {**provider_env(fake), "ADMIN_PHONES": ",".join(NUMBERS), "SMS_PROVIDER": kind,
            "SMS_AUTH_TOKEN": TOKEN, "SMS_FROM": "+15551230009",
            "SMS_API_URL": f"http://127.0.0.1:{receiver.port}/sms", **more}


def call_for_help(connect, server):
    one = connect(server, fresh("o'neill & \u00fc"))
    one.turn("a secret matter")
    one.send("help_request")
    one.get("connection_status")
    return one


def check_text(text, one):
    assert text.startswith("chatbox: A user asks for help.") and len(text) <= 300
    assert one.user in text and one.session in text and "secret" not in text
    assert text.endswith(f"https://desk.example/?session_id={one.session}")


def test_generic_is_json_with_a_bearer_token(spawn, fake, connect):
    with Receiver() as receiver:
        server = spawn(sms_env(fake, receiver, "generic",
                               ADMIN_PANEL_URL="https://desk.example/"))
        one = call_for_help(connect, server)
        posts = wait_for(lambda: len(receiver.posts) == 2 and receiver.posts, 10, "both")
        assert sorted(json.loads(post.body)["to"] for post in posts) == sorted(NUMBERS)
        for post in posts:
            body = json.loads(post.body)
            assert set(body) == {"to", "from", "text"} and body["from"] == "+15551230009"
            check_text(body["text"], one)
            assert post.path == "/sms"
            assert post.headers["Authorization"] == f"Bearer {TOKEN}"
            assert post.headers["Content-Type"] == "application/json"
        wait_for(lambda: len(server.logged("notify", channel="sms")) == 2, 5, "both are told")
        text = server.log_text()
        assert TOKEN not in text and not any(number in text for number in NUMBERS)


def test_twilio_is_a_form_with_the_accounts_login(spawn, fake, connect):
    with Receiver(lambda post, number: 201) as receiver:
        server = spawn(sms_env(fake, receiver, "twilio", SMS_ACCOUNT_SID="AC0123",
                               ADMIN_PHONES=NUMBERS[0],
                               ADMIN_PANEL_URL="https://desk.example/"))
        one = call_for_help(connect, server)
        post, = wait_for(lambda: receiver.posts, 10, "it came")
        assert post.path == "/sms/2010-04-01/Accounts/AC0123/Messages.json"
        form = parse_qs(post.body.decode(), strict_parsing=True)
        assert form["To"] == [NUMBERS[0]] and form["From"] == ["+15551230009"]
        text, = form["Body"]
        check_text(text, one)
        kind, login = post.headers["Authorization"].split()
        assert kind == "Basic"
        assert base64.b64decode(login).decode() == f"AC0123:{TOKEN}"
        assert post.headers["Content-Type"] == "application/x-www-form-urlencoded"
        server.wait_log("notify", channel="sms")


def test_a_number_that_fails_is_tried_again_alone(spawn, fake, connect):
    def answer(post, number):
        bad = json.loads(post.body)["to"] == NUMBERS[1] and number == 1
        return 503 if bad else 200
    with Receiver(answer) as receiver:
        server = spawn(sms_env(fake, receiver, "generic"))
        call_for_help(connect, server)
        wait_for(lambda: len(server.logged("notify", channel="sms")) == 2, 10, "both are told")
        tos = [json.loads(post.body)["to"] for post in receiver.posts]
        assert sorted(tos) == sorted([NUMBERS[0], NUMBERS[1], NUMBERS[1]])
        line, = server.logged("notify_retry")
        assert (line["recipient"], line["status"]) == (2, 503)
