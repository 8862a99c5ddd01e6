# SPDX-License-Identifier: MIT
"""The metrics page: names, types, who may read it, and that the figures are true."""

import re

import pytest

from support.answer import failure
from support.checks import assert_error
from support.server import demo_env, provider_env
from support.waiting import wait_for

NAMES = {
    "chatbox_websocket_connections_total": "gauge",
    "chatbox_messages_received_total": "counter",
    "chatbox_messages_sent_total": "counter",
    "chatbox_message_errors_total": "counter",
    "chatbox_llm_requests_total": "counter",
    "chatbox_llm_latency_seconds": "histogram",
    "chatbox_llm_errors_total": "counter",
    "chatbox_tokens_used_total": "counter",
    "chatbox_active_sessions_total": "gauge",
    "chatbox_sessions_created_total": "counter",
    "chatbox_sessions_ended_total": "counter",
    "chatbox_ratelimit_blocked_total": "counter",
    "chatbox_websocket_connection_duration_seconds": "histogram",
    "chatbox_http_request_duration_seconds": "histogram",
}
SAMPLE = re.compile(r'^[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? '
                    r'(-?[0-9.]+(e[+-]?\d+)?|\+Inf|NaN)$')


def test_the_page_is_prometheus_text(server, chat):
    chat().turn("hello")
    answer = server.http.get("/metrics/prometheus")
    assert answer.headers["content-type"].startswith("text/plain")
    for line in answer.text.splitlines():
        assert line.startswith(("# HELP ", "# TYPE ")) or SAMPLE.match(line), line
    assert answer.text.endswith("\n")


@pytest.mark.parametrize("name,kind", NAMES.items(), ids=list(NAMES))
def test_every_name_of_the_seed_system_is_there(server, chat, name, kind):
    chat().turn("hello")
    text = server.http.get("/metrics/prometheus").text
    assert f"# TYPE {name} {kind}" in text
    assert f"# HELP {name} " in text


def test_histograms_are_consistent(server, chat):
    chat().turn("hello")
    metrics = server.metrics()
    name = "chatbox_llm_latency_seconds"
    buckets = [(k, v) for k, v in metrics.items() if k.startswith(name + "_bucket")]
    assert buckets
    values = [v for _, v in buckets]
    assert values == sorted(values), "cumulative"
    count = metrics[f'{name}_count{{provider="fake"}}']
    assert values[-1] == count and 'le="+Inf"' in buckets[-1][0]
    assert metrics[f'{name}_sum{{provider="fake"}}'] >= 0


def test_the_gauge_of_connections_follows_them(spawn, connect):
    server = spawn(demo_env())
    gauge = "chatbox_websocket_connections_total"
    assert server.metric(gauge) == 0
    chats = [connect(server) for _ in range(5)]
    wait_for(lambda: server.metric(gauge) == 5, 5, "5 connections")
    for one in chats[:3]:
        one.close()
    chats[3].drop()
    wait_for(lambda: server.metric(gauge) == 1, 5, "1 connection")
    durations = "chatbox_websocket_connection_duration_seconds_count"
    wait_for(lambda: server.metric(durations) == 4, 5, "4 durations")


def test_a_scripted_conversation_gives_exact_figures(spawn, connect, fake, question):
    server = spawn(provider_env(fake) | {"LLM_RETRY_ATTEMPTS": "1"})
    one = connect(server)
    for _ in range(3):
        one.turn("hello")
    fake.when(question, failure(500))
    one.turn(question)
    one.send_text("nonsense")
    one.get("error")
    user = server.user(one.user)
    user.post(f"/sessions/{one.session}/end")
    figures = server.metrics()
    assert figures["chatbox_messages_received_total"] == 5
    assert figures["chatbox_message_errors_total"] >= 1
    assert figures['chatbox_llm_requests_total{provider="fake"}'] == 4
    assert figures['chatbox_llm_errors_total{provider="fake"}'] == 1
    assert figures["chatbox_sessions_created_total"] == 1
    assert figures["chatbox_sessions_ended_total"] == 1
    sent = len(one.frames)
    assert figures["chatbox_messages_sent_total"] >= sent


def test_http_requests_are_timed_by_route_not_by_path(spawn):
    server = spawn(demo_env())
    for n in range(20):
        server.user("u").get(f"/sessions/{n:032x}")
        server.http.get(f"/nothing/{n}")
    text = server.http.get("/metrics/prometheus").text
    name = "chatbox_http_request_duration_seconds_count"
    lines = [line for line in text.splitlines() if line.startswith(name)]
    assert any('method="GET"' in line for line in lines)
    assert not any(f"{5:032x}" in line or "nothing/5" in line for line in lines)
    assert sum(float(line.rsplit(" ", 1)[1]) for line in lines) >= 20


@pytest.mark.parametrize("networks,status", [
    (None, 200), ("127.0.0.0/8", 200), ("127.0.0.1", 200), ("10.0.0.0/8", 403),
    ("none", 403), ("::1/128", 403), ("10.0.0.0/8,127.0.0.1/32", 200)])
def test_only_configured_networks_may_read(spawn, networks, status):
    server = spawn({**demo_env(), "METRICS_ALLOWED_NETWORKS": networks})
    answer = server.http.get("/metrics/prometheus")
    if status == 200:
        assert answer.status_code == 200
    else:
        assert_error(answer, 403, "FORBIDDEN")
        assert "chatbox_" not in answer.text


@pytest.mark.parametrize("trusted,header,status", [
    ("127.0.0.1", "203.0.113.9", 403), ("127.0.0.1", "10.1.2.3", 200),
    ("127.0.0.1", "203.0.113.9, 10.1.2.3", 200),
    ("127.0.0.1", "10.1.2.3, 203.0.113.9", 403),
    (None, "203.0.113.9", 200), ("10.0.0.1", "203.0.113.9", 200)])
def test_the_address_comes_from_trusted_proxies_only(spawn, trusted, header, status):
    server = spawn({**demo_env(), "TRUSTED_PROXIES": trusted})
    answer = server.http.get("/metrics/prometheus",
                             headers={"X-Forwarded-For": header})
    assert answer.status_code == status
