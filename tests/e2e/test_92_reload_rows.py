# SPDX-License-Identifier: MIT
"""SIGHUP, row by row: each setting that says so takes effect while running.

A row is a generator: it looks, yields where the setting is replaced (or the value
that it shall have), and looks again. Somebody else is connected all the time and is touched by none of it.
"""

import ipaddress
import re
import secrets
import socket
from pathlib import Path

import pytest

from support.answer import Answer, failure, plain
from support.fakellm import FakeLLM
from support.rawhttp import RawConn, request
from support.reloadrows import ROWS, House, asked, code, row, scripted
from support.server import run_cli
from support.tokens import token
from support.waiting import wait_for
from support.ws import Chat, fresh, upgrade

pytestmark = pytest.mark.usefixtures("same_day")  # budgets are of days and months
ELSEWHERE = {  # row: the test that shows it
    "server.tls_cert": "test_a_new_certificate_is_shown_to_newcomers_only",
    "server.tls_key": "test_a_new_certificate_is_shown_to_newcomers_only",
}


# --- connections

@row("server.max_connections", 1)
def _(house):
    assert upgrade(house.server).status == 101
    yield
    assert upgrade(house.server).status == 429


@row("server.cors_origins", ["https://app.example"])
def _(house):
    def allowed():
        with house.server.client(Origin="https://app.example") as client:
            return client.get("/").headers.get("access-control-allow-origin")
    assert allowed() is None
    yield
    assert allowed() == "https://app.example"


@row("ws.allowed_origins", ["https://app.example"])
def _(house):
    def status():
        return upgrade(house.server, headers={"Origin": "https://app.example"}).status
    assert status() == 403
    yield
    assert status() == 101


@row("ws.max_content_length", 20, ws={"max_content_length": 10})
def _(house):
    one = house.join()
    assert code(one.turn("x" * 11)) == "INVALID_FORMAT"
    yield
    assert code(one.turn("x" * 20)) == "stop"
    assert code(one.turn("x" * 21)) == "INVALID_FORMAT"


@row("ws.connections_per_user", 2, ws={"connections_per_user": 1})
def _(house):
    one = house.join()
    assert upgrade(house.server, bearer=token(one.user)).status == 429
    yield
    assert upgrade(house.server, bearer=token(one.user)).status == 101


@row("log.level", "debug")
def _(house):
    def debug():
        upgrade(house.server)
        return [line for line in house.server.logs if line["level"] == "debug"]
    house.server.lines.clear()
    assert not debug()
    yield
    wait_for(debug, 5, "lines of that level")


# --- sessions

def memory(house):
    return house.server.metric("chatbox_sessions_in_memory")


@row("session.reconnect_timeout", "1ms")
def _(house):
    one = house.join()
    one.turn("hello")
    again = house.join(one.user)
    assert again.session == one.session
    yield
    assert house.join(one.user).session != one.session


@row("session.ttl", "1s", session={"ttl": "1h", "cleanup_interval": "100ms"})
def _(house):
    with Chat(house.server, fresh()) as one:
        one.turn("hello")
    assert memory(house) >= 2
    yield
    wait_for(lambda: memory(house) == 1, 10, "only who is connected is in memory")


@row("session.cleanup_interval", "100ms",
     session={"ttl": "1s", "cleanup_interval": "1h"})
def _(house):
    one = house.join()
    one.turn("hello")
    yield
    one.close()
    wait_for(lambda: memory(house) == 1, 10, "only who is connected is in memory")


@row("session.warn_count", 2)
def _(house):
    house.join()
    assert not house.server.logged("session_warn_count")
    yield
    house.join()
    assert house.server.wait_log("session_warn_count")[0]["limit"] == 2


@row("session.connections", "one")
def _(house):
    one = house.join()
    one.turn("hello")
    house.join(one.user, session_id=one.session)
    assert code(one.turn("still here")) == "stop"
    yield
    house.join(one.user, session_id=one.session)
    assert one.closed() == 4409


@row("session.resume_max_events", 1)
def _(house):
    one = house.join()
    one.turn("hello")

    def resumed():
        back = house.join(one.user, session_id=one.session, last_seq=0,
                          epoch=one.hello["epoch"])
        return back.hello["resumed"]
    assert resumed() is True
    yield
    assert resumed() is False


# --- limits

def spent(ask):
    """How often it is answered before it is refused, 9 at the most."""
    return next((n for n in range(9) if not ask()), 9)


def messages(house):
    one = house.join()
    return lambda: code(one.turn("hello")) == "stop"


def http(house, path, status=200, **claims):
    bearer = token(fresh(), **claims) if claims else None
    address = ipaddress.IPv6Address(secrets.randbits(128))  # nobody had it before
    client = house.open.enter_context(
        house.server.client(bearer, **{"X-Forwarded-For": str(address)}))
    return lambda: client.get(path).status_code == status


ASKERS = {
    "messages": messages,
    "admin": lambda house: http(house, "/admin/sessions", roles=["admin"]),
    "public": lambda house: http(house, "/"),
    "user_http": lambda house: http(house, "/models", name="Ann"),
    "failures": lambda house: http(house, "/models", 401),
}
ADMIN = {"admin": 1, "admin_window": "1d"}  # a lower rate than any below


def limit_rows(name, asker):
    window = "window" if name == "messages" else f"{name}_window"
    before = {**ADMIN, name: 2, window: "1h"}

    @row(f"limit.{name}", 5, limit=before)
    def _(house):
        ask = asker(house)
        assert spent(ask) == 2
        yield
        assert spent(ask) == 3  # what was used stays used

    @row(f"limit.{window}", "20ms", limit=before)
    def _(house):
        ask = asker(house)
        assert spent(ask) == 2
        yield
        wait_for(ask, 5, "it refills")


for limit_name, limit_asker in ASKERS.items():
    limit_rows(limit_name, limit_asker)


@row("limit.cleanup_interval", "100ms",
     limit={**ADMIN, "cleanup_interval": "1h", "user_http": 100, "user_http_window": "1ms"})
def _(house):
    def purges():
        return len(house.server.logged("limiter_cleanup", limiter="user_http"))
    yield
    for _ in range(2):
        seen = purges()
        http(house, "/models", name="Ann")()
        wait_for(lambda: purges() > seen, 5, "a purge")


@row("limit.max_keys", 1000,
     limit={**ADMIN, "user_http": 1, "user_http_window": "1h"})
def _(house):
    """Each shard's table on its own: the one thread of this server has one."""
    path = f"{house.server.prefix}/models"
    crowd = [request(house.server, "GET", path, [("Authorization", f"Bearer {token(name)}")])
             for name in (f"flood-{n}" for n in range(1000))]

    def flood():
        with RawConn(house.server) as conn:
            for n in range(0, len(crowd), 50):
                conn.send(b"".join(crowd[n:n + 50]))
                assert {conn.read_response().status for _ in range(50)} <= {200, 429}
    ask = http(house, "/models", name="Ann")
    assert spent(ask) == 1
    flood()
    assert not ask()
    flood()
    yield
    assert ask()  # a thousand others were here since


# --- models

@row("llm.default_model", "fake-b")
def _(house):
    assert house.join().hello["model_id"] == "fake"
    yield
    assert house.join().hello["model_id"] == "fake-b"


@row("llm.system_prompt", "Be brief.")
def _(house):
    assert [m["role"] for m in asked(house).messages] == ["user"]
    yield
    assert asked(house).messages[0] == {"role": "system", "content": "Be brief."}


@row("llm.context_tokens", 256)
def _(house):
    one = house.join()
    one.turn("long " * 500)
    questions = fresh("q"), fresh("q")
    one.turn(questions[0])
    assert len(house.fake.asked(questions[0])[0].messages) == 3
    yield
    one.turn(questions[1])
    assert all(len(m["content"]) < 2000
               for m in house.fake.asked(questions[1])[0].messages)


@row("llm.stream_timeout", "300ms")
def _(house):
    yield
    text = scripted(house, Answer().tokens("some").silence())
    assert code(house.join().turn(text)) in ("timeout", "LLM_TIMEOUT")


@row("llm.idle_timeout", "300ms", llm={"stream_timeout": "1h", "idle_timeout": "1h"})
def _(house):
    yield
    text = scripted(house, Answer().tokens("some").silence())
    assert code(house.join().turn(text)) in ("timeout", "LLM_TIMEOUT")


@row("llm.hedge_after", "10ms", llm={"stream_timeout": "1h"})
def _(house):
    house.values["llm"]["providers"][0]["fallback"] = ["fake-b"]
    house.with_()
    yield
    text = scripted(house, Answer().silence_before_head(), plain("of the other"))
    assert house.join().turn(text).text == "of the other"  # whichever of the two came first
    assert len(house.fake.asked(text)) == 2


@row("llm.first_byte_timeout", "300ms",
     llm={"stream_timeout": "1h", "first_byte_timeout": "1h", "retry_attempts": 1})
def _(house):
    yield
    text = scripted(house, Answer().silence_before_head())
    assert code(house.join().turn(text)) == "LLM_TIMEOUT"


@row("llm.connect_timeout", "300ms",
     llm={"stream_timeout": "1h", "first_byte_timeout": "1h", "connect_timeout": "1h",
          "retry_attempts": 1})
def _(house):
    full = house.open.enter_context(socket.socket())
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    for _ in range(3):
        stuffing = house.open.enter_context(socket.socket())
        stuffing.setblocking(False)
        stuffing.connect_ex(full.getsockname())
    port = full.getsockname()[1]
    house.values["llm"]["providers"][0]["endpoint"] = f"http://127.0.0.1:{port}/v1"
    yield
    assert code(house.join().turn("hello")) in ("LLM_TIMEOUT", "LLM_UNAVAILABLE")


@row("llm.retry_attempts", 3, llm={"retry_attempts": 1, "retry_delay": "1ms"})
def _(house):
    def attempts():
        text = scripted(house, failure(500))
        assert code(house.join().turn(text)) == "LLM_UNAVAILABLE"
        return len(house.fake.asked(text))
    assert attempts() == 1
    yield
    assert attempts() == 3


@row("llm.retry_delay", "1ms",
     llm={"retry_attempts": 2, "retry_delay": "1h", "retry_max_delay": "1h"})
def _(house):
    yield
    text = scripted(house, failure(500), plain("at last"))
    assert code(house.join().turn(text)) == "stop"


@row("llm.retry_max_delay", "2ms",
     llm={"retry_attempts": 10, "retry_delay": "2ms", "retry_max_delay": "1h"})
def _(house):
    text, one = scripted(house, failure(500)), house.join()

    def waits():
        return [line["wait_ms"] for line in
                house.server.logged("llm_retry", session_id=one.session)]
    yield
    assert code(one.turn(text)) == "LLM_UNAVAILABLE"
    wait_for(lambda: len(waits()) == 9, 5, "nine lines")
    assert max(waits()) <= 2


@row("llm.max_answer_size", "1KiB")
def _(house):
    text = scripted(house, plain(*["x" * 100] * 30))
    assert code(house.join().turn(text)) == "stop"
    yield
    assert code(house.join().turn(text)) == "length"


# --- the first provider

@row("llm.providers[n].id", "renamed")
def _(house):
    yield
    assert house.join().hello["model_id"] == "renamed"


@row("llm.providers[n].name", "Another")
def _(house):
    yield
    assert house.join().hello["models"][0] == {"id": "fake", "name": "Another"}


@row("llm.providers[n].type", "demo")
def _(house):
    yield
    text, one = fresh("q"), house.join()
    one.say(text)
    one.get("ai_response")
    one.send("cancel")
    assert code(one.rest_of_turn()) == "cancelled"
    assert not house.fake.asked(text)


@row("llm.providers[n].endpoint")
def _(house):
    other = FakeLLM()
    house.open.callback(other.close)
    asked(house)
    yield other.endpoint
    text = fresh("q")
    assert code(house.join().turn(text)) == "stop"
    assert other.asked(text) and not house.fake.asked(text)


@row("llm.providers[n].api_key", "sk-another-0123456789")
def _(house):
    yield
    assert asked(house).headers["authorization"] == "Bearer sk-another-0123456789"


@row("llm.providers[n].model", "fake-2")
def _(house):
    assert asked(house).json["model"] == "fake-1"
    yield
    assert asked(house).json["model"] == "fake-2"


@row("llm.providers[n].fallback", ["fake-b"], llm={"retry_attempts": 1})
def _(house):
    def ends():
        text = scripted(house, failure(500), plain("of the other"))
        return code(house.join().turn(text))
    assert ends() == "LLM_UNAVAILABLE"
    yield
    assert ends() == "stop"


@row("llm.providers[n].continue_on_failure", True)
def _(house):
    house.values["llm"]["providers"][0]["fallback"] = ["fake-b"]
    house.with_()

    def said():
        text = scripted(house, Answer().tokens("one ").fin(), plain("two"))
        return house.join().turn(text).text
    assert said() == "one "
    yield
    assert said() == "one two"


@row("llm.providers[n].vision", True)
def _(house):
    def seen():
        text = scripted(house, plain("a cat"))
        house.join().turn(text, file_url="https://pictures.example.com/cat.png")
        return isinstance(house.fake.asked(text)[-1].messages[-1]["content"], list)
    assert not seen()
    yield
    assert seen()


@row("llm.providers[n].temperature", "0.25")
def _(house):
    assert "temperature" not in asked(house).json
    yield
    assert asked(house).json["temperature"] == 0.25


@row("llm.providers[n].max_tokens", 77)
def _(house):
    assert "max_tokens" not in asked(house).json
    yield
    assert asked(house).json["max_tokens"] == 77


@row("llm.providers[n].extra_body", '{"seed": 7, "stream_options": null}')
def _(house):
    assert "stream_options" in asked(house).json
    yield
    body = asked(house).json
    assert body["seed"] == 7 and "stream_options" not in body


def cost_of(house):
    """Of 3 tokens of input, 1 of them cached, and 5 of output, 2 of them not shown, in
    millionths."""
    text = scripted(house, Answer().tokens("x").finish(usage=(3, 5, 1, 2)))
    return round(house.join().turn(text).end["usage"].get("cost", 0) * 1e6, 3)


@row("llm.providers[n].price_input", "1.5")
def _(house):
    assert cost_of(house) == 0
    yield
    assert cost_of(house) == 4.5


@row("llm.providers[n].price_cached_input", "1.5")
def _(house):
    assert cost_of(house) == 0
    yield
    assert cost_of(house) == 1.5


@row("llm.providers[n].price_output", "1.5")
def _(house):
    assert cost_of(house) == 0
    yield
    assert cost_of(house) == 7.5


@row("llm.providers[n].price_reasoning", "1.5")
def _(house):
    assert cost_of(house) == 0
    yield
    assert cost_of(house) == 3


# --- budgets

def end_of(house):
    return code(house.join().turn(fresh("q")))


def budgets(**members):
    return {"llm": {"budgets": [members]}}


@row("llm.budgets[n].role", "nobody", **budgets(tokens_per_day=1))
def _(house):
    assert end_of(house) == "BUDGET_EXCEEDED"
    yield
    assert end_of(house) == "stop"


@row("llm.budgets[n].scope", "role", **budgets(tokens_per_month=60))
def _(house):
    for _ in range(2):
        text = scripted(house, Answer().tokens("x").finish(usage=(30, 20)))
        assert code(house.join().turn(text)) == "stop"
    yield
    assert end_of(house) == "BUDGET_EXCEEDED"


@row("llm.budgets[n].tokens_per_day", 1, **budgets(tokens_per_month=10**9))
def _(house):
    assert end_of(house) == "stop"
    yield
    assert end_of(house) == "BUDGET_EXCEEDED"


@row("llm.budgets[n].tokens_per_month", 1, **budgets(tokens_per_day=10**9))
def _(house):
    assert end_of(house) == "stop"
    yield
    assert end_of(house) == "BUDGET_EXCEEDED"


def dear(house):
    house.values["llm"]["providers"][0]["price_input"] = "1"
    house.with_()


@row("llm.budgets[n].cost_per_day", "0.000001", **budgets(tokens_per_day=10**9))
def _(house):
    dear(house)
    assert end_of(house) == "stop"
    yield
    assert end_of(house) == "BUDGET_EXCEEDED"


@row("llm.budgets[n].cost_per_month", "0.000001", **budgets(tokens_per_day=10**9))
def _(house):
    dear(house)
    assert end_of(house) == "stop"
    yield
    assert end_of(house) == "BUDGET_EXCEEDED"


@pytest.fixture(scope="module")
def house(spawn_module, fake, tmp_path_factory):
    return House(spawn_module, fake, tmp_path_factory.mktemp("rows") / "c.yaml", {},
                 threads="1", TRUSTED_PROXIES="127.0.0.1")


@pytest.mark.parametrize("path", ROWS)
def test_the_setting_takes_effect_and_touches_no_connection(house, path):
    show, value, before = ROWS[path]
    house.furnish(before)
    with house.open:
        bystander = house.join()
        steps = show(house)
        value = next(steps) or value
        told = len(house.server.logs)
        house.replace(path, value)
        (line,) = house.read()[-1:]
        assert line["applied"] >= 1 and line["need_restart"] == 0
        assert any(line.get("setting") == path.replace("[n]", "[1]")
                   for line in house.server.logs[told:])
        next(steps, None)
        bystander.send("ping")
        assert bystander.get("pong")


def test_every_row_that_says_so_is_shown():
    """Against the program's own table."""
    said, path = set(), None
    for line in run_cli("config", "--help").stdout.splitlines():
        named = re.match(r"^  (\S+\.\S+)  \(", line)
        path = named[1] if named else path
        if line.endswith("; SIGHUP applies it"):
            said.add(path)
    assert said == {*ROWS, *ELSEWHERE}
    tests = (Path(__file__).parent / "test_91_reload.py").read_text()
    assert all(f"def {name}(" in tests for name in ELSEWHERE.values())
