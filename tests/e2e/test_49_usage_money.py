# SPDX-License-Identifier: MIT
"""What answers used and cost: exact, everywhere the same, and never changed afterwards
(docs/providers.md, decision 44). On either database."""

import datetime
import json
from decimal import Decimal

import pytest

from support.answer import Answer, plain
from support.messages import Message
from support.reloadable import Reloadable
from support.server import provider_env, run_cli
from support.stored import storage
from support.ws import fresh

PRICES = {"PRICE_INPUT": "2.50", "PRICE_CACHED_INPUT": "1.25", "PRICE_OUTPUT": "10",
          "PRICE_REASONING": "20.000000001"}
USED = (100, 50, 40, 30)  # prompt, completion, cached, reasoning
COST = Decimal("0.001000000")  # 60 x 2.5 + 40 x 1.25 + 20 x 10 + 30 x 20, and 0.03 nanos


def SETTINGS(fake):  # noqa: N802 (read by the fixture `server`)
    return {**provider_env(fake, **PRICES),
            **provider_env(fake, 2, ID="claude", NAME="Claude", TYPE="anthropic",
                           ENDPOINT=f"{fake.base}/anthropic", PRICE_INPUT="3",
                           PRICE_OUTPUT="15", PRICE_CACHED_INPUT="0.3"),
            **provider_env(fake, 3, ID="free", NAME="Free")}


def exact(text):
    return json.loads(text, parse_float=Decimal)


def entries(server, user):
    return storage(server).usage(uid=user)


def operator(server):
    return server.user("op", roles=["admin"])


def choose(one, model):
    one.send("model_select", model_id=model)
    one.get("connection_status")


def paid(fake, question, *texts):
    fake.when(question, Answer().tokens(*texts or ("fine",)).finish(usage=USED))


def test_the_cost_is_exact_and_everywhere_the_same(server, chat, fake, user, question):
    paid(fake, question)
    one = chat(user)
    told = one.turn(question).end["usage"]
    assert told == {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
                    "cached_tokens": 40, "reasoning_tokens": 30, "cost": float(COST)}
    page = server.user(user).get(f"/sessions/{one.session}")
    shown = exact(page.text)["messages"][1]["usage"]
    assert shown["cost"] == COST
    assert {**shown, "cost": float(shown["cost"])} == told
    stored = storage(server).log(one.session)[1]["usage"]
    assert stored == {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
                      "cached_tokens": 40, "reasoning_tokens": 30, "cost_nanos": 1_000_000}
    entry, = entries(server, user)
    assert (entry["cachedTokens"], entry["reasoningTokens"], entry["cost"],
            entry["estimated"]) == (40, 30, 1_000_000, False)


def test_a_session_and_an_export_have_the_sum(server, chat, fake, user, question):
    paid(fake, question)
    one = chat(user)
    for _ in range(3):
        one.turn(question)
    listed, = exact(server.user(user).get("/sessions").text)["sessions"]
    assert listed["total_tokens"] == 450 and listed["total_cost"] == 3 * COST
    assert storage(server).session(one.session)["totalCost"] == 3_000_000
    done = run_cli("export-user", user, env=server.env)
    assert done.returncode == 0, done.all
    sums = exact(done.stdout)["usage"]
    assert sum(row["cost"] for row in sums) == 3 * COST
    assert sum(row["cached_tokens"] for row in sums) == 120
    assert sum(row["reasoning_tokens"] for row in sums) == 90


def test_what_costs_nothing_does_not_say_so(server, chat, fake, user, question):
    fake.when(question, plain("fine", usage=(3, 4)))
    one = chat(user)
    choose(one, "free")
    assert one.turn(question).end["usage"] == {
        "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert "total_cost" not in server.user(user).get("/sessions").json()["sessions"][0]


def test_a_cache_of_anthropics_has_its_own_price(server, chat, fake, user, question):
    """What was written into it is input like any other."""
    body = Message().start(10, cache_read_input_tokens=1000, cache_creation_input_tokens=100)
    fake.when(question, body.text("fine").reason(output_tokens=7).done())
    one = chat(user)
    choose(one, "claude")
    usage = one.turn(question).end["usage"]
    assert usage == {"prompt_tokens": 1110, "completion_tokens": 7, "total_tokens": 1117,
                     "cached_tokens": 1000, "cost": 0.000735}
    assert entries(server, user)[0]["cost"] == 110 * 3000 + 1000 * 300 + 7 * 15000


@pytest.mark.parametrize("silent", ["no usage", "cut", "cancelled"])
def test_what_nobody_told_is_an_estimate_that_costs_too(server, chat, fake, user, question,
                                                        silent):
    """Marked as one, in the ledger also."""
    answer = Answer().tokens("1234" * 25)
    fake.when(question, answer.finish() if silent == "no usage" else
              answer.fin() if silent == "cut" else answer.gate(question).finish())
    one = chat(user)
    one.say(question)
    if silent == "cancelled":
        one.get("ai_response")
        one.send("cancel")
    usage = one.rest_of_turn().end["usage"]
    fake.open(question)
    entry, = entries(server, user)
    assert usage["estimated"] is entry["estimated"] is True
    assert usage["completion_tokens"] == 25
    assert entry["cost"] == usage["prompt_tokens"] * 2500 + 25 * 10000
    assert Decimal(str(usage["cost"])) == Decimal(entry["cost"]) / 10**9


def by_day(server, **times):
    body = exact(operator(server).get("/admin/metrics", params=times).text)
    assert body["total_cost"] == body["metrics"]["total_cost"] == sum(
        row.get("cost", 0) for row in body["usage"])
    return {(row["day"], row["model_id"]): row for row in body["usage"]}


def day_of(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc)


def test_operators_see_it_by_day_and_model(spawn, connect, fake):
    """Of everybody, those of deleted conversations too; only of the time asked for."""
    server = spawn(SETTINGS(fake))
    assert by_day(server) == {}
    ann, bob = connect(server, "ann"), connect(server, "bob")
    question = fresh("q")
    paid(fake, question)
    ann.turn(question)
    bob.turn(question)
    choose(bob, "free")
    bob.turn(question)
    assert server.user("ann").delete(f"/sessions/{ann.session}").status_code == 204
    rows = [*entries(server, "ann"), *entries(server, "bob")]
    seen = by_day(server)
    for name, answers, cost in (("fake", 2, 2 * COST), ("free", 1, 0)):
        found = [row for (_, model), row in seen.items() if model == name]
        assert sum(row["answers"] for row in found) == answers
        assert sum(row["total_tokens"] for row in found) == 150 * answers
        assert sum(row.get("cost", 0) for row in found) == cost
    assert {day for day, _ in seen} == {str(day_of(row["ts"]).date()) for row in rows}
    after = day_of(max(row["ts"] for row in rows) + 1).isoformat(timespec="milliseconds")
    assert by_day(server, start_time=after.replace("+00:00", "Z")) == {}


def test_prices_that_change_do_not_change_what_was(spawn, fake, tmp_path, connect):
    house = Reloadable(spawn, fake, tmp_path / "c.yaml", {})
    house.values = house.defaults()
    house.values["llm"]["providers"][0]["price_output"] = "1"
    house.with_()
    one = connect(house.server)
    question = fresh("q")
    fake.when(question, plain("x", usage=(0, 1000)), plain("x", usage=(0, 1000)))
    assert one.turn(question).end["usage"]["cost"] == 0.001
    house.values["llm"]["providers"][0]["price_output"] = "7"
    house.with_()
    assert one.turn(question).end["usage"]["cost"] == 0.007
    shown = house.server.user(one.user).get(f"/sessions/{one.session}").json()
    assert [m["usage"]["cost"] for m in shown["messages"] if "usage" in m] == [0.001, 0.007]
    assert [row["cost"] for row in entries(house.server, one.user)] == [1_000_000, 7_000_000]


def test_an_answer_of_a_fallback_costs_what_the_fallback_does(spawn, connect, fake):
    server = spawn({**provider_env(fake, **PRICES, ID="a", FALLBACK="b"),
                    **provider_env(fake, 2, ID="b", NAME="B", PRICE_OUTPUT="1",
                                   ENDPOINT=f"{fake.base}/other/v1")})
    question = fresh("q")
    fake.when(question, Answer(500), Answer().tokens("x").finish(usage=(0, 1000)))
    usage = connect(server).turn(question).end["usage"]
    assert usage["cost"] == 0.001


def test_metrics_count_by_kind_and_provider(spawn, connect, fake):
    server = spawn(SETTINGS(fake))
    question = fresh("q")
    paid(fake, question)
    fake.when(question + "?", Answer().tokens("1234").finish())
    one = connect(server)
    one.turn(question)
    guessed = one.turn(question + "?").end["usage"]

    seen = server.metrics()
    kinds = {"input": 60 + guessed["prompt_tokens"], "cached_input": 40,
             "output": 20 + 1, "reasoning": 30}
    for kind, tokens in kinds.items():
        name = f'chatbox_llm_tokens_total{{kind="{kind}",provider="fake"}}'
        assert seen[name] == tokens, name
    assert seen['chatbox_llm_tokens_estimated_total{provider="fake"}'] == (
        guessed["total_tokens"])
    assert seen['chatbox_llm_cost_nanos_total{provider="fake"}'] == (
        1_000_000 + round(guessed["cost"] * 1e9))
