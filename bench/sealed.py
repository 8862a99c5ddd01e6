#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What it costs to seal texts: by itself, and in a server that relays tokens.

    bench/sealed.py [--build build] [--seconds 8] [--streams 500] [--rounds 5]

The server (one shard, SQLite) runs on processor 0 with and without a key, in
turn, the load on processor 1. Of what it relays it stores a checkpoint a
second, which is what is sealed.
"""
import argparse
import pathlib
import subprocess
import tempfile

from relay import PORT, relay, server, stop, verdict


def one_round(build, args, **keys):
    with tempfile.TemporaryDirectory() as folder:
        process = server(build, folder, **keys)
        try:
            return relay(build, args, PORT, process.pid)
        finally:
            stop(process)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, default="build")
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    build = args.build.resolve()
    subprocess.run(["taskset", "-c", "0", build / "bench" / "seal"], check=True)
    plain, sealed = [], []
    for _ in range(args.rounds):
        plain.append(one_round(build, args))
        sealed.append(one_round(
            build, args, ENCRYPTION_KEY="0123456789abcdef0123456789abcdef"))
    verdict("relay, us CPU per token, with a key", sealed, plain)


if __name__ == "__main__":
    main()
