#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The echo benchmark: ws-echo against its limit, alternately, in one run.

    bench/echo.py [--build build] [--rounds 15] [--seconds 1] [--payload 32]

The programs: ninja -C build bench/ws-echo bench/limit_echo bench/load_echo
Each server is pinned to the first core, the load generator to the second. The
figure is the server's CPU time per message; of all rounds the median and the
least are printed, for other work on the machine only ever adds.
"""
import argparse
import pathlib
import re
import socket
import statistics
import subprocess
import time


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(program):
    port = free_port()
    server = subprocess.Popen(
        ["taskset", "-c", "0", program, str(port)], stdout=subprocess.DEVNULL
    )
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return server, port
        except ConnectionRefusedError:
            time.sleep(0.01)
    raise SystemExit(f"{program} does not listen")


def measure(load, server, port, connections, args):
    out = subprocess.run(
        ["taskset", "-c", "1", load, str(port), str(server.pid),
         str(connections), str(args.payload), str(args.seconds)],
        check=True, capture_output=True, text=True,
    ).stdout
    return float(re.match(r"([\d.]+) us/message", out).group(1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--payload", type=int, default=32)
    parser.add_argument("--connections", type=int, nargs="*", default=[64, 1000])
    args = parser.parse_args()
    bench = pathlib.Path(args.build) / "bench"
    servers = {name: start(str(bench / name)) for name in ("limit_echo", "ws-echo")}
    try:
        for connections in args.connections:
            seen = {name: [] for name in servers}
            for _ in range(args.rounds):
                for name, (server, port) in servers.items():
                    seen[name].append(measure(
                        str(bench / "load_echo"), server, port, connections, args))
            for name, values in seen.items():
                print(f"{connections:5} connections  {name:10}  median "
                      f"{statistics.median(values):6.3f} us  least {min(values):6.3f} us")
            ratio = [statistics.median(seen["ws-echo"]) / statistics.median(seen["limit_echo"]),
                     min(seen["ws-echo"]) / min(seen["limit_echo"])]
            print(f"{connections:5} connections  ratio       median {ratio[0]:6.3f}     "
                  f"least {ratio[1]:6.3f}", flush=True)
    finally:
        for server, _ in servers.values():
            server.terminate()


if __name__ == "__main__":
    main()
