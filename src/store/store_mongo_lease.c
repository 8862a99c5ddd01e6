/* SPDX-License-Identifier: MIT */
/* Who has the database: see store_mongo_lease.h. Nobody's clock is compared
 * with another's: who wants the database looks at the holder's beat, and waits
 * by its own clock. */
#include "store/store_mongo_lease.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/proc.h"
#include "base/xalloc.h"
#include "store/store_mongo_call.h"
#include "store/store_mongo_meta.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define ID "server"

/* While another one is waited for. */
#define LOOK_MS 200

/* Claims whose answer was lost, or that somebody else was faster than. */
#define CLAIMS 10

struct mongo_lease {
    struct mongo_db *db;
    struct mongo_holder self;
    atomic_bool lost;
    _Atomic uint64_t beat_ms; /* when the last one that counted was begun */
    int stop_fd;
    pthread_t thread;
};

/* -- the document -- */

static void
copy_text(const struct mongo_lib *lib, const bson_t *doc, const char *name,
          char *out, size_t size)
{
    struct str text = {NULL, 0};
    bson_iter_t it;

    if (mongo_bson_find(lib, doc, name, &it)) {
        (void)mongo_bson_get_text(lib, &it, &text);
    }
    snprintf(out, size, "%.*s", STR_ARG(text));
}

void
store_mongo_lease_read(const struct mongo_lib *lib, const bson_t *doc,
                       struct mongo_holder *out)
{
    *out = (struct mongo_holder){.present = true};
    copy_text(lib, doc, "holder", out->key, sizeof(out->key));
    copy_text(lib, doc, "host", out->host, sizeof(out->host));
    copy_text(lib, doc, "address", out->address, sizeof(out->address));
    copy_text(lib, doc, "place", out->proc.place, sizeof(out->proc.place));
    out->proc.pid = mongo_bson_find_int(lib, doc, "pid", 0);
    out->proc.start = mongo_bson_find_int(lib, doc, "start", 0);
    out->beat = mongo_bson_find_int(lib, doc, "beat", 0);
}

struct looking {
    const struct mongo_lib *lib;
    struct mongo_holder *out;
};

static bool
on_holder(void *cookie, const bson_t *doc)
{
    struct looking *l = cookie;

    store_mongo_lease_read(l->lib, doc, l->out);
    return false;
}

static enum err
look(struct mongo_link *link, struct mongo_holder *out)
{
    struct looking l = {&link->db->lib, out};

    *out = (struct mongo_holder){.present = false};
    return store_mongo_meta_find(link, ID, on_holder, &l);
}

static void
put_holder(struct mongo_bson *out, const struct mongo_holder *h)
{
    mongo_bson_text(out, "holder", h->key);
    mongo_bson_text(out, "host", h->host);
    mongo_bson_int(out, "pid", h->proc.pid);
    mongo_bson_int(out, "start", h->proc.start);
    mongo_bson_text(out, "place", h->proc.place);
    mongo_bson_text(out, "address", h->address);
    mongo_bson_int(out, "beat", h->beat);
    mongo_bson_moment(out, "at", clock_wall_ms());
}

/* -- single attempts, by a command that nothing else here uses -- */

/* The document that has this key and beat (-1: any). */
static void
put_query(struct mongo_bson *command, const struct mongo_holder *h,
          int64_t beat)
{
    struct mongo_bson q;

    mongo_bson_open(command, "query", &q);
    mongo_bson_text(&q, "_id", ID);
    mongo_bson_text(&q, "holder", h->key);
    if (beat >= 0) {
        mongo_bson_int(&q, "beat", beat);
    }
    mongo_bson_close(command, &q);
}

static void
put_concern(struct mongo_bson *command, bool lasting)
{
    struct mongo_bson concern;

    mongo_bson_open(command, "writeConcern", &concern);
    if (lasting) {
        mongo_bson_text(&concern, "w", "majority");
        mongo_bson_bool(&concern, "j", true);
        mongo_bson_int(&concern, "wtimeout", STORE_MONGO_SILENT_MS);
    } else {
        mongo_bson_int(&concern, "w", 1);
    }
    mongo_bson_close(command, &concern);
}

/* Whether the database has done it; *found: to a document. Ends command. */
static bool
run(struct mongo_link *link, struct mongo_bson *command, bool *found)
{
    const struct mongo_lib *lib = &link->db->lib;
    struct mongo_result result;
    bson_iter_t it;
    bool ok = store_mongo_call_once(link, command, true, &result);

    *found = ok && mongo_bson_find(lib, &result.reply, "value", &it) &&
             lib->bson_iter_type(&it) == BSON_TYPE_DOCUMENT;
    if (!ok) {
        (void)!store_mongo_call_failed(link, &result.attempt);
    }
    lib->bson_destroy(&result.reply);
    mongo_bson_fini(command);
    return ok;
}

static void
begin(struct mongo_link *link, struct mongo_bson *command)
{
    mongo_bson_init(command, &link->db->lib);
    mongo_bson_text(command, "findAndModify",
                    link->db->collections[MONGO_META]);
}

/* In the place of the one that was seen there; whether it is ours then is for
 * the next look to say. */
static void
claim(struct mongo_link *link, const struct mongo_holder *seen,
      const struct mongo_holder *self)
{
    struct mongo_bson command, update;
    bool found;

    begin(link, &command);
    put_query(&command, seen, seen->present ? seen->beat : -1);
    mongo_bson_open(&command, "update", &update);
    put_holder(&update, self);
    mongo_bson_close(&command, &update);
    mongo_bson_bool(&command, "upsert", !seen->present);
    put_concern(&command, true);
    (void)run(link, &command, &found);
}

static bool
beat_once(struct mongo_link *link, const struct mongo_holder *self, bool *found)
{
    struct mongo_bson command, update, inner;

    begin(link, &command);
    put_query(&command, self, -1);
    mongo_bson_open(&command, "update", &update);
    mongo_bson_open(&update, "$inc", &inner);
    mongo_bson_int(&inner, "beat", 1);
    mongo_bson_close(&update, &inner);
    mongo_bson_open(&update, "$set", &inner);
    mongo_bson_moment(&inner, "at", clock_wall_ms());
    mongo_bson_close(&update, &inner);
    mongo_bson_close(&command, &update);
    put_concern(&command, false);
    return run(link, &command, found);
}

/* -- the beat -- */

/* The document is not ours: it is another's, or gone (somebody emptied the
 * database), and then it is made again. */
static void
look_again(struct mongo_link *link, struct mongo_lease *lease)
{
    struct mongo_holder now;

    if (look(link, &now) != ERR_OK || strcmp(now.key, lease->self.key) == 0) {
        return;
    }
    if (!now.present) {
        claim(link, &now, &lease->self);
        return;
    }
    atomic_store(&lease->lost, true);
    log_error(EVENT_STORE_LEASE,
              "Another server has taken the database over, as this one was "
              "silent for long; nothing is stored any more.",
              log_cstr("host", now.host), log_int("pid", now.proc.pid));
    if (lease->db->peers != NULL) {
        lease->db->peers->lost(lease->db->peers->cookie);
    }
}

static bool
is_told_to_stop(const struct mongo_lease *lease)
{
    struct pollfd fd = {.fd = lease->stop_fd, .events = POLLIN};

    return poll(&fd, 1, STORE_MONGO_BEAT_MS) > 0;
}

static void *
lease_main(void *arg)
{
    struct mongo_lease *lease = arg;
    struct mongo_link link = {.db = lease->db};
    uint64_t begin_ms;
    bool found;

    metrics_thread_init();
    while (!is_told_to_stop(lease) && !atomic_load(&lease->lost)) {
        begin_ms = clock_mono_ms();
        if (!beat_once(&link, &lease->self, &found)) {
            continue;
        }
        if (found) {
            atomic_store(&lease->beat_ms, begin_ms);
        } else {
            look_again(&link, lease);
        }
    }
    return NULL;
}

static enum err
start(struct mongo_lease *lease, char *why, size_t why_size)
{
    lease->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (lease->stop_fd < 0 ||
        pthread_create(&lease->thread, NULL, lease_main, lease) != 0) {
        snprintf(why, why_size, "A thread for the storage cannot be started.");
        return ERR_IO;
    }
    (void)pthread_setname_np(lease->thread, "store-lease");
    return ERR_OK;
}

/* -- taking -- */

/* What is known of the holder, from look to look. */
struct watch {
    const struct store_peers *peers;
    struct mongo_holder seen;
    uint64_t since_ms; /* it has been like that */
    bool waiting;      /* it was held, and is waited for */
};

enum verdict { FREE, HELD, OPEN };

static void
see(struct watch *w, const struct mongo_holder *now)
{
    w->seen = *now;
    w->since_ms = clock_mono_ms();
}

/* Whoever beats lives. */
static enum verdict
judge_far(struct watch *w, const struct mongo_holder *now)
{
    bool known = w->seen.present && strcmp(w->seen.key, now->key) == 0;

    if (known && w->seen.beat != now->beat) {
        see(w, now);
        return HELD;
    }
    if (!known) {
        see(w, now);
    }
    if (!known && w->peers == NULL) {
        log_warn(EVENT_STORE_LEASE,
                 "Another server had the database and did not give it back: it "
                 "is taken over if that one stays silent.",
                 log_cstr("host", now->host), log_int("pid", now->proc.pid),
                 log_int("wait_ms", STORE_MONGO_SILENT_MS));
    }
    return clock_mono_ms() - w->since_ms >= STORE_MONGO_SILENT_MS ? FREE : OPEN;
}

static enum verdict
judge(struct watch *w, const struct mongo_holder *now,
      const struct mongo_holder *self)
{
    if (!now->present) {
        return FREE;
    }
    if (now->proc.place[0] != '\0' &&
        strcmp(now->proc.place, self->proc.place) == 0) {
        return proc_lives(&now->proc) ? HELD : FREE;
    }
    return judge_far(w, now);
}

static enum err
refuse(const struct mongo_link *link, const struct mongo_holder *by, char *why,
       size_t why_size)
{
    snprintf(why, why_size,
             "The database %s is in use: process %" PRId64 " on %s has it%s.",
             link->db->database, by->proc.pid,
             by->host[0] != '\0' ? by->host : "an unknown host",
             link->db->peers != NULL ? ", and without an address for others "
                                       "(CLUSTER_ADDRESS)"
                                     : "");
    return ERR_CONFLICT;
}

static enum err
explain(const struct mongo_link *link, char *why, size_t why_size)
{
    snprintf(why, why_size, "The database %s cannot be taken: %s (%d).",
             link->db->database, link->fault.name, link->fault.code);
    return ERR_DATABASE_ERROR;
}

/* A while passes. False: the database is not to be waited for (now is who has
 * it; NULL: nobody knows). */
static bool
stand_by(struct watch *w, const struct mongo_holder *now)
{
    const char *address = now != NULL ? now->address : "";

    if (w->peers == NULL || (!w->waiting && address[0] == '\0')) {
        return false;
    }
    if (!w->waiting) {
        log_info(EVENT_STORE_LEASE,
                 "Another server has the database: this one stands by.",
                 log_cstr("host", now->host), log_int("pid", now->proc.pid),
                 log_cstr("address", address));
    }
    w->waiting = true;
    return w->peers->held(w->peers->cookie,
                          address[0] != '\0' ? address : NULL);
}

static void
tell_taken(const struct watch *w)
{
    if (w->waiting) {
        log_info(EVENT_STORE_LEASE, "This server has the database now.");
    }
}

static bool
look_on(struct mongo_link *link, struct watch *w, struct mongo_holder *out)
{
    while (look(link, out) != ERR_OK) {
        if (!w->waiting || !stand_by(w, NULL)) {
            return false;
        }
    }
    return true;
}

/* One attempt, unless there were too many that failed. */
static bool
try_claim(struct mongo_link *link, const struct mongo_holder *now,
          const struct mongo_holder *self, int *claims)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000};

    if (*claims == CLAIMS) {
        return false;
    }
    if ((*claims)++ > 0) {
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    }
    claim(link, now, self);
    return true;
}

static enum err
contend(struct mongo_link *link, const struct mongo_holder *self, char *why,
        size_t why_size)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000};
    struct watch w = {.peers = link->db->peers};
    struct mongo_holder now;
    int claims = 0;

    while (look_on(link, &w, &now)) {
        enum verdict v = FREE;

        if (strcmp(now.key, self->key) == 0) {
            tell_taken(&w);
            return ERR_OK;
        }
        v = judge(&w, &now, self);
        if (v == FREE && !try_claim(link, &now, self, &claims)) {
            break;
        }
        if (v == OPEN && !w.waiting) {
            (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
        } else if (v != FREE) {
            claims = 0;
            if (!stand_by(&w, &now)) {
                return refuse(link, &now, why, why_size);
            }
        }
    }
    return explain(link, why, why_size);
}

static void
introduce(const struct mongo_db *db, struct mongo_holder *self)
{
    *self = (struct mongo_holder){.present = true};
    if (db->peers != NULL) {
        snprintf(self->address, sizeof(self->address), "%s",
                 db->peers->address);
    }
    rand_id(self->key);
    proc_self(&self->proc);
    if (gethostname(self->host, sizeof(self->host)) != 0) {
        self->host[0] = '\0';
    }
    self->host[sizeof(self->host) - 1] = '\0';
}

enum err
store_mongo_lease_take(struct mongo_link *link, char *why, size_t why_size)
{
    struct mongo_lease *lease = xcalloc(1, sizeof(*lease));
    enum err e;

    lease->db = link->db;
    atomic_init(&lease->lost, false);
    introduce(link->db, &lease->self);
    e = contend(link, &lease->self, why, why_size);
    atomic_init(&lease->beat_ms, clock_mono_ms());
    if (e == ERR_OK) {
        e = start(lease, why, why_size);
    }
    if (e == ERR_OK) {
        link->db->lease = lease;
    } else {
        xfree(lease);
    }
    return e;
}

bool
store_mongo_lease_lost(const struct mongo_db *db)
{
    return db->lease != NULL && atomic_load(&db->lease->lost);
}

bool
store_mongo_lease_fresh(const struct mongo_db *db)
{
    return db->lease == NULL ||
           clock_mono_ms() - atomic_load(&db->lease->beat_ms) <
               STORE_MONGO_SILENT_MS;
}

/* -- the end -- */

/* In one attempt: when it fails the next one sees that we do not live. */
static void
leave(struct mongo_link *link, const struct mongo_holder *self)
{
    struct mongo_bson command;
    bool found;

    begin(link, &command);
    put_query(&command, self, -1);
    mongo_bson_bool(&command, "remove", true);
    put_concern(&command, true);
    (void)run(link, &command, &found);
}

void
store_mongo_lease_drop(struct mongo_link *link)
{
    struct mongo_lease *lease = link->db->lease;

    if (lease == NULL) {
        return;
    }
    CHECK(eventfd_write(lease->stop_fd, 1) == 0);
    CHECK(pthread_join(lease->thread, NULL) == 0);
    (void)close(lease->stop_fd);
    if (!atomic_load(&lease->lost) && !atomic_load(&link->db->away)) {
        leave(link, &lease->self);
    }
    link->db->lease = NULL;
    xfree(lease);
}
