# SPDX-License-Identifier: MIT
"""Which database the servers of this run store in: SQLite, or with `--store mongo`
MongoDB. There each data folder has a database of its own, as it has a file of its
own in SQLite; a server that starts again on its folder finds it again."""

import hashlib

from .waiting import PATIENCE


def with_options(uri, **options):
    """The address with more options behind its own; both its host and its database may
    be without a slash."""
    front, question, own = uri.partition("?")
    if "/" not in front.partition("://")[2]:
        front += "/"
    more = "&".join(f"{name}={value}" for name, value in options.items())
    return f"{front}?{own + '&' if question and own else ''}{more}"


class Backend:
    """One per process of the run. The database is started when the first server is."""

    def __init__(self):
        self.kind = "sqlite"
        self.given_uri = None
        self.own = None
        self.used = set()

    def choose(self, kind, uri=None):
        """`uri`: a server that runs already; it is not started, stopped or harmed."""
        self.kind, self.given_uri = kind, uri

    @property
    def mongo(self):
        """The database's process; None when its address was given."""
        from .mongoserver import MongoServer  # needs pymongo, and this module's reader
        if self.own is None and self.given_uri is None:
            self.own = MongoServer()
        return self.own

    def name(self, data):
        """The database that belongs to a data folder."""
        return "e2e_" + hashlib.sha256(data.encode()).hexdigest()[:24]

    def uri(self, data):
        """Its connections carry its name, so that fail points can be theirs alone. A
        slow machine is no reason to take the run's own database for one that is away."""
        name = self.name(data)
        if self.given_uri is None:
            return self.mongo.uri(appName=name, socketTimeoutMS=round(8000 * PATIENCE))
        return with_options(self.given_uri, appName=name)

    def env(self, data):
        """The settings of a server that stores beside this folder."""
        if self.kind == "sqlite":
            return {}
        self.used.add(self.name(data))
        return {"STORE": "mongo", "MONGO_URI": self.uri(data),
                "MONGO_DATABASE": self.name(data), "MONGO_CONNECT_TIMEOUT": f"{5 * PATIENCE:g}s"}

    def client(self):
        """Ours, past the servers."""
        import pymongo
        if self.given_uri is None:
            return self.mongo.client
        return pymongo.MongoClient(self.given_uri, w="majority", journal=True)

    def sockets(self):
        """The ends of all connections to the database, as /proc names them."""
        if self.kind == "sqlite":
            return set()
        from pymongo.uri_parser import parse_uri
        ports = ({self.mongo.port} if self.given_uri is None else
                 {port for _, port in parse_uri(self.given_uri)["nodelist"]})
        with open("/proc/net/tcp", encoding="ascii") as table:
            rows = [line.split() for line in table][1:]
        return {f"socket:[{row[9]}]" for row in rows
                if int(row[2].rpartition(":")[2], 16) in ports}

    @property
    def own_database(self):
        """MongoDB, in a server that this run starts."""
        return self.kind == "mongo" and self.given_uri is None

    def forget(self, data):
        """The folder is gone; so is its database. Our own server goes as a whole at
        the end; to drop a database costs it as much as to fill one."""
        name = self.name(data)
        if name in self.used and not self.own_database:
            self.used.discard(name)
            self.client().drop_database(name)

    def close(self):
        if self.own is not None:
            self.own.close()
        elif self.given_uri is not None:
            for name in set(self.used):
                self.client().drop_database(name)


BACKEND = Backend()
