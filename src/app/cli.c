/* SPDX-License-Identifier: MIT */
/* The command line: one row and one function per command. What a server does
 * is in boot.c; everything else is short enough to stand here. */
#include "app/cli.h"

#include "app/boot.h"
#include "app/cli_health.h"
#include "app/cli_migrate.h"
#include "app/cli_rekey.h"
#include "app/cli_store.h"
#include "app/config_help.h"
#include "app/config_show.h"
#include "app/dev.h"
#include "app/keygen.h"
#include "app/settings.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "codec/utf8.h"
#include "guard/token.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef CHATBOX_VERSION
#define CHATBOX_VERSION "0.0.0"
#endif

#define OUTPUT_BYTES (1024 * 1024)
#define WHY_BYTES 512

struct call {
    const struct command *command;
    struct options options;
    const char *const *environment;
};

struct command {
    const char *name;
    const char *arguments;
    const char *text;
    unsigned known; /* enum options_set */
    int (*run)(const struct call *call);
};

/* --- talking ------------------------------------------------------------ */

/* Writes out to standard output and frees it. */
static int
print(struct buf *out)
{
    struct str rest = buf_str(out);
    int status = CLI_OK;

    while (rest.n > 0 && status == CLI_OK) {
        ssize_t n = write(STDOUT_FILENO, rest.p, rest.n);

        if (n > 0) {
            rest = str_from_at(rest, (size_t)n);
        } else if (n == 0 || errno != EINTR) {
            fprintf(stderr, "chatbox: standard output: %s\n", strerror(errno));
            status = CLI_FAILED;
        }
    }
    xwipe(out->p, out->n);
    buf_fini(out);
    return status;
}

static int
complain(const char *about, const char *command)
{
    fprintf(stderr, "chatbox: %s; see chatbox%s%s --help\n", about,
            command != NULL ? " " : "", command != NULL ? command : "");
    return CLI_USAGE;
}

/* --- servers ------------------------------------------------------------ */

static int
run_serve(const struct call *call)
{
    struct settings_request request = {.options = &call->options,
                                       .environment = call->environment};

    return boot_serve(&request);
}

static int
run_dev(const struct call *call)
{
    struct buf secret;
    struct config_dev dev = {.data_dir = DEV_FOLDER,
                             .port = call->options.port};
    struct settings_request request = {.options = &call->options,
                                       .environment = call->environment,
                                       .dev = &dev};
    char why[WHY_BYTES];
    int status = CLI_FAILED;

    buf_init(&secret, 4096);
    if (dev_secret_get(&secret, why, sizeof(why))) {
        dev.secret = buf_str(&secret);
        status = boot_serve(&request);
    } else {
        fprintf(stderr, "chatbox: %s\n", why);
    }
    xwipe(secret.p, secret.n);
    buf_fini(&secret);
    return status;
}

/* --- tools -------------------------------------------------------------- */

static bool
is_claim(const char *text, size_t max)
{
    struct str s = str_from(text);

    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) {
            return false;
        }
    }
    return s.n <= max && utf8_valid(s);
}

/* What a server would refuse is not signed. NULL, or what is wrong. */
static const char *
check_claims(const struct options *o)
{
    if (o->user == NULL || o->user[0] == '\0') {
        return "--user is required";
    }
    if (!is_claim(o->user, TOKEN_USER_ID_MAX)) {
        return "--user has 255 bytes of UTF-8 at most, and no control "
               "characters";
    }
    if (o->name != NULL && !is_claim(o->name, TOKEN_NAME_MAX)) {
        return "--name has 255 bytes of UTF-8 at most, and no control "
               "characters";
    }
    if (o->role_count > TOKEN_ROLES_MAX) {
        return "--role can be given 32 times at most";
    }
    for (size_t i = 0; i < o->role_count; i++) {
        if (!is_claim(o->roles[i], TOKEN_ROLE_MAX)) {
            return "--role has 64 bytes of UTF-8 at most, and no control "
                   "characters";
        }
    }
    return NULL;
}

static int
print_token(const struct options *o, const struct config *c)
{
    struct token_claims claims = {
        .user_claim = c->auth_user_claim.p,
        .user_id = o->user,
        .name = o->name,
        .roles = o->roles,
        .issuer = c->auth_issuer.p,
        .audience = c->auth_audience.p,
        .issued_s = clock_wall_ms() / 1000,
    };
    struct buf out;

    claims.expires_s = claims.issued_s + (int64_t)(o->ttl_ms / 1000);
    buf_init(&out, OUTPUT_BYTES);
    token_sign_hs256(c->auth_jwt_secret, &claims, &out);
    buf_putc(&out, '\n');
    return print(&out);
}

static int
run_token(const struct call *call)
{
    struct settings_request request = {.options = &call->options,
                                       .environment = call->environment,
                                       .secret_only = true};
    const char *wrong = check_claims(&call->options);
    struct config *c;
    int status;

    if (wrong != NULL) {
        return complain(wrong, call->command->name);
    }
    c = settings_load(&request);
    if (c == NULL) {
        return CLI_BAD_CONFIG;
    }
    status = print_token(&call->options, c);
    config_free(c);
    return status;
}

static int
run_check(const struct call *call)
{
    struct settings_request request = {.options = &call->options,
                                       .environment = call->environment};
    struct config *c = settings_load(&request);
    struct buf out;
    int status = CLI_BAD_CONFIG;

    if (c != NULL && boot_check(c)) {
        buf_init(&out, 4 * OUTPUT_BYTES);
        config_show_print(c, &out);
        status = print(&out);
    }
    config_free(c);
    return status;
}

static int
run_health(const struct call *call)
{
    struct settings_request request = {.options = &call->options,
                                       .environment = call->environment,
                                       .listener_only = true};
    struct config *c = settings_load(&request);
    struct buf out;
    int status = CLI_BAD_CONFIG;

    if (c != NULL) {
        buf_init(&out, OUTPUT_BYTES);
        status = cli_health_run(c, &out);
        status = print(&out) == CLI_OK ? status : CLI_FAILED;
    }
    config_free(c);
    return status;
}

static int
run_config(const struct call *call)
{
    struct buf out;

    if (!call->options.help && !call->options.example) {
        return complain("config needs --help or --example", NULL);
    }
    buf_init(&out, OUTPUT_BYTES);
    if (call->options.help) {
        config_help_text(&out);
    } else {
        config_help_example(&out);
    }
    return print(&out);
}

static int
run_keygen(const struct call *call)
{
    struct str what = str_from(call->options.word);
    struct buf out;

    buf_init(&out, 256);
    if (str_is(what, "jwt")) {
        keygen_jwt(&out);
    } else if (str_is(what, "encryption")) {
        keygen_encryption(&out);
    } else {
        return complain("keygen makes jwt or encryption", call->command->name);
    }
    buf_putc(&out, '\n');
    return print(&out);
}

/* --- the storage -------------------------------------------------------- */

/* A command on the storage: its report is printed also when it failed. */
static int
report_on_store(const struct call *call,
                int (*run)(const struct config *c, const struct options *o,
                           struct buf *out))
{
    struct settings_request request = {.options = &call->options,
                                       .environment = call->environment,
                                       .store_only = true};
    struct config *c = settings_load(&request);
    struct buf out;
    int status = CLI_BAD_CONFIG, printed;

    if (c != NULL) {
        buf_init(&out, OUTPUT_BYTES);
        status = run(c, &call->options, &out);
        printed = print(&out);
        status = status == CLI_OK ? printed : status;
    }
    config_free(c);
    return status;
}

static int
report_rekey(const struct config *c, const struct options *o, struct buf *out)
{
    (void)o;
    return cli_rekey_run(c, out);
}

static int
run_rekey(const struct call *call)
{
    return report_on_store(call, report_rekey);
}

static int
run_migrate(const struct call *call)
{
    return report_on_store(call, cli_migrate_run);
}

/* `what` is the argument that must be there. */
static int
run_on_store(const struct call *call, const char *what,
             int (*run)(const struct config *, const struct options *,
                        struct buf *))
{
    const char *word = call->options.word;

    if (word == NULL || word[0] == '\0') {
        return complain(what, call->command->name);
    }
    return report_on_store(call, run);
}

static int
run_backup(const struct call *call)
{
    return run_on_store(call, "backup needs the name of a file",
                        cli_store_backup);
}

static int
run_restore(const struct call *call)
{
    return run_on_store(call, "restore needs the name of a file",
                        cli_store_restore);
}

static int
run_export_user(const struct call *call)
{
    return run_on_store(call, "export-user needs a user's id",
                        cli_store_export);
}

static int
run_erase_user(const struct call *call)
{
    return run_on_store(call, "erase-user needs a user's id", cli_store_erase);
}

/* --- the table ---------------------------------------------------------- */

static const struct command commands[] = {
    {"serve", "[--config FILE] [--set path=value]...",
     "Runs the server. Needs JWT_SECRET (or a public key) and a provider.",
     OPTIONS_SETTINGS, run_serve},
    {"dev", "[--port N] [--config FILE] [--set path=value]...",
     "Runs the server on 127.0.0.1 with a generated secret, data in "
     ".chatbox-dev and the demo model, and prints links with ready tokens.",
     OPTIONS_SETTINGS | OPTIONS_PORT, run_dev},
    {"token", "--user ID [--name N] [--role user]... [--ttl 1h]",
     "Prints a token signed with JWT_SECRET (HS256).",
     OPTIONS_SETTINGS | OPTIONS_TOKEN, run_token},
    {"check", "[--config FILE] [--set path=value]...",
     "Checks the settings and prints them, secrets hidden.", OPTIONS_SETTINGS,
     run_check},
    {"health", "[--config FILE] [--set path=value]...",
     "Asks the server of these settings on this machine whether it lives: 0 "
     "yes, 1 no. For a container's probe; needs no secret.",
     OPTIONS_SETTINGS, run_health},
    {"config", "--help | --example",
     "Prints every setting with its text, or a commented YAML file.",
     OPTIONS_EXAMPLE, run_config},
    {"keygen", "jwt | encryption",
     "Prints a strong secret, or one entry of ENCRYPTION_KEYS.", OPTIONS_WORD,
     run_keygen},
    {"rekey", "[--config FILE] [--set path=value]...",
     "Seals all stored messages with the first of ENCRYPTION_KEYS, also beside "
     "a running server that has it first. Can be stopped and run again.",
     OPTIONS_SETTINGS, run_rekey},
    {"migrate", "[--dry-run] [--finish] [--config FILE] [--set path=value]...",
     "Moves MongoDB sessions with their messages inside to one document a "
     "message, also beside a running server. Can be stopped and run again.",
     OPTIONS_SETTINGS | OPTIONS_DRY_RUN | OPTIONS_FINISH, run_migrate},
    {"backup", "FILE [--force] [--config FILE] [--set path=value]...",
     "Copies the SQLite database into FILE, also beside a running server, and "
     "checks the copy. --force replaces FILE.",
     OPTIONS_SETTINGS | OPTIONS_WORD | OPTIONS_FORCE, run_backup},
    {"restore", "FILE [--force] [--config FILE] [--set path=value]...",
     "Checks FILE and puts it up as the SQLite database; no server may run. "
     "--force sets a database that is there aside.",
     OPTIONS_SETTINGS | OPTIONS_WORD | OPTIONS_FORCE, run_restore},
    {"export-user",
     "USER [FILE] [--force] [--config FILE] [--set path=value]...",
     "Writes all that is stored of USER as JSON to FILE, or to standard "
     "output. --force replaces FILE.",
     OPTIONS_SETTINGS | OPTIONS_WORDS | OPTIONS_FORCE, run_export_user},
    {"erase-user",
     "USER [--yes] [--dry-run] [--config FILE] [--set path=value]...",
     "Erases all sessions of USER for good, also beside a running server, "
     "after asking (--yes: without). --dry-run only counts.",
     OPTIONS_SETTINGS | OPTIONS_WORD | OPTIONS_YES | OPTIONS_DRY_RUN,
     run_erase_user},
};

static void
put_usage(const struct command *c, struct buf *out)
{
    buf_printf(out, "  chatbox %s %s\n      %s\n", c->name, c->arguments,
               c->text);
}

static int
print_help(void)
{
    struct buf out;

    buf_init(&out, OUTPUT_BYTES);
    buf_puts(&out, "chatbox " CHATBOX_VERSION ", a chat server for language "
                   "models.\n\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        put_usage(&commands[i], &out);
    }
    buf_puts(&out, "  chatbox --version | --help\n\nExit status: 0 done, 1 "
                   "start-up failed, 2 bad command line, 3 stopped but "
                   "something\nhad to be cut, 78 invalid settings.\n");
    return print(&out);
}

static int
print_usage(const struct command *c)
{
    struct buf out;

    buf_init(&out, OUTPUT_BYTES);
    put_usage(c, &out);
    return print(&out);
}

static int
print_version(void)
{
    struct buf out;

    buf_init(&out, OUTPUT_BYTES);
    buf_puts(&out, "chatbox " CHATBOX_VERSION "\n");
    return print(&out);
}

static int
run_command(const struct command *c, char **arguments,
            const char *const *environment)
{
    struct call call = {.command = c, .environment = environment};
    char why[WHY_BYTES];
    int status;

    if (!options_parse(&call.options, c->known, arguments, why, sizeof(why))) {
        status = complain(why, c->name);
    } else if (call.options.help && c->run != run_config) {
        status = print_usage(c);
    } else {
        status = c->run(&call);
    }
    options_fini(&call.options);
    return status;
}

int
cli_run(char **argv, const char *const *environment)
{
    struct str name = str_from(argv[0] != NULL ? argv[1] : NULL);
    char why[WHY_BYTES];

    /* Without memory jansson leaves out a byte of a text and says nothing. */
    json_set_alloc_funcs(xmalloc, xfree);
    if (name.p == NULL) {
        return complain("a command is missing", NULL);
    }
    if (str_is(name, "--version") || str_is(name, "--help")) {
        if (argv[2] != NULL) {
            return complain("--version and --help stand alone", NULL);
        }
        return str_is(name, "--version") ? print_version() : print_help();
    }
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (str_is(name, commands[i].name)) {
            return run_command(&commands[i], argv + 2, environment);
        }
    }
    snprintf(why, sizeof(why), "there is no command \"%.100s\"", name.p);
    return complain(why, NULL);
}
