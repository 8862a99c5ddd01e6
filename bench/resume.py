#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""15,000 clients come back at once, each with its last_seq.

    bench/resume.py [--build build] [--clients 15000]

Each has its own session of ten messages and has seen four. The server (one
shard, processor 0) has just started: in the first wave every session is loaded
from the disk. Then all connections are reset, and all come back again.
"""
import argparse
import pathlib
import tempfile

from history import fill
from relay import PORT, SECRET, cpu_seconds, load, server, stop


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, default="build")
    parser.add_argument("--clients", type=int, default=15000)
    parser.add_argument("--waves", type=int, default=4)
    args = parser.parse_args()
    build = args.build.resolve()
    with tempfile.TemporaryDirectory() as folder:
        fill(build, folder, f"10x{args.clients}")
        process = server(build, folder)
        try:
            load(build, "load_resume", "--port", PORT, "--secret", SECRET,
                 "--clients", args.clients, "--waves", args.waves)
            took = cpu_seconds(process) / args.waves / args.clients
            print(f"server: {took * 1e6:.0f} us CPU a client that resumes")
        finally:
            stop(process)


if __name__ == "__main__":
    main()
