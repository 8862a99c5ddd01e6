# SPDX-License-Identifier: MIT
"""Conversations in one life of the server; conversation.py says what they are."""

import pytest
from conversation import CONVERSATIONS, Conversation, converse
from support.waiting import PATIENCE

COUNT = CONVERSATIONS * 9 // 10
PARTS = 3


@pytest.mark.timeout(400 + 5 * COUNT // PARTS * int(PATIENCE))
@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_every_device_shows_what_is_stored(part):
    """Req 2.1, 2.2, 3.1, 3.4."""
    converse(Conversation, COUNT // PARTS)
