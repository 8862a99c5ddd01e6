# SPDX-License-Identifier: MIT
"""cancel, repeated client_id, regenerate: protocol.md 2.4 to 2.6."""

import threading

import pytest

from support.answer import Answer, failure, plain
from support.server import provider_env
from support.ws import Chat, fresh


def messages(server, chat):
    return server.user(chat.user).get(f"/sessions/{chat.session}").json()["messages"]


def held(fake, question, *texts):
    """An answer that gives `texts` and then waits for its gate (the question)."""
    fake.when(question, Answer().tokens(*texts).gate(question).tokens("end").finish())


def begun(chat, question, text, **members):
    """Ask and read until `text` has arrived; gives the frames."""
    chat.say(question, **members)
    seen = []
    while "".join(f.get("content", "") for f in seen
                  if f["type"] == "ai_response") != text:
        seen.append(chat.recv())
    return seen


# --- cancel

def test_cancel_closes_the_upstream_and_keeps_the_text(chat, server, fake, question):
    held(fake, question, "part ", "one")
    one = chat()
    begun(one, question, "part one")
    one.send("cancel")
    end = one.rest_of_turn().end
    assert end["finish_reason"] == "cancelled" and end["seq"] == 2
    assert end["usage"]["completion_tokens"] > 0
    assert fake.asked(question)[0].closed.wait(5)
    assert fake.asked(question)[0].gone_early
    answer = messages(server, one)[1]
    assert answer["content"] == "part one" and answer["status"] == "cancelled"
    assert answer["finish_reason"] == "cancelled"
    assert one.quiet() == []


def test_cancel_names_the_running_answer(chat, fake, question):
    held(fake, question, "part")
    one = chat()
    seen = begun(one, question, "part")
    answer_id = next(f for f in seen if f["type"] == "loading")["message_id"]
    one.send("cancel", message_id="0" * 32)
    assert one.get("error")["error"]["code"] == "NOT_FOUND"
    one.send("cancel", message_id=answer_id)
    assert one.rest_of_turn().finish == "cancelled"


def test_cancel_of_a_question_or_of_a_waiting_turn_stops_nothing(chat, fake, question):
    """2.4: message_id names the running answer; another id is NOT_FOUND."""
    held(fake, question, "part")
    one = chat()
    seen = begun(one, question, "part", client_id="runs")
    one.say(question + " waits", client_id="waits")
    ids = [f["message_id"] for f in seen if f["type"] == "ack"]
    ids.append(one.get("ack")["message_id"])
    for other in ids:
        one.send("cancel", message_id=other)
        error = one.get("error")["error"]
        assert error["code"] == "NOT_FOUND" and error["field"] == "message_id"
    fake.open(question)
    assert one.rest_of_turn().finish == "stop"
    assert one.rest_of_turn().finish == "stop"


def test_cancel_works_from_any_connection_of_the_session(chat, fake, question, user):
    held(fake, question, "part")
    one = chat(user)
    begun(one, question, "part")
    two = chat(user, session_id=one.session)
    two.send("cancel")
    assert one.rest_of_turn().finish == "cancelled"
    assert two.rest_of_turn().finish == "cancelled"


def test_cancel_does_not_reach_another_users_or_sessions_turn(chat, fake, question, user):
    held(fake, question, "part")
    one = chat(user)
    seen = begun(one, question, "part")
    answer_id = next(f for f in seen if f["type"] == "loading")["message_id"]
    for other in (chat(), chat(user, session_id="another")):
        other.send("cancel", message_id=answer_id)
        assert other.get("error")["error"]["code"] == "NOT_FOUND"
    fake.open(question)
    assert one.rest_of_turn().finish == "stop"


def test_cancel_before_the_first_text_stores_nothing(chat, server, fake, question):
    fake.when(question, Answer().silence_before_head())
    one = chat()
    one.say(question)
    one.get("loading")
    fake.wait_asked(question)
    one.send("cancel")
    turn = one.rest_of_turn()
    assert turn.end["type"] == "ai_response" and turn.finish == "cancelled"
    assert fake.asked(question)[0].closed.wait(5)
    assert [m["sender"] for m in messages(server, one)] == ["user"]
    assert one.turn("and now?").finish == "stop"


def test_cancel_between_two_tries_stops_both(spawn, connect, fake, question):
    """No provider has the turn at that moment; it ends all the same."""
    fake.when(question, failure(503, Retry_After="60"), plain("never"))
    server = spawn(provider_env(fake))
    one = connect(server)
    one.say(question)
    server.wait_log("llm_retry")
    one.send("cancel")
    assert one.rest_of_turn().finish == "cancelled"
    assert len(fake.asked(question)) == 1
    assert one.turn("and now?").finish == "stop"


def test_cancel_lets_the_next_waiting_question_run(chat, fake, question):
    held(fake, question, "part")
    one = chat()
    begun(one, question, "part")
    one.say(question + " next", client_id="n")
    one.get("ack")
    one.send("cancel")
    assert one.rest_of_turn().finish == "cancelled"
    assert one.rest_of_turn().finish == "stop"


def test_cancel_again_finds_nothing(chat, fake, question):
    held(fake, question, "part")
    one = chat()
    begun(one, question, "part")
    one.send("cancel")
    one.rest_of_turn()
    one.send("cancel")
    assert one.get("error")["error"]["code"] == "NOT_FOUND"


# --- client_id

def repeat_of(chat, question, client_id):
    """Send the same message again; the ack and what follows up to the end."""
    chat.say(question, client_id=client_id)
    ack = chat.get("ack")
    return ack, chat.rest_of_turn()


def assert_replay(turn, text, seq):
    assert turn.end["content"] == text and turn.end["seq"] == seq
    assert turn.end["metadata"]["done"] == "true"
    assert turn.end["metadata"]["replay"] == "true"
    assert turn.end["finish_reason"]
    assert turn.deltas == []


def test_a_repeat_of_a_finished_turn_gets_the_first_answer(chat, server, fake, question):
    fake.when(question, plain("only ", "once"))
    one = chat()
    first = one.turn(question, client_id="c-1")
    ack, again = repeat_of(one, question, "c-1")
    assert ack["message_id"] == first.ack["message_id"]
    assert ack["seq"] == first.ack["seq"] and ack["client_id"] == "c-1"
    assert_replay(again, "only once", first.seq)
    assert again.answer_id == first.answer_id
    assert len(fake.asked(question)) == 1 and len(messages(server, one)) == 2


def test_a_repeat_from_another_connection_gets_it_too(chat, fake, question, user):
    fake.when(question, plain("only once"))
    one = chat(user)
    first = one.turn(question, client_id="c-1")
    one.close()
    two = chat(user, session_id=one.session)
    ack, again = repeat_of(two, question, "c-1")
    assert ack["message_id"] == first.ack["message_id"]
    assert_replay(again, "only once", first.seq)
    assert len(fake.asked(question)) == 1


def test_a_repeat_of_a_running_turn_gets_a_snapshot_and_goes_on(chat, fake, question, user):
    held(fake, question, "so ", "far ")
    one = chat(user)
    begun(one, question, "so far ", client_id="c-1")
    one.say(question, client_id="c-1")
    one.get("ack")
    snapshot = one.get("ai_response")
    assert snapshot["metadata"]["snapshot"] == "true"
    assert snapshot["content"] == "so far "
    fake.open(question)
    turn = one.rest_of_turn()
    assert turn.text == "end" and turn.finish == "stop"
    assert len(fake.asked(question)) == 1


def test_a_repeat_of_a_waiting_question_gets_its_ack_and_one_answer(chat, server, fake,
                                                                    question):
    held(fake, question, "x")
    one = chat()
    begun(one, question, "x")
    one.say(question + " waits", client_id="c-2")
    first = one.get("ack")
    one.say(question + " waits", client_id="c-2")
    assert one.get("ack")["message_id"] == first["message_id"]
    fake.open(question)
    one.rest_of_turn()
    assert one.rest_of_turn().finish == "stop"
    assert one.quiet() == []
    assert len(fake.asked(question + " waits")) == 1
    assert len(messages(server, one)) == 4


def test_a_repeat_of_a_failed_question_asks_again(chat, server, fake, question):
    """Stored, but no answer was: the turn starts now."""
    fake.when(question, failure(400), plain("this time"))
    one = chat()
    first = one.turn(question, client_id="c-1")
    assert first.error["code"] == "LLM_UNAVAILABLE"
    ack, again = repeat_of(one, question, "c-1")
    assert ack["message_id"] == first.ack["message_id"]
    assert again.text == "this time" and again.finish == "stop"
    assert [m["sender"] for m in messages(server, one)] == ["user", "ai"]


def test_a_repeat_needs_no_room_for_another_turn(chat, server, fake, question):
    """2.2, 2.3: a repeat is never a second turn, so three waiting do not refuse it."""
    held(fake, question, "so ", "far ")
    one = chat()
    done = one.turn("done before", client_id="c-0")
    begun(one, question, "so far ", client_id="c-1")
    first = {}
    for n in (2, 3, 4):
        one.say(f"{question} {n}", client_id=f"c-{n}")
        first[n] = one.get("ack")["message_id"]
    ack, again = repeat_of(one, "done before", "c-0")
    assert ack["message_id"] == done.ack["message_id"]
    assert_replay(again, done.text, done.seq)
    one.say(question, client_id="c-1")
    ack, snapshot = one.recv(), one.recv()
    assert (ack["type"], ack["client_id"]) == ("ack", "c-1")
    assert snapshot["metadata"]["snapshot"] == "true"
    assert snapshot["content"] == "so far "
    for n in (2, 4):
        one.say(f"{question} {n}", client_id=f"c-{n}")
        assert [(f["type"], f["message_id"]) for f in one.quiet()] == [("ack", first[n])]
    one.say("one more", client_id="c-5")
    error = one.recv()
    assert error["client_id"] == "c-5" and error["error"]["code"] == "SERVICE_ERROR"
    assert error["error"]["recoverable"] and error["error"]["retry_after"] > 0
    fake.open(question)
    assert [one.rest_of_turn().finish for _ in range(4)] == ["stop"] * 4
    assert one.quiet() == [] and len(fake.asked(question)) == 1
    assert len(messages(server, one)) == 10


def test_a_question_that_failed_needs_room_to_be_asked_again(chat, fake, question):
    """What the store has without an answer is a turn, when it is repeated."""
    failed, runs = question + " failed", question
    fake.when(failed, failure(400), plain("this time"))
    held(fake, runs, "x")
    one = chat()
    assert one.turn(failed, client_id="c-0").error["code"] == "LLM_UNAVAILABLE"
    begun(one, runs, "x")
    for n in range(3):
        one.say(f"{question} {n}", client_id=f"c-{n + 1}")
        one.get("ack")
    one.say(failed, client_id="c-0")
    assert one.recv()["error"]["code"] == "SERVICE_ERROR"
    fake.open(runs)
    assert [one.rest_of_turn().finish for _ in range(4)] == ["stop"] * 4
    assert repeat_of(one, failed, "c-0")[1].text == "this time"


def test_the_same_client_id_in_another_session_is_another_message(chat, fake, question,
                                                                  user):
    one, two = chat(user, session_id="new-a"), chat(user, session_id="new-b")
    first = one.turn(question, client_id="c-1")
    second = two.turn(question, client_id="c-1")
    assert first.ack["message_id"] != second.ack["message_id"]
    assert len(fake.asked(question)) == 2


def test_fifty_repeats_at_once_ask_the_model_once(server, fake, question, user):
    fake.when(question, plain("once"))
    with Chat(server, user) as one:
        one.turn("begin")
        ids, ends = [], []

        def knock():
            with Chat(server, user, session_id=one.session) as other:
                other.say(question, client_id="same")
                ids.append(other.get("ack")["message_id"])
                ends.append(other.get(lambda f: f.get("finish_reason")))
        threads = [threading.Thread(target=knock) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(ids) == 50 and len(set(ids)) == 1
        assert len({end["message_id"] for end in ends}) == 1
        assert len(fake.asked(question)) == 1
        assert len(messages(server, one)) == 4


# --- regenerate

def test_regenerate_gives_another_answer_to_the_same_question(chat, server, fake, question):
    fake.when(question, plain("first"), plain("second"))
    one = chat()
    first = one.turn(question)
    one.send("regenerate", message_id=first.answer_id)
    again = one.rest_of_turn()
    assert again.text == "second" and again.finish == "stop"
    assert again.answer_id != first.answer_id and again.seq == 3
    asked, old, new = messages(server, one)
    assert old["superseded"] is True and not new.get("superseded")
    assert new["replaces"] == first.answer_id
    assert new["reply_to"] == old["reply_to"] == asked["message_id"]
    assert fake.asked(question)[1].pairs == [("user", question)]


def test_a_superseded_answer_leaves_the_models_history(chat, fake, question):
    fake.when(question, plain("first"), plain("second"))
    one = chat()
    first = one.turn(question)
    one.send("regenerate", message_id=first.answer_id)
    one.rest_of_turn()
    one.turn(question + " more")
    assert fake.asked(question + " more")[0].pairs == [
        ("user", question), ("assistant", "second"), ("user", question + " more")]


def test_regenerate_of_an_unanswered_question_asks_again(chat, server, fake, question):
    fake.when(question, failure(400), plain("this time"))
    one = chat()
    first = one.turn(question, client_id="c")
    one.send("regenerate", message_id=first.ack["message_id"])
    again = one.rest_of_turn()
    assert again.text == "this time"
    assert [m["sender"] for m in messages(server, one)] == ["user", "ai"]


def test_regenerate_of_an_earlier_answer_uses_the_history_before_it(chat, fake, question):
    one = chat()
    fake.when(question, plain("first"), plain("second"))
    first = one.turn(question)
    one.turn("later words")
    one.send("regenerate", message_id=first.answer_id)
    assert one.rest_of_turn().text == "second"
    assert fake.asked(question)[1].pairs[-1] == ("user", question)


@pytest.mark.parametrize("whose", ["unknown", "foreign"])
def test_regenerate_of_what_is_not_mine_is_not_found(chat, whose):
    other = chat().turn("hello")
    one = chat()
    one.turn("begin")
    target = other.answer_id if whose == "foreign" else "f" * 32
    one.send("regenerate", message_id=target)
    assert one.get("error")["error"]["code"] == "NOT_FOUND"


# --- what the model sees

def context(spawn, fake, **settings):
    return spawn({**provider_env(fake), **settings})


def test_the_system_prompt_comes_first(spawn, connect, fake, question):
    server = context(spawn, fake, LLM_SYSTEM_PROMPT="Be brief.\nBe \"kind\".")
    one = connect(server)
    one.turn("begin")
    one.turn(question)
    assert fake.asked(question)[0].pairs[:2] == [
        ("system", 'Be brief.\nBe "kind".'), ("user", "begin")]


def test_the_budget_drops_old_turns_but_never_cuts_one(spawn, connect, fake, question):
    server = context(spawn, fake, LLM_CONTEXT_TOKENS="256", LLM_SYSTEM_PROMPT="Short.")
    one = connect(server)
    marks = [fresh("t") for _ in range(12)]
    for mark in marks:
        fake.when(mark + " word" * 30, plain("answer " + mark))
        one.turn(mark + " word" * 30)
    one.turn(question)
    pairs = fake.asked(question)[0].pairs
    assert pairs[0] == ("system", "Short.") and pairs[-1] == ("user", question)
    turns = pairs[1:-1]
    assert 0 < len(turns) < 2 * len(marks)
    assert [role for role, _ in turns] == ["user", "assistant"] * (len(turns) // 2)
    kept = [text.split()[0] for role, text in turns if role == "user"]
    assert kept == marks[-len(kept):], "the newest, in order"
    assert sum(len(text) for _, text in pairs) < 256 * 8


def test_the_new_message_is_always_sent(spawn, connect, fake):
    server = context(spawn, fake, LLM_CONTEXT_TOKENS="256")
    one = connect(server)
    one.turn("begin")
    long = fresh("long") + " word" * 1500
    assert one.turn(long).finish == "stop"
    assert fake.asked(long)[0].pairs == [("user", long)]


def test_history_survives_a_restart(spawn, connect, fake, question):
    server = context(spawn, fake)
    one = connect(server)
    fake.when("begin " + question, plain("begun"))
    one.turn("begin " + question)
    server.stop()
    server.start()
    two = connect(server, one.user, session_id=one.session)
    two.turn(question)
    assert fake.asked(question)[0].pairs == [
        ("user", "begin " + question), ("assistant", "begun"), ("user", question)]
