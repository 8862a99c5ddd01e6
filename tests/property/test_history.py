# SPDX-License-Identifier: MIT
"""chat/history against its contract: pairs whole or not at all, newest first,
never over the budget."""

import ctypes as c

from hypothesis import given, strategies as st

from pure import CASES, LIB, Log, Record, borrowed

USER, AI, ADMIN, SYSTEM = range(4)

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
                max_size=40) | st.integers(0, 400).map("x".__mul__)
entries = st.lists(st.tuples(st.sampled_from([USER, USER, AI, AI, AI, ADMIN, SYSTEM]),
                             texts, st.booleans(), st.integers(1, 6)),
                   max_size=40)


def tokens(text):
    """provider/estimate.h in Python."""
    weights = {1: 1, 2: 2, 3: 4, 4: 8}
    return -(-sum(weights[len(char.encode())] for char in text) // 4)


def ident(seq):
    return b"%032x" % seq


def log_of(drawn):
    """Records oldest first; an answer replies to a question shortly before it."""
    found, questions = [], []
    for seq, (sender, text, flag, back) in enumerate(drawn, 1):
        reply = questions[-min(back, len(questions))] if questions else None
        found.append({"seq": seq, "sender": sender, "text": text,
                      "superseded": flag and sender == AI and back > 2,
                      "reply_to": reply if sender == AI else None})
        if sender == USER:
            questions.append(seq)
    return found


def expected(log, before, budget):
    """The pairs as (question, answer), oldest first, and whether it was full."""
    pairs, full = [], False
    for question in reversed(log):
        answers = [m for m in log if m["reply_to"] == question["seq"]
                   and not m["superseded"] and m["text"]]
        if question["sender"] != USER or question["seq"] >= before or not answers:
            continue
        answer = answers[-1]
        cost = tokens(question["text"]) + tokens(answer["text"])
        if cost > budget:
            full = True
            break
        budget -= cost
        pairs.insert(0, (question["seq"], answer["seq"]))
    return pairs, full


def choose(log, before, budget):
    newest = list(reversed(log))
    records = (Record * max(1, len(newest)))()
    for record, m in zip(records, newest):
        record.id, record.seq, record.sender = ident(m["seq"]), m["seq"], m["sender"]
        record.content = m["text"].encode()
        record.content_n = len(m["text"].encode())
        record.superseded = m["superseded"]
        record.reply_to = ident(m["reply_to"]) if m["reply_to"] else None
    chosen, full = (c.c_size_t * max(1, len(newest)))(), c.c_bool()
    asked = Log(records, len(newest), before, budget)
    count = LIB.history_choose(c.byref(asked), chosen, c.byref(full))
    return [newest[i]["seq"] for i in chosen[:count]], full.value


@CASES
@given(entries, st.integers(0, 45), st.integers(0, 60) | st.integers(0, 3000))
def test_the_history_keeps_its_budget_and_never_splits_a_pair(drawn, before, budget):
    log = log_of(drawn)
    seqs, full = choose(log, before, budget)
    by_seq = {m["seq"]: m for m in log}
    assert len(seqs) % 2 == 0
    pairs = list(zip(seqs[::2], seqs[1::2]))
    assert all(by_seq[a]["reply_to"] == q for q, a in pairs)
    assert sum(tokens(by_seq[seq]["text"]) for seq in seqs) <= budget
    assert (pairs, full) == expected(log, before, budget)


@CASES
@given(texts)
def test_the_estimate_of_tokens_is_as_written(text):
    assert LIB.estimate_tokens(borrowed(text.encode())) == tokens(text)
