/* SPDX-License-Identifier: MIT */
#include "store/store_mongo_group.h"

#include "base/check.h"
#include "loop/shard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Jobs are written as words: what it is (q a question, e the end of an answer,
 * p a patch; Q and E if it is not known whether they are stored), whose
 * session, which one. */
#define WORD 4
#define JOBS_MAX 300

struct jobs {
    struct store_job all[JOBS_MAX];
    char words[JOBS_MAX][WORD];
    size_t count;
};

static enum store_op
op_of(char c)
{
    switch (c) {
    case 'q':
    case 'Q':
        return STORE_MESSAGE_APPEND;
    case 'e':
    case 'E':
        return STORE_ANSWER_FINISH;
    default:
        return STORE_SESSION_PATCH;
    }
}

static void
add(struct jobs *j, const char *word)
{
    struct store_job *job = &j->all[j->count];

    assert_true(j->count < JOBS_MAX);
    memset(job, 0, sizeof(*job));
    job->op = op_of(word[0]);
    job->open_ms = word[0] == 'Q' || word[0] == 'E';
    job->session.sid[0] = word[1];
    snprintf(j->words[j->count], WORD, "%.3s", word);
    if (j->count > 0) {
        j->all[j->count - 1].letter.next = &job->letter;
    }
    j->count++;
}

/* The words of a text, three characters each, separated by spaces. */
static struct jobs *
jobs_of(const char *text)
{
    struct jobs *j = calloc(1, sizeof(*j));

    for (size_t at = 0; at < strlen(text); at += WORD) {
        add(j, text + at);
    }
    return j;
}

/* Every command as its words; commands separated by "|". */
static void
commands_of(struct jobs *j, char *out, size_t size)
{
    struct store_job *cut[STORE_MONGO_GROUP];
    struct mongo_group g;
    size_t n, at = 0;

    out[0] = '\0';
    store_mongo_group_init(&g, &j->all[0]);
    while ((n = store_mongo_group_cut(&g, cut)) > 0) {
        at += (size_t)snprintf(out + at, size - at, "%s", at > 0 ? " |" : "");
        for (size_t i = 0; i < n; i++) {
            at +=
                (size_t)snprintf(out + at, size - at, "%s%s", at > 0 ? " " : "",
                                 j->words[cut[i] - j->all]);
        }
    }
    store_mongo_group_fini(&g);
}

static const struct {
    const char *jobs;
    const char *commands;
} groups[] = {
    {"qa1", "qa1"},
    {"qa1 qb1 qc1", "qa1 qb1 qc1"},
    /* two of one session are never in one command */
    {"qa1 qb1 qa2", "qa1 qb1 | qa2"},
    {"ea1 ea2", "ea1 | ea2"},
    /* a mixture is sorted */
    {"qa1 eb1 qc1 ed1", "qa1 qc1 | eb1 ed1"},
    {"ea1 qb1 ec1 qd1", "ea1 ec1 | qb1 qd1"},
    /* nothing overtakes what stands before it in its own session */
    {"qa1 eb1 qb2", "qa1 | eb1 | qb2"},
    {"qa1 eb1 qb2 qc1", "qa1 qc1 | eb1 | qb2"},
    {"qa1 pb1 qb2 qc1", "qa1 qc1 | pb1 | qb2"},
    {"qa1 eb1 qb2 eb3 qc1 ed1", "qa1 qc1 | eb1 ed1 | qb2 | eb3"},
    /* anything else is done alone, when it is first */
    {"pa1 pb1", "pa1 | pb1"},
    {"pa1 qb1 pc1 qd1", "pa1 | qb1 qd1 | pc1"},
    /* what is in doubt nobody else shares the fate of */
    {"Qa1 Qb1 qc1 qd1", "Qa1 | Qb1 | qc1 qd1"},
    {"qa1 Qb1 qc1 Ed1 ee1 ef1", "qa1 qc1 | Qb1 | Ed1 | ee1 ef1"},
    {"Qa1 qa2 qb1", "Qa1 | qa2 qb1"},
};

static void
what_goes_together_is_picked_out_in_each_sessions_order(void **state)
{
    char out[256];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        struct jobs *j = jobs_of(groups[i].jobs);

        commands_of(j, out, sizeof(out));
        assert_string_equal(out, groups[i].commands);
        free(j);
    }
}

static void
no_command_has_more_than_its_most(void **state)
{
    struct jobs *j = calloc(1, sizeof(*j));
    struct store_job *cut[STORE_MONGO_GROUP];
    struct mongo_group g;

    (void)state;
    for (size_t i = 0; i < JOBS_MAX; i++) {
        add(j, "q");
        snprintf(j->all[i].session.sid, sizeof(j->all[i].session.sid), "%zu",
                 i);
    }
    store_mongo_group_init(&g, &j->all[0]);
    assert_int_equal(store_mongo_group_cut(&g, cut), STORE_MONGO_GROUP);
    assert_ptr_equal(cut[STORE_MONGO_GROUP - 1],
                     &j->all[STORE_MONGO_GROUP - 1]);
    assert_int_equal(store_mongo_group_cut(&g, cut), STORE_MONGO_GROUP);
    assert_int_equal(store_mongo_group_cut(&g, cut),
                     JOBS_MAX - 2 * STORE_MONGO_GROUP);
    assert_int_equal(store_mongo_group_cut(&g, cut), 0);
    store_mongo_group_fini(&g);
    free(j);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            what_goes_together_is_picked_out_in_each_sessions_order),
        cmocka_unit_test(no_command_has_more_than_its_most),
    };

    return cmocka_run_group_tests_name("store/store_mongo_group", tests, NULL,
                                       NULL);
}
