# SPDX-License-Identifier: MIT
"""codec/overlap: two halves of an answer, from two models, are one text."""

import ctypes as c

from hypothesis import assume, given, strategies as st

from pure import CASES, LIB, Overlap, borrowed

SPACES = " \t\r\n"
letters = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"])
words = st.builds("{}{}".format, st.sampled_from("abcdefghijklm"), st.text(letters, max_size=7))
spaces = st.sampled_from([" ", " ", " ", "\n", "\n\n", "  ", "\t", " \r\n"])
# Each word is there once: what comes again is told from chance by itself.
texts = st.lists(st.tuples(words, spaces), min_size=6, max_size=24,
                 unique_by=lambda pair: pair[0])
anything = st.text(st.sampled_from("ab .1\nä世") | letters, max_size=60)


def joined(shown, pieces):
    """What is given out behind shown."""
    o, out = Overlap(), b""
    LIB.overlap_init(c.byref(o), borrowed(shown.encode()))
    for piece in pieces:
        out += LIB.overlap_feed(c.byref(o), borrowed(piece)).bytes
    out += LIB.overlap_end(c.byref(o)).bytes
    LIB.overlap_fini(c.byref(o))
    return out.decode()


def cut(text, places):
    """In pieces, wherever the places say."""
    data = text.encode()
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[a:b] for a, b in zip([0, *ends], ends)]


def spelled(pairs):
    return "".join(word + space for word, space in pairs)


places = st.lists(st.integers(0, 1000), max_size=8)


@CASES
@given(texts, st.data(), spaces, places)
def test_what_comes_again_from_any_word_on_is_shown_once(pairs, data, lead, ends):
    """The first half ends anywhere, the second begins with any of its words, after any white space."""
    text = spelled(pairs).rstrip(SPACES)
    end = data.draw(st.integers(1, len(text)))
    shown = text[:end]
    starts = [0] + [i for i in range(1, end) if text[i - 1] in SPACES and text[i] not in SPACES]
    begin = data.draw(st.sampled_from(starts))
    assume(len(shown[begin:].split()) >= 2)  # one may be chance
    assert shown + joined(shown, cut(lead + text[begin:], ends)) == text


@CASES
@given(texts, st.data(), places)
def test_white_space_that_is_another_changes_nothing(pairs, data, ends):
    """The second half is all of it again, with white space of its own."""
    text = spelled(pairs).rstrip(SPACES)
    other = spelled((word, data.draw(spaces)) for word, _ in pairs).rstrip(SPACES)
    shown = spelled(pairs[:data.draw(st.integers(2, len(pairs)))]).rstrip(SPACES)
    assert (shown + joined(shown, cut(other, ends))).split() == text.split()


@CASES
@given(texts, st.data(), places)
def test_what_is_new_is_passed_on_as_it_is(pairs, data, ends):
    """No hole: of words that were not there before nothing is left out."""
    text = spelled(pairs).rstrip(SPACES)
    at = data.draw(st.sampled_from([i for i in range(1, len(text)) if text[i] in SPACES
                                    and text[i - 1] not in SPACES]))
    first, second = text[:at], text[at:]
    assume(second.split()[0][0] not in first)
    assert joined(first, cut(second, ends)) == second


@CASES
@given(st.text("ab", min_size=20, max_size=80), st.integers(0, 60), st.text("ab", max_size=40), places)
def test_the_longest_repetition_counts(shown, begin, more, ends):
    """Where many would do."""
    second = shown[begin:] + more + "."
    n = max(n for n in range(len(second)) if shown.endswith(second[:n]))
    assume(n >= 16)
    assert joined(shown, cut(second, ends)) == second[n:]


@CASES
@given(anything, anything, places)
def test_what_is_left_out_was_there(shown, second, ends):
    """Whatever the two are: the rest is the second's tail, and what is missing of it the first's."""
    out = joined(shown, cut(second, ends))
    assert second.endswith(out)
    missing = " ".join(second[:len(second) - len(out)].split())
    first = " ".join(shown.split())
    assert first.endswith(missing) or first.startswith(missing)
    assert out == joined(shown, [second.encode()])
