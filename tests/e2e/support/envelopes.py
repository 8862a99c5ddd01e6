# SPDX-License-Identifier: MIT
"""Envelopes that must be refused and that must pass: protocol.md 2.3.

A frame is text, or a dict that is encoded. REFUSED: (name, frame, CODE, field);
field None: the error has no `field`; field "*": any.
"""

import datetime
import json

FORMAT, MISSING, NOT_FOUND = "INVALID_FORMAT", "MISSING_FIELD", "NOT_FOUND"
RIGHTS = "INSUFFICIENT_PERMISSIONS"


def say(content="hello", **members):
    return {"type": "user_message", "content": content, **members}


def wire(frame):
    """The text of a frame; ASCII escapes for what JSON cannot carry raw."""
    return frame if isinstance(frame, str) else json.dumps(frame)


def later(seconds):
    moment = datetime.datetime.now(datetime.timezone.utc)
    moment += datetime.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def nested(levels):
    """A ping whose outer object is level 1 and whose deepest is `levels`."""
    return '{"type":"ping","x":' + "[" * (levels - 1) + "]" * (levels - 1) + "}"


def metadata(**pairs):
    return say(metadata=pairs)


NOT_JSON = [
    ("nothing", ""), ("space", "   "), ("a word", "hello"), ("open brace", "{"),
    ("cut string", '{"type":"pi'), ("cut member", '{"type":'),
    ("trailing comma", '{"type":"ping",}'), ("text behind", '{"type":"ping"} x'),
    ("two objects", '{"type":"ping"}{"type":"ping"}'),
    ("single quotes", "{'type':'ping'}"), ("bare name", '{type:"ping"}'),
    ("comment", '{"type":"ping"/*x*/}'), ("NaN", '{"type":"ping","x":NaN}'),
    ("Infinity", '{"type":"ping","x":Infinity}'), ("undefined", "undefined"),
    ("plus", '{"type":"ping","x":+1}'), ("leading zero", '{"type":"ping","x":01}'),
    ("dot", '{"type":"ping","x":1.}'), ("hex", '{"type":"ping","x":0x1}'),
    ("True", '{"type":"ping","x":True}'),
    ("byte order mark", '\ufeff{"type":"ping"}'),
    ("raw newline in a string", '{"type":"ping","x":"a\nb"}'),
    ("raw NUL in a string", '{"type":"ping","x":"a\0b"}'),
    ("raw NUL outside", '{"type":"ping"}\0'),
    ("raw tab in a string", '{"type":"ping","x":"a\tb"}'),
    ("bad escape", '{"type":"ping","x":"\\x41"}'),
    ("short escape", '{"type":"ping","x":"\\u12"}'),
    ("bad escape digits", '{"type":"ping","x":"\\u12G4"}'),
]

SHAPE = [
    ("an array", "[]", FORMAT), ("a string", '"ping"', FORMAT), ("a number", "7", FORMAT),
    ("null", "null", FORMAT), ("true", "true", FORMAT),
    ("array of an object", '[{"type":"ping"}]', FORMAT),
    ("type twice", '{"type":"ping","type":"ping"}', FORMAT),
    ("type twice by an escape", '{"type":"ping","t\\u0079pe":"ping"}', FORMAT),
    ("an unknown member twice", '{"type":"ping","x":1,"x":2}', FORMAT),
    ("a deep member twice", '{"type":"ping","x":{"y":1,"y":2}}', FORMAT),
    ("lone high surrogate", '{"type":"ping","x":"\\ud800"}', FORMAT),
    ("lone low surrogate", '{"type":"ping","x":"\\udc00"}', FORMAT),
    ("high surrogate and a letter", '{"type":"ping","x":"\\ud83da"}', FORMAT),
    ("surrogates in the wrong order", '{"type":"ping","x":"\\ude00\\ud83d"}', FORMAT),
    ("lone surrogate in a name", '{"type":"ping","\\ud800":1}', FORMAT),
    ("lone surrogate in content",
     '{"type":"user_message","content":"a\\ud800b"}', FORMAT),
    ("nine levels", nested(9), FORMAT), ("a hundred levels", nested(100), FORMAT),
    ("ten thousand levels", nested(10_000), FORMAT),
    ("ten thousand open brackets", "[" * 10_000, FORMAT),
]

# Wrong as a whole, and yet JSON: the member that is to blame, None: there is none.
BLAMED = [
    ("content twice", '{"type":"user_message","content":"a","content":"b"}', "content"),
    ("a name twice by an escape", '{"type":"ping","t\\u0079pe":"ping"}', "type"),
    ("metadata twice", '{"type":"user_message","content":"a","metadata":{"b":"1"},'
     '"metadata":{}}', "metadata"),
    ("a metadata key twice", '{"type":"user_message","content":"a","metadata":'
     '{"a":"1","b":"1","b":"2"}}', "metadata.b"),
    ("a name twice inside another", '{"type":"ping","x":{"y":1,"y":2}}', "x"),
    ("a lone surrogate in content", '{"type":"user_message","content":"a\\ud800b"}',
     "content"),
    ("a lone surrogate behind a pair", '{"type":"ping","x":"\\ud83d\\ude00",'
     '"y":"\\ude00\\ud83d"}', "y"),
    ("a lone surrogate in metadata", '{"type":"user_message","content":"a","metadata":'
     '{"k":"\\udc00"}}', "metadata.k"),
    ("a lone surrogate in a metadata key", '{"type":"user_message","content":"a",'
     '"metadata":{"\\udc00":"v"}}', "metadata"),
    ("a lone surrogate in a name", '{"type":"ping","\\ud800":1}', None),
    ("a number beyond all", '{"type":"user_message","content":"a","metadata":'
     '{"k":1e999}}', "metadata.k"),
    ("nine levels", nested(9), "x"), ("sixty levels", nested(60), "x"),
    ("nine levels in metadata", '{"type":"user_message","content":"a","metadata":'
     '{"k":' + "[" * 7 + "]" * 7 + "}}", "metadata.k"),
    ("nine levels of arrays", "[" * 9 + "]" * 9, None),
    ("a lone surrogate and a comma", '{"type":"ping","x":"\\ud800",}', None),
    ("an escaped backslash before the u", '{"type":"ping","x":"\\\\ud800","x":1}', "x"),
]

SERVER_TYPES = ["ai_response", "connection_status", "loading", "ack", "error", "pong",
                "notification"]

MEMBERS = [
    ("type absent", {}, MISSING, "type"),
    ("type null", {"type": None}, MISSING, "type"),
    ("type empty", {"type": ""}, MISSING, "type"),
    ("type of spaces", {"type": "  "}, MISSING, "type"),
    ("type a number", {"type": 5}, FORMAT, "type"),
    ("type true", {"type": True}, FORMAT, "type"),
    ("type a list", {"type": ["ping"]}, FORMAT, "type"),
    ("type unknown", {"type": "dance"}, FORMAT, "type"),
    ("type in capitals", {"type": "PING"}, FORMAT, "type"),
    ("type very long", {"type": "t" * 10_000}, FORMAT, "type"),
    *[(f"type of the server: {name}", {"type": name, "content": "x"}, FORMAT, "type")
      for name in SERVER_TYPES],
    ("content absent", {"type": "user_message"}, MISSING, "content"),
    ("content null", say(None), MISSING, "content"),
    ("content empty", say(""), MISSING, "content"),
    ("content of spaces", say(" \t\r\n "), MISSING, "content"),
    ("content of NUL", say("\0\0"), MISSING, "content"),
    ("content of NUL and spaces", say(" \0 \0 "), MISSING, "content"),
    ("content a number", say(5), FORMAT, "content"),
    ("content true", say(True), FORMAT, "content"),
    ("content a list", say(["hello"]), FORMAT, "content"),
    ("content an object", say({"text": "hello"}), FORMAT, "content"),
    ("content too long", say("x" * 10_001), FORMAT, "content"),
    ("content too long in emoji", say("😀" * 10_001), FORMAT, "content"),
    ("content too long before trimming", say("x" * 9_999 + "  "), FORMAT, "content"),
    ("content too long by NUL", say("x" * 10_000 + "\0"), FORMAT, "content"),
    ("session_id a number", say(session_id=1), FORMAT, "session_id"),
    ("session_id a list", say(session_id=[]), FORMAT, "session_id"),
    ("session_id of 129 bytes", say(session_id="s" * 129), FORMAT, "session_id"),
    ("session_id of 130 bytes in 65 letters", say(session_id="ü" * 65), FORMAT,
     "session_id"),
    ("session_id of 128 bytes", say(session_id="s" * 128), NOT_FOUND, "session_id"),
    ("another session_id", say(session_id="0" * 32), NOT_FOUND, "session_id"),
    ("another session_id on ping", {"type": "ping", "session_id": "0" * 32},
     NOT_FOUND, "session_id"),
    ("file_id a number", say(file_id=1), FORMAT, "file_id"),
    ("file_id of 256 bytes", say(file_id="f" * 256), FORMAT, "file_id"),
    ("file_id unknown", say(file_id="0" * 32), NOT_FOUND, "file_id"),
    ("file_url a number", say(file_url=1), FORMAT, "file_url"),
    ("file_url of 2049 bytes", say(file_url="https://a.example/" + "x" * 2031), FORMAT,
     "file_url"),
    *[(f"file_url {url}", say(file_url=url), FORMAT, "file_url") for url in (
        "http://a.example/x", "javascript:alert(1)", "file:///etc/passwd", "nonsense",
        "https://127.0.0.1/x", "https://10.0.0.1/x", "https://localhost/x",
        "https://[::1]/x", "https://169.254.169.254/x", "https://192.168.1.1/",
        "https://u:p@/x", "ftp://a.example/x", "//a.example/x", "https://2130706433/")],
    ("model_id a number", say(model_id=1), FORMAT, "model_id"),
    ("model_id of 101 bytes", say(model_id="m" * 101), FORMAT, "model_id"),
    ("model_id unknown", say(model_id="nope"), NOT_FOUND, "model_id"),
    *[(f"{kind} without {without}", {"type": kind, **{
        name: value for name, value in (("file_id", "0" * 32),
                                        ("file_url", "https://a.example/x"))
        if name != without}}, MISSING, without)
      for kind in ("file_upload", "voice_message") for without in ("file_id", "file_url")],
    *[(f"{kind} of an unknown upload", {"type": kind, "file_id": "0" * 32,
                                        "file_url": "https://a.example/x"},
       NOT_FOUND, "file_id") for kind in ("file_upload", "voice_message")],
    ("an unknown upload without content", {"type": "user_message", "file_id": "0" * 32},
     NOT_FOUND, "file_id"),
    ("model_select without a model", {"type": "model_select"}, MISSING, "model_id"),
    ("model_select of null", {"type": "model_select", "model_id": None}, MISSING,
     "model_id"),
    ("model_select of nothing", {"type": "model_select", "model_id": " "}, MISSING,
     "model_id"),
    ("model_select of a number", {"type": "model_select", "model_id": 1}, FORMAT,
     "model_id"),
    ("model_select of 101 bytes", {"type": "model_select", "model_id": "m" * 101},
     FORMAT, "model_id"),
    ("model_select of an unknown one", {"type": "model_select", "model_id": "nope"},
     NOT_FOUND, "model_id"),
    *[(f"timestamp {value!r}", say(timestamp=value), FORMAT, "timestamp") for value in (
        5, True, [], "yesterday", "", "2024-01-01", "2024-01-01T00:00:00",
        "2024-13-01T00:00:00Z", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z",
        "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01 00:00:00Z?",
        "2024-01-01T00:00:00+25:00", "1700000000", "2024-1-1T0:0:0Z")],
    *[(f"sender {value!r}", say(sender=value), FORMAT, "sender") for value in (
        5, True, [], "ai", "admin", "system", "User", "root", "assistant")],
    *[(f"metadata {value!r}", say(metadata=value), FORMAT, "metadata")
      for value in (5, True, "a", [], ["a"])],
    ("33 metadata", say(metadata={f"k{n}": "v" for n in range(33)}), FORMAT, "metadata"),
    ("metadata key of 65 bytes", say(metadata={"k" * 65: "v"}), FORMAT, "metadata*"),
    ("metadata value of 1001 bytes", metadata(key="v" * 1001), FORMAT, "metadata.key"),
    ("metadata value of 1002 bytes in 501 letters", metadata(key="ü" * 501), FORMAT,
     "metadata.key"),
    ("metadata value null", metadata(key=None), FORMAT, "metadata.key"),
    ("metadata value a list", metadata(key=[]), FORMAT, "metadata.key"),
    ("metadata value an object", metadata(key={"a": "b"}), FORMAT, "metadata.key"),
    ("metadata key twice", '{"type":"user_message","content":"x","metadata":'
     '{"a":"1","a":"2"}}', FORMAT, "metadata.a"),
    ("client_id a number", say(client_id=1), FORMAT, "client_id"),
    ("client_id a list", say(client_id=[]), FORMAT, "client_id"),
    ("client_id of 65 bytes", say(client_id="c" * 65), FORMAT, "client_id"),
    ("client_id of 66 bytes in 33 letters", say(client_id="ü" * 33), FORMAT, "client_id"),
    ("message_id of cancel a number", {"type": "cancel", "message_id": 1}, FORMAT,
     "message_id"),
    ("regenerate without a message", {"type": "regenerate"}, MISSING, "message_id"),
    ("regenerate of null", {"type": "regenerate", "message_id": None}, MISSING,
     "message_id"),
    ("regenerate of an unknown one", {"type": "regenerate", "message_id": "0" * 32},
     NOT_FOUND, "*"),
    ("cancel with nothing running", {"type": "cancel"}, NOT_FOUND, "*"),
    ("cancel of an unknown one", {"type": "cancel", "message_id": "0" * 32}, NOT_FOUND,
     "*"),
    ("admin_join by a user", {"type": "admin_join"}, RIGHTS, "*"),
    ("admin_leave by a user", {"type": "admin_leave"}, RIGHTS, "*"),
]

ACCEPTED = [
    ("an unknown member", '{"type":"ping","colour":"red","x":null,"y":[1.5e3,-0,{}]}'),
    ("eight levels", nested(8)),
    ("a surrogate pair", '{"type":"ping","x":"\\ud83d\\ude00"}'),
    ("an escaped NUL in a name", '{"type":"ping","x\\u0000":1,"t\\u0000":2}'),
    ("an escaped NUL", '{"type":"ping","x":"\\u0000"}'),
    ("whitespace around", ' \t\r\n{ "type" : "ping" } \n'),
    ("escapes in the type", '{"\\u0074ype":"p\\u0069ng"}'),
    ("the type with spaces around", '{"type":" ping "}'),
    ("a sender of its own", '{"type":"ping","sender":"user"}'),
    ("a large number", '{"type":"ping","x":123456789012345678901234567890}'),
]

GOOD_MESSAGES = [
    ("10,000 characters", say("x" * 10_000)),
    ("10,000 emoji", say("😀" * 10_000)),
    ("client_id of 64 bytes", say(client_id="c" * 64)),
    ("sender user", say(sender="user")),
    ("32 metadata", say(metadata={f"k{n}": "v" for n in range(32)})),
    ("metadata key of 64 bytes", say(metadata={"k" * 64: "v"})),
    ("metadata value of 1000 bytes", metadata(key="v" * 1000)),
    ("empty metadata", say(metadata={})),
    ("file_url of a public host", say(file_url="https://a.example/picture.png")),
    ("timestamp with an offset", say(timestamp="2024-02-29T12:00:00+02:00")),
    ("timestamp long ago", say(timestamp="1999-12-31T23:59:59Z")),
    ("timestamp with many digits", say(timestamp="2024-01-01T00:00:00.123456789Z")),
]
