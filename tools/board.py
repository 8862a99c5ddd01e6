# SPDX-License-Identifier: MIT
"""Grafana's board, deploy/grafana/chatbox.json, made of the metrics table: a panel for
every figure, in rows by what it is about. docs.py writes it and checks it."""

import json
import re

PAGE = "deploy/grafana/chatbox.json"
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ([\w,]*) *\| (.*) \|$", re.M)
SOURCE = {"type": "prometheus", "uid": "${source}"}
CHOSEN = 'instance=~"$instance"'

# A figure stands in the first row whose pattern its name has.
ROWS = [("Models", "_llm_|_tokens_"), ("Budgets", "_budget_"), ("Storage", "_store_|_drafts_"),
        ("Answers and sessions", "_turns_|session"),
        ("Files", "_upload|_file"),
        ("Several servers", "_forward|_standby"),
        ("Limits and refusals", "ratelimit|refused|jwks|tls|accept"), ("Connections", "")]
# What is looked at first: (title, unit, [(query, legend)]).
FIRST = [
    ("Is it there", "short", [(f"up{{job=\"chatbox\",{CHOSEN}}}", "{{instance}}")]),
    ("Sockets", "short",
     [(f"chatbox_websocket_connections_total{{{CHOSEN}}}", "{{instance}}")]),
    ("How answers end, each minute", "short",
     [(f"sum by (end) (rate(chatbox_turns_total{{{CHOSEN}}}[$__rate_interval])) * 60",
       "{{end}}")]),
    ("Requests to a model that fail", "percentunit",
     [(f"sum by (provider) (rate(chatbox_llm_errors_total{{{CHOSEN}}}[$__rate_interval]))"
       f" / sum by (provider) (rate(chatbox_llm_requests_total{{{CHOSEN}}}"
       "[$__rate_interval]))", "{{provider}}")]),
    ("Cost, an hour", "short",
     [(f"sum by (provider) (rate(chatbox_llm_cost_nanos_total{{{CHOSEN}}}"
       "[$__rate_interval])) * 3600 / 1e9", "{{provider}}")]),
    ("Jobs that wait for the storage", "short",
     [(f"chatbox_store_queue{{{CHOSEN}}}", "{{instance}}")]),
]


def by(labels, *more):
    names = ", ".join([*labels, *more])
    return f" by ({names})" if names else ""


def legend(labels):
    return " ".join("{{%s}}" % name for name in labels) or "{{instance}}"


def counter(name, labels):
    labels = labels or ["instance"]
    return [(f"sum{by(labels)} (rate({name}{{{CHOSEN}}}[$__rate_interval]))",
             legend(labels))], "cps"


def gauge(name, labels):
    return [(f"{name}{{{CHOSEN}}}", legend(labels))], "short"


def histogram(name, labels):
    return [(f"histogram_quantile({part}, sum{by(labels, 'le')} "
             f"(rate({name}_bucket{{{CHOSEN}}}[$__rate_interval])))",
             f"{legend(labels) if labels else ''} p{part[2:]:0<2}".strip())
            for part in ("0.5", "0.95")], "s"


KINDS = {"counter": counter, "gauge": gauge, "histogram": histogram}


def panel(number, title, text, unit, queries):
    return {"id": number, "type": "timeseries", "title": title, "description": text,
            "datasource": SOURCE,
            "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
            "options": {"legend": {"displayMode": "list", "placement": "bottom"},
                        "tooltip": {"mode": "multi", "sort": "desc"}},
            "targets": [{"refId": chr(ord("A") + n), "datasource": SOURCE, "expr": query,
                         "legendFormat": words}
                        for n, (query, words) in enumerate(queries)]}


def title_of(name):
    return re.sub("_(total|seconds|nanos)", "", name.removeprefix("chatbox_")) \
        .replace("_", " ").capitalize()


def rows(metrics):
    """[(title, [(title, text, unit, queries)])], the chosen ones first."""
    found = {title: [] for title, _ in ROWS}
    for name, kind, labels, text in metrics:
        place = next(title for title, pattern in ROWS if re.search(pattern, name))
        queries, unit = KINDS[kind](name, [one for one in labels.split(",") if one])
        found[place].append((title_of(name), f"{text} `{name}`", unit, queries))
    return [("At a glance", [(title, "", unit, queries) for title, unit, queries in FIRST]),
            *found.items()]


def laid_out(metrics):
    """Panels, three in a line; all rows but the first are folded."""
    panels, number, y = [], 0, 0
    for title, members in rows(metrics):
        number += 1
        row = {"id": number, "type": "row", "title": title, "panels": [],
               "collapsed": bool(panels), "gridPos": {"h": 1, "w": 24, "x": 0, "y": y}}
        y += 1
        made = []
        for n, member in enumerate(members):
            number += 1
            made.append({**panel(number, *member),
                         "gridPos": {"h": 8, "w": 8, "x": n % 3 * 8, "y": y + n // 3 * 8}})
        if row["collapsed"]:
            row["panels"] = made
            panels.append(row)
        else:
            panels += [row, *made]
            y += -(-len(made) // 3) * 8
    return panels


def variables():
    return [{"name": "source", "type": "datasource", "query": "prometheus",
             "label": "Prometheus"},
            {"name": "instance", "type": "query", "label": "Instance", "datasource": SOURCE,
             "query": "label_values(chatbox_websocket_connections_total, instance)",
             "refresh": 2, "includeAll": True, "multi": True,
             "current": {"text": "All", "value": "$__all"}}]


def text(table):
    """The file, of docgen's table of metrics."""
    return json.dumps({
        "uid": "chatbox", "title": "chatbox", "tags": ["chatbox"], "schemaVersion": 39,
        "editable": True, "refresh": "30s", "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": variables()}, "panels": laid_out(ROW.findall(table))},
        indent=1) + "\n"
