# SPDX-License-Identifier: MIT
"""Voice messages become questions (protocol.md 2.4, llm.transcription)."""

import json
import signal
import threading

import pytest

from support.receiver import CUT, HANG
from support.server import provider_env
from support.speech import PATH, Speech, words
from support.tokens import token
from support.uploads import SAMPLES, lose, uploaded
from support.waiting import PATIENCE, refuses, wait_for
from support.ws import is_end

KEY = "speech-key-0123456789"
PLACE = {}  # of the service, which the settings of the server name


@pytest.fixture(scope="module", autouse=True)
def speech():
    with Speech() as one:
        PLACE["speech"] = one
        yield one


def settings(fake, speech):
    return {**provider_env(fake), "TRANSCRIPTION_ENDPOINT": speech.endpoint,
            "TRANSCRIPTION_API_KEY": KEY, "TRANSCRIPTION_MODEL": "whisper-1",
            "LLM_RETRY_ATTEMPTS": "3", "LLM_RETRY_DELAY": "10ms",
            "LLM_RETRY_MAX_DELAY": "50ms",
            "LLM_BUDGET_1_ROLE": "poor", "LLM_BUDGET_1_TOKENS_PER_DAY": "1"}


def SETTINGS(fake):
    return settings(fake, PLACE["speech"])


@pytest.fixture
def client(server, user):
    return server.user(user)


def recording(question, mime="audio/ogg"):
    """One that nobody else has."""
    return SAMPLES[mime] + question.encode()


def record(client, question, mime="audio/ogg", data=None):
    data = recording(question, mime) if data is None else data
    return uploaded(client, data, declared=mime)


def say(one, body, **members):
    """The acknowledgement of the recording."""
    one.send({"type": "voice_message", "file_id": body["file_id"],
              "file_url": body["file_url"], **members})
    ack = one.get(lambda f: f["type"] in ("ack", "error"))
    assert ack["type"] == "ack", json.dumps(ack)
    return ack


def ends(one):
    """Of the turns so far."""
    return [frame for frame in one.frames if is_end(frame)]


def refusal_of(one, ack):
    refusal = one.get("error")
    assert refusal["message_id"] == ack["message_id"]
    return refusal["error"]


# --- what was said is asked

def test_what_was_said_is_asked_as_a_question(server, client, chat, user, fake, question, speech):
    """To the sender and the other device; in the log behind the recording."""
    speech.answers[question.encode()] = words(f" {question}\n", language="en")
    one = chat(user)
    other = chat(user, session_id=one.session)
    ack = say(one, record(client, question), client_id="v-1")
    assert ack["client_id"] == "v-1"
    for device in (one, other):
        asked = device.get("user_message")
        assert (asked["content"], asked["sender"], asked["seq"]) == (question, "user", 2)
        assert asked["metadata"]["transcript_of"] == ack["message_id"]
    answer = one.rest_of_turn()
    assert answer.finish == "stop"
    assert answer.loading["reply_to"] == asked["message_id"]
    assert fake.asked(question)[-1].messages[-1] == {"role": "user", "content": question}
    page = client.get(f"/sessions/{one.session}").json()["messages"]
    assert [(m["seq"], m["type"]) for m in page] == [
        (1, "voice_message"), (2, "user_message"), (3, "ai_response")]
    assert page[1]["content"] == question


@pytest.mark.parametrize("mime, name", [
    ("audio/ogg", "voice.ogg"), ("audio/mpeg", "voice.mp3"), ("audio/wav", "voice.wav"),
    ("audio/mp4", "voice.m4a"), ("audio/webm", "voice.webm"), ("video/webm", "voice.webm"),
    ("video/mp4", "voice.mp4")])
def test_the_service_gets_the_recording_in_its_own_form(client, chat, user, question, speech,
                                                        mime, name):
    data = SAMPLES.get(mime, SAMPLES["video/webm"]) + question.encode()
    one = chat(user)
    say(one, record(client, question, mime, data))
    assert one.rest_of_turn().finish == "stop"
    request, = speech.asked(question.encode())
    assert request.path == PATH
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.fields == {"model": "whisper-1", "response_format": "json"}
    assert (request.file.get_filename(), request.file.get_content_type()) == (name, mime)
    assert request.bytes == data


def test_a_repeat_is_not_transcribed_again(client, chat, user, question, speech):
    one = chat(user)
    body = record(client, question)
    ack = say(one, body, client_id="v-1")
    assert one.rest_of_turn().finish == "stop"
    assert say(one, body, client_id="v-1")["message_id"] == ack["message_id"]
    assert one.quiet() == []
    assert one.turn("and by hand").finish == "stop"
    assert len(speech.asked(question.encode())) == 1


def test_a_speaker_who_leaves_is_answered(client, chat, user, question, speech):
    """By the log, when the service takes its time."""
    go = threading.Event()
    speech.answers[question.encode()] = lambda _: go.wait(30) and words("still there?")
    one = chat(user)
    say(one, record(client, question))
    wait_for(lambda: speech.asked(question.encode()), 10, "the service is asked")
    one.close()
    go.set()

    def log():
        page = client.get(f"/sessions/{one.session}").json()["messages"]
        return [m["type"] for m in page if m["status"] != "streaming"]
    wait_for(lambda: log() == ["voice_message", "user_message", "ai_response"], 10, "the answer")


class Crowd:
    """Holds all until it lets them go, and counts the most who were there."""

    def __init__(self):
        self.gate, self.lock = threading.Event(), threading.Lock()
        self.here = self.most = 0

    def say(self, text):
        def answer(_):
            with self.lock:
                self.here += 1
                self.most = max(self.most, self.here)
            self.gate.wait(30)
            with self.lock:
                self.here -= 1
            return words(text)
        return answer


def test_many_at_once_are_asked_each_once(client, chat, user, question, speech, fake):
    """Three sessions, four recordings each: as many as a session may have; the service is
    asked four at a time."""
    crowd = Crowd()
    bodies = {f"{question} {n}": record(client, f"{question} {n}") for n in range(12)}
    for text in bodies:
        speech.answers[text.encode()] = crowd.say(text)
    ones = [chat(user, session_id=client.post("/sessions").json()["id"]) for _ in range(3)]
    for n, body in enumerate(bodies.values()):
        say(ones[n % 3], body)
    wait_for(lambda: crowd.here == 4, 10, "four are with the service")
    assert ones[0].turn("and by hand meanwhile").finish == "stop"
    crowd.gate.set()
    for one in ones:
        while len(ends(one)) < 4 + (one is ones[0]):
            one.recv()
        assert {frame.get("finish_reason") for frame in ends(one)} == {"stop"}
    for text in bodies:
        assert len(speech.asked(text.encode())) == len(fake.asked(text)) == 1
    assert crowd.most == 4


@pytest.mark.parametrize("role, code", [("rich", None), ("poor", "BUDGET_EXCEEDED")])
def test_the_question_is_the_speaker_s(server, connect, client, user, fake, question, speech,
                                       role, code):
    """Of their budget."""
    speech.answers[question.encode()] = words(question)
    one = connect(server, user, bearer=token(user, roles=[role]))
    say(one, record(client, question))
    assert (one.rest_of_turn().error or {}).get("code") == code
    assert len(fake.asked(question)) == (code is None)


def test_no_more_than_a_session_may_have(client, chat, user, question, speech):
    """The fifth is stored, and told that it is one too many."""
    go = threading.Event()
    speech.answers[question.encode()] = lambda _: go.wait(30) and words("hello")
    one = chat(user)
    body = record(client, question)
    for _ in range(4):
        say(one, body)
    error = refusal_of(one, say(one, body))
    assert (error["code"], error["recoverable"]) == ("SERVICE_ERROR", True)
    assert error["retry_after"] > 0
    go.set()
    assert [one.rest_of_turn().finish for _ in range(4)] == ["stop"] * 4


# --- what fails is told; the recording stays

def flaky(*answers):
    return lambda number: answers[min(number, len(answers)) - 1]


@pytest.mark.parametrize("first", [(503, {}), (429, {"Retry-After": "0"}), (408, {}), CUT])
def test_what_may_pass_is_tried_again(client, chat, user, question, speech, first):
    speech.answers[question.encode()] = flaky(first, words("hello"))
    one = chat(user)
    say(one, record(client, question))
    assert one.rest_of_turn().finish == "stop"
    assert len(speech.asked(question.encode())) == 2


@pytest.mark.parametrize("answer, code, tries", [
    ((400, {}), "LLM_UNAVAILABLE", 1), ((401, {}), "LLM_UNAVAILABLE", 1),
    ((500, {}), "LLM_UNAVAILABLE", 3), ((429, {"Retry-After": "60"}), "LLM_UNAVAILABLE", 1),
    ((302, {"Location": "http://127.0.0.1:1/"}), "LLM_UNAVAILABLE", 1),
    ((200, {}, b""), "LLM_UNAVAILABLE", 1), ((200, {}, b"hello"), "LLM_UNAVAILABLE", 1),
    ((200, {}, b'{"text":7}'), "LLM_UNAVAILABLE", 1),
    ((200, {}, b'{"text":"a'), "LLM_UNAVAILABLE", 1),
    ((200, {}, b'{"text":"\xff"}'), "LLM_UNAVAILABLE", 1),
    (words(""), "INVALID_FORMAT", 1), (words(" \n "), "INVALID_FORMAT", 1),
    (words("x" * 100001), "INVALID_FORMAT", 1)],
    ids=lambda v: repr(v)[:40])
def test_a_failure_is_told_and_the_recording_stays(server, client, chat, user, question, speech,
                                                   answer, code, tries):
    """To every device, with the recording's id; one log line and one count, no content."""
    speech.answers[question.encode()] = answer
    before = server.metric("chatbox_transcription_failures_total")
    one = chat(user)
    other = chat(user, session_id=one.session)
    ack = say(one, record(client, question))
    assert refusal_of(one, ack)["code"] == refusal_of(other, ack)["code"] == code
    assert len(speech.asked(question.encode())) == tries
    assert server.metric("chatbox_transcription_failures_total") == before + 1
    line, = [line for line in server.logged("transcription_failed")
             if line.get("message_id") == ack["message_id"]]
    assert KEY not in json.dumps(line)
    page = client.get(f"/sessions/{one.session}").json()["messages"]
    assert [m["type"] for m in page] == ["voice_message"]
    assert one.turn("and by hand").finish == "stop"


def test_a_service_that_is_silent_is_not_waited_for(spawn, connect, user, fake, question, speech):
    """LLM_TIMEOUT; not asked again, as it would take as long again."""
    speech.answers[question.encode()] = HANG
    server = spawn({**settings(fake, speech),
                    "LLM_FIRST_BYTE_TIMEOUT": f"{500 * PATIENCE:g}ms"})
    one = connect(server, user)
    ack = say(one, record(server.user(user), question))
    assert refusal_of(one, ack)["code"] == "LLM_TIMEOUT"
    assert len(speech.asked(question.encode())) == 1


def test_what_is_no_recording_is_not_sent(client, chat, user, question, speech):
    one = chat(user)
    ack = say(one, record(client, question, "image/png", SAMPLES["image/png"] + question.encode()))
    error = refusal_of(one, ack)
    assert (error["code"], error["field"]) == ("INVALID_FILE_TYPE", "file_id")
    assert speech.asked(question.encode()) == []


def test_a_recording_that_is_gone(server, client, chat, user, question):
    body = record(client, question)
    lose(server, body["file_id"])
    one = chat(user)
    error = refusal_of(one, say(one, body))
    assert (error["code"], error["field"]) == ("NOT_FOUND", "file_id")


def test_a_recording_that_services_do_not_take(client, chat, user, question, speech):
    """One byte more than 25 MB; with one less it is heard."""
    most = 25 << 20
    head = SAMPLES["audio/wav"]
    one = chat(user)
    data = head + b"\1" * (most - len(head) + 1 - len(question)) + question.encode()
    error = refusal_of(one, say(one, record(client, question, "audio/wav", data)))
    assert error["code"] == "INVALID_FILE_SIZE"
    assert speech.asked(question.encode()) == []
    say(one, record(client, question, "audio/wav", data[:len(head)] + data[len(head) + 1:]))
    assert one.rest_of_turn().finish == "stop"


def test_a_file_upload_is_only_a_file(client, chat, user, question, speech):
    one = chat(user)
    body = record(client, question)
    one.send({"type": "file_upload", "file_id": body["file_id"], "file_url": body["file_url"]})
    assert one.recv()["type"] == "ack"
    assert one.turn("and a question").finish == "stop"
    assert speech.asked(question.encode()) == []


# --- sessions and servers that go meanwhile

def test_a_session_that_is_deleted_meanwhile(server, client, chat, user, question, speech, fake):
    """The service is not waited for, and nothing is asked."""
    before = server.metric("chatbox_transcriptions_total")
    go = threading.Event()
    speech.answers[question.encode()] = lambda _: go.wait(30) and words(question)
    one = chat(user)
    say(one, record(client, question))
    wait_for(lambda: speech.asked(question.encode()), 10, "the service is asked")
    assert client.delete(f"/sessions/{one.session}").status_code == 204
    go.set()
    assert chat(user).turn("another").finish == "stop"
    assert server.metric("chatbox_transcriptions_total") == before
    assert fake.asked(question) == []


def test_a_server_that_stops_waits_for_the_words(spawn, connect, fake, question, user, speech):
    """The question is stored before it goes, and its sender learns that it was not asked."""
    go = threading.Event()
    speech.answers[question.encode()] = lambda _: go.wait(30) and words(question)
    server = spawn(settings(fake, speech))
    one = connect(server, user)
    say(one, record(server.user(user), question))
    wait_for(lambda: speech.asked(question.encode()), 10, "the service is asked")
    server.signal(signal.SIGTERM)
    wait_for(lambda: refuses(server), 5, "it drains")
    go.set()
    assert one.get("user_message")["content"] == question
    assert one.get("error")["error"]["code"] == "SERVICE_ERROR"
    server.wait_exit()
    assert fake.asked(question) == []
