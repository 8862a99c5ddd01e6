# SPDX-License-Identifier: MIT
"""Sealed texts, against another library's AES-GCM."""

import base64
import ctypes as c
import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, strategies as st

from pure import CASES, LIB, Buf, Str

OPENED, PLAIN, UNKNOWN_KEY, BROKEN = range(4)
KEY, OTHER = bytes(range(32)), bytes(range(32, 64))


class Place(c.Structure):
    _fields_ = [("sid", Str), ("seq", c.c_int64), ("part", Str)]


LIB.seal_ring_new.restype = c.c_void_p
LIB.seal_new.restype = c.c_void_p


def text_of(data):
    return Str(c.cast(c.c_char_p(data), c.c_void_p), len(data))


def seal_with(*keys):
    ring = c.c_void_p(LIB.seal_ring_new())
    for n, key in enumerate(keys):
        assert LIB.seal_ring_add(ring, text_of(b"k%d" % n), key) == 0
    return c.c_void_p(LIB.seal_new(ring))


SEAL, ROTATED, STRANGER = seal_with(KEY), seal_with(OTHER, KEY), seal_with(OTHER)

bodies = st.binary(max_size=300)
sids = st.text("0123456789abcdef", max_size=32).map(str.encode)
places = st.tuples(sids, st.integers(0, 2 ** 63 - 1), sids)


def call(function, seal, place, data):
    sid, seq, part = place
    out = Buf()
    LIB.buf_init(c.byref(out), c.c_size_t(1 << 20))
    result = function(seal, c.byref(Place(text_of(sid), seq, text_of(part))),
                      text_of(data), c.byref(out))
    made = c.string_at(out.p, out.n) if out.n else b""
    LIB.buf_fini(c.byref(out))
    return result, made


def put(data, place):
    result, stored = call(LIB.seal_put, SEAL, place, data)
    assert result == 0
    return stored


def get(seal, stored, place):
    return call(LIB.seal_open, seal, place, stored)


def aad(place):
    sid, seq, part = place
    return sid + b"\0" + seq.to_bytes(8, "big") + part


@CASES
@given(bodies, places)
def test_another_library_opens_what_was_sealed_and_the_other_way_round(data, place):
    stored = put(data, place)
    assert stored.startswith(b"v1.k0.")
    raw = base64.b64decode(stored[6:], validate=True)
    assert AESGCM(KEY).decrypt(raw[:12], raw[12:], aad(place)) == data
    nonce = os.urandom(12)
    ours = b"v1.k0." + base64.b64encode(nonce + AESGCM(KEY).encrypt(nonce, data, aad(place)))
    assert get(SEAL, ours, place) == (OPENED, data)


@CASES
@given(bodies, places, places)
def test_it_opens_at_its_place_and_nowhere_else(data, place, other):
    stored = put(data, place)
    assert get(SEAL, stored, place) == (OPENED, data)
    assert get(SEAL, stored, other) == ((OPENED, data) if place == other else (BROKEN, b""))


@CASES
@given(bodies, places, st.data())
def test_what_was_changed_is_neither_opened_nor_taken_for_text(data, place, draw):
    stored = put(data, place)
    at = draw.draw(st.integers(0, len(stored) - 1))
    byte = draw.draw(st.integers(0, 255).filter(lambda b: b != stored[at]))
    form, made = get(SEAL, stored[:at] + bytes([byte]) + stored[at + 1:], place)
    assert form in (BROKEN, UNKNOWN_KEY) and made == b""
    if at >= 6:
        assert get(SEAL, stored[:at], place) == (BROKEN, b"")


@CASES
@given(bodies, places)
def test_older_keys_open_and_strangers_do_not(data, place):
    _, stored = call(LIB.seal_put, SEAL, place, data)
    # the same key under another name, as the ring of a rotation has it
    renamed = b"v1.k1." + stored[6:]
    assert get(ROTATED, renamed, place) == (OPENED, data)
    assert get(STRANGER, stored, place) == (BROKEN, b"")
    assert get(STRANGER, renamed, place) == (UNKNOWN_KEY, b"")


@CASES
@given(bodies, places)
def test_the_older_form_is_opened_by_any_key_that_fits(data, place):
    nonce = os.urandom(12)
    stored = base64.b64encode(nonce + AESGCM(KEY).encrypt(nonce, data, None))
    assert get(SEAL, stored, place) == (OPENED, data)
    assert get(ROTATED, stored, place) == (OPENED, data)
    assert get(STRANGER, stored, place)[1] in (b"", stored)


@CASES
@given(st.text(max_size=300).map(str.encode), places)
def test_a_text_that_people_write_stays_as_it_is(text, place):
    """What no key of the ring sealed: every text with a space in it, at the least."""
    assert get(SEAL, b"a " + text, place) == (PLAIN, b"a " + text)
    form, made = get(SEAL, text, place)
    assert (form, made) == (PLAIN, text) or (form in (BROKEN, UNKNOWN_KEY) and made == b"")
