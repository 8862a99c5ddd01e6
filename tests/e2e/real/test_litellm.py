# SPDX-License-Identifier: MIT
"""A LiteLLM proxy as the provider: OpenAI's and Anthropic's forms as a program
writes them that nobody here has written, with answers that it invents, and with
those of a fake model behind it, which can wait and fail in the middle."""

import json

import openai
import pytest

from support.answer import Answer, chunk, event, failure, plain
from support.litellm import BEHIND_KEY, KEY, LiteLLM, behind, invented
from support.messages import Message, message
from support.official import check_anthropic, check_openai, documents, door_client
from support.server import provider_env
from support.tokens import token
from support.ws import Turn

WORDS = "Grüße, Welt! 😀 It is fine."
MODELS = {
    "words": invented(WORDS),
    "claude": invented(WORDS, "anthropic/invented"),
    "limited": invented("litellm.RateLimitError"),
    "broken": invented("litellm.InternalServerError"),
    "window": invented("litellm.ContextWindowExceededError"),
    "filtered": invented("Exception: content_filter_policy"),
    "late": invented("never", mock_timeout=True, timeout=0.1),
    "midway": invented("Exception: mock_streaming_error")}
QUICK = {"LLM_RETRY_ATTEMPTS": "2"}


@pytest.fixture(scope="module")
def litellm(fake):
    """In front of the fake: `chat` speaks OpenAI's form to it, `claude-behind`
    Anthropic's, and `responses` OpenAI's newer one, which the fake has not."""
    with LiteLLM({**MODELS, "chat": behind("hosted_vllm/fake-1", fake.endpoint),
                  "claude-behind": behind("anthropic/fake-1", fake.base),
                  "responses": behind("openai/fake-1", fake.endpoint)}) as one:
        yield one


@pytest.fixture(autouse=True)
def lives(litellm):
    """One that has ended is the failure of every test, at once."""
    litellm.check_alive()
    yield
    litellm.check_alive()


def provider(litellm, n, model, form="openai", **more):
    """The settings that make one of its models provider number `n`, called as the
    model; what the model is called may be said apart."""
    endpoint = litellm.endpoint if form == "openai" else litellm.base
    return provider_env(litellm, n, **{
        "ID": f"{form}-{model}", "NAME": model, "TYPE": form, "ENDPOINT": endpoint,
        "API_KEY": KEY, "MODEL": model, **more})


@pytest.fixture(scope="module")
def server(spawn_module, litellm):
    """Every model in both forms."""
    names = [*MODELS, "chat", "claude-behind", "responses", "unheard-of"]
    rows = [(name, form) for name in names for form in ("openai", "anthropic")]
    settings = {}
    for n, (name, form) in enumerate(rows, 1):
        settings |= provider(litellm, n, name, form)
    return spawn_module({**settings, **QUICK})


def faults_of(server, one):
    """What the operator is told of the failures of this conversation's one turn."""
    server.wait_log("turn", session_id=one.session)
    return server.logged("llm_error", session_id=one.session)


def told(turn):
    usage = turn.end["usage"]
    assert not usage.get("estimated")
    return usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]


# --- answers

@pytest.mark.parametrize("model", ["words", "claude"])
def test_a_stream_in_openais_form(chat, litellm, question, model):
    """The text, and the usage that LiteLLM itself counts for it."""
    turn = chat().turn(question, model_id=f"openai-{model}")
    assert turn.text == WORDS and turn.finish == "stop"
    said = litellm.ask("POST", "/v1/chat/completions", model=model, stream=True,
                       stream_options={"include_usage": True},
                       messages=[{"role": "user", "content": question}])
    check_openai(said.content)
    usage = documents(said.content)[-1]["usage"]
    assert told(turn) == (usage["prompt_tokens"], usage["completion_tokens"],
                          usage["total_tokens"])


def test_a_document_in_anthropics_form(chat, question):
    """What it invents comes whole, although a stream was asked for."""
    turn = chat().turn(question, model_id="anthropic-words")
    assert turn.text == WORDS and turn.finish == "stop"
    assert told(turn)[1] > 0


def test_a_server_that_is_not_to_tell_the_usage(spawn, connect, litellm, question):
    server = spawn(provider(litellm, 1, "words", EXTRA_BODY='{"stream_options": null}'))
    turn = connect(server).turn(question)
    assert turn.text == WORDS and turn.end["usage"]["estimated"]


ROWS = [("openai", "chat", plain), ("anthropic", "chat", plain),
        ("anthropic", "claude-behind", message)]


@pytest.mark.parametrize("form,model,whole", ROWS)
def test_its_translation_is_read_like_the_model_s_own_words(chat, litellm, fake, question,
                                                            form, model, whole):
    fake.when(question, whole("Grü", "ße", ", Welt 😀", usage=(9, 3)))
    turn = chat().turn(question, model_id=f"{form}-{model}")
    assert turn.text == "Grüße, Welt 😀" and turn.finish == "stop"
    assert told(turn) == (9, 3, 12)


def test_the_judges_of_forms_accept_its_messages(litellm, fake, question):
    """What the tests of this file read is Anthropic's form, says the official client."""
    fake.when(question, message("Grü", "ße"))
    for model in ("chat", "claude-behind"):
        said = litellm.ask("POST", "/v1/messages", model=model, stream=True, max_tokens=9,
                           messages=[{"role": "user", "content": question}])
        check_anthropic(said.content)


@pytest.mark.parametrize("form", ["openai", "anthropic"])
def test_text_is_shown_while_the_model_still_speaks(chat, fake, question, form):
    fake.when(question, Answer().role().tokens("first").gate(question).tokens(" last")
              .finish("length", (5, 2)))
    one = chat()
    one.say(question, model_id=f"{form}-chat")
    one.until(lambda frame: frame.get("content") == "first")
    fake.open(question)
    rest = one.rest_of_turn()
    assert rest.text == " last" and rest.finish == "length"


@pytest.mark.parametrize("form", ["openai", "anthropic"])
def test_what_was_said_before_goes_with_the_question(chat, fake, question, form):
    one = chat()
    fake.when(f"{question} 1", plain("one"))
    fake.when(f"{question} 2", plain("two"))
    for n in (1, 2):
        assert one.turn(f"{question} {n}", model_id=f"{form}-chat").finish == "stop"
    assert fake.asked(f"{question} 2")[0].pairs == [
        ("user", f"{question} 1"), ("assistant", "one"), ("user", f"{question} 2")]


# --- failures

REFUSALS = [  # form, model, status, how often it is asked
    ("openai", "limited", 429, 2), ("anthropic", "limited", 429, 2),
    ("openai", "broken", 500, 2), ("anthropic", "broken", 500, 2),
    ("openai", "late", 408, 2), ("openai", "midway", 529, 2),
    ("openai", "window", 400, 1), ("anthropic", "window", 400, 1),
    ("openai", "filtered", 400, 1),
    ("openai", "unheard-of", 400, 1), ("anthropic", "unheard-of", 400, 1)]


@pytest.mark.parametrize("form,model,status,times", REFUSALS)
def test_its_refusals_are_one_error_and_are_tried_again_if_that_may_help(
        chat, server, question, form, model, status, times):
    one = chat()
    turn = one.turn(question, model_id=f"{form}-{model}")
    assert turn.error["code"] == "LLM_UNAVAILABLE" and turn.deltas == []
    assert "litellm" not in str(turn.error).lower()
    faults = faults_of(server, one)
    assert [line["status"] for line in faults] == [status] * times
    assert all(line["reason"] for line in faults)


@pytest.mark.parametrize("form", ["openai", "anthropic"])
def test_a_wrong_key_is_a_refusal_that_quotes_no_key(spawn, connect, litellm, question,
                                                     form):
    wrong = "sk-0b5d2c9e7f1a4836"
    server = spawn({**provider(litellm, 1, "words", form, API_KEY=wrong), **QUICK})
    one = connect(server)
    turn = one.turn(question)
    assert turn.error["code"] == "LLM_UNAVAILABLE"
    line, = faults_of(server, one)
    assert 400 <= line["status"] < 500 and line["attempt"] == 1
    assert wrong not in server.log_text() and wrong not in str(turn.frames)


def test_an_error_inside_a_stream_of_status_200_is_tried_again(chat, server, question):
    """Its adapter to OpenAI's newer interface begins a message before it knows that
    there is none."""
    one = chat()
    turn = one.turn(question, model_id="anthropic-responses")
    assert turn.error["code"] == "LLM_UNAVAILABLE" and turn.deltas == []
    assert [line["reason"] for line in faults_of(server, one)] == ["api_error"] * 2


BREAKS = [("openai", "chat", Answer), ("anthropic", "chat", Answer),
          ("anthropic", "claude-behind", lambda: Message().start().open_block(
              type="text", text=""))]


@pytest.mark.parametrize("form,model,begin", BREAKS)
def test_a_model_that_breaks_off_behind_it(chat, server, fake, question, form, model,
                                           begin):
    """Its error in the middle of the stream ends the answer; what was shown stays."""
    fake.when(question, begin().tokens("Hel", "lo").gate(question).rst())
    one = chat()
    one.say(question, model_id=f"{form}-{model}")
    one.until_said("lo")
    fake.open(question)
    turn = one.rest_of_turn()
    assert turn.finish == "provider_error"
    stored = server.user(one.user).get(f"/sessions/{one.session}").json()["messages"][1]
    assert stored["content"] == "Hello" and stored["status"] == "interrupted"
    assert len(fake.asked(question)) == 1


@pytest.mark.parametrize("form", ["openai", "anthropic"])
def test_a_limit_behind_it_is_told_as_one(chat, server, fake, question, form):
    fake.when(question, failure(429, '{"error": {"message": "slow down"}}'),
              plain("at last"))
    one = chat()
    turn = one.turn(question, model_id=f"{form}-chat")
    assert turn.text == "at last"
    assert [line["status"] for line in faults_of(server, one)] == [429]


# --- failover

PAIRS = [("openai", "anthropic"), ("anthropic", "openai")]


@pytest.mark.parametrize("first,second", PAIRS)
@pytest.mark.parametrize("model", ["limited", "broken", "unheard-of"])
def test_the_other_form_is_the_fallback(spawn, connect, litellm, question, first, second,
                                        model):
    """At once: to ask the same one again would take longer than any test."""
    server = spawn({**provider(litellm, 1, model, first, FALLBACK=f"{second}-words"),
                    **provider(litellm, 2, "words", second),
                    "LLM_RETRY_DELAY": "300s", "LLM_RETRY_MAX_DELAY": "300s",
                    "LLM_STREAM_TIMEOUT": "600s"})
    turn = connect(server).turn(question)
    assert turn.text == WORDS and turn.finish == "stop"
    assert turn.end["model_id"] == f"{second}-words"


def test_it_dies_in_the_middle_and_another_is_asked(spawn, connect, litellm, fake, question):
    """What was shown stays; the next question goes to the one that is left."""
    with LiteLLM({"chat": behind("hosted_vllm/fake-1", fake.endpoint)}) as mortal:
        server = spawn({**provider(mortal, 1, "chat", FALLBACK="anthropic-words"),
                        **provider(litellm, 2, "words", "anthropic"), **QUICK})
        one = connect(server)
        fake.when(question, Answer().tokens("Hello").gate("never"))
        one.say(question)
        one.until(lambda frame: frame.get("content") == "Hello")
        mortal.kill9()
        assert one.rest_of_turn().finish == "interrupted"
        turn = one.turn(f"{question} 2")
        assert turn.text == WORDS and turn.end["model_id"] == "anthropic-words"


@pytest.mark.parametrize("first,second", PAIRS)
def test_it_dies_in_the_middle_and_another_goes_on(spawn, connect, litellm, fake, question,
                                                   first, second):
    """One text, said by two: the second one's begins with some of what was shown."""
    text = "The quick brown fox jumps over the lazy dog."
    begin, again = text.index("over"), text.index("fox")
    with LiteLLM({"chat": behind("hosted_vllm/fake-1", fake.endpoint)}) as mortal:
        server = spawn({**provider(mortal, 1, "chat", first, FALLBACK=f"{second}-chat",
                                   CONTINUE_ON_FAILURE="true"),
                        **provider(litellm, 2, "chat", second), **QUICK})
        one = connect(server)
        fake.when(question, Answer().tokens(text[:begin]).gate("never"),
                  plain(text[again:begin + 3], text[begin + 3:]))
        one.say(question)
        seen = one.until(lambda frame: frame.get("content") == text[:begin])
        mortal.kill9()
        turn = Turn(seen + one.rest_of_turn().frames)
    assert turn.text == text and turn.finish == "stop"
    assert turn.end["metadata"]["providers"] == f"{first}-chat,{second}-chat"
    assert fake.asked(question)[1].partial == text[:begin].rstrip()


# --- the OpenAI door in front of it

@pytest.mark.parametrize("form", ["openai", "anthropic"])
def test_the_official_client_reads_it_through_the_door(server, litellm, user, question,
                                                       form):
    """As one document and as a stream, with LiteLLM's usage."""
    ask = {"model": f"{form}-words", "messages": [{"role": "user", "content": question}]}
    with door_client(server, token(user)) as client:
        whole = client.chat.completions.create(**ask)
        chunks = list(client.chat.completions.create(
            **ask, stream=True, stream_options={"include_usage": True}))
    assert whole.choices[0].message.content == WORDS
    assert "".join(one.choices[0].delta.content or "" for one in chunks
                   if one.choices) == WORDS
    assert whole.usage.total_tokens > 0 and chunks[-1].usage.total_tokens > 0


@pytest.mark.parametrize("form,model,error", [
    ("openai", "limited", openai.InternalServerError),
    ("anthropic", "limited", openai.InternalServerError),
    ("openai", "window", openai.BadRequestError)])
def test_its_refusals_are_errors_of_the_official_client(server, user, question, form, model,
                                                        error):
    with door_client(server, token(user)) as client, pytest.raises(error) as caught:
        client.chat.completions.create(
            model=f"{form}-{model}", messages=[{"role": "user", "content": question}])
    assert KEY not in str(caught.value.response.text)


def test_no_key_is_in_the_log_of_any_of_it(server):
    """What the tests before did is in this server's log."""
    assert server.logged("llm_error")
    for key in (KEY, BEHIND_KEY):
        assert key not in server.log_text()


# --- tools at the OpenAI door: our translation into Anthropic's form, and LiteLLM's back

TOOL = {"type": "function", "function": {
    "name": "weather", "description": "Tells it.", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}


def called(*pieces):
    """A stream of OpenAI's form that calls the tool."""
    answer = Answer().role().raw(event(chunk({"tool_calls": [
        {"index": 0, "id": "call_1", "type": "function",
         "function": {"name": "weather", "arguments": ""}}]})))
    for piece in pieces:
        answer.raw(event(chunk({"tool_calls": [{"index": 0, "function": {
            "arguments": piece}}]})))
    return answer.finish("tool_calls", (9, 3))


@pytest.mark.parametrize("model", ["chat", "claude-behind"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_loop_with_a_tool_comes_through_it(server, user, fake, question, model, stream):
    """Whatever form the model behind it has, it is asked what the client asked, and the
    client reads what it called."""
    pieces = ('{"city": "Kö', 'ln"}')
    fake.when(question, Message().start().tool("weather", *pieces, id="call_1").finish("tool_use", (
        9, 3)) if model == "claude-behind" else called(*pieces))
    fake.when(f"{question} rain", message("It rains.") if model == "claude-behind" else plain("It rains."))
    messages = [{"role": "user", "content": question}]
    ask = {"model": f"anthropic-{model}", "tools": [TOOL], "tool_choice": "auto"}
    with door_client(server, token(user)) as client:
        def turn():
            if not stream:
                return client.chat.completions.create(messages=messages, **ask).choices[0]
            with client.chat.completions.stream(messages=messages, **ask) as one:
                return one.get_final_completion().choices[0]
        choice = turn()
        call, = choice.message.tool_calls
        assert choice.finish_reason == "tool_calls"
        assert json.loads(call.function.arguments) == {"city": "Köln"}
        messages += [choice.message.model_dump(exclude_unset=stream),
                     {"role": "tool", "tool_call_id": call.id, "content": f"{question} rain"}]
        assert turn().message.content == "It rains."
    sent = fake.wait_asked(f"{question} rain").json
    if model == "chat":
        assert sent["tools"][0]["function"]["parameters"] == TOOL["function"]["parameters"]
        made, result = sent["messages"][-2:]
        assert made["tool_calls"][0]["id"] == result["tool_call_id"] == call.id
        assert json.loads(made["tool_calls"][0]["function"]["arguments"]) == {"city": "Köln"}
    else:
        assert sent["tools"][0]["input_schema"] == TOOL["function"]["parameters"]
        assert sent["messages"][-1]["content"][0]["tool_use_id"] == call.id


@pytest.mark.parametrize("model", ["chat", "claude-behind"])
def test_a_schema_comes_through_it(server, user, fake, question, model):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"],
              "additionalProperties": False}
    fake.when(question, (message if model == "claude-behind" else plain)('{"n": 7}'))
    with door_client(server, token(user)) as client:
        got = client.chat.completions.create(
            model=f"anthropic-{model}", messages=[{"role": "user", "content": question}],
            response_format={"type": "json_schema", "json_schema": {
                "name": "number", "strict": True, "schema": schema}})
    assert json.loads(got.choices[0].message.content) == {"n": 7}
    sent = fake.wait_asked(question).json
    asked = (sent["output_config"]["format"] if model == "claude-behind"
             else sent["response_format"]["json_schema"])
    assert asked["schema"] == schema
