# SPDX-License-Identifier: MIT
"""A place that notifications are posted to: keeps what came, answers as told."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .waiting import wait_for

CUT, HANG = "cut", "hang"


class Post:
    """One request as it came."""

    def __init__(self, handler, body):
        self.path = handler.path
        self.headers = handler.headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)


class Receiver:
    """`answer(post, number)` gives a status, (status, headers), (status, headers, body),
    CUT or HANG; number counts the tries of the same delivery from 1."""

    def __init__(self, answer=lambda post, number: 200, port=0):
        self.posts = []
        self.answer = answer
        self.tries = {}
        self.over = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_POST(self):
                receiver._take(self)

            def do_GET(self):
                receiver._take(self)

            def log_message(self, *_):
                pass
        self.http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,),
                                       daemon=True)
        self.thread.start()

    def _take(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        post = Post(handler, body)
        key = post.headers.get("X-Chatbox-Delivery") or body
        number = self.tries[key] = self.tries.get(key, 0) + 1
        self.posts.append(post)
        what = self.answer(post, number)
        if what == HANG:
            self.over.wait(60)
        if what in (CUT, HANG):
            handler.close_connection = True
            return
        status, headers, text = (*what, b"")[:3] if isinstance(what, tuple) else (what, {}, b"")
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def of(self, session):
        """What came about a session, in order."""
        return [post for post in list(self.posts)
                if post.path == "/hook" and post.json.get("session_id") == session]

    def wait(self, session, count=1, timeout=10):
        return wait_for(lambda: len(self.of(session)) >= count and self.of(session),
                        timeout, f"{count} notifications of {session}")

    def close(self):
        self.over.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
