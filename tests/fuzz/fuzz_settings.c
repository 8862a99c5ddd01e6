/* SPDX-License-Identifier: MIT */
/* app/config: the input is a YAML file, and behind its first NUL entries of
 * the environment and of --set ("path=value" when they begin with a small
 * letter), each ended by a NUL. Whatever is accepted is within what its row
 * says, and can be shown, and read again unchanged. */
#include "app/config_check.h"
#include "app/config_report.h"
#include "app/config_show.h"
#include "base/check.h"
#include "base/xalloc.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENTRIES_MAX 64
#define PRINT_BYTES (16 << 20)
#define SECRET "JWT_SECRET=k3JxQ0vN8rTz5LwYb2HfPq7UcMgAe9Rd"

struct input {
    const char *env[ENTRIES_MAX + 4];
    size_t env_count;
    const char *sets[ENTRIES_MAX];
    size_t set_count;
    struct str yaml;
};

static const char *
read_file(const char *path, struct buf *out)
{
    if (path[0] == 'x') {
        return "does not exist";
    }
    buf_puts(out, "-----BEGIN THIS-----\n");
    return NULL;
}

/* text has a NUL behind its last byte. */
static void
cut(struct str text, struct input *in)
{
    struct str rest = text, entry;

    in->env[in->env_count++] = SECRET;
    in->env[in->env_count++] = "LLM_PROVIDER_98_ID=d";
    in->env[in->env_count++] = "LLM_PROVIDER_98_TYPE=demo";
    if (!str_split(&rest, '\0', &in->yaml)) {
        return;
    }
    while (in->env_count + in->set_count < ENTRIES_MAX &&
           str_split(&rest, '\0', &entry)) {
        if (memchr(entry.p, '=', entry.n) == NULL) {
            continue;
        }
        if (entry.p[0] >= 'a' && entry.p[0] <= 'z') {
            in->sets[in->set_count++] = entry.p;
        } else {
            in->env[in->env_count++] = entry.p;
        }
    }
}

static void
check_bounds(const struct config *c)
{
    for (size_t i = 0; i < CONFIG_IDS; i++) {
        const struct config_row *row = &config_table_rows[i];
        const char *member = (const char *)c + row->offset;
        uint64_t n;

        if (row->type == CONFIG_TYPE_INT || row->type == CONFIG_TYPE_DURATION ||
            row->type == CONFIG_TYPE_SIZE) {
            memcpy(&n, member, sizeof(n));
            CHECK(n >= row->min && n <= row->max);
        }
    }
    CHECK(c->provider_count >= 1);
    CHECK(c->ws_ping_period_ms < c->ws_pong_wait_ms);
    CHECK(c->auth_admin_roles.count >= 1);
}

/* The secrets in plain form are nowhere in what is shown. */
static void
check_shown(const struct config *c)
{
    struct buf out;

    buf_init(&out, PRINT_BYTES);
    config_show_print(c, &out);
    CHECK(!out.failed);
    CHECK(c->auth_jwt_secret.n < 32 ||
          !str_contains_nocase(buf_str(&out), c->auth_jwt_secret));
    buf_fini(&out);
}

static void
on_difference(void *cookie, const char *path, const char *before,
              const char *after, enum config_change change)
{
    (void)cookie;
    (void)path;
    (void)before;
    (void)after;
    (void)change;
    CHECK(false);
}

static struct config *
load(const struct input *in)
{
    struct config_sources sources = {.environment = in->env,
                                     .file_name = "f",
                                     .yaml = in->yaml,
                                     .sets = in->sets,
                                     .set_count = in->set_count,
                                     .read_file = read_file};
    struct config_report report = {0};
    struct config *c = config_load(&sources, &report);

    CHECK((c == NULL) == (report.errors > 0));
    for (size_t i = 0; i < report.count; i++) {
        CHECK(report.problems[i].text[0] != '\0');
    }
    config_report_fini(&report);
    return c;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    char *copy = str_dup(text);
    struct input in = {.env_count = 0};
    struct config *a, *b;

    cut((struct str){copy, size}, &in);
    a = load(&in);
    b = load(&in);
    CHECK((a == NULL) == (b == NULL));
    if (a != NULL) {
        check_bounds(a);
        check_shown(a);
        config_show_diff(a, b, on_difference, NULL);
    }
    config_free(a);
    config_free(b);
    xfree(copy);
    return 0;
}
