#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Start to ready, resident memory then, and the size of the program.

    bench/start.py [--build build] [--plain FOLDER] [--rounds 20]

Ready is the first 200 of readyz on a new data folder, asked again and again
from the start on; the start of the process is in the figure. --plain is a build
without the pages (-Dpages=disabled), whose stripped size is told.
"""
import argparse
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import tempfile
import time

PORT = 18484
REQUEST = b"GET /chatbox/readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def is_ready():
    try:
        with socket.create_connection(("127.0.0.1", PORT), 1) as asked:
            asked.sendall(REQUEST)
            return asked.recv(4096).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def resident_kb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise SystemExit("no VmRSS")


def one_start(program):
    with tempfile.TemporaryDirectory() as folder:
        env = {"PATH": os.environ["PATH"], "SERVER_HOST": "127.0.0.1",
               "SERVER_PORT": str(PORT), "SERVER_THREADS": "1",
               "JWT_SECRET": "q9Xw3Zr7Lk2Vb8Nm4Tj6Hy1Pd5Gc0FsAe",
               "DATA_DIR": folder, "LLM_PROVIDER_1_ID": "m",
               "LLM_PROVIDER_1_NAME": "M", "LLM_PROVIDER_1_TYPE": "demo"}
        began = time.monotonic()
        process = subprocess.Popen([program, "serve"], env=env,
                                   stderr=subprocess.DEVNULL)
        while not is_ready():
            if process.poll() is not None:
                raise SystemExit("it ended")
        took_ms = (time.monotonic() - began) * 1000
        kb = resident_kb(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        return took_ms, kb


def stripped_kb(program):
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/stripped"
        subprocess.run(["strip", "-o", out, program], check=True)
        return os.path.getsize(out) / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--plain")
    parser.add_argument("--rounds", type=int, default=20)
    args = parser.parse_args()
    seen = [one_start(f"{args.build}/chatbox") for _ in range(args.rounds)]
    times, memory = [s[0] for s in seen], [s[1] for s in seen]
    print(f"start to ready: median {statistics.median(times):.1f} ms, least "
          f"{min(times):.1f} ms")
    print(f"resident then: {statistics.median(memory):.0f} KB")
    print(f"stripped: {stripped_kb(args.build + '/chatbox'):.0f} KB")
    if args.plain:
        kb = stripped_kb(args.plain + "/chatbox")
        print(f"stripped without pages: {kb:.0f} KB")


if __name__ == "__main__":
    main()
