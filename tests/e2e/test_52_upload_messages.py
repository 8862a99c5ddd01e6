# SPDX-License-Identifier: MIT
"""Uploads in conversations: in messages, and before models that see (protocol.md 2.3, 2.4)."""

import base64
import urllib.parse

import pytest

from support.messages import message
from support.server import provider_env
from support.uploads import lose, png, relative, uploaded


def settings(fake):
    return {**provider_env(fake, VISION="true"),
            **provider_env(fake, 2, ID="blind", VISION="false"),
            **provider_env(fake, 3, ID="anthropic", TYPE="anthropic", ENDPOINT=fake.base,
                           VISION="true")}


SETTINGS = settings


@pytest.fixture
def client(server, user):
    return server.user(user)


def data_url(data):
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def shown(fake, question):
    """The content of the last message that a model got with this question."""
    return fake.asked(question)[-1].messages[-1]["content"]


def opens(server, url, data):
    """The link is ours, good, and leads to these bytes."""
    answer = server.http.get(relative(server, url))
    return answer.status_code == 200 and answer.content == data


# --- messages

def test_a_file_of_a_message_is_shown_with_a_new_link_everywhere(server, client, chat, user):
    """Frames, history, replays and exports; never a stored link."""
    body = uploaded(client)
    one = chat(user)
    other = chat(user, session_id=one.session)
    turn = one.turn("look", file_id=body["file_id"], file_url="https://example.com/a.png")
    assert turn.finish == "stop"
    frames = [other.until(lambda f: f["type"] == "user_message")[-1]]
    late = chat(user, session_id=one.session, last_seq=0, epoch=one.hello["epoch"])
    frames.append(late.until(lambda f: f["type"] == "user_message")[-1])
    page = client.get(f"/sessions/{one.session}").json()["messages"]
    export = client.get(f"/sessions/{one.session}/export").json()["messages"]
    for frame in (*frames, page[0], export[0]):
        assert frame["file_id"] == body["file_id"]
        assert opens(server, frame["file_url"], png())
    token = client.post(f"/sessions/{one.session}/share").json()["share_token"]
    public = server.http.get(f"/shared/{token}")
    assert body["file_id"] not in public.text


def test_a_link_of_ours_names_the_file(server, client, chat, user, fake, question):
    body = uploaded(client)
    one = chat(user)
    assert one.turn(question, file_url=body["file_url"]).finish == "stop"
    stored = client.get(f"/sessions/{one.session}").json()["messages"][0]
    assert stored["file_id"] == body["file_id"]
    assert shown(fake, question)[1]["image_url"]["url"] == data_url(png())


@pytest.mark.parametrize("member", ["file_id", "file_url"])
@pytest.mark.parametrize("kind", ["user_message", "file_upload", "voice_message"])
def test_only_ones_own_file(server, client, chat, user, fake, question, kind, member):
    """NOT_FOUND, and nothing is stored or asked."""
    theirs = uploaded(client)
    own = chat(f"{user}-other")
    members = {"file_id": theirs["file_id"], "file_url": theirs["file_url"]}
    if kind == "user_message":
        members = {member: members[member], "content": question}
    elif member == "file_url":
        members["file_id"] = "0" * 64
    own.send({"type": kind, **members})
    refusal = own.until(lambda f: f["type"] == "error")[-1]
    assert refusal["error"]["code"] == "NOT_FOUND"
    assert refusal["error"]["field"] == (member if kind == "user_message" else "file_id")
    assert fake.asked(question) == []
    assert server.user(f"{user}-other").get(f"/sessions/{own.session}").status_code == 404


@pytest.mark.parametrize("url", ["/chatbox/files/x", "/chatbox/files/" + "0" * 64])
def test_a_link_of_ours_to_nothing_is_not_found(chat, user, url):
    one = chat(user)
    refusal = one.turn("look", file_url=url)
    assert refusal.error["code"] == "NOT_FOUND"
    assert refusal.error["field"] == "file_url"


@pytest.mark.parametrize("kind", ["file_upload", "voice_message"])
def test_a_file_is_stored_sent_to_the_others_and_acknowledged(server, client, chat, user,
                                                             fake, kind):
    body = uploaded(client)
    one = chat(user)
    other = chat(user, session_id=one.session)
    frame = {"type": kind, "file_id": body["file_id"], "file_url": body["file_url"],
             "client_id": "c-1", "metadata": {"length": "3"}}
    one.send(frame)
    ack = one.recv()
    assert (ack["type"], ack["client_id"], ack["seq"]) == ("ack", "c-1", 1)
    seen = other.until(lambda f: f["type"] == kind)[-1]
    assert seen["message_id"] == ack["message_id"]
    assert seen["file_id"] == body["file_id"]
    assert seen["metadata"]["length"] == "3"
    assert opens(server, seen["file_url"], png())
    one.send(frame)
    again = one.recv()
    assert (again["type"], again["message_id"], again["seq"]) == (
        "ack", ack["message_id"], 1)
    assert other.quiet() == []
    assert one.turn("and now a question").finish == "stop"
    page = client.get(f"/sessions/{one.session}").json()["messages"]
    assert [m["type"] for m in page] == [kind, "user_message", "ai_response"]
    one.send({"type": "regenerate", "message_id": ack["message_id"]})
    refusal = one.until(lambda f: f["type"] == "error")[-1]
    assert refusal["error"]["code"] == "NOT_FOUND"


# --- models

def test_openai_gets_the_bytes_as_a_data_url(client, chat, user, fake, question):
    body = uploaded(client)
    assert chat(user).turn(question, file_id=body["file_id"]).finish == "stop"
    assert shown(fake, question) == [
        {"type": "text", "text": question},
        {"type": "image_url", "image_url": {"url": data_url(png())}}]


def test_anthropic_gets_the_bytes_as_a_block(client, chat, user, fake, question):
    body = uploaded(client)
    fake.when(question, message("A cat."))
    turn = chat(user).turn(question, file_id=body["file_id"], model_id="anthropic")
    assert turn.finish == "stop"
    assert shown(fake, question) == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png",
                                     "data": base64.b64encode(png()).decode()}},
        {"type": "text", "text": question}]


def test_a_model_that_cannot_see_gets_the_words(client, chat, user, fake, question):
    body = uploaded(client)
    turn = chat(user).turn(question, file_id=body["file_id"], model_id="blind")
    assert turn.finish == "stop"
    assert shown(fake, question) == question


def test_what_is_no_picture_is_not_shown_to_a_model(client, chat, user, fake, question):
    body = uploaded(client, b"%PDF-1.7")
    assert chat(user).turn(question, file_id=body["file_id"]).finish == "stop"
    assert shown(fake, question) == question


def test_a_picture_stays_in_the_conversation(client, chat, user, fake, question):
    """Later questions are asked with it: `what colour is it?`."""
    body = uploaded(client)
    one = chat(user)
    one.turn(question, file_id=body["file_id"])
    assert one.turn(f"{question} 2").finish == "stop"
    first, _, last = fake.asked(f"{question} 2")[-1].messages
    assert first["content"][1]["image_url"]["url"] == data_url(png())
    assert last["content"] == f"{question} 2"
    late = chat(user, session_id=one.session)
    assert late.turn(f"{question} 3").finish == "stop"
    assert fake.asked(f"{question} 3")[-1].messages[0]["content"][1]["image_url"]["url"] == \
        data_url(png())


def test_the_newest_pictures_go_first(client, chat, user, fake, question):
    """Eight of them; one beyond the size that models take is passed over."""
    ids = [uploaded(client, png(seed=b"%d" % n))["file_id"] for n in range(10)]
    one = chat(user)
    for at, file_id in enumerate(ids):
        assert one.turn(f"{question} {at}", file_id=file_id).finish == "stop"
    parts = [m["content"] for m in fake.asked(f"{question} 9")[-1].messages
             if m["role"] == "user"]
    assert [isinstance(p, list) for p in parts] == [False] * 2 + [True] * 8


def test_a_picture_that_is_gone_or_too_large_is_left_out(server, client, chat, user, fake,
                                                         question):
    """With a log line; the question is asked all the same."""
    gone, large = uploaded(client), uploaded(client, png(3_750_001))
    lose(server, gone["file_id"])
    one = chat(user)
    for body, why in ((gone, "gone"), (large, "too large")):
        assert one.turn(f"{question} {why}", file_id=body["file_id"]).finish == "stop"
        assert shown(fake, f"{question} {why}") == f"{question} {why}"
        assert server.wait_log("picture_left_out", session_id=one.session, why=why)
    assert uploaded(client, png(3_750_000))


def test_a_question_may_be_a_picture_alone(client, chat, user, fake):
    """2.3: content may be absent when a file_id is given."""
    body = uploaded(client)
    one = chat(user)
    one.send({"type": "user_message", "file_id": body["file_id"]})
    assert one.rest_of_turn().finish == "stop"
    page = client.get(f"/sessions/{one.session}").json()["messages"]
    assert (page[0]["file_id"], page[0]["content"]) == (body["file_id"], "")


def test_asked_again_it_is_shown_again(client, chat, user, fake, question):
    body = uploaded(client)
    one = chat(user)
    one.turn(question, file_id=body["file_id"])
    answer = client.get(f"/sessions/{one.session}").json()["messages"][1]["message_id"]
    one.send({"type": "regenerate", "message_id": answer})
    assert one.rest_of_turn().finish == "stop"
    assert len(fake.asked(question)) == 2
    assert shown(fake, question)[1]["image_url"]["url"] == data_url(png())


def test_a_turn_may_be_cancelled_while_its_picture_is_read(client, chat, user, fake):
    body = uploaded(client, png(3_000_000))
    one = chat(user)
    for _ in range(10):
        one.say("look", file_id=body["file_id"])
        one.send({"type": "cancel"})
        one.until(lambda f: f["type"] == "error" or
                  f.get("metadata", {}).get("done") == "true")
    assert one.turn("still there?", model_id="blind").finish in ("stop", "cancelled")


def test_links_of_messages_end(server, client, chat, user):
    """Each showing has a time of its own, not the upload's."""
    body = uploaded(client)
    one = chat(user)
    one.turn("look", file_id=body["file_id"])
    url = client.get(f"/sessions/{one.session}").json()["messages"][0]["file_url"]
    query = dict(urllib.parse.parse_qsl(url.split("?")[1]))
    assert set(query) == {"exp", "sig"}
    past = url.replace(f"exp={query['exp']}", "exp=1000")
    assert server.http.get(relative(server, past)).status_code == 403
