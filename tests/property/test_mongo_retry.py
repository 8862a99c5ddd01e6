# SPDX-License-Identifier: MIT
"""store/mongo_retry: which failures are tried again, after which pauses, and
that nobody is told what is not so."""

import ctypes as c

from hypothesis import given, strategies as st

from pure import CASES, LIB, Attempt, Retry, RetryRules, table

STORED, DELIVERED, UNCONFIRMED, UNKNOWN, NOT_NOW, NOT_EVER = range(6)
CLIENT, STREAM, PROTOCOL, SELECTION, CONCERN, SERVER = 1, 2, 3, 15, 16, 17
NO_CLIENT = 1000
RETRYABLE_WRITE, NO_WRITES = 1, 2
DUPLICATE, TIMED_OUT = 11000, 64

# As the drivers' specifications print them, not as our table does.
WRITES = {11600, 11602, 10107, 13435, 13436, 189, 91, 7, 6, 89, 9001, 262}
READS = WRITES | {134}
ROWS = {int(number): (done == "NOTHING", which == "ANY") for number, done, which in
        table("store/mongo_retry.def", r"^PASSING\((\d+), \w+, (\w+), (\w+),")}
OF_WRITES = {code for code, (_, always) in ROWS.items() if always}

# The table's other bookkeeping. Sent before anything of one document's write happened:
UNTOUCHED = {24, 112, 133, 150, 216, 249, 365, 407, 433, 449, 450, 462, 10058, 10107, 13388,
             13435, 13436}
# A write may have happened, or may be undone:
PERHAPS = {6, 7, 50, 89, 91, 189, 262, 402, 453, 9001, 11600, 11601, 11602, 91331, 10045600}
OF_READS = {43, 134, 175, 237}
SILENT = {1, 8}  # InternalError, UnknownError: they last, and say nothing

LIB.mongo_retry_begin.argtypes = [c.POINTER(Retry), c.POINTER(RetryRules)]
LIB.mongo_retry_after.argtypes = [c.POINTER(Retry), c.POINTER(Attempt), c.c_uint64,
                                  c.c_uint64]
LIB.mongo_retry_pause_ms.argtypes = [c.POINTER(RetryRules), c.c_uint, c.c_uint64]

words = st.integers(0, 2 ** 64 - 1)
codes = st.integers(1, 14000) | st.integers(0, 2 ** 32 - 1) | st.sampled_from(sorted(ROWS))
answers = st.sampled_from([SERVER, 11, 5])  # as each interface of the driver says it
rules = st.builds(
    lambda attempts, delay, longer: RetryRules(attempts, delay, delay + longer, 2 ** 64 - 1),
    st.integers(1, 20), st.integers(1, 10 ** 6), st.integers(0, 10 ** 7))


@st.composite
def passing_failures(draw):
    """A write that failed for a reason that passes."""
    sent = draw(st.integers(0, 3))
    shared = draw(st.booleans())
    kind = draw(st.sampled_from(["network", "selection", "pool", "code", "label"]))
    if kind == "network":
        return Attempt(write=True, shared=shared, domain=draw(st.sampled_from(
            [STREAM, PROTOCOL])), code=draw(st.sampled_from([3, 4, 5, 6, 14])), sent=sent)
    if kind == "selection":
        return Attempt(write=True, shared=shared, domain=SELECTION, code=13053, sent=sent)
    if kind == "pool":
        return Attempt(write=True, shared=shared, domain=NO_CLIENT)
    if kind == "code":
        return Attempt(write=True, shared=shared, domain=draw(answers),
                       code=draw(st.sampled_from(sorted(WRITES))), sent=max(sent, 1))
    return Attempt(write=True, shared=shared, domain=draw(answers), sent=max(sent, 1),
                   labels=RETRYABLE_WRITE | draw(st.sampled_from([0, NO_WRITES])),
                   code=draw(codes.filter(lambda code: code != DUPLICATE)))


@st.composite
def lasting_failures(draw):
    """A write that failed for a reason that stays."""
    if draw(st.booleans()):
        return Attempt(write=True, domain=CLIENT, code=11)
    code = draw(codes.filter(lambda code: code not in OF_WRITES))
    return Attempt(write=True, domain=draw(answers), code=code, sent=draw(st.integers(1, 3)),
                   shared=draw(st.booleans()))


def begun(given_rules):
    retry = Retry()
    LIB.mongo_retry_begin(retry, given_rules)
    return retry


@CASES
@given(rules, st.lists(passing_failures(), min_size=20, max_size=20), words,
       st.integers(1, 25))
def test_a_passing_failure_is_tried_again_until_it_goes_or_the_attempts_are_used_up(
        given_rules, failures, random, success):
    """Req 9.1, 9.3, 9.4. Property 6."""
    retry = begun(given_rules)
    for n in range(1, given_rules.attempts + 1):
        attempt = Attempt(ok=True, write=True, sent=1) if n == success else failures[n - 1]
        step = LIB.mongo_retry_after(retry, attempt, 0, random)
        if n == success:
            assert (step.outcome, step.again, step.wait_ms) == (STORED, False, 0)
            return
        assert step.outcome in (UNKNOWN, NOT_NOW)
        assert step.again == (n < given_rules.attempts)
    assert step.wait_ms == 0


@CASES
@given(rules, st.lists(words, min_size=20, max_size=20))
def test_pauses_grow_exponentially_up_to_the_longest(given_rules, randoms):
    """Req 9.2. Property 7."""
    before = 0
    for n, random in enumerate(randoms, 1):
        full = min(given_rules.delay_ms * 2 ** (n - 1), given_rules.max_delay_ms)
        pause = LIB.mongo_retry_pause_ms(given_rules, n, random)
        assert full - full // 2 <= pause <= full
        if full == given_rules.delay_ms * 2 ** (n - 1):
            assert pause >= before
        before = pause


@CASES
@given(rules, st.lists(passing_failures(), max_size=19), lasting_failures(), words)
def test_a_lasting_failure_is_not_tried_again(given_rules, before, failure, random):
    """Req 9.1. Property 8: whatever came before it."""
    retry = begun(given_rules)
    for attempt in before[:given_rules.attempts - 1]:
        assert LIB.mongo_retry_after(retry, attempt, 0, random).again
    step = LIB.mongo_retry_after(retry, failure, 0, random)
    assert not step.again and step.wait_ms == 0
    assert step.outcome in (UNKNOWN, NOT_EVER, NOT_NOW)


@CASES
@given(rules, passing_failures(), st.integers(0, 2 ** 62), st.integers(0, 10 ** 7), words)
def test_a_pause_ends_before_the_deadline_or_is_not_begun(given_rules, failure, now, left,
                                                          random):
    """Req 9.3."""
    given_rules.deadline_ms = now + left
    step = LIB.mongo_retry_after(begun(given_rules), failure, now, random)
    pause = LIB.mongo_retry_pause_ms(given_rules, 1, random)
    assert step.again == (given_rules.attempts > 1 and pause < left)
    assert step.wait_ms == (pause if step.again else 0)


def test_the_table_holds_what_the_specifications_print():
    """Property 6, Property 8."""
    assert WRITES <= OF_WRITES and READS <= set(ROWS)
    assert 134 not in OF_WRITES
    for code in READS:
        read = Attempt(domain=SERVER, code=code, sent=1)
        assert LIB.mongo_retry_passing(c.byref(read))
        assert LIB.mongo_retry_code_name(c.c_uint32(code))


def test_every_code_is_judged_as_the_other_bookkeeping_says():
    """Property 6, Property 8: also those that are not in the table."""
    assert WRITES <= UNTOUCHED | PERHAPS and set(ROWS) == UNTOUCHED | PERHAPS | OF_READS
    for code in {*range(1, 20000), *UNTOUCHED, *PERHAPS} - {DUPLICATE}:
        write = Attempt(write=True, domain=SERVER, code=code, sent=1)
        group = Attempt(write=True, domain=SERVER, code=code, sent=1, shared=True)
        read = Attempt(domain=SERVER, code=code, sent=1)
        passes = code in UNTOUCHED or code in PERHAPS
        assert LIB.mongo_retry_passing(c.byref(write)) == passes, code
        assert LIB.mongo_retry_passing(c.byref(read)) == (passes or code in OF_READS), code
        assert LIB.mongo_retry_outcome(c.byref(write)) == (
            UNKNOWN if code in PERHAPS or code in SILENT else
            NOT_NOW if passes else NOT_EVER), code
        assert LIB.mongo_retry_outcome(c.byref(group)) == (
            UNKNOWN if passes or code in OF_READS or code in SILENT else NOT_EVER), code
        assert LIB.mongo_retry_outcome(c.byref(read)) == (
            NOT_NOW if passes or code in OF_READS else NOT_EVER), code


# --- a database and a driver that fail by a schedule

# What happens to one command on its way: is it carried out, what comes back.
FATES = {"ok": (True, None), "lost before": (False, "lost"), "lost after": (True, "lost"),
         "refused": (False, 10107), "ended before": (False, 11602),
         "ended after": (True, 11602), "forbidden": (False, 13),
         "not confirmed": (True, "concern")}


class Database:
    """Unique keys; a command of a transaction number that went is not done twice."""

    def __init__(self):
        self.held, self.done = {}, set()

    def insert(self, key, value, number):
        """Whether the key is free, or was taken by this very command."""
        if number in self.done or key not in self.held:
            self.held[key] = value
            self.done.add(number)
            return True
        return False


def call(database, key, value, number, fates):
    """One call of a driver that tries once more itself, as retryWrites does."""
    sent, attempt = 0, Attempt(write=True, domain=SELECTION, code=13053)
    for fate in fates[:2]:
        if fate == "away":
            break  # the error of the send before stays
        carried_out, back = FATES[fate]
        sent += 1
        free = database.insert(key, value, number) if carried_out else None
        attempt = Attempt(write=True, sent=sent)
        if back == "lost":
            attempt.domain, attempt.code, attempt.labels = STREAM, 4, RETRYABLE_WRITE
            continue
        if back not in (None, "concern"):
            attempt.domain, attempt.code = SERVER, back
            attempt.labels = RETRYABLE_WRITE if back in WRITES else 0
        elif free:
            attempt.ok, attempt.domain, attempt.code = True, STREAM, 4  # left behind
        else:
            attempt.domain, attempt.code = SERVER, DUPLICATE
            attempt.own_key = database.held[key] == value
        attempt.concern_code = TIMED_OUT if back == "concern" else 0
        if not attempt.labels:
            break
    attempt.sent = sent
    return attempt


fates = st.lists(st.sampled_from([*FATES, "away"]), min_size=2, max_size=2)
messages = st.tuples(st.integers(0, 60), st.lists(fates, min_size=4, max_size=4))


@CASES
@given(st.lists(messages, max_size=50))
def test_what_is_called_stored_is_there_and_what_is_called_not_stored_is_not(schedule):
    """Req 9.4: over any schedule of faults; one key is at times another message's."""
    database, limits = Database(), RetryRules(4, 1, 8, 2 ** 64 - 1)
    for value, (key, calls) in enumerate(schedule):
        retry, outcome = begun(limits), None
        for n, plan in enumerate(calls):
            attempt = call(database, key, value, (value, n), plan)
            step = LIB.mongo_retry_after(retry, attempt, 0, 0)
            outcome = step.outcome
            if not step.again:
                break
        assert not step.again
        stored = database.held.get(key) == value
        if outcome in (STORED, DELIVERED, UNCONFIRMED):
            assert stored
        if outcome in (NOT_NOW, NOT_EVER):
            assert not stored
