# SPDX-License-Identifier: MIT
"""Several servers on one database: one has it, the others wait for it, and one of them
takes it when it is free."""

import signal
import socket
import threading
from contextlib import contextmanager

import pytest

from support.answer import Answer, plain
from support.mongotalk import holder, somebody
from support.rawhttp import RawConn, request
from support.server import free_port, reserve_port, run_cli
from support.standbys import member, messages, new_name, serves, stands_by
from support.waiting import PATIENCE, wait_for


@pytest.fixture
def name():
    return new_name()


@pytest.fixture
def stored(database, name):
    return database.client[name]  # goes with the module's server


@pytest.fixture
def start(spawn, fake, database, name):
    """Each call another server on the database, that others may reach."""
    def begin(**members):
        return spawn(member(fake, database, name, **members))
    return begin


# --- waiting

def test_a_second_server_waits_ready_and_says_so(start, stored):
    first, second = start(), start()
    assert serves(first) and stands_by(second)
    assert second.http.get("/healthz").status_code == 200
    waits, = second.wait_log("store_lease")
    assert waits["level"] == "info" and waits["pid"] == first.process.pid
    assert waits["address"] == first.env["CLUSTER_ADDRESS"] == holder(stored)["address"]
    assert not second.logged("start")


def test_its_metrics_are_its_own(start):
    first, second = start(), start()
    assert second.http.get("/models").status_code == 401, "passed on"
    name = "chatbox_standby_forwarded_total"
    assert (first.metrics()[name], second.metrics()[name]) == (0, 1)


@pytest.mark.parametrize("which", ["the first", "the second"])
def test_a_server_without_an_address_is_alone(start, which):
    """Beside it, and it beside another one: refused as ever, in a sentence."""
    alone = {"CLUSTER_ADDRESS": None}
    first = start(**(alone if which == "the first" else {}))
    env = {**first.env, "SERVER_PORT": str(free_port()),
           "CLUSTER_ADDRESS": f"127.0.0.1:{free_port()}"}
    if which == "the second":
        del env["CLUSTER_ADDRESS"]
    result = run_cli("serve", env=env)
    assert result.returncode == 1, result.all
    assert f"process {first.process.pid} on" in result.stderr and "in use" in result.stderr
    assert ("CLUSTER_ADDRESS" in result.stderr) == (which == "the first")
    assert serves(first)


def test_an_address_that_is_taken_is_one_sentence(start):
    first = start()
    result = run_cli("serve", env={**first.env, "SERVER_PORT": str(free_port())})
    assert result.returncode == 1, result.all
    port = first.env["CLUSTER_ADDRESS"].split(":")[1]
    assert port in result.stderr and serves(first)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_who_waits_can_be_stopped(start, sig):
    first, second = start(), start()
    second.stop(0, sig)
    assert second.logged("shutdown") and second.logged("stop")
    assert serves(first)


def test_a_signal_to_reload_is_kept_until_it_serves(start):
    first, second = start(), start()
    second.process.send_signal(signal.SIGHUP)
    assert stands_by(second) and not second.logged("reload")
    first.stop()
    wait_for(lambda: serves(second), 15, "the second one serves")
    assert second.wait_log("reload")


# --- taking over

@contextmanager
def beating(stored, address="127.0.0.1:1"):
    """A server of another machine that has the database, until this ends."""
    somebody(stored, address=address)
    stop = threading.Event()

    def beat():
        while not stop.wait(0.1):
            stored.meta.update_one({"_id": "server"}, {"$inc": {"beat": 1}})
    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def answering(at, answer):
    """A holder that listens there and gives one answer; what it was asked."""
    asked = []

    def serve():
        conn, _ = door.accept()
        with conn:
            asked.append(conn.recv(65536))
            conn.sendall(answer)
    with socket.create_server(at) as door:
        door.settimeout(10 * PATIENCE)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield asked
        finally:
            thread.join()


def test_a_stop_gives_it_to_the_next_one(start, connect, fake, user, question):
    """And what was said stays said."""
    fake.when(question, plain("fine"))
    first, second = start(), start()
    one = connect(first, user)
    turn = one.turn(question, client_id="c-1")
    first.stop()
    wait_for(lambda: serves(second), 15, "the second one serves")
    again = connect(second, user, session_id=one.session)
    again.say(question, client_id="c-1")
    told = again.get(lambda frame: frame.get("client_id") == "c-1")
    assert told["type"] == "ack" and turn.text == "fine"
    assert again.quiet() is not None and len(fake.asked(question)) == 1, "it is known"
    assert [m["content"] for m in messages(second, one)] == [question, "fine"]
    second.wait_log("store_lease", msg="This server has the database now.")


def test_a_death_does_too_and_what_was_running_is_kept(start, stored, connect, fake, user,
                                                       question):
    fake.when(question, Answer().role().tokens("some ", "words").silence())
    first, second = start(), start()
    one = connect(first, user)
    one.say(question, client_id="c-1")
    one.until_said("words")
    wait_for(lambda: stored.pieces.count_documents({}) > 0, 10, "a checkpoint")
    first.kill9()
    wait_for(lambda: serves(second), 15, "the second one serves")
    asked, answer = messages(second, one)
    assert asked["content"] == question and answer["status"] == "interrupted"
    assert answer["content"] and "some words".startswith(answer["content"])
    assert len(fake.asked(question)) == 1


def test_of_many_who_wait_one_takes_it(start, stored):
    first, *others = (start() for _ in range(4))
    for left in (3, 2, 1):
        first.stop()
        wait_for(lambda: any(serves(one) for one in others), 15, "somebody serves")
        first, = (one for one in others if serves(one))
        others.remove(first)
        assert len(others) == left - 1
        wait_for(lambda: all(stands_by(one) for one in others), 15, "the others know whom")
        assert holder(stored)["pid"] == first.process.pid


def test_a_machine_that_is_lost_is_followed_after_its_beats_have_ended(start, stored):
    with beating(stored):
        second = start()
        assert stands_by(second)
        waits, = second.wait_log("store_lease")
        assert waits["host"] == "elsewhere" and waits["address"] == "127.0.0.1:1"
        assert second.http.get("/models").status_code == 503
        assert holder(stored)["holder"] == "f" * 32
    wait_for(lambda: serves(second), 20, "the second one serves")
    assert holder(stored)["pid"] == second.process.pid


def test_who_asks_before_the_holder_listens_waits_for_it(start, stored):
    """As one does that has just taken the database, and is about to open its door."""
    with reserve_port() as kept:
        at = kept.getsockname()
        with beating(stored, "127.0.0.1:%d" % at[1]):
            second = start()
            with RawConn(second) as asking:
                asking.send(request(second, "GET", second.prefix + "/models"))
                second.wait_log("forward", msg="a connection waits to be passed on")
                with answering(at, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine") as asked:
                    assert asking.read_response().body == b"fine"
            assert asked[0].startswith(b"GET /chatbox/models HTTP/1.1\r\n")
            assert second.metric('chatbox_standby_failed_total{reason="dial"}') == 0


def test_the_database_may_be_away_while_it_is_waited_for(spawn, fake, database, name,
                                                         proxy, stored):
    with beating(stored):
        second = spawn(member(fake, database, name, proxy.host))
        proxy.refuse()
        wait_for(lambda: not second.is_ready(), 30, "it is not known who serves")
        proxy.well()
        wait_for(lambda: stands_by(second), 30, "it is known again")
    wait_for(lambda: serves(second), 20, "it has it")


def test_who_lost_it_ends_to_be_started_again(start, stored, connect, user):
    server = start()
    connect(server, user)
    somebody(stored, address="127.0.0.1:1")
    server.wait_exit(1, 20)
    lost, = server.logged("store_lease")
    assert lost["level"] == "error" and lost["host"] == "elsewhere"
    assert holder(stored)["holder"] == "f" * 32, "it does not take away what is not its own"


# --- what is passed on in the meantime is in test_05_standby_pipes.py

def test_a_client_need_not_know_who_serves(start, connect, fake, question):
    fake.when(question, plain("fine"))
    first, second = start(), start()
    one = connect(second)
    assert one.turn(question).text == "fine"
    assert messages(first, one) == messages(second, one) != []
