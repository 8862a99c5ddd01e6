/* SPDX-License-Identifier: MIT */
/* A wrong key is seen at the start, not when somebody reads an old message;
 * see store_mongo_seals.h. */
#include "store/store_mongo_seals.h"

#include "base/buf.h"
#include "store/store_mongo_meta.h"

#include <stdio.h>

#define PREFIX "seal."
#define SEALING "sealing"
#define ID_SIZE (sizeof(PREFIX) + SEAL_KEY_ID_MAX)

static enum err
explain(struct mongo_link *link, enum err e, char *why, size_t why_size)
{
    if (e == ERR_DATABASE_ERROR) {
        snprintf(why, why_size,
                 "The keys of the database %s cannot be read: %s (%d).",
                 link->db->database, link->fault.name, link->fault.code);
    }
    return e;
}

struct checking {
    struct mongo_link *link;
    bool good;
    char *why;
    size_t why_size;
};

static bool
on_seal(void *cookie, const bson_t *doc)
{
    struct checking *c = cookie;
    const struct mongo_lib *lib = &c->link->db->lib;
    struct str value = {NULL, 0};
    bson_iter_t it;

    if (mongo_bson_find(lib, doc, "value", &it)) {
        (void)mongo_bson_get_text(lib, &it, &value);
    }
    c->good = vault_check_get(c->link->vault, value, c->why, c->why_size);
    return c->good;
}

enum err
store_mongo_seals_check(struct mongo_link *link, char *why, size_t why_size)
{
    struct checking c = {link, true, why, why_size};
    enum err e = store_mongo_meta_list(link, PREFIX, on_seal, &c);

    return explain(link, e == ERR_OK && !c.good ? ERR_CONFLICT : e, why,
                   why_size);
}

struct comparing {
    struct mongo_link *link;
    bool equal;
};

static bool
on_sealing(void *cookie, const bson_t *doc)
{
    struct comparing *c = cookie;
    const struct mongo_lib *lib = &c->link->db->lib;
    struct str key;
    bson_iter_t it;

    c->equal = mongo_bson_find(lib, doc, "key", &it) &&
               mongo_bson_get_text(lib, &it, &key) &&
               str_eq(key, vault_key(c->link->vault));
    return false;
}

enum err
store_mongo_seals_current(struct mongo_link *link, bool *current_out)
{
    struct comparing c = {link, false};
    enum err e = store_mongo_meta_find(link, SEALING, on_sealing, &c);

    *current_out = c.equal;
    return e;
}

static void
make_id(const struct mongo_link *link, char out[static ID_SIZE])
{
    snprintf(out, ID_SIZE, PREFIX "%.*s", STR_ARG(vault_key(link->vault)));
}

/* {$set: {field: value}} */
static enum err
put_field(struct mongo_link *link, const char *id, const char *field,
          struct str value)
{
    struct mongo_bson update, set;
    enum err e;

    mongo_bson_init(&update, &link->db->lib);
    mongo_bson_open(&update, "$set", &set);
    mongo_bson_bytes(&set, field, value);
    mongo_bson_close(&update, &set);
    e = store_mongo_meta_put(link, id, &update, true);
    mongo_bson_fini(&update);
    return e;
}

/* The value first: what is sealed from now on has one. */
static enum err
make_current(struct mongo_link *link)
{
    char id[ID_SIZE];
    struct buf value;
    enum err e;

    make_id(link, id);
    buf_init(&value, VAULT_SIZE(64));
    e = vault_check_put(link->vault, &value);
    if (e == ERR_OK) {
        e = put_field(link, id, "value", buf_str(&value));
    }
    if (e == ERR_OK) {
        e = put_field(link, SEALING, "key", vault_key(link->vault));
    }
    buf_fini(&value);
    return e;
}

enum err
store_mongo_seals_admit(struct mongo_link *link, char *why, size_t why_size)
{
    bool current = true;
    enum err e = store_mongo_seals_check(link, why, why_size);

    if (e == ERR_OK && vault_seals(link->vault)) {
        e = store_mongo_seals_current(link, &current);
    }
    if (e == ERR_OK && !current) {
        e = make_current(link);
    }
    return explain(link, e, why, why_size);
}

/* Sealed with two keys at once there would be no end of another key's way
 * through the database. */
enum err
store_mongo_seals_beside(struct mongo_link *link, char *why, size_t why_size)
{
    bool current = true;
    enum err e = store_mongo_seals_check(link, why, why_size);

    if (e == ERR_OK && vault_seals(link->vault)) {
        e = explain(link, store_mongo_seals_current(link, &current), why,
                    why_size);
    }
    if (e == ERR_OK && !current) {
        snprintf(why, why_size,
                 "The server that runs on the database %s seals with another "
                 "key: restart it with the new key as the first one.",
                 link->db->database);
        e = ERR_CONFLICT;
    }
    return e;
}

enum err
store_mongo_seals_forget(struct mongo_link *link)
{
    char id[ID_SIZE];

    make_id(link, id);
    return store_mongo_meta_clear(link, PREFIX, id);
}
