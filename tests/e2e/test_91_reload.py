# SPDX-License-Identifier: MIT
"""SIGHUP: every reloadable setting is applied, no connection is touched."""

import signal
import socket
import subprocess

import pytest

from support.answer import Answer, plain
from support.checks import assert_error
from support.reloadable import HUGE, Reloadable
from support.server import API_KEY, provider_env
from support.tokens import token
from support.waiting import PATIENCE, wait_for
from support.ws import fresh, upgrade

@pytest.fixture
def reloadable(spawn, fake, tmp_path):
    return lambda **settings: Reloadable(spawn, fake, tmp_path / "c.yaml", settings)


# --- limits

def test_a_higher_message_limit_lets_a_refused_user_go_on(reloadable, connect):
    house = reloadable(limit={"messages": 2, "window": "1h"})
    one = connect(house.server)
    assert [one.turn(f"q{n}").finish for n in range(2)] == ["stop"] * 2
    assert one.turn("too many").error["code"] == "TOO_MANY_REQUESTS"
    house.with_(limit={"messages": 4})
    assert one.turn("again").finish == "stop", "applied when the log says so"
    assert one.turn("the fourth").finish == "stop"
    assert one.turn("too many").error["code"] == "TOO_MANY_REQUESTS"


def test_a_lower_message_limit_holds_for_what_was_used_already(reloadable, connect):
    house = reloadable(limit={"messages": 100, "window": "1h"})
    one, other = connect(house.server), connect(house.server)
    for n in range(5):
        one.turn(f"q{n}")
    house.with_(limit={"messages": 5})
    assert one.turn("more").error["code"] == "TOO_MANY_REQUESTS"
    assert [other.turn(f"q{n}").finish for n in range(5)] == ["stop"] * 5
    assert other.turn("more").error["code"] == "TOO_MANY_REQUESTS"


@pytest.mark.parametrize("name", ["user_http", "public"])
def test_limits_of_http_are_applied(reloadable, name):
    house = reloadable(limit={name: 30, f"{name}_window": "1h", "admin": 1,
                              "admin_window": "1h"})
    server = house.server
    if name == "user_http":
        client = server.user("ann")
        ask = lambda: client.get("/models").status_code  # noqa: E731
    else:
        ask = lambda: server.http.get("/").status_code  # noqa: E731
    answers = [ask() for _ in range(31)]
    assert answers == [200] * 30 + [429]
    house.with_(limit={name: 40})
    answers = [ask() for _ in range(11)]
    assert answers == [200] * 10 + [429]


def test_the_limit_on_refused_tokens_is_applied(reloadable):
    house = reloadable(limit={"failures": 3, "failures_window": "1h"})

    def ask():
        with house.server.client("no.such.token") as client:
            return client.get("/models")
    assert [ask().status_code for _ in range(4)] == [401] * 3 + [429]
    house.with_(limit={"failures": 5})
    assert [ask().status_code for _ in range(3)] == [401, 401, 429]


def test_the_limits_on_connections_are_applied(reloadable, connect):
    house = reloadable(ws={"connections_per_user": 2})
    user = fresh()
    chats = [connect(house.server, user) for _ in range(2)]

    def refused(who=user):
        answer = upgrade(house.server, bearer=token(who))
        return answer if answer.status == 429 else None
    assert_error(refused(), 429, "TOO_MANY_REQUESTS")
    house.with_(ws={"connections_per_user": 3})
    assert not refused(), "room for one more"
    house.with_(server={"max_connections": 1})
    assert refused(fresh()), "no room for anybody"
    for one in chats:
        assert one.turn("still here").finish == "stop"


# --- models

def test_a_new_provider_can_be_chosen_without_connecting_again(reloadable, connect, fake,
                                                               question):
    house = reloadable()
    one = connect(house.server)
    assert [m["id"] for m in one.hello["models"]] == ["fake"]
    one.send("model_select", model_id="second")
    assert one.get("error")["error"]["code"] == "NOT_FOUND"
    house.with_(llm={"providers": [house.provider("fake"),
                                   house.provider("second", model="fake-2")]})
    client = house.server.user(one.user)
    assert len(client.get("/models").json()["models"]) == 2
    one.send("model_select", model_id="second")
    assert one.get("connection_status")["model_id"] == "second"
    fake.when(question, plain("from the second"))
    turn = one.turn(question)
    assert turn.text == "from the second"
    assert fake.asked(question)[0].json["model"] == "fake-2"
    assert [m["id"] for m in connect(house.server).hello["models"]] == ["fake", "second"]
    ready = house.server.http.get("/readyz").json()
    assert ready["checks"]["llm"]["providers_count"] == 2


def test_a_running_answer_ends_by_the_settings_it_began_with(reloadable, connect, fake,
                                                             question):
    house = reloadable()
    fake.when(question, Answer().tokens("some ").gate(question).tokens("more").finish())
    one = connect(house.server)
    one.say(question)
    one.get("ai_response")
    house.with_(llm={"providers": [house.provider("other")]})
    told = one.get("connection_status")
    assert told["model_id"] == "other" and told["content"] == "Model changed to Other"
    fake.open(question)
    turn = one.rest_of_turn()
    assert turn.finish == "stop" and turn.text == "more"
    page = house.server.user(one.user).get(f"/sessions/{one.session}").json()
    assert page["messages"][1]["content"] == "some more"
    assert page["messages"][1]["model_id"] == "fake"
    assert one.turn("next").finish == "stop"
    page = house.server.user(one.user).get(f"/sessions/{one.session}").json()
    assert page["messages"][3]["model_id"] == "other"


def test_a_new_key_is_used_and_never_shown(reloadable, connect, fake, question):
    house = reloadable()
    one = connect(house.server)
    key = "sk-" + fresh("replaced")
    house.with_(llm={"providers": [house.provider("fake", api_key=key)]})

    def asked_with():
        text = fresh("q")
        one.turn(text)
        return fake.asked(text)[0].headers["authorization"]
    assert asked_with() == f"Bearer {key}"
    assert house.server.logged("reload", setting="llm.providers[1].api_key")
    assert key not in house.server.log_text()
    assert API_KEY not in house.server.log_text()


def test_the_system_prompt_and_the_time_limits_are_applied(reloadable, connect, fake,
                                                           question):
    house = reloadable()
    one = connect(house.server)
    house.with_(llm={"system_prompt": "Be brief.", "stream_timeout": f"{PATIENCE:g}s"})
    fake.when(question, Answer().tokens("some").gate("never"))
    turn = one.turn(question)
    assert turn.finish == "timeout"
    assert fake.asked(question)[0].messages[0] == {"role": "system",
                                                   "content": "Be brief."}


def test_a_provider_of_a_type_that_there_is_not_changes_nothing(reloadable, connect):
    house = reloadable()
    one = connect(house.server)
    house.merge({"llm": {"providers": [house.provider("fake", type="gpt")]}})
    house.server.signal(signal.SIGHUP)
    house.server.wait_log("reload_failed")
    assert one.turn("still here").finish == "stop"


# --- the rest

def test_sessions_leave_memory_by_the_new_ttl(reloadable, connect):
    house = reloadable()
    one = connect(house.server)
    one.turn("hello")
    one.close()
    gauge = "chatbox_active_sessions_total"
    wait_for(lambda: house.server.metric("chatbox_websocket_connections_total") == 0, 5,
             "nobody is connected")
    assert house.server.metric(gauge) == 1
    house.with_(session={"ttl": "1s", "cleanup_interval": "100ms"})
    wait_for(lambda: house.server.metric(gauge) == 0, 10, "an empty memory")


def test_one_connection_of_a_session_from_now_on(reloadable, connect):
    house = reloadable()
    one = connect(house.server)
    one.turn("hello")
    both = connect(house.server, one.user, session_id=one.session)
    both.quiet()
    house.with_(session={"connections": "one"})
    third = connect(house.server, one.user, session_id=one.session)
    assert one.closed() == 4409 and both.closed() == 4409
    assert third.turn("the only one").finish == "stop"


def certificate(folder, name):
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    f"/CN={name}", "-keyout", str(key), "-out", str(cert)],
                   check=True, capture_output=True)
    return {"TLS_CERT_FILE": str(cert), "TLS_KEY_FILE": str(key)}


def shown(server):
    """The subject of the certificate that a new connection gets."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}"],
                          input=b"", capture_output=True, check=False)
    return done.stdout.decode(errors="replace")


def test_a_new_certificate_is_shown_to_newcomers_only(spawn, connect, fake, tmp_path):
    first, second = certificate(tmp_path, "first"), certificate(tmp_path, "second")
    server = spawn({**provider_env(fake), **first})
    one = connect(server)
    assert "CN = first" in shown(server)
    for name, path in first.items():
        with open(second[name], "rb") as new, open(path, "wb") as old:
            old.write(new.read())
    server.signal(signal.SIGHUP)
    wait_for(lambda: "CN = second" in shown(server), 5, "the new certificate")
    assert one.turn("still here").finish == "stop"
    server.wait_log("reload", applied=1)
    assert server.logged("reload", setting="server.tls_cert"), "the difference is shown"
    server.signal(signal.SIGHUP)
    server.wait_log("reload", applied=0)


def test_a_bad_certificate_changes_nothing_else(spawn, connect, fake, tmp_path):
    good = certificate(tmp_path, "first")
    path = tmp_path / "c.yaml"
    path.write_text("limit: {messages: 100}\n")
    server = spawn({**provider_env(fake), **good, "CHATBOX_CONFIG": str(path),
                    "RATE_LIMIT": None})
    one = connect(server)
    (tmp_path / "first.pem").write_text("no certificate")
    path.write_text("limit: {messages: 1}\n")
    server.signal(signal.SIGHUP)
    server.wait_log("reload_failed")
    assert server.logged("config_error")
    assert "CN = first" in shown(server)
    assert [one.turn(f"q{n}").finish for n in range(3)] == ["stop"] * 3


def test_a_certificate_of_another_key_is_told_as_at_the_start(spawn, fake, tmp_path):
    first, second = certificate(tmp_path, "first"), certificate(tmp_path, "second")
    server = spawn({**provider_env(fake), **first})
    with open(second["TLS_CERT_FILE"], "rb") as new, open(first["TLS_CERT_FILE"], "wb") as old:
        old.write(new.read())
    server.signal(signal.SIGHUP)
    server.wait_log("reload_failed")
    (told,) = server.logged("config_error")
    for word in ("server.tls_cert", "TLS_CERT_FILE", "TLS_KEY_FILE", *first.values()):
        assert word in told["msg"]
    assert "CN = first" in shown(server)


# --- what is not reloadable

def test_settings_that_need_a_restart_are_told_in_one_warning(reloadable, connect):
    house = reloadable(session={"response_times": 50})
    one = connect(house.server)
    house.with_(server={"trusted_proxies": ["10.0.0.1"], "drain_delay": "1s"},
                session={"response_times": 60}, limit={"messages": 77})
    warned = [line for line in house.server.logged("reload") if line["level"] == "warn"]
    assert len(warned) == 1
    assert set(warned[0]["settings"].split(", ")) == {
        "server.trusted_proxies", "server.drain_delay", "session.response_times"}
    assert house.server.logged("reload", setting="limit.messages")
    assert house.read()[-1]["applied"] == 1 and house.read()[-1]["need_restart"] == 3
    house.with_(server={"trusted_proxies": [], "drain_delay": "0s"},
                session={"response_times": 50})
    warned = [line for line in house.server.logged("reload") if line["level"] == "warn"]
    assert len(warned) == 1, "as at the start"
    assert one.turn("still here").finish == "stop"


def answers(server):
    try:
        socket.create_connection(("127.0.0.1", server.port), 1).close()
    except OSError:
        return False
    return True


def test_a_reload_in_the_middle_of_the_start_comes_behind_it(spawn, fake, tmp_path, connect):
    """The first shard answers while the last one still makes its rooms."""
    house = Reloadable(spawn, fake, tmp_path / "c.yaml", {}, threads="48", wait=False)
    server = house.server
    wait_for(lambda: answers(server), 15, "the first shard accepts", interval=0)
    house.merge({"session": {"warn_count": 77}})
    server.signal(signal.SIGHUP)
    wait_for(house.read, 15, "the settings are read again")
    server.wait_ready()
    for n in range(3):
        house.with_(session={"warn_count": 100 + n})
    assert connect(server).turn("hello").finish == "stop"
    events = [line["event"] for line in server.logs if line["event"] in ("start", "reload")]
    assert events[0] == "start", events


def test_nothing_changed_is_told_too(reloadable):
    house = reloadable()
    house.with_()
    assert house.read()[-1]["applied"] == 0
    assert house.read()[-1]["need_restart"] == 0
    assert [x for x in house.server.logged("reload") if x["level"] == "warn"] == []


def test_reloads_under_load_lose_no_turn_and_no_memory(reloadable, connect):
    """Req 13.4: settings are replaced while every shard works by them."""
    house = reloadable()
    chats = [connect(house.server) for _ in range(6)]
    seen = []
    for n in range(30):
        for one in chats:
            one.say(f"q{n}")
        models = [house.provider("fake"), house.provider(f"extra-{n}")]
        house.with_(llm={"providers": models[::-1] if n % 2 else models,
                         "default_model": "fake"},
                    limit={"messages": HUGE + n, "public": HUGE + n})
        for one in chats:
            assert one.rest_of_turn().finish == "stop"
        seen.append(house.server.descriptors())
    assert max(seen[5:]) <= seen[4] + 12, "nothing is kept of a reload"
