/* SPDX-License-Identifier: MIT */
/* Writes: commands of many statements, each with an outcome of its own; what
 * failed goes again by itself, with the same keys. See store_mongo_batch.h. */
#include "store/store_mongo_batch.h"

#include "base/check.h"
#include "base/xalloc.h"
#include "store/store_mongo_call.h"

/* Most bytes of the statements of one command; one alone may have more. */
#define COMMAND_BYTES ((size_t)8 << 20)

/* The code of a statement that was never sent: none of the server's. */
#define SPOILT 1

static const struct {
    const char *command;
    const char *statements;
} verbs[] = {
    [MONGO_INSERT] = {"insert", "documents"},
    [MONGO_UPDATE] = {"update", "updates"},
    [MONGO_DELETE] = {"delete", "deletes"},
};

/* The first place in the memory where an item may begin. */
static struct mongo_item *
aligned(void *memory)
{
    uintptr_t most = _Alignof(struct mongo_item) - 1;

    return (struct mongo_item *)(((uintptr_t)memory + most) & ~most);
}

void
store_mongo_batch_init(struct mongo_batch *b, struct mongo_link *link,
                       enum mongo_verb verb, enum mongo_collection into,
                       size_t room)
{
    *b = (struct mongo_batch){.link = link,
                              .verb = verb,
                              .into = into,
                              .lasting = true,
                              .counted = verb == MONGO_INSERT,
                              .room = room};
    b->memory = xcalloc(room + 1, sizeof(*b->items));
    b->items = aligned(b->memory);
}

void
store_mongo_batch_fini(struct mongo_batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        mongo_bson_fini(&b->items[i].doc);
    }
    xfree(b->memory);
}

struct mongo_item *
store_mongo_batch_add(struct mongo_batch *b, void *cookie)
{
    struct mongo_item *item = &b->items[b->count++];

    CHECK(b->count <= b->room);
    mongo_bson_init(&item->doc, &b->link->db->lib);
    item->cookie = cookie;
    return item;
}

bool
store_mongo_batch_stored(const struct mongo_item *item)
{
    return item->outcome == MONGO_STORED || item->outcome == MONGO_DELIVERED;
}

static void
put_concern(struct mongo_bson *command, bool lasting)
{
    struct mongo_bson concern;

    mongo_bson_open(command, "writeConcern", &concern);
    if (lasting) {
        mongo_bson_text(&concern, "w", "majority");
        mongo_bson_bool(&concern, "j", true);
        mongo_bson_int(&concern, "wtimeout", STORE_MONGO_CONCERN_MS);
    } else {
        mongo_bson_int(&concern, "w", 1);
    }
    mongo_bson_close(command, &concern);
}

/* The open items of first … end-1. */
static void
put_statements(struct mongo_bson *command, const struct mongo_batch *b,
               size_t first, size_t end)
{
    char index[MONGO_BSON_INDEX_SIZE];
    struct mongo_bson list;
    uint32_t n = 0;

    mongo_bson_open_array(command, verbs[b->verb].statements, &list);
    for (size_t i = first; i < end; i++) {
        if (b->items[i].open) {
            mongo_bson_doc(&list, mongo_bson_index(index, n++),
                           &b->items[i].doc);
        }
    }
    mongo_bson_close_array(command, &list);
}

static void
make_command(struct mongo_bson *command, const struct mongo_batch *b,
             size_t first, size_t end)
{
    const struct mongo_db *db = b->link->db;

    mongo_bson_init(command, &db->lib);
    mongo_bson_text(command, verbs[b->verb].command, db->collections[b->into]);
    mongo_bson_bool(command, "ordered", false);
    put_concern(command, b->lasting);
    put_statements(command, b, first, end);
}

/* The n-th statement that was sent. */
static struct mongo_item *
nth_open(const struct mongo_batch *b, size_t first, size_t end, int64_t n)
{
    for (size_t i = first; i < end; i++) {
        if (b->items[i].open && n-- == 0) {
            return &b->items[i];
        }
    }
    return NULL;
}

/* What one entry of writeErrors says, into the item it is about; false: it is
 * about none. */
static bool
take_error(const struct mongo_batch *b, size_t first, size_t end,
           bson_iter_t *entry)
{
    const struct mongo_lib *lib = &b->link->db->lib;
    int64_t index = -1, code = 0;
    struct mongo_item *item;

    while (lib->bson_iter_next(entry)) {
        struct str key = str_from(lib->bson_iter_key(entry));

        if (str_is(key, "index")) {
            (void)mongo_bson_get_int(lib, entry, &index);
        } else if (str_is(key, "code")) {
            (void)mongo_bson_get_int(lib, entry, &code);
        }
    }
    item = index < 0 ? NULL : nth_open(b, first, end, index);
    if (item != NULL) {
        item->code = code > 0 && code <= INT32_MAX ? (uint32_t)code : 1;
    }
    return item != NULL;
}

/* Every open item's code: 0 for those without an entry. False: there is an
 * entry that cannot be read. */
static bool
take_errors(const struct mongo_batch *b, size_t first, size_t end,
            const bson_t *reply)
{
    const struct mongo_lib *lib = &b->link->db->lib;
    bson_iter_t it, list, entry;
    bool whole = true;

    for (size_t i = first; i < end; i++) {
        b->items[i].code = b->items[i].open ? 0 : b->items[i].code;
    }
    if (!mongo_bson_find(lib, reply, "writeErrors", &it)) {
        return true;
    }
    if (!mongo_bson_enter(lib, &it, true, &list)) {
        return false;
    }
    while (lib->bson_iter_next(&list)) {
        whole = mongo_bson_enter(lib, &list, false, &entry) &&
                take_error(b, first, end, &entry) && whole;
    }
    return whole;
}

/* The updates that found nothing and made a document, as far as the answer
 * says so. */
static void
take_made(struct mongo_batch *b, size_t first, size_t end, const bson_t *reply)
{
    const struct mongo_lib *lib = &b->link->db->lib;
    bson_iter_t it, list, entry;

    if (!mongo_bson_find(lib, reply, "upserted", &it) ||
        !mongo_bson_enter(lib, &it, true, &list)) {
        return;
    }
    while (lib->bson_iter_next(&list)) {
        struct mongo_item *item = NULL;
        int64_t index = -1;

        if (!mongo_bson_enter(lib, &list, false, &entry)) {
            return;
        }
        while (lib->bson_iter_next(&entry)) {
            if (str_is(str_from(lib->bson_iter_key(&entry)), "index") &&
                mongo_bson_get_int(lib, &entry, &index)) {
                item = nth_open(b, first, end, index);
            }
        }
        if (item != NULL) {
            item->made = true;
        }
    }
}

/* How many of the open items have no error of their own. */
static int64_t
count_done(const struct mongo_batch *b, size_t first, size_t end)
{
    int64_t n = 0;

    for (size_t i = first; i < end; i++) {
        n += b->items[i].open && b->items[i].code == 0;
    }
    return n;
}

/* What the answer says about the items. One that says it went well, and whose
 * particulars do not add up to that, is as good as none. */
static void
read_answer(struct mongo_batch *b, size_t first, size_t end,
            struct mongo_result *whole)
{
    bool ok = take_errors(b, first, end, &whole->reply);
    int64_t n = mongo_bson_find_int(&b->link->db->lib, &whole->reply, "n", -1);

    if (n > 0) {
        b->matched += n;
    }
    take_made(b, first, end, &whole->reply);
    ok = ok && n >= 0 && (!b->counted || n == count_done(b, first, end));
    if (whole->attempt.ok && !ok) {
        whole->attempt.ok = false;
        whole->attempt.domain = MONGO_DOMAIN_PROTOCOL;
        whole->attempt.code = MONGO_CODE_PROTOCOL_INVALID_REPLY;
    }
}

/* The attempt as it was for one item. */
static struct mongo_attempt
attempt_of(const struct mongo_batch *b, const struct mongo_attempt *whole,
           const struct mongo_item *item, bool alone)
{
    struct mongo_attempt a = *whole;

    if (item->code == 0) {
        a.shared = !whole->ok && !alone;
        return a;
    }
    a.ok = false;
    a.domain = MONGO_DOMAIN_SERVER;
    a.code = item->code;
    if (a.code == STORE_MONGO_DUPLICATE && b->own != NULL &&
        (item->retry.perhaps || a.sent > 1)) {
        enum err e = b->own(b->link, item);

        a.own_key = e == ERR_OK;
        if (e == ERR_DATABASE_ERROR) { /* as if no answer had come */
            a.domain = MONGO_DOMAIN_STREAM;
            a.code = 0;
        }
    }
    return a;
}

/* The longest pause that one of the items wants, and why. */
struct round {
    struct mongo_step step;
    struct mongo_attempt attempt;
    const struct mongo_retry *retry;
};

static void
judge_item(const struct mongo_batch *b, const struct mongo_attempt *whole,
           struct mongo_item *item, bool alone, struct round *round)
{
    struct mongo_attempt a = attempt_of(b, whole, item, alone);
    struct mongo_step step = store_mongo_call_after(&item->retry, &a);

    item->outcome = step.outcome;
    item->open = step.again;
    if (!step.again && !store_mongo_batch_stored(item)) {
        item->code =
            a.concern_code != 0 || a.code == 0 ? a.concern_code : a.code;
        (void)store_mongo_call_failed(b->link, &a);
    }
    if (step.again && step.wait_ms >= round->step.wait_ms) {
        *round = (struct round){step, a, &item->retry};
    }
}

static size_t
count_open(const struct mongo_batch *b, size_t first, size_t end)
{
    size_t n = 0;

    for (size_t i = first; i < end; i++) {
        n += b->items[i].open;
    }
    return n;
}

/* One attempt of what is open; true while something is left to be tried,
 * after its pause. */
static bool
run_round(struct mongo_batch *b, size_t first, size_t end)
{
    bool alone = count_open(b, first, end) == 1;
    struct round round = {.step = {.again = false}};
    struct mongo_bson command;
    struct mongo_result whole;

    make_command(&command, b, first, end);
    (void)store_mongo_call_once(b->link, &command, true, &whole);
    read_answer(b, first, end, &whole);
    for (size_t i = first; i < end; i++) {
        if (b->items[i].open) {
            judge_item(b, &whole.attempt, &b->items[i], alone, &round);
        }
    }
    b->link->db->lib.bson_destroy(&whole.reply);
    mongo_bson_fini(&command);
    if (round.step.again) {
        store_mongo_call_pause(&round.attempt, round.retry, &round.step);
    }
    return round.step.again;
}

/* Behind the last item that still fits into a command with first. */
static size_t
end_of_slice(const struct mongo_batch *b, size_t first)
{
    size_t bytes = b->items[first].doc.b.len, end = first + 1;

    while (end < b->count && bytes + b->items[end].doc.b.len <= COMMAND_BYTES) {
        bytes += b->items[end++].doc.b.len;
    }
    return end;
}

static void
give_up(struct mongo_link *link, struct mongo_item *item)
{
    item->outcome = MONGO_NOT_EVER;
    item->code = SPOILT;
    link->fault = (struct store_fault){"spoilt", 0, false};
    link->reach = MONGO_REACHED;
}

static void
run_slice(struct mongo_batch *b, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        struct mongo_item *item = &b->items[i];

        store_mongo_call_begin(b->link, &item->retry);
        if (item->perhaps) {
            mongo_retry_doubt(&item->retry);
        }
        item->open = !item->spoilt;
        if (item->spoilt) {
            give_up(b->link, item);
        }
    }
    if (count_open(b, first, end) == 0) {
        return;
    }
    while (run_round(b, first, end)) {
    }
}

/* Nothing went out. */
static enum err
refuse_all(struct mongo_batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        b->items[i].outcome =
            b->items[i].perhaps ? MONGO_UNKNOWN : MONGO_NOT_NOW;
        b->items[i].code = 0;
    }
    return ERR_DATABASE_ERROR;
}

enum err
store_mongo_batch_write(struct mongo_batch *b)
{
    enum err e = ERR_OK;

    b->matched = 0;
    if (!store_mongo_call_may(b->link)) {
        return refuse_all(b);
    }
    for (size_t first = 0, end; first < b->count; first = end) {
        end = end_of_slice(b, first);
        run_slice(b, first, end);
    }
    for (size_t i = 0; i < b->count; i++) {
        if (!store_mongo_batch_stored(&b->items[i]) &&
            b->items[i].code != STORE_MONGO_DUPLICATE) {
            e = ERR_DATABASE_ERROR;
        }
    }
    if (e != ERR_OK) {
        store_mongo_call_settle(b->link);
    }
    return e;
}
