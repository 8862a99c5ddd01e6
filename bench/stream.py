#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a streaming session takes of the server's memory.

    bench/stream.py [--build build] [--rounds 3]

The slope of the server's anonymous memory from 1,000 to 5,000 sessions with a
running answer, one token a second each; everything is in it that the session
has: connection, user, turn, the answer so far, the request to the model. Before
that 30,000 turns fill the storage's page cache (32 MB, whatever runs), which
would be counted as the streams' otherwise.
"""
import argparse
import pathlib
import re
import statistics
import tempfile

from relay import MODEL, PORT, SECRET, load, server, stop


def measure(build, turns):
    with tempfile.TemporaryDirectory() as folder:
        process = server(build, folder, RATE_LIMIT="1000000")
        where = ["--pid", process.pid, "--port", PORT, "--model-port", MODEL,
                 "--secret", SECRET]
        try:
            load(build, "load_turns", *where, "--turns", turns, "--sample",
                 turns // 4)
            out = load(build, "load_relay", *where, "--streams", 5000,
                       "--memory-from", 1000, "--rate", 1, "--seconds", 5)
        finally:
            stop(process)
    return float(re.search(r"(-?\d+) bytes a stream", out).group(1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, default="build")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--turns", type=int, default=30000)
    args = parser.parse_args()
    build = args.build.resolve()
    seen = [measure(build, args.turns) for _ in range(args.rounds)]
    print(f"streaming session, bytes: {statistics.median(seen):.0f}")


if __name__ == "__main__":
    main()
