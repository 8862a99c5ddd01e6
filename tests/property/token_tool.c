/* SPDX-License-Identifier: MIT */
/* guard/token behind a pipe, for test_token.py. A question is one line of six
 * words: secret|pem, the key, issuer or -, audience or -, now in ms, the
 * token; key and token in hexadecimal. The answer is one line: an error's
 * CODE, BAD_KEY, or OK with user id and name in hexadecimal, 1 for an
 * operator, and the expiry in ms. */
#include "base/xalloc.h"
#include "guard/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 6 };

static int
nibble(char c)
{
    return c >= 'a' ? c - 'a' + 10 : c - '0';
}

/* In place. */
static struct str
from_hex(char *text)
{
    size_t n = strlen(text) / 2;

    for (size_t i = 0; i < n; i++) {
        text[i] = (char)(nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]));
    }
    return (struct str){text, n};
}

static void
print_hex(const char *text)
{
    putchar(' ');
    for (; *text != '\0'; text++) {
        printf("%02x", (unsigned char)*text);
    }
}

static struct token_keys *
keys_of(const char *kind, struct str key)
{
    struct token_keys *keys = NULL;
    const char *why;

    if (strcmp(kind, "secret") == 0) {
        return token_keys_secret(key);
    }
    return token_keys_pem(key, &keys, &why) == ERR_OK ? keys : NULL;
}

static const char *
or_nothing(const char *word)
{
    return strcmp(word, "-") == 0 ? "" : word;
}

static void
answer(char *words[WORDS])
{
    static const char *const admins[] = {"admin", "chat_admin", NULL};
    struct token_rules rules = {.issuer = or_nothing(words[2]),
                                .audience = or_nothing(words[3]),
                                .require_exp = true,
                                .leeway_ms = 30000,
                                .admin_roles = admins};
    struct token_keys *keys = keys_of(words[0], from_hex(words[1]));
    int64_t now_ms = (int64_t)strtoull(words[4], NULL, 10);
    struct identity who;
    enum err e;

    if (keys == NULL) {
        printf("BAD_KEY\n");
        return;
    }
    e = token_verify(keys, &rules, from_hex(words[5]), now_ms, &who);
    if (e != ERR_OK) {
        printf("%s\n", err_info(e)->code);
    } else {
        printf("OK");
        print_hex(who.user_id);
        print_hex(who.name);
        printf(" %d %lld\n", who.admin, (long long)who.exp_ms);
    }
    token_keys_free(keys);
}

int
main(void)
{
    char *line = NULL;
    size_t room = 0;

    while (getline(&line, &room, stdin) > 0) {
        char *words[WORDS], *rest = line;

        line[strcspn(line, "\n")] = '\0';
        for (int i = 0; i < WORDS; i++) {
            words[i] = strsep(&rest, " ");
            CHECK(words[i] != NULL);
        }
        answer(words);
        fflush(stdout);
    }
    free(line);
    return 0;
}
