# SPDX-License-Identifier: MIT
"""Prometheus' files, Grafana's board and the shipping of logs
(docs/deployment/observability.md)."""

import json
import re
import subprocess

import pytest
import yaml

from support.charts import CHART, validate_extensions
from support.fronts import fitted
from support.prometheus import FILES, NAME, Prometheus, promtool, table
from support.server import ROOT
from support.waiting import wait_for

SELECTOR = re.compile(r"(chatbox_[a-z_]+)\{([^}]*)\}")
LABEL = re.compile(r"(\w+)(?:=|!=)~?")
ADDED = {"job", "instance"}  # by Prometheus itself


def board():
    return json.loads((ROOT / "deploy/grafana/chatbox.json").read_text())


def panels():
    for one in board()["panels"]:
        yield from one.get("panels", []) if one["type"] == "row" else [one]


def queries():
    """Of the board, as Grafana would send them."""
    return [target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*")
            for one in panels() for target in one["targets"]]


def rules():
    [group] = yaml.safe_load((FILES / "chatbox.rules.yml").read_text())["groups"]
    return group["rules"]


def cases():
    return yaml.safe_load((FILES / "chatbox.rules.test.yml").read_text())["tests"]


def expressions():
    return [one["expr"] for one in rules()] + queries()


@pytest.mark.parametrize("arguments", [
    ("check", "config", "prometheus.yml"), ("check", "rules", "chatbox.rules.yml"),
    ("test", "rules", "chatbox.rules.test.yml")], ids=" ".join)
def test_promtool_is_content(arguments):
    result = promtool(*arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "SUCCESS" in result.stdout and "FAILED" not in result.stdout


def test_every_alert_was_seen_to_fire_and_to_be_silent():
    names = [one["alert"] for one in rules()]
    assert len(names) == len(set(names)) > 10
    judged = [each for one in cases() for each in one["alert_rule_test"]]
    fires = {each["alertname"] for each in judged if each.get("exp_alerts")}
    silent = {each["alertname"] for each in judged if not each.get("exp_alerts")}
    assert fires == silent == set(names)


def test_every_alert_says_how_urgent_it_is_and_what_to_do():
    page = (ROOT / "docs/deployment/observability.md").read_text()
    for one in rules():
        assert one["labels"]["severity"] in ("page", "ticket")
        assert one["annotations"]["summary"]
        assert f"| `{one['alert']}` |" in page
    assert page.count("| `Chatbox") == len(rules()), "and of no other"


def test_the_page_makes_a_rule_object_of_the_rules(tmp_path):
    """The command for the Prometheus operator, but for what it hands it to."""
    page = (ROOT / "docs/deployment/observability.md").read_text()
    [command] = re.findall(r"^    (\{ printf .*\}) \| kubectl", page, re.M)
    made = subprocess.run(["sh", "-c", command], cwd=ROOT, check=True, text=True,
                          capture_output=True).stdout
    (tmp_path / "rule.yaml").write_text(made)
    assert validate_extensions(tmp_path / "rule.yaml") == [("PrometheusRule", "passed")]
    document = yaml.safe_load(made)
    assert document["spec"]["groups"][0]["rules"] == rules()


def test_every_query_names_figures_and_labels_that_there_are():
    """One that is not there is silent for ever."""
    known = table()
    assert len(known) > 50 and len(expressions()) > 50
    for query in expressions():
        assert [name for name in NAME.findall(query) if name not in known] == [], query
        for name, inside in SELECTOR.findall(query):
            assert set(LABEL.findall(inside)) <= known[name][1] | ADDED, query
        grouped = {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", query)
                   for label in group.split(",")}
        assert grouped <= ADDED.union(*(known[name][1] for name in NAME.findall(query))), query
    for one in cases():
        for series in one["input_series"]:
            for name, inside in SELECTOR.findall(series["series"]):
                assert set(LABEL.findall(inside)) <= known[name][1] | ADDED, series


def test_every_figure_is_on_the_board_once_and_panels_do_not_overlap():
    shown = {name for query in queries() for name in NAME.findall(query)}
    histograms = {name for name, (kind, _) in table().items() if kind == "histogram"}
    assert set(table()) - histograms <= shown
    assert {name for name in histograms if name.endswith("_bucket")} <= shown
    folded = [one for row in board()["panels"] for one in row.get("panels", [])]
    numbers = [one["id"] for one in [*board()["panels"], *folded]]
    assert len(numbers) == len(set(numbers))
    places = [(row["title"], one["gridPos"]["x"], one["gridPos"]["y"])
              for row in board()["panels"] for one in row.get("panels", [])]
    assert len(places) == len(set(places))


def of_pods(*pods):
    """What Prometheus is asked by the adapter's rule that docs/deployment/kubernetes.md
    has, as the adapter would fill it in."""
    page = (ROOT / "docs/deployment/kubernetes.md").read_text()
    [text] = [one for one in re.findall(r"^```yaml\n(.*?)^```", page, re.M | re.S)
              if "seriesQuery" in one]
    [rule] = yaml.safe_load(text)["rules"]
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert rule["name"]["as"] == values["autoscaling"]["connectionsMetric"]
    assert list(rule["resources"]["overrides"]) == ["namespace", "pod"]
    series = rule["seriesQuery"].partition("{")[0]
    matchers = f'namespace="chatbox",pod=~"{"|".join(pods)}"'
    return rule["seriesQuery"], fitted(rule["metricsQuery"], {
        "<<.Series>>": series, "<<.LabelMatchers>>": matchers, "<<.GroupBy>>": "pod"})


def test_prometheus_itself_takes_all_of_it(spawn, connect, fake):
    """It reads a real server, and each query and each rule is one that it can answer."""
    server = spawn({"LLM_PROVIDER_1_ID": "demo", "LLM_PROVIDER_1_TYPE": "demo"})
    assert connect(server).turn("hello").finish == "stop"
    prometheus = Prometheus(server, namespace="chatbox", pod="chatbox-1")
    try:
        wait_for(lambda: prometheus.ask('up{job="chatbox"} == 1'), 30, "it was asked")
        wait_for(lambda: prometheus.ask('chatbox_turns_total{end="stop"} == 1'), 30,
                 "the answer was counted")
        found, asked = of_pods("chatbox-1", "chatbox-2")
        assert [labels["pod"] for labels, _ in prometheus.ask(found)] == ["chatbox-1"]
        assert prometheus.ask(asked) == [({"pod": "chatbox-1"}, 1)], "the socket above"
        there = {labels["__name__"] for labels, _ in
                 prometheus.ask('{__name__=~"chatbox_.+"}')}
        assert there <= table().keys() and len(there) > 40
        for query in expressions():
            prometheus.ask(query)
        wait_for(lambda: all(one["health"] == "ok" for one in prometheus.rules()), 30,
                 "every rule was tried")
        assert {one["name"] for one in prometheus.rules()} == {one["alert"] for one in rules()}
        assert not any(one["state"] == "firing" for one in prometheus.rules())
    finally:
        prometheus.close()


def test_logs_are_shipped_by_names_that_they_have(spawn):
    """Vector was not run here: its file is read, and its fields held against a log."""
    text = (ROOT / "deploy/logs/vector.yaml").read_text()
    document = yaml.safe_load(text)
    names = set(document["sources"]) | set(document["transforms"])
    for one in [*document["transforms"].values(), *document["sinks"].values()]:
        assert {each.removesuffix(".dropped") for each in one["inputs"]} <= names
    assert "del(.ts)" in document["transforms"]["chatbox"]["source"]
    server = spawn({"LLM_PROVIDER_1_ID": "demo", "LLM_PROVIDER_1_TYPE": "demo"})
    line = server.wait_log("start")[0]
    for label in document["sinks"]["loki"]["labels"]:
        assert label == "service" or label in line
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["ts"])
