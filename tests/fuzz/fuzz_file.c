/* SPDX-License-Identifier: MIT */
/* upload/file_type and the ids in links: whatever a file begins like, what is
 * read of it is one of the table's types, the same however much more of it is
 * shown, and a text only when it is one; what is found in a link is a part of
 * it and made like an id. The first line is what the sender says. */
#include "base/check.h"
#include "base/xalloc.h"
#include "upload/file_id.h"
#include "upload/upload.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_type(struct str head, struct str declared)
{
    size_t n = head.n < FILE_TYPE_HEAD ? head.n : FILE_TYPE_HEAD;
    char *copy = xmemdup(n > 0 ? head.p : "", n);
    const struct file_type *t = file_type_of(head, declared);
    struct utf8 text = {0};

    CHECK(file_type_of((struct str){copy, n}, declared) == t);
    if (t != NULL) {
        CHECK(file_type_find(t->number) == t);
        CHECK(!file_type_is_text(t) ||
              file_type_text_feed(&text, (struct str){copy, n}));
        CHECK(!file_type_is_picture(t) || file_type_is_inline(t));
    }
    xfree(copy);
}

static void
check_link(struct str url)
{
    static const struct upload u = {.prefix = "/chatbox/files/"};
    struct str id = upload_id_in(&u, url);
    unsigned type;

    if (id.n > 0) {
        CHECK(id.p >= url.p && id.p + id.n <= url.p + url.n);
        CHECK(file_id_read(id, &type) && type <= UINT8_MAX);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size}, declared;

    check_link(rest);
    if (str_split(&rest, '\n', &declared) && rest.p != NULL) {
        check_type(rest, declared);
    }
    return 0;
}
