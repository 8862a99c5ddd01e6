/* SPDX-License-Identifier: MIT */
/* provider.def as a table. */
#include "provider/registry.h"

#define PROVIDER(type, text) extern const struct provider_ops type##_ops;
#include "provider/provider.def"
#undef PROVIDER

static const struct {
    const struct provider_ops *ops;
    const char *text;
} rows[] = {
#define PROVIDER(type, text) {&type##_ops, text},
#include "provider/provider.def"
#undef PROVIDER
};

const struct provider_ops *
registry_find(struct str type)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (str_is_nocase(type, rows[i].ops->type)) {
            return rows[i].ops;
        }
    }
    return NULL;
}

const struct provider_ops *
registry_at(size_t index, const char **text_out)
{
    if (index >= COUNT_OF(rows)) {
        return NULL;
    }
    if (text_out != NULL) {
        *text_out = rows[index].text;
    }
    return rows[index].ops;
}
