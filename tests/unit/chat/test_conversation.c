/* SPDX-License-Identifier: MIT */
#include "chat/conversation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A record as the table below writes it; ids are of one letter. */
struct entry {
    int64_t seq;
    char id;
    enum sender sender;
    const char *reply_to; /* of an answer */
    const char *model_id;
    const char *conversation;
    bool superseded;
};

#define Q(seq, id)                                                             \
    {                                                                          \
        seq, id, SENDER_USER, NULL, NULL, NULL, false                          \
    }
#define A(seq, id, to, model, conversation)                                    \
    {                                                                          \
        seq, id, SENDER_AI, to, model, conversation, false                     \
    }
#define OLD(seq, id, to, model, conversation)                                  \
    {                                                                          \
        seq, id, SENDER_AI, to, model, conversation, true                      \
    }

#define ENTRIES_MAX 10

/* The question that is asked is of model "d". */
struct row {
    const char *what;
    struct entry log[ENTRIES_MAX]; /* newest first, as it is read */
    int64_t before_seq;            /* the question's number */
    uint64_t budget;
    const char *conversation; /* NULL: a new one */
    const char *told;         /* ids of the messages that it is told */
};

static const struct row rows[] = {
    {"a first question", {Q(1, 'a')}, 1, 100, NULL, ""},
    {"the next one goes on",
     {Q(3, 'c'), A(2, 'b', "a", "d", "C1"), Q(1, 'a')},
     3,
     100,
     "C1",
     ""},
    {"another model's is not ours",
     {Q(3, 'c'), A(2, 'b', "a", "e", "C1"), Q(1, 'a')},
     3,
     100,
     NULL,
     "ab"},
    {"an answer of ours without one",
     {Q(3, 'c'), A(2, 'b', "a", "d", NULL), Q(1, 'a')},
     3,
     100,
     NULL,
     "ab"},
    {"the newest one",
     {Q(5, 'e'), A(4, 'd', "c", "d", "C2"), Q(3, 'c'),
      A(2, 'b', "a", "d", "C1"), Q(1, 'a')},
     5,
     100,
     "C2",
     ""},
    {"what another model has answered since is told",
     {Q(7, 'g'), A(6, 'f', "e", "x", NULL), Q(5, 'e'),
      A(4, 'd', "c", "e", "E1"), Q(3, 'c'), A(2, 'b', "a", "d", "C1"),
      Q(1, 'a')},
     7,
     100,
     "C1",
     "cdef"},
    {"an answer behind the next question",
     {A(5, 'e', "c", "d", "C1"), Q(4, 'd'), Q(3, 'c'),
      A(2, 'b', "a", "d", "C1"), Q(1, 'a')},
     4,
     100,
     "C1",
     ""},
    {"what does not fit is not told, and it goes on all the same",
     {Q(7, 'g'), A(6, 'f', "e", "x", NULL), Q(5, 'e'),
      A(4, 'd', "c", "x", NULL), Q(3, 'c'), A(2, 'b', "a", "d", "C1"),
      Q(1, 'a')},
     7,
     2,
     "C1",
     "ef"},
    {"the turn before is never too large",
     {Q(3, 'c'), A(2, 'b', "a", "d", "C1"), Q(1, 'a')},
     3,
     0,
     "C1",
     ""},
    {"asked again: its old answer is in it",
     {A(4, 'd', "c", "d", "C1"), Q(3, 'c'), A(2, 'b', "a", "d", "C1"),
      Q(1, 'a')},
     3,
     100,
     NULL,
     "ab"},
    {"asked again in the middle: later turns are in it",
     {A(4, 'd', "c", "d", "C1"), Q(3, 'c'), A(2, 'b', "a", "x", NULL),
      Q(1, 'a')},
     1,
     100,
     NULL,
     ""},
    {"asked again, but another model had answered",
     {A(4, 'd', "c", "x", NULL), Q(3, 'c'), A(2, 'b', "a", "d", "C1"),
      Q(1, 'a')},
     3,
     100,
     "C1",
     ""},
    {"after that the conversation is the new answer's",
     {Q(6, 'f'), A(5, 'e', "c", "d", "C2"), OLD(4, 'd', "c", "d", "C1"),
      Q(3, 'c'), A(2, 'b', "a", "d", "C1"), Q(1, 'a')},
     6,
     100,
     "C2",
     ""},
    {"an old turn was answered anew: what came behind it is told",
     {Q(6, 'f'), A(5, 'e', "a", "d", "C2"), A(4, 'd', "c", "d", "C1"),
      Q(3, 'c'), OLD(2, 'b', "a", "d", "C1"), Q(1, 'a')},
     6,
     100,
     "C2",
     "cd"},
    {"by another model: it still says what nobody said",
     {Q(6, 'f'), A(5, 'e', "a", "x", NULL), A(4, 'd', "c", "d", "C1"),
      Q(3, 'c'), OLD(2, 'b', "a", "d", "C1"), Q(1, 'a')},
     6,
     100,
     NULL,
     "aecd"},
    {"the last answer gave way to another model's",
     {Q(4, 'd'), A(3, 'c', "a", "x", NULL), OLD(2, 'b', "a", "d", "C1"),
      Q(1, 'a')},
     4,
     100,
     NULL,
     "ac"},
    {"its question was not read",
     {Q(5, 'e'), A(4, 'd', "c", "x", NULL), Q(3, 'c'),
      A(2, 'b', "a", "d", "C1")},
     5,
     100,
     "C1",
     "cd"},
    {"an answer to nothing",
     {Q(3, 'c'), A(2, 'b', NULL, "d", "C1"), Q(1, 'a')},
     3,
     100,
     NULL,
     ""},
};

static size_t
records_of(const struct entry *log, struct message_record *out)
{
    size_t n = 0;

    for (; n < ENTRIES_MAX && log[n].seq > 0; n++) {
        out[n] = (struct message_record){
            .seq = log[n].seq,
            .id = {log[n].id},
            .sender = log[n].sender,
            .reply_to = (char *)(uintptr_t)log[n].reply_to,
            .model_id = (char *)(uintptr_t)log[n].model_id,
            .conversation = (char *)(uintptr_t)log[n].conversation,
            .content = (char *)(uintptr_t) "text", /* a token */
            .content_n = 4,
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
    char told[ENTRIES_MAX + 1] = "";
    struct conversation c;
    bool reached;

    n = history_choose(&log, chosen, &reached);
    c = conversation_find(&log, STR("d"), chosen, n);
    assert_true(c.known <= n);
    for (size_t i = c.known; i < n; i++) {
        told[i - c.known] = records[chosen[i]].id[0];
    }
    if (strcmp(told, row->told) != 0 || (c.id == NULL) != !row->conversation ||
        (c.id != NULL && strcmp(c.id, row->conversation) != 0)) {
        fail_msg("%s: %s told \"%s\", not %s told \"%s\"", row->what,
                 c.id != NULL ? c.id : "a new one", told,
                 row->conversation != NULL ? row->conversation : "a new one",
                 row->told);
    }
}

static void
goes_on_only_where_it_says_what_the_log_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check(&rows[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on_only_where_it_says_what_the_log_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
