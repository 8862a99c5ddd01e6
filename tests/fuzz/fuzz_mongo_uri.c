/* SPDX-License-Identifier: MIT */
/* store/store_mongo_uri: any MONGO_URI; lines: the user, a part of the
 * password, what is behind the '@'. One that is refused is refused in a
 * sentence that does not have the password. */
#include "store/store_mongo_uri.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/xalloc.h"
#include "store/mongo_lib.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stands at both ends of the password, whatever the driver makes of the rest
 * of it. */
#define MARK "qZ9vQ7x"

static const struct mongo_lib *
load(void)
{
    static struct mongo_lib lib;
    char why[256];

    if (lib.bson_init == NULL) {
        CHECK(mongo_lib_load(&lib, why, sizeof(why)) == ERR_OK);
        lib.mongoc_init();
    }
    return &lib;
}

/* marked: its password has the mark, and nothing behind it has. */
static void
check(const char *text, bool marked)
{
    const struct store_mongo_settings settings = {
        .uri = text, .connect_timeout_ms = 5000, .pool_size = 4};
    char why[512] = "";
    mongoc_uri_t *uri =
        store_mongo_uri_read(load(), &settings, why, sizeof(why));

    CHECK((uri == NULL) == (why[0] != '\0'));
    CHECK(!marked || strcasestr(why, MARK) == NULL);
    if (uri != NULL) {
        load()->mongoc_uri_destroy(uri);
    }
}

static void
check_password(struct str user, struct str password, const char *rest)
{
    struct buf uri;
    char *text;

    buf_init(&uri, SIZE_MAX / 2);
    buf_puts(&uri, "mongodb://");
    buf_put_str(&uri, user);
    buf_puts(&uri, ":" MARK);
    buf_put_str(&uri, password);
    buf_puts(&uri, MARK "@");
    buf_puts(&uri, rest);
    text = buf_give(&uri);
    check(text, true);
    xfree(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = xmemdup(size > 0 ? (const char *)data : "", size);
    struct str rest = str_from(copy), user, password;

    if (str_split(&rest, '\n', &user) && str_split(&rest, '\n', &password) &&
        rest.p != NULL && strcasestr(rest.p, MARK) == NULL) {
        check_password(user, password, rest.p);
    } else {
        check(copy, false);
    }
    xfree(copy);
    return 0;
}
