/* SPDX-License-Identifier: MIT */
#include "store/mongo_old.h"

#include "base/check.h"
#include "base/xalloc.h"
#include "store/mongo_fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define T0 1700000000000
#define SID "0123456789abcdef0123456789abcdef"

static struct mongo_lib lib;

static int
load(void **state)
{
    char why[256];

    (void)state;
    assert_int_equal(mongo_lib_load(&lib, why, sizeof(why)), ERR_OK);
    return 0;
}

/* -- documents -- */

/* One value of each kind that a field can have. */
enum kind { ABSENT, NONE, TEXT, INT, REAL, TIME, BOOL, DOC, LIST, KINDS };

static void
put(struct mongo_bson *d, const char *key, enum kind kind)
{
    struct mongo_bson inner;

    switch (kind) {
    case NONE:
        mongo_bson_null(d, key);
        break;
    case TEXT:
        mongo_bson_text(d, key, "user");
        break;
    case INT:
        mongo_bson_int(d, key, 7);
        break;
    case REAL:
        mongo_bson_real(d, key, 7.5);
        break;
    case TIME:
        mongo_bson_moment(d, key, T0 + 1);
        break;
    case BOOL:
        mongo_bson_bool(d, key, true);
        break;
    case DOC:
        mongo_bson_open(d, key, &inner);
        mongo_bson_text(&inner, "a", "b");
        mongo_bson_close(d, &inner);
        break;
    case LIST:
        mongo_bson_open_array(d, key, &inner);
        mongo_bson_text(&inner, "0", "b");
        mongo_bson_close_array(d, &inner);
        break;
    default:
        break;
    }
}

/* A session whose messages say these senders ("" leaves it out), a second
 * after one another. */
static void
make(struct mongo_bson *d, const char *const *senders, size_t count)
{
    char index[MONGO_BSON_INDEX_SIZE];
    struct mongo_bson list, one;

    mongo_bson_init(d, &lib);
    mongo_bson_text(d, "_id", SID);
    mongo_bson_text(d, "uid", "ann");
    mongo_bson_moment(d, "ts", T0);
    mongo_bson_open_array(d, "msgs", &list);
    for (size_t i = 0; i < count; i++) {
        mongo_bson_open(&list, mongo_bson_index(index, (uint32_t)i), &one);
        mongo_bson_text(&one, "content", "text");
        mongo_bson_moment(&one, "ts", T0 + 1000 * (int64_t)(i + 1));
        if (senders[i][0] != '\0') {
            mongo_bson_text(&one, "sender", senders[i]);
        }
        mongo_bson_close(&list, &one);
    }
    mongo_bson_close_array(d, &list);
}

/* The message by number; the caller frees it. False: there is none. */
static bool
nth(const struct mongo_bson *d, int64_t seq, struct message_record *out,
    uint64_t *odd)
{
    struct mongo_old w;

    mongo_old_begin(&w, &lib, &d->b, SID, T0);
    while (mongo_old_next(&w)) {
        if (w.seq == seq) {
            mongo_old_get(&w, out, odd);
            return true;
        }
    }
    return false;
}

/* -- tests -- */

static void
test_messages_are_numbered_from_one_and_keep_their_ids(void **state)
{
    static const char *const senders[] = {"user", "ai", "admin", "system", ""};
    static const enum sender wanted[] = {SENDER_USER, SENDER_AI, SENDER_ADMIN,
                                         SENDER_SYSTEM, SENDER_SYSTEM};
    struct message_record m;
    struct mongo_bson d;
    uint64_t odd = 0;
    char id[RAND_ID_CHARS + 1], last[RAND_ID_CHARS + 1] = "";

    (void)state;
    make(&d, senders, COUNT_OF(senders));
    for (int64_t seq = 1; seq <= (int64_t)COUNT_OF(senders); seq++) {
        assert_true(nth(&d, seq, &m, &odd));
        mongo_old_id(SID, seq, id);
        assert_string_equal(m.id, id);
        assert_int_equal(strlen(m.id), RAND_ID_CHARS);
        assert_string_not_equal(m.id, last);
        memcpy(last, id, sizeof(last));
        assert_string_equal(m.sid, SID);
        assert_int_equal(m.seq, seq);
        assert_int_equal(m.at_ms, T0 + 1000 * seq);
        assert_int_equal(m.sender, wanted[seq - 1]);
        assert_int_equal(m.status, STATUS_COMPLETE);
        assert_string_equal(m.content, "text");
        assert_int_equal(m.duration_ms, -1);
        message_record_fini(&m);
    }
    assert_false(nth(&d, 6, &m, &odd));
    assert_int_equal(odd, 0);
    mongo_bson_fini(&d);
}

/* What other releases have written must keep its ids. */
static void
test_the_id_of_a_message_never_changes(void **state)
{
    char id[RAND_ID_CHARS + 1];

    (void)state;
    mongo_old_id(SID, 1, id); /* printf message:0123…:1 | sha256sum */
    assert_string_equal(id, "e02938bb45e89fcb80321ae660c33641");
}

static void
test_an_answer_is_to_the_question_before_it(void **state)
{
    static const char *const senders[] = {"ai", "user", "user", "admin",
                                          "ai", "ai",   "user", "ai"};
    static const int64_t wanted[] = {0, 0, 0, 0, 3, 0, 0, 7};
    char id[RAND_ID_CHARS + 1];
    struct message_record m;
    struct mongo_bson d;
    uint64_t odd = 0;

    (void)state;
    make(&d, senders, COUNT_OF(senders));
    for (size_t i = 0; i < COUNT_OF(senders); i++) {
        assert_true(nth(&d, (int64_t)i + 1, &m, &odd));
        mongo_old_id(SID, wanted[i], id);
        if (wanted[i] == 0) {
            assert_null(m.reply_to);
        } else {
            assert_string_equal(m.reply_to, id);
        }
        assert_string_equal(m.type, m.sender == SENDER_AI ? "ai_response"
                                                          : "user_message");
        message_record_fini(&m);
    }
    mongo_bson_fini(&d);
}

static void
test_a_file_without_words_is_an_upload(void **state)
{
    struct mongo_bson d, list, one;
    struct message_record m;
    uint64_t odd = 0;

    (void)state;
    mongo_bson_init(&d, &lib);
    mongo_bson_open_array(&d, "msgs", &list);
    mongo_bson_open(&list, "0", &one);
    mongo_bson_text(&one, "sender", "user");
    mongo_bson_text(&one, "content", "");
    mongo_bson_text(&one, "fileId", "f1");
    mongo_bson_text(&one, "fileUrl", "https://example.org/f1");
    mongo_bson_close(&list, &one);
    mongo_bson_close_array(&d, &list);
    assert_true(nth(&d, 1, &m, &odd));
    assert_string_equal(m.type, "file_upload");
    assert_string_equal(m.file_id, "f1");
    assert_string_equal(m.file_url, "https://example.org/f1");
    assert_int_equal(m.at_ms, T0);
    message_record_fini(&m);
    mongo_bson_fini(&d);
}

/* Every kind in every field: nothing falls, the number stays, and what is none
 * of ours is counted. */
static void
test_a_value_of_a_wrong_kind_counts_as_absent(void **state)
{
    static const struct {
        const char *name;
        unsigned fine; /* kinds that are taken, or are nothing */
    } fields[] = {{"content", 1u << TEXT}, {"ts", 1u << TIME},
                  {"sender", 1u << TEXT},  {"fileId", 1u << TEXT},
                  {"fileUrl", 1u << TEXT}, {"meta", 1u << DOC},
                  {"unknown", ~0u}};

    (void)state;
    for (size_t f = 0; f < COUNT_OF(fields); f++) {
        for (enum kind k = ABSENT; k < KINDS; k++) {
            bool fine = k <= NONE || (fields[f].fine >> k & 1);
            struct mongo_bson d, list, one;
            struct message_record m;
            uint64_t odd = 0;

            mongo_bson_init(&d, &lib);
            mongo_bson_open_array(&d, "msgs", &list);
            put(&list, "0", INT);
            mongo_bson_open(&list, "1", &one);
            put(&one, fields[f].name, k);
            mongo_bson_close(&list, &one);
            mongo_bson_close_array(&d, &list);
            assert_true(nth(&d, 2, &m, &odd));
            assert_int_equal(odd, fine ? 0 : 1);
            assert_int_equal(m.seq, 2);
            assert_non_null(m.content);
            message_record_fini(&m);
            mongo_bson_fini(&d);
        }
    }
}

static void
test_an_element_that_is_no_document_is_an_empty_message(void **state)
{
    (void)state;
    for (enum kind k = NONE; k < KINDS; k++) {
        struct mongo_bson d, list;
        struct message_record m;
        uint64_t odd = 0;

        mongo_bson_init(&d, &lib);
        mongo_bson_open_array(&d, "msgs", &list);
        put(&list, "0", k);
        mongo_bson_close_array(&d, &list);
        assert_true(nth(&d, 1, &m, &odd));
        assert_int_equal(odd, k == DOC ? 0 : 1);
        assert_int_equal(m.sender, SENDER_SYSTEM);
        assert_string_equal(m.content, "");
        message_record_fini(&m);
        mongo_bson_fini(&d);
    }
}

static void
test_only_a_list_is_walked(void **state)
{
    (void)state;
    for (enum kind k = ABSENT; k < KINDS; k++) {
        struct message_record m;
        struct mongo_bson d;
        uint64_t odd = 0;

        mongo_bson_init(&d, &lib);
        put(&d, "msgs", k);
        assert_int_equal(nth(&d, 1, &m, &odd), k == LIST);
        assert_int_equal(mongo_old_is_list(&lib, &d.b), k <= NONE || k == LIST);
        if (k == LIST) {
            message_record_fini(&m);
        }
        mongo_bson_fini(&d);
    }
}

static void
test_a_session_says_what_its_messages_show(void **state)
{
    static const char *const senders[] = {"user", "ai", "user"};
    struct mongo_session s, again;
    struct mongo_bson d;
    uint64_t odd = 0;

    (void)state;
    make(&d, senders, COUNT_OF(senders));
    mongo_bson_text(&d, "nm", "");
    mongo_bson_text(&d, "modelId", "");
    mongo_bson_int(&d, "avgRespTime", 450);
    assert_true(mongo_doc_get_session(&lib, &d.b, &s, &odd));
    assert_true(mongo_doc_get_session(&lib, &d.b, &again, &odd));
    assert_true(s.old);
    assert_int_equal(s.record.seq, 3);
    assert_int_equal(s.record.message_count, 3);
    assert_int_equal(s.record.last_ms, T0 + 3000);
    assert_int_equal(strlen(s.record.epoch), RECORD_EPOCH_CHARS);
    assert_string_equal(s.record.epoch, again.record.epoch);
    assert_null(s.record.name);
    assert_null(s.record.model_id);
    assert_int_equal(s.time_count, 1);
    assert_int_equal(s.times_ms[0], 450);
    assert_int_equal(odd, 0);
    mongo_doc_session_fini(&s);
    mongo_doc_session_fini(&again);
    mongo_bson_fini(&d);
}

/* A document of ours, also beside what was moved out of it. */
static void
test_a_session_with_a_version_is_none_of_the_older_form(void **state)
{
    static const char *const senders[] = {"user"};
    struct mongo_session s;
    struct mongo_bson d;
    uint64_t odd = 0;

    (void)state;
    make(&d, senders, 1);
    mongo_bson_int(&d, "seq", 9);
    mongo_bson_int(&d, "v", MONGO_DOC_VERSION);
    assert_true(mongo_doc_get_session(&lib, &d.b, &s, &odd));
    assert_false(s.old);
    assert_true(s.laden);
    assert_int_equal(s.record.seq, 9);
    mongo_doc_session_fini(&s);
    mongo_bson_fini(&d);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_messages_are_numbered_from_one_and_keep_their_ids),
        cmocka_unit_test(test_the_id_of_a_message_never_changes),
        cmocka_unit_test(test_an_answer_is_to_the_question_before_it),
        cmocka_unit_test(test_a_file_without_words_is_an_upload),
        cmocka_unit_test(test_a_value_of_a_wrong_kind_counts_as_absent),
        cmocka_unit_test(
            test_an_element_that_is_no_document_is_an_empty_message),
        cmocka_unit_test(test_only_a_list_is_walked),
        cmocka_unit_test(test_a_session_says_what_its_messages_show),
        cmocka_unit_test(
            test_a_session_with_a_version_is_none_of_the_older_form),
    };

    return cmocka_run_group_tests(tests, load, NULL);
}
