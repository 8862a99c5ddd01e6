# SPDX-License-Identifier: MIT
"""What a server that waits for the database passes on to the one that has it, and what
becomes of that when either of them ends."""

import json
import signal
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.answer import Answer, plain
from support.rawhttp import RawConn, request
from support.standbys import member, messages, new_name, serves, stands_by
from support.tlsmodel import HERE
from support.uploads import png, relative, uploaded
from support.waiting import PATIENCE, wait_for
from support.ws import Chat, fresh, upgrade

SOMEBODY, SOMEBODY_ELSE = "127.0.0.9", "127.0.0.8"  # neither is a trusted proxy
FEW = 5  # tokens of an address that may be wrong
STREAMS = 20


@pytest.fixture(scope="module")
def pair(spawn_module, fake, database):
    """One that has the database, and one that waits; nobody ends them."""
    name = new_name()
    both = [spawn_module(member(fake, database, name, FAILURE_RATE_LIMIT=str(FEW)))
            for _ in range(2)]
    assert serves(both[0]) and stands_by(both[1])
    return both


@pytest.fixture
def start(spawn, fake, database):
    name = new_name()

    def begin(**members):
        return spawn(member(fake, database, name, **members))
    return begin


def stream(client, question):
    """A streamed answer at the OpenAI door, as a context."""
    body = {"model": "fake", "stream": True,
            "messages": [{"role": "user", "content": question}]}
    return client.stream("POST", "/v1/chat/completions", content=json.dumps(body))


def read_to(pieces, word):
    text = ""
    while word not in text:
        text += next(pieces)
    return text


# --- what goes through

def test_probes_are_of_the_server_that_is_asked(pair):
    holder, standby = pair
    for one in pair:
        assert one.http.get("/healthz").json()["status"] == "healthy"
        assert one.http.head("/readyz").status_code == 200
    assert "storage" in holder.http.get("/readyz").json()["checks"]
    assert standby.http.get("/readyz").json()["checks"] == {"holder": {"status": "ready"}}


def test_a_stream_comes_as_it_is_said(pair, fake, question):
    fake.when(question, Answer().role().tokens("so ").gate(question).tokens("far").finish())
    with pair[1].user(fresh()) as http, stream(http, question) as answer:
        assert answer.status_code == 200
        pieces = answer.iter_text()
        read_to(pieces, "so ")
        fake.open(question)
        assert "".join(pieces).endswith("data: [DONE]\n\n")


def test_a_client_that_goes_is_heard_of_by_the_model(pair, fake, question):
    fake.when(question, Answer().role().tokens("so ").silence())
    with pair[1].user(fresh()) as http, stream(http, question) as answer:
        read_to(answer.iter_text(), "so ")
    asked = fake.wait_asked(question)
    assert asked.closed.wait(10)
    wait_for(lambda: pair[1].metric("chatbox_standby_pipes") == 0, 10, "nothing is left")


def test_a_large_file_goes_up_and_comes_down_as_slowly_as_it_is_read(pair):
    holder, standby = pair
    data, user = png(6 << 20), fresh()
    with standby.user(user) as http:
        file = uploaded(http, data)
    path = standby.prefix + relative(standby, file["file_url"])
    with RawConn(standby, rcvbuf=4096) as slow:
        slow.send(request(standby, "GET", path))
        wait_for(lambda: standby.metric("chatbox_standby_pipes") == 1, 10, "it is joined")
        with standby.user(user) as http:  # nobody waits for the slow one
            assert http.get(path[len(standby.prefix):]).content == data
        assert slow.read_response().body == data


def test_an_upgrade_that_is_refused_is_refused_in_the_holders_words(pair):
    answer = upgrade(pair[1], bearer="no.such.token")
    assert answer.status == 401 and answer.json()["code"] == "INVALID_TOKEN"
    assert answer.header("connection") == "close"


# --- whose request it is

def said_from(server, source, data):
    """Everything that is answered to these bytes of an address, to the end."""
    with socket.create_connection(("127.0.0.1", server.port), 10 * PATIENCE,
                                  source_address=(source, 0)) as conn:
        conn.sendall(data)
        said = b""
        while piece := conn.recv(65536):
            said += piece
    return said


def wrong_token(server, forged):
    return request(server, "GET", server.prefix + "/models",
                   [("Authorization", "Bearer no.such.token"),
                    ("X-Forwarded-For", forged)])


def test_a_second_request_does_not_come_in_behind_the_first(pair):
    """Whose it is would be its own word."""
    holder, standby = pair
    data = (request(standby, "GET", standby.prefix + "/models", [("Connection", "keep-alive")])
            + wrong_token(standby, "198.51.100.77"))
    said = said_from(standby, SOMEBODY, data)
    assert said.count(b"HTTP/1.1 ") == 1 and b"\r\nConnection: close\r\n" in said
    assert holder.wait_log("http_refused", client=SOMEBODY)
    assert not holder.logged("http_refused", client="198.51.100.77")


def test_a_limit_by_address_holds_whatever_a_client_says_of_itself(pair):
    standby = pair[1]
    statuses = [said_from(standby, SOMEBODY, wrong_token(standby, f"198.51.100.{n}"))[9:12]
                for n in range(2 * FEW)]
    assert statuses[-1] == b"429", statuses
    other = said_from(standby, SOMEBODY_ELSE, wrong_token(standby, "198.51.100.1"))
    assert other[9:12] == b"401", "another address is not to blame"


def test_tls_ends_at_the_server_that_is_asked(start, authority, connect, fake, question):
    """And the other one knows that the client spoke it."""
    fake.when(question, plain("fine"))
    file = str(authority.pair(HERE))
    first, second = (start(TLS_CERT_FILE=file, TLS_KEY_FILE=file) for _ in range(2))
    assert serves(first) and stands_by(second)
    own = f"https://127.0.0.1:{second.port}"
    assert connect(second, headers={"Origin": own}).turn(question).text == "fine"
    assert upgrade(second, headers={"Origin": own.replace("https", "http")}).status == 403


# --- when one of them ends

def test_who_waits_ends_without_harm_to_what_it_does_not_carry(start, connect, fake,
                                                               question):
    """A plain request may have its answer; sockets come again elsewhere."""
    fake.when(question, Answer().role().tokens("so ").gate(question).tokens("far").finish())
    first, second = start(), start()
    near, far = connect(first), connect(second)
    with second.user(fresh()) as http, stream(http, question) as answer:
        pieces = answer.iter_text()
        read_to(pieces, "so ")
        second.signal(signal.SIGTERM)
        far.closed()
        fake.open(question)
        assert "".join(pieces).endswith("data: [DONE]\n\n")
    second.wait_exit(0)
    assert near.turn("hello").finish == "stop"
    again = connect(first, far.user, session_id=far.session)
    assert again.turn("hello").finish == "stop"


def test_a_conversation_goes_on_at_the_same_door(start, connect, fake, question):
    """The holder stops; the client comes again to where it was, and has lost nothing."""
    fake.when(question, plain("one"))
    fake.when(question + "2", plain("two"))
    first, second = start(), start()
    one = connect(second)
    turn = one.turn(question, client_id="c-1")
    first.stop()
    one.closed()
    wait_for(lambda: serves(second), 15, "the second one serves")
    again = connect(second, one.user, session_id=one.session, last_seq=turn.seq,
                    epoch=one.hello["epoch"])
    assert again.hello["resumed"] and again.quiet() == [], "nothing comes twice"
    repeated = again.turn(question, client_id="c-1")
    assert repeated.end["content"] == "one", "a repeat finds its answer"
    assert again.turn(question + "2", client_id="c-2").text == "two"
    assert [m["content"] for m in messages(second, one)] == [
        question, "one", question + "2", "two"]
    assert len(fake.asked(question)) == 1


def checkpointed(database, server):
    """How many running answers have some of their text in the database."""
    stored = database.client[server.env["MONGO_DATABASE"]]
    return len({piece["_id"].split(".")[0] for piece in stored.pieces.find({}, {"_id": 1})})


def test_a_death_cuts_many_streams_and_loses_no_answer(start, database, fake, question):
    """The words of the last second may be gone (decision 11), so each has its checkpoint."""
    first, second = start(), start()

    def begin(n):
        text = f"{question}-{n}"
        fake.when(text, Answer().role().tokens("some ", "words").silence())
        one = Chat(second)
        one.say(text, client_id="c")
        one.get("ai_response")
        return one, text

    def judge(one, text):
        asked, answer = messages(second, one)
        assert asked["content"] == text and answer["status"] == "interrupted"
        assert answer["content"] and "some words".startswith(answer["content"])
        assert len(fake.asked(text)) == 1, "and it is not asked again"

    with ThreadPoolExecutor(STREAMS) as pool:
        crowd = list(pool.map(begin, range(STREAMS)))
        wait_for(lambda: checkpointed(database, first) == STREAMS, 15, "all are durable")
        first.kill9()
        codes = list(pool.map(lambda pair: pair[0].closed(), crowd))
        assert codes == [None] * STREAMS, "each is cut, not closed in good order"
        wait_for(lambda: serves(second), 15, "the second one serves")
        list(pool.map(lambda pair: judge(*pair), crowd))
