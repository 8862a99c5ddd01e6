# SPDX-License-Identifier: MIT
"""An answer that one provider begins and another one goes on with (configuration.md,
`llm.providers[].continue_on_failure`; decision 0046): everybody sees one text, nothing of
it twice and none of it missing."""

import contextlib

import pytest

from support.answer import Answer, failure, plain
from support.cuts import stored
from support.fakedify import FakeDify, Says
from support.fakellm import FakeLLM
from support.messages import Message, message
from support.server import demo_env, provider_env
from support.stored import storage
from support.waiting import wait_for
from support.ws import Chat, fresh

TEXT = "The quick brown fox – 速い茶色の狐 – jumps over the lazy dog."
HOW = ["fin", "rst", "error_event", "silence"]


@pytest.fixture
def other():
    """Another provider."""
    one = FakeLLM()
    yield one
    one.close()


@pytest.fixture
def dify():
    one = FakeDify()
    yield one
    one.close()


def env(first, second, **more):
    """The first provider, a, with the second one's, b, to go on."""
    return {**provider_env(first, ID="a", NAME="A", FALLBACK="b",
                           CONTINUE_ON_FAILURE="true", **more),
            **second, "LLM_IDLE_TIMEOUT": "1s", "LLM_STREAM_TIMEOUT": "600s"}


def anthropic(fake, n=2, **more):
    return provider_env(fake, n, TYPE="anthropic", ENDPOINT=fake.base, **more)


FORMS = {  # kind: (members of the first, a streamed beginning, a whole answer)
    "openai": ({}, lambda *texts: Answer().role().tokens(*texts), plain),
    "anthropic": ({"TYPE": "anthropic"}, lambda *texts: Message().start().open_block(
        type="text", text="").tokens(*texts), message),
}


def pair(spawn, kinds, fake, other):
    """A server whose answers go from the first kind to the second, with a way to write
    how each of them begins and what a whole one is."""
    first, second = kinds
    members, begin, _ = FORMS[first]
    if first == "anthropic":
        members = {**members, "ENDPOINT": fake.base}
    make = anthropic if second == "anthropic" else provider_env
    server = spawn(env(fake, make(other, 2, ID="b", NAME="B"), **members))
    return server, begin, FORMS[second][2]


def text_of(frames):
    """What the frames of one answer say; a snapshot or a replay has all so far."""
    text = ""
    for frame in frames:
        if frame["type"] == "ai_response" and "content" in frame:
            about = frame["metadata"]
            anew = about.get("snapshot") == "true" or about.get("replay") == "true"
            text = frame["content"] if anew else text + frame["content"]
    return text


def one_message(frames):
    ids = {frame["message_id"] for frame in frames if frame["type"] == "ai_response"}
    assert len(ids) == 1
    return ids.pop()


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("kinds", [("openai", "anthropic"), ("anthropic", "openai")],
                         ids="→".join)
def test_an_answer_goes_on_with_another_provider(spawn, connect, fake, other, question,
                                                 kinds, how):
    """Whatever broke it off; the other one begins with the last words once more. Two
    devices, one that comes while nobody speaks, and one that comes back, see one text."""
    server, begin, _ = pair(spawn, kinds, fake, other)
    half = TEXT.index("jumps")
    fake.when(question, getattr(begin(TEXT[:5], TEXT[5:half]).gate(question), how)())
    again = TEXT.index("brown")
    answer = begin_of(kinds[1], TEXT[again:half + 9]).gate(question)
    other.when(question, finish(kinds[1], answer, TEXT[half + 9:]))
    one = connect(server)
    two = connect(server, one.user, session_id=one.session)
    one.say(question)
    two.until(lambda _: text_of(two.frames) == TEXT[:half])
    fake.open(question)
    asked = other.wait_asked(question)
    assert asked.partial == TEXT[:half].rstrip()
    assert asked.pairs[-3] == ("user", question)
    late = connect(server, one.user, session_id=one.session, last_seq=0,
                   epoch=one.hello["epoch"])
    late.until(lambda _: text_of(late.frames) == TEXT[:half + 9])
    other.open(question)
    ends = [device.rest_of_turn().end for device in (one, two, late)]
    for device, end in zip((one, two, late), ends):
        assert text_of(device.frames) == TEXT and one_message(device.frames)
        assert end["finish_reason"] == "stop" and end["model_id"] == "b"
        assert end["metadata"]["providers"] == "a,b"
        assert device.quiet() == [], "exactly one end"
    assert len({end["message_id"] for end in ends}) == 1
    kept = stored(server, one)[1]
    assert kept["content"] == TEXT and kept["status"] == "complete"
    assert kept["metadata"] == {"providers": "a,b"} and kept["usage"] == ends[0]["usage"]
    assert server.metrics()['chatbox_llm_continued_total{provider="a"}'] == 1
    line, = server.logged("llm_continue")
    assert line["provider"] == "a" and line["message_id"] == ends[0]["message_id"]
    back = connect(server, one.user, session_id=one.session, last_seq=0,
                   epoch=one.hello["epoch"])
    replay = back.get("ai_response")
    assert replay["content"] == TEXT and replay["metadata"]["providers"] == "a,b"
    assert one.turn(f"{question} 2").finish == "stop"
    assert ("assistant", TEXT) in fake.asked(f"{question} 2")[-1].pairs


def begin_of(kind, *texts):
    return FORMS[kind][1](*texts)


def finish(kind, answer, *texts):
    answer.tokens(*texts)
    if kind == "anthropic":
        return answer.close_block().finish("end_turn", (3, 4))
    return answer.finish("stop", (3, 4))


def test_wherever_it_breaks_off_and_begins_again(spawn, connect, fake, other, question):
    """Cut at many places; the other one goes on from there, or from any word before."""
    server, begin, _ = pair(spawn, ("openai", "openai"), fake, other)
    one = connect(server)
    words = [0] + [i + 1 for i, c in enumerate(TEXT) if c == " "]
    for n, at in enumerate(range(1, len(TEXT), 3)):
        told = [w for w in words if w < len(TEXT[:at].rstrip()) - 2]  # what is no chance
        start = ([at] + told)[n % (len(told) + 1)]
        ask = f"{question} {at}"
        fake.when(ask, begin(*TEXT[:at]).fin())
        other.when(ask, begin_of("openai").tokens(*TEXT[start:]).finish())
        turn = one.turn(ask)
        assert turn.text == TEXT, (at, start)
        one.turn(fresh())  # no failures in a row
        assert turn.end["metadata"]["providers"] == "a,b"
        assert one.quiet() == []


def test_byte_by_byte(spawn, connect, fake, other, question):
    server, begin, whole = pair(spawn, ("openai", "anthropic"), fake, other)
    fake.when(question, begin(*TEXT[:20]).bytewise().fin())
    other.when(question, whole(*TEXT).bytewise())
    assert connect(server).turn(question).text == TEXT


def test_the_demo_goes_on_with_a_paragraph(spawn, connect, fake, question):
    server = spawn(env(fake, {**demo_env(2), "LLM_PROVIDER_2_ID": "b",
                              "LLM_PROVIDER_2_MODEL": "demo-brief"}))
    fake.when(question, Answer().tokens("It begins").fin())
    turn = connect(server).turn(question)
    assert turn.text.startswith("It begins\n\n") and len(turn.text) > 30
    assert turn.finish == "stop" and turn.end["metadata"]["providers"] == "a,b"


def test_an_app_of_dify_goes_on_and_is_told_what_was_said(spawn, connect, fake, dify,
                                                          question):
    server = spawn(env(fake, FakeDify.env(dify, 2, FakeDify.new_key(), ID="b")))
    fake.when(question, Answer().tokens("one two").fin())
    dify.default = lambda: Says().text("two", " three").end()
    one = connect(server)
    turn = one.turn(question)
    assert turn.text == "one two three"
    query = dify.requests[-1].json["query"]
    assert query.startswith(question) and "\n\none two\n\n" in query


def test_without_the_setting_it_ends_as_interrupted(spawn, connect, fake, other, question):
    settings = env(fake, provider_env(other, 2, ID="b"))
    settings["LLM_PROVIDER_1_CONTINUE_ON_FAILURE"] = "false"
    server = spawn(settings)
    fake.when(question, Answer().tokens("one", " two").fin())
    one = connect(server)
    turn = one.turn(question)
    assert turn.text == "one two" and turn.finish == "interrupted"
    assert turn.end["metadata"] == {"streaming": "true", "done": "true"}
    assert other.asked(question) == []
    kept = stored(server, one)[1]
    assert kept["status"] == "interrupted" and "metadata" not in kept


@pytest.fixture
def three(spawn, fake, other):
    """a is the fake; b and c are the other one."""
    return spawn({**env(fake, provider_env(other, 2, ID="b")),
                  **provider_env(other, 3, ID="c"), "LLM_PROVIDER_1_FALLBACK": "b,c",
                  "LLM_RETRY_ATTEMPTS": "1"})


def test_it_walks_along_the_list(three, connect, fake, other, question):
    fake.when(question, Answer().tokens("one", " two").fin())
    other.when(question, Answer().tokens(" two", " three").fin(), plain("three", " four"))
    turn = connect(three).turn(question)
    assert turn.text == "one two three four" and turn.finish == "stop"
    assert turn.end["metadata"]["providers"] == "a,b,c"
    assert [r.partial for r in other.asked(question)] == ["one two", "one two three"]


def test_with_nobody_left_it_ends_as_interrupted(three, connect, fake, other, question):
    """With all that was said, by those who said it."""
    fake.when(question, Answer().tokens("one", " two").fin())
    other.when(question, Answer().tokens(" three").fin(), failure(503))
    one = connect(three)
    turn = one.turn(question)
    assert turn.text == "one two three" and turn.finish == "interrupted"
    assert turn.end["metadata"]["providers"] == "a,b" and turn.end["model_id"] == "b"
    kept = stored(three, one)[1]
    assert kept["status"] == "interrupted" and kept["content"] == turn.text


def test_usage_is_the_sum(spawn, connect, fake, other, question):
    """And an estimate, when one of them told none."""
    server = spawn(env(fake, provider_env(other, 2, ID="b")))
    fake.when(question, Answer().tokens("one").usage(5, 1).fin())
    other.when(question, plain(" two", usage=(7, 2)))
    one = connect(server)
    usage = one.turn(question).end["usage"]
    assert usage == {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
    fake.when(f"{question} 2", Answer().tokens("one").fin())
    other.when(f"{question} 2", plain(" two", usage=(7, 2)))
    usage = one.turn(f"{question} 2").end["usage"]
    assert usage["estimated"] is True and usage["prompt_tokens"] > 7
    entries = [e for e in storage(server).usage() if e["uid"] == one.user]
    assert sorted(e["totalTokens"] for e in entries) == [15, usage["total_tokens"]]
    used = server.metrics()
    assert used['chatbox_tokens_used_total{provider="b"}'] == 18
    assert used['chatbox_tokens_used_total{provider="a"}'] == usage["total_tokens"] - 9 + 6


def test_cancel_ends_it_for_good(spawn, connect, fake, other, question):
    server = spawn(env(fake, provider_env(other, 2, ID="b")))
    fake.when(question, Answer().tokens("one").fin())
    other.when(question, Answer().tokens(" two").silence())
    one = connect(server)
    one.say(question)
    one.until(lambda _: text_of(one.frames) == "one two")
    one.send("cancel")
    end = one.rest_of_turn().end
    assert end["finish_reason"] == "cancelled" and end["metadata"]["providers"] == "a,b"
    assert other.wait_asked(question).closed.wait(5)


def test_a_crash_in_the_second_half_keeps_both(spawn, fake, other, question, tmp_path):
    """kill -9: interrupted, with the text of both, but for what a crash may take."""
    settings = env(fake, provider_env(other, 2, ID="b"))
    server = spawn(settings, data=str(tmp_path / "data"))
    fake.when(question, Answer().tokens("one two").fin())
    other.when(question, Answer().tokens("two").trickle(" and so on", 0.01))
    with Chat(server, fresh()) as one:
        one.say(question)
        one.until(lambda _: " and so on" in text_of(one.frames))
        drafts = server.metric("chatbox_drafts_stored_total")
        wait_for(lambda: server.metric("chatbox_drafts_stored_total") >= drafts + 2, 20,
                 "a piece of the second half")
        server.kill9()
        user, session = one.user, one.session
        with contextlib.suppress(Exception):
            one.until(lambda _: False, 1)
        shown = text_of(one.frames)
    again = spawn(settings, data=str(tmp_path / "data"))
    kept = again.user(user).get(f"/sessions/{session}").json()["messages"][1]
    whole = "one two" + " and so on" * len(shown)
    assert kept["status"] == "interrupted" and whole.startswith(kept["content"])
    assert kept["content"].startswith("one two and so on")
    assert len(shown) - len(kept["content"]) <= 2048
