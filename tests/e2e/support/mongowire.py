# SPDX-License-Identifier: MIT
"""MongoDB's wire protocol, as much as a proxy must understand: OP_MSG, and the
OP_QUERY and OP_REPLY of the first greeting."""

import struct

import bson

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
CHECKSUM, MORE_TO_COME = 1, 2  # flags of OP_MSG
HELLO = ("hello", "isMaster", "ismaster")


class Message:
    """One message, as it came: `data` is all of it, with its header."""

    def __init__(self, data):
        self.data = data
        self.size, self.id, self.answers, self.op = struct.unpack_from("<iiii", data)
        self.more_to_come = False
        self.document, self.sequences = {}, {}
        if self.op == OP_MSG:
            self._sections()
        elif self.op == OP_QUERY:
            self.document = bson.decode(self._document(data.index(b"\0", 20) + 9)[0])
        else:
            self.document = bson.decode(self._document(36)[0])

    @property
    def name(self):
        """The command's name; of an answer, its first member's."""
        return next(iter(self.document), None)

    @property
    def command(self):
        """The command with the documents that stand beside it."""
        return {**self.document, **self.sequences}

    def _document(self, at):
        size, = struct.unpack_from("<i", self.data, at)
        return self.data[at:at + size], at + size

    def _sections(self):
        flags, = struct.unpack_from("<I", self.data, 16)
        self.more_to_come = bool(flags & MORE_TO_COME)
        at, end = 20, len(self.data) - (4 if flags & CHECKSUM else 0)
        while at < end:
            kind = self.data[at]
            if kind == 0:
                raw, at = self._document(at + 1)
                self.document = bson.decode(raw)
                continue
            size, = struct.unpack_from("<i", self.data, at + 1)
            section = self.data[at + 5:at + 1 + size]
            name, _, rest = section.partition(b"\0")
            self.sequences[name.decode()] = bson.decode_all(rest)
            at += 1 + size

    def saying(self, document):
        """The bytes of this answer with another document in it."""
        body = bson.encode(document)
        if self.op == OP_REPLY:
            body = self.data[16:36] + body
        else:
            body = struct.pack("<IB", MORE_TO_COME if self.more_to_come else 0, 0) + body
        return struct.pack("<iiii", 16 + len(body), self.id, self.answers, self.op) + body


def answer(to, document):
    """The bytes of an answer to an OP_MSG that the database has not seen."""
    body = struct.pack("<IB", 0, 0) + bson.encode(document)
    return struct.pack("<iiii", 16 + len(body), to.id ^ 0x40000000, to.id, OP_MSG) + body


async def read(reader):
    """The bytes of the next message; none at the end of the connection, and none of
    whoever talks something else, whose length is no length."""
    header = await reader.readexactly(16)
    size, _, _, op = struct.unpack("<iiii", header)
    if op not in (OP_REPLY, OP_QUERY, OP_MSG):
        raise ValueError(f"operation {op}")
    return header + await reader.readexactly(size - 16)
