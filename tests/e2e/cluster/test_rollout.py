# SPDX-License-Identifier: MIT
"""The program started as pods of the chart are, several of them on one database and
one volume, and replaced as a rolling update does it."""

import signal

import pytest
from websockets.exceptions import InvalidStatus

from support.answer import Answer
from support.charts import containers, environment, mounted, pod, rendered, settings
from support.mongotalk import GONE
from support.server import API_KEY, reserve_port, run_cli
from support.tokens import SECRET
from support.uploads import png, relative, uploaded
from support.waiting import PATIENCE, wait_for
from support.ws import Chat


class Pods:
    """What Kubernetes does with the Deployment. Each pod is at a port of its own
    here, as all have one address."""

    def __init__(self, spawn, fake, database, folder):
        self.spawn, self.fake, self.volume = spawn, fake, folder / "data"
        self.secrets, self.kept = folder / "secrets", []
        self.volume.mkdir()
        self.secrets.mkdir()
        keys = {"JWT_SECRET": SECRET, "MONGO_URI": database.uri(),
                "ENCRYPTION_KEYS": "k1:" + "A" * 43 + "=", "LLM_PROVIDER_1_API_KEY": API_KEY}
        for name, value in keys.items():
            (self.secrets / name).write_text(value)

    def port(self):
        self.kept.append(reserve_port())
        return self.kept[-1].getsockname()[1]

    def start(self):
        """One more; its probe says that it is ready."""
        documents = rendered(*settings(
            f"port={self.port()}", f"cluster.port={self.port()}",
            "cluster.podNetworks={127.0.0.0/8}", "shutdown.drainDelaySeconds=0",
            "config.LLM_PROVIDER_1_ID=fake",
            f"config.LLM_PROVIDER_1_ENDPOINT={self.fake.endpoint}"), values="mongo")
        check, serve = containers(documents)
        assert set(mounted(documents)) == {one.name for one in self.secrets.iterdir()}
        env = {**environment(documents, serve, self.secrets, pod_ip="127.0.0.1"),
               "DATA_DIR": str(self.volume)}
        checked = run_cli(*check["command"][1:], env=env)
        assert checked.returncode == 0, checked.all
        one = self.spawn({"JWT_SECRET": None, **env}, data=str(self.volume),
                         command=tuple(serve["command"][1:]))
        one.grace = pod(documents)["terminationGracePeriodSeconds"]
        return one

    def close(self):
        for one in self.kept:
            one.close()


@pytest.fixture
def pods(spawn, fake, database, tmp_path):
    one = Pods(spawn, fake, database, tmp_path)
    yield one
    one.close()


def stands_by(server):
    """None: it is not ready."""
    answer = server.http.get("/readyz")
    return answer.json().get("standby", False) if answer.status_code == 200 else None


def reaches(server):
    """A question comes to the one that serves, which wants a token. Not at once: for a
    moment after a change one that stands by calls at the door of who was there before."""
    return server.http.get("/models").status_code == 401


def settled(*servers):
    """Waits until one of them serves and the others stand by for it and pass on to it,
    also by what Prometheus reads; gives these."""
    def look():
        states = [stands_by(one) for one in servers]
        read = [one.metric("chatbox_standby") for one in servers]
        return (states.count(False) == 1 and None not in states and states == read
                and all(reaches(one) for one in servers))
    wait_for(look, 15, "one serves, the others stand by")
    return [one for one in servers if stands_by(one)]


def again(server, one):
    """The same client at this pod, when somebody has the database."""
    def knock():
        try:
            return Chat(server, one.user, session_id=one.session, epoch=one.hello["epoch"],
                        last_seq=max(frame.get("seq", 0) for frame in one.frames))
        except InvalidStatus as error:
            assert error.response.status_code == 503
        except GONE:
            pass
        return None
    come = wait_for(knock, 30, "it is let in")
    assert come.hello["resumed"] is True and come.hello["session_id"] == one.session
    return come


@pytest.mark.timeout(120 * PATIENCE)
def test_an_update_replaces_pod_by_pod_under_a_chat(pods, connect, fake, question):
    """A new one is ready, then an old one goes; its client finds another."""
    fake.when(question, Answer().tokens("so ").gate(question).tokens("far").finish())
    first, second = pods.start(), pods.start()
    assert settled(first, second) == [second]
    one = connect(second)
    file = uploaded(second.user(one.user))
    one.say(question)
    assert one.get("ai_response")["content"] == "so ", "by way of the pod that stands by"
    third = pods.start()
    first.signal(signal.SIGTERM)
    fake.open(question)
    turn = one.rest_of_turn()
    assert turn.text == "far" and turn.finish == "stop", "it may end"
    first.wait_exit(0, first.grace)
    two = again(second, one)
    assert two.turn("and now?").finish == "stop"
    fourth = pods.start()
    second.stop(0, timeout=second.grace)
    three = again(third, two)
    assert three.turn("still there?").finish == "stop"
    [waiting] = settled(third, fourth)
    with waiting.user(one.user) as http:
        log = http.get(f"/sessions/{one.session}").json()["messages"]
        assert [m["seq"] for m in log] == [1, 2, 3, 4, 5, 6]
        assert log[1]["content"] == "so far"
        assert http.get(relative(waiting, file["file_url"])).content == png()
    for client in (two, three):
        client.close()
