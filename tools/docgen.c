/* SPDX-License-Identifier: MIT */
/* Prints the program's tables for people and for the pages' compiler. The
 * tables are the ones the program is built from, so what is printed cannot
 * differ from what runs; tools/docs.py puts it where it belongs.
 *
 *   docgen NAME      one of the rows of `views` below
 */
#include "app/config_help.h"
#include "base/err.h"
#include "proto/message.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* --- words ---------------------------------------------------------------- */

/* A word of a table as people read it: "USER_BUCKET" is "user bucket". */
static void
put_lower(const char *word)
{
    for (; *word; word++)
        putchar(*word == '_' ? ' ' : tolower((unsigned char)*word));
}

/* "AI_RESPONSE" is "AiResponse". */
static void
put_pascal(const char *word)
{
    for (bool first = true; *word; word++) {
        if (*word != '_')
            putchar(first ? *word : tolower((unsigned char)*word));
        first = *word == '_';
    }
}

/* Text in a cell of a Markdown table. */
static void
put_cell(const char *text)
{
    for (; *text; text++)
        printf(*text == '|' ? "\\|" : "%c", *text);
}

static void
put_row_end(const char *text)
{
    printf(" | ");
    put_cell(text);
    printf(" |\n");
}

/* --- base ----------------------------------------------------------------- */

static void
errors(void)
{
    printf("| code | HTTP | `error` | close | recoverable | sentence |\n"
           "|---|---|---|---|---|---|\n");
    for (enum err e = ERR_OK + 1; e < ERR_TOO_BIG; e++) {
        const struct err_info *info = err_info(e);

        printf("| `%s` | %d | `%s` | ", info->code, info->http, info->slug);
        if (info->close)
            printf("%d", info->close);
        printf(" | %s", info->retryable ? "yes" : "no");
        put_row_end(info->sentence);
    }
}

static void
metrics(void)
{
    static const struct {
        const char *kind, *name, *labels, *help;
    } rows[] = {
#define METRIC(ID, kind, name, labels, help) {#kind, name, labels, help},
#include "base/metrics.def"
#undef METRIC
    };

    printf("| name | kind | labels | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        printf("| `%s` | ", rows[i].name);
        put_lower(rows[i].kind);
        printf(" | %s", rows[i].labels);
        put_row_end(rows[i].help);
    }
}

static void
events(void)
{
    static const struct {
        const char *word, *text;
    } rows[] = {
#define EVENT(ID, word, text) {word, text},
#include "base/event.def"
#undef EVENT
    };

    printf("| event | meaning |\n|---|---|\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        printf("| `%s`", rows[i].word);
        put_row_end(rows[i].text);
    }
}

/* --- gate, provider, chat ------------------------------------------------- */

static void
routes(void)
{
    static const struct {
        const char *method, *path, *who, *bucket, *text;
    } rows[] = {
#define ROUTE(METHOD, path, CLASS, LIMIT, body, handler, text)                 \
    {#METHOD, path, #CLASS, #LIMIT, text},
#include "gate/routes.def"
#undef ROUTE
    };

    printf("| method | path | who | limit | answer |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        printf("| %s | `%s` | ", rows[i].method, rows[i].path);
        put_lower(rows[i].who);
        printf(" | ");
        put_lower(rows[i].bucket);
        put_row_end(rows[i].text);
    }
}

static void
providers(void)
{
    printf("| type | what it is |\n|---|---|\n");
#define PROVIDER(type, text)                                                   \
    printf("| `" #type "`");                                                   \
    put_row_end(text);
#include "provider/provider.def"
#undef PROVIDER
}

static void
notifications(void)
{
    printf("| event | sentence | when |\n|---|---|---|\n");
#define NOTIFY_EVENT(ID, word, sentence, meaning)                              \
    printf("| `" word "` | " sentence);                                        \
    put_row_end(meaning);
#include "notify/event.def"
#undef NOTIFY_EVENT
}

static void
steps(void)
{
    printf("| step | what happens |\n|---|---|\n");
#define STEP(NAME, function, text)                                             \
    printf("| `" #NAME "`");                                                   \
    put_row_end(text);
#include "chat/turn.def"
#undef STEP
}

static void
ends(void)
{
    static const struct {
        const char *reason, *status, *err, *text;
    } rows[] = {
#define END(NAME, reason, status, err, text)                                   \
    {reason, &#status[sizeof "STATUS"], &#err[sizeof "ERR"], text},
#include "chat/turn_end.def"
#undef END
    };

    printf("| `finish_reason` | stored as | without any text | when |\n"
           "|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        printf("| `%s` | ", rows[i].reason);
        put_lower(rows[i].status);
        if (strcmp(rows[i].err, "OK") == 0)
            printf(" | last frame");
        else
            printf(" | error `%s`", rows[i].err);
        put_row_end(rows[i].text);
    }
}

/* --- proto ---------------------------------------------------------------- */

#define F(ID) (UINT64_C(1) << PROTO_##ID)

struct field_row {
    const char *name, *kind, *type, *text;
    unsigned limit;
};

static const struct field_row fields[] = {
#define LINE "string"
#define CONTENT "content"
#define URL "string"
#define JWT "token"
#define TIME "time"
#define SENDER "sender"
#define METADATA "object"
#define OBJECT ""
#define ARRAY ""
#define INTEGER ""
#define STRING ""
#define ANY ""
#define FIELD(ID, name, KIND, limit, type, text)                               \
    {name, KIND, type, text, limit},
#include "proto/field.def"
#undef FIELD
};

struct message_row {
    const char *id, *word, *direction, *text;
    uint64_t required, members;
};

static const struct message_row messages[] = {
#define MESSAGE(ID, word, direction, required, members, text)                  \
    {#ID, word, #direction, text, required, members},
#include "proto/message.def"
#undef MESSAGE
};

#define MESSAGE_COUNT (sizeof messages / sizeof *messages)

static bool
is_of(const struct message_row *m, const char *direction)
{
    return strcmp(m->direction, direction) == 0 ||
           strcmp(m->direction, "BOTH") == 0;
}

/* Members that a client may send have a kind that is checked. */
static uint64_t
inbound(void)
{
    uint64_t set = 0;

    for (unsigned f = 0; f < PROTO_FIELDS; f++)
        if (*fields[f].kind && f != PROTO_TYPE)
            set |= UINT64_C(1) << f;
    return set;
}

static void
put_members(uint64_t set)
{
    const char *separator = "";

    for (unsigned f = 0; f < PROTO_FIELDS; f++) {
        if (set >> f & 1) {
            printf("%s`%s`", separator, fields[f].name);
            separator = " ";
        }
    }
}

static void
put_messages(const char *heading, const char *direction, bool from_client)
{
    printf("| type | %s | meaning |\n|---|---|---|\n", heading);
    for (size_t i = 0; i < MESSAGE_COUNT; i++) {
        const struct message_row *m = &messages[i];

        if (is_of(m, direction)) {
            printf("| `%s` | ", m->word);
            put_members(from_client ? m->required : m->members);
            put_row_end(m->text);
        }
    }
}

static void
client_messages(void)
{
    put_messages("required", "CLIENT", true);
}

static void
server_messages(void)
{
    put_messages("may carry", "SERVER", false);
}

static void
members(void)
{
    printf("| member | type | limit | meaning |\n|---|---|---|---|\n");
    for (size_t f = 0; f < PROTO_FIELDS; f++) {
        printf("| `%s` | `", fields[f].name);
        put_cell(fields[f].type);
        printf("` | ");
        if (strcmp(fields[f].kind, "string") == 0)
            printf("%u bytes", fields[f].limit);
        put_row_end(fields[f].text);
    }
}

/* --- TypeScript ----------------------------------------------------------- */

static void
put_property(unsigned field, bool must)
{
    printf("  %s%s: %s;\n", fields[field].name, must ? "" : "?",
           fields[field].type);
}

static void
put_properties(uint64_t set, bool must)
{
    for (unsigned f = 0; f < PROTO_FIELDS; f++)
        if (set >> f & 1)
            put_property(f, must);
}

/* What every frame of a side may have; its types add to it. */
static void
put_envelope(const char *side, uint64_t set)
{
    printf("\nexport interface %sEnvelope {\n", side);
    put_properties(set, false);
    printf("}\n");
}

static void
put_interface(const struct message_row *m, const char *side, bool client)
{
    printf("\n/** %s */\nexport interface %s", m->text, side);
    put_pascal(m->id);
    printf(" extends %sEnvelope {\n  type: '%s';\n", side, m->word);
    put_properties(client ? m->required : m->members, client);
    printf("}\n");
}

static void
put_side(const char *side, const char *direction)
{
    for (size_t i = 0; i < MESSAGE_COUNT; i++)
        if (is_of(&messages[i], direction))
            put_interface(&messages[i], side, strcmp(side, "Client") == 0);
    printf("\nexport type %sMessage =", side);
    for (size_t i = 0; i < MESSAGE_COUNT; i++) {
        if (is_of(&messages[i], direction)) {
            printf("\n  | %s", side);
            put_pascal(messages[i].id);
        }
    }
    printf(";\n");
}

static void
typescript(void)
{
    printf("// SPDX-License-Identifier: MIT\n"
           "// The frames of the WebSocket, one interface per type and side."
           " Generated\n// from src/proto/message.def and field.def by"
           " `make docs`.\n");
    put_envelope("Client", inbound());
    put_side("Client", "CLIENT");
    put_envelope("Server", F(SESSION_ID) | F(TIMESTAMP));
    put_side("Server", "SERVER");
}

/* --- app ------------------------------------------------------------------ */

static void
show(void (*view)(struct buf *out))
{
    struct buf out;

    buf_init(&out, 1024 * 1024);
    view(&out);
    printf("%.*s", STR_ARG(buf_str(&out)));
    buf_fini(&out);
}

static void
settings(void)
{
    show(config_help_markdown);
}

static void
example(void)
{
    show(config_help_example);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*print)(void);
    } views[] = {
        {"client-messages", client_messages},
        {"ends", ends},
        {"errors", errors},
        {"events", events},
        {"example", example},
        {"members", members},
        {"metrics", metrics},
        {"notifications", notifications},
        {"providers", providers},
        {"routes", routes},
        {"server-messages", server_messages},
        {"settings", settings},
        {"steps", steps},
        {"typescript", typescript},
    };

    for (size_t i = 0; argc == 2 && i < sizeof views / sizeof *views; i++) {
        if (strcmp(argv[1], views[i].name) == 0) {
            views[i].print();
            return fflush(stdout) == 0 ? 0 : 1;
        }
    }
    fprintf(stderr, "docgen: one of");
    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        fprintf(stderr, " %s", views[i].name);
    fprintf(stderr, "\n");
    return 2;
}
