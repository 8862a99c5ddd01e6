/* SPDX-License-Identifier: MIT */
/* The command around the storage's migration: which settings it needs, and what
 * a person reads of it. */
#include "app/cli_migrate.h"

#include "app/boot_rooms.h"
#include "app/cli.h"
#include "app/process.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/migrate.h"
#include "store/store.h"

#include <inttypes.h>

#define WHY_BYTES 512

static void
put_report(const struct migrate_wish *wish, const struct migrate *m,
           struct buf *out)
{
    const char *moved = wish->dry ? "to be moved" : "moved";

    buf_printf(out,
               "sessions %s: %" PRIu64 "\n"
               "messages %s: %" PRIu64 "\n"
               "  opened from the older encryption: %" PRIu64 "\n"
               "  that do not open: %" PRIu64 "\n"
               "  with values of a wrong kind: %" PRIu64 "\n"
               "sessions that cannot be moved: %" PRIu64 "\n"
               "documents that are no sessions: %" PRIu64 "\n",
               moved, m->sessions, moved, m->messages, m->opened, m->unreadable,
               m->odd, m->refused, m->strangers);
    if (wish->finish && !wish->dry) {
        buf_printf(out,
                   "sessions finished: %" PRIu64 "\n"
                   "sessions that keep their old messages: %" PRIu64 "\n",
                   m->cleared, m->kept);
    }
}

/* Whether there is anything to tell of a run that failed. */
static bool
has_begun(const struct migrate *m)
{
    return m->sessions + m->refused + m->strangers + m->cleared + m->kept > 0;
}

static bool
is_whole(const struct migrate *m)
{
    return m->unreadable == 0 && m->odd == 0 && m->refused == 0 &&
           m->strangers == 0 && m->kept == 0;
}

static int
failed(const char *why)
{
    log_error(EVENT_START_FAILED, why);
    return CLI_FAILED;
}

static int
migrate(struct boot_rooms *rooms, const struct migrate_wish *wish,
        struct buf *out)
{
    struct migrate report;
    char why[WHY_BYTES];
    enum err e;

    if (rooms->store.mongo == NULL) {
        return failed("migrate needs MongoDB: store.mongo.uri (MONGO_URI) is "
                      "not set, or store.kind (STORE) is sqlite");
    }
    e = store_migrate(&rooms->store, wish, &report, why, sizeof(why));
    if (e == ERR_OK || has_begun(&report)) {
        put_report(wish, &report, out);
    }
    if (e != ERR_OK) {
        return failed(why);
    }
    return is_whole(&report) ? CLI_OK : CLI_FAILED;
}

int
cli_migrate_run(const struct config *c, const struct options *o,
                struct buf *out)
{
    struct migrate_wish wish = {.dry = o->dry_run, .finish = o->finish};
    struct boot_rooms rooms;
    int status;

    process_prepare();
    process_hide();
    boot_rooms_init_store(&rooms, c);
    status = migrate(&rooms, &wish, out);
    boot_rooms_fini(&rooms);
    metrics_fini();
    return status;
}
