# SPDX-License-Identifier: MIT
"""A conversation as a person has it: ten turns, three tabs, a stop, a reload."""


import pytest

from support.answer import Answer, plain
from support.server import demo_env, provider_env
from support.stored import storage
from support.ws import fresh


def heard(frames):
    return "".join(f.get("content", "") for f in frames if f["type"] == "ai_response")


def stored(server, session):
    return [(one["seq"], one["sender"], one["status"], one["content"])
            for one in storage(server).log(session)]


def tabs_of(connect, server, user, hello):
    first = connect(server, user)
    first.turn(hello)
    return [first] + [connect(server, user, session_id=first.session)
                      for _ in range(2)]


def ask(tabs, n, text):
    """Turn n from one of the tabs in turn; its text, the same on every tab."""
    asked = tabs[n % len(tabs)]
    asked.say(text, client_id=f"c-{n}")
    turns = [tab.rest_of_turn() for tab in tabs]
    assert {turn.finish for turn in turns} == {"stop"}
    assert len({turn.end["seq"] for turn in turns}) == 1
    assert len({heard(turn.frames) for turn in turns}) == 1
    return heard(turns[0].frames)


def stop_in_the_middle(tabs, text):
    """One tab asks, another stops it, all see the same end."""
    tabs[0].say(text)
    for tab in tabs:
        tab.get("ai_response")
    tabs[1].send("cancel")
    assert {tab.rest_of_turn().finish for tab in tabs} == {"cancelled"}


def check_stored(server, session, questions, texts):
    rows = stored(server, session)
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    assert [row[1] for row in rows] == ["user", "ai"] * (len(rows) // 2)
    assert [row[3] for row in rows[2:-2:2]] == questions
    assert [row[3] for row in rows[3:-2:2]] == texts
    assert {row[2] for row in rows[:-1]} == {"complete"}
    assert rows[-1][2] == "cancelled" and rows[-1][3]
    return rows


# The demo model speaks as fast as a person reads, so it is asked less.
@pytest.mark.parametrize("model, count", [("fake", 8), ("demo", 1)])
def test_a_conversation_on_three_tabs(spawn, connect, fake, question, model, count):
    """Req 1.1, 2.2, 4.1: everything reaches every tab and is stored in order."""
    server = spawn(provider_env(fake) if model == "fake" else demo_env())
    questions = [f"{question} {n}" for n in range(1, count + 1)]
    for n, text in enumerate(questions):
        fake.when(text, plain("answer ", f"number {n}"))
    much = f"{question}: much more"
    fake.when(much, Answer().tokens("a beginning").gate(much).tokens("x").finish())
    tabs = tabs_of(connect, server, fresh(), f"hello, {question}")
    session = tabs[0].session
    texts = [ask(tabs, n, text) for n, text in enumerate(questions)]
    stop_in_the_middle(tabs, much)
    rows = check_stored(server, session, questions, texts)
    if model == "fake":
        roles = {"user": "user", "ai": "assistant"}
        assert fake.asked(questions[-1])[0].pairs == [
            (roles[sender], text) for _, sender, _, text in rows[:-3]]
    again = connect(server, tabs[0].user, session_id=session, last_seq=0,
                    epoch=tabs[0].hello["epoch"])
    replayed = again.quiet()
    assert [frame["seq"] for frame in replayed] == [row[0] for row in rows]
    assert [frame["content"] for frame in replayed] == [row[3] for row in rows]
