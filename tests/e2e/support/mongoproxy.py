# SPDX-License-Identifier: MIT
"""Stands between a driver and a MongoDB server and fails on demand: asyncio in
a thread of the test process.

The server's greeting names its own address, and drivers go where it sends them:
the proxy writes itself into it, so that they stay behind it. A fault is tied to
the n-th command of a name that comes from then on; everything else passes. Whoever
talks another protocol (TLS) is hung up on at once, as by a database without it.

| kind | the command is carried out | what the driver gets |
|---|---|---|
| cut | no | the connection ends |
| hang_before | when released | nothing until then |
| refuse_command | no | `reply`, as if the server had said it |
| lost | yes | the connection ends |
| truncated | yes | the first `size` bytes of the answer, then the end |
| garbage | yes | an answer of the right length full of noise |
| hang | yes | nothing until it is released |
| slow | yes | the answer, `seconds` later |
| replaced | yes | `reply` instead of the answer |
"""

import asyncio
import socket
import struct
import threading
import time

from . import mongowire
from .mongowire import HELLO, Message
from .server import reserve_port
from .waiting import PATIENCE, wait_for

BEFORE = ("cut", "hang_before", "refuse_command")
AFTER = ("lost", "truncated", "garbage", "hang", "slow", "replaced")


class Fault:
    """One fault; `struck` is how often it has had its effect."""

    def __init__(self, kind, command, nth, times, where, options):
        assert kind in BEFORE + AFTER, kind
        self.kind, self.command, self.where = kind, command, where
        self.nth, self.times, self.options = nth, times, options
        self.seen = self.struck = 0
        self.released = asyncio.Event()

    def takes(self, message):
        """Whether it is this command's turn."""
        if message.name != self.command if self.command else message.name in HELLO:
            return False
        if self.where and not self.where(message.command):
            return False
        self.seen += 1
        return self.nth <= self.seen and (
            self.times is None or self.seen < self.nth + self.times)

    def wait_struck(self, count=1, timeout=10):
        wait_for(lambda: self.struck >= count, timeout,
                 f"{self.kind} of {self.command} for the {count}. time")


class Seen:
    """One command as it arrived."""

    def __init__(self, message):
        self.name, self.document = message.name, message.command
        self.at = time.monotonic()


class Link:
    """One connection of a driver and the one to the server that belongs to it."""

    def __init__(self, client, server):
        self.client, self.server = client, server
        self.pending = {}  # id of a command: its fault

    def end(self, reset=False):
        for _, writer in (self.client, self.server):
            if reset:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
            else:
                writer.close()


class MongoProxy:
    """Its address is `host`; `commands` holds what drivers asked, greetings too."""

    def __init__(self, port):
        self.target = port
        self.commands = []
        self.knocks = 0  # connections that drivers began
        self.faults = []
        self.links = set()
        self.loop = asyncio.new_event_loop()
        self.open = asyncio.Event()
        self.open.set()
        self.kept = reserve_port()
        self.port = self.kept.getsockname()[1]  # where it can listen again
        started = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self.thread.start()
        assert started.wait(30 * PATIENCE)

    # --- for tests

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    def fail(self, kind, command=None, nth=1, times=1, where=None, **options):
        """A fault for the n-th such command from now on and as many more as `times`
        says (None: all of them). Without a command: of any but greetings. `where` is
        asked with the command's document. Options: reply, size, seconds, and
        reset=True for an end by RST."""
        fault = Fault(kind, command, nth, times, where, options)
        self._do(lambda: self.faults.append(fault))
        return fault

    def release(self, fault):
        """What hangs goes on, and nothing more will."""
        self._do(lambda: self._heal(fault))

    def heal(self):
        """No faults any more: everything passes, what hangs goes on."""
        self._do(self._heal_all)

    def cut_all(self, reset=False):
        """Every connection ends now."""
        self._do(lambda: [link.end(reset) for link in set(self.links)])

    def refuse(self):
        """Nobody listens any more, and every connection ends."""
        self._do(self._refuse)

    def listen(self):
        """Listens again, on the same port."""
        asyncio.run_coroutine_threadsafe(self._listen(), self.loop).result(30 * PATIENCE)

    def well(self):
        """Heals, and listens if it does not."""
        self.heal()
        if not self.server.is_serving():
            self.listen()

    def black_hole(self):
        """No byte comes through in either direction, of old and new connections."""
        self._do(self.open.clear)

    def asked(self, name):
        """The commands of this name, oldest first."""
        return [one for one in list(self.commands) if one.name == name]

    def wait_asked(self, name, count=1, timeout=10):
        wait_for(lambda: len(self.asked(name)) >= count, timeout, f"{count} {name}")
        return self.asked(name)[count - 1]

    def close(self):
        self.heal()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5 * PATIENCE)
        self.kept.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- inside

    def _do(self, function):
        async def run():
            return function()
        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(30 * PATIENCE)

    def _run(self, started):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._listen())
        started.set()
        self.loop.run_forever()
        self.server.close()
        for link in set(self.links):
            link.end()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.close()

    async def _listen(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    def _refuse(self):
        self.server.close()
        for link in set(self.links):
            link.end(reset=True)

    def _heal(self, fault):
        fault.released.set()
        if fault in self.faults:
            self.faults.remove(fault)

    def _heal_all(self):
        self.open.set()
        for fault in list(self.faults):
            self._heal(fault)

    async def _serve(self, reader, writer):
        self.knocks += 1
        await self.open.wait()
        try:
            server = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        link = Link((reader, writer), server)
        self.links.add(link)
        ways = [asyncio.ensure_future(self._up(link)),
                asyncio.ensure_future(self._down(link))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            link.end()
            self.links.discard(link)

    async def _up(self, link):
        """From the driver to the server, message by message, until either ends."""
        while True:
            message = Message(await mongowire.read(link.client[0]))
            await self.open.wait()
            self.commands.append(Seen(message))
            fault = next((one for one in self.faults if one.takes(message)), None)
            if fault and fault.kind in BEFORE and not await self._before(
                    link, message, fault):
                continue
            if fault:
                link.pending[message.id] = fault
            link.server[1].write(message.data)
            await link.server[1].drain()

    async def _before(self, link, message, fault):
        """Whether the server gets to see the command."""
        fault.struck += 1
        if fault.kind == "hang_before":
            await fault.released.wait()
            return True
        if fault.kind == "cut":
            link.end(fault.options.get("reset", False))
        else:
            link.client[1].write(mongowire.answer(message, fault.options["reply"]))
        return False

    async def _down(self, link):
        """From the server to the driver."""
        while True:
            message = Message(await mongowire.read(link.server[0]))
            fault = link.pending.pop(message.answers, None)
            data = message.data
            if "maxWireVersion" in message.document:  # a greeting, also one of a stream
                data = message.saying(self._introduce(message.document))
            if fault and fault.kind in AFTER:
                data = await self._after(link, message, data, fault)
            await self.open.wait()
            link.client[1].write(data)
            await link.client[1].drain()

    def _introduce(self, document):
        """A greeting that sends drivers here, and lets them compress nothing."""
        mine = {"hosts": [self.host], "me": self.host, "primary": self.host}
        return {name: mine.get(name, value) for name, value in document.items()
                if name != "compression"}

    async def _after(self, link, message, data, fault):
        """What the driver gets of the answer."""
        kind, options = fault.kind, fault.options
        if kind == "hang":
            fault.struck += 1
            await fault.released.wait()
            return data
        if kind == "slow":
            await asyncio.sleep(options["seconds"])
        elif kind == "replaced":
            data = message.saying(options["reply"])
        elif kind == "garbage":
            data = data[:21] + b"\xa5" * (len(data) - 21)
        elif kind == "truncated":
            link.client[1].write(data[:options.get("size", len(data) // 2)])
        if kind in ("lost", "truncated"):
            link.end(options.get("reset", False))
            data = b""
        fault.struck += 1
        return data
