#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""5,000 peers that send their heads and bodies slowly, and everybody else.

    bench/slow.py [--build build] [--slow 5000] [--rounds 5] [--seconds 12]

Forty clients ask at a steady rate, with and without the slow ones, in turn;
12 seconds are longer than a head may take. The server (one shard) runs on
processor 0, the load on processor 1. An idle processor of a virtual machine is
given away and comes back after milliseconds, which would be all that is seen:
a program that runs when nothing else wants to keeps processor 0 awake.
"""
import argparse
import pathlib
import tempfile

from relay import PORT, SECRET, load, on, server, stop


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, default="build")
    parser.add_argument("--slow", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=12)
    args = parser.parse_args()
    build = args.build.resolve()
    with tempfile.TemporaryDirectory() as folder:
        process = server(build, folder, USER_HTTP_RATE_LIMIT="100000000",
                         PUBLIC_RATE_LIMIT="100000000",
                         FAILURE_RATE_LIMIT="100000000")
        awake = on(0, "chrt", "-i", "0", "sh", "-c", "while :; do :; done")
        try:
            load(build, "load_slow", "--port", PORT, "--secret", SECRET,
                 "--slow", args.slow, "--rounds", args.rounds, "--seconds",
                 args.seconds)
        finally:
            stop(awake)
            stop(process)


if __name__ == "__main__":
    main()
