#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The last 50 messages over HTTP, of a session of 50,000 and of one of 500.

    bench/history.py [--build build] [--rounds 3] [--requests 10000]

The two lie in a database of 100,000 messages, between those of a hundred other
sessions. The server (one shard) runs on processor 0, the load on processor 1.
"""
import argparse
import pathlib
import subprocess
import tempfile

from relay import PORT, SECRET, cpu_seconds, load, server, stop

ROOMY = {"USER_HTTP_RATE_LIMIT": "100000000"}


def fill(build, folder, *sessions):
    subprocess.run([build / "bench" / "store_fill", folder, *sessions],
                   check=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, default="build")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=10000)
    args = parser.parse_args()
    build = args.build.resolve()
    with tempfile.TemporaryDirectory() as folder:
        fill(build, folder, "50000", "500", "500x100")
        process = server(build, folder, **ROOMY)
        try:
            for _ in range(args.rounds):
                load(build, "load_history", "--port", PORT, "--secret", SECRET,
                     "--requests", args.requests)
            took = cpu_seconds(process) / args.rounds / args.requests / 2
            print(f"server: {took * 1e6:.0f} us CPU a page")
        finally:
            stop(process)


if __name__ == "__main__":
    main()
