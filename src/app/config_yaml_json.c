/* SPDX-License-Identifier: MIT */
/* From YAML to JSON without a document between: a bit for each level tells
 * whether keys belong there. */
#include "app/config_yaml_json.h"

#include "base/xalloc.h"
#include "codec/json.h"

void
config_yaml_json_init(struct config_yaml_json *j, size_t max_bytes)
{
    *j = (struct config_yaml_json){.bad = NULL};
    buf_init(&j->out, max_bytes);
}

void
config_yaml_json_fini(struct config_yaml_json *j)
{
    xwipe(j->out.p, j->out.cap);
    buf_fini(&j->out);
}

static bool
in_mapping(const struct config_yaml_json *j)
{
    return j->depth > 0 && j->depth <= JSON_DEPTH_MAX &&
           (j->mappings >> (j->depth - 1) & 1) != 0;
}

static void
enter(struct config_yaml_json *j, bool mapping)
{
    if (j->at_key) {
        j->bad = "has a key that is not a plain value";
    }
    if (++j->depth > JSON_DEPTH_MAX) {
        j->bad = "is nested too deeply";
        return;
    }
    json_put_comma(&j->out);
    buf_putc(&j->out, mapping ? '{' : '[');
    j->mappings &= ~(UINT64_C(1) << (j->depth - 1));
    j->mappings |= (uint64_t)mapping << (j->depth - 1);
    j->at_key = mapping;
}

static void
leave(struct config_yaml_json *j, char close)
{
    j->depth--;
    buf_putc(&j->out, close);
    j->at_key = in_mapping(j);
}

/* What a plain value is in JSON when it is no string; p == NULL: a string. */
static struct str
literal_of(struct str s)
{
    static const char *const trues[] = {"true", "True", "TRUE"};
    static const char *const falses[] = {"false", "False", "FALSE"};
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};

    for (size_t i = 0; i < COUNT_OF(nulls); i++) {
        if (i < COUNT_OF(trues) && str_is(s, trues[i])) {
            return STR("true");
        }
        if (i < COUNT_OF(falses) && str_is(s, falses[i])) {
            return STR("false");
        }
        if (str_is(s, nulls[i])) {
            return STR("null");
        }
    }
    return json_valid(s, 0) && s.p[0] != '"' ? s : (struct str){NULL, 0};
}

static void
scalar(struct config_yaml_json *j, const yaml_event_t *e)
{
    struct str s = {(const char *)e->data.scalar.value, e->data.scalar.length};
    bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    struct str literal =
        plain && !j->at_key ? literal_of(s) : (struct str){NULL, 0};

    json_put_comma(&j->out);
    if (literal.p != NULL) {
        buf_put_str(&j->out, literal);
    } else {
        json_put_string(&j->out, s);
    }
    if (j->at_key) {
        buf_putc(&j->out, ':');
    }
    j->at_key = in_mapping(j) && !j->at_key;
}

bool
config_yaml_json_feed(struct config_yaml_json *j, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_MAPPING_START_EVENT:
        enter(j, true);
        break;
    case YAML_SEQUENCE_START_EVENT:
        enter(j, false);
        break;
    case YAML_MAPPING_END_EVENT:
        leave(j, '}');
        break;
    case YAML_SEQUENCE_END_EVENT:
        leave(j, ']');
        break;
    case YAML_SCALAR_EVENT:
        scalar(j, e);
        break;
    default:
        j->bad = "has an alias";
        break;
    }
    if (j->out.failed) {
        j->bad = "is too long";
    }
    return j->depth > 0;
}
