# SPDX-License-Identifier: MIT
"""Ten million nonces of a thousand starts of a program under one key."""

import collections
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CHATBOX_BUILD", ROOT / "build"))
STARTS = int(os.environ.get("CHATBOX_NONCE_STARTS", "1000"))
EACH = int(os.environ.get("CHATBOX_NONCES", "10000"))


def test_no_nonce_comes_twice():
    """By their first byte, so that no more than a part is in a set at a time."""
    tool = BUILD / "tests" / "property" / "nonce_tool"
    groups = collections.defaultdict(bytearray)
    for _ in range(STARTS):
        raw = subprocess.run([tool, str(EACH)], stdout=subprocess.PIPE,
                             check=True).stdout
        assert len(raw) == 12 * EACH
        for at in range(0, len(raw), 12):
            groups[raw[at]] += raw[at:at + 12]
    assert sum(map(len, groups.values())) == 12 * STARTS * EACH
    for raw in groups.values():
        seen = {bytes(raw[at:at + 12]) for at in range(0, len(raw), 12)}
        assert len(seen) == len(raw) // 12
