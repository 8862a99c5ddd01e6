/* SPDX-License-Identifier: MIT */
/* The command around the storage's rekey: which settings it needs, and what a
 * person reads of it. */
#include "app/cli_rekey.h"

#include "app/boot_rooms.h"
#include "app/cli.h"
#include "app/process.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/rekey.h"
#include "store/store.h"

#include <inttypes.h>

#define WHY_BYTES 512

static void
put_report(const struct rekey *r, struct buf *out)
{
    buf_printf(out,
               "messages sealed anew: %" PRIu64 "\n"
               "names sealed anew: %" PRIu64 "\n"
               "texts that do not open: %" PRIu64 "\n",
               r->messages, r->names, r->unreadable);
    if (r->remains) {
        buf_puts(out, "The log file of the database is in use and may still "
                      "have texts in their old form; run it again later.\n");
    }
}

static int
failed(const char *why)
{
    log_error(EVENT_START_FAILED, why);
    return CLI_FAILED;
}

static int
rekey(struct boot_rooms *rooms, struct buf *out)
{
    struct rekey report;
    char why[WHY_BYTES];

    if (rooms->ring == NULL) {
        return failed("rekey needs store.encryption_keys (ENCRYPTION_KEYS)");
    }
    if (store_rekey(&rooms->store, &report, why, sizeof(why)) != ERR_OK) {
        return failed(why);
    }
    put_report(&report, out);
    return report.unreadable > 0 || report.remains ? CLI_FAILED : CLI_OK;
}

int
cli_rekey_run(const struct config *c, struct buf *out)
{
    struct boot_rooms rooms;
    int status;

    process_prepare();
    process_hide();
    boot_rooms_init_store(&rooms, c);
    status = rekey(&rooms, out);
    boot_rooms_fini(&rooms);
    metrics_fini();
    return status;
}
