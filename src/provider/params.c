/* SPDX-License-Identifier: MIT */
/* Settings as members of a request. extra_body is read anew for each: it is
 * short, and its text is sent as it was written. */
#include "provider/params.h"

void
params_scan_init(struct params_scan *s, struct str object)
{
    json_scan_init(&s->json, object);
    (void)json_scan_enter(&s->json, '{');
}

bool
params_scan_next(struct params_scan *s, struct params_member *m)
{
    if (!json_scan_member(&s->json, &m->name)) {
        return false;
    }
    (void)json_scan_value(&s->json, &m->value);
    return true;
}

void
params_put_member(const struct params_member *m, struct buf *body)
{
    json_put_comma(body);
    buf_putc(body, '"');
    buf_put_str(body, m->name.raw);
    buf_puts(body, "\":");
    buf_put_str(body, m->value);
}

bool
params_find(struct str object, struct str name, struct params_member *m)
{
    struct params_scan s;

    params_scan_init(&s, object);
    while (params_scan_next(&s, m)) {
        if (json_text_is(&m->name, name)) {
            return true;
        }
    }
    return false;
}

/* --- what an operator adds ---------------------------------------------- */

static bool
names(struct str object, struct str name)
{
    struct params_member m;

    return object.n > 0 && params_find(object, name, &m);
}

static void
put_extra(struct str extra, struct str object, struct buf *body)
{
    struct params_scan s;
    struct params_member m, theirs;

    params_scan_init(&s, extra);
    while (params_scan_next(&s, &m)) {
        bool given = object.n > 0 && params_find(object, m.name.raw, &theirs);

        if (!given && !str_is(m.value, "null")) {
            params_put_member(&m, body);
        }
    }
}

void
params_put_beside(const struct provider_config *config, struct str object,
                  struct buf *body)
{
    if (config->temperature[0] != '\0' && !names(object, STR("temperature"))) {
        json_put_key(body, "temperature");
        buf_puts(body, config->temperature);
    }
    if (config->max_tokens > 0 && !names(object, STR("max_tokens")) &&
        !names(object, STR("max_completion_tokens"))) {
        json_put_member_i64(body, "max_tokens", config->max_tokens);
    }
    put_extra(str_from(config->extra_body), object, body);
}

void
params_put(const struct provider_config *config, struct buf *body)
{
    params_put_beside(config, (struct str){NULL, 0}, body);
}

bool
params_name(const struct provider_config *config, struct str member)
{
    return names(str_from(config->extra_body), member);
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
    struct params_scan s;
    struct params_member m;

    params_scan_init(&s, extra_body);
    while (params_scan_next(&s, &m)) {
        *member_out = m.name.raw;
        if (is_own(ops, &m.name)) {
            return true;
        }
    }
    return false;
}
