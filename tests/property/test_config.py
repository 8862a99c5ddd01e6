# SPDX-License-Identifier: MIT
"""The settings as a whole: what is right is accepted, what is wrong is refused
by its name, and a weak secret never passes."""

import ctypes as c

from hypothesis import assume, given, strategies as st

from pure import CASES, LIB, Report, Sources, Str, table

GOOD = "k3V9xQ2mZ7bT4nW8rY1cL6hJ5gF0dSzPuB+RqXe="
LEAST = {"JWT_SECRET": GOOD, "LLM_PROVIDER_1_ID": "demo",
         "LLM_PROVIDER_1_TYPE": "demo"}
WEAK = ("secret", "test", "test123", "password", "admin", "changeme", "default",
        "example", "demo", "12345", "placeholder")
MARKS = ("replace_with", "placeholder", "change-me", "change_me", "changeme",
         "your-", "your_")
# (path, first variable, least, most) of every whole number.
NUMBERS = [(path, env.split(",")[0], int(low),
            10 ** 12 if high == "ANY" else int(high))
           for path, env, low, high in table(
               "app/config.def", r'^SETTING\(\w+, "([\w.]+)",\s*"(\w[\w,]*)",'
                                 r'\s*INT,\s*"\d*",\s*(\d+),\s*(\d+|ANY),')]


def load(environment):
    """None when accepted, else the sentences of the report."""
    pairs = [f"{k}={v}".encode() for k, v in environment.items()]
    sources, report = Sources(), Report()
    sources.environment = (c.c_char_p * (len(pairs) + 1))(*pairs, None)
    sources.yaml = Str(None, 0)
    config = LIB.config_load(c.byref(sources), c.byref(report))
    said = [report.problems[i].text.decode(errors="replace")
            for i in range(report.count) if report.problems[i].severity == 0]
    assert (config is None) == (report.errors > 0) == bool(said)
    if config is not None:
        LIB.config_free(c.c_void_p(config))
    LIB.config_report_fini(c.byref(report))
    return said or None


def placeholder(secret):
    opened = secret.find("<")
    return (opened >= 0 and ">" in secret[opened:] or
            any(mark in secret.lower() for mark in MARKS))


def strong(secret):
    return (len(secret.encode()) >= 32 and not placeholder(secret) and
            not any(word in secret.lower() for word in WEAK))


printable = st.characters(min_codepoint=33, max_codepoint=126)
secrets = st.text(printable, min_size=1, max_size=64)


@CASES
@given(secrets)
def test_a_secret_is_accepted_exactly_when_it_is_strong(secret):
    """Req 17.1, 17.2. Property 17, 18."""
    said = load({**LEAST, "JWT_SECRET": secret})
    assert (said is None) == strong(secret)
    if said:
        assert any("JWT_SECRET" in line for line in said)


@CASES
@given(st.text(printable, max_size=20), st.sampled_from(WEAK + MARKS),
       st.text(printable, min_size=32, max_size=40), st.data())
def test_a_weak_word_is_found_anywhere_and_in_any_case(before, word, after, data):
    """Req 17.3, 17.4, 17.5. Property 17: and it is told how to make a better one."""
    cased = "".join(data.draw(st.sampled_from((ch.lower(), ch.upper()))) for ch in word)
    said = load({**LEAST, "JWT_SECRET": before + cased + after})
    assert said
    assert not any(before + cased + after in line for line in said)


@CASES
@given(st.text(printable, min_size=32, max_size=64))
def test_a_strong_secret_is_accepted(secret):
    """Req 17.1. Property 18."""
    assume(strong(secret))
    assert load({**LEAST, "JWT_SECRET": secret}) is None


@CASES
@given(st.dictionaries(st.sampled_from(NUMBERS), st.integers(-5, 2 ** 64 + 5) |
                       st.integers(0, 50), min_size=1, max_size=4))
def test_numbers_out_of_their_range_are_all_named(chosen):
    """Req 19.2, 19.3, 19.5. Property 21: each one, at once."""
    said = load({**LEAST, **{env: str(n) for (_, env, _, _), n in chosen.items()}})
    text = "\n".join(said or [])
    for (path, env, low, high), n in chosen.items():
        if not low <= n <= high:
            assert path in text and env in text


@CASES
@given(st.sampled_from(NUMBERS), st.data())
def test_a_number_in_its_range_is_never_blamed_for_it(row, data):
    """Property 22. What is left to say concerns several settings together."""
    path, env, low, high = row
    value = data.draw(st.integers(low, high) | st.sampled_from([low, high]))
    said = load({**LEAST, env: str(value)}) or []
    assert not any("out of range" in line and path in line for line in said)


@CASES
@given(st.sets(st.sampled_from(list(LEAST)), min_size=1))
def test_without_what_is_required_nothing_starts(missing):
    """Req 19.4. Property 21."""
    assert load({k: v for k, v in LEAST.items() if k not in missing})


@CASES
@given(st.text(printable, min_size=32, max_size=64).filter(strong),
       st.integers(1, 99), st.booleans())
def test_the_least_that_is_needed_is_enough(secret, number, spread):
    """Req 19.4. Property 22."""
    names = {f"LLM_PROVIDER_{number}_ID": str(number),
             f"LLM_PROVIDER_{number}_TYPE": "demo"}
    if spread:
        names |= {k: v for k, v in LEAST.items() if k.startswith("LLM_PROVIDER_1_")}
        assume(number != 1)
    assert load({"JWT_SECRET": secret, **names}) is None
