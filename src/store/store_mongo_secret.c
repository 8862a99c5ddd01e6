/* SPDX-License-Identifier: MIT */
/* Random values that are made once; see store_mongo_secret.h. */
#include "store/store_mongo_secret.h"

#include "store/store_mongo_meta.h"

#include <stdio.h>

#define ID_SIZE 64

struct reading {
    struct mongo_link *link;
    char *value; /* NULL: none */
};

static bool
on_secret(void *cookie, const bson_t *doc)
{
    struct reading *r = cookie;
    const struct mongo_lib *lib = &r->link->db->lib;
    struct str value;
    bson_iter_t it;

    if (mongo_bson_find(lib, doc, "value", &it) &&
        mongo_bson_get_text(lib, &it, &value)) {
        r->value = str_dup(value);
    }
    return false;
}

/* {$setOnInsert: {value: fresh}}: a repeat changes nothing. */
static enum err
put(struct mongo_link *link, const char *id, const char *fresh)
{
    struct mongo_bson update, set;
    enum err e;

    mongo_bson_init(&update, &link->db->lib);
    mongo_bson_open(&update, "$setOnInsert", &set);
    mongo_bson_text(&set, "value", fresh);
    mongo_bson_close(&update, &set);
    e = store_mongo_meta_put(link, id, &update, true);
    mongo_bson_fini(&update);
    return e;
}

enum err
store_mongo_secret_keep(struct store_link *base, const char *name,
                        const char *fresh, char **out)
{
    struct reading r = {store_mongo_of(base), NULL};
    char id[ID_SIZE];
    enum err e;

    snprintf(id, sizeof(id), "secret.%s", name);
    e = store_mongo_meta_find(r.link, id, on_secret, &r);
    if (e == ERR_OK && r.value == NULL) {
        e = put(r.link, id, fresh);
        if (e == ERR_OK) {
            e = store_mongo_meta_find(r.link, id, on_secret, &r);
        }
    }
    *out = r.value;
    return e;
}
