#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The OpenAI door beside other things in front of the same model.

    bench/door.py [--build build] [--seconds 4] [--rounds 3] [--only NAMES]
                  [--litellm .venv-real/bin/litellm]

What stands in front runs on processor 0, the load with the model
(bench/door_model.h) on processor 1, one after the other in each round: the
server (one shard), nginx as a proxy, LiteLLM if it is there. A line per
measurement, then medians, and ratios to nginx of the same run.
"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import time

from relay import MODEL, PORT, SECRET, free_port, on, server, stop

NGINX, LITELLM, DEAD = free_port(), free_port(), free_port()
KEY = "sk-bench"
ROOMY = {"RATE_LIMIT": "100000000", "PUBLIC_RATE_LIMIT": "100000000",
         "USER_HTTP_RATE_LIMIT": "100000000"}

NGINX_CONF = """
daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 65536;
pid {folder}/pid; error_log {folder}/log crit;
events {{ worker_connections 20000; }}
http {{
    access_log off;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;
    scgi_temp_path {folder}/s;
    keepalive_requests 1000000000; keepalive_timeout 1h;
    upstream model {{
        server 127.0.0.1:{model}; keepalive 2048;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://model; proxy_http_version 1.1;
            proxy_set_header Connection ""; proxy_buffering off;
            proxy_read_timeout 1h;
        }}
    }}
}}
"""


def provider(number, name, path="", port=MODEL, **more):
    """The settings of one more model."""
    named = {"ID": name, "NAME": name, "TYPE": "openai", "API_KEY": "k",
             "ENDPOINT": f"http://127.0.0.1:{port}{path}/v1", "MODEL": "m",
             **more}
    return {f"LLM_PROVIDER_{number}_{key}": value
            for key, value in named.items()}


FAILING = {**provider(2, "failing", "/fail", FALLBACK="m"),
           **provider(3, "hangup", "/hangup", FALLBACK="m"),
           **provider(4, "dead", port=DEAD, FALLBACK="m")}


class Front:
    """Something in front of the model: started, asked, stopped."""

    def __init__(self, process, port, *options):
        self.process = process
        self.pid = process.pid if process else 0
        self.options = ["--port", port, *options]


@contextlib.contextmanager
def direct(_args):
    yield Front(None, MODEL)


@contextlib.contextmanager
def running(process, *about):
    try:
        yield Front(process, *about)
    finally:
        stop(process)


@contextlib.contextmanager
def ours(args):
    with tempfile.TemporaryDirectory() as folder:
        process = server(args.build, folder, **ROOMY, **FAILING)
        with running(process, PORT, "--secret", SECRET, "--path",
                     "/chatbox/v1/chat/completions") as front:
            yield front


@contextlib.contextmanager
def nginx(_args):
    with tempfile.TemporaryDirectory() as folder:
        conf = pathlib.Path(folder, "conf")
        conf.write_text(NGINX_CONF.format(folder=folder, model=MODEL,
                                          port=NGINX))
        process = on(0, program("nginx"), "-c", conf, "-p", folder,
                     stderr=subprocess.DEVNULL)
        with running(process, NGINX) as front:
            await_answer(NGINX, "/", process)
            yield front


@contextlib.contextmanager
def litellm(args):
    with tempfile.TemporaryDirectory() as folder:
        conf = pathlib.Path(folder, "config.yaml")
        conf.write_text(json.dumps({
            "model_list": [{"model_name": "m", "litellm_params": {
                "model": "openai/m", "api_key": "k",
                "api_base": f"http://127.0.0.1:{MODEL}/v1"}}],
            "litellm_settings": {"num_retries": 0, "telemetry": False}}))
        process = on(0, args.litellm, "--config", conf, "--host", "127.0.0.1",
                     "--port", LITELLM, cwd=folder, stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL,
                     env={"PATH": os.environ["PATH"], "HOME": folder,
                          "LITELLM_MASTER_KEY": KEY,
                          "LITELLM_LOCAL_MODEL_COST_MAP": "True"})
        with running(process, LITELLM, "--key", KEY) as front:
            await_answer(LITELLM, "/health/liveliness", process)
            yield front


def program(name):
    return shutil.which(name) or shutil.which(name, path="/usr/sbin")


def await_answer(port, path, process):
    """Any answer of HTTP: the program has started."""
    for _ in range(1200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}").close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
    raise SystemExit(f"nothing answers on {port}")


def load(front, seconds, *options):
    command = [LOAD, "--model-port", MODEL, "--pid", front.pid, "--seconds",
               seconds, *front.options, *options]
    done = subprocess.run(["taskset", "-c", "1", *map(str, command)],
                          check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{command}: {done.returncode}")
    print("       ", done.stdout.strip(), flush=True)
    return done.stdout


LOAD = None


def figure(what, out):
    return float(re.search(rf"(-?[\d.]+) {what}", out).group(1))


def times(out):
    return [float(re.search(rf"p{q} (-?[\d.]+) us", out).group(1))
            for q in (50, 99)]


class Bench:
    """Figures by what they are and of whom."""

    def __init__(self, args):
        self.args = args
        self.figures = {}
        self.fronts = {"ours": ours, "nginx": nginx}

    def note(self, what, who, value):
        self.figures.setdefault(what, {}).setdefault(who, []).append(value)

    def each(self, *options, slow=None, with_direct=False):
        """One run of all; slow: what LiteLLM is asked instead."""
        fronts = dict(self.fronts)
        if slow is not None and self.args.litellm:
            fronts["litellm"] = litellm
        if with_direct:
            fronts = {"direct": direct, **fronts}
        for who, start in fronts.items():
            with start(self.args) as front:
                print(f"    {who}", flush=True)
                asked = slow if who == "litellm" else options
                yield who, load(front, self.args.seconds, *asked)

    # --- the measurements

    def unary(self):
        """As many as it can do on one processor."""
        for who, out in self.each("--connections", 64,
                                  slow=("--connections", 8)):
            self.note("requests/s", who, figure("requests/s", out))
            cpu = figure("us CPU", out)
            self.note("requests a second of CPU", who, 1e6 / cpu)

    def chunks(self):
        for streams in (100, 300):
            for who, out in self.each(
                    "--streams", streams, "--rate", 50,
                    slow=("--streams", 20, "--rate", 5)):
                name = f"us CPU a chunk, {streams} streams"
                self.note(name, who, figure("us CPU", out))
                self.note(f"stalls, {streams} streams", who,
                          figure("stalls", out))

    def stalls(self):
        for who, out in self.each("--streams", 2000, "--rate",
                                  self.args.many_rate):
            self.note("us CPU a chunk, 2000 streams", who,
                      figure("us CPU", out))
            self.note("stalls, 2000 streams", who, figure("stalls", out))

    def memory(self):
        for who, out in self.each("--streams", 1500, "--memory-from", 500,
                                  "--rate", 2):
            self.note("bytes a stream", who, figure("bytes a stream", out))

    def half(self):
        if self.args.half_load:
            return self.args.half_load
        all_of_it = self.figures.get("requests/s", {}).get("ours", [10000])
        return round(statistics.median(all_of_it) / 2, -2)

    def added(self):
        """At half of what ours can do."""
        half = self.half()
        for who, out in self.each("--connections", 64, "--rate", half,
                                  slow=("--connections", 8, "--rate", 20),
                                  with_direct=True):
            for name, value in zip(("p50", "p99"), times(out)):
                self.note(f"{name} us at half load", who, value)

    def first(self):
        """The first token of a stream at the door, and in chat."""
        rate = self.args.chat_rate
        options = ("--connections", 64, "--first", 1, "--rate", rate)
        for who, out in self.each(*options, with_direct=True):
            for name, value in zip(("p50", "p99"), times(out)):
                self.note(f"{name} us to the first token at {rate}/s", who,
                          value)
        with ours(self.args) as front:
            print("    chat", flush=True)
            out = load(front, self.args.seconds, "--chat", 64, "--rate", rate)
        for name, value in zip(("p50", "p99"), times(out)):
            self.note(f"{name} us to the first token at {rate}/s", "chat",
                      value)

    def failover(self):
        """Of the ones that fail three of four do; who refuses does always, so
        that the breaker opens with the fifth."""
        for model, rate, seconds in (("m", 200, 2), ("failing", 200, 2),
                                     ("hangup", 200, 2), ("dead", 2, 1)):
            with ours(self.args) as front:
                print(f"    {model}", flush=True)
                out = load(front, seconds, "--connections", 8, "--rate", rate,
                           "--model", model)
            for name, value in zip(("p50", "p99"), times(out)):
                self.note(f"failover, {name} us", model, value)

    def verdicts(self):
        for what, by_whom in self.figures.items():
            medians = {who: statistics.median(values)
                       for who, values in by_whom.items()}
            line = ", ".join(f"{who} {value:.2f}"
                             for who, value in medians.items())
            for base in ("nginx", "direct"):
                if medians.get(base) and "ours" in medians:
                    line += (f"; ours to {base}"
                             f" {medians['ours'] / medians[base]:.2f},"
                             f" {medians['ours'] - medians[base]:+.0f}")
            print(f"{what}: {line}", flush=True)


def main():
    global LOAD
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, default="build")
    parser.add_argument("--litellm", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--half-load", type=int)
    parser.add_argument("--chat-rate", type=int, default=200)
    parser.add_argument("--many-rate", type=int, default=10)
    parser.add_argument("--only",
                        default="unary,chunks,stalls,memory,added,first,"
                                "failover")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # nothing is left
    args.build = args.build.resolve()
    LOAD = args.build / "bench" / "load_door"
    here = pathlib.Path(__file__).resolve().parent.parent
    if args.litellm is None and (here / ".venv-real/bin/litellm").exists():
        args.litellm = here / ".venv-real/bin/litellm"
    args.litellm = args.litellm and args.litellm.absolute()
    bench = Bench(args)
    for _ in range(args.rounds):
        for name in args.only.split(","):
            print(f"  {name}", flush=True)
            getattr(bench, name)()
    bench.verdicts()


if __name__ == "__main__":
    main()
