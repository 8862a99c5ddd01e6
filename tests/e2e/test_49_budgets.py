# SPDX-License-Identifier: MIT
"""Budgets of users and of roles: reserved before the model is asked, counted while it
streams, settled by what it says, and kept over every kind of end (docs/providers.md,
decision 45). On either database.

A chunk is "word": four characters, a token. Questions are counted likewise."""

import concurrent.futures
import datetime

import pytest

from support.answer import Answer, event, plain
from support.server import provider_env, run_cli
from support.stored import storage
from support.tokens import token
from support.waiting import wait_for
from support.ws import fresh

pytestmark = pytest.mark.usefixtures("same_day")  # budgets are of days and months
LIMIT = 200


def budget(n=1, **members):
    return {f"LLM_BUDGET_{n}_{name}": str(value) for name, value in members.items()}


def SETTINGS(fake):  # noqa: N802 (read by the fixture `server`)
    return {**provider_env(fake, PRICE_INPUT="1000", PRICE_OUTPUT="1000"),
            **budget(ROLE="metered", TOKENS_PER_DAY=LIMIT, TOKENS_PER_MONTH=LIMIT),
            **budget(2, ROLE="poor", COST_PER_DAY="0.2", COST_PER_MONTH="0.2"),
            **budget(3, ROLE="team", SCOPE="role", TOKENS_PER_MONTH=LIMIT)}


@pytest.fixture
def join(connect, server):
    """Connects a user with these roles: join(user, "role", …)."""
    def join(user, *roles, to=None, **query):
        return connect(to or server, user, bearer=token(user, roles=list(roles)), **query)
    return join


def words(n):
    return Answer().tokens(*["word"] * n)


def tokens_of(text):
    return -(-len(text) // 4)


def used(server, **who):
    return sum(row["totalTokens"] for row in storage(server).usage(**who))


def end_of(period):
    now = datetime.datetime.now(datetime.timezone.utc)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "day":
        return today + datetime.timedelta(days=1)
    return (today.replace(day=1) + datetime.timedelta(days=32)).replace(day=1)


def until(moment):
    return (moment - datetime.datetime.now(datetime.timezone.utc)).total_seconds() * 1000


def exceeded(turn):
    """The refusal, as which nothing was asked."""
    assert turn.error and turn.error["code"] == "BUDGET_EXCEEDED", turn.frames
    assert not turn.deltas and turn.error["retry_after"] > 0
    return turn.error["retry_after"]


def fits(join, user, tokens, *roles, to=None):
    """Is a question of so many tokens asked, without anything before it?"""
    one = join(user, *roles, to=to, session_id="new")
    turn = one.turn(fresh("q").ljust(4 * tokens, "x"))
    return turn.finish is not None or not exceeded(turn)


# --- before

def test_a_question_beyond_it_is_refused_until_the_period_ends(join, server, fake, user,
                                                               question):
    one = join(user, "metered")
    latest = until(end_of("month"))
    wait = exceeded(one.turn(question + "x" * 4 * LIMIT))
    assert until(end_of("month")) <= wait <= latest
    assert not fake.asked(question + "x" * 4 * LIMIT)
    asked, = storage(server).log(one.session)  # the question is kept
    assert asked["sender"] == "user" and used(server, uid=user) == 0
    assert one.turn(question).finish == "stop"  # and nothing of it is used


def test_who_has_not_the_role_is_not_under_it(join, user, question):
    assert join(user, "other").turn(question + "x" * 4 * LIMIT).finish == "stop"


def test_the_figures_of_the_provider_are_what_counts(join, server, fake, user, question):
    """Not the estimate, which is far smaller."""
    fake.when(question, plain("word", usage=(60, 40)))
    one = join(user, "metered")
    assert one.turn(question).finish == "stop" and used(server, uid=user) == 100
    assert not fits(join, user, LIMIT - 100, "metered")
    assert used(server, uid=user) == 100
    assert fits(join, user, LIMIT - 100 - 1, "metered")


def test_a_failure_gives_back_what_was_reserved(join, server, fake, user, question):
    fake.when(question, Answer(400))
    one = join(user, "metered")
    for _ in range(3):
        assert one.turn(question).error["code"] == "LLM_UNAVAILABLE"
    assert used(server, uid=user) == 0
    assert fits(join, user, LIMIT - 1, "metered")


def test_money_is_a_budget_too(join, server, fake, user, question):
    """A thousandth of a unit a token, and two hundred of them."""
    fake.when(question, plain("word", usage=(99, 100)))
    one = join(user, "poor")
    assert one.turn(question).end["usage"]["cost"] == 0.199
    exceeded(one.turn(question))
    assert [row["cost"] for row in storage(server).usage(uid=user)] == [199_000_000]


# --- while it streams

def test_an_answer_is_stopped_where_it_uses_it_up(join, server, fake, user, question):
    """The upstream is closed, what was said is kept, and one frame tells it all."""
    fake.when(question, words(3 * LIMIT).gate(question).finish())
    one = join(user, "metered")
    turn = one.turn(question)
    left = LIMIT - tokens_of(question)
    assert turn.finish == "budget_exceeded" and turn.text == "word" * (left + 1)
    told = turn.end["error"]
    assert told["code"] == "BUDGET_EXCEEDED" and told["retry_after"] > 0
    assert fake.wait_asked(question).closed.wait(10)
    fake.open(question)
    _, answer = storage(server).log(one.session)
    assert (answer["status"], answer["finish"], answer["content"]) == (
        "interrupted", "budget_exceeded", turn.text)
    assert answer["usage"]["estimated"] is True
    assert used(server, uid=user) == LIMIT + 1  # one chunk more
    shown = server.user(user).get(f"/sessions/{one.session}").json()["messages"][1]
    assert shown["content"] == turn.text and shown["finish_reason"] == "budget_exceeded"
    exceeded(one.turn("word"))
    line, = [line for line in server.logged("budget")
             if line["user_id"] == user and line["when"] == "streaming"]
    assert line["period"] in ("day", "month") and line["scope"] == "user"
    assert question not in str(line)


def gather(answers):
    with concurrent.futures.ThreadPoolExecutor(len(answers)) as pool:
        return list(pool.map(lambda one: one.rest_of_turn(60), answers))


def storm(server, fake, join, people, limit, *roles):
    """Everybody asks at once; all answers run before one of them goes on. How much more
    than the limit was used."""
    text = fresh("q")
    fake.when(text, words(1).gate(text).tokens(*["word"] * limit).finish())
    all_of_them = [join(user, *roles, to=server, session_id="new") for user in people]
    for one in all_of_them:
        one.say(text)
    fake.wait_asked(text, len(people), timeout=60)
    fake.open(text)
    turns = gather(all_of_them)
    for one in all_of_them:
        one.close()
    assert {turn.finish for turn in turns} == {"budget_exceeded"}
    assert all(turn.end["error"]["code"] == "BUDGET_EXCEEDED" for turn in turns)
    assert all(turn.text for turn in turns)
    return sum(tokens_of(text) + len(turn.text) // 4 for turn in turns) - limit


def test_a_hundred_answers_at_once_overspend_by_a_chunk_each(spawn, fake, join):
    """One user, a hundred sockets."""
    limit = 3000
    server = spawn({**provider_env(fake), **budget(TOKENS_PER_MONTH=limit)})
    user = fresh()
    over = storm(server, fake, join, [user] * 100, limit)
    assert 0 <= over <= 100
    assert used(server, uid=user) == limit + over
    exceeded(join(user, to=server, session_id="new").turn("word"))


def test_a_role_over_four_shards_overspends_by_a_chunk_each(spawn, fake, join):
    """Sixty users who share one budget, some of whom have other roles, too."""
    limit = 2000
    server = spawn({**provider_env(fake), "SERVER_THREADS": "4",
                    **budget(ROLE="team", SCOPE="role", TOKENS_PER_MONTH=limit)})
    people = [fresh() for _ in range(60)]
    over = storm(server, fake, join, people, limit, "user", "team")
    assert 0 <= over <= 60
    assert used(server) == limit + over
    exceeded(join(fresh(), "team", to=server).turn("word"))
    assert join(fresh(), "user", to=server).turn("word").finish == "stop"
    server.stop()
    server.start()
    exceeded(join(fresh(), "team", to=server).turn("word"))
    assert join(fresh(), "user", to=server).turn("word").finish == "stop"


def test_a_hundred_questions_at_once_reserve_no_more_than_there_is(spawn, fake, join):
    """Ten tokens each, of which nine fit; the others are refused at once."""
    server = spawn({**provider_env(fake), **budget(TOKENS_PER_MONTH=100)})
    user, text = fresh(), fresh("q").ljust(40, "x")
    fake.when(text, Answer().gate(text).tokens("word").finish())
    sockets = [join(user, to=server, session_id="new") for _ in range(100)]
    for one in sockets:
        one.say(text)
    wait_for(lambda: server.metric("chatbox_budget_refused_total") == 91, 30,
             "all but nine are refused")
    assert len(fake.asked(text)) <= 9
    fake.open(text)
    turns = gather(sockets)
    assert sum(turn.error is None for turn in turns) == 9
    assert used(server, uid=user) == 9 * 11


# --- over ends of the process

def left_over(server, join, user, *roles):
    """Exactly what the entries say is left."""
    rest = LIMIT - used(server, uid=user)
    assert not fits(join, user, rest, *roles, to=server)
    assert fits(join, user, rest - 1, *roles, to=server)


def test_a_restart_forgets_nothing(spawn, fake, join):
    server = spawn(SETTINGS(fake))
    user, text = fresh(), fresh("q")
    fake.when(text, plain("word", usage=(30, 50)))
    join(user, "metered", to=server).turn(text)
    server.stop()
    server.start()
    assert used(server, uid=user) == 80
    left_over(server, join, user, "metered")


@pytest.mark.parametrize("role", ["metered", "team"])
def test_an_answer_that_a_kill_cut_counts_too(spawn, fake, join, role):
    """As much of it as is found again: what there was at its last checkpoint."""
    server = spawn(SETTINGS(fake))
    user, text = fresh(), fresh("q")
    join(fresh(), "other", to=server).turn("somebody else's")
    before = server.metric("chatbox_drafts_stored_total")
    fake.when(text, words(LIMIT // 4).gate(text).tokens(*["word"] * (LIMIT // 4))
              .gate(text + "!").finish())
    one = join(user, role, to=server)
    one.say(text)
    wait_for(lambda: server.metric("chatbox_drafts_stored_total") > before, 10, "a checkpoint")
    fake.open(text)
    wait_for(lambda: server.metric("chatbox_drafts_stored_total") > before + 1, 10,
             "another one")
    server.kill9()
    server.start()
    _, answer = storage(server).log(one.session)
    assert answer["status"] == "interrupted" and answer["content"]
    entry, = storage(server).usage(uid=user)
    assert entry["estimated"] is True
    assert entry["completionTokens"] == len(answer["content"]) // 4
    assert entry["promptTokens"] == tokens_of(text)
    assert entry["cost"] == entry["totalTokens"] * 1_000_000
    assert entry["totalTokens"] == answer["usage"]["total_tokens"]
    left_over(server, join, user, role)
    fake.open(text + "!")


def test_a_new_token_brings_its_roles(join, user):
    one = join(user, "other")
    assert one.turn("x" * 8 * LIMIT).finish == "stop"
    one.send("auth", token=token(user, roles=["other", "metered"]))
    one.get("ack")
    exceeded(one.turn("x" * 8 * LIMIT))


def test_a_cancelled_answer_counts_what_came(join, server, fake, user, question):
    fake.when(question, words(50).gate(question).finish())
    one = join(user, "metered")
    one.say(question)
    got = []
    while sum(len(frame.get("content", "")) for frame in got) < 200:
        got += one.until("ai_response")
    one.send("cancel")
    assert one.rest_of_turn().finish == "cancelled"
    fake.open(question)
    assert used(server, uid=user) == tokens_of(question) + 50
    left_over(server, join, user, "metered")


# --- at the OpenAI door

def post(server, user, roles, question, session=None, **more):
    headers = {"X-Session-Id": session} if session else {}
    with server.user(user, roles=list(roles)) as http:
        return http.post("/v1/chat/completions", headers=headers, json={
            "model": "fake", "messages": [{"role": "user", "content": question}], **more})


def refused(answer):
    """In the form of that door, with the time to wait."""
    assert answer.status_code == 429, answer.text
    assert answer.json()["error"]["code"] == "BUDGET_EXCEEDED"
    assert int(answer.headers["Retry-After"]) > 0


def test_a_request_is_under_the_same_budget(join, server, fake, user, question):
    """What it used has an entry like that of any answer."""
    fake.when(question, plain("word", usage=(60, 40)))
    assert post(server, user, ["metered", "team"], question).status_code == 200
    wait_for(lambda: storage(server).usage(uid=user), 10, "its entry")
    entry, = storage(server).usage(uid=user)
    assert (entry["modelId"], entry["totalTokens"], entry["estimated"]) == ("fake", 100, False)
    assert entry["cost"] == 100_000_000 and entry["budgetRoles"] == "\nteam\n"
    assert not fits(join, user, 100, "metered")
    refused(post(server, user, ["metered"], "x" * 400))
    assert fits(join, user, 99, "metered")


@pytest.mark.parametrize("in_session", [False, True])
def test_a_stream_is_stopped_where_it_uses_it_up(join, server, fake, user, question,
                                                 in_session):
    """One error event, and no end as of an answer that is whole."""
    fake.when(question, words(3 * LIMIT).gate(question).finish())
    session = join(user, "metered").session if in_session else None
    if session:
        join(user, "metered", session_id=session).turn("hi")  # it is there
    answer = post(server, user, ["metered"], question, session, stream=True)
    fake.open(question)
    assert answer.status_code == 200 and "[DONE]" not in answer.text
    assert answer.text.rstrip().splitlines()[-1].startswith("data: ")
    assert "BUDGET_EXCEEDED" in answer.text.rstrip().splitlines()[-1]
    wait_for(lambda: used(server, uid=user) == LIMIT + 1, 10, "its entry, as it is in the end")
    refused(post(server, user, ["metered"], "word"))
    refused(post(server, user, ["metered"], "word", stream=True))


@pytest.mark.parametrize("index,delta", [
    (3, {"content": "word"}), (1, {"tool_calls": [
        {"index": 0, "function": {"arguments": "word"}}]}),
    (0, {"reasoning_content": "word"}), (0, {"reasoning": "word"}),
    (0, {"function_call": {"arguments": "word"}})])
def test_what_nobody_is_shown_of_an_answer_counts_as_it_comes(server, fake, user, question,
                                                              index, delta):
    """Other choices, and thoughts: else an answer of a hundred choices, cut by its client
    before the provider told its usage, would cost what one of them does."""
    piece = event({"choices": [{"index": index, "delta": delta}]})
    fake.when(question, Answer().raw(piece * 3 * LIMIT).gate(question).finish())
    answer = post(server, user, ["metered"], question, stream=True, n=8)
    fake.open(question)
    assert answer.status_code == 200 and "[DONE]" not in answer.text
    assert "BUDGET_EXCEEDED" in answer.text.rstrip().splitlines()[-1]
    wait_for(lambda: used(server, uid=user) == LIMIT + 1, 10, "its entry, as it is in the end")


@pytest.mark.parametrize("role", ["metered", "team"])
def test_what_a_kill_cuts_of_a_request_counts_too(spawn, fake, join, user, question, role):
    """As of an answer in a conversation: what it had used by the last second. One that
    comes to its end has one entry, with what it was in the end."""
    server = spawn(SETTINGS(fake))
    fake.when(question, Answer().trickle("word", 0.1))
    body = {"model": "fake", "stream": True,
            "messages": [{"role": "user", "content": question}]}

    def is_put():
        return used(server, uid=user) >= LIMIT // 10
    with server.user(user, roles=[role]) as http, \
            http.stream("POST", "/v1/chat/completions", json=body) as stream:
        assert stream.status_code == 200
        wait_for(is_put, 10, "what it has used so far")
        server.kill9()
    entry, = storage(server).usage(uid=user)
    assert entry["estimated"] is True and entry["promptTokens"] >= tokens_of(question)
    server.start()
    left_over(server, join, user, role)


def test_a_long_request_has_one_entry(server, fake, user, question):
    fake.when(question, Answer().trickle("word", 0.1))
    body = {"model": "fake", "stream": True,
            "messages": [{"role": "user", "content": question}]}
    with server.user(user, roles=["metered"]) as http, \
            http.stream("POST", "/v1/chat/completions", json=body) as stream:
        wait_for(lambda: storage(server).usage(uid=user), 20, "what it has used so far")
        first, = storage(server).usage(uid=user)
        wait_for(lambda: storage(server).usage(uid=user) != [first], 10, "a later state")
        later, = storage(server).usage(uid=user)
    wait_for(lambda: storage(server).usage(uid=user) != [later], 10, "the last one")
    last, = storage(server).usage(uid=user)
    assert first["_id"] == later["_id"] == last["_id"]
    assert first["ts"] < later["ts"] <= last["ts"]
    assert 0 < first["completionTokens"] < later["completionTokens"]
    assert later["completionTokens"] <= last["completionTokens"]
    assert last["cost"] == last["totalTokens"] * 1_000_000


def test_what_a_request_sends_is_reserved_and_not_the_conversation(join, server, user,
                                                                   question):
    """The client says itself what the model sees; the log has the question only."""
    one = join(user, "metered")
    one.turn("hi")
    long = [{"role": "system", "content": "x" * 4 * LIMIT}]
    with server.user(user, roles=["metered"]) as http:
        refused(http.post("/v1/chat/completions", headers={"X-Session-Id": one.session},
                          json={"model": "fake", "messages": [
                              *long, {"role": "user", "content": question}]}))


# --- settings

@pytest.mark.parametrize("settings, named", [
    ({"ROLE": "x"}, "tokens_per_day"),
    ({"TOKENS_PER_DAY": "0"}, "tokens_per_day"),
    ({"TOKENS_PER_MONTH": "1.5"}, "tokens_per_month"),
    ({"COST_PER_DAY": "0"}, "cost_per_day"),
    ({"COST_PER_MONTH": "1000000.1"}, "cost_per_month"),
    ({"COST_PER_MONTH": "-1"}, "cost_per_month"),
    ({"SCOPE": "everybody", "TOKENS_PER_DAY": "1"}, "scope"),
])
def test_a_budget_that_is_none_is_an_error(settings, named, fake):
    done = run_cli("check", env={"JWT_SECRET": "k3V9xQ2mZ7bT4nW8rY1cL6hJ5gF0dSzPuB+RqXe=",
                                 **provider_env(fake), **budget(7, **settings)})
    assert done.returncode == 78 and f"llm.budgets[7].{named}" in done.all
    assert f"LLM_BUDGET_7_{named.upper()}" in done.all


def test_budgets_are_shown_by_check(fake):
    done = run_cli("check", env={"JWT_SECRET": "k3V9xQ2mZ7bT4nW8rY1cL6hJ5gF0dSzPuB+RqXe=",
                                 **provider_env(fake),
                                 **budget(2, ROLE="a", SCOPE="Role", COST_PER_DAY="1.50")})
    assert done.returncode == 0, done.all
    assert 'llm.budgets[2].role: "a"' in done.stdout or "llm.budgets[2].role: a" in done.stdout
    assert "llm.budgets[2].scope: role" in done.stdout
    assert "llm.budgets[2].cost_per_day: " in done.stdout
