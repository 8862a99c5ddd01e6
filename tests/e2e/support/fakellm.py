# SPDX-License-Identifier: MIT
"""A scriptable OpenAI-compatible model: asyncio in a thread of the test process.

Scripts are tied to the question (the last text of the user's), so tests on one
server never take each other's answers; successive requests with one question
take successive answers, and the last one stays. Every request is recorded with
the moment the other side closed.
"""

import asyncio
import functools
import json
import socket
import struct
import threading
import time

from .answer import Answer, plain
from .waiting import PATIENCE, wait_for


# What every model is told behind an answer that it goes on with (decision 0046).
GO_ON = "Your last message was cut off by a technical fault. Go on with it"


class Moment(threading.Event):
    """Something that happens, waited for as patiently as all else."""

    def wait(self, timeout=None):
        return super().wait(timeout and timeout * PATIENCE)


class Request:
    """One request as it arrived."""

    def __init__(self, method, path, headers, body):
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
        self.at = time.monotonic()
        self.answered = Moment()  # the script ran to its end
        self.closed = Moment()  # the peer closed, also while answering
        self.gone_early = False  # the peer closed before the script's end

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def messages(self):
        return self.json["messages"]

    @property
    def pairs(self):
        """The messages as (role, text)."""
        return [(m["role"], m["content"]) for m in self.messages]

    @property
    def partial(self):
        """The answer that is to be gone on with; None when there is none."""
        *_, before, last = {}, {}, *self.messages
        told = last.get("role") == "user" and str(last["content"]).startswith(GO_ON)
        return before["content"] if told and before.get("role") == "assistant" else None

    @functools.cached_property
    def question(self):
        """The last message's text, of a question; None when the body is something else."""
        try:
            at = -1 if self.partial is None else -3
            said = self.messages[at]["content"]
            if isinstance(said, list):  # with pictures, or results of tools
                said = "".join(part.get("text") or part.get("content", "") for part in said)
            return said
        except (ValueError, KeyError, IndexError, TypeError):
            return None


class Peer:
    """One accepted connection: buffered reads that notice the end at any time."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.buffer = b""
        self.eof = asyncio.Event()
        self.more = asyncio.Event()
        self.task = asyncio.ensure_future(self._pump())

    async def _pump(self):
        try:
            while data := await self.reader.read(65536):
                self.buffer += data
                self.more.set()
        except OSError:
            pass
        self.eof.set()
        self.more.set()

    async def until(self, condition):
        """Wait until the buffer satisfies `condition`; False at the end."""
        while not condition():
            if self.eof.is_set():
                return False
            self.more.clear()
            await self.more.wait()
        return True

    async def request(self):
        if not await self.until(lambda: b"\r\n\r\n" in self.buffer):
            return None
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = await self.chunked()
        else:
            size = int(headers.get("content-length", "0"))
            await self.until(lambda: len(self.buffer) >= size)
            body, self.buffer = self.buffer[:size], self.buffer[size:]
        return Request(method, path, headers, body)

    async def chunked(self):
        body = b""
        while await self.until(lambda: b"\r\n" in self.buffer):
            line, self.buffer = self.buffer.split(b"\r\n", 1)
            size = int(line, 16)
            await self.until(lambda: len(self.buffer) >= size + 2)
            body += self.buffer[:size]
            self.buffer = self.buffer[size + 2:]
            if size == 0:
                break
        return body


class FakeLLM:
    """The model's server. `endpoint` is what LLM_PROVIDER_n_ENDPOINT takes."""

    def __init__(self):
        self.requests = []
        self.connections = 0
        self.scripts = {}
        self.gates = {}
        self.opened = set()
        self.default = lambda: plain("Hello", " from", " the", " model.")
        self.loop = asyncio.new_event_loop()
        self.peers = set()
        started = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self.thread.start()
        assert started.wait(5)

    # --- for tests

    def when(self, question, *answers):
        """The answers to requests whose last message is `question`."""
        self.scripts[question] = list(answers)

    def open(self, name):
        """Open a gate; also one that nobody has reached yet. It stays open, so that a
        name is good for one test."""
        assert name not in self.opened, f"{name} is open already"
        self.opened.add(name)
        self.loop.call_soon_threadsafe(lambda: self._gate(name).set())

    def asked(self, question):
        """The requests with this question, oldest first."""
        return [r for r in list(self.requests) if r.question == question]

    def wait_asked(self, question, count=1, timeout=5):
        wait_for(lambda: len(self.asked(question)) >= count, timeout,
                 f"{count} requests with {question!r}")
        return self.asked(question)[count - 1]

    def drained(self):
        """Has the other side read everything that was written to it?"""
        remote = f":{self.port:04X}"
        with open("/proc/net/tcp", encoding="ascii") as table:
            rows = [line.split() for line in table][1:]
        return all(int(queue, 16) == 0 for row in rows
                   for queue, ours in ((row[4].split(":")[1], row[2].endswith(remote)),
                                       (row[4].split(":")[0], row[1].endswith(remote)))
                   if ours)

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)

    # --- inside

    def _run(self, started):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}"
        self.endpoint = f"{self.base}/v1"
        started.set()
        self.loop.run_forever()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        server.close()

    def _gate(self, name):
        return self.gates.setdefault(name, asyncio.Event())

    def _pick(self, request):
        answers = self.scripts.get(request.question)
        if not answers:
            return self.default()
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def _serve(self, reader, writer):
        peer = Peer(reader, writer)
        self.connections += 1
        self.peers.add(peer)
        last = None
        try:
            while (request := await peer.request()) is not None:
                last = request
                self.requests.append(request)
                if not await self._answer(peer, request, self._pick(request)):
                    break
            await peer.eof.wait()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            if last is not None:
                last.closed.set()
            peer.task.cancel()
            writer.close()
            self.peers.discard(peer)

    async def _answer(self, peer, request, answer):
        """Play the script; True when the connection may carry another."""
        watch = asyncio.ensure_future(self._watch(peer, request))
        try:
            alive = await self._steps(peer, answer.early)
            if alive:
                self._head(peer, answer)
                alive = await self._steps(peer, answer.steps, answer)
            if alive and answer.framing == "chunked":
                peer.writer.write(b"0\r\n\r\n")
            if alive:
                await peer.writer.drain()
        finally:
            watch.cancel()
            request.answered.set()
        if alive and answer.framing == "close":
            peer.writer.close()
            return False
        return alive

    async def _watch(self, peer, request):
        await peer.eof.wait()
        request.gone_early = True
        request.closed.set()

    @staticmethod
    def _head(peer, answer):
        if answer.framing == "raw":
            return  # the script writes it
        lines = [f"HTTP/1.1 {answer.status} Whatever"]
        lines += [f"{k}: {v}" for k, v in answer.headers.items()]
        if answer.framing == "chunked":
            lines.append("Transfer-Encoding: chunked")
        elif answer.framing == "length":
            lines.append(f"Content-Length: {len(answer.body())}")
        else:
            lines.append("Connection: close")
        peer.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")

    async def _steps(self, peer, steps, answer=None):
        """Run steps in order; False when the connection is over."""
        for step in steps:
            kind = step[0]
            if kind == "bytes":
                await self._write(peer, step[1], answer)
            elif kind == "gate":
                await self._either(peer, self._gate(step[1]).wait())
            elif kind == "trickle":
                while not peer.eof.is_set():
                    await self._write(peer, step[1], answer)
                    await self._either(peer, asyncio.sleep(step[2]))
            elif kind == "silence":
                await peer.eof.wait()
            elif kind == "fin":
                await peer.writer.drain()
                peer.writer.close()
                return False
            elif kind == "rst":
                await peer.writer.drain()
                self._reset(peer)
                return False
            if peer.eof.is_set():
                return False
        return True

    @staticmethod
    async def _either(peer, waiting):
        """Wait for `waiting` or for the peer to go."""
        tasks = [asyncio.ensure_future(waiting), asyncio.ensure_future(peer.eof.wait())]
        _, late = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in late:
            task.cancel()

    @staticmethod
    async def _write(peer, data, answer):
        size = answer.pieces or len(data) or 1
        for at in range(0, len(data), size):
            piece = data[at:at + size]
            if answer.framing == "chunked":
                piece = b"%x\r\n%s\r\n" % (len(piece), piece)
            peer.writer.write(piece)
            await peer.writer.drain()
            if answer.pieces:
                await asyncio.sleep(0)

    @staticmethod
    def _reset(peer):
        sock = peer.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.writer.transport.abort()


__all__ = ["Answer", "FakeLLM", "Request", "plain"]
