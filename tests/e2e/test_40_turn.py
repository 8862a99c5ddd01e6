# SPDX-License-Identifier: MIT
"""A turn from question to stored answer: protocol.md 2.6."""

import pytest

from support.answer import Answer, chunk, event, plain
from support.checks import assert_id, assert_time
from support.server import API_KEY, provider_env
from support.waiting import wait_for
from support.ws import fresh


def SETTINGS(fake):  # noqa: N802 (read by the fixture `server`)
    return {**provider_env(fake, 2, ID="other", NAME="Other", MODEL="other-1",
                           ENDPOINT=f"{fake.base}/other/v1")}


def messages(server, chat):
    return server.user(chat.user).get(f"/sessions/{chat.session}").json()["messages"]


def test_a_turn_from_ack_to_its_last_frame(chat, fake, question):
    fake.when(question, plain("Grüß ", "dich, ", "Welt", usage=(11, 3)))
    one = chat()
    turn = one.turn(question, client_id="c-1")
    kinds = [f["type"] for f in turn.frames]
    assert kinds == ["ack", "loading", *["ai_response"] * (len(kinds) - 2)]
    assert turn.ack["client_id"] == "c-1" and turn.ack["seq"] == 1
    assert_id(turn.ack["message_id"])
    assert turn.loading["session_id"] == one.session
    assert_id(turn.loading["message_id"])
    assert turn.text == "Grüß dich, Welt"
    assert [d["chunk"] for d in turn.deltas] == list(range(len(turn.deltas)))
    for delta in turn.deltas:
        assert delta["metadata"]["streaming"] == "true"
        assert delta["metadata"]["done"] == "false"
        assert delta["message_id"] == turn.loading["message_id"]
        assert delta["session_id"] == one.session and delta["sender"] == "ai"
    end = turn.end
    assert "content" not in end
    assert end["metadata"]["streaming"] == "true" and end["metadata"]["done"] == "true"
    assert end["message_id"] == turn.loading["message_id"]
    assert end["seq"] == 2 and end["finish_reason"] == "stop"
    assert end["usage"] == {"prompt_tokens": 11, "completion_tokens": 3,
                            "total_tokens": 14}
    assert isinstance(end["duration_ms"], int) and isinstance(end["ttft_ms"], int)
    assert 0 <= end["ttft_ms"] <= end["duration_ms"]


def test_without_a_client_id_there_is_no_ack(chat, question):
    assert chat().turn(question).ack is None


def test_question_and_answer_are_stored_in_order(chat, server, fake, question):
    fake.when(question, plain("yes", usage=(5, 1)))
    one = chat()
    turn = one.turn(question, client_id="c-9")
    asked, answered = messages(server, one)
    assert asked["message_id"] == turn.ack["message_id"]
    assert (asked["seq"], asked["sender"], asked["content"]) == (1, "user", question)
    assert asked["type"] == "user_message" and asked["status"] == "complete"
    assert asked["client_id"] == "c-9"
    assert answered["message_id"] == turn.answer_id
    assert (answered["seq"], answered["sender"], answered["content"]) == (2, "ai", "yes")
    assert answered["type"] == "ai_response" and answered["status"] == "complete"
    assert answered["finish_reason"] == "stop"
    assert answered["reply_to"] == asked["message_id"]
    assert answered["usage"]["total_tokens"] == 6
    assert answered["model_id"] == "fake"
    assert answered["duration_ms"] == turn.end["duration_ms"]
    assert answered["ttft_ms"] == turn.end["ttft_ms"]
    for message in (asked, answered):
        assert_id(message["message_id"])
        assert_time(message["timestamp"])


def test_the_question_is_stored_before_the_model_is_asked(chat, server, fake, question):
    fake.when(question, Answer().gate_before_head(question).tokens("a").finish())
    one = chat()
    one.say(question, client_id="c")
    one.get("ack")
    fake.wait_asked(question)
    assert [m["content"] for m in messages(server, one)
            if m["sender"] == "user"] == [question]
    fake.open(question)
    assert one.rest_of_turn().finish == "stop"


def test_the_model_receives_what_it_should(chat, fake, question):
    chat().turn(question)
    request = fake.asked(question)[0]
    assert request.method == "POST" and request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {API_KEY}"
    assert request.headers["content-type"].startswith("application/json")
    assert request.json["model"] == "fake-1" and request.json["stream"] is True
    assert request.pairs == [("user", question)]


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter"])
def test_the_providers_finish_reason_is_passed_on_and_complete(chat, server, fake,
                                                               question, reason):
    fake.when(question, Answer().tokens("abc").finish(reason))
    one = chat()
    turn = one.turn(question)
    assert turn.finish == reason and turn.text == "abc"
    answer = messages(server, one)[1]
    assert answer["status"] == "complete" and answer["finish_reason"] == reason


def test_usage_is_estimated_when_the_provider_does_not_say(chat, fake, question):
    fake.when(question, Answer().tokens("some words here").finish())
    usage = chat().turn(question).end["usage"]
    assert usage["estimated"] is True
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["completion_tokens"] > 0


def test_the_total_of_a_session_is_the_sum_of_its_usage(chat, server, fake, question):
    one = chat()
    for n, (prompt, completion) in enumerate([(10, 5), (20, 7)]):
        fake.when(f"{question} {n}", plain("x", usage=(prompt, completion)))
        one.turn(f"{question} {n}")
    item = server.user(one.user).get("/sessions").json()["sessions"][0]
    assert item["total_tokens"] == 42 and item["message_count"] == 4


def test_an_answer_without_text_is_an_empty_complete_answer(chat, server, fake, question):
    fake.when(question, Answer().role().finish("stop"))
    one = chat()
    turn = one.turn(question)
    assert turn.finish == "stop" and turn.text == ""
    answer = messages(server, one)[1]
    assert answer["content"] == "" and answer["status"] == "complete"


# --- history

def test_the_model_receives_the_earlier_turns_in_order(chat, fake, question):
    one = chat()
    for n in range(10):
        fake.when(f"{question} {n}", plain(f"answer {n}"))
        assert one.turn(f"{question} {n}").text == f"answer {n}"
    expected = []
    for n in range(9):
        expected += [("user", f"{question} {n}"), ("assistant", f"answer {n}")]
    expected.append(("user", f"{question} 9"))
    assert fake.asked(f"{question} 9")[0].pairs == expected


def test_each_session_has_its_own_history(chat, fake, question, user):
    one, two = chat(user, session_id="new-a"), chat(user, session_id="new-b")
    assert one.session != two.session
    one.turn("something private")
    two.turn(question)
    assert fake.asked(question)[0].pairs == [("user", question)]


# --- what a turn looks like from elsewhere

def test_every_connection_of_a_session_receives_everything(chat, fake, question, user):
    fake.when(question, plain("for ", "all"))
    one = chat(user)
    one.turn("begin")
    others = [chat(user, session_id=one.session) for _ in range(3)]
    turn = one.turn(question, client_id="c-2")
    for other in others:
        seen = other.rest_of_turn()
        message = seen.frames[0]
        assert message["type"] == "user_message" and message["content"] == question
        assert message["sender"] == "user" and message["seq"] == turn.ack["seq"]
        assert message["message_id"] == turn.ack["message_id"]
        assert seen.ack is None, "the ack goes to the sender only"
        assert seen.loading["message_id"] == turn.answer_id
        assert seen.text == turn.text == "for all"
        assert [d["chunk"] for d in seen.deltas] == list(range(len(seen.deltas)))
        assert seen.seq == turn.seq and seen.finish == "stop"
        assert other.quiet() == []
    assert one.quiet() == []
    assert all(f["type"] != "user_message" for f in one.frames), "no echo"


def test_another_session_of_the_user_receives_nothing(chat, question, user):
    one, two = chat(user, session_id="new-a"), chat(user, session_id="new-b")
    one.turn(question)
    assert two.quiet() == []


def test_another_user_receives_nothing(chat, question):
    one, stranger = chat(), chat()
    one.turn(question)
    assert stranger.quiet() == []


def test_typing_goes_to_the_others_and_is_not_stored(chat, server, user):
    one = chat(user)
    one.turn("begin")
    two = chat(user, session_id=one.session)
    one.send("typing_indicator")
    assert one.quiet() == []
    assert two.recv()["type"] == "typing_indicator"
    assert len(messages(server, one)) == 2


def test_a_disconnect_does_not_stop_a_turn(chat, server, fake, question, user):
    fake.when(question, Answer().tokens("first ").gate(question).tokens("second").finish())
    one = chat(user)
    one.say(question)
    one.get("ai_response")
    one.drop()
    before = fake.asked(question)[0]
    fake.open(question)
    wait_for(lambda: len(messages(server, one)) == 2
             and messages(server, one)[1]["status"] == "complete", 5, "the whole answer")
    assert messages(server, one)[1]["content"] == "first second"
    assert not before.gone_early


# --- models

def test_model_select_is_answered_stored_and_used(chat, server, fake, question, user):
    one = chat(user)
    one.turn("begin")
    one.send("model_select", model_id="other")
    status = one.recv()
    assert status["type"] == "connection_status" and status["model_id"] == "other"
    assert status["content"].startswith("Model changed to ")
    assert one.turn(question).finish == "stop"
    request = fake.asked(question)[0]
    assert request.path == "/other/v1/chat/completions"
    assert request.json["model"] == "other-1"
    answered = [m for m in messages(server, one) if m["sender"] == "ai"][-1]
    assert answered["model_id"] == "other"
    again = chat(user, session_id=one.session)
    assert again.hello["model_id"] == "other"
    item = server.user(user).get("/sessions").json()["sessions"][0]
    assert item["model_id"] == "other"


def test_model_select_before_the_first_message_holds(chat, fake, question):
    one = chat()
    one.send("model_select", model_id="other")
    one.get("connection_status")
    one.turn(question)
    assert fake.asked(question)[0].path.startswith("/other/")


def test_an_unknown_model_changes_nothing(chat, fake, question):
    one = chat()
    one.send("model_select", model_id="nope")
    error = one.recv()["error"]
    assert error["code"] == "NOT_FOUND" and error["field"] == "model_id"
    one.turn(question)
    assert fake.asked(question)[0].path == "/v1/chat/completions"


# --- order and waiting

def test_waiting_questions_are_stored_on_arrival_and_answered_in_order(chat, server, fake,
                                                                       question):
    names = [f"{question} {n}" for n in range(4)]
    fake.when(names[0], Answer().tokens("a0").gate(question).finish())
    for n in (1, 2, 3):
        fake.when(names[n], plain(f"a{n}"))
    one = chat()
    for name in names:
        one.say(name, client_id=name)
    acks = []
    while len(acks) < 4:
        acks.append(one.get("ack"))
    assert [a["seq"] for a in acks] == [1, 2, 3, 4]
    stored = [m["content"] for m in messages(server, one) if m["sender"] == "user"]
    assert stored == names
    assert len(fake.asked(names[1])) == 0, "one turn at a time"
    fake.open(question)
    turns = [one.rest_of_turn() for _ in range(4)]
    assert [t.seq for t in turns] == [5, 6, 7, 8]
    assert [t.text for t in turns][1:] == ["a1", "a2", "a3"]
    log = [m for m in messages(server, one) if m["sender"] == "ai"]
    assert [m["reply_to"] for m in log] == [a["message_id"] for a in acks]
    assert fake.asked(names[2])[0].pairs == [
        ("user", names[0]), ("assistant", "a0"), ("user", names[1]), ("assistant", "a1"),
        ("user", names[2])]


def test_a_fourth_waiting_question_is_a_recoverable_service_error(chat, server, fake,
                                                                  question):
    fake.when(question, Answer().tokens("a").gate(question).finish())
    one = chat()
    one.say(question)
    one.get("ai_response")
    for n in range(3):
        one.say(f"waiting {n}", client_id=f"w{n}")
        one.get("ack")
    one.say("one too many", client_id="w3")
    refusal = one.get("error")
    assert refusal["error"]["code"] == "SERVICE_ERROR"
    assert refusal["error"]["recoverable"] is True
    assert refusal["error"]["retry_after"] > 0
    assert "one too many" not in [m["content"] for m in messages(server, one)]
    fake.open(question)
    assert [one.rest_of_turn().finish for _ in range(4)] == ["stop"] * 4
    assert one.turn("one too many", client_id="w3").finish == "stop"


def test_the_waiting_room_is_per_connection(chat, fake, question, user):
    fake.when(question, Answer().tokens("a").gate(question).finish())
    one = chat(user)
    one.say(question)
    one.get("ai_response")
    two = chat(user, session_id=one.session)
    two.get(lambda f: f.get("metadata", {}).get("snapshot") == "true")
    for n in range(3):
        one.say(f"one {n}", client_id=f"a{n}")
        one.get("ack")
    for n in range(3):
        two.say(f"two {n}", client_id=f"b{n}")
        two.get("ack")
    fake.open(question)
    assert [one.rest_of_turn().finish for _ in range(7)] == ["stop"] * 7


def test_two_sessions_of_one_user_run_at_the_same_time(chat, fake, question, user):
    fake.when(question, Answer().tokens("a").gate(question).finish())
    one, two = chat(user, session_id="new-a"), chat(user, session_id="new-b")
    one.say(question)
    one.get("ai_response")
    assert two.turn("quick").finish == "stop"
    fake.open(question)
    assert one.rest_of_turn().finish == "stop"


def test_an_ended_session_is_reopened_by_a_message(chat, server, question):
    one = chat()
    one.turn("begin")
    client = server.user(one.user)
    client.post(f"/sessions/{one.session}/end")
    one.get(lambda f: f.get("metadata", {}).get("event") == "session_ended")
    assert client.get("/sessions").json()["sessions"][0]["is_active"] is False
    assert one.turn(question).finish == "stop"
    item = client.get("/sessions").json()["sessions"][0]
    assert item["is_active"] is True and not item.get("end_time")


# --- forms of a stream

FORMS = {
    "CRLF": lambda a: a.crlf(),
    "one byte at a time": lambda a: a.bytewise(),
    "one byte at a time with CRLF": lambda a: a.crlf().bytewise(),
    "three bytes at a time": lambda a: a.bytewise(3),
}


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
@pytest.mark.parametrize("form", list(FORMS))
def test_the_form_of_the_stream_does_not_matter(chat, fake, question, form, framing):
    answer = Answer(framing=framing).role().tokens("Ä", "€", "😀", " end").finish("stop")
    fake.when(question, FORMS[form](answer))
    turn = chat().turn(question)
    assert turn.text == "Ä€😀 end" and turn.finish == "stop"


ODD = {
    "comment lines": b": keep-alive\n\n:\n\n",
    "an unknown field": b"colour: red\n\n",
    "an id and a retry": b"id: 7\nretry: 10\n\n",
    "an empty line": b"\n\n\n",
    "an empty delta": event(chunk({"content": ""})),
    "a null delta": event(chunk({"content": None})),
    "a delta of nothing": event(chunk({})),
    "no choices": b'data: {"choices":[]}\n\n',
    "an unknown member": b'data: {"x":1,"choices":[{"index":0,"delta":{"y":2}}]}\n\n',
    "a line of garbage": b"garbage\n\n",
    "malformed JSON": b"data: {\"choices\":[{\"delta\":\n\n",
    "a number": b"data: 5\n\n",
    "an array": b"data: []\n\n",
    "wrong types": b'data: {"choices":{"delta":"x"}}\n\n',
    "content of the wrong type": b'data: {"choices":[{"delta":{"content":5}}]}\n\n',
    "no space after the colon": b'data:{"choices":[]}\n\n',
    "an event name": b'event: message\ndata: {"choices":[]}\n\n',
}


@pytest.mark.parametrize("name", list(ODD))
def test_odd_things_inside_a_stream_are_passed_over(chat, fake, question, name):
    fake.when(question, Answer().raw(ODD[name]).tokens("one ").raw(ODD[name])
              .tokens("two").raw(ODD[name]).finish("stop"))
    turn = chat().turn(question)
    assert turn.text == "one two" and turn.finish == "stop"
    assert len(fake.asked(question)) == 1


def test_escapes_in_a_delta_are_read(chat, fake, question):
    data = rb'data: {"choices":[{"delta":{"content":"\u00e4\ud83d\ude00\n\"\\\/\t"}}]}'
    fake.when(question, Answer().raw(data + b"\n\n").finish("stop"))
    assert chat().turn(question).text == "ä😀\n\"\\/\t"


def test_a_finish_reason_beside_text_keeps_the_text(chat, fake, question):
    fake.when(question, Answer().raw(event(chunk({"content": "all"}, "stop"))).done())
    turn = chat().turn(question)
    assert turn.text == "all" and turn.finish == "stop"


def test_a_long_answer_is_whole(chat, server, fake, question):
    words = [f"word{n} äöü " for n in range(5000)]
    fake.when(question, Answer().tokens(*words).finish())
    one = chat()
    assert one.turn(question, timeout=30).text == "".join(words)
    assert messages(server, one)[1]["content"] == "".join(words)


def test_fifty_conversations_at_once(chat, fake):
    names = [fresh("q") for _ in range(50)]
    chats = [chat() for _ in names]
    for name, one in zip(names, chats, strict=True):
        fake.when(name, plain(*(f"{name}-{n} " for n in range(20))))
        one.say(name, client_id="c")
    for name, one in zip(names, chats, strict=True):
        turn = one.rest_of_turn(30)
        assert turn.text == "".join(f"{name}-{n} " for n in range(20))
        assert turn.finish == "stop" and turn.ack["seq"] == 1 and turn.seq == 2
