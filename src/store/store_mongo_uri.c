/* SPDX-License-Identifier: MIT */
/* MONGO_URI: what the driver only warns of is an error here, what it would
 * wait for without an end has one, and what it says about a URI is not repeated
 * where it might be the password. Its neighbour is store_mongo.c. */
#include "store/store_mongo_uri.h"

#include "base/check.h"
#include "store/mongo_lib.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Unless the URI says otherwise. A server that hangs holds a thread no longer
 * than this; it is longer than a write waits for the majority. */
#define SOCKET_TIMEOUT_MS 8000

/* How long one attempt looks for a primary at most, or waits for a
 * connection. */
#define SELECTION_MS 3000

#define SENTENCE_BYTES 512

/* -- what the driver says -- */

/* RFC 3986, 3.2.1, without the colon. */
static bool
is_userinfo(const char *p)
{
    return isalnum((unsigned char)*p) ||
           strchr("-._~!$&'()*+,;=", *p) != NULL ||
           (*p == '%' && isxdigit((unsigned char)p[1]) &&
            isxdigit((unsigned char)p[2]));
}

/* The driver quotes what it cannot read, in quotation marks of several kinds.
 * Of a user and a password that are written as they should be it knows where
 * they end, and quotes only what is behind them; a bare '@', '/' or '?' makes
 * any part of them something else. */
static bool
may_be_told(const char *uri)
{
    const char *at = strrchr(uri, '@'), *p = strstr(uri, "://");
    int colons = 0;

    if (at == NULL || p == NULL || at < p) {
        return at == NULL;
    }
    for (p += 3; p < at && (is_userinfo(p) || *p == ':'); p++) {
        colons += *p == ':';
    }
    return p == at && colons <= 1;
}

/* What the driver has to say about the URI. */
struct complaint {
    const char *uri;
    char *why;
    size_t why_size;
    bool made;
};

static void
complain(struct complaint *c, const char *message)
{
    if (!c->made) {
        c->made = true;
        snprintf(c->why, c->why_size, "is refused by the driver: %s",
                 may_be_told(c->uri)
                     ? message
                     : "its user or password has characters that must be "
                       "percent-encoded, or is at a wrong place");
    }
}

static void
on_log(mongoc_log_level_t level, const char *domain, const char *message,
       void *cookie)
{
    (void)domain;
    if (level <= MONGOC_LOG_LEVEL_WARNING) {
        complain(cookie, message);
    }
}

/* -- limits -- */

static void
set_default(const struct mongo_lib *lib, mongoc_uri_t *uri, const char *option,
            uint64_t value)
{
    int32_t most = value < INT32_MAX ? (int32_t)value : INT32_MAX;

    if (lib->mongoc_uri_get_option_as_int32(uri, option, -1) == -1) {
        CHECK(lib->mongoc_uri_set_option_as_int32(uri, option, most));
    }
}

/* The start makes attempts until its time is over: equal ones that fill it, so
 * that the last one does not go on for long. */
static uint64_t
attempt_ms(uint64_t start_ms)
{
    uint64_t attempts = (start_ms + SELECTION_MS - 1) / SELECTION_MS;

    return start_ms / attempts;
}

/* A connection has half of the time that the start waits: one that does not
 * come about must have said why before that ends. */
static void
set_defaults(const struct mongo_lib *lib, mongoc_uri_t *uri,
             const struct store_mongo_settings *m)
{
    uint64_t connect_ms = m->connect_timeout_ms / 2 + 1;

    set_default(lib, uri, MONGOC_URI_CONNECTTIMEOUTMS, connect_ms);
    set_default(lib, uri, MONGOC_URI_SOCKETTIMEOUTMS, SOCKET_TIMEOUT_MS);
    set_default(lib, uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS,
                attempt_ms(m->connect_timeout_ms));
    set_default(lib, uri, MONGOC_URI_WAITQUEUETIMEOUTMS, SELECTION_MS);
    set_default(lib, uri, MONGOC_URI_MAXPOOLSIZE, m->pool_size);
    if (lib->mongoc_uri_get_appname(uri) == NULL) {
        CHECK(lib->mongoc_uri_set_appname(uri, "chatbox"));
    }
}

/* NULL: the end of a sentence in why. */
static mongoc_uri_t *
parse(const struct mongo_lib *lib, const char *text, char *why, size_t why_size)
{
    struct complaint c = {text, why, why_size, false};
    bson_error_t error = {.code = 0};
    mongoc_uri_t *uri;

    lib->mongoc_log_set_handler(on_log, &c);
    uri = lib->mongoc_uri_new_with_error(text, &error);
    lib->mongoc_log_set_handler(NULL, NULL);
    if (uri == NULL) {
        c.made = false; /* the error says more than the warning before it */
        complain(&c, error.message);
    } else if (!lib->mongoc_write_concern_is_acknowledged(
                   lib->mongoc_uri_get_write_concern(uri))) {
        complain(&c, "w=0 wants writes that nobody confirms");
    }
    if (uri != NULL && c.made) {
        lib->mongoc_uri_destroy(uri);
        uri = NULL;
    }
    return uri;
}

struct _mongoc_uri_t *
store_mongo_uri_read(const struct mongo_lib *lib,
                     const struct store_mongo_settings *m, char *why,
                     size_t why_size)
{
    char reason[SENTENCE_BYTES];
    mongoc_uri_t *uri = parse(lib, m->uri, reason, sizeof(reason));

    if (uri != NULL) {
        set_defaults(lib, uri, m);
    } else {
        snprintf(why, why_size, "store.mongo.uri (MONGO_URI) %s.", reason);
    }
    return uri;
}

bool
store_mongo_uri_try(const char *uri, char *why, size_t why_size)
{
    struct mongo_lib lib;
    mongoc_uri_t *parsed;

    if (mongo_lib_load(&lib, why, why_size) != ERR_OK) {
        return true;
    }
    lib.mongoc_init();
    parsed = parse(&lib, uri, why, why_size);
    if (parsed != NULL) {
        lib.mongoc_uri_destroy(parsed);
    }
    return parsed != NULL;
}
