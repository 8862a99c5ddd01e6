# SPDX-License-Identifier: MIT
"""A deleted session's texts, where rows of many sessions shared their pages.

SQLite overwrites a row that it deletes where it lies. When it writes a page anew, because
its free bytes lie scattered, the rows' former places become unused as they are: copies that
no deletion finds. That happens to one page of dozens, so here the copies are put there, once
a server has written the pages; tests/unit/store/test_store_sqlite_sweep.c has SQLite's own."""

import random
import sqlite3
import struct
from pathlib import Path

import pytest

from support.answer import Answer, plain
from support.server import provider_env
from support.waiting import wait_for
from support.ws import fresh

pytestmark = pytest.mark.sqlite

SESSIONS = 12
LONG = 6  # of them have a long answer

PAGE = 4096
LEAF = 13  # the kind of a page with a table's rows


def files_of(server):
    return b"".join(path.read_bytes() for path in Path(server.data).glob("chatbox.db*"))


def drafts(server):
    with sqlite3.connect(f"{server.data}/chatbox.db") as db:
        (count,) = db.execute("SELECT count(*) FROM messages WHERE seq IS NULL").fetchone()
    db.close()
    return count


def leave_copies(server, secrets):
    """Fills what pages of rows do not use (https://sqlite.org/fileformat2.html, 1.6) with
    the secrets, again and again; returns how many there are."""
    path = Path(server.data) / "chatbox.db"
    file = bytearray(path.read_bytes())
    left = 0
    for page in range(PAGE, len(file), PAGE):
        kind, _, cells, content = struct.unpack_from(">BHHH", file, page)
        begin, end = page + 8 + 2 * cells, page + content
        while kind == LEAF and cells and begin + len(secrets[0]) <= end:
            file[begin:begin + len(secrets[0])] = secrets[left % len(secrets)]
            begin += len(secrets[0])
            left += 1
    path.write_bytes(file)
    return left


class Texts:
    """What is said in a session, a secret in each text; its first line, the session's
    name, has none."""

    def __init__(self, n):
        self.secrets = []
        self.said = []
        self.n = n

    def text(self, length):
        secret = fresh(f"secret{self.n:02}")
        self.secrets.append(secret.encode())
        self.said.append(f"hello\n{secret} " + "x" * length)
        return self.said[-1]


def converse(server, connect, fake, dice):
    """Long answers begin one by one, and short turns of the others follow each. At last the
    long ones end, and each row grows where it lies, between those of others."""
    talks = [(Texts(n), connect(server, "ann", session_id=f"s{n}")) for n in range(SESSIONS)]
    begun = []
    for n, (texts, one) in enumerate(talks[:LONG]):
        question, answer = texts.text(50), texts.text(2200 + dice.randrange(900))
        fake.when(question, Answer().tokens(answer).gate(question).finish())
        one.say(question)
        wait_for(lambda n=n: drafts(server) == n + 1, 10, "it is stored as far as it is")
        begun.append((one, question))
        for others, other in talks[LONG:]:
            question = others.text(dice.randrange(300))
            fake.when(question, plain(others.text(dice.randrange(300))))
            assert other.turn(question).finish == "stop"
    for one, question in dice.sample(begun, LONG):
        fake.open(question)
        assert one.rest_of_turn().finish == "stop"
    return [(texts, one.session) for texts, one in talks]


def delete(server, gone):
    for _, sid in gone:
        assert server.user("ann").delete(f"/sessions/{sid}").status_code == 204


def delete_and_stop(server, gone):
    """Somebody reads from before the deletion until the stop."""
    with sqlite3.connect(f"{server.data}/chatbox.db", isolation_level=None) as db:
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM messages").fetchone()
        delete(server, gone)
        db.execute("COMMIT")
    db.close()
    server.stop()


def delete_and_kill(server, gone):
    delete(server, gone)
    server.kill9()


@pytest.mark.parametrize("deletion", [delete, delete_and_stop, delete_and_kill])
def test_copies_that_rearranged_pages_have_left_go_too(spawn, connect, fake, deletion):
    """When a session is deleted no byte of its texts stays in a file, while the
    server runs on, when it stops at once, and at the next start when it was killed."""
    dice = random.Random(4)
    server = spawn(provider_env(fake))
    talks = converse(server, connect, fake, dice)
    gone = dice.sample(talks, SESSIONS // 2)
    secrets = [s for texts, _ in gone for s in texts.secrets]
    server.stop()
    assert leave_copies(server, secrets) > len(secrets)
    server.start()
    deletion(server, gone)
    if deletion is delete_and_kill:
        assert leave_copies(server, secrets) > len(secrets), "as if killed before the sweep"
        server.start()
    if deletion is not delete_and_stop:
        wait_for(lambda: not any(s in files_of(server) for s in secrets), 10, "bytes gone")
        server.stop()
    assert not any(s in files_of(server) for s in secrets)
    server.start()
    for texts, sid in talks:
        answer = server.user("ann").get(f"/sessions/{sid}")
        if (texts, sid) in gone:
            assert answer.status_code == 404
        else:
            assert [m["content"] for m in answer.json()["messages"]] == texts.said
    server.stop()
    with sqlite3.connect(f"{server.data}/chatbox.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
