# SPDX-License-Identifier: MIT
"""Tools and the form of an answer at the OpenAI door, of a model that speaks Anthropic's
form: the official clients judge what is sent and what comes back."""

import json
from pathlib import Path

import openai
import pydantic
import pytest

from support.answer import Answer, chunk, event, failure
from support.door import PATH, ask, body_of, completion, post
from support.fakellm import FakeLLM
from support.messages import Message, message, refusal
from support.messages import event as message_event
from support.official import (anthropic_client, check_anthropic_request, check_openai,
                              documents, door_client)
from support.server import API_KEY, provider_env
from support.tokens import token
from support.ws import fresh


CORPUS = Path(__file__).resolve().parents[1] / "fuzz" / "corpus"


@pytest.fixture(scope="module")
def other():
    """The server of the model that speaks Anthropic's form."""
    model = FakeLLM()
    model.default = lambda: message("fine")
    yield model
    model.close()


@pytest.fixture(scope="module")
def server(spawn_module, fake, other):
    claude = {"TYPE": "anthropic", "ENDPOINT": other.base}
    return spawn_module({
        **provider_env(fake, 1, ID="fake"),
        **provider_env(other, 2, ID="claude", **claude),
        **provider_env(fake, 3, ID="pair", FALLBACK="demo,claude"),
        **provider_env(other, 4, ID="back", FALLBACK="fake", **claude),
        "LLM_PROVIDER_5_ID": "demo", "LLM_PROVIDER_5_TYPE": "demo",
        "LLM_RETRY_ATTEMPTS": "1"})


@pytest.fixture
def client(server, user):
    with door_client(server, token(user)) as one:
        yield one


def tool(name="weather", **more):
    return {"type": "function", "function": {
        "name": name, "description": f"Tells the {name}.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}, **more}}


def calls(*pieces, name="weather"):
    """An answer that calls a tool."""
    return Message().start().ping().tool(name, *pieces).finish("tool_use", (20, 9))


def asked(other, question, count=1):
    """What the model was asked, judged by its own types."""
    request = other.wait_asked(question, count)
    check_anthropic_request(request.json)
    return request.json


def streamed(client, question, **more):
    """By the client's helper, which puts the pieces together."""
    with client.chat.completions.stream(
            model="claude", messages=[{"role": "user", "content": question}],
            **more) as stream:
        return stream.get_final_completion()


# --- calls

@pytest.mark.parametrize("stream", [False, True])
def test_a_loop_of_two_rounds(client, other, question, stream):
    """A text and two calls, their results, one more call, the answer."""
    other.when(question, Message().start().text("Let me ", "see.")
               .tool("weather", "", '{"city": "Kö', 'ln"}', id="toolu_a")
               .tool("time", id="toolu_b").finish("tool_use", (30, 12)))
    other.when(f"{question} noon, rain", Message().start().tool("weather", '{"city":"Bonn"}', id="toolu_c")
               .finish("tool_use"))
    other.when(f"{question} sun", message("Rain in Köln, sun in Bonn."))
    messages = [{"role": "user", "content": question}]
    tools = [tool(), tool("time")]

    def turn():
        if stream:
            with client.chat.completions.stream(model="claude", messages=messages,
                                                tools=tools) as one:
                got = one.get_final_completion()
        else:
            got = client.chat.completions.create(model="claude", messages=messages,
                                                 tools=tools)
        messages.append(got.choices[0].message.model_dump(exclude_unset=stream))
        return got.choices[0], got.usage

    def result(call, text):
        messages.append({"role": "tool", "tool_call_id": call.id, "content": text})

    choice, usage = turn()
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "Let me see."
    first, second = choice.message.tool_calls
    assert (first.id, first.type, first.function.name) == ("toolu_a", "function", "weather")
    assert json.loads(first.function.arguments) == {"city": "Köln"}
    assert (second.id, json.loads(second.function.arguments)) == ("toolu_b", {})
    assert stream or usage.total_tokens == 42
    result(second, f"{question} noon")
    result(first, ", rain")
    choice, _ = turn()
    assert choice.message.content is None
    third, = choice.message.tool_calls
    result(third, f"{question} sun")
    choice, _ = turn()
    assert choice.finish_reason == "stop" and not choice.message.tool_calls
    assert choice.message.content == "Rain in Köln, sun in Bonn."
    sent = asked(other, f"{question} sun")
    assert [m["role"] for m in sent["messages"]] == ["user", "assistant", "user",
                                                     "assistant", "user"]
    assert sent["messages"][1]["content"] == [
        {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "toolu_a", "name": "weather", "input": {"city": "Köln"}},
        {"type": "tool_use", "id": "toolu_b", "name": "time", "input": {}}]
    assert sent["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "toolu_b", "content": f"{question} noon"},
        {"type": "tool_result", "tool_use_id": "toolu_a", "content": ", rain"}]
    assert [one["name"] for one in sent["tools"]] == ["weather", "time"]
    assert sent["tools"][0]["input_schema"] == tools[0]["function"]["parameters"]


def test_calls_are_streamed_as_openai_does(server, user, other, question):
    """First id and name, then pieces of the arguments; each as it comes."""
    other.when(question, Message().start().open_tool("weather", '{"city"').gate(question)
               .pieces_of(':"K"}').close_block().finish("tool_use", (4, 2)))
    got = []
    with server.user(user) as http, http.stream("POST", "/v1/chat/completions", json=body_of(
            question, model="claude", stream=True, tools=[tool()],
            stream_options={"include_usage": True})) as answer:
        for line in answer.iter_lines():
            if not line.startswith("data: {"):
                continue
            got.append(json.loads(line[6:]))
            if len(got) == 2:
                other.open(question)
    check_openai(b"".join(event(one) for one in got))
    *chunks, last, usage = got
    assert [c["choices"][0]["delta"] for c in chunks] == [
        {"role": "assistant", "content": None, "tool_calls": [
            {"index": 0, "id": "toolu_1", "type": "function",
             "function": {"name": "weather", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ':"K"}'}}]}]
    assert last["choices"][0]["finish_reason"] == "tool_calls"
    assert usage["usage"]["total_tokens"] == 6


CHOICES = [
    ({}, None), ({"tool_choice": "auto"}, {"type": "auto"}),
    ({"tool_choice": "none"}, {"type": "none"}),
    ({"tool_choice": "required"}, {"type": "any"}),
    ({"tool_choice": {"type": "function", "function": {"name": "time"}}},
     {"type": "tool", "name": "time"}),
    ({"parallel_tool_calls": True}, None),
    ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
    ({"parallel_tool_calls": False, "tool_choice": "required"},
     {"type": "any", "disable_parallel_tool_use": True})]


@pytest.mark.parametrize("more,choice", CHOICES)
def test_which_tool_is_to_be_called(client, other, question, more, choice):
    ask(client, question, "claude", tools=[tool(strict=True), tool("time")], **more)
    sent = asked(other, question)
    assert sent.get("tool_choice") == choice
    assert sent["tools"][0]["strict"] is True and "strict" not in sent["tools"][1]


# --- what a model may do to a call

ODD = [
    ("empty input", lambda m: m.tool("weather").finish("tool_use"), [{}], "tool_calls"),
    ("interleaved", lambda m: m.open_tool("weather", "{", id="a").raw(message_event(
        "content_block_start", index=7, content_block={
            "type": "tool_use", "id": "b", "name": "time", "input": {}}))
        .pieces_of('{"at":', block=7).pieces_of('"city":"K"}').pieces_of("1}", block=7)
        .raw(message_event("content_block_stop", index=7)).close_block()
        .finish("tool_use"), [{"city": "K"}, {"at": 1}], "tool_calls"),
    ("an unknown reason", lambda m: m.tool("weather", "{}").finish("something_new"), [{}],
     "tool_calls"),
    ("the end of a turn", lambda m: m.tool("weather", "{}").finish("end_turn"), [{}],
     "tool_calls"),
    ("a pause", lambda m: m.text("hm").finish("pause_turn"), None, "stop"),
    ("a tool of the server's", lambda m: m.open_block(
        type="server_tool_use", id="srv", name="web_search", input={})
        .pieces_of('{"q":1}').close_block().text("x").finish(), None, "stop"),
    ("unknown blocks", lambda m: m.open_block(type="new_tool", id="n", name="x", input={})
     .delta(type="new_delta", partial_json="{").close_block().tool("weather", "{}")
     .finish("tool_use"), [{}], "tool_calls"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("make,arguments,finish", [pytest.param(*r, id=n)
                                                   for n, *r in ODD])
def test_odd_answers_give_whole_calls(client, other, question, make, arguments, finish,
                                      stream):
    other.when(question, make(Message().start()))
    more = {"tools": [tool(), tool("time")]}
    choice = (streamed(client, question, **more) if stream
              else ask(client, question, "claude", **more)).choices[0]
    assert choice.finish_reason == finish
    told = choice.message.tool_calls
    assert (told and [json.loads(c.function.arguments) for c in told]) == arguments


def test_arguments_that_end_with_the_tokens_are_told_so(client, other, question):
    other.when(question, Message().start().open_tool("weather", '{"city":')
               .finish("max_tokens"))
    choice = ask(client, question, "claude", tools=[tool()]).choices[0]
    assert choice.finish_reason == "length"
    assert choice.message.tool_calls[0].function.arguments == '{"city":'


@pytest.mark.parametrize("end", [lambda m: m.fin(), lambda m: m.rst(),
                                 lambda m: m.error_event(),
                                 lambda m: m.close_block().fin()],
                         ids=["fin", "rst", "an error", "no reason"])
def test_a_call_that_breaks_off_is_an_error(server, client, user, other, question, end):
    """Never a call that could be taken for a whole one."""
    other.when(question, end(Message().start().open_tool("weather", '{"city":')))
    got = post(server, user, body_of(question, model="claude", stream=True, tools=[tool()]))
    *_, last = documents(got.content)
    assert last["error"]["code"] == "LLM_UNAVAILABLE" and "[DONE]" not in got.text
    with pytest.raises(openai.InternalServerError):
        ask(client, question, "claude", tools=[tool()])


def test_a_stream_with_a_call_cut_anywhere_is_the_same(server, user, other, question):
    other.when(question, *(calls('{"city": "K', 'öln 😀"}').bytewise(n)
                           for n in (1, 2, 3, 7)))

    def told():
        got = post(server, user, body_of(question, model="claude", stream=True,
                                         tools=[tool()]))
        return json.dumps([one["choices"] for one in documents(got.content)])
    assert len({told() for _ in range(4)}) == 1


RECORDED = ["tool-use", "tool-use-parallel", "tool-use-empty", "tool-use-interleaved",
            "tool-use-message"]


@pytest.mark.parametrize("name", RECORDED)
def test_the_official_clients_read_the_same_calls_on_both_sides(client, other, question, name):
    """Streams as the service writes them: by Anthropic's client, and at our door by
    OpenAI's."""
    body = (CORPUS / "anthropic" / name).read_bytes()
    whole = body.startswith(b"{")
    other.when(question, Answer(content_type="application/json" if whole
                                else "text/event-stream").raw(body))
    ask_ = {"model": "m", "max_tokens": 10, "messages": [{"role": "user",
                                                          "content": question}]}
    with anthropic_client(other) as theirs:
        if whole:
            blocks = theirs.messages.create(**ask_).content
        else:
            with theirs.messages.stream(**ask_) as stream:
                blocks = stream.get_final_message().content
    expected = [(b.id, b.name, b.input) for b in blocks if b.type == "tool_use"]
    text = "".join(b.text for b in blocks if b.type == "text") or None
    for got in (ask(client, question, "claude", tools=[tool()]),
                streamed(client, question, tools=[tool()])):
        said = got.choices[0].message
        assert said.content == text
        assert [(c.id, c.function.name, json.loads(c.function.arguments))
                for c in said.tool_calls] == expected


# --- the form of an answer

class City(pydantic.BaseModel):
    name: str
    people: int


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_parsed_by_its_schema(client, other, question, stream):
    other.when(question, message('{"name": "Köln",', ' "people": 1087353}'))
    if stream:
        got = streamed(client, question, response_format=City)
    else:
        got = client.chat.completions.parse(
            model="claude", messages=[{"role": "user", "content": question}],
            response_format=City)
    assert got.choices[0].message.parsed == City(name="Köln", people=1087353)
    form = asked(other, question)["output_config"]["format"]
    assert form["type"] == "json_schema"
    assert form["schema"]["required"] == ["name", "people"]
    assert form["schema"]["additionalProperties"] is False


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_in_json(client, other, question, stream):
    """Any object: it has to be a tool's input there, and is the answer's text here."""
    other.when(question, calls('{"a":', ' [1]}', name="answer_in_json"))
    more = {"response_format": {"type": "json_object"}}
    choice = (streamed(client, question, **more) if stream
              else ask(client, question, "claude", **more)).choices[0]
    assert json.loads(choice.message.content) == {"a": [1]}
    assert choice.finish_reason == "stop" and not choice.message.tool_calls
    sent = asked(other, question)
    assert sent["tool_choice"]["name"] == sent["tools"][0]["name"] == "answer_in_json"


def test_an_answer_in_json_beside_tools(client, other, question):
    other.when(question, calls("{}"))
    choice = ask(client, question, "claude", tools=[tool()],
                 response_format={"type": "json_object"}).choices[0]
    assert choice.message.tool_calls[0].function.name == "weather"
    sent = asked(other, question)
    assert sent["tool_choice"] == {"type": "any"} and len(sent["tools"]) == 2


# --- parameters

def test_parameters_that_there_are_in_both_forms(client, other, question):
    ask(client, question, "claude", temperature=1.7, top_p=0.5, stop=["a", "b"],
        max_completion_tokens=7, reasoning_effort="minimal", user="me@example.com",
        seed=7, service_tier="auto", store=False, metadata={"a": "b"}, logit_bias={},
        presence_penalty=0.5, frequency_penalty=0.5, logprobs=False, n=1,
        modalities=["text"], verbosity="low", prompt_cache_key="k")
    sent = asked(other, question)
    assert (sent["temperature"], sent["top_p"], sent["stop_sequences"],
            sent["max_tokens"]) == (1, 0.5, ["a", "b"], 7)
    assert sent["output_config"] == {"effort": "low"}
    assert set(sent) == {"model", "messages", "stream", "temperature", "top_p",
                         "stop_sequences", "max_tokens", "output_config", "metadata"}
    assert "me@example.com" not in json.dumps(sent)


def test_who_asks_is_a_pseudonym_and_only_if_it_is_wished(server, user, other):
    def name(who, **more):
        question = fresh("q")
        assert post(server, who, body_of(question, model="claude", **more)).status_code == 200
        return asked(other, question).get("metadata", {}).get("user_id")
    assert name(user) is None
    first = name(user, user=user)
    assert first and user not in first
    assert first == name(user, user="another") == name(user, safety_identifier="x")
    assert name(fresh("user"), user=user) != first


REFUSED = [
    ({"n": 2}, "n"), ({"logprobs": True}, "logprobs"),
    ({"functions": [{"name": "f"}]}, "functions"),
    ({"logit_bias": {"7": 1}}, "logit_bias"), ({"store": True}, "store"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"web_search_options": {}}, "web_search_options"), ({"stop": ["\n"]}, "stop"),
    ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools"),
    ({"tools": [tool("answer_in_json")]}, "tools"),
    ({"tools": [tool()], "tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
    ({"response_format": {"type": "grammar"}}, "response_format"),
]


@pytest.mark.parametrize("more,param", REFUSED)
def test_what_would_be_a_lie_is_refused_by_name(server, user, other, question, more, param):
    got = post(server, user, body_of(question, model="claude", **more))
    error = got.json()["error"]
    assert (got.status_code, error["param"]) == (400, param) and param in error["message"]
    assert not other.asked(question)


@pytest.mark.parametrize("more", [{"tools": [tool()]},
                                  {"response_format": {"type": "json_object"}}])
def test_a_model_without_tools_refuses_them(client, question, more):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, question, "demo", **more)
    assert caught.value.param == next(iter(more))


def test_a_conversation_takes_no_tools(server, user, other, question):
    with server.user(user) as http:
        session = http.post("/sessions", json={}).json()["id"]
        got = http.post("/v1/chat/completions", headers={"X-Session-Id": session},
                        json=body_of(question, model="claude", tools=[tool()]))
    assert got.status_code == 400 and got.json()["error"]["param"] == "tools"
    assert not other.asked(question)


def test_what_the_provider_refuses_is_told_in_openais_form(client, other, question):
    other.when(question, refusal(400, "invalid_request_error", "tools.0: too odd"))
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, question, "claude", tools=[tool()])
    assert caught.value.body == {"message": "tools.0: too odd", "param": None,
                                 "type": "invalid_request_error", "code": "BAD_REQUEST"}


def test_what_the_provider_says_about_our_key_is_not(server, user, other, question):
    other.when(question, refusal(400, "invalid_request_error", f"not with {API_KEY}"))
    got = post(server, user, body_of(question, model="claude"))
    assert got.status_code == 502 and API_KEY not in got.text


# --- another provider

def test_an_anthropic_model_takes_an_openai_one_s_calls_over(client, fake, other, question):
    """Past one that has no tools."""
    fake.when(question, failure(500), Answer().role().rst())
    other.when(question, calls("{}"))
    for stream in (False, True):
        choice = client.chat.completions.create(
            model="pair", messages=[{"role": "user", "content": question}],
            tools=[tool()], stream=stream)
        if stream:
            told = [c.choices[0].delta.tool_calls for c in choice if c.choices]
            assert told[0][0].function.name == "weather"
        else:
            assert choice.choices[0].message.tool_calls[0].function.arguments == "{}"
    assert len(other.asked(question)) == 2


def test_an_openai_model_takes_an_anthropic_one_s_calls_over(client, fake, other, question):
    answer, document = completion(None)
    document["choices"][0]["message"]["tool_calls"] = theirs = [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    fake.when(question, failure(200, json.dumps(document)))
    other.when(question, refusal(529, "overloaded_error"))
    sent = {"tools": [tool()], "tool_choice": "required"}
    got = ask(client, question, "back", **sent)
    assert got.choices[0].message.tool_calls[0].to_dict() == theirs[0]
    asked_ = fake.wait_asked(question).json
    assert asked_["tools"] == sent["tools"] and asked_["tool_choice"] == "required"


def test_a_stream_of_calls_to_who_wants_it_whole_becomes_that(client, fake, question):
    """From a server of OpenAI's form that streams whatever it is asked."""
    def piece(**call):
        return event(chunk({"tool_calls": [{"index": 0, **call}]}))
    fake.when(question, Answer().raw(piece(id="c", type="function", function={
        "name": "f", "arguments": ""})).raw(piece(function={"arguments": '{"a"'}))
        .raw(piece(function={"arguments": ":1}"})).finish("tool_calls"))
    choice = ask(client, question, tools=[tool("f")]).choices[0]
    assert choice.finish_reason == "tool_calls" and choice.message.content is None
    assert choice.message.tool_calls[0].function.arguments == '{"a":1}'


# --- what it costs

@pytest.mark.parametrize("model", ["fake", "claude"])
def test_arguments_count_where_nobody_says_what_they_were(client, fake, other, question,
                                                          model):
    long = json.dumps({"city": "x" * 400})
    fake.when(question, Answer().raw(event(chunk({"tool_calls": [
        {"index": 0, "id": "c", "function": {"name": "f", "arguments": long}}]})))
        .finish("tool_calls"))
    other.when(question, Message().tool("f", long).raw(message_event(
        "message_delta", delta={"stop_reason": "tool_use"})).done())
    *_, last = ask(client, question, model, stream=True, tools=[tool("f")],
                   stream_options={"include_usage": True})
    assert 100 <= last.usage.completion_tokens <= 110 and last.usage.estimated is True


@pytest.mark.usefixtures("same_day")
def test_a_budget_ends_arguments_too(spawn, other, user, question):
    server = spawn({**provider_env(other, ID="claude", TYPE="anthropic",
                                   ENDPOINT=other.base),
                    "LLM_BUDGET_1_ROLE": "metered", "LLM_BUDGET_1_TOKENS_PER_DAY": "500"})
    other.when(question, Message().start().open_tool("weather", *["x" * 400] * 20).silence())
    with server.user(user, roles=["metered"]) as http:
        got = http.post(PATH, json=body_of(question, model="claude", stream=True,
                                           tools=[tool()]))
    *chunks, last = documents(got.content)
    assert last["error"]["code"] == "BUDGET_EXCEEDED" and len(chunks) < 10
    assert other.asked(question)[0].closed.wait(5), "the model is stopped"
