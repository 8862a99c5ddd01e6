# SPDX-License-Identifier: MIT
"""Death in mid-answer, a locked database, what the store keeps."""

import threading

import pytest

from support.answer import Answer, plain
from support.server import provider_env
from support.stored import storage
from support.transcript import transcript
from support.waiting import PATIENCE, wait_for
from support.ws import Chat, fresh


def messages(server, chat):
    return server.user(chat.user).get(f"/sessions/{chat.session}").json()["messages"]


def test_kill_while_streaming_leaves_an_interrupted_answer(spawn, connect, fake, question):
    server = spawn(provider_env(fake))
    words = [f"word{n:04d} " for n in range(1000)]
    fake.when(question, Answer().tokens(*words).gate("never"))
    one = connect(server)
    first = one.turn("before", client_id="c-0")
    one.say(question, client_id="c-1")
    ack = one.get("ack")
    seen = ""
    while not seen.endswith("word0999 "):
        seen += one.get("ai_response")["content"]
    server.kill9()
    server.start()
    stored = messages(server, one)
    assert [m["seq"] for m in stored] == [1, 2, 3, 4]
    assert stored[0]["message_id"] == first.ack["message_id"]
    assert stored[1]["content"] == first.text and stored[1]["status"] == "complete"
    assert stored[2]["message_id"] == ack["message_id"]
    cut = stored[3]
    assert cut["status"] == "interrupted" and cut["finish_reason"] == "interrupted"
    assert seen.startswith(cut["content"])
    assert len(seen) - len(cut["content"]) <= 2048 + len(words[0])
    two = connect(server, one.user, session_id=one.session)
    assert two.turn("after").seq == 6


def test_a_repeat_after_the_crash_gets_the_interrupted_answer(spawn, connect, fake,
                                                              question):
    server = spawn(provider_env(fake))
    words = [f"word{n:04d} " for n in range(1000)]
    fake.when(question, Answer().tokens(*words).gate("never"))
    one = connect(server)
    one.say(question, client_id="c-1")
    ack = one.get("ack")
    one.until_said("word0999")
    server.kill9()
    server.start()
    two = connect(server, one.user, session_id=one.session)
    two.say(question, client_id="c-1")
    assert two.get("ack")["message_id"] == ack["message_id"]
    answer = two.rest_of_turn()
    assert answer.finish == "interrupted" and answer.end["content"]
    assert answer.end["metadata"]["replay"] == "true"
    assert len(fake.asked(question)) == 1


def test_a_question_that_was_stored_but_never_asked_starts_on_its_repeat(
        spawn, connect, fake, question):
    server = spawn(provider_env(fake))
    fake.when(question, Answer().tokens("x").gate("never"))
    one = connect(server)
    one.say(question)
    one.get("ai_response")
    one.say(question + " waits", client_id="c-2")
    ack = one.get("ack")
    server.kill9()
    server.start()
    two = connect(server, one.user, session_id=one.session)
    two.say(question + " waits", client_id="c-2")
    assert two.get("ack")["message_id"] == ack["message_id"]
    assert two.rest_of_turn().finish == "stop"
    asked = [m for m in messages(server, two) if m["sender"] == "user"]
    assert [m["content"] for m in asked] == [question, question + " waits"]
    assert len(fake.asked(question + " waits")) == 1


def busy(server, acked, stop):
    """A client that talks until the server dies; keeps what was acknowledged."""
    user = fresh("busy")
    try:
        with Chat(server, user) as chat:
            entry = acked.setdefault(user, {"session": chat.session, "acks": []})
            while not stop.is_set():
                text = fresh("q")
                chat.say(text, client_id=text)
                entry["acks"].append((text, chat.get("ack")["seq"]))
                chat.rest_of_turn()
    except Exception:  # noqa: BLE001 (the server was killed)
        return


@pytest.mark.timeout(120 * PATIENCE)
def test_five_kills_under_eight_busy_clients_lose_nothing(spawn, fake):
    server = spawn(provider_env(fake))
    everything = {}
    for _ in range(5):
        acked, stop = {}, threading.Event()
        threads = [threading.Thread(target=busy, args=(server, acked, stop))
                   for _ in range(8)]
        for thread in threads:
            thread.start()
        wait_for(lambda: sum(len(e["acks"]) for e in list(acked.values())) >= 40, 20,
                 "40 acknowledged messages")
        server.kill9()
        stop.set()
        for thread in threads:
            thread.join()
        server.start()
        everything.update(acked)
    for user, entry in everything.items():
        page = transcript(server.user(user), f"/sessions/{entry['session']}")
        assert [m["seq"] for m in page] == list(range(1, len(page) + 1))
        stored = [m["client_id"] for m in page if m["sender"] == "user"]
        assert len(stored) == len(set(stored))
        by_seq = {m["seq"]: m for m in page}
        for text, seq in entry["acks"]:
            assert by_seq[seq]["content"] == text
        for message in page:
            assert message["status"] in ("complete", "interrupted")
    storage(server).whole()


def test_the_sequence_and_epoch_go_on_after_a_kill(spawn, connect, fake, user):
    server = spawn(provider_env(fake))
    one = connect(server, user)
    one.turn("hello")
    server.kill9()
    server.start()
    two = connect(server, user, session_id=one.session, last_seq=1,
                  epoch=one.hello["epoch"])
    assert two.hello["resumed"] is True
    assert [f["seq"] for f in two.quiet()] == [2]


@pytest.mark.harms_store
@pytest.mark.timeout(120 * PATIENCE)
def test_a_locked_database_is_an_error_to_the_sender_and_heals(spawn, connect, fake,
                                                               question):
    """2.6: storage failing is DATABASE_ERROR, nothing asked, nothing half kept."""
    server = spawn(provider_env(fake))
    one = connect(server)
    one.turn("hello")
    with storage(server).refusing_writes():
        one.say(question, client_id="c-1")
        refusal = one.get("error", timeout=60)
        assert refusal["error"]["code"] == "DATABASE_ERROR"
        assert refusal["error"]["recoverable"] is True
        assert fake.asked(question) == []
        wait_for(lambda: server.http.get("/readyz").status_code == 503, 30,
                 "not ready without storage")
        checks = server.http.get("/readyz").json()
        assert checks["status"] == "not ready"
    wait_for(server.is_ready, 30, "ready again")
    assert one.turn(question, client_id="c-1", timeout=30).finish == "stop"
    assert [m["content"] for m in messages(server, one)].count(question) == 1


@pytest.mark.harms_store
def test_a_change_that_cannot_be_stored_changes_nothing(spawn, connect, fake):
    server = spawn(provider_env(fake) | provider_env(fake, 2, ID="other"))
    one = connect(server)
    one.turn("hello")
    with storage(server).refusing_writes():
        for change in ({"type": "model_select", "model_id": "other"},
                       {"type": "help_request"}):
            one.send(change)
            refusal = one.get("error", timeout=60)["error"]
            assert refusal["code"] == "DATABASE_ERROR" and refusal["recoverable"] is True
            assert refusal["retry_after"] > 0
    again = connect(server, one.user, session_id=one.session).hello
    assert again["model_id"] == "fake" and not again.get("help_requested")


def test_the_store_keeps_the_documented_fields(spawn, connect, fake, question):
    server = spawn(provider_env(fake))
    fake.when(question, plain("kept", usage=(1, 2)))
    one = connect(server)
    one.turn(question, client_id="c-1")
    server.stop()
    text = storage(server).text()
    assert len(storage(server).messages()) == 2
    assert len(storage(server).sessions()) == 1
    for word in (question, "kept", one.session, one.user, "c-1"):
        assert word in text
