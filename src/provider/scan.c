/* SPDX-License-Identifier: MIT */
/* Values as providers write them: now and then null, now and then something
 * else than they promised. */
#include "provider/scan.h"

void
scan_text(struct json_scan *s, struct json_text *out)
{
    *out = (struct json_text){0};
    if (json_scan_peek(s) == 'n') {
        json_scan_null(s);
    } else {
        json_scan_string(s, out);
    }
}

void
scan_count(struct json_scan *s, int64_t *out)
{
    char c = json_scan_peek(s);
    struct str number;

    if (c < '0' || c > '9') {
        json_scan_skip(s);
    } else if (json_scan_number(s, &number) &&
               (!json_to_i64(number, out) || *out > INT32_MAX)) {
        *out = -1;
    }
}

bool
scan_object(struct json_scan *s)
{
    if (json_scan_peek(s) == 'n') {
        json_scan_null(s);
        return false;
    }
    return json_scan_enter(s, '{');
}
