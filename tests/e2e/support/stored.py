# SPDX-License-Identifier: MIT
"""What an administrator reads in the storage, whichever it is: the documents of
protocol.md 4 under their written names, with plain values. Times are
milliseconds, what is not there is None, JSON in a column is what it says.

`storage(server)` is the view of the storage of a server of this run; the server
may run or not, but for what says otherwise.
"""

import contextlib
import datetime
import json
import re
import sqlite3
from pathlib import Path

from .backend import BACKEND

SESSION = ("_id uid nm modelId ts endTs dur adminAssisted assistingAdminId "
           "assistingAdminName helpRequested totalTokens totalCost lastActivity maxRespTime "
           "avgRespTime respTimes shareToken msgCount seq epoch archived v").split()
MESSAGE = ("_id sid seq cid ts sender type content fileId fileUrl meta status modelId "
           "usage durMs ttftMs finish replyTo replaces superseded convId").split()
USAGE = ("_id uid modelId ts promptTokens completionTokens totalTokens estimated "
         "cachedTokens reasoningTokens cost budgetRoles").split()
FLAGS = {"estimated", "adminAssisted", "helpRequested", "archived", "superseded"}
OBJECTS = {"respTimes", "meta", "usage"}


# Characters of one insert: it is one transaction, and the database that a run
# starts itself stands still for one that its memory does not hold.
AT_ONCE = 2 << 20


class Taken(Exception):
    """A unique key was there."""


def storage(server):
    return Documents(server) if server.env.get("STORE") == "mongo" else Rows(server)


class Stored:
    """What both views have in common."""

    def session(self, sid):
        """The one; None when it is not there."""
        return next(iter(self.sessions(_id=sid)), None)

    def log(self, sid):
        """The session's messages that have a number, in order."""
        return [one for one in self.messages(sid=sid) if one["seq"] is not None]

    def contents(self, sid):
        """The stored texts of messages by number."""
        return {one["seq"]: one["content"] for one in self.log(sid)}

    def whole(self):
        """Fails when the storage itself is damaged."""


class Rows(Stored):
    """SQLite's file, opened by another program."""

    def __init__(self, server):
        self.path = f"{server.data}/chatbox.db"

    def files(self):
        """Where it is on the disk."""
        return list(Path(self.path).parent.glob("chatbox.db*"))

    def pieces(self):
        """How many pieces of running answers there are."""
        with self.open() as db:
            return db.execute("SELECT count(*) FROM pieces").fetchone()[0]

    @contextlib.contextmanager
    def open(self, mode="ro", **options):
        db = sqlite3.connect(f"file:{self.path}?mode={mode}", uri=True, **options)
        try:
            db.row_factory = sqlite3.Row
            yield db
        finally:
            db.close()

    def _read(self, table, members, equal, order="ts, seq"):
        where = " AND ".join(f"{name} IS ?" for name in equal) or "1=1"
        with self.open() as db:
            found = db.execute(f"SELECT {','.join(members)} FROM {table} WHERE {where} "
                               f"ORDER BY {order}", list(equal.values())).fetchall()
        return [{name: self._plain(name, row[name]) for name in members} for row in found]

    @staticmethod
    def _plain(name, value):
        if name in FLAGS:
            assert value in (0, 1)
            return bool(value)
        return json.loads(value) if name in OBJECTS and value is not None else value

    def sessions(self, **equal):
        return self._read("sessions", SESSION, equal)

    def messages(self, **equal):
        return self._read("messages", MESSAGE, equal)

    def usage(self, **equal):
        """What answers used, by time."""
        return self._read("usage", USAGE, equal, "ts, n")

    def begin_with(self, text):
        """How many messages' contents do."""
        with self.open() as db:
            return db.execute("SELECT count(*) FROM messages WHERE substr(content,1,?)=?",
                              (len(text), text)).fetchone()[0]

    def text(self, but=()):
        """Everything that the tables hold, as one text."""
        with self.open() as db:
            tables = [row[0] for row in db.execute(
                "SELECT name FROM sqlite_master WHERE type='table'")]
            return "\n".join(str(tuple(row)) for name in tables if name not in but
                             for row in db.execute(f'SELECT * FROM "{name}"'))

    def add_messages(self, sid, documents):
        """Messages that no server wrote, while it is down: all, or Taken and none."""
        with self.open("rw") as db:
            n, = db.execute("SELECT n FROM sessions WHERE _id=?", (sid,)).fetchone()
            try:
                for one in documents:
                    row = {"session": n, "sid": sid, **one}
                    db.execute(f"INSERT INTO messages({','.join(row)}) "
                               f"VALUES({','.join('?' * len(row))})", list(row.values()))
            except sqlite3.IntegrityError as error:
                raise Taken from error
            db.commit()

    def _change(self, table, where, equal, members):
        with self.open("rw") as db:
            db.execute(f"UPDATE {table} SET {','.join(f'{name}=?' for name in members)} "
                       f"WHERE {where}", [*members.values(), *equal])
            db.commit()

    def change_session(self, sid, **members):
        """While the server is down."""
        self._change("sessions", "_id=?", [sid], members)

    def change_message(self, sid, seq, **members):
        """While the server is down."""
        self._change("messages", "sid=? AND seq=?", [sid, seq], members)

    def whole(self):
        with self.open() as db:
            assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"

    @contextlib.contextmanager
    def refusing_writes(self):
        """While reads go on."""
        with self.open("rw", isolation_level=None, timeout=30) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                db.execute("ROLLBACK")

    @contextlib.contextmanager
    def failing(self):
        """Reads and writes fail."""
        names = ("sessions", "messages", "audit")
        with self.open("rw", isolation_level=None, timeout=30) as db:
            for name in names:
                db.execute(f"ALTER TABLE {name} RENAME TO gone_{name}")
            try:
                yield
            finally:
                for name in names:
                    db.execute(f"ALTER TABLE gone_{name} RENAME TO {name}")


class Documents(Stored):
    """MongoDB's collections, read by another driver."""

    WRITES = ("insert", "update", "delete", "findAndModify")
    READS = ("find", "aggregate", "getMore", "count", "distinct")

    def __init__(self, server):
        self.app = BACKEND.name(server.data)
        self.db = BACKEND.client()[server.env["MONGO_DATABASE"]]
        self.names = {"sessions": server.env.get("MONGO_COLLECTION", "sessions")}

    def _collection(self, name):
        return self.db[self.names.get(name, name)]

    def _read(self, name, members, equal):
        found = self._collection(name).find(equal)
        documents = [{member: self._plain(member, one.get(member)) for member in members}
                     for one in found]
        return sorted(documents, key=lambda one: (
            one["ts"], one.get("seq") is not None, one.get("seq") or 0))

    @classmethod
    def _plain(cls, name, value):
        """Python's own types, as the other view has them."""
        if isinstance(value, datetime.datetime):
            return round(value.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000)
        if isinstance(value, dict):
            return {key: cls._plain(None, one) for key, one in value.items()}
        if isinstance(value, list):
            return [cls._plain(None, one) for one in value]
        if isinstance(value, int) and not isinstance(value, bool):
            return int(value)
        if name in OBJECTS and isinstance(value, str):
            return json.loads(value)
        return False if name in FLAGS and value is None else value

    def sessions(self, **equal):
        return self._read("sessions", SESSION, equal)

    def messages(self, **equal):
        return self._read("messages", MESSAGE, equal)

    def usage(self, **equal):
        """What answers used, by time."""
        return self._read("usage", USAGE, equal)

    def begin_with(self, text):
        """How many messages' contents do."""
        return self._collection("messages").count_documents(
            {"content": {"$regex": f"^{re.escape(text)}"}})

    def text(self, but=()):
        """Everything that the collections hold, as one text."""
        return "\n".join(str(one) for name in self.db.list_collection_names()
                         if name not in but for one in self.db[name].find())

    def add_messages(self, sid, documents):
        """Messages that no server wrote, while it is down: all, or Taken and none."""
        from pymongo.errors import BulkWriteError
        collection = self._collection("messages")
        added = []
        for one in documents:
            added.append({"sid": sid, **one})
            if "ts" in one:
                added[-1]["ts"] = datetime.datetime.fromtimestamp(
                    one["ts"] / 1000, datetime.timezone.utc)
        part = 1 + AT_ONCE // max((len(one.get("content", "")) for one in added), default=1)
        for at in range(0, len(added), part):
            try:
                collection.insert_many(added[at:at + part])
            except BulkWriteError as error:
                assert {e["code"] for e in error.details["writeErrors"]} == {11000}
                there = at + error.details["nInserted"]
                collection.delete_many({"_id": {"$in": [
                    one["_id"] for one in added[:there]]}})
                raise Taken from error

    def change_session(self, sid, **members):
        """While the server is down."""
        self._collection("sessions").update_one({"_id": sid}, {"$set": members})

    def change_message(self, sid, seq, **members):
        """While the server is down."""
        self._collection("messages").update_one({"sid": sid, "seq": seq},
                                                {"$set": members})

    def pieces(self):
        """How many pieces of running answers there are."""
        return self.db["pieces"].count_documents({})

    def files(self):
        """Where it is on the disk; none if that is somebody else's."""
        if BACKEND.given_uri is not None:
            return []
        return [path for path in Path(BACKEND.mongo.folder).rglob("*") if path.is_file()]

    @contextlib.contextmanager
    def _failing(self, commands, code):
        BACKEND.mongo.fail_point(*commands, times=None, app=self.app, errorCode=code)
        try:
            yield
        finally:
            BACKEND.mongo.fail_point_off()

    def refusing_writes(self):
        """While reads go on: LockTimeout, which passes."""
        return self._failing(self.WRITES, 24)

    def failing(self):
        """Reads and writes fail: OperationFailed, which does not pass by itself."""
        return self._failing(self.WRITES + self.READS, 96)
