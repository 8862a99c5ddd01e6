/* SPDX-License-Identifier: MIT */
#include "chat/history.h"

#include "fixture.h"

/* One token by estimate, and so forth. */
#define T1 "aaaa"
#define T2 "aaaaaaaa"
#define T5 "aaaaaaaaaaaaaaaaaaaa"

/* A record as the table below writes it; ids are of one letter. */
struct entry {
    int64_t seq;
    char id;
    enum sender sender;
    char reply_to;       /* of an answer */
    const char *content; /* NULL: it does not open */
    bool superseded;
};

#define Q(seq, id, text)                                                       \
    {                                                                          \
        seq, id, SENDER_USER, 0, text, false                                   \
    }
#define A(seq, id, to, text)                                                   \
    {                                                                          \
        seq, id, SENDER_AI, to, text, false                                    \
    }
#define OLD(seq, id, to, text)                                                 \
    {                                                                          \
        seq, id, SENDER_AI, to, text, true                                     \
    }

#define ENTRIES_MAX 8

struct row {
    const char *what;
    struct entry log[ENTRIES_MAX]; /* newest first, as it is read */
    int64_t before_seq;
    uint64_t budget;
    const char *chosen; /* ids in the order of the prompt */
    bool reached;
};

static const struct row rows[] = {
    {"nothing", {{0}}, 1, 100, "", false},
    {"pairs in their order",
     {A(4, 'd', 'c', T1), Q(3, 'c', T1), A(2, 'b', 'a', T1), Q(1, 'a', T1)},
     5,
     100,
     "abcd",
     false},
    {"the question itself and what came later stay out",
     {Q(6, 'f', T1), A(5, 'e', 'c', T1), Q(4, 'd', T1), Q(3, 'c', T1),
      A(2, 'b', 'a', T1), Q(1, 'a', T1)},
     3,
     100,
     "ab",
     false},
    {"an answer behind a later question",
     {A(4, 'd', 'b', T1), A(3, 'c', 'a', T1), Q(2, 'b', T1), Q(1, 'a', T1)},
     5,
     100,
     "acbd",
     false},
    {"an unanswered question",
     {Q(4, 'd', T1), A(3, 'c', 'b', T1), Q(2, 'b', T1), Q(1, 'a', T1)},
     5,
     100,
     "bc",
     false},
    {"a superseded answer gives way to the newer one",
     {A(5, 'e', 'a', T2), A(4, 'd', 'c', T1), Q(3, 'c', T1),
      OLD(2, 'b', 'a', T1), Q(1, 'a', T1)},
     6,
     100,
     "aecd",
     false},
    {"what does not open leaves out its pair",
     {A(6, 'f', 'e', NULL), Q(5, 'e', T1), A(4, 'd', 'c', T1), Q(3, 'c', NULL),
      A(2, 'b', 'a', T1), Q(1, 'a', T1)},
     7,
     100,
     "ab",
     false},
    {"a superseded answer alone is none",
     {OLD(2, 'b', 'a', T1), Q(1, 'a', T1)},
     3,
     100,
     "",
     false},
    {"of two that stand the newest",
     {A(3, 'c', 'a', T1), A(2, 'b', 'a', T1), Q(1, 'a', T1)},
     4,
     100,
     "ac",
     false},
    {"an empty answer is none",
     {A(2, 'b', 'a', ""), Q(1, 'a', T1)},
     3,
     100,
     "",
     false},
    {"an answer whose question is not there",
     {A(9, 'i', 'z', T1), A(8, 'h', 'g', T1), Q(7, 'g', T1)},
     10,
     100,
     "gh",
     false},
    {"regenerated in the middle: only what stood before the question",
     {A(4, 'd', 'c', T1), Q(3, 'c', T1), A(2, 'b', 'a', T1), Q(1, 'a', T1)},
     3,
     100,
     "ab",
     false},
    {"a budget that is met exactly",
     {A(4, 'd', 'c', T2), Q(3, 'c', T1), A(2, 'b', 'a', T1), Q(1, 'a', T1)},
     5,
     5,
     "abcd",
     false},
    {"one token too few leaves the oldest pair out",
     {A(4, 'd', 'c', T2), Q(3, 'c', T1), A(2, 'b', 'a', T1), Q(1, 'a', T1)},
     5,
     4,
     "cd",
     true},
    {"a pair is never cut",
     {A(2, 'b', 'a', T5), Q(1, 'a', T1)},
     3,
     5,
     "",
     true},
    {"nothing older follows one that does not fit",
     {A(6, 'f', 'e', T1), Q(5, 'e', T1), A(4, 'd', 'c', T5), Q(3, 'c', T1),
      A(2, 'b', 'a', T1), Q(1, 'a', T1)},
     7,
     5,
     "ef",
     true},
    {"no budget at all", {A(2, 'b', 'a', T1), Q(1, 'a', T1)}, 3, 0, "", true},
};

static size_t
records_of(const struct entry *log, struct message_record *out)
{
    size_t n = 0;

    for (; n < ENTRIES_MAX && log[n].seq > 0; n++) {
        static char replies[ENTRIES_MAX][2];

        replies[n][0] = log[n].reply_to;
        out[n] = (struct message_record){
            .seq = log[n].seq,
            .id = {log[n].id},
            .sender = log[n].sender,
            .reply_to = log[n].reply_to != 0 ? replies[n] : NULL,
            .content = (char *)(uintptr_t)log[n].content,
            .content_n = log[n].content != NULL ? strlen(log[n].content) : 0,
            .unreadable = log[n].content == NULL,
            .superseded = log[n].superseded,
        };
    }
    return n;
}

static void
check(const struct row *row)
{
    struct message_record records[ENTRIES_MAX];
    struct history_log log = {.records = records,
                              .count = records_of(row->log, records),
                              .before_seq = row->before_seq,
                              .budget = row->budget};
    size_t chosen[ENTRIES_MAX], n;
    char ids[ENTRIES_MAX + 1] = "";
    bool reached;

    n = history_choose(&log, chosen, &reached);
    for (size_t i = 0; i < n; i++) {
        ids[i] = records[chosen[i]].id[0];
    }
    if (strcmp(ids, row->chosen) != 0 || reached != row->reached) {
        fail_msg("%s: chose \"%s\", not \"%s\"; reached %d", row->what, ids,
                 row->chosen, reached);
    }
}

static void
chooses_whole_pairs_newest_first_until_the_budget(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check(&rows[i]);
    }
}

/* --- with a store -------------------------------------------------------- */

static void
ask_many(struct house *h, struct recorder *r, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        recorder_say(r, ASK("q"));
        WAIT_FOR(h, count_done(r) == i + 1);
    }
}

static size_t
prompt_messages(void)
{
    size_t n = 0;

    for (const char *at = script.prompt; *at != '\0'; at++) {
        n += *at == '|';
    }
    return n;
}

static void
reads_as_many_pages_as_the_budget_needs(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    house_open(&h);
    script.words = 1;
    recorder_join(&h, &r, "anna");
    ask_many(&h, &r, 100); /* 200 records: the last of three pages is short */
    recorder_say(&r, ASK("now"));
    WAIT_FOR(&h, count_done(&r) == 101);
    assert_int_equal(prompt_messages(), 201);
    recorder_fini(&r);
    house_close(&h);
}

static void
the_new_message_goes_to_the_model_whatever_its_size(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    house_open(&h);
    h.settings.context_tokens = 3;
    recorder_join(&h, &r, "anna");
    recorder_say(&r, ASK("one"));
    WAIT_FOR(&h, count_done(&r) == 1);
    recorder_say(&r, ASK("a question of more than three tokens"));
    WAIT_FOR(&h, count_done(&r) == 2);
    assert_string_equal(script.prompt,
                        "u:a question of more than three tokens|");
    recorder_fini(&r);
    house_close(&h);
}

static void
the_system_prompt_takes_its_part_of_the_budget(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    house_open(&h);
    h.settings.context_tokens = 5; /* "one" 1, "w w w " 2, "two" 1 */
    recorder_join(&h, &r, "anna");
    recorder_say(&r, ASK("one"));
    WAIT_FOR(&h, count_done(&r) == 1);
    h.settings.system_prompt = "four"; /* 1: it just fits */
    recorder_say(&r, ASK("two"));
    WAIT_FOR(&h, count_done(&r) == 2);
    assert_string_equal(script.prompt, "u:one|a:w w w |u:two|");
    h.settings.system_prompt = "fours";
    recorder_say(&r, ASK("six"));
    WAIT_FOR(&h, count_done(&r) == 3);
    assert_string_equal(script.prompt, "u:six|");
    recorder_fini(&r);
    house_close(&h);
}

static void
on_never(void *cookie, enum err e)
{
    (void)cookie;
    (void)e;
    fail_msg("a cancelled history must be silent");
}

static struct history *
start(struct recorder *r, const struct message_record *question, bool *ready)
{
    struct history_wish wish = {
        .question = question, .pictures = true, .done = on_never};

    return history_start(r->outlet.session, &wish, ready);
}

static void
one_cancelled_while_it_reads_frees_itself_silently(void **state)
{
    struct house h;
    struct recorder r;
    struct message_record question = {.seq = 2};
    bool ready = true;

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    history_cancel(start(&r, &question, &ready));
    assert_false(ready);
    history_cancel(NULL);
    WAIT_FOR(&h, r.outlet.session->jobs == 0);
    recorder_fini(&r);
    house_close(&h);
}

static void
the_first_question_of_a_session_needs_no_reading(void **state)
{
    struct house h;
    struct recorder r;
    struct message_record question = {
        .seq = 1, .sender = SENDER_USER, .content = (char[]){"Hello"}};
    struct history *it;
    bool ready = false;

    (void)state;
    question.content_n = strlen(question.content);
    house_open(&h);
    recorder_join(&h, &r, "anna");
    it = start(&r, &question, &ready);
    assert_true(ready);
    assert_int_equal(r.outlet.session->jobs, 0);
    assert_int_equal(history_prompt(it)->count, 1);
    assert_true(str_is(history_prompt(it)->messages[0].content, "Hello"));
    history_cancel(it);
    recorder_fini(&r);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chooses_whole_pairs_newest_first_until_the_budget),
        cmocka_unit_test(reads_as_many_pages_as_the_budget_needs),
        cmocka_unit_test(the_new_message_goes_to_the_model_whatever_its_size),
        cmocka_unit_test(the_system_prompt_takes_its_part_of_the_budget),
        cmocka_unit_test(one_cancelled_while_it_reads_frees_itself_silently),
        cmocka_unit_test(the_first_question_of_a_session_needs_no_reading),
    };

    return cmocka_run_group_tests_name("chat/history", tests, NULL, NULL);
}
