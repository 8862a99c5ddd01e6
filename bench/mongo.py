#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The whole server on MongoDB, beside a bare loop of inserts.

    bench/mongo.py [--build build] [--database PROGRAM] [--rounds 5]
                   [--only throughput,latency,history,memory]

The database runs on processor 1 alone; the server (one shard) with its load,
and the bare loop, run on processor 0. Every round of ours stands beside one of
the loop. The database is a server that speaks MongoDB's protocol: secantusd-rs
of the crate secantus-mdb if it is found, else the secantusd-py of the
end-to-end tests (docs/decisions/0032), so only ratios count.
"""
import argparse
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

from relay import MODEL, PORT, SECRET, free_port, on, server, stop

DATABASE = "bench"
POOL = 16
ROOMY = {"RATE_LIMIT": "100000000", "PUBLIC_RATE_LIMIT": "100000000",
         "USER_HTTP_RATE_LIMIT": "100000000",
         "WS_PONG_WAIT": "10m", "WS_PING_PERIOD": "9m"}


class Database:
    """On processor 1, with a new folder."""

    def __init__(self, program):
        self.folder = tempfile.mkdtemp(prefix="chatbox-bench-")
        self.port = free_port()
        command = [program] if program else [sys.executable, "-m", "secantus"]
        self.process = on(1, *command, "--host", "127.0.0.1", "--port",
                          self.port, "--storage-path", self.folder,
                          "--sync-on-commit", "--enable-test-commands",
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.await_start()
        except SystemExit:
            self.close()
            raise
        self.uri = f"mongodb://127.0.0.1:{self.port}/?replicaSet=secantus"

    def await_start(self):
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise SystemExit("the database does not start")

    def close(self):
        stop(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)


class Bench:
    def __init__(self, args, database):
        self.build = args.build.resolve()
        self.args = args
        self.database = database

    def server(self, folder, **more):
        return server(self.build, folder, STORE="mongo",
                      MONGO_URI=self.database.uri, MONGO_DATABASE=DATABASE,
                      MONGO_POOL_SIZE=str(POOL), **ROOMY, **more)

    def program(self, name, *options, **kwargs):
        return on(0, self.build / "bench" / name, *options,
                  stdout=subprocess.PIPE, text=True, **kwargs)

    def run(self, name, *options):
        process = self.program(name, *options)
        out = process.communicate()[0]
        if process.returncode != 0:
            raise SystemExit(f"{name}: {process.returncode}")
        print("   ", name, out.strip().replace("\n", "; "), flush=True)
        return out

    def acks(self, *options, **more):
        with tempfile.TemporaryDirectory() as folder:
            process = self.server(folder, **more)
            try:
                return self.run("load_acks", "--port", PORT, "--model-port",
                                MODEL, "--secret", SECRET, "--seconds",
                                self.args.seconds, "--clients",
                                self.args.clients, *options)
            finally:
                stop(process)

    def limit(self, *options):
        return self.run("limit_mongo_append", self.database.uri, DATABASE,
                        POOL, self.args.seconds, *options)

    # --- the measurements

    def throughput(self):
        """Messages a second, each durable: of users only, and with answers."""
        limits, plain, turns = [], [], []
        for _ in range(self.args.rounds):
            limits.append(figure("messages/s", self.limit()))
            plain.append(figure("messages/s", self.acks("--refuse", 1)))
            turns.append(figure("messages/s", self.acks()))
        verdict("messages/s, users' only", plain, limits)
        verdict("messages/s, with answers", turns, limits)

    def latency(self):
        """The time of an ack at so many messages a second; a turn is two."""
        rate = self.args.rate
        limits, plain, turns = [], [], []
        for _ in range(self.args.rounds):
            limits.append(quantile("p99", self.limit(rate)))
            plain.append(quantile("p99", self.acks("--refuse", 1, "--rate",
                                                   rate)))
            turns.append(quantile("p99", self.acks("--rate", rate // 2)))
        verdict(f"p99 us at {rate}/s, users' only", plain, limits)
        verdict(f"p99 us at {rate}/s, with answers", turns, limits)

    def history(self):
        """The last 50 of 50,000 messages, and of 500."""
        subprocess.run([self.build / "bench" / "mongo_fill", self.database.uri,
                        DATABASE, "50000", "500", "500x20"], check=True)
        with tempfile.TemporaryDirectory() as folder:
            process = self.server(folder)
            try:
                for _ in range(self.args.rounds):
                    self.run("load_history", "--port", PORT, "--secret",
                             SECRET, "--requests", self.args.requests)
            finally:
                stop(process)

    def memory(self):
        """What a message costs that waits for a database that hangs."""
        for size in (200, 10000):
            count = self.args.waiting
            step = (self.burst(3 * count, size) - self.burst(count, size)
                    ) / (2 * count)
            print(f"a message of {size} bytes that waits: {step * 1024:.0f} "
                  "bytes", flush=True)

    def burst(self, clients, size):
        with tempfile.TemporaryDirectory() as folder:
            process = self.server(folder)
            load = self.program("load_acks", "--port", PORT, "--model-port",
                                MODEL, "--secret", SECRET, "--clients",
                                clients, "--burst", 1, "--size", size,
                                stdin=subprocess.PIPE)
            try:
                load.stdout.readline()
                before = anonymous_kb(process.pid)
                self.database.process.send_signal(signal.SIGSTOP)
                load.stdin.write("\n")
                load.stdin.flush()
                await_messages(clients)
                grown = anonymous_kb(process.pid) - before
                print(f"    {clients} of {size} bytes: {grown} KB, "
                      f"{metric('store_queue')} in the queue", flush=True)
                return grown
            finally:
                self.database.process.send_signal(signal.SIGCONT)
                stop(load)
                stop(process)


def metric(name):
    url = f"http://127.0.0.1:{PORT}/chatbox/metrics/prometheus"
    with urllib.request.urlopen(url) as answer:
        text = answer.read().decode()
    return int(re.search(rf"^chatbox_{name} (\d+)", text, re.M).group(1))


def await_messages(count):
    """The server has read them all, and done with them what it does at once."""
    while metric("messages_received_total") < count:
        time.sleep(0.1)
    time.sleep(0.5)


def anonymous_kb(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", status).group(1))


def figure(name, out):
    return float(re.search(r"([\d.]+) " + name, out).group(1))


def quantile(name, out):
    return float(re.search(name + r" ([\d.]+) us", out).group(1))


def verdict(name, ours, limits):
    a, b = statistics.median(ours), statistics.median(limits)
    print(f"{name}: {a:.0f} against {b:.0f}, ratio {a / b:.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, default="build")
    parser.add_argument("--database", default=shutil.which("secantusd-rs"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--clients", type=int, default=256)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--waiting", type=int, default=2000)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--only", default="throughput,latency,history,memory")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # nothing is left
    for name in args.only.split(","):
        database = Database(args.database)
        try:
            bench = Bench(args, database)
            with tempfile.TemporaryDirectory() as folder:
                stop(bench.server(folder))  # the indexes
            getattr(bench, name)()
        finally:
            database.close()


if __name__ == "__main__":
    main()
