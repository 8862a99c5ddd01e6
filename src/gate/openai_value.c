/* SPDX-License-Identifier: MIT */
/* Values are read where they lie, as prompts are long; documents are made of
 * what is seldom. */
#include "gate/openai_value.h"

#include "provider/params.h"

#include <math.h>
#include <string.h>

/* More of them, or names with escapes, are compared in a document. */
#define NAMES_MAX 64

bool
openai_value_begins(struct str value, const char *one_of)
{
    return value.n > 0 && strchr(one_of, value.p[0]) != NULL;
}

bool
openai_value_given(struct str value)
{
    return value.n > 0 && value.p[0] != 'n';
}

bool
openai_value_is_number(struct str value)
{
    return openai_value_begins(value, "-0123456789");
}

/* Fractions and exponents are seldom. */
double
openai_value_number(struct str value)
{
    json_error_t e;
    json_t *number;
    uint64_t n;
    double real;

    if (str_to_u64(value, UINT32_MAX, &n)) {
        return (double)n;
    }
    number = openai_value_document(value, &e);
    real = number != NULL ? json_number_value(number) : HUGE_VAL;
    json_decref(number);
    return real;
}

bool
openai_value_is_whole(struct str value, double min, double max)
{
    double n =
        openai_value_is_number(value) ? openai_value_number(value) : min - 1;

    return n >= min && n <= max && floor(n) == n;
}

bool
openai_value_text(struct str value, struct json_text *out)
{
    struct json_scan s;

    json_scan_init(&s, value);
    return json_scan_string(&s, out);
}

struct str
openai_value_member(struct str object, struct str name)
{
    struct params_member m;

    return params_find(object, name, &m) ? m.value : (struct str){NULL, 0};
}

json_t *
openai_value_document(struct str text, json_error_t *e)
{
    return json_loadb(text.p != NULL ? text.p : "", text.n,
                      JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL |
                          JSON_DECODE_INT_AS_REAL | JSON_DECODE_ANY,
                      e);
}

/* --- members ------------------------------------------------------------ */

struct seen {
    struct str names[NAMES_MAX];
    size_t count;
};

/* Notes it. False: it may have been there before. */
static bool
is_new(struct seen *seen, const struct json_text *name)
{
    if (name->escaped || seen->count == NAMES_MAX) {
        return false;
    }
    for (size_t i = 0; i < seen->count; i++) {
        if (str_eq(seen->names[i], name->raw)) {
            return false;
        }
    }
    seen->names[seen->count++] = name->raw;
    return true;
}

static bool
is_document(struct str text)
{
    json_error_t e;
    json_t *all = openai_value_document(text, &e);

    json_decref(all);
    return all != NULL;
}

bool
openai_value_split(struct str object, struct openai_member *members,
                   size_t count)
{
    struct params_scan scan;
    struct params_member m;
    struct seen seen = {.count = 0};
    bool once = true;

    params_scan_init(&scan, object);
    while (params_scan_next(&scan, &m)) {
        once = once && is_new(&seen, &m.name);
        for (size_t i = 0; i < count; i++) {
            if (json_text_is(&m.name, members[i].name)) {
                members[i].value = m.value;
            }
        }
    }
    return once || is_document(object);
}
