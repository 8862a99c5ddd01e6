# SPDX-License-Identifier: MIT
"""Behind a proxy the server goes while 200 answers are running, and comes back: the
clients resume, and nothing is lost or there twice."""

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from support.answer import Answer
from support.fronts import HAProxy, Nginx
from support.server import provider_env
from support.waiting import PATIENCE, wait_for
from support.ws import Chat, fresh, is_end

COUNT = 200
BEGIN, END = "some words, ", "and the end"


class Client:
    """Keeps what it was told, by number, and comes again until it is let in."""

    def __init__(self, front, fake, n):
        self.front, self.n, self.source = front, n, f"127.0.1.{n + 1}"
        self.user, self.question = fresh("user"), fresh("question")
        fake.when(self.question,
                  Answer().tokens(BEGIN).gate(self.question).tokens(END).finish())
        self.log, self.text, self.refused = {}, "", 0
        self.chat = Chat(front, self.user, source=self.source)
        self.session, self.epoch = self.chat.session, self.chat.hello["epoch"]
        self.chat.say(self.question, client_id="first")
        while self.text != BEGIN:
            self.take(self.chat.recv(30))

    def take(self, frame):
        if frame["type"] == "ack":
            self.note(frame["seq"], self.question)
        elif "seq" in frame and frame["type"] in ("user_message", "ai_response"):
            self.note(frame["seq"], frame.get("content") or self.text)
        elif frame["type"] == "ai_response" and not is_end(frame):
            self.text += frame["content"]

    def note(self, seq, content):
        assert seq not in self.log, "the same event twice"
        self.log[seq] = content

    def leave(self):
        self.chat.drop()

    def read_to_the_end(self):
        try:
            while True:
                self.take(self.chat.recv(30))
        except ConnectionClosed:
            pass

    def knock(self):
        try:
            return Chat(self.front, self.user, source=self.source,
                        session_id=self.session, last_seq=max(self.log),
                        epoch=self.epoch)
        except InvalidStatus as error:
            assert error.response.status_code in (502, 503)
            self.refused += 1
            return None

    def resume(self):
        self.chat = wait_for(self.knock, 30, "the server is there again", 0.1)
        assert self.chat.hello["resumed"] is True
        assert self.chat.hello["session_id"] == self.session
        for frame in self.chat.quiet():
            self.take(frame)

    def go_on(self):
        """Another question; gives what is stored."""
        turn = self.chat.turn("and now?", timeout=30, client_id="second")
        assert turn.ack["seq"] == 3 and turn.seq == 4 and turn.finish == "stop"
        with self.front.user(self.user, source=self.source) as http:
            return http.get(f"/sessions/{self.session}").json()["messages"]

    def judge(self):
        stored = self.go_on()
        assert [m["seq"] for m in stored] == [1, 2, 3, 4]
        assert self.log == {m["seq"]: m["content"] for m in stored[:2]}
        assert stored[0]["content"] == self.question
        answer = stored[1]
        assert answer["content"].startswith(self.text), "what was seen is there"
        assert answer["content"] == {"stop": BEGIN + END,
                                     "interrupted": BEGIN}[answer["finish_reason"]]
        return answer["finish_reason"]


@pytest.mark.timeout(120 * PATIENCE)
@pytest.mark.parametrize("kind,how", [
    (Nginx, signal.SIGTERM), (Nginx, signal.SIGKILL), (HAProxy, signal.SIGTERM)],
    ids=["nginx, a stop", "nginx, a kill", "haproxy, a stop"])
def test_two_hundred_streams_and_a_restart(spawn, fake, authority, kind, how):
    server = spawn({**provider_env(fake), "TRUSTED_PROXIES": "127.0.0.1",
                    "SHUTDOWN_TIMEOUT": "3s", "LLM_IDLE_TIMEOUT": "1h",
                    "LLM_STREAM_TIMEOUT": "1h"})
    front = kind(server, authority)
    try:
        with ThreadPoolExecutor(16) as pool:
            clients = list(pool.map(lambda n: Client(front, fake, n), range(COUNT)))
            # What is younger than a second may go with a crash.
            wait_for(lambda: server.metric("chatbox_drafts_stored_total") >= COUNT, 10,
                     "what they have seen is durable")
            away = [one for one in clients if one.n % 4 == 0]
            there = [one for one in clients if one.n % 4]
            for one in away:  # they hear nothing of the end
                one.leave()
            server.signal(how)
            for one in clients:  # while it stops, every other answer comes to its end
                if one.n % 2:
                    fake.open(one.question)
            list(pool.map(Client.read_to_the_end, there))
            server.wait_exit({signal.SIGTERM: 3, signal.SIGKILL: -9}[how])
            knocking = [pool.submit(one.resume) for one in clients]
            wait_for(lambda: any(one.refused for one in clients), 10, "nobody is there")
            server.start()
            for one in knocking:
                one.result()
            ends = list(pool.map(Client.judge, clients))
    finally:
        front.close()
    assert set(ends[::2]) == {"interrupted"}
    assert "stop" in ends or how == signal.SIGKILL
