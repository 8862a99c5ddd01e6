# SPDX-License-Identifier: MIT
"""The providers' keys: whatever a provider does with the one that it was sent, it
stands in no log, no error, no metric and on no page, nor in what is left of a
process that dies; and nobody else is sent it."""

import json
import os
import resource
import signal

import pytest

from support.answer import Answer, chunk, event, failure
from support.fakedify import FakeDify, Says
from support.fakellm import FakeLLM
from support.messages import Message, error
from support.server import SECRET, provider_env, run_cli
from support.waiting import wait_for

# A part of one would do: each has its own, from the first byte. No part is hexadecimal
# throughout, as ids are, thousands of which are looked through.
KEYS = {"openai": "sk-3q91x7m05w2h8k64", "azure": "az-b7r40v92n6158z3p77y2",
        "anthropic": "sk-ant-5j08t1w92hq7", "dify": "app-91k7u2s05xr3v846n0z5"}
FORMS = list(KEYS)
SHOWN = 8  # so many of its bytes, and it is


@pytest.fixture(scope="module")
def dify():
    one = FakeDify()
    yield one
    one.close()


@pytest.fixture
def elsewhere():
    """Where a redirection leads to."""
    one = FakeLLM()
    yield one
    one.close()


def env(fake, dify):
    return {
        **provider_env(fake, 1, ID="openai", NAME="O", API_KEY=KEYS["openai"]),
        **provider_env(fake, 2, ID="azure", NAME="Z", API_KEY=KEYS["azure"], ENDPOINT=(
            f"{fake.base}/openai/deployments/d/chat/completions?api-version=2024-10-21")),
        **provider_env(fake, 3, ID="anthropic", NAME="A", TYPE="anthropic",
                       ENDPOINT=fake.base, API_KEY=KEYS["anthropic"]),
        **provider_env(dify, 4, ID="dify", NAME="D", TYPE="dify", API_KEY=KEYS["dify"])}


@pytest.fixture(scope="module")
def server(spawn_module, fake, dify):
    return spawn_module({**env(fake, dify), "ADMIN_RATE_LIMIT": "100000"})


def asked(form, fake, dify):
    return dify if form == "dify" else fake


def shows(text, key):
    return any(key[at:at + SHOWN] in text for at in range(len(key) - SHOWN + 1))


# --- a provider that quotes it

def quoting_error(key):
    """In every member that an error of any of them has."""
    return {"error": {"message": f"Incorrect API key provided: {key}", "type": key,
                      "code": key, "param": key},
            "type": "error", "code": key, "message": key, "status": 401}


def quoting_head(key):
    return failure(401, json.dumps(quoting_error(key)), Location=f"http://{key}/",
                   Retry_After=key, WWW_Authenticate=key)


def quoting_event(form, key):
    if form == "anthropic":
        return Message().start().raw(
            b"event: error\ndata: " + json.dumps(error(key, key)).encode() + b"\n\n")
    if form == "dify":
        return Says().error(401, key, key)
    return Answer().role().raw(event(quoting_error(key)))


def quoting_page(key):
    return failure(200, f"<html>{key}</html>", "text/html")


def quoting_type(key):
    return failure(200, key, key)


def quoting_nonsense(form, key):
    answer = Says() if form == "dify" else Answer()
    return answer.raw(f"data: {{{key}\n\n").raw(f"{key}\n\n")


QUOTES = {"an error": lambda form, key: quoting_head(key), "an event": quoting_event,
          "a page": lambda form, key: quoting_page(key),
          "a content type": lambda form, key: quoting_type(key),
          "nonsense": quoting_nonsense}


def seen(server, admin):
    """All that an operator and a scraper see."""
    pages = [admin.get(path).text for path in
             ("/admin/sessions", "/admin/metrics", "/admin/audit", "/readyz", "/models")]
    return "\n".join([server.log_text(), server.http.get("/metrics/prometheus").text, *pages])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("how", QUOTES)
def test_a_provider_that_quotes_it(chat, server, admin, fake, dify, question, form, how):
    """In its words, in the places of words that we log, anywhere."""
    key = KEYS[form]
    asked(form, fake, dify).when(question, QUOTES[how](form, key))
    one = chat()
    turn = one.turn(question, model_id=form)
    assert turn.error["code"] == "LLM_UNAVAILABLE" and turn.deltas == []
    wait_for(lambda: server.logged("turn", session_id=one.session), 5, "the end is logged")
    assert server.logged("llm_error", session_id=one.session)
    stored = server.user(one.user).get(f"/sessions/{one.session}").text
    assert not shows(json.dumps(one.frames) + stored + seen(server, admin), key)


@pytest.mark.parametrize("form", ["openai", "azure"])
def test_a_reason_that_is_the_key(chat, server, admin, fake, question, form):
    """A reason to end that nobody knows is none of its own."""
    key = KEYS[form]
    fake.when(question, Answer().tokens("x").raw(event(chunk(finish=key))))
    one = chat()
    turn = one.turn(question, model_id=form)
    assert turn.finish == "stop"
    wait_for(lambda: server.logged("turn", session_id=one.session), 5, "the end is logged")
    assert not shows(json.dumps(one.frames) + seen(server, admin), key)


def test_a_word_that_has_nothing_of_the_key_is_kept(chat, server, fake, question):
    fake.when(question, failure(401, '{"error": {"code": "invalid_api_key"}}'))
    one = chat()
    one.turn(question, model_id="openai")
    line, = server.wait_log("llm_error", session_id=one.session)
    assert line["reason"] == "invalid_api_key"


# --- the commands

def test_check_shows_none(fake, dify):
    result = run_cli("check", env={"JWT_SECRET": SECRET, **env(fake, dify)})
    assert result.returncode == 0
    assert not any(shows(result.all, key) for key in KEYS.values())


def test_check_refuses_one_without_showing_it(fake, dify):
    """A line end would begin a header; and whatever else is wrong is told."""
    key = KEYS["openai"]
    result = run_cli("check", env={"JWT_SECRET": SECRET, **env(fake, dify),
                                   "LLM_PROVIDER_1_API_KEY": f"{key}\nX-Own: {key}",
                                   "LLM_PROVIDER_2_ENDPOINT": "nowhere"})
    assert result.returncode == 78 and "LLM_PROVIDER_2_ENDPOINT" in result.all
    assert not any(shows(result.all, one) for one in KEYS.values())


# --- who else could be sent it

@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_is_not_followed(chat, server, fake, dify, elsewhere, question, form,
                                       status):
    """Elsewhere nobody is even connected to."""
    asked(form, fake, dify).when(question, failure(status, Location=f"{elsewhere.base}/v1"))
    one = chat()
    assert one.turn(question, model_id=form).error["code"] == "LLM_UNAVAILABLE"
    assert elsewhere.connections == 0
    assert len(asked(form, fake, dify).asked(question)) == 1


def test_a_fallback_is_sent_its_own(spawn, connect, fake, elsewhere, question):
    fake.when(question, failure(503))
    server = spawn({
        **provider_env(fake, 1, ID="a", NAME="A", FALLBACK="b", API_KEY=KEYS["openai"]),
        **provider_env(elsewhere, 2, ID="b", NAME="B", API_KEY=KEYS["azure"])})
    assert connect(server).turn(question).finish == "stop"
    sent = [f"{r.headers} {r.path} {r.body}" for r in elsewhere.asked(question)]
    assert len(sent) == 1 and KEYS["azure"] in sent[0] and KEYS["openai"] not in sent[0]


# --- a process that dies

@pytest.mark.parametrize("cause", [signal.SIGABRT, signal.SIGXCPU])
def test_a_server_that_dies_leaves_no_core_dump(spawn, connect, fake, tmp_path, cause):
    """However large a dump is allowed to be where it is started."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        server = spawn({**provider_env(fake, API_KEY=KEYS["openai"])}, cwd=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    assert connect(server).turn("hello").finish == "stop"
    server.process.send_signal(cause)
    end = os.waitid(os.P_PID, server.process.pid, os.WEXITED | os.WNOWAIT)
    server.process.wait()
    assert (end.si_code, end.si_status) == (os.CLD_KILLED, cause)
    assert list(tmp_path.iterdir()) == []
