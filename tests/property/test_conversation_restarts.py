# SPDX-License-Identifier: MIT
"""Conversations that go on when the server is stopped or killed."""

import pytest
from conversation import CONVERSATIONS, Conversation, converse
from support.waiting import PATIENCE

COUNT = CONVERSATIONS // 10


class Disturbed(Conversation):
    most_restarts = 2


@pytest.mark.timeout(400 + 5 * COUNT * int(PATIENCE))
def test_whatever_happens_a_server_that_was_killed_goes_on():
    """Req 2.1, 2.2. Property 16."""
    converse(Disturbed, COUNT)
