# SPDX-License-Identifier: MIT
"""The database and the proxy before it, driven by a driver that is not ours."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import bson
import pymongo
import pytest
from pymongo.errors import (AutoReconnect, DuplicateKeyError, NetworkTimeout,
                            NotPrimaryError, OperationFailure, PyMongoError,
                            ServerSelectionTimeoutError, WTimeoutError)

from support import mongowire
from support.backend import with_options
from support.mongowire import Message
from support.waiting import PATIENCE, wait_for
from support.ws import fresh

PATIENT_MS = int(20_000 * PATIENCE)


@pytest.fixture
def drive(database):
    """Drivers that do not try again by themselves: drive(proxy).insert_one(…)."""
    clients = []

    def connect(proxy=None, **options):
        host = proxy.host if proxy else None
        clients.append(pymongo.MongoClient(
            database.uri(host), retryWrites=False, w="majority", journal=True,
            serverSelectionTimeoutMS=PATIENT_MS, **options))
        return clients[-1].tools.things
    yield connect
    database.fail_point_off()
    for client in clients:
        client.close()


@pytest.fixture
def key():
    return fresh("key")


def is_there(database, key):
    return database.client.tools.things.count_documents({"_id": key}) == 1


# --- the database

def test_it_is_a_primary_that_confirms(database, drive, key):
    hello = database.client.admin.command("hello")
    assert hello["setName"] == "secantus" and hello["isWritablePrimary"]
    assert drive().insert_one({"_id": key}).acknowledged
    assert is_there(database, key)


def test_its_unique_partial_indexes_hold(drive):
    things = drive().database[fresh("things")]
    for _ in range(2):
        things.create_index([("sid", 1), ("seq", 1)], unique=True, name="numbers",
                            partialFilterExpression={"seq": {"$exists": True}})
    with pytest.raises(OperationFailure) as conflict:
        things.create_index([("sid", 1), ("seq", 1)], name="numbers")
    assert conflict.value.code == 86
    things.insert_many([{"sid": "a", "seq": 1}, {"sid": "a"}, {"sid": "a"}])
    with pytest.raises(DuplicateKeyError) as taken:
        things.insert_one({"sid": "a", "seq": 1})
    assert taken.value.details["keyPattern"] == {"sid": 1, "seq": 1}


def test_a_transaction_is_whole_or_nothing(database, drive, key):
    things = drive()
    for end in ("abort_transaction", "commit_transaction"):
        assert not is_there(database, key)
        with things.database.client.start_session() as session:
            session.start_transaction()
            things.insert_one({"_id": key}, session=session)
            getattr(session, end)()
    assert is_there(database, key)


@pytest.mark.parametrize("code,labels", [(10107, []), (11602, ["RetryableWriteError"]),
                                         (13, [])])
def test_a_fail_point_answers_with_the_code_instead_of_doing_it(database, drive, key, code,
                                                               labels):
    things = drive(appName=key)
    database.fail_point("insert", app=key, errorCode=code, errorLabels=labels)
    drive().insert_one({"_id": "of another client " + key})
    with pytest.raises((NotPrimaryError, OperationFailure)) as refused:
        things.insert_one({"_id": key})
    assert refused.value.details["code"] == code
    assert [one for one in labels if not refused.value.has_error_label(one)] == []
    assert not is_there(database, key)
    things.insert_one({"_id": key})


def test_a_fail_point_of_the_write_concern_answers_after_it_is_done(database, drive, key):
    database.fail_point("insert", app=key, writeConcernError={
        "code": 64, "errmsg": "not in time", "errInfo": {"wtimeout": True}})
    with pytest.raises(WTimeoutError):
        drive(appName=key).insert_one({"_id": key})
    assert is_there(database, key)


def test_a_fail_point_closes_the_connection_before_it_is_done(database, drive, key):
    database.fail_point("insert", app=key, closeConnection=True)
    with pytest.raises(AutoReconnect):
        drive(appName=key).insert_one({"_id": key})
    assert not is_there(database, key)


def test_a_step_down_lasts_and_a_start_is_an_election(database, key):
    database.step_down(3600)
    assert not database.is_primary()
    with pytest.raises(NotPrimaryError):
        database.client.tools.things.insert_one({"_id": key})
    assert not is_there(database, key)
    database.stop()
    database.start()
    assert database.is_primary()


def test_after_a_step_down_a_driver_finds_the_next_primary(database, drive, key):
    things = drive()
    things.insert_one({"_id": "before " + key})
    database.step_down(1)

    def write():
        try:
            return things.insert_one({"_id": key}).acknowledged
        except DuplicateKeyError:
            return True
        except (NotPrimaryError, AutoReconnect):
            return False
    wait_for(write, 20, "a primary", interval=0.05)
    assert is_there(database, key)


def test_what_was_acknowledged_outlives_kill_9_and_a_stop(database, drive):
    name, acknowledged = fresh("things"), []
    things = drive().database[name]

    def write():
        try:
            while True:
                things.insert_one({"_id": len(acknowledged)})
                acknowledged.append(len(acknowledged))
        except PyMongoError:
            return
    with ThreadPoolExecutor(1) as pool:
        pool.submit(write)
        wait_for(lambda: len(acknowledged) > 20, 20, "some writes")
        database.kill9()
    for end in (database.start, database.stop, database.start):
        end()
    kept = {one["_id"] for one in database.client.tools[name].find()}
    assert set(acknowledged) <= kept <= set(range(len(acknowledged) + 1))


# --- the proxy

def test_a_driver_stays_behind_the_proxy(proxy, drive, key):
    things = drive(proxy)
    assert things.insert_one({"_id": key}).acknowledged
    assert things.database.client.primary == ("127.0.0.1", proxy.port)
    assert things.find_one({"_id": key}) == {"_id": key}
    assert proxy.wait_asked("insert").document["documents"] == [{"_id": key}]
    assert [one.name for one in proxy.commands if one.name in ("insert", "find")] == [
        "insert", "find"]


@pytest.mark.parametrize("kind,options", [
    ("lost", {}), ("lost", {"reset": True}), ("truncated", {}), ("truncated", {"size": 3}),
    ("truncated", {"size": 16}), ("truncated", {"size": 0}), ("garbage", {})])
def test_an_answer_that_does_not_arrive_whole_belongs_to_what_was_done(
        database, proxy, drive, key, kind, options):
    things = drive(proxy)
    things.insert_one({"_id": "before " + key})
    fault = proxy.fail(kind, "insert", **options)
    with pytest.raises((PyMongoError, bson.errors.BSONError, UnicodeDecodeError)):
        things.insert_one({"_id": key})
    fault.wait_struck()
    assert is_there(database, key)
    with pytest.raises(DuplicateKeyError):
        drive(proxy).insert_one({"_id": key})


@pytest.mark.parametrize("reset", [False, True])
def test_a_cut_belongs_to_what_was_not_done(database, proxy, drive, key, reset):
    fault = proxy.fail("cut", "insert", reset=reset)
    things = drive(proxy)
    with pytest.raises(AutoReconnect):
        things.insert_one({"_id": key})
    assert fault.struck == 1 and not is_there(database, key)
    things.insert_one({"_id": key})


@pytest.mark.parametrize("kind,done", [("hang", True), ("hang_before", False)])
def test_what_hangs_is_given_up_or_goes_on(database, proxy, drive, key, kind, done):
    hasty = drive(proxy, socketTimeoutMS=300)
    fault = proxy.fail(kind, "insert", times=2)
    with pytest.raises(NetworkTimeout):
        hasty.insert_one({"_id": "given up " + key})
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(drive(proxy).insert_one, {"_id": key})
        fault.wait_struck(2)
        assert not waiting.done() and is_there(database, key) == done
        proxy.release(fault)
        assert waiting.result(PATIENT_MS / 1000).acknowledged
    assert is_there(database, key)


def test_an_answer_that_is_slow_arrives(proxy, drive, key):
    things = drive(proxy)
    things.insert_one({"_id": "before " + key})
    fault = proxy.fail("slow", "insert", seconds=0.3)
    began = time.monotonic()
    assert things.insert_one({"_id": key}).acknowledged
    assert time.monotonic() - began > 0.25 and fault.struck == 1


@pytest.mark.parametrize("kind,done", [("replaced", True), ("refuse_command", False)])
def test_another_answer_takes_the_place_of_the_servers(database, proxy, drive, key, kind,
                                                       done):
    proxy.fail(kind, "insert", reply={
        "ok": 0, "code": 91, "codeName": "ShutdownInProgress", "errmsg": "going down",
        "errorLabels": ["RetryableWriteError"]})
    with pytest.raises(AutoReconnect) as refused:
        drive(proxy).insert_one({"_id": key})
    assert refused.value.details["code"] == 91
    assert refused.value.has_error_label("RetryableWriteError")
    assert is_there(database, key) == done


def test_a_fault_waits_for_its_turn(proxy, drive, key):
    things = drive(proxy)
    fault = proxy.fail("refuse_command", "insert", nth=2, times=2, where=lambda command:
                       command["documents"][0].get("mine"),
                       reply={"ok": 0, "code": 13, "errmsg": "no"})
    went = []
    for n in range(8):
        try:
            things.insert_one({"_id": f"{key} {n}", "mine": n % 2 == 0})
            went.append(n)
        except OperationFailure as refused:
            assert refused.code == 13
    assert went == [0, 1, 3, 5, 6, 7] and fault.struck == 2


def test_the_driver_tries_once_more_by_itself_and_it_is_done_once(database, proxy, key):
    """retryWrites: the server knows the second as the first."""
    with pymongo.MongoClient(database.uri(proxy.host), w="majority",
                             serverSelectionTimeoutMS=PATIENT_MS) as client:
        proxy.fail("lost", "insert")
        assert client.tools.things.insert_one({"_id": key}).acknowledged
    first, second = (one.document["txnNumber"] for one in proxy.asked("insert"))
    assert first == second and is_there(database, key)


def test_nobody_listens_until_somebody_does(database, proxy, drive, key):
    things = drive(proxy)
    things.insert_one({"_id": "before " + key})
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port))
    with pytest.raises(ServerSelectionTimeoutError):
        with pymongo.timeout(1):
            while True:  # the first ones end with their connections
                try:
                    things.insert_one({"_id": key})
                except AutoReconnect as error:
                    if isinstance(error, ServerSelectionTimeoutError):
                        raise
    assert not is_there(database, key)
    proxy.listen()
    assert things.insert_one({"_id": key}).acknowledged


def test_a_black_hole_takes_all_and_gives_nothing(database, proxy, drive, key):
    things = drive(proxy)
    things.insert_one({"_id": "before " + key})
    proxy.black_hole()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(things.insert_one, {"_id": key})
        with pymongo.MongoClient(proxy.host, directConnection=True, connectTimeoutMS=300,
                                 serverSelectionTimeoutMS=1000) as other:
            with pytest.raises(ServerSelectionTimeoutError):
                other.admin.command("ping")
        assert not waiting.done() and not is_there(database, key)
        proxy.heal()
        assert waiting.result(PATIENT_MS / 1000).acknowledged
    assert is_there(database, key)


def test_every_connection_can_be_cut_at_once(proxy, drive, key):
    things = drive(proxy)
    things.insert_one({"_id": "before " + key})
    old = set(proxy.links)
    proxy.cut_all()
    wait_for(lambda: not old & set(proxy.links), 10, "the old connections are gone")

    def write():
        try:
            return things.insert_one({"_id": key}).acknowledged
        except AutoReconnect:
            return False
    wait_for(write, 10, "a new connection")


# --- the wire

def test_documents_beside_a_command_are_read_with_it():
    section = b"documents\0" + bson.encode({"_id": 1}) + bson.encode({"_id": 2})
    body = (b"\0\0\0\0" + b"\1" + (len(section) + 4).to_bytes(4, "little") + section
            + b"\0" + bson.encode({"insert": "things", "$db": "tools"}))
    head = (len(body) + 16).to_bytes(4, "little") + b"\7\0\0\0" + bytes(4) + b"\xdd\7\0\0"
    message = Message(head + body)
    assert (message.name, message.id, message.more_to_come) == ("insert", 7, False)
    assert message.command == {"insert": "things", "$db": "tools",
                               "documents": [{"_id": 1}, {"_id": 2}]}
    answer = Message(mongowire.answer(message, {"ok": 1}))
    assert answer.answers == 7 and answer.document == {"ok": 1}
    assert Message(answer.saying({"ok": 0})).document == {"ok": 0}


def test_the_first_greeting_may_be_an_old_query():
    body = (bytes(4) + b"admin.$cmd\0" + bytes(4) + b"\xff\xff\xff\xff"
            + bson.encode({"isMaster": 1, "helloOk": True}))
    head = (len(body) + 16).to_bytes(4, "little") + b"\1\0\0\0" + bytes(4) + b"\xd4\7\0\0"
    assert Message(head + body).command == {"isMaster": 1, "helloOk": True}


@pytest.mark.parametrize("uri, front", [
    ("mongodb://h", "mongodb://h/?"), ("mongodb://h/", "mongodb://h/?"),
    ("mongodb://u:p@h,i:2/db", "mongodb://u:p@h,i:2/db?"), ("mongodb://h/?", "mongodb://h/?"),
    ("mongodb+srv://h/?tls=true", "mongodb+srv://h/?tls=true&")])
def test_options_are_added_to_any_address(uri, front):
    assert with_options(uri, a=1, b="c") == front + "a=1&b=c"
