# SPDX-License-Identifier: MIT
"""Waiting for a condition instead of for a time."""

import os
import socket
import time

# Sanitizers make everything slower; one factor stretches every patience.
PATIENCE = float(os.environ.get("CHATBOX_TEST_PATIENCE", "1"))


DAY_S = 86400


def wait_for(condition, timeout=5.0, what="condition", interval=0.005):
    """Return the first true value of `condition()`; fail after `timeout` seconds."""
    deadline = time.monotonic() + timeout * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout * PATIENCE:g} s: {what}")
        time.sleep(interval)


def past_midnight(seconds=15):
    """Days and months end at midnight (UTC), and what counts by them begins anew: waits
    for it when there are no more than so many seconds left."""
    wait_for(lambda: DAY_S - time.time() % DAY_S > seconds * PATIENCE, seconds + 5,
             "midnight", interval=0.1)


def refuses(server):
    """Nobody listens there any more."""
    try:
        socket.create_connection(("127.0.0.1", server.port), 1).close()
    except ConnectionRefusedError:
        return True
    except (ConnectionResetError, TimeoutError):  # it met the listener as that closed
        return False
    return False
