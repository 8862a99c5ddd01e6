# SPDX-License-Identifier: MIT
"""proto/encode and proto/decode: what one writes the other reads, for every
type of message; and what a frame becomes is what the contract says."""

import ctypes as c
import json

from hypothesis import given, strategies as st

from pure import (CASES, FIELDS, LIB, LIMITS, MESSAGES, Buf, Fault, Message,
                  Rules, borrowed)

NOW_MS = 1_700_000_000_000
# Unicode's White_Space property.
WHITE = ("\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007"
         "\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000")
CONTENT_CHARS = 200
CLIENT = [name for name, direction in MESSAGES if direction != "SERVER"]

characters = st.characters(exclude_categories=["Cs"])
anything = st.text(characters | st.sampled_from("\0 \t\u3000\"\\/\u2028\ud7ff\U0010ffff"),
                   max_size=70)


def clean(text):
    """protocol.md 2.4: without NUL, trimmed."""
    return text.replace("\0", "").strip(WHITE)


def short(text, limit):
    return text.encode()[:limit].decode(errors="ignore")


def value_of(name):
    """Values that a client may give this member, sanitised already."""
    kind, limit = LIMITS[name]
    if kind == "SENDER":
        return st.just("user")
    if kind == "URL":
        return st.text("abc/._-", max_size=50).map("https://example.org/".__add__)
    if kind == "METADATA":
        keys = anything.map(lambda t: clean(short(t, 60)))
        return st.dictionaries(keys, anything.map(clean), min_size=1, max_size=5)
    if kind in ("LINE", "JWT", "CONTENT"):
        return anything.map(lambda t: clean(short(t, limit or 150))).filter(bool)
    return None


SENT = [name for name in FIELDS if value_of(name) is not None
        and name not in ("type", "session_id")]
members = st.fixed_dictionaries({}, optional={n: value_of(n) for n in SENT})
numbers = st.integers(-2 ** 53, 2 ** 53)
sessions = st.just("") | value_of("session_id")


class Frame:
    """A buffer that proto_* writes to."""

    def __init__(self, kind, session):
        self.buf = Buf()
        LIB.buf_init(c.byref(self.buf), c.c_size_t(1 << 20))
        word = [name for name, _ in MESSAGES].index(kind)
        self.session = session.encode()
        LIB.proto_begin(c.byref(self.buf), word, borrowed(self.session),
                        c.c_int64(NOW_MS))

    def put(self, name, value):
        field, to = FIELDS.index(name), c.byref(self.buf)
        if isinstance(value, bool):
            LIB.proto_put_bool(to, field, c.c_bool(value))
        elif isinstance(value, int):
            LIB.proto_put_int(to, field, c.c_int64(value))
        elif isinstance(value, str):
            LIB.proto_put_text(to, field, borrowed(value.encode()))
        else:
            LIB.proto_put_json(to, field, borrowed(json.dumps(value).encode()))

    def end(self):
        LIB.proto_end(c.byref(self.buf))
        assert not self.buf.failed
        text = c.string_at(self.buf.p, self.buf.n)
        LIB.buf_fini(c.byref(self.buf))
        return text


def encode(kind, session, given_members):
    frame = Frame(kind, session)
    for name, value in given_members.items():
        frame.put(name, value)
    return frame.end()


def decode(text, admin=False):
    """(members, None), or (None, (error, field))."""
    rules = Rules(CONTENT_CHARS, NOW_MS, admin, borrowed(b""))
    message, fault = Message(), Fault()
    if LIB.proto_decode(borrowed(text), c.byref(rules), c.byref(message),
                        c.byref(fault)) != 0:
        return None, (fault.err, fault.field.decode())
    found = {name: s.bytes.decode() for name, s in zip(FIELDS, message.field)
             if s.n}
    if message.metadata:
        found["metadata"] = json.loads(message.metadata)
    assert found["type"] == MESSAGES[message.type][0]
    LIB.proto_message_fini(c.byref(message))
    return found, None


@CASES
@given(st.sampled_from([name for name, _ in MESSAGES]), sessions, members, st.dictionaries(
    st.sampled_from([n for n in FIELDS if LIMITS[n][0] in ("INTEGER", "ANY")]),
    numbers | st.booleans(), max_size=3))
def test_what_is_encoded_is_json_with_the_same_members(kind, session, texts, more):
    """Req 2.2: also the session's id, to the letter."""
    found = json.loads(encode(kind, session, {**texts, **more}))
    assert found.pop("timestamp") == "2023-11-14T22:13:20.000Z"
    assert found.pop("type") == kind
    assert found.pop("session_id", "") == session
    assert found == {**texts, **more}


@CASES
@given(st.sampled_from(CLIENT), sessions, members)
def test_decoding_what_was_encoded_gives_the_same_message(kind, session, texts):
    """Req 7.3, 7.5: sanitising what is clean changes nothing."""
    required = {"content": "c", "file_id": "f", "file_url": "https://example.org/",
                "model_id": "m", "message_id": "i", "token": "t"}
    texts = {**required, **texts}
    found, fault = decode(encode(kind, session, texts))
    assert fault is None
    assert found.pop("timestamp") == "2023-11-14T22:13:20.000Z"
    assert found.pop("type") == kind
    assert found.pop("session_id", "") == session
    assert found == texts


@CASES
@given(anything, anything, st.booleans())
def test_a_text_is_sanitised_as_written_and_only_once(content, client_id, escaped):
    """Req 7.3, 7.5: NUL bytes go, then what is white around it."""
    frame = json.dumps({"type": "user_message", "content": content + "\0 x",
                        "client_id": short(client_id, 64)}, ensure_ascii=escaped)
    found, fault = decode(frame.encode())
    assert fault is None
    assert found["content"] == clean(content + "\0 x")
    assert found.get("client_id", "") == clean(short(client_id, 64))
    again, _ = decode(json.dumps(found).encode())
    assert again == found


@CASES
@given(st.sampled_from([n for n in SENT if LIMITS[n][0] == "LINE"]),
       st.integers(-3, 3), st.sampled_from("xä漢😀"))
def test_a_line_is_refused_one_byte_beyond_its_limit(name, beyond, char):
    """Req 7.1, 7.2: the limit is counted in bytes and named in the refusal."""
    limit = LIMITS[name][1]
    size = limit + beyond
    text = char * (size // len(char.encode()))
    text += "x" * (size - len(text.encode()))
    found, fault = decode(json.dumps({"type": "ping", name: text}).encode())
    assert (found is not None) == (beyond <= 0)
    if beyond > 0:
        assert fault[1] == name
    else:
        assert found[name] == text


@CASES
@given(st.integers(-3, 3), st.sampled_from("xä漢😀"))
def test_content_is_counted_in_characters(beyond, char):
    """Req 7.1, 7.2."""
    text = char * (CONTENT_CHARS + beyond)
    found, fault = decode(json.dumps({"type": "user_message", "content": text}).encode())
    assert (found is not None) == (beyond <= 0)
    assert beyond <= 0 or fault[1] == "content"
