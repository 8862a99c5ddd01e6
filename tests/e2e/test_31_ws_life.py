# SPDX-License-Identifier: MIT
"""The life of a connection: pings, silence, half-closed and slow peers."""

import json
import socket
import time

import pytest

from support.answer import Answer
from support.rawhttp import sendable
from support.server import provider_env
from support.waiting import PATIENCE, wait_for
from support.ws import CLOSE, PING, PONG, TEXT, RawWs, close_payload

SETTINGS = {"WS_PING_PERIOD": "1s", "WS_PONG_WAIT": f"{1 + PATIENCE:g}s",
            "WS_OUTPUT_LIMIT": "64KiB"}


def gone(ws):
    """Everything up to the end of the stream has been read."""
    while ws._fill():
        pass
    return True


def test_a_quiet_peer_is_pinged_and_lives_while_it_answers(raw):
    ws = raw()
    for _ in range(3):
        opcode, payload = ws.read_frame()
        assert opcode == PING and len(payload) <= 125
        ws.frame(PONG, payload)
    ws.text({"type": "ping"})
    assert ws.json()["type"] == "pong"


def test_a_silent_peer_is_dropped(raw, server):
    """A peer without data and without pong for WS_PONG_WAIT goes."""
    before = server.metric("chatbox_websocket_connections_total")
    ws = raw()
    began = time.monotonic()
    assert gone(ws)
    assert time.monotonic() - began >= 1.5
    wait_for(lambda: server.metric("chatbox_websocket_connections_total") <= before,
             5, "the gauge falls")


def test_data_instead_of_pongs_keeps_a_peer(raw):
    ws = raw()
    pings = 0
    while pings < 3:
        opcode, _ = ws.read_frame()
        if opcode == PING:
            pings += 1
            ws.text({"type": "ping"})
    ws.text({"type": "ping"})
    assert ws.json()["type"] == "pong"


def test_a_peer_that_closed_its_sending_side_is_dropped_after_what_was_queued(raw, server):
    silent = server.metric("chatbox_peers_silent_total")
    ws = raw()
    ws.text({"type": "ping"})
    ws.sock.shutdown(socket.SHUT_WR)
    assert ws.json()["type"] == "pong"
    assert gone(ws)
    assert server.metric("chatbox_peers_silent_total") == silent, "not for its silence"


def test_a_peer_that_leaves_by_reset_is_forgotten(server):
    before = server.metric("chatbox_websocket_connections_total")
    for _ in range(5):
        ws = RawWs(server)
        ws.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        ws.close()
    wait_for(lambda: server.metric("chatbox_websocket_connections_total") <= before,
             5, "the gauge falls")


def test_a_peer_that_does_not_answer_the_close_is_closed_anyway(raw):
    ws = raw()
    ws.frame(TEXT, b"\xff")
    while True:
        opcode, payload = ws.read_frame()
        if opcode == CLOSE:
            break
    assert payload[:2] == close_payload(1007)
    assert gone(ws)


@pytest.fixture
def patient(spawn, fake):
    """A server that waits long for pongs but queues little."""
    return spawn({**provider_env(fake), "WS_OUTPUT_LIMIT": "256KiB",
                  "LLM_MAX_ANSWER_SIZE": "11MiB", "LLM_IDLE_TIMEOUT": "1h",
                  "LLM_STREAM_TIMEOUT": "1h", "WS_PING_PERIOD": "9m",
                  "WS_PONG_WAIT": "10m"})


def frames_until_close(ws):
    """(frames, close code) of what is still there for a reader that was slow."""
    ws.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    received = []
    try:
        while not (received and received[-1].get("finish_reason")):
            opcode, payload = ws.read_frame()
            if opcode == CLOSE:
                return received, int.from_bytes(payload[:2], "big")
            if opcode == TEXT:
                received.append(json.loads(payload))
    except EOFError:
        pass
    return received, None


@pytest.mark.parametrize("blocks", [2, 60], ids=["little behind", "far behind"])
def test_a_slow_reader_gets_merged_deltas_or_4408_but_never_a_hole(
        patient, connect, fake, question, blocks):
    """What the slow one received is a prefix of what the quick one received."""
    answer = Answer()
    for n in range(blocks):
        answer.tokens(*(f"{n:04d}.{m:03d} " + "x" * 1000 for m in range(90)))
        answer.gate(f"{question} {n}")
    fake.when(question, answer.finish())
    quick = connect(patient)
    quick.turn("first")
    slow = RawWs(patient, quick.user, rcvbuf=4096, timeout=30,
                 query=f"session_id={quick.session}")
    quick.say(question)
    whole = ""
    for n in range(blocks):
        while f"{n:04d}.089 " + "x" * 1000 not in whole[-2000:]:
            frame = quick.recv()
            if frame["type"] == "ai_response":
                whole += frame["content"]
        fake.open(f"{question} {n}")
    assert quick.rest_of_turn().finish == "stop"
    received, code = frames_until_close(slow)
    deltas = [f for f in received if f["type"] == "ai_response" and "content" in f]
    text = "".join(f["content"] for f in deltas)
    assert whole.startswith(text)
    assert [f["chunk"] for f in deltas] == list(range(len(deltas)))
    finished = any(f.get("finish_reason") for f in received)
    assert code == 4408 or (finished and text == whole)


BLOCK = "x" * 40_000


def in_blocks(fake, question, count):
    """An answer in blocks, each of which waits until the test lets it go."""
    answer = Answer()
    for n in range(count):
        answer.gate(f"{question} {n}").tokens(BLOCK)
    fake.when(question, answer.finish())
    return lambda n: fake.open(f"{question} {n}")


PAUSES, MERGED = "chatbox_upstream_pauses_total", "chatbox_output_merged_total"


@pytest.mark.timeout(180 * PATIENCE)
def test_one_slow_device_of_two_does_not_pause_the_answer(patient, connect, fake, question):
    """2.2: the slow one gets merged deltas, the quick one each as it comes."""
    blocks = 2 * sendable() // len(BLOCK)
    let_go = in_blocks(fake, question, blocks)
    quick = connect(patient)
    quick.turn("first")
    slow = RawWs(patient, quick.user, rcvbuf=4096, timeout=30,
                 query=f"session_id={quick.session}")
    quick.say(question)
    text, merged = 0, 0
    for n in range(blocks):
        let_go(n)
        while text < (n + 1) * len(BLOCK):  # it came in spite of the other one
            frame = quick.recv()
            text += len(frame["content"]) if frame["type"] == "ai_response" else 0
        merged += n % 10 == 0 and patient.metric(MERGED) > 0
        if merged == 3:
            break
    assert merged == 3, "the slow one was passed over"
    assert patient.metric(PAUSES) == 0
    for left in range(n + 1, blocks):
        let_go(left)
    assert quick.rest_of_turn(60).finish == "stop"
    received, code = frames_until_close(slow)
    deltas = [f for f in received if f["type"] == "ai_response" and "content" in f]
    assert [f["chunk"] for f in deltas] == list(range(len(deltas)))
    whole = sum(len(f["content"]) for f in deltas) == blocks * len(BLOCK)
    assert code == 4408 or (whole and received[-1]["finish_reason"] == "stop")
    assert patient.metric("chatbox_output_overflow_total") == (code == 4408)


@pytest.mark.timeout(180 * PATIENCE)
def test_an_answer_that_nobody_can_take_is_paused_and_goes_on(patient, fake, question):
    """2.2: the model has to wait, and nothing is lost."""
    blocks = 2 * sendable() // len(BLOCK)
    fake.when(question, Answer().tokens(*[BLOCK] * blocks).finish())
    one = RawWs(patient, rcvbuf=4096, timeout=30)
    one.text({"type": "user_message", "content": question})
    wait_for(lambda: patient.metric(PAUSES) > 0, 20, "the answer is paused")
    received, code = frames_until_close(one)
    deltas = [f for f in received if f["type"] == "ai_response" and "content" in f]
    assert code is None and received[-1]["finish_reason"] == "stop"
    assert [f["chunk"] for f in deltas] == list(range(len(deltas)))
    assert sum(len(f["content"]) for f in deltas) == blocks * len(BLOCK)
    one.close()


def test_a_peer_that_vanishes_in_mid_answer_is_found_and_holds_nobody_up(spawn, connect,
                                                                         fake, question):
    """2.2: half-open: no FIN, no pong, a full queue; the other device goes on."""
    server = spawn({**provider_env(fake), **SETTINGS, "WS_PONG_WAIT": "4s"})
    let_go = in_blocks(fake, question, 3)
    stays = connect(server)
    stays.turn("first")
    gone = RawWs(server, stays.user, rcvbuf=4096, query=f"session_id={stays.session}")
    stays.say(question)
    for n in range(2):
        let_go(n)
        stays.get("ai_response")
    wait_for(lambda: server.metric("chatbox_peers_silent_total") == 1, 15, "it is dropped")
    server.wait_log("connection_closed", msg="dropping a silent peer")
    wait_for(lambda: server.metric("chatbox_websocket_connections_total") == 1, 5,
             "and counted no more")
    let_go(2)
    assert stays.rest_of_turn().finish == "stop"
    gone.close()


def test_the_default_ping_settings_are_accepted(spawn, fake):
    server = spawn({**provider_env(fake), "WS_PING_PERIOD": "54s", "WS_PONG_WAIT": "60s"})
    with RawWs(server) as ws:
        assert ws.pong() == []
