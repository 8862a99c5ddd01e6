/* SPDX-License-Identifier: MIT */
/* Reads numbers, words, texts and lists strictly: what is not wholly
 * understood is an error. The forms of texts are in config_check.c. */
#include "app/config_value.h"

#include "app/config_check.h"
#include "base/xalloc.h"

#include <string.h>

struct unit {
    const char *word;
    uint64_t size;
};

static const struct unit durations[] = {
    {"ms", 1},          {"s", CONFIG_SECOND}, {"m", CONFIG_MINUTE},
    {"h", CONFIG_HOUR}, {"d", CONFIG_DAY},    {"", CONFIG_SECOND},
};

static const struct unit sizes[] = {
    {"KiB", CONFIG_KIB},
    {"MiB", CONFIG_MIB},
    {"GiB", CONFIG_GIB},
    {"", 1},
};

static const struct unit counts[] = {{"", 1}};

/* Digits without a leading zero, as in other languages' decimal numbers: 010
 * would be eight to some readers. */
static bool
parse_digits(struct str s, uint64_t *out)
{
    return (s.n == 1 || (s.n > 1 && s.p[0] != '0')) &&
           str_to_u64(s, UINT64_MAX, out);
}

/* number × size, where number may have a fraction as long as the product is
 * whole ("1.5h"). */
static bool
parse_scaled(struct str number, uint64_t size, uint64_t *out)
{
    struct str fraction = number, whole;
    uint64_t value, part, divisor = 1;

    if (!str_split(&fraction, '.', &whole) || !parse_digits(whole, &value) ||
        value > UINT64_MAX / size / 2) {
        return false;
    }
    *out = value * size;
    if (fraction.p == NULL) {
        return true;
    }
    if (fraction.n > 6 || !str_to_u64(fraction, UINT64_MAX, &part)) {
        return false;
    }
    for (size_t i = 0; i < fraction.n; i++) {
        divisor *= 10;
    }
    *out += part * size / divisor;
    return size > 1 && part * size % divisor == 0;
}

static bool
parse_with_unit(const struct unit *units, struct str s, uint64_t *out)
{
    size_t n = 0;

    while (n < s.n && ((s.p[n] >= '0' && s.p[n] <= '9') || s.p[n] == '.')) {
        n++;
    }
    while (!str_is(str_from_at(s, n), units->word)) {
        if (units->word[0] == '\0') {
            return false;
        }
        units++;
    }
    return parse_scaled((struct str){s.p, n}, units->size, out);
}

bool
config_value_duration(struct str text, uint64_t *ms_out)
{
    return parse_with_unit(durations, text, ms_out);
}

static bool
parse_bool(struct str s, uint64_t *out)
{
    static const char *const words[] = {"false", "true", "0", "1", "no", "yes"};

    for (unsigned i = 0; i < COUNT_OF(words); i++) {
        if (str_is_nocase(s, words[i])) {
            *out = i % 2;
            return true;
        }
    }
    return false;
}

struct str
config_value_word(const struct config_row *row, uint64_t nth)
{
    struct str rest = str_from(row->allowed), word = {NULL, 0};

    for (uint64_t i = 0; str_split(&rest, ' ', &word); i++) {
        if (i == nth) {
            return word;
        }
    }
    return (struct str){"", 0};
}

static bool
parse_enum(const struct config_row *row, struct str s, uint64_t *out)
{
    struct str rest = str_from(row->allowed), word;

    for (uint64_t i = 0; str_split(&rest, ' ', &word); i++) {
        if (str_eq_nocase(s, word)) {
            *out = i;
            return true;
        }
    }
    return false;
}

static const char *
parse_optional_enum(const struct config_row *row, struct str s, uint64_t *out)
{
    if (s.n == 0) {
        *out = 0;
        return NULL;
    }
    if (!parse_enum(row, s, out)) {
        return "is not one of the words";
    }
    ++*out;
    return NULL;
}

static const char *
parse_ranged(const struct config_row *row, struct str s, uint64_t *out)
{
    static const struct {
        const struct unit *units;
        const char *why;
    } kinds[] = {
        [CONFIG_TYPE_INT] = {counts, "is not a whole number"},
        [CONFIG_TYPE_DURATION] = {durations,
                                  "is not a number and a unit (ms s m h d)"},
        [CONFIG_TYPE_SIZE] = {sizes, "is not a size (bytes, KiB, MiB or GiB)"},
    };

    if (!parse_with_unit(kinds[row->type].units, s, out)) {
        return kinds[row->type].why;
    }
    return *out < row->min || *out > row->max ? "is out of range" : NULL;
}

const char *
config_value_number(const struct config_row *row, struct str text,
                    uint64_t *out)
{
    switch (row->type) {
    case CONFIG_TYPE_BOOL:
        return parse_bool(text, out) ? NULL : "is not a bool";
    case CONFIG_TYPE_ENUM:
        return parse_enum(row, text, out) ? NULL : "is not one of the words";
    case CONFIG_TYPE_OPTIONAL_ENUM:
        return parse_optional_enum(row, text, out);
    default:
        return parse_ranged(row, text, out);
    }
}

/* --- members ------------------------------------------------------------ */

static bool
read_number(struct config_layers *l, struct config_ref ref, uint64_t *member)
{
    struct str text = config_raw_of(l, ref)->text;
    uint64_t value = 0;
    const char *why = config_value_number(ref.row, text, &value);

    if (why != NULL) {
        config_raw_error(l, ref, text, why);
        return false;
    }
    *member = value;
    return true;
}

static const char *
check_string(const struct config_row *row, struct str text)
{
    if (text.n == 0) {
        return row->min > 0 ? "is empty" : NULL;
    }
    return text.n > row->max ? "is too long" : config_check_text(row, text);
}

static bool
read_string(struct config_layers *l, struct config_ref ref, struct str *member)
{
    struct str text = config_raw_of(l, ref)->text;
    const char *why = check_string(ref.row, text);

    if (why != NULL) {
        config_raw_error(l, ref, text, why);
        return false;
    }
    *member = (struct str){str_dup(text), text.n};
    return true;
}

/* The entries of a comma separated text; none for an empty one. */
static void
split_items(const struct config_row *row, struct str text,
            struct config_list *out)
{
    struct str rest = text, item;

    if (text.n == 0 || (row->type == CONFIG_TYPE_NETWORKS_OR_NONE &&
                        str_is_nocase(text, "none"))) {
        return;
    }
    while (str_split(&rest, ',', &item)) {
        config_raw_list_add(out, str_trim(item));
    }
}

/* A list in one text is told as a whole, an entry of a sequence alone. */
static bool
items_ok(struct config_layers *l, struct config_ref ref,
         const struct config_list *list)
{
    const struct config_raw *raw = config_raw_of(l, ref);
    bool ok = true;

    for (size_t i = 0; ok && i < list->count; i++) {
        struct str item = list->items[i];
        const char *why = item.n == 0 ? "has an empty entry"
                                      : config_check_text(ref.row, item);

        if (why != NULL) {
            config_raw_error(l, ref, raw->sequence ? item : raw->text, why);
            ok = false;
        }
    }
    return ok;
}

static bool
read_list(struct config_layers *l, struct config_ref ref,
          struct config_list *member)
{
    const struct config_raw *raw = config_raw_of(l, ref);
    struct config_list list = {NULL, 0};
    bool ok;

    if (!raw->sequence) {
        split_items(ref.row, raw->text, &list);
    }
    for (size_t i = 0; i < raw->items.count; i++) {
        config_raw_list_add(&list, raw->items.items[i]);
    }
    ok = items_ok(l, ref, &list);
    if (list.count < ref.row->min || list.count > ref.row->max) {
        config_raw_error(l, ref, raw->text,
                         list.count > 0 ? "has too many entries" : "is empty");
        ok = false;
    }
    if (!ok) {
        config_raw_list_free(&list);
        return false;
    }
    *member = list;
    return true;
}

bool
config_value_read(struct config_layers *l, struct config_ref ref, void *base)
{
    void *member = (char *)base + ref.row->offset;

    switch (config_table_storage(ref.row->type)) {
    case CONFIG_NUMBER:
        return read_number(l, ref, member);
    case CONFIG_STRING:
        return read_string(l, ref, member);
    case CONFIG_STRINGS:
        break;
    }
    return read_list(l, ref, member);
}

void
config_value_fini(const struct config_row *row, void *base)
{
    void *member = (char *)base + row->offset;

    if (config_table_storage(row->type) == CONFIG_STRINGS) {
        config_raw_list_free(member);
    } else if (config_table_storage(row->type) == CONFIG_STRING) {
        struct str *text = member;

        xwipe((void *)(uintptr_t)text->p, text->n);
        xfree((void *)(uintptr_t)text->p);
        *text = (struct str){NULL, 0};
    }
}
