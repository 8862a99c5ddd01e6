/* SPDX-License-Identifier: MIT */
/* Settings as members of a request. extra_body is read anew for each: it is
 * short, and its text is sent as it was written. */
#include "provider/params.h"

#include "codec/json.h"

struct member {
    struct json_text name;
    struct str value;
};

static void
begin(struct json_scan *s, struct str object)
{
    json_scan_init(s, object);
    (void)json_scan_enter(s, '{');
}

static bool
next(struct json_scan *s, struct member *m)
{
    if (!json_scan_member(s, &m->name)) {
        return false;
    }
    (void)json_scan_peek(s);
    m->value.p = s->p;
    (void)json_scan_skip(s);
    m->value.n = (size_t)(s->p - m->value.p);
    return true;
}

static void
put_extra(struct str object, struct buf *body)
{
    struct json_scan s;
    struct member m;

    begin(&s, object);
    while (next(&s, &m)) {
        if (!str_is(m.value, "null")) {
            json_put_comma(body);
            buf_putc(body, '"');
            buf_put_str(body, m.name.raw);
            buf_puts(body, "\":");
            buf_put_str(body, m.value);
        }
    }
}

void
params_put(const struct provider_config *config, struct buf *body)
{
    if (config->temperature[0] != '\0') {
        json_put_key(body, "temperature");
        buf_puts(body, config->temperature);
    }
    if (config->max_tokens > 0) {
        json_put_member_i64(body, "max_tokens", config->max_tokens);
    }
    put_extra(str_from(config->extra_body), body);
}

static bool
find(struct json_scan *s, struct str name)
{
    struct member m;

    while (next(s, &m)) {
        if (json_text_is(&m.name, name)) {
            return true;
        }
    }
    return false;
}

bool
params_name(const struct provider_config *config, struct str member)
{
    struct json_scan s;

    begin(&s, str_from(config->extra_body));
    return find(&s, member);
}

static bool
is_own(const struct provider_ops *ops, const struct json_text *name)
{
    struct str rest = str_from(ops->own_members), word;

    while (str_split(&rest, ' ', &word)) {
        if (json_text_is(name, word)) {
            return true;
        }
    }
    return json_text_is(name, STR("temperature")) ||
           json_text_is(name, STR("max_tokens"));
}

bool
params_refused(const struct provider_ops *ops, struct str extra_body,
               struct str *member_out)
{
    struct json_scan s;
    struct member m;

    begin(&s, extra_body);
    while (next(&s, &m)) {
        *member_out = m.name.raw;
        if (is_own(ops, &m.name)) {
            return true;
        }
    }
    return false;
}
