# SPDX-License-Identifier: MIT
"""Debian's Prometheus with the files of deploy/prometheus, asking one server."""

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import httpx

from .fronts import fitted
from .server import ROOT, base_env, reserve_port
from .waiting import PATIENCE, wait_for

FILES = ROOT / "deploy/prometheus"
ROW = re.compile(r"^\| `(chatbox_\w+)` \| (\w+) \| ([\w,]*) *\|", re.M)
NAME = re.compile(r"\bchatbox_[a-z_]+")


def table():
    """{name: (kind, its labels)} as the program has them; histograms by their parts."""
    text = (ROOT / "docs/metrics.md").read_text()
    found = {}
    for name, kind, labels in ROW.findall(text):
        labels = {one for one in labels.split(",") if one}
        if kind != "histogram":
            found[name] = (kind, labels)
        else:
            found[f"{name}_bucket"] = (kind, labels | {"le"})
            found |= {f"{name}_{part}": (kind, labels) for part in ("sum", "count")}
    return found


def promtool(*arguments):
    return subprocess.run(["promtool", *arguments], cwd=FILES, capture_output=True,
                          text=True, check=False, timeout=60)


class Prometheus:
    """Started when it is made; asks the server every second. `labels`: of what it
    reads there, as an operator of Kubernetes would put to it."""

    def __init__(self, server, **labels):
        self.folder = Path(tempfile.mkdtemp(prefix="chatbox-prometheus-"))
        self.kept = reserve_port()
        self.port = self.kept.getsockname()[1]
        shutil.copy(FILES / "chatbox.rules.yml", self.folder)
        (self.folder / "prometheus.yml").write_text(fitted(
            (FILES / "prometheus.yml").read_text(),
            {'["127.0.0.1:8080"]':
             f'["127.0.0.1:{server.port}"]\n        labels: {json.dumps(labels)}',
             "30s": "1s"}))
        self.log = (self.folder / "log").open("w")
        self.process = subprocess.Popen(
            ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
             f"--web.listen-address=127.0.0.1:{self.port}"], cwd=self.folder,
            env=base_env(), stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=subprocess.STDOUT)
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}/api/v1",
                                 timeout=10 * PATIENCE, trust_env=False)
        wait_for(self._ready, 30, "Prometheus answers")

    def _ready(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            return self.http.get("/status/runtimeinfo").status_code == 200
        except httpx.TransportError:
            return False

    def ask(self, query):
        """[(labels, value)]; a query that is wrong fails."""
        answer = self.http.get("/query", params={"query": query}).json()
        assert answer["status"] == "success", (query, answer)
        return [(one["metric"], float(one["value"][1])) for one in answer["data"]["result"]]

    def rules(self):
        [group] = self.http.get("/rules").json()["data"]["groups"]
        return group["rules"]

    def close(self):
        try:
            self.http.close()
            self.process.terminate()
            self.process.wait(10 * PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            self.log.close()
            self.kept.close()
            shutil.rmtree(self.folder, ignore_errors=True)
