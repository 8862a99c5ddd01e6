#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ten clients talk to a server on a real replica set while somebody makes that fail
by hand; docs/mongodb.md says what to try.

    MONGO_URI=... tests/soak/failover.py [SECONDS]

Tells how long nothing was acknowledged, and at the end whether all that was
acknowledged is stored, once and in order. Exit status 1 when it is not. It works in a
database of its own, which it drops when all was well.
"""

import os
import pathlib
import random
import secrets
import sys
import threading
import time

import pymongo

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from support.backend import with_options  # noqa: E402
from support.fakellm import FakeLLM  # noqa: E402
from support.mongotalk import Crowd  # noqa: E402
from support.server import Server, provider_env  # noqa: E402

CLIENTS = 10
GAP_S = 2  # without any acknowledgement; less is not told


def talk(one, end):
    """One client, until the end; it gives up what was refused four times."""
    try:
        while time.monotonic() < end:
            one.tell(4)
    except Exception as failure:  # noqa: BLE001 (raised at the end)
        one.failure = failure
    finally:
        one.leave()


def watch(crowd, threads):
    """A line for each time in which nothing was acknowledged."""
    begin = last = time.monotonic()
    count = 0
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.05)
        now, acked = time.monotonic(), crowd.acked()
        if acked == count:
            continue
        if now - last > GAP_S:
            print(f"{last - begin:6.1f} s: nothing acknowledged for {now - last:.1f} s",
                  flush=True)
        last, count = now, acked


def main():
    uri, seconds = os.environ["MONGO_URI"], float((sys.argv[1:] or [120])[0])
    name = f"failover_{secrets.token_hex(6)}"
    fake, stored = FakeLLM(), pymongo.MongoClient(uri, w="majority")[name]
    server = Server({**provider_env(fake), "STORE": "mongo", "MONGO_DATABASE": name,
                     "MONGO_URI": with_options(uri, appName=name)})
    crowd = Crowd(server, random.Random(), CLIENTS)
    end = time.monotonic() + seconds
    print(f"Talking for {seconds:g} s, database {name}: now make it fail.", flush=True)
    crowd.threads = [threading.Thread(target=talk, args=(one, end))
                     for one in crowd.talkers]
    for thread in crowd.threads:
        thread.start()
    watch(crowd, crowd.threads)
    crowd.join()
    crowd.insist()
    crowd.judge(stored)
    errors = sum(sum(one.errors.values()) for one in crowd.talkers)
    print(f"acknowledged: {crowd.acked()}, all stored, once, in order; refused: {errors}")
    server.close()
    fake.close()
    stored.client.drop_database(name)


if __name__ == "__main__":
    main()
