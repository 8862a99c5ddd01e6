# SPDX-License-Identifier: MIT
"""A model that keeps the conversation itself: what it is told, what is kept of it,
and that it hears when nobody waits for its answer (decision 40)."""

import json
import re
from pathlib import Path

import pytest

from support.answer import Answer, event
from support.cuts import chunked, cut_everywhere
from support.fakedify import NOW, USAGE, FakeDify, Says, refusal
from support.server import provider_env, run_cli
from support.stored import storage
from support.waiting import PATIENCE, wait_for
from support.ws import fresh

KEY, OTHER_KEY = FakeDify.new_key(), FakeDify.new_key()
STOPS = "chatbox_llm_stops_total"
FAILURES = "chatbox_llm_stop_failures_total"


@pytest.fixture(scope="module")
def dify():
    service = FakeDify()
    yield service
    service.close()


@pytest.fixture
def settings(dify, fake):
    """An app, a model of another kind, and another app of the same service."""
    return {**FakeDify.env(dify, 1, KEY, ID="app"), **provider_env(fake, 2, ID="fake"),
            **FakeDify.env(dify, 3, OTHER_KEY, ID="app2")}


@pytest.fixture
def start(spawn, settings):
    """Servers of one test; no key is in the whole log of any."""
    servers = []

    def with_more(**more):
        servers.append(spawn({**settings, **more}))
        return servers[-1]
    yield with_more
    for one in servers:
        one.stop()
        assert KEY not in one.log_text() and OTHER_KEY not in one.log_text()


@pytest.fixture
def server(start):
    return start()


def select(one, model):
    one.send("model_select", model_id=model)
    one.until(lambda f: f["type"] == "connection_status" and f.get("model_id") == model)


def told(request):
    """What stands in front of the question, as (who, text)."""
    before, _, _ = request.json["query"].rpartition(NOW)
    return re.findall(r"^(User|Assistant): (.*)$", before, re.M)


def answers(server, one):
    return [m for m in storage(server).log(one.session) if m["sender"] == "ai"]


# --- one conversation

def test_a_session_is_one_conversation(server, chat, dify, question):
    one = chat()
    turns = [f"{question} {n}" for n in range(3)]
    for ask in turns:
        turn = one.turn(ask)
        assert turn.text == "Hello from Dify." and turn.finish == "stop"
        assert turn.end["usage"] == {"prompt_tokens": 3, "completion_tokens": 4,
                                     "total_tokens": 7}
    requests = [dify.asked(ask)[0] for ask in turns]
    conversation = requests[0].conversation
    assert [r.json for r in requests] == [
        {"query": ask, "inputs": {}, "response_mode": "streaming", "user": user,
         "conversation_id": name}
        for ask, name, user in zip(turns, ("", conversation, conversation),
                                   [requests[0].json["user"]] * 3)]
    assert dify.kept[conversation][2] == turns
    assert [m["convId"] for m in answers(server, one)] == [conversation] * 3
    assert [m["usage"]["total_tokens"] for m in answers(server, one)] == [7] * 3


def test_it_is_told_to_nobody(server, chat, dify, user, question):
    """It is the provider's business, and the server's."""
    one = chat(user)
    one.turn(question)
    name = dify.asked(question)[0].conversation
    client = server.user(user)
    for path in ("", "/export?format=json", "/export?format=md"):
        assert name not in client.get(f"/sessions/{one.session}{path}").text
    assert name not in json.dumps(one.frames)
    assert name not in server.log_text()


@pytest.mark.parametrize("end", ["stop", "kill9"])
def test_it_goes_on_after_a_restart(server, connect, dify, user, question, end):
    one = connect(server, user)
    one.turn(f"{question} 1")
    getattr(server, end)()
    server.start()
    again = connect(server, user, session_id=one.session)
    assert again.session == one.session
    again.turn(f"{question} 2")
    first, second = (dify.asked(f"{question} {n}")[0] for n in (1, 2))
    assert second.json["conversation_id"] == first.conversation
    assert second.json["user"] == first.json["user"]
    assert told(second) == []


def test_an_answer_that_a_crash_cut_is_in_its_conversation(server, connect, dify, user,
                                                          question):
    dify.when(question, Says().text("half").gate(question).end())
    one = connect(server, user)
    before = server.metric("chatbox_drafts_stored_total")
    one.say(question)
    one.get("ai_response")
    wait_for(lambda: server.metric("chatbox_drafts_stored_total") > before, 5,
             "its checkpoint")
    server.kill9()
    server.start()
    again = connect(server, user, session_id=one.session)
    again.turn("and now?" + question)
    asked = dify.asked("and now?" + question)[0]
    assert asked.json["conversation_id"] == dify.asked(question)[0].conversation


def test_an_export_of_a_user_has_it(server, connect, dify, user, question):
    """It names them to somebody else."""
    connect(server, user).turn(question)
    export = run_cli("export-user", user, env=server.env)
    (session,) = json.loads(export.stdout)["sessions"]
    asked, answer = session["messages"]
    assert answer["conversation_id"] == dify.asked(question)[0].conversation
    assert "conversation_id" not in asked


# --- who asks

def test_a_user_has_one_name_there_which_says_nothing(server, chat, dify, user, question):
    """Never the real id, never a date."""
    asks = {}
    for who, model in ((user, "app"), (user, "app"), (fresh(), "app"), (user, "app2")):
        one = chat(who, session_id=fresh("new"))
        select(one, model)
        ask = f"{question} {len(asks)}"
        one.turn(ask)
        asks[ask] = who
    names = [dify.asked(ask)[0].json["user"] for ask in asks]
    assert all(re.fullmatch("[0-9a-f]{32}", name) for name in names)
    assert names[0] == names[1], "the same in another session"
    assert len(set(names)) == 3, "another user and another app have another one"
    for ask, who in asks.items():
        assert who not in dify.asked(ask)[0].body.decode()


def test_another_database_has_other_names(server, start, connect, dify, user,
                                          question):
    other = start()
    for n, one in enumerate((server, other)):
        connect(one, user).turn(f"{question} {n}")
    names = {dify.asked(f"{question} {n}")[0].json["user"] for n in (0, 1)}
    assert len(names) == 2


# --- what it does not know

def test_another_models_turns_are_told_and_its_id_is_not(server, chat, dify, fake,
                                                         question):
    one = chat()
    one.turn(f"{question} 1")
    select(one, "fake")
    one.turn(f"{question} 2")
    select(one, "app2")
    one.turn(f"{question} 3")
    select(one, "app")
    one.turn(f"{question} 4")
    one.turn(f"{question} 5")
    first, third, fourth, fifth = (dify.asked(f"{question} {n}")[0]
                                   for n in (1, 3, 4, 5))
    said = [("User", f"{question} 1"), ("Assistant", "Hello from Dify."),
            ("User", f"{question} 2"), ("Assistant", "Hello from the model."),
            ("User", f"{question} 3"), ("Assistant", "Hello from Dify.")]
    assert third.json["conversation_id"] == "" and told(third) == said[:4]
    assert fourth.json["conversation_id"] == first.conversation
    assert told(fourth) == said[2:], "what its own conversation has not seen"
    assert fifth.json["conversation_id"] == first.conversation and told(fifth) == []
    (openai,) = fake.asked(f"{question} 2")
    assert first.conversation not in openai.body.decode()
    assert first.conversation not in third.body.decode()
    assert openai.pairs[:2] == [("user", f"{question} 1"),
                                ("assistant", "Hello from Dify.")]


def test_another_answer_begins_another_conversation(server, chat, dify, question):
    """Dify cannot forget the old one."""
    dify.when(f"{question} 2", Says().text("old").end(), Says().text("new").end())
    one = chat()
    one.turn(f"{question} 1")
    old = one.turn(f"{question} 2")
    one.send("regenerate", message_id=old.answer_id)
    assert one.rest_of_turn().text == "new"
    one.turn(f"{question} 3")
    first, again = dify.asked(f"{question} 2")
    assert again.json["conversation_id"] == "" and first.json["conversation_id"] != ""
    assert told(again) == [("User", f"{question} 1"), ("Assistant", "Hello from Dify.")]
    third = dify.asked(f"{question} 3")[0]
    assert third.json["conversation_id"] == again.conversation and told(third) == []


def test_the_system_prompt_is_an_input(start, connect, dify, question):
    server = start(LLM_SYSTEM_PROMPT="Be brief.")
    connect(server).turn(question)
    body = dify.asked(question)[0].json
    assert body["inputs"] == {"system_prompt": "Be brief."}
    assert body["query"] == question


# --- a conversation that is gone

def test_one_that_is_gone_begins_anew_with_what_was_said(server, chat, dify, question):
    one = chat()
    one.turn(f"{question} 1")
    dify.forget(dify.asked(f"{question} 1")[0].conversation)
    turn = one.turn(f"{question} 2", client_id="c")
    assert turn.text == "Hello from Dify." and turn.finish == "stop"
    one.turn(f"{question} 3")
    lost, anew = dify.asked(f"{question} 2")
    assert lost.json["conversation_id"] != "" and anew.json["conversation_id"] == ""
    assert lost.json["user"] == anew.json["user"]
    assert told(anew) == [("User", f"{question} 1"), ("Assistant", "Hello from Dify.")]
    third = dify.asked(f"{question} 3")[0]
    assert third.json["conversation_id"] == anew.conversation and told(third) == []
    server.wait_log("llm_stranger", session_id=one.session)
    assert server.metric("chatbox_llm_errors_total") == 0, "nobody has failed"


def test_it_is_asked_once_more_and_no_more(start, connect, dify, question):
    server = start(LLM_RETRY_ATTEMPTS="3")
    one = connect(server)
    assert one.turn(f"{question} 1").finish == "stop"
    dify.forget(dify.asked(f"{question} 1")[0].conversation)
    dify.when(f"{question} 2", refusal(404, "not_found"))
    assert one.turn(f"{question} 2").error["code"] == "LLM_UNAVAILABLE"
    assert len(dify.asked(f"{question} 2")) == 2


def test_without_one_a_404_is_an_error_at_once(server, chat, dify, question):
    dify.when(question, refusal(404, "not_found"))
    assert chat().turn(question).error["code"] == "LLM_UNAVAILABLE"
    assert len(dify.asked(question)) == 1
    assert not server.logged("llm_stranger")


# --- failures

@pytest.mark.parametrize("status,code,asked", [
    (400, "invalid_param", 1), (400, "provider_quota_exceeded", 1),
    (401, "unauthorized", 1), (429, "too_many_requests", 3),
    (500, "internal_server_error", 3), (503, "service_unavailable", 3)])
def test_a_refusal_is_told_by_its_code_and_not_by_its_words(server, chat, dify, question,
                                                           status, code, asked):
    dify.when(question, refusal(status, code, f"Sorry {KEY}: {question}"))
    assert chat().turn(question).error["code"] == "LLM_UNAVAILABLE"
    assert len(dify.asked(question)) == asked
    server.wait_log("llm_error", provider="app", reason=code, status=status)
    assert question not in server.log_text()


def test_an_error_in_the_stream_before_text_is_one_error(server, chat, dify, question):
    dify.when(question, Says().event("workflow_started", data={})
              .error(400, "completion_request_error", f"{KEY} {question}"))
    turn = chat().turn(question)
    assert turn.error["code"] == "LLM_UNAVAILABLE" and turn.text == ""
    assert len(dify.asked(question)) == 1
    server.wait_log("llm_error", reason="completion_request_error")


def test_an_error_in_the_stream_after_text_ends_the_answer(server, chat, dify, question):
    dify.when(question, Says().text("so ", "far").error(500))
    one = chat()
    turn = one.turn(question)
    assert (turn.text, turn.finish) == ("so far", "provider_error")
    (kept,) = answers(server, one)
    assert (kept["content"], kept["status"]) == ("so far", "interrupted")
    assert len(dify.asked(question)) == 1 and dify.stops == []


def test_another_model_answers_for_it_and_it_for_another(start, connect, dify,
                                                         fake, question):
    server = start(LLM_PROVIDER_1_FALLBACK="fake", LLM_PROVIDER_2_FALLBACK="app2")
    dify.when(f"{question} 1", refusal(400, "app_unavailable"))
    one = connect(server)
    assert one.turn(f"{question} 1").text == "Hello from the model."
    select(one, "fake")
    fake.when(f"{question} 2", refusal(400, "no"))
    assert one.turn(f"{question} 2").text == "Hello from Dify."
    first, second = answers(server, one)
    asked = dify.asked(f"{question} 2")[0]
    assert (first["modelId"], first["convId"]) == ("fake", None)
    assert (second["modelId"], second["convId"]) == ("app2", asked.conversation)
    assert told(asked) == [("User", f"{question} 1"),
                           ("Assistant", "Hello from the model.")]


# --- text that takes the place of what was said

def test_what_was_shown_stays_and_its_replacement_follows(server, chat, dify, question):
    dify.when(question, Says().text("The secret", " is").gate(question)
              .replace("I may not say that.").end())
    one = chat()
    one.say(question)
    one.get("ai_response")
    dify.open(question)
    turn = one.rest_of_turn()
    assert turn.finish == "content_filter"
    (kept,) = answers(server, one)
    assert kept["content"] == "The secret is\n\nI may not say that."
    assert kept["status"] == "complete" and kept["finish"] == "content_filter"
    shown = [f["content"] for f in one.frames if f["type"] == "ai_response"
             and "content" in f]
    assert "".join(shown) == kept["content"], "devices and log agree"


def test_a_replacement_of_nothing_is_the_answer(server, chat, dify, question):
    dify.when(question, Says().replace("I may not say that.").end())
    turn = chat().turn(question)
    assert (turn.text, turn.finish) == ("I may not say that.", "content_filter")


# --- forms of the stream

@pytest.mark.parametrize("form", [
    lambda a: a, lambda a: a.crlf(), lambda a: a.bytewise(), lambda a: a.bytewise(7)],
    ids=["as it is", "crlf", "byte by byte", "in sevens"])
def test_what_is_not_for_people_is_not_shown(server, chat, dify, question, form):
    says = (Says().raw("event: ping\n\n")
            .event("workflow_started", data={"inputs": {"answer": "no"}})
            .event("node_started", data={}).event("agent_thought", thought="no")
            .text("Grüße ", "€ ", kind="agent_message").event("tts_message", audio="qq")
            .text("😀").event("message_file", url="https://example.org/no")
            .event("node_finished", data={"outputs": {"answer": "no"}})
            .event("something_new", answer="no").raw(": no\n\n")
            .event("workflow_finished", data={"status": "succeeded"}).end()
            .event("tts_message_end", audio=""))
    dify.when(question, form(says))
    turn = chat().turn(question)
    assert (turn.text, turn.finish) == ("Grüße € 😀", "stop")
    assert server.metric("chatbox_llm_bad_events_total") == 0


def test_a_stream_without_its_end_is_interrupted(server, chat, dify, question):
    dify.when(question, Says().text("so far").fin())
    turn = chat().turn(question)
    assert (turn.text, turn.finish) == ("so far", "interrupted")


CORPUS = Path(__file__).resolve().parents[1] / "fuzz" / "corpus" / "dify"
RECORDED = {"chat": ("Hi ä€😀\n\"x\"", "stop"), "agent": ("a", "stop"),
            "workflow": ("x", "stop"), "whole": ("all of it", "stop"),
            "guessed": ("Hi ä€😀\n\"x\"", "stop"), "error": ("x", "provider_error"),
            "replace": ("secret\n\nI may not.", "content_filter"),
            "odd": ("😀", "interrupted")}


@pytest.mark.parametrize("name", RECORDED)
def test_a_stream_in_the_documented_form_is_read(server, chat, dify, question, name):
    """The fuzz target's corpus."""
    body = (CORPUS / name).read_bytes()
    form = "application/json" if body.startswith(b"{") else "text/event-stream"
    dify.when(question, Answer(content_type=form).raw(body))
    turn = chat().turn(question)
    assert (turn.text, turn.finish) == RECORDED[name]
    if turn.finish in ("stop", "content_filter"):
        assert turn.end["usage"] == {"prompt_tokens": 1033, "completion_tokens": 135,
                                     "total_tokens": 1168}


@pytest.mark.parametrize("name", ["page", "refusal"])
def test_what_is_no_answer_is_an_error(server, chat, dify, question, name):
    dify.when(question, Answer(content_type="").raw((CORPUS / name).read_bytes()))
    assert chat().turn(question).error["code"] == "LLM_UNAVAILABLE"


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_stream_cut_at_fifty_places_ends_once_and_as_it_is(start, connect, dify,
                                                            question, how):
    texts = ("Grüße ", "€", "😀", " und ", "Ende")
    says = [event({"event": "message", "task_id": "t-1", "answer": text})
            for text in texts]
    end = event({"event": "message_end", "metadata": {"usage": USAGE}})
    wire = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" + chunked(*says, end))
    places = [(text, wire.index(said) + len(said)) for text, said in zip(texts, says)]
    server = start(LLM_RETRY_ATTEMPTS="3")
    ends = cut_everywhere(server, dify, connect(server), question, how, wire, places,
                          wire.index(end) + len(end))
    assert ends == {"LLM_UNAVAILABLE", "interrupted", "stop"}
    assert server.metric(STOPS) == 0, "the other end knows"


# --- stopping

def expect_stop(server, dify, question):
    """Once, of this answer, by its user, and with nothing but that."""
    asked = dify.asked(question)[-1]
    stop = dify.wait_stopped()
    assert stop.method == "POST"
    assert stop.path == f"/v1/chat-messages/{asked.task}/stop"
    assert stop.json == {"user": asked.json["user"]}
    assert asked.closed.wait(5), "the stream is closed as well"
    wait_for(lambda: server.metric(STOPS) == 1, 5, "it is counted")
    wait_for(lambda: server.logged("llm_stop", provider="app"), 5, "it is over")
    assert len(dify.stops) == 1


@pytest.fixture(autouse=True)
def no_stops(dify):
    dify.stops.clear()
    yield
    dify.when_stopped = lambda: refusal(200, "success")


def endless(dify, question, *texts):
    dify.when(question, Says().text(*texts).gate("never"))


def test_a_cancel_stops_the_task(server, chat, dify, question):
    endless(dify, question, "so far")
    one = chat()
    one.say(question)
    one.get("ai_response")
    one.send("cancel")
    turn = one.rest_of_turn()
    assert turn.finish == "cancelled"
    expect_stop(server, dify, question)
    assert server.metric(FAILURES) == 0
    dify.when(f"{question} 2", Says().text("on").end())
    assert one.turn(f"{question} 2").text == "on"
    asked = dify.asked(f"{question} 2")[0]
    assert asked.json["conversation_id"] == dify.asked(question)[0].conversation
    assert len(dify.stops) == 1, "a whole answer is not stopped"


@pytest.mark.parametrize("setting", ["LLM_IDLE_TIMEOUT", "LLM_STREAM_TIMEOUT"])
def test_a_time_limit_stops_the_task(start, connect, dify, question, setting):
    """Req 8.2."""
    server = start(**{setting: f"{500 * PATIENCE:g}ms"})
    endless(dify, question, "so far")
    turn = connect(server).turn(question)
    assert (turn.text, turn.finish) == ("so far", "timeout")
    expect_stop(server, dify, question)


def test_a_time_limit_before_any_text_stops_it_too(start, connect, dify,
                                                   question):
    """Req 8.2. A workflow may think for long before its first word."""
    server = start(LLM_IDLE_TIMEOUT=f"{500 * PATIENCE:g}ms")
    dify.when(question, Says().event("workflow_started", data={}).gate("never"))
    assert connect(server).turn(question).error["code"] == "LLM_TIMEOUT"
    expect_stop(server, dify, question)


def test_an_answer_that_is_too_long_is_stopped(start, connect, dify, question):
    server = start(LLM_MAX_ANSWER_SIZE="1KiB")
    endless(dify, question, "x" * 2000)
    turn = connect(server).turn(question)
    assert (len(turn.text), turn.finish) == (1024, "length")
    expect_stop(server, dify, question)


def test_a_session_that_is_deleted_stops_its_answer(server, chat, dify, user, question):
    endless(dify, question, "so far")
    one = chat(user)
    one.say(question)
    one.get("ai_response")
    assert server.user(user).delete(f"/sessions/{one.session}").status_code == 204
    expect_stop(server, dify, question)


@pytest.mark.parametrize("how", ["refused", "cut"])
def test_a_stop_that_fails_is_counted_and_not_tried_again(server, chat, dify, question,
                                                         how):
    dify.when_stopped = lambda: (refusal(500, "x") if how == "refused" else
                                 Says(framing="raw").rst())
    endless(dify, question, "so far")
    one = chat()
    one.say(question)
    one.get("ai_response")
    one.send("cancel")
    assert one.rest_of_turn().finish == "cancelled", "it waits for nothing"
    wait_for(lambda: server.metric(FAILURES) == 1, 10, "it is counted")
    (line,) = server.wait_log("llm_stop")
    assert line["level"] == "warn" and line["provider"] == "app"
    assert one.turn(f"{question} 2").finish == "stop"
    assert {s.path for s in dify.stops} == {dify.stops[0].path}
    assert server.metric(STOPS) == 1


def test_a_stop_that_is_not_answered_has_its_limit(server, chat, dify, question):
    dify.when_stopped = lambda: Says(framing="raw").silence()
    endless(dify, question, "so far")
    one = chat()
    one.say(question)
    one.get("ai_response")
    one.send("cancel")
    one.rest_of_turn()
    assert one.turn(f"{question} 2").finish == "stop", "nobody waits for it"
    wait_for(lambda: server.metric(FAILURES) == 1, 15, "its five seconds")
    assert dify.wait_stopped().closed.wait(5)


def test_an_id_that_is_none_stops_nothing(server, chat, dify, question):
    """It would stand in a path."""
    dify.when(question, Says().raw(
        'data: {"event":"message","task_id":"../../v1/x","answer":"so far"}\n\n'
    ).gate("never"))
    one = chat()
    one.say(question)
    one.get("ai_response")
    one.send("cancel")
    assert one.rest_of_turn().finish == "cancelled"
    assert dify.asked(question)[0].closed.wait(5)
    assert one.turn(f"{question} 2").finish == "stop"
    assert dify.stops == [] and server.metric(STOPS) == 0


def test_a_server_that_stops_does_not_wait_for_one(start, connect, dify, question):
    """Its end would be forced."""
    server = start(SHUTDOWN_TIMEOUT="1s")
    dify.when_stopped = lambda: Says(framing="raw").silence()
    endless(dify, question, "so far")
    one = connect(server)
    one.say(question)
    one.get("ai_response")
    one.send("cancel")
    one.rest_of_turn()
    dify.wait_stopped()
    server.stop(expect=0)
