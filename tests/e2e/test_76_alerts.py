# SPDX-License-Identifier: MIT
"""What operators are told of that no user asked for (protocol.md 2.7): the storage
fails, a model provider keeps failing; and that it is over. (That a provider answers
again is in test_41_fallback.py, which waits for a probe.)"""

import pytest

from support.answer import failure
from support.disk import limited
from support.receiver import Receiver
from support.server import provider_env
from support.waiting import wait_for
from support.ws import fresh


@pytest.fixture
def receiver():
    with Receiver() as one:
        yield one


def hook(receiver):
    return {"WEBHOOK_URL": receiver.url, "WEBHOOK_SECRET": "x" * 32}


def told(receiver):
    return [(post.json["event"], post.json["data"]) for post in list(receiver.posts)]


def test_a_provider_that_keeps_failing_is_told_once(spawn, fake, receiver, connect):
    server = spawn({**provider_env(fake, ID="a"), **hook(receiver),
                    "LLM_RETRY_ATTEMPTS": "1", "SERVER_THREADS": "4"})
    for _ in range(6):  # on whichever thread they live
        question = fresh("q")
        fake.when(question, failure(503))
        connect(server, fresh()).turn(question)
    wait_for(lambda: receiver.posts, 10, "it is told")
    server.wait_log("notify")
    (event, data), = told(receiver)
    assert event == "provider_down" and data["provider"] == "a" and data["reason"]
    assert set(receiver.posts[0].json) == {"id", "event", "at", "data"}


@pytest.mark.sqlite
def test_a_storage_that_fails_is_told_and_that_it_is_over(spawn, fake, receiver, connect):
    disk = limited(None)
    server = spawn({**provider_env(fake), **hook(receiver), **disk.env}, data=disk.folder)
    disk.watch(server)
    one = connect(server)
    one.turn("hello")
    with disk:
        one.say("lost?")
        one.get("error")
        wait_for(lambda: receiver.posts, 10, "it is told")
        assert told(receiver) == [("storage_down", {})]
    wait_for(lambda: len(receiver.posts) == 2, 10, "that it is over")
    assert told(receiver) == [("storage_down", {}), ("storage_up", {})]
