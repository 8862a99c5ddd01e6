# SPDX-License-Identifier: MIT
"""Stands before an S3 server and fails on demand, one thread a connection. It passes
on what it gets, so that signatures (of the proxy's own address) stay right.

| kind | S3 gets the request | what the client gets |
|---|---|---|
| refuse | no | `status`, and a body that says `code` |
| cut_request | `size` bytes of its body | the end of the connection |
| cut_answer | yes | `size` bytes of the answer's body, then the end |
| lost | yes | the end of the connection |
| hang | no | nothing until `release`, then the end |
"""

import socket
import threading

from .waiting import PATIENCE, wait_for

HEAD_END = b"\r\n\r\n"


class Fault:
    """Of the next `times` requests of a method (None: of all)."""

    def __init__(self, kind, method, times, options):
        self.kind, self.method, self.times, self.options = kind, method, times, options
        self.struck = 0
        self.released = threading.Event()

    def takes(self, method):
        if method != self.method or self.times == self.struck:
            return False
        self.struck += 1
        return True

    def wait_struck(self, count=1):
        wait_for(lambda: self.struck >= count, 20, f"{self.kind} of {self.method}")

    def release(self):
        self.times = self.struck
        self.released.set()


class Request:
    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.path, _ = lines[0].split(" ")
        self.headers = {name.lower(): value.strip() for name, _, value in
                        (line.partition(":") for line in lines[1:])}
        kept = [line for line in lines[1:] if line.partition(":")[0].lower() not in
                ("expect", "connection")]
        self.forwarded = "\r\n".join([lines[0], *kept, "Connection: close"]).encode(
            "latin-1") + HEAD_END


class Listening:
    """At a port of its own; each connection has a thread, which calls `_serve`."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()


class S3Proxy(Listening):
    def __init__(self, port):
        self.to = port
        self.faults, self.requests = [], []
        self.lock = threading.Lock()
        super().__init__()

    def fault(self, kind, method, times=1, **options):
        one = Fault(kind, method, times, options)
        with self.lock:
            self.faults.append(one)
        return one

    def clear(self):
        """Everything passes from now on, and what hangs ends."""
        with self.lock:
            for fault in self.faults:
                fault.release()
            self.faults = []

    def asked(self, method):
        return [one for one in list(self.requests) if one.method == method]

    def close(self):
        self.clear()
        super().close()

    # --- a connection: one request

    def _serve(self, client):
        with client:
            client.settimeout(60 * PATIENCE)
            try:
                self._pass(client)
            except OSError:
                pass  # one of the two has hung up

    def _pass(self, client):
        data = b""
        while HEAD_END not in data:
            more = client.recv(65536)
            if not more:
                return
            data += more
        head, _, body = data.partition(HEAD_END)
        request = Request(head)
        with self.lock:
            self.requests.append(request)
            fault = next((f for f in self.faults if f.takes(request.method)), None)
        kind = fault.kind if fault else None
        if kind == "hang":
            fault.released.wait(60 * PATIENCE)
        elif kind == "refuse":
            self._refuse(client, **fault.options)
        else:
            self._forward(client, request, body, kind, fault)

    def _refuse(self, client, status, code=""):
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode()
        client.sendall(f"HTTP/1.1 {status} No\r\nConnection: close\r\nContent-Length: "
                       f"{len(body)}".encode() + HEAD_END + body)
        client.shutdown(socket.SHUT_WR)
        while client.recv(65536):
            pass  # what it sends all the same; a reset would lose the answer

    def _forward(self, client, request, body, kind, fault):
        left = int(request.headers.get("content-length", 0)) - len(body)
        with socket.create_connection(("127.0.0.1", self.to)) as far:
            far.settimeout(60 * PATIENCE)
            far.sendall(request.forwarded + body)
            if "expect" in request.headers:
                client.sendall(b"HTTP/1.1 100 Continue" + HEAD_END)
            passed = len(body)
            while left > 0:
                if kind == "cut_request" and passed >= fault.options["size"]:
                    return
                data = client.recv(65536)
                if not data:
                    return
                far.sendall(data)
                passed, left = passed + len(data), left - len(data)
            self._answer(client, far, kind, fault)

    def _answer(self, client, far, kind, fault):
        data = b""
        while more := far.recv(65536):
            data += more
        head, _, body = data.partition(HEAD_END)
        if kind == "cut_answer":
            body = body[:fault.options["size"]]
        if kind != "lost":
            client.sendall(head + HEAD_END + body)


class Tunnel(Listening):
    """A proxy for `https_proxy` that leads to one port, whatever it is asked for."""

    def __init__(self, port):
        self.to, self.hosts = port, []
        super().__init__()

    def _serve(self, client):
        head = b""
        while HEAD_END not in head:
            byte = client.recv(1)
            if not byte:
                return
            head += byte
        self.hosts.append(head.split(b" ")[1].decode())
        client.sendall(b"HTTP/1.1 200 Yes" + HEAD_END)
        far = socket.create_connection(("127.0.0.1", self.to))
        for one, other in ((client, far), (far, client)):
            threading.Thread(target=pipe, args=(one, other), daemon=True).start()


def pipe(one, other):
    """All that one says, up to its end."""
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # one of the two has gone
