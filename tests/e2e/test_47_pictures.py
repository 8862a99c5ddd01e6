# SPDX-License-Identifier: MIT
"""Pictures of a message, and who gets them (configuration.md, `llm.providers[].vision`):
the link in `file_url`, as there are no uploads yet."""

import pytest

from support.answer import failure
from support.fakedify import FakeDify
from support.messages import message
from support.server import provider_env

PICTURE = "https://pictures.example.com/cat.png?size=2"


@pytest.fixture
def dify():
    one = FakeDify()
    yield one
    one.close()


def env(fake, n=1, vision="true", **members):
    return provider_env(fake, n, VISION=vision, **members)


def asked(fake, one, question, **members):
    """The last message that the model got for a question with a picture."""
    assert one.turn(question, **{"file_url": PICTURE, **members}).finish == "stop"
    return fake.asked(question)[-1].messages[-1]


def test_openai_gets_it_as_a_part(spawn, connect, fake, question):
    server = spawn(env(fake))
    assert asked(fake, connect(server), question)["content"] == [
        {"type": "text", "text": question},
        {"type": "image_url", "image_url": {"url": PICTURE}}]
    models = server.user("u").get("/models").json()["models"]
    assert [m["vision"] for m in models] == [True]


def test_anthropic_gets_it_as_a_block(spawn, connect, fake, question):
    server = spawn(env(fake, TYPE="anthropic", ENDPOINT=fake.base))
    fake.when(question, message("A cat."))
    assert asked(fake, connect(server), question)["content"] == [
        {"type": "image", "source": {"type": "url", "url": PICTURE}},
        {"type": "text", "text": question}]


def test_an_app_of_dify_gets_it_as_a_file(spawn, connect, dify, question):
    server = spawn({**FakeDify.env(dify, 1, FakeDify.new_key(), VISION="true")})
    assert connect(server).turn(question, file_url=PICTURE).finish == "stop"
    assert dify.requests[-1].json["files"] == [
        {"type": "image", "transfer_method": "remote_url", "url": PICTURE}]


def test_who_cannot_see_gets_none(spawn, connect, fake, question):
    """Also as the fallback of one that can."""
    server = spawn({**env(fake, vision="false"),
                    **env(fake, 2, ID="sees", FALLBACK="fake")})
    one = connect(server)
    assert asked(fake, one, question)["content"] == question
    fake.when(f"{question} 2", failure(500), fake.default())
    assert asked(fake, one, f"{question} 2", model_id="sees")["content"] == f"{question} 2"
    first, second = fake.asked(f"{question} 2")
    assert isinstance(first.messages[-1]["content"], list)
    assert isinstance(second.messages[-1]["content"], str)
    models = server.user("u").get("/models").json()["models"]
    assert [m["vision"] for m in models] == [False, True]


@pytest.mark.parametrize("url", ["https://pictures.example.com/report.pdf",
                                 "https://pictures.example.com/"])
def test_what_does_not_look_like_a_picture_is_none(spawn, connect, fake, question, url):
    server = spawn(env(fake))
    assert asked(fake, connect(server), question, file_url=url)["content"] == question


def test_a_picture_belongs_to_its_question(spawn, connect, fake, question):
    """Later ones are asked without: a link that is dead by then would end them all."""
    server = spawn(env(fake))
    one = connect(server)
    asked(fake, one, question)
    assert one.turn(f"{question} 2").finish == "stop"
    assert [text for _, text in fake.asked(f"{question} 2")[-1].pairs] == [
        question, "Hello from the model.", f"{question} 2"]


@pytest.mark.parametrize("url", ["http://pictures.example.com/cat.png",
                                 "https://127.0.0.1/cat.png", "https://10.1.2.3/cat.png",
                                 "https://intranet/cat.png", "data:image/png;base64,QUJD"])
def test_a_link_to_somewhere_private_is_refused(spawn, connect, fake, question, url):
    server = spawn(env(fake))
    one = connect(server)
    assert one.turn(question, file_url=url).error["field"] == "file_url"
    assert fake.asked(question) == []
