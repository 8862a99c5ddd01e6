/* SPDX-License-Identifier: MIT */
#include "store/vault.h"

#include "base/metrics.h"
#include "keys.h"

#define SID "000000000000000000000000000000aa"
#define ANSWER "000000000000000000000000000000bb"

static struct str
put(struct vault *v, struct seal_place at, const char *text, struct buf *out)
{
    buf_init(out, VAULT_SIZE(strlen(text)));
    assert_int_equal(vault_put(v, &at, str_from(text), out), ERR_OK);
    return buf_str(out);
}

/* What is got at the place, or "-". */
static void
expect_got(struct vault *v, struct seal_place at, struct str stored,
           const char *text)
{
    struct buf out;
    bool good;

    buf_init(&out, stored.n);
    good = vault_get(v, &at, stored, &out);
    assert_int_equal(good, strcmp(text, "-") != 0);
    assert_true(str_is(buf_str(&out), good ? text : ""));
    buf_fini(&out);
}

static void
each_place_is_another_one(void **state)
{
    const struct seal_place places[] = {vault_at_message(SID, 1),
                                        vault_at_message(SID, 2),
                                        vault_at_message(ANSWER, 1),
                                        vault_at_name(SID),
                                        vault_at_name(ANSWER),
                                        vault_at_piece(SID, ANSWER, 0),
                                        vault_at_piece(SID, ANSWER, 1),
                                        vault_at_piece(SID, SID, 0),
                                        vault_at_piece(ANSWER, ANSWER, 0)};
    struct seal_ring *ring = ring_of("a");
    struct vault *v = vault_new(ring);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        struct buf there;

        (void)put(v, places[i], "a text", &there);
        for (size_t j = 0; j < COUNT_OF(places); j++) {
            expect_got(v, places[j], buf_str(&there), i == j ? "a text" : "-");
        }
        buf_fini(&there);
    }
    vault_free(v);
    seal_ring_free(ring);
}

static void
without_keys_texts_stay_as_they_are(void **state)
{
    struct seal_ring *none = ring_of(""), *ring = ring_of("a");
    struct vault *vaults[] = {vault_new(NULL), vault_new(none)};
    struct vault *other = vault_new(ring);
    struct seal_place at = vault_at_message(SID, 1);
    struct buf there;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(vaults); i++) {
        assert_false(vault_seals(vaults[i]));
        assert_true(str_is(put(vaults[i], at, "a text", &there), "a text"));
        assert_true(vault_is_current(vaults[i], buf_str(&there)));
        expect_got(vaults[i], at, buf_str(&there), "a text");
        buf_fini(&there);
        (void)put(other, at, "a secret", &there);
        expect_got(vaults[i], at, buf_str(&there), "-");
        buf_fini(&there);
        assert_int_equal(vault_key(vaults[i]).n, 0);
        vault_free(vaults[i]);
    }
    vault_free(other);
    vault_free(NULL);
    seal_ring_free(ring);
    seal_ring_free(none);
}

static void
an_empty_text_stays_empty(void **state)
{
    struct seal_ring *ring = ring_of("a");
    struct vault *v = vault_new(ring);
    struct buf there;

    (void)state;
    assert_int_equal(put(v, vault_at_message(SID, 1), "", &there).n, 0);
    expect_got(v, vault_at_message(SID, 1), buf_str(&there), "");
    assert_true(vault_is_current(v, buf_str(&there)));
    buf_fini(&there);
    vault_free(v);
    seal_ring_free(ring);
}

static int64_t
unreadable(void)
{
    return metric_value(METRIC_STORE_UNREADABLE, 0);
}

static void
what_does_not_open_is_counted(void **state)
{
    struct seal_ring *a = ring_of("a"), *other = ring_of("A"),
                     *b = ring_of("b");
    struct vault *v = vault_new(a), *w = vault_new(other), *x = vault_new(b);
    struct seal_place at = vault_at_message(SID, 1);
    struct buf there;
    int64_t before;

    (void)state;
    (void)put(v, at, "a text", &there);
    before = unreadable();
    expect_got(v, at, buf_str(&there), "a text");
    expect_got(v, at, STR("plain"), "plain");
    assert_int_equal(unreadable(), before);
    expect_got(w, at, buf_str(&there), "-");
    expect_got(x, at, buf_str(&there), "-");
    expect_got(v, vault_at_message(SID, 2), buf_str(&there), "-");
    assert_int_equal(unreadable(), before + 3);
    buf_fini(&there);
    vault_free(v);
    vault_free(w);
    vault_free(x);
    seal_ring_free(a);
    seal_ring_free(other);
    seal_ring_free(b);
}

static void
a_text_is_current_when_the_first_key_sealed_it(void **state)
{
    struct seal_ring *before = ring_of("a"), *after = ring_of("ba");
    struct vault *v = vault_new(before), *w = vault_new(after);
    struct seal_place at = vault_at_message(SID, 1);
    struct buf old, new;

    (void)state;
    (void)put(v, at, "a text", &old);
    (void)put(w, at, "a text", &new);
    assert_true(vault_is_current(v, buf_str(&old)));
    assert_false(vault_is_current(w, buf_str(&old)));
    assert_true(vault_is_current(w, buf_str(&new)));
    assert_false(vault_is_current(w, STR("a text")));
    assert_true(str_is(vault_key(w), "b"));
    expect_got(w, at, buf_str(&old), "a text");
    buf_fini(&old);
    buf_fini(&new);
    vault_free(v);
    vault_free(w);
    seal_ring_free(before);
    seal_ring_free(after);
}

static void
a_check_value_tells_the_wrong_keys(void **state)
{
    static const struct {
        const char *keys;
        const char *why; /* NULL: they are the right ones */
    } cases[] = {
        {"a", NULL},
        {"ba", NULL},
        {"", "\"a\", which is not among"},
        {"b", "\"a\", which is not among"},
        {"A", "The key \"a\" of"},
    };
    struct seal_ring *ring = ring_of("a");
    struct vault *v = vault_new(ring);
    struct buf value;
    char why[512];

    (void)state;
    buf_init(&value, 1000);
    assert_int_equal(vault_check_put(v, &value), ERR_OK);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct seal_ring *keys = ring_of(cases[i].keys);
        struct vault *w = vault_new(keys);
        bool right = vault_check_get(w, buf_str(&value), why, sizeof(why));

        assert_int_equal(right, cases[i].why == NULL);
        assert_true(right || strstr(why, cases[i].why) != NULL);
        vault_free(w);
        seal_ring_free(keys);
    }
    assert_false(vault_check_get(v, STR("chatbox"), why, sizeof(why)));
    buf_fini(&value);
    vault_free(v);
    seal_ring_free(ring);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_place_is_another_one),
        cmocka_unit_test(without_keys_texts_stay_as_they_are),
        cmocka_unit_test(an_empty_text_stays_empty),
        cmocka_unit_test(what_does_not_open_is_counted),
        cmocka_unit_test(a_text_is_current_when_the_first_key_sealed_it),
        cmocka_unit_test(a_check_value_tells_the_wrong_keys),
    };

    metrics_thread_init();
    return cmocka_run_group_tests_name("store/vault", tests, NULL, NULL);
}
