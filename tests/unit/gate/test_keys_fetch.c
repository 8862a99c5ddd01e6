/* SPDX-License-Identifier: MIT */
/* What may come from the address of a key set, and what of it is a set. */
#include "gate/keys_fetch.h"

#include "keys_fixture.h"

#define SET                                                                    \
    "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\","                         \
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"

struct outcome {
    unsigned ends;
    size_t keys; /* of the last one; 0: it failed */
};

static void
on_done(void *cookie, struct jwks *set)
{
    struct outcome *o = cookie;

    o->ends++;
    o->keys = set != NULL ? jwks_count(set) : 0;
    jwks_free(set);
}

struct desk {
    struct house house;
    struct keys_fetch *fetch;
    struct outcome outcome;
};

static void
desk_open(struct desk *d)
{
    *d = (struct desk){.fetch = NULL};
    house_open(&d->house);
    d->fetch = keys_fetch_new(&d->house.shards[0], &d->house.settings, on_done,
                              &d->outcome);
}

static void
desk_close(struct desk *d)
{
    keys_fetch_free(d->fetch);
    house_close(&d->house);
}

/* From the beginning to the end of one, without any time passing. */
static size_t
keys_of(struct desk *d, struct str answer)
{
    unsigned before = d->outcome.ends;

    d->house.publisher.answer = answer;
    keys_fetch_start(d->fetch);
    assert_true(keys_fetch_busy(d->fetch));
    assert_int_equal(d->outcome.ends, before);
    WAIT_FOR(&d->house, d->outcome.ends > before);
    assert_int_equal(d->outcome.ends, before + 1);
    assert_false(keys_fetch_busy(d->fetch));
    return d->outcome.keys;
}

static void
only_a_whole_answer_of_status_200_with_a_set_in_it_counts(void **state)
{
    static const struct {
        const char *answer;
        size_t keys;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n" SET, 1},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
         "5a\r\n" SET "\r\n0\r\n\r\n",
         1},
        {"HTTP/1.1 200 OK\r\n\r\n" SET, 1}, /* up to the close */
        {"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" SET, 1},
        {"HTTP/1.1 200 OK\r\nContent-Length: 91\r\n\r\n" SET, 0}, /* cut */
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
         "5a\r\n" SET "\r\n",
         0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0},
        {"HTTP/1.1 200 OK\r\n\r\n<html><body>Sign in</body></html>", 0},
        {"HTTP/1.1 200 OK\r\n\r\n{\"keys\":[]}", 0},
        {"HTTP/1.1 200 OK\r\n\r\n{\"keys\":[{\"kty\":\"new\"}]}", 0},
        {"HTTP/1.1 500 Oh\r\nContent-Length: 90\r\n\r\n" SET, 0},
        {"HTTP/1.1 404 No\r\nContent-Length: 90\r\n\r\n" SET, 0},
        {"HTTP/1.1 201 Made\r\nContent-Length: 90\r\n\r\n" SET, 0},
        {"HTTP/1.1 204 Nothing\r\n\r\n", 0},
        {"HTTP/1.1 304 Same\r\n\r\n", 0},
        {"HTTP/1.1 302 There\r\nLocation: /other\r\n"
         "Content-Length: 90\r\n\r\n" SET,
         0},
        {"HTTP/1.1 301 There\r\nLocation: /jwks\r\n\r\n", 0},
        {"I am no HTTP\r\n\r\n" SET, 0},
    };
    struct desk d;
    int64_t errors = 0;

    (void)state;
    assert_int_equal(strlen(SET), 90);
    desk_open(&d);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (keys_of(&d, str_from(rows[i].answer)) != rows[i].keys) {
            fail_msg("case %zu: %s", i, rows[i].answer);
        }
        errors += rows[i].keys == 0;
        assert_int_equal(d.house.publisher.asked, i + 1); /* and no other */
        assert_int_equal(metric_value(METRIC_JWKS_FETCHES, 0), i + 1);
        assert_int_equal(metric_value(METRIC_JWKS_ERRORS, 0), errors);
    }
    desk_close(&d);
}

/* A set with white space behind it, so many bytes in all; or one that never
 * ends, of which so many are there. */
static struct str
padded(struct buf *b, size_t bytes, bool endless)
{
    buf_reset(b, 0);
    buf_puts(b, "HTTP/1.1 200 OK\r\n");
    if (!endless) {
        buf_printf(b, "Content-Length: %zu\r\n", bytes);
    }
    buf_puts(b, "\r\n" SET);
    bytes -= strlen(SET);
    memset(buf_reserve(b, bytes), ' ', bytes);
    b->n += bytes;
    return buf_str(b);
}

/* More than the sockets in between hold. */
#define ENDLESS ((size_t)48 << 20)

static void
an_answer_has_a_size_beyond_which_nobody_reads_on(void **state)
{
    struct desk d;
    struct buf b;

    (void)state;
    buf_init(&b, (size_t)64 << 20);
    desk_open(&d);
    assert_int_equal(keys_of(&d, padded(&b, JWKS_BYTES_MAX, false)), 1);
    assert_int_equal(keys_of(&d, padded(&b, JWKS_BYTES_MAX + 1, false)), 0);
    d.house.publisher.stays = true;
    assert_int_equal(keys_of(&d, padded(&b, JWKS_BYTES_MAX + 1, true)), 0);
    assert_int_equal(keys_of(&d, padded(&b, ENDLESS, true)), 0);
    WAIT_FOR(&d.house, d.house.publisher.hung_up);
    assert_true(d.house.publisher.sent < ENDLESS);
    desk_close(&d);
    buf_fini(&b);
}

/* Five seconds for the whole, whatever the other side does meanwhile. */
static void
an_answer_has_a_time_beyond_which_nobody_waits(void **state)
{
    static const char *const beginnings[] = {
        "", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"};
    struct desk d;

    (void)state;
    desk_open(&d);
    d.house.publisher.stays = true;
    for (size_t i = 0; i < COUNT_OF(beginnings); i++) {
        d.house.publisher.answer = str_from(beginnings[i]);
        keys_fetch_start(d.fetch);
        WAIT_FOR(&d.house, d.house.publisher.asked == i + 1);
        house_skip(&d.house, 4999);
        assert_true(keys_fetch_busy(d.fetch));
        house_skip(&d.house, 2); /* a timer may round up */
        assert_false(keys_fetch_busy(d.fetch));
        assert_int_equal(d.outcome.ends, i + 1);
        assert_int_equal(d.outcome.keys, 0);
        WAIT_FOR(&d.house, d.house.publisher.hung_up);
    }
    desk_close(&d);
}

static void
nobody_there_is_a_failure_too(void **state)
{
    struct desk d;

    (void)state;
    desk_open(&d);
    publisher_close(&d.house.publisher);
    keys_fetch_start(d.fetch);
    WAIT_FOR(&d.house, d.outcome.ends == 1);
    assert_int_equal(d.outcome.keys, 0);
    assert_int_equal(metric_value(METRIC_JWKS_ERRORS, 0), 1);
    publisher_open(&d.house.publisher); /* for closing; elsewhere */
    desk_close(&d);
}

static void
there_is_one_at_a_time_and_it_can_be_given_up(void **state)
{
    struct desk d;

    (void)state;
    desk_open(&d);
    keys_fetch_start(d.fetch);
    keys_fetch_start(d.fetch);
    WAIT_FOR(&d.house, d.house.publisher.asked == 1);
    keys_fetch_start(d.fetch);
    house_settle(&d.house);
    assert_int_equal(d.house.publisher.asked, 1);
    assert_int_equal(metric_value(METRIC_JWKS_FETCHES, 0), 1);
    keys_fetch_free(d.fetch);
    d.fetch = NULL;
    WAIT_FOR(&d.house, d.house.publisher.hung_up);
    assert_int_equal(d.outcome.ends, 0);
    desk_close(&d); /* frees NULL */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            only_a_whole_answer_of_status_200_with_a_set_in_it_counts),
        cmocka_unit_test(an_answer_has_a_size_beyond_which_nobody_reads_on),
        cmocka_unit_test(an_answer_has_a_time_beyond_which_nobody_waits),
        cmocka_unit_test(nobody_there_is_a_failure_too),
        cmocka_unit_test(there_is_one_at_a_time_and_it_can_be_given_up),
    };

    if (fetch_pool_prepare() != ERR_OK) {
        return 1;
    }
    return cmocka_run_group_tests_name("gate/keys_fetch", tests, NULL, NULL);
}
