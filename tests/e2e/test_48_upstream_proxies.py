# SPDX-License-Identifier: MIT
"""Providers behind a proxy, which the variables of the environment name as libcurl
reads them: in front of `https` the proxy opens a tunnel, `http` it passes on."""

import contextlib

import pytest

from support.answer import Answer
from support.names import Names
from support.server import API_KEY, SECRET, free_port, provider_env, run_cli
from support.tinyproxy import FakeProxy, Tinyproxy
from support.tlsmodel import HERE
from support.waiting import PATIENCE, wait_for

USER = "gate:f1d9c07ab3e2"  # who may use a proxy, and the password
# Asking the same one again would take longer than any test.
ONCE = {"LLM_RETRY_DELAY": "300s", "LLM_RETRY_MAX_DELAY": "300s",
        "LLM_STREAM_TIMEOUT": "600s"}


def starter(kind):
    """A fixture that starts proxies, which end with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda *members, **more: stack.enter_context(
            contextlib.closing(kind(*members, **more)))


@pytest.fixture
def proxy():
    yield from starter(Tinyproxy)


@pytest.fixture
def false_proxy():
    yield from starter(FakeProxy)


@pytest.fixture
def secure(fake, authority, listen):
    """(Settings of a provider behind TLS, that provider.)"""
    provider = listen(authority.pair(HERE))
    return {**provider_env(fake, ENDPOINT=provider.endpoint),
            "SSL_CERT_FILE": str(authority.file)}, provider


def reasons(server):
    wait_for(lambda: server.logged("turn"), 5, "the end is logged")
    return [line["reason"] for line in server.logged("llm_error")]


# --- through it

def test_a_tunnel_to_a_provider_behind_tls(spawn, connect, proxy, secure):
    """Opened to the provider, with which alone TLS is spoken."""
    settings, provider = secure
    one = proxy()
    server = spawn({**settings, "https_proxy": one.url()})
    assert connect(server).turn("hello").text == "fine"
    assert one.requests() == [("CONNECT", f"127.0.0.1:{provider.port}")]
    (headers, _), = provider.requests
    assert headers["Authorization"] == f"Bearer {API_KEY}"


def test_http_is_passed_on(spawn, connect, proxy, fake, question):
    one = proxy()
    server = spawn({**provider_env(fake), "http_proxy": one.url()})
    assert connect(server).turn(question).finish == "stop"
    assert one.requests() == [("POST", f"{fake.endpoint}/chat/completions")]
    assert fake.asked(question)[0].headers["authorization"] == f"Bearer {API_KEY}"


def test_text_comes_through_it_as_it_is_said_and_a_cancel_goes(spawn, connect, proxy, fake,
                                                              question):
    fake.when(question, Answer().tokens("first").gate(question).tokens(" second").silence())
    server = spawn({**provider_env(fake), "http_proxy": proxy().url()})
    one = connect(server)
    one.say(question)
    one.until(lambda frame: frame.get("content") == "first")
    fake.open(question)
    one.until(lambda frame: frame.get("content") == " second")
    one.send("cancel")
    assert one.rest_of_turn().finish == "cancelled"
    assert fake.asked(question)[0].closed.wait(10), "the proxy's connection is closed, too"


def test_a_certificate_is_looked_at_through_a_tunnel(spawn, connect, proxy, fake, authority,
                                                     listen):
    provider = listen(authority.pair(HERE, own=True))
    server = spawn({**provider_env(fake, ENDPOINT=provider.endpoint),
                    "SSL_CERT_FILE": str(authority.file), "https_proxy": proxy().url()})
    assert connect(server).turn("hello").error["code"] == "LLM_UNAVAILABLE"
    assert reasons(server) == ["tls_certificate_untrusted"]
    assert provider.requests == []


def test_the_proxy_finds_the_provider_s_name(spawn, connect, proxy, fake, question):
    """The server itself does not ask what it means."""
    with Names() as here, Names() as there:
        there.means("model.internal", "127.0.0.1")
        one = proxy(env=there.env)
        server = spawn({**provider_env(fake, ENDPOINT=f"http://model.internal:{fake.port}"),
                        **here.env, "http_proxy": one.url()})
        assert connect(server).turn(question).finish == "stop"
        assert "model.internal" in there.asked and here.asked == []


# --- which variable, and what it leaves out

FORMS = [  # variable, scheme of the endpoint, whether it is used
    ("https_proxy", "https", True), ("HTTPS_PROXY", "https", True),
    ("all_proxy", "https", True), ("ALL_PROXY", "https", True),
    ("http_proxy", "https", False), ("HTTP_PROXY", "https", False),
    ("http_proxy", "http", True), ("all_proxy", "http", True), ("ALL_PROXY", "http", True),
    ("https_proxy", "http", False), ("HTTPS_PROXY", "http", False),
    ("HTTP_PROXY", "http", False)]  # (a CGI program gets it from whoever asks)


@pytest.mark.parametrize("variable,scheme,used", FORMS)
def test_the_forms_of_the_variables(spawn, connect, proxy, fake, secure, variable, scheme,
                                    used):
    one = proxy()
    settings = secure[0] if scheme == "https" else provider_env(fake)
    server = spawn({**settings, variable: one.url()})
    assert connect(server).turn("hello").finish == "stop"
    assert bool(one.requests()) == used


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("variable,value,used", [
    ("no_proxy", "127.0.0.1", False), ("NO_PROXY", "127.0.0.1", False),
    ("no_proxy", "other.example,127.0.0.1", False), ("no_proxy", "*", False),
    ("no_proxy", "other.example", True), ("no_proxy", "", True)])
def test_what_is_asked_without_a_proxy(spawn, connect, proxy, fake, secure, scheme, variable,
                                       value, used):
    one = proxy()
    settings = secure[0] if scheme == "https" else provider_env(fake)
    server = spawn({**settings, f"{scheme}_proxy": one.url(), variable: value})
    assert connect(server).turn("hello").finish == "stop"
    assert bool(one.requests()) == used


def test_names_that_are_asked_without_a_proxy(spawn, connect, proxy, fake, question):
    """A domain stands for all names in it."""
    one = proxy()
    with Names() as names:
        names.means("model.internal", "127.0.0.1")
        server = spawn({**provider_env(fake, ENDPOINT=f"http://model.internal:{fake.port}"),
                        **names.env, "http_proxy": one.url(), "no_proxy": "internal"})
        assert connect(server).turn(question).finish == "stop"
    assert one.requests() == []


# --- it refuses, or is not there

def with_fallback(fake, settings):
    """a, as the settings say; and b, behind no proxy: they name 127.0.0.1, so it must be
    called otherwise."""
    return {**settings, "LLM_PROVIDER_1_ID": "a", "LLM_PROVIDER_1_NAME": "A",
            "LLM_PROVIDER_1_FALLBACK": "b", **ONCE, "no_proxy": "localhost",
            **provider_env(fake, 2, ID="b", NAME="B",
                           ENDPOINT=f"http://localhost:{fake.port}/v1")}


def falls_back(server, connect, question):
    turn = connect(server).turn(question)
    assert turn.finish == "stop" and turn.end["model_id"] == "b"
    return reasons(server)


def test_it_wants_to_know_who_asks(spawn, connect, proxy, secure):
    settings, provider = secure
    one = proxy("BasicAuth " + USER.replace(":", " "))
    server = spawn({**settings, "https_proxy": one.url(USER)})
    assert connect(server).turn("hello").text == "fine"
    (headers, _), = provider.requests
    assert "Proxy-Authorization" not in headers
    assert USER.split(":")[1] not in server.log_text()


@pytest.mark.parametrize("user", ["", "gate:wrong5c81aa"])
def test_it_does_not_let_everybody_through(spawn, connect, proxy, fake, secure, question,
                                           user):
    """It is not tried again: the answer would be the same."""
    one = proxy("BasicAuth " + USER.replace(":", " "))
    server = spawn({**with_fallback(fake, secure[0]), "https_proxy": one.url(user)})
    assert falls_back(server, connect, question) == ["proxy_refused"]
    assert secure[1].requests == [] and "wrong5c81aa" not in server.log_text()


def test_it_does_not_go_everywhere(spawn, connect, proxy, secure):
    """One error for the user, without a word of the proxy."""
    server = spawn({**secure[0], "https_proxy": proxy("ConnectPort 443").url()})
    turn = connect(server).turn("hello")
    assert turn.error["code"] == "LLM_UNAVAILABLE" and "proxy" not in str(turn.frames)
    assert reasons(server) == ["proxy_refused"]


def test_http_that_it_does_not_pass_on(spawn, connect, proxy, fake, question):
    one = proxy("BasicAuth " + USER.replace(":", " "))
    server = spawn({**with_fallback(fake, provider_env(fake)), "http_proxy": one.url()})
    assert falls_back(server, connect, question) != []
    line, = server.logged("llm_error")
    assert line["status"] == 407


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nobody_is_there(spawn, connect, fake, secure, question, scheme):
    settings = secure[0] if scheme == "https" else provider_env(fake)
    server = spawn({**with_fallback(fake, settings),
                    f"{scheme}_proxy": f"http://{USER}@127.0.0.1:{free_port()}"})
    assert falls_back(server, connect, question) == ["proxy_connect_failed"]
    assert USER.split(":")[1] not in server.log_text()


def test_nobody_knows_its_name(spawn, connect, fake, secure, question):
    with Names() as names:
        names.means("localhost", "127.0.0.1")
        server = spawn({**with_fallback(fake, secure[0]), **names.env,
                        "https_proxy": "http://proxy.internal:3128"})
        assert falls_back(server, connect, question) == ["proxy_resolve_failed"]


def test_it_cannot_reach_the_provider(spawn, connect, proxy, fake):
    """That may pass, so it is tried again."""
    one = proxy()
    server = spawn({**provider_env(fake, ENDPOINT=f"https://127.0.0.1:{free_port()}/v1"),
                    "https_proxy": one.url()})
    assert connect(server).turn("hello").error["code"] == "LLM_UNAVAILABLE"
    assert reasons(server) == ["proxy_failed"] * 3
    assert len(one.requests()) == 3


@pytest.mark.parametrize("answer,reason", [
    (b"", "connect_failed"), (b"nonsense\r\n\r\n", "connect_failed"),
    (b"HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n", "proxy_failed"),
    (b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n", "proxy_refused"),
    (b"HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
     "proxy_refused"),
    (b"HTTP/1.1 200 x\r\n\r\nnot TLS at all", "tls_failed")])
def test_a_proxy_that_is_none(spawn, connect, false_proxy, fake, secure, question, answer,
                              reason):
    """It is shown neither the provider's key nor the question."""
    one = false_proxy(answer)
    server = spawn({**with_fallback(fake, secure[0]), "https_proxy": one.url(USER)})
    assert falls_back(server, connect, question) == [reason]
    assert one.heads and all(head.startswith(b"CONNECT ") for head in one.heads)
    assert not any(API_KEY.encode() in head or b"Bearer" in head for head in one.heads)


def test_a_proxy_that_is_silent(spawn, connect, false_proxy, fake, secure, question):
    server = spawn({**with_fallback(fake, secure[0]), "https_proxy": false_proxy(None).url(),
                    "LLM_CONNECT_TIMEOUT": f"{300 * PATIENCE:g}ms"})
    assert falls_back(server, connect, question) == []
    assert [line["reason"] for line in server.logged("llm_timeout")] == ["connect_timeout"]


def test_its_password_is_shown_nowhere(spawn, connect, fake, secure):
    """Not in `check`, nor where an operator looks."""
    password = USER.split(":")[1]
    variables = {"https_proxy": f"http://{USER}@127.0.0.1:{free_port()}"}
    server = spawn({**secure[0], **variables})
    assert connect(server).turn("hello").error["code"] == "LLM_UNAVAILABLE"
    checked = run_cli("check", env={"JWT_SECRET": SECRET, **secure[0], **variables})
    assert checked.returncode == 0 and password not in checked.all
    seen = server.log_text() + server.http.get("/readyz").text
    assert password not in seen + server.http.get("/metrics/prometheus").text
