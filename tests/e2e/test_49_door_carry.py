# SPDX-License-Identifier: MIT
"""An answer of the OpenAI door that one provider begins and another one goes on
with (`llm.providers[].continue_on_failure`; decision 0046): the client sees one
completion, nothing of its text twice and none of it missing."""

import json

import pytest

from support.answer import Answer, chunk, event, failure, plain
from support.door import PATH, ask, body_of, completion, post
from support.fakellm import FakeLLM
from support.messages import Message
from support.official import check_anthropic_request, check_openai, documents, door_client
from support.rawhttp import RawConn, request
from support.server import provider_env
from support.stored import storage
from support.tokens import token
from support.waiting import wait_for
from support.ws import fresh

TEXT = "The quick brown fox – 速い茶色の狐 – jumps over the lazy dog."
HALF = TEXT.index("jumps")
HOW = ["fin", "rst", "error_event", "silence"]
KINDS = ["openai", "anthropic"]


@pytest.fixture(scope="module")
def other():
    """Another provider."""
    one = FakeLLM()
    yield one
    one.close()


@pytest.fixture(scope="module")
def third():
    one = FakeLLM()
    yield one
    one.close()


@pytest.fixture
def server(spawn, fake, other, third):
    """The model `x-y` is of kind x, and goes on with y-b, then with c. Each test has its
    own: breakers remember what broke."""
    def env(model, n, kind, **more):
        form = {"TYPE": "anthropic", "ENDPOINT": model.base} if kind == "anthropic" else {}
        return provider_env(model, n, **form, PRICE_INPUT="1000", PRICE_OUTPUT="2000",
                            **more)
    pairs = [(x, y) for x in KINDS for y in KINDS]
    first = {}
    for n, (x, y) in enumerate(pairs, 1):
        first.update(env(fake, n, x, ID=f"{x}-{y}", FALLBACK=f"{y}-b,c",
                         CONTINUE_ON_FAILURE="true"))
    return spawn({
        **first, **env(other, 5, "openai", ID="openai-b"),
        **env(other, 6, "anthropic", ID="anthropic-b"), **env(third, 7, "openai", ID="c"),
        **env(fake, 8, "openai", ID="alone", FALLBACK="openai-b"),
        **env(fake, 9, "openai", ID="talks", FALLBACK="demo", CONTINUE_ON_FAILURE="true"),
        "LLM_PROVIDER_10_ID": "demo", "LLM_PROVIDER_10_TYPE": "demo",
        "LLM_BUDGET_1_ROLE": "metered", "LLM_BUDGET_1_TOKENS_PER_DAY": "500",
        "LLM_RETRY_ATTEMPTS": "1", "LLM_IDLE_TIMEOUT": "1s"})


@pytest.fixture
def client(server, user):
    with door_client(server, token(user)) as one:
        yield one


def begin(kind, *texts):
    if kind == "openai":
        return Answer().role().tokens(*texts)
    return Message().start().open_block(type="text", text="").tokens(*texts)


def rest(kind, *texts, usage=(3, 4)):
    answer = begin(kind, *texts)
    if kind == "anthropic":
        return answer.close_block().finish("end_turn", usage)
    return answer.finish("stop", usage)


def stream(client, question, model, **more):
    return list(ask(client, question, model, stream=True,
                    stream_options={"include_usage": True}, **more))


def one_completion(chunks, text):
    """What the client's helper would make of it."""
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == text
    assert len({(c.id, c.model) for c in chunks}) == 1
    roles = [c.choices[0].delta.role for c in chunks if c.choices]
    assert [r for r in roles if r] == ["assistant"]
    ends = [c.choices[0].finish_reason for c in chunks if c.choices]
    assert ends[-1] == "stop" and not any(ends[:-1])
    assert [bool(c.usage) for c in chunks] == [False] * (len(chunks) - 1) + [True]


@pytest.mark.parametrize("first,second,how", [
    *(("openai", "anthropic", how) for how in HOW), *((first, second, "rst") for first in KINDS for second in KINDS if first <= second)])
def test_an_answer_goes_on_with_another_provider(server, client, user, fake, other, question,
                                                 first, second, how):
    """Whatever broke it off; the other one begins with the last words once more."""
    again = TEXT.index("brown")
    fake.when(question, getattr(begin(first, TEXT[:5], TEXT[5:HALF]), how)())
    other.when(question, rest(second, TEXT[again:HALF + 9], TEXT[HALF + 9:]))
    chunks = stream(client, question, f"{first}-{second}", temperature=0.5, seed=7)
    one_completion(chunks, TEXT)
    asked, = other.asked(question)
    assert asked.partial == TEXT[:HALF].rstrip() and asked.json["temperature"] == 0.5
    if second == "openai":
        assert asked.json["seed"] == 7 and asked.json["stream"] is True
    else:
        check_anthropic_request(asked.json)
    assert chunks[-1].usage.completion_tokens > 4 and chunks[-1].usage.estimated is True
    wait_for(lambda: storage(server).usage(uid=user), 10, "its entry")
    entry, = storage(server).usage(uid=user)
    told = chunks[-1].usage
    assert (entry["modelId"], entry["totalTokens"], entry["promptTokens"]) == (
        f"{second}-b", told.total_tokens, told.prompt_tokens)
    assert entry["cost"] == (1_000_000 * told.prompt_tokens
                             + 2_000_000 * told.completion_tokens)


def test_what_was_lost_before_the_first_word_names_nothing(client, fake, other, question):
    """Neither what follows nor our count of it."""
    lost = {**chunk({"role": "assistant", "content": ""}), "id": "lost"}
    fake.when(question, Answer().raw(event(lost)).rst())
    other.when(question, plain("one", "two"))
    chunks = stream(client, question, "openai-openai")
    assert {c.id for c in chunks} == {chunk()["id"]}
    assert chunks[-1].usage.estimated is True


@pytest.mark.parametrize("second", KINDS)
def test_a_whole_answer_goes_on_too(client, fake, other, question, second):
    """A model of OpenAI's form may give the rest in one piece."""
    fake.when(question, begin("anthropic", TEXT[:5], TEXT[5:HALF]).rst())
    again = TEXT[TEXT.index("brown"):]
    answer, _ = completion(again, usage=(3, 4))
    other.when(question, answer if second == "openai" else rest(second, again))
    got = ask(client, question, f"anthropic-{second}")
    assert got.choices[0].message.content == TEXT
    assert got.choices[0].finish_reason == "stop" and got.model == f"anthropic-{second}"
    asked, = other.asked(question)
    assert asked.partial == TEXT[:HALF].rstrip()
    assert got.usage.completion_tokens > 4


def test_an_answer_of_which_not_all_is_known_is_not_gone_on_with(spawn, user, fake, other,
                                                                question):
    """One that is longer than LLM_MAX_ANSWER_SIZE; as long as that it is."""
    server = spawn({**provider_env(fake, ID="a", FALLBACK="b", CONTINUE_ON_FAILURE="true"),
                    **provider_env(other, 2, ID="b"), "LLM_MAX_ANSWER_SIZE": "1KiB"})
    for n, size in enumerate((1024, 1025)):
        this = f"{question} {n}"
        fake.when(this, begin("openai", "x" * 1000, "y" * (size - 1000)).rst())
        other.when(this, rest("openai", " the end"))
        got = post(server, user, body_of(this, model="a", stream=True))
        assert bool(other.asked(this)) == ("[DONE]" in got.text) == (size == 1024)


def test_wherever_it_breaks_off_and_begins_again(client, fake, other, question):
    """Cut at many places; the other one goes on from there, or from any word before."""
    words = [0] + [i + 1 for i, c in enumerate(TEXT) if c == " "]
    for n, at in enumerate(range(1, len(TEXT), 3)):
        told = [w for w in words if w < len(TEXT[:at].rstrip()) - 2]  # what is no chance
        start = ([at] + told)[n % (len(told) + 1)]
        this = f"{question} {at}"
        fake.when(this, begin("openai", *TEXT[:at]).fin(), plain("fine"))
        other.when(this, rest("openai", *TEXT[start:]))
        one_completion(stream(client, this, "openai-openai"), TEXT)
        assert ask(client, this, "openai-openai").choices[0].message.content == "fine"


def test_the_beginning_is_relayed_untouched(server, user, fake, other, question):
    """And the rest goes on in its name."""
    events = [chunk({"role": "assistant", "content": ""}, odd=1), chunk({"content": "Hel"},
                                                                        odd=[2])]
    answer = Answer()
    for one in events:
        answer.raw(event(one))
    fake.when(question, answer.rst())
    other.when(question, Answer().raw(event({**chunk({"content": "lo"}), "id": "other",
                                             "model": "another"})).finish())
    got = post(server, user, body_of(question, model="openai-openai", stream=True))
    check_openai(got.content)
    told = documents(got.content)
    assert told[:2] == events
    assert {(c["id"], c["model"]) for c in told} == {("chatcmpl-1", "fake-1")}
    assert got.text.endswith("data: [DONE]\n\n")


def test_it_breaks_off_twice(client, fake, other, third, question):
    """The third one is told what both have said."""
    fake.when(question, begin("openai", "One, two, ").rst())
    other.when(question, begin("openai", "two, three, ").rst())
    third.when(question, plain("three, four."))
    one_completion(stream(client, question, "openai-openai"), "One, two, three, four.")
    assert third.asked(question)[0].partial == "One, two, three,"


def test_nobody_is_left(server, user, fake, other, third, question):
    """The text so far, then one error."""
    fake.when(question, begin("openai", "Some text ").rst())
    other.when(question, failure(503))
    third.when(question, failure(503))
    got = post(server, user, body_of(question, model="openai-openai", stream=True))
    *chunks, last = documents(got.content)
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks) == "Some text "
    assert last["error"]["code"] == "LLM_UNAVAILABLE" and "[DONE]" not in got.text
    assert third.asked(question)[0].partial == "Some text"


def test_a_local_model_goes_on_too(client, fake, question):
    fake.when(question, begin("openai", "Some text.").rst())
    chunks = stream(client, question, "talks")
    said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert said.startswith("Some text.\n\n") and len(said) > 20


MORE = [{"tools": [{"type": "function", "function": {"name": "f"}}]}, {"n": 2},
        {"logprobs": True}, {"response_format": {"type": "json_object"}}]


@pytest.mark.parametrize("model,more", [("alone", {}), *(("openai-openai", m) for m in MORE)])
def test_what_is_not_gone_on_with(server, user, fake, other, question, model, more):
    """Without the setting, and what is no mere text."""
    fake.when(question, begin("openai", "Hel").rst())
    got = post(server, user, body_of(question, model=model, stream=True, **more))
    assert documents(got.content)[-1]["error"]["code"] == "LLM_UNAVAILABLE"
    assert not other.asked(question)


def test_a_call_that_nobody_asked_for_is_not_gone_on_with(server, user, fake, other, question):
    call = {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f",
                                                                "arguments": "{"}}]}
    fake.when(question, begin("openai", "Hel").raw(event(chunk(call))).rst())
    got = post(server, user, body_of(question, model="openai-openai", stream=True))
    assert "error" in documents(got.content)[-1] and not other.asked(question)


def test_a_filter_ends_it(server, user, fake, other, question):
    """Another model would be asked to say it all the same."""
    fake.when(question, begin("openai", "Hel").raw(event(
        {"error": {"code": "content_filter", "message": "no"}})))
    got = post(server, user, body_of(question, model="openai-openai", stream=True))
    assert "error" in documents(got.content)[-1] and not other.asked(question)


def test_who_comes_again_gets_all_of_it(server, user, fake, other, question):
    fake.when(question, begin("openai", TEXT[:HALF]).rst())
    other.when(question, rest("openai", TEXT[HALF:]))
    body = json.dumps(body_of(question, model="openai-openai", stream=True))
    with server.user(user) as http:
        headers = {"Idempotency-Key": fresh("key")}
        first, again = (http.post(PATH, content=body, headers=headers).text
                        for _ in range(2))
        after = http.post(PATH, content=body, headers={**headers, "Last-Event-ID": "2"}).text
    assert first == again and first.count("[DONE]") == 1
    assert after == first[first.index("id: 3\n"):]
    assert len(other.asked(question)) == 1


def test_who_goes_ends_the_one_that_goes_on(server, user, fake, other, question):
    fake.when(question, begin("openai", "Some text ").rst())
    other.when(question, begin("openai", "and more").silence())
    with RawConn(server) as conn:
        conn.send(request(server, "POST", server.prefix + PATH,
                          [("Authorization", f"Bearer {token(user)}")],
                          json.dumps(body_of(question, model="openai-openai", stream=True))))
        conn.read_until(b"and more")
    assert other.wait_asked(question).closed.wait(5)


@pytest.mark.usefixtures("same_day")
def test_a_budget_counts_all_parts(server, user, fake, other, question):
    """What the first one said, what the other one is sent of it, and what that says."""
    fake.when(question, begin("openai", "w " * 400).rst())
    other.when(question, begin("openai", *["and so on "] * 400).silence())
    with server.user(user, roles=["metered"]) as http:
        got = http.post(PATH, json=body_of(question, model="openai-openai", stream=True))
    *chunks, last = documents(got.content)
    assert last["error"]["code"] == "BUDGET_EXCEEDED" and len(chunks) < 200
    assert other.asked(question)[0].closed.wait(5)


def test_it_is_counted(server, user, fake, other, question):
    fake.when(question, begin("anthropic", "Hel").rst())
    other.when(question, rest("anthropic", "lo"))
    got = post(server, user, body_of(question, model="anthropic-anthropic", stream=True))
    assert "[DONE]" in got.text
    name = 'chatbox_llm_continued_total{provider="anthropic-anthropic"}'
    assert server.metrics()[name] == 1
    line, = server.logged("llm_continue")
    assert line["provider"] == "anthropic-anthropic" and line["user_id"] == user
