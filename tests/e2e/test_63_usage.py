# SPDX-License-Identifier: MIT
"""What answers used, apart from the conversations: an entry an answer, exactly once
(docs/decisions/0039). On either database."""

import collections
import datetime
import json

from support.answer import Answer, plain
from support.server import provider_env, run_cli
from support.stored import storage


def entries(server, user):
    return storage(server).usage(uid=user)


def exported(server, user):
    done = run_cli("export-user", user, env=server.env)
    assert done.returncode == 0, done.all
    return json.loads(done.stdout)


def day_of(ms):
    at = datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc)
    return at.strftime("%Y-%m-%d")


def free(server):
    """The fields that MongoDB has only where there is something."""
    none = None if server.env.get("STORE") == "mongo" else 0
    return {"cachedTokens": none, "reasoningTokens": none, "cost": none, "budgetRoles": None}


def used(row):
    return tuple(row[name] for name in ("promptTokens", "completionTokens", "totalTokens"))


def test_every_answer_that_used_something_is_one_entry(server, chat, fake, user, question):
    """Whoever ended it: the model, the user, a new answer in its place."""
    fake.when(question, plain("fine", usage=(3, 4)))
    one = chat(user)
    one.turn(question)
    first, = entries(server, user)
    _, answer = storage(server).log(one.session)
    assert first == {"_id": answer["_id"], "uid": user, "modelId": "fake", "ts": answer["ts"],
                     "promptTokens": 3, "completionTokens": 4, "totalTokens": 7,
                     "estimated": False, **free(server)}
    one.send("regenerate", message_id=answer["_id"])
    one.rest_of_turn()
    fake.when(question + "?", Answer().tokens("part ").gate(question).finish())
    one.say(question + "?")
    one.get("ai_response")
    one.send("cancel")
    assert one.rest_of_turn().finish == "cancelled"
    fake.open(question)
    rows = {row["_id"]: row for row in entries(server, user)}
    answers = [m for m in storage(server).log(one.session) if m["sender"] == "ai"]
    assert set(rows) == {m["_id"] for m in answers} and len(answers) == 3
    assert [rows[m["_id"]]["estimated"] for m in answers] == [False, False, True]
    for m in answers:
        assert used(rows[m["_id"]]) == tuple(m["usage"][name] for name in (
            "prompt_tokens", "completion_tokens", "total_tokens"))


def test_what_was_used_stays_when_the_conversation_goes(server, chat, fake, user, question):
    """And an export says how much, by day and model."""
    fake.when(question, plain("fine", usage=(3, 4)))
    one = chat(user)
    one.turn(question)
    one.turn(question)
    ends = [row["ts"] for row in entries(server, user)]
    assert server.user(user).delete(f"/sessions/{one.session}").status_code == 204
    assert [used(row) for row in entries(server, user)] == [(3, 4, 7)] * 2
    whole = exported(server, user)
    assert whole["sessions"] == []
    assert whole["usage"] == [
        {"day": day, "model_id": "fake", "answers": times, "estimated": 0,
         "prompt_tokens": 3 * times, "completion_tokens": 4 * times,
         "total_tokens": 7 * times}
        for day, times in collections.Counter(map(day_of, ends)).items()]


def test_an_answer_without_a_conversation_uses_nothing(server, chat, fake, user, question):
    """It was deleted in mid-answer: nothing of it is stored."""
    fake.when(question, Answer().tokens("part ").gate(question).finish(usage=(3, 4)))
    one = chat(user)
    one.say(question)
    one.get("ai_response")
    assert server.user(user).delete(f"/sessions/{one.session}").status_code == 204
    assert fake.wait_asked(question).closed.wait(10)
    fake.open(question)
    assert chat(user, session_id="new").turn("and another").finish == "stop"
    assert len(entries(server, user)) == 1 and storage(server).messages(sid=one.session) == []


def test_no_death_loses_an_entry_or_doubles_it(spawn, connect, fake):
    """`kill -9` at once after the end was shown."""
    server = spawn(provider_env(fake))
    one = connect(server)
    for n in range(5):
        one.turn(f"question {n}")
        server.kill9()
        server.start()
        one = connect(server, one.user, session_id=one.session)
    answers = [m["_id"] for m in storage(server).log(one.session) if m["sender"] == "ai"]
    assert len(answers) == 5
    assert sorted(row["_id"] for row in entries(server, one.user)) == sorted(answers)
