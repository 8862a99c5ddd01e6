/* SPDX-License-Identifier: MIT */
#include "chat/recall.h"

#include "base/check.h"
#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char text[RECALL_BYTES + 2];

/* A message of so many bytes; even numbers are answers to the one before. */
static struct message_record
message(int64_t seq, size_t bytes)
{
    static char question[RAND_ID_CHARS + 1];
    struct message_record m = {.seq = seq,
                               .sender = seq % 2 != 0 ? SENDER_USER : SENDER_AI,
                               .content = text,
                               .content_n = bytes};

    snprintf(m.id, sizeof(m.id), "%lld", (long long)seq);
    snprintf(question, sizeof(question), "%lld", (long long)seq - 1);
    m.reply_to = seq % 2 != 0 ? NULL : question;
    return m;
}

static void
note(struct recall *r, struct recalls *all, int64_t seq, size_t bytes)
{
    struct message_record m = message(seq, bytes);

    recall_note(r, all, &m);
}

/* Of `first` to `last`, newest first. */
static void
older(struct recall *r, struct recalls *all, int64_t last, int64_t first,
      bool whole)
{
    struct message_record read[2 * RECALL_MAX];
    size_t n = 0;

    for (int64_t seq = last; seq >= first; seq--) {
        read[n++] = message(seq, 10);
    }
    recall_older(r, all, read, n, whole);
}

/* What is kept is `first` to `last`, and the sums are right. */
static void
expect(const struct recall *r, const struct recalls *all, int64_t first,
       int64_t last, bool whole)
{
    struct message_record *copy = recall_copy(r);
    size_t bytes = 0;

    assert_int_equal(r->count, last - first + 1);
    for (uint32_t i = 0; i < r->count; i++) {
        assert_int_equal(copy[i].seq, last - i);
        assert_true((copy[i].reply_to != NULL) == (copy[i].seq % 2 == 0));
        bytes += sizeof(*copy) + copy[i].content_n;
        message_record_fini(&copy[i]);
    }
    assert_int_equal(r->bytes, bytes);
    assert_int_equal(all->bytes, bytes);
    assert_int_equal(r->whole, whole);
    xfree(copy);
}

static void
what_follows_is_kept_and_is_whole_from_the_first_on(void **state)
{
    struct recall r = {.count = 0};
    struct recalls all = {0};

    (void)state;
    assert_null(recall_copy(&r));
    for (int64_t seq = 1; seq <= 5; seq++) {
        note(&r, &all, seq, 10);
        expect(&r, &all, 1, seq, true);
    }
    recall_forget(&r, &all);
    expect(&r, &all, 1, 0, false);
}

static void
one_that_does_not_follow_begins_anew(void **state)
{
    static const int64_t others[] = {3, 5, 8};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct recall r = {.count = 0};
        struct recalls all = {0};

        for (int64_t seq = 1; seq <= 3; seq++) {
            note(&r, &all, seq, 10);
        }
        note(&r, &all, others[i], 10);
        expect(&r, &all, others[i], others[i], false);
        recall_forget(&r, &all);
    }
}

static void
what_was_read_goes_before_it_where_it_follows(void **state)
{
    struct recall r = {.count = 0};
    struct recalls all = {0};

    (void)state;
    older(&r, &all, 4, 1, true); /* before what? */
    expect(&r, &all, 1, 0, false);
    note(&r, &all, 9, 10);
    older(&r, &all, 7, 5, false); /* 8 is missing */
    expect(&r, &all, 9, 9, false);
    older(&r, &all, 10, 6, false); /* 10 was stored meanwhile */
    expect(&r, &all, 6, 9, false);
    older(&r, &all, 9, 1, true);
    expect(&r, &all, 1, 9, true);
    recall_forget(&r, &all);
}

static void
the_oldest_go_when_there_are_too_many(void **state)
{
    struct recall r = {.count = 0};
    struct recalls all = {0};

    (void)state;
    for (int64_t seq = 1; seq <= RECALL_MAX + 3; seq++) {
        note(&r, &all, seq, 10);
    }
    expect(&r, &all, 4, RECALL_MAX + 3, false);
    older(&r, &all, RECALL_MAX + 3, 1, true);
    expect(&r, &all, 4, RECALL_MAX + 3, false);
    recall_forget(&r, &all);
    note(&r, &all, RECALL_MAX + 3, 10);
    older(&r, &all, RECALL_MAX + 2, 1, true); /* not all have room */
    expect(&r, &all, 4, RECALL_MAX + 3, false);
    recall_forget(&r, &all);
}

static void
and_when_they_are_too_large(void **state)
{
    struct recall r = {.count = 0};
    struct recalls all = {0};

    (void)state;
    note(&r, &all, 1, RECALL_BYTES / 2 - sizeof(*r.records));
    note(&r, &all, 2, RECALL_BYTES / 2 - sizeof(*r.records));
    expect(&r, &all, 1, 2, true);
    note(&r, &all, 3, 1);
    expect(&r, &all, 2, 3, false);
    note(&r, &all, 4, RECALL_BYTES);
    expect(&r, &all, 1, 0, false);
    note(&r, &all, 5, 10);
    expect(&r, &all, 5, 5, false);
    recall_forget(&r, &all);
}

static void
a_large_one_that_is_kept_is_not_in_the_way(void **state)
{
    struct recall r = {.count = 0};
    struct recalls all = {0};
    struct message_record read[2];

    (void)state;
    note(&r, &all, 2, RECALL_BYTES * 2 / 3);
    read[0] = message(2, RECALL_BYTES * 2 / 3);
    read[1] = message(1, 10);
    recall_older(&r, &all, read, COUNT_OF(read), true);
    expect(&r, &all, 1, 2, true);
    recall_forget(&r, &all);
}

/* It says which conversation the next question belongs to. */
static void
an_answers_conversation_is_kept_with_its_model(void **state)
{
    struct recall r = {.count = 0};
    struct recalls all = {0};
    struct message_record m = message(2, 10), *copy;

    (void)state;
    note(&r, &all, 1, 10);
    m.conversation = (char[]){"c-1"};
    recall_note(&r, &all, &m); /* nobody's */
    m.seq = 3;
    m.model_id = (char[]){"m1"};
    recall_note(&r, &all, &m);
    copy = recall_copy(&r);
    assert_string_equal(copy[0].conversation, "c-1");
    assert_string_equal(copy[0].model_id, "m1");
    assert_null(copy[1].conversation);
    assert_int_equal(r.bytes, 3 * (sizeof(m) + 10) + 3);
    for (int i = 0; i < 3; i++) {
        message_record_fini(&copy[i]);
    }
    xfree(copy);
    recall_forget(&r, &all);
    assert_int_equal(all.bytes, 0);
}

static void
a_shard_has_room_for_so_much(void **state)
{
    struct recall r = {.count = 0}, other = {.count = 0};
    struct recalls all = {0};
    size_t one;

    (void)state;
    note(&r, &all, 1, 10);
    one = all.bytes;
    all.bytes = RECALL_ALL_BYTES - one + 1; /* of others */
    note(&other, &all, 1, 10);
    assert_int_equal(other.count, 0);
    assert_int_equal(all.bytes, RECALL_ALL_BYTES - one + 1);
    all.bytes = one;
    note(&other, &all, 1, 10);
    assert_int_equal(other.count, 1);
    recall_forget(&other, &all);
    expect(&r, &all, 1, 1, true);
    recall_forget(&r, &all);
}

static void
an_answer_takes_the_place_of_an_earlier_one(void **state)
{
    struct recall r = {.count = 0};
    struct recalls all = {0};
    struct message_record m, *copy;
    char earlier[] = "2";

    (void)state;
    note(&r, &all, 1, 10);
    note(&r, &all, 2, 10);
    m = message(3, 10);
    m.sender = SENDER_AI;
    m.replaces = earlier;
    recall_note(&r, &all, &m);
    copy = recall_copy(&r);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(copy[i].superseded, copy[i].seq == 2);
        message_record_fini(&copy[i]);
    }
    xfree(copy);
    recall_forget(&r, &all);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_follows_is_kept_and_is_whole_from_the_first_on),
        cmocka_unit_test(one_that_does_not_follow_begins_anew),
        cmocka_unit_test(what_was_read_goes_before_it_where_it_follows),
        cmocka_unit_test(the_oldest_go_when_there_are_too_many),
        cmocka_unit_test(and_when_they_are_too_large),
        cmocka_unit_test(a_large_one_that_is_kept_is_not_in_the_way),
        cmocka_unit_test(an_answers_conversation_is_kept_with_its_model),
        cmocka_unit_test(a_shard_has_room_for_so_much),
        cmocka_unit_test(an_answer_takes_the_place_of_an_earlier_one),
    };

    return cmocka_run_group_tests_name("chat/recall", tests, NULL, NULL);
}
