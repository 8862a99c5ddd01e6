/* SPDX-License-Identifier: MIT */
#include "net/tls.h"

#include "net/conn_internal.h"
#include "tls_fixture.h"

static struct fixture f;
static struct pair_files one;
static struct pair_files two;
static char why[256];

static int
setup(void **state)
{
    (void)state;
    fixture_open(&f);
    pair_make(&one, "one.example");
    pair_make(&two, "two.example");
    why[0] = '\0';
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    pair_remove(&one);
    pair_remove(&two);
    return 0;
}

static void
write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    (void)fclose(file);
}

static void
says_which_file_is_wrong(void **state)
{
    struct tls *t;

    (void)state;
    assert_int_equal(tls_new("/nowhere/c.pem", one.key, &t, why, sizeof(why)),
                     ERR_IO);
    assert_non_null(strstr(why, "/nowhere/c.pem"));
    assert_int_equal(tls_new(one.cert, "/nowhere/k.pem", &t, why, sizeof(why)),
                     ERR_IO);
    assert_non_null(strstr(why, "/nowhere/k.pem"));
    assert_int_equal(tls_new(one.cert, two.key, &t, why, sizeof(why)), ERR_IO);
    assert_non_null(strstr(why, two.key));
    write_file(two.cert, "no certificate at all\n");
    assert_int_equal(tls_new(two.cert, two.key, &t, why, sizeof(why)), ERR_IO);
    assert_non_null(strstr(why, two.cert));
    tls_free(NULL);
}

/* The name in the certificate that a client is shown by t. */
static void
name_shown(struct tls *t, char *name, size_t size, const char *alpn)
{
    struct user u;
    struct client c;
    int peer = fixture_pair(&f, &u, SOCK_STREAM);
    X509 *shown;
    const unsigned char *chosen;
    unsigned chosen_n;

    assert_int_equal(conn_tls_start(u.conn, t), ERR_OK);
    client_init(&c, peer, TLS1_3_VERSION);
    if (alpn != NULL) {
        assert_int_equal(SSL_set_alpn_protos(c.ssl, (const unsigned char *)alpn,
                                             (unsigned)strlen(alpn)),
                         0);
    }
    assert_int_equal(client_connect(&f, &c), 1);
    shown = SSL_get1_peer_certificate(c.ssl);
    assert_non_null(shown);
    assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(shown),
                                          NID_commonName, name, (int)size) > 0);
    X509_free(shown);
    SSL_get0_alpn_selected(c.ssl, &chosen, &chosen_n);
    if (alpn != NULL && strstr(alpn, "http/1.1") != NULL) {
        assert_int_equal(chosen_n, 8);
        assert_memory_equal(chosen, "http/1.1", 8);
    } else {
        assert_int_equal(chosen_n, 0);
    }
    fixture_drop(&f, &u, -1);
    client_fini(&c);
}

static void
a_reload_is_for_connections_that_begin_later(void **state)
{
    struct tls *t;
    struct user old;
    struct client client;
    char name[64];
    int peer = fixture_pair(&f, &old, SOCK_STREAM);

    (void)state;
    assert_int_equal(tls_new(one.cert, one.key, &t, why, sizeof(why)), ERR_OK);
    assert_int_equal(conn_tls_start(old.conn, t), ERR_OK);
    client_init(&client, peer, TLS1_3_VERSION);
    name_shown(t, name, sizeof(name), NULL);
    assert_string_equal(name, "one.example");
    assert_false(tls_renewed(t));
    assert_int_equal(tls_reload(t, two.cert, two.key, why, sizeof(why)),
                     ERR_OK);
    assert_true(tls_renewed(t));
    name_shown(t, name, sizeof(name), NULL);
    assert_string_equal(name, "two.example");
    assert_int_equal(tls_reload(t, two.cert, two.key, why, sizeof(why)),
                     ERR_OK);
    assert_false(tls_renewed(t));
    assert_int_equal(client_connect(&f, &client), 1);
    old.echoes = true;
    client_send(&f, &client, "still here", 10);
    assert_int_equal(client_recv(&f, &client, name, 10), 10);
    fixture_drop(&f, &old, -1);
    client_fini(&client);
    tls_free(t);
}

static void
a_failed_reload_changes_nothing(void **state)
{
    struct tls *t;
    char name[64];

    (void)state;
    assert_int_equal(tls_new(one.cert, one.key, &t, why, sizeof(why)), ERR_OK);
    assert_int_equal(tls_reload(t, two.cert, one.key, why, sizeof(why)),
                     ERR_IO);
    assert_non_null(strstr(why, one.key));
    name_shown(t, name, sizeof(name), NULL);
    assert_string_equal(name, "one.example");
    tls_free(t);
}

static void
chooses_http_1_1_when_it_is_offered(void **state)
{
    struct tls *t;
    char name[64];

    (void)state;
    assert_int_equal(tls_new(one.cert, one.key, &t, why, sizeof(why)), ERR_OK);
    name_shown(t, name, sizeof(name), "\x02h2\x08http/1.1");
    name_shown(t, name, sizeof(name), "\x02h2");
    tls_free(t);
}

struct reloader {
    struct tls *tls;
    const struct pair_files *pair;
};

static void *
reload_often(void *arg)
{
    struct reloader *r = arg;
    char sentence[256];

    for (int i = 0; i < 50; i++) {
        assert_int_equal(tls_reload(r->tls, r->pair->cert, r->pair->key,
                                    sentence, sizeof(sentence)),
                         ERR_OK);
    }
    return NULL;
}

static void
reloads_from_several_threads_while_connections_begin(void **state)
{
    struct tls *t;
    struct reloader r[2];
    pthread_t threads[2];
    char name[64];

    (void)state;
    assert_int_equal(tls_new(one.cert, one.key, &t, why, sizeof(why)), ERR_OK);
    for (int i = 0; i < 2; i++) {
        r[i] = (struct reloader){t, i == 0 ? &one : &two};
        assert_int_equal(pthread_create(&threads[i], NULL, reload_often, &r[i]),
                         0);
    }
    for (int i = 0; i < 20; i++) {
        name_shown(t, name, sizeof(name), NULL);
        assert_non_null(strstr(name, ".example"));
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    tls_free(t);
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(says_which_file_is_wrong),
        CASE(a_reload_is_for_connections_that_begin_later),
        CASE(a_failed_reload_changes_nothing),
        CASE(chooses_http_1_1_when_it_is_offered),
        CASE(reloads_from_several_threads_while_connections_begin),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* the test's client writes plainly */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
