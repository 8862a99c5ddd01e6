# SPDX-License-Identifier: MIT
"""What holds of a turn however its provider's stream was cut."""

import json

from .answer import Answer
from .server import API_KEY
from .ws import is_end


def raw(*data):
    """An answer whose bytes are all the script's, head and framing too."""
    answer = Answer(framing="raw")
    for one in data:
        answer.raw(one)
    return answer


def chunked(*pieces):
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def stored(server, one):
    return server.user(one.user).get(f"/sessions/{one.session}").json()["messages"]


def judge(server, one, turn, requests, whole):
    """Gives the finish reason or the error's code."""
    page = stored(server, one)
    assert API_KEY not in json.dumps(turn.frames)
    assert sum(is_end(frame) for frame in turn.frames) == 1
    assert one.quiet() == [], "exactly one end"
    answers = [m for m in page if m.get("reply_to") == turn.ack["message_id"]]
    if turn.error:
        assert turn.text == "" and answers == []
        assert turn.error["code"] in ("LLM_UNAVAILABLE", "LLM_TIMEOUT")
        return turn.error["code"]
    assert len(requests) == 1 or turn.text == "", "no retry after text"
    assert whole.startswith(turn.text)
    assert len(answers) == 1 and answers[0]["content"] == turn.text
    assert answers[0]["finish_reason"] == turn.finish and answers[0]["seq"] == turn.seq
    assert answers[0]["status"] == ("complete" if turn.finish == "stop" else "interrupted")
    return turn.finish


def offsets(wire, finished, count=50):
    """Places to cut: even over the wire, and around the byte that makes it whole."""
    even = {round(n * (len(wire) - 1) / (count - 2)) for n in range(count - 1)}
    places = sorted({*even, finished - 1, finished})
    assert len(places) >= count
    return places


def cut_everywhere(server, fake, one, question, how, wire, texts, finished, cuts=50):
    """A stream cut at `cuts` places by `how` ends once and as it is. `texts` are
    (text, where its event ends); from `finished` on the stream is whole."""
    whole = "".join(text for text, _ in texts)
    ends = set()
    for offset in offsets(wire, finished, cuts):
        ask = f"{question} {offset}"
        answer = raw(wire[:offset])
        fake.when(ask, getattr(answer, how)())
        turn = one.turn(ask, client_id=ask)
        ends.add(judge(server, one, turn, fake.asked(ask), whole))
        if turn.error:
            # What nobody has seen is asked again; and what a kept connection
            # lost without a byte goes out once more.
            assert 3 <= len(fake.asked(ask)) <= 6
        else:
            assert turn.finish == "interrupted" or offset >= finished
            assert turn.text == whole or offset < texts[-1][1]
        if offset >= finished and how == "fin":
            assert turn.finish == "stop"
    return ends
