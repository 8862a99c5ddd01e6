# SPDX-License-Identifier: MIT
"""Uploaded pictures before a Dify app: it is given the bytes first, and the question
names them."""

import pytest

from support.answer import Answer, failure
from support.fakedify import FakeDify, refusal
from support.server import provider_env
from support.uploads import png, uploaded
from support.waiting import wait_for

KEY = FakeDify.new_key()


@pytest.fixture(scope="module")
def dify():
    service = FakeDify()
    yield service
    service.close()


@pytest.fixture
def server(spawn, dify, fake):
    """An app that sees, one that does not, and a model to turn to."""
    dify.when_uploaded = lambda n: None
    dify.uploads = 0
    return spawn({**FakeDify.env(dify, 1, KEY, ID="app", VISION="true"),
                  **FakeDify.env(dify, 2, KEY, ID="blind"),
                  **provider_env(fake, 3, ID="fake", VISION="true"),
                  **FakeDify.env(dify, 4, KEY, ID="helped", VISION="true", FALLBACK="fake",
                                 ENDPOINT=f"{dify.endpoint}/chat-messages?tenant=1")})


@pytest.fixture
def show(server, connect, user):
    """Asks with a picture: show(question, data, model)."""
    one = connect(server, user)

    def show(question, data=png(), model="app", **more):
        file = uploaded(server.user(user), data)
        return one.turn(question, file_id=file["file_id"], model_id=model, **more)
    show.one = one
    return show


def files_of(dify, question):
    return dify.asked(question)[-1].json.get("files", [])


def test_the_app_has_the_bytes_when_it_is_asked(dify, show, question):
    assert show(question).finish == "stop"
    file, = files_of(dify, question)
    assert file == {"type": "image", "transfer_method": "local_file",
                    "upload_file_id": file["upload_file_id"]}
    key, user, name, kind, data = dify.files[file["upload_file_id"]]
    assert (key, name, kind, data) == (KEY, "picture.png", "image/png", png())
    assert user == dify.asked(question)[0].json["user"]


def test_it_goes_with_its_own_question_only(dify, show, question):
    """The app keeps the conversation, and the picture in it."""
    assert show(question).finish == "stop"
    assert show.one.turn(question + "?").finish == "stop"
    assert files_of(dify, question + "?") == [] and dify.uploads == 1


def test_who_does_not_see_is_given_none(dify, show, question):
    assert show(question, model="blind").finish == "stop"
    assert files_of(dify, question) == [] and dify.uploads == 0


def test_a_large_one_arrives_whole(dify, show, question):
    data = png(3_700_000)
    assert show(question, data).finish == "stop"
    file, = files_of(dify, question)
    assert dify.files[file["upload_file_id"]][4] == data


def test_an_endpoint_that_names_the_path_and_has_a_query(dify, show, question):
    assert show(question, model="helped").finish == "stop"
    request = next(r for r in reversed(dify.requests) if "/files/upload" in r.path)
    assert request.path == "/v1/files/upload?tenant=1"
    assert len(files_of(dify, question)) == 1


@pytest.mark.parametrize("answer", [
    refusal(413, "file_too_large"), refusal(415, "unsupported_file_type"),
    refusal(400, "filename_not_exists"), failure(201, "{}"), failure(201, '{"id":"../x"}'),
    failure(201, '{"id":"a","id":7'), failure(201, " " * 9000 + '{"id":"a"}')])
def test_one_that_the_app_does_not_take_is_left_out(server, dify, show, question, answer):
    """The question is asked all the same."""
    dify.when_uploaded = lambda n: answer
    assert show(question).finish == "stop"
    assert files_of(dify, question) == []
    line, = server.wait_log("picture_left_out", provider="app")
    assert line["session_id"] == show.one.session


@pytest.mark.parametrize("answer", [
    refusal(500, "internal_server_error"), refusal(429, "too_many_requests"),
    refusal(401, "unauthorized"), Answer().rst()])
def test_an_app_that_fails_then_is_one_that_fails(dify, show, fake, question, answer):
    dify.when_uploaded = lambda n: answer
    turn = show(question, model="helped")
    assert turn.finish == "stop" and len(fake.asked(question)) == 1
    assert dify.asked(question) == []


def test_it_is_tried_again_as_the_question_is(dify, show, question):
    dify.when_uploaded = lambda n: refusal(503, "no") if n == 1 else None
    assert show(question, timeout=30).finish == "stop"
    assert dify.uploads == 2 and len(files_of(dify, question)) == 1


def test_who_does_not_wait_for_it_ends_it(server, dify, show, user, question):
    dify.when_uploaded = lambda n: Answer().silence_before_head()
    file = uploaded(server.user(user))
    show.one.say(question, file_id=file["file_id"], model_id="app")
    wait_for(lambda: dify.uploads == 1, 10, "the picture is on its way")
    show.one.send("cancel")
    assert show.one.rest_of_turn().finish == "cancelled"
    request = next(r for r in reversed(dify.requests) if "/files/upload" in r.path)
    assert request.closed.wait(10) and dify.asked(question) == []
    dify.when_uploaded = lambda n: None
    assert show(question + "!").finish == "stop"
