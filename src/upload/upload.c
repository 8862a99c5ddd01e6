/* SPDX-License-Identifier: MIT */
/* Links: the path of a file and a signature of ours that ends. */
#include "upload/upload.h"

#include "base/check.h"
#include "base/clock.h"
#include "upload/file_id.h"

void
upload_put_url(const struct upload *u, struct str id, int64_t now_ms,
               struct buf *out)
{
    buf_puts(out, u->prefix);
    buf_put_str(out, id);
    buf_putc(out, '?');
    file_id_sign(u->key, id, (now_ms + u->url_ttl_ms + 999) / 1000, out);
}

void
upload_put_shown(const struct upload *u, const char *id, const char *url,
                 struct buf *out)
{
    unsigned type;

    if (file_id_read(str_from(id), &type)) {
        upload_put_url(u, str_from(id), clock_wall_ms(), out);
    } else {
        buf_put_str(out, str_from(url));
    }
}

struct str
upload_id_in(const struct upload *u, struct str url)
{
    struct str prefix = str_from(u->prefix), rest, id;
    unsigned type;

    if (!str_starts(url, prefix)) {
        return (struct str){NULL, 0};
    }
    rest = str_from_at(url, prefix.n);
    if (!str_split(&rest, '?', &id) || !file_id_read(id, &type)) {
        return (struct str){NULL, 0};
    }
    return id;
}

bool
upload_link_good(const struct upload *u, struct str id, int64_t until_s,
                 struct str sig, int64_t now_ms)
{
    return file_id_signed(u->key, id, until_s, sig) && now_ms / 1000 < until_s;
}

const struct file_type *
upload_type(struct str id)
{
    unsigned type;

    CHECK(file_id_read(id, &type));
    return file_type_find(type);
}
