#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The token relay, upgrades and idle memory: the server beside its limits.

    bench/relay.py [--build build] [--seconds 8] [--streams 500] [--rounds 3]

The server (one shard) and each limit program run on processor 0, the load on
processor 1, in turn. Prints a line per measurement, the medians' ratio and
that of the least, which has not in it what a busy host adds.
"""
import argparse
import os
import pathlib
import random
import re
import signal
import socket
import statistics
import subprocess
import tempfile
import time

SECRET = "q9Xw3Zr7Lk2Vb8Nm4Tj6Hy1Pd5Gc0FsAe"


def free_port():
    """One that nobody listens on, below those of outgoing connections."""
    while True:
        port = random.SystemRandom().randint(10000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


PORT, MODEL, LIMIT = free_port(), free_port(), free_port()


def on(cpu, *command, **kwargs):
    return subprocess.Popen(["taskset", "-c", str(cpu), *map(str, command)],
                            **kwargs)


def wait_for(port):
    for _ in range(2000):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"nothing listens on {port}")


def server(build, folder, **more):
    env = {"PATH": os.environ["PATH"], "SERVER_HOST": "127.0.0.1",
           "SERVER_PORT": str(PORT), "SERVER_THREADS": "1",
           "MAX_CONNECTIONS": "100000", "JWT_SECRET": SECRET,
           "DATA_DIR": folder, "LOG_LEVEL": "error",
           "LLM_STREAM_TIMEOUT": "10m",
           "LLM_PROVIDER_1_ID": "m", "LLM_PROVIDER_1_NAME": "M",
           "LLM_PROVIDER_1_TYPE": "openai", "LLM_PROVIDER_1_API_KEY": "k",
           "LLM_PROVIDER_1_ENDPOINT": f"http://127.0.0.1:{MODEL}/v1",
           "LLM_PROVIDER_1_MODEL": "m", **more}
    process = on(0, build / "chatbox", "serve", env=env,
                 stderr=subprocess.DEVNULL)
    try:
        wait_for(PORT)
    except SystemExit:
        stop(process)
        raise
    return process


def stop(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def cpu_seconds(process):
    """User and system time of a program so far."""
    stat = pathlib.Path(f"/proc/{process.pid}/stat").read_text()
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def load(build, program, *options):
    out = subprocess.run(["taskset", "-c", "1", str(build / "bench" / program),
                          *map(str, options)], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    print("   ", out.strip().replace("\n", "; "), flush=True)
    return out


def relay(build, args, port, pid):
    out = load(build, "load_relay", "--pid", pid, "--port", port,
               "--model-port", MODEL, "--streams", args.streams, "--seconds",
               args.seconds, "--secret", SECRET)
    return float(re.search(r"([\d.]+) us CPU", out).group(1))


def connect(build, port, pid, *more):
    out = load(build, "load_connect", "--pid", pid, "--port", port,
               "--secret", SECRET, "--upgrades", 10000, *more)
    return (float(re.search(r"([\d.]+) us CPU", out).group(1)),
            float(re.search(r"(-?\d+) bytes a connection", out).group(1)))


def with_limit(build, program, last, measure):
    process = on(0, build / "bench" / program, LIMIT, last)
    wait_for(LIMIT)
    try:
        return measure(process.pid)
    finally:
        stop(process)


def with_server(build, measure):
    with tempfile.TemporaryDirectory() as folder:
        process = server(build, folder)
        try:
            return measure(process.pid)
        finally:
            stop(process)


def verdict(name, ours, limits):
    for what, of in (("medians", statistics.median), ("least", min)):
        a, b = of(ours), of(limits)
        print(f"{name}: {what} {a:.2f} against {b:.2f}, ratio {a / b:.2f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, default="build")
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    build = args.build.resolve()
    relays, upgrades, memory = ([], []), ([], []), ([], [])
    for _ in range(args.rounds):
        relays[1].append(with_limit(build, "limit_relay", MODEL,
                         lambda pid: relay(build, args, LIMIT, pid)))
        relays[0].append(with_server(
            build, lambda pid: relay(build, args, PORT, pid)))
        limit = with_limit(build, "limit_upgrade", SECRET,
                           lambda pid: connect(build, LIMIT, pid))
        ours = with_server(
            build, lambda pid: connect(build, PORT, pid, "--frame"))
        for pair, i in ((upgrades, 0), (memory, 1)):
            pair[0].append(ours[i])
            pair[1].append(limit[i])
    verdict("relay, us CPU per token", *relays)
    verdict("upgrade, us CPU", *upgrades)
    verdict("idle connection, bytes", *memory)


if __name__ == "__main__":
    main()
