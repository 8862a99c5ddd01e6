/* SPDX-License-Identifier: MIT */
/* Bodies, by length or chunked (RFC 9112 sections 6 and 7.1). What
 * stands around the chunks is one table, state by kind of byte: an entry that
 * is not there is 0, which is S_BAD. Data is never looked at, only counted.
 */
#include "codec/http1_body.h"

#include "codec/http1_chars.h"

enum state {
    S_BAD,
    S_LENGTH, /* of content_length bytes, left are missing */
    S_DATA,   /* of a chunk, left are missing */
    S_DATA_CR,
    S_DATA_LF,
    S_SIZE_FIRST,
    S_SIZE,
    S_SIZE_LF,
    /* chunk-ext: BWS ";" BWS name [ BWS "=" BWS value ] */
    S_EXT_BLANK, /* behind the size or a value */
    S_EXT_NAME_FIRST,
    S_EXT_NAME,
    S_EXT_NAME_BLANK,
    S_EXT_VALUE_FIRST,
    S_EXT_VALUE,
    S_EXT_QUOTED,
    S_EXT_ESCAPED,
    S_EXT_QUOTED_END,
    /* trailer fields */
    S_TRAILER_FIRST,
    S_TRAILER_NAME,
    S_TRAILER_VALUE,
    S_TRAILER_LF,
    S_END_LF,
    S_DONE,
    S_COUNT
};

enum kind {
    K_HEX,
    K_TOKEN, /* the other tchars */
    K_BLANK,
    K_SEMICOLON,
    K_EQUALS,
    K_COLON,
    K_QUOTE,
    K_BACKSLASH,
    K_TEXT, /* the rest of what a value may hold */
    K_CR,
    K_LF,
    K_CONTROL,
    K_COUNT
};

#define NAME_BYTES(next) [K_HEX] = (next), [K_TOKEN] = (next)
#define TEXT_BYTES(next)                                                       \
    NAME_BYTES(next), [K_BLANK] = (next), [K_SEMICOLON] = (next),              \
                      [K_EQUALS] = (next), [K_COLON] = (next),                 \
                      [K_QUOTE] = (next), [K_BACKSLASH] = (next),              \
                      [K_TEXT] = (next)

static const uint8_t table[S_COUNT][K_COUNT] = {
    [S_DATA_CR] = {[K_CR] = S_DATA_LF},
    [S_DATA_LF] = {[K_LF] = S_SIZE_FIRST},
    [S_SIZE_FIRST] = {[K_HEX] = S_SIZE},
    [S_SIZE] = {[K_HEX] = S_SIZE,
                [K_BLANK] = S_EXT_BLANK,
                [K_SEMICOLON] = S_EXT_NAME_FIRST,
                [K_CR] = S_SIZE_LF},
    [S_SIZE_LF] = {[K_LF] = S_DATA},
    [S_EXT_BLANK] = {[K_BLANK] = S_EXT_BLANK, [K_SEMICOLON] = S_EXT_NAME_FIRST},
    [S_EXT_NAME_FIRST] = {NAME_BYTES(S_EXT_NAME), [K_BLANK] = S_EXT_NAME_FIRST},
    [S_EXT_NAME] = {NAME_BYTES(S_EXT_NAME), [K_BLANK] = S_EXT_NAME_BLANK,
                    [K_SEMICOLON] = S_EXT_NAME_FIRST,
                    [K_EQUALS] = S_EXT_VALUE_FIRST, [K_CR] = S_SIZE_LF},
    [S_EXT_NAME_BLANK] = {[K_BLANK] = S_EXT_NAME_BLANK,
                          [K_SEMICOLON] = S_EXT_NAME_FIRST,
                          [K_EQUALS] = S_EXT_VALUE_FIRST},
    [S_EXT_VALUE_FIRST] =
        {NAME_BYTES(S_EXT_VALUE), [K_BLANK] = S_EXT_VALUE_FIRST,
         [K_QUOTE] = S_EXT_QUOTED},
    [S_EXT_VALUE] = {NAME_BYTES(S_EXT_VALUE), [K_BLANK] = S_EXT_BLANK,
                     [K_SEMICOLON] = S_EXT_NAME_FIRST, [K_CR] = S_SIZE_LF},
    [S_EXT_QUOTED] = {NAME_BYTES(S_EXT_QUOTED), [K_BLANK] = S_EXT_QUOTED,
                      [K_SEMICOLON] = S_EXT_QUOTED, [K_EQUALS] = S_EXT_QUOTED,
                      [K_COLON] = S_EXT_QUOTED, [K_QUOTE] = S_EXT_QUOTED_END,
                      [K_BACKSLASH] = S_EXT_ESCAPED, [K_TEXT] = S_EXT_QUOTED},
    [S_EXT_ESCAPED] = {TEXT_BYTES(S_EXT_QUOTED)},
    [S_EXT_QUOTED_END] = {[K_BLANK] = S_EXT_BLANK,
                          [K_SEMICOLON] = S_EXT_NAME_FIRST,
                          [K_CR] = S_SIZE_LF},
    [S_TRAILER_FIRST] = {NAME_BYTES(S_TRAILER_NAME), [K_CR] = S_END_LF},
    [S_TRAILER_NAME] = {NAME_BYTES(S_TRAILER_NAME), [K_COLON] =
                                                        S_TRAILER_VALUE},
    [S_TRAILER_VALUE] = {TEXT_BYTES(S_TRAILER_VALUE), [K_CR] = S_TRAILER_LF},
    [S_TRAILER_LF] = {[K_LF] = S_TRAILER_FIRST},
    [S_END_LF] = {[K_LF] = S_DONE},
};

static enum kind
kind_of(char c)
{
    static const char singles[] = {
        [K_BLANK] = ' ', [K_SEMICOLON] = ';', [K_EQUALS] = '=',
        [K_COLON] = ':', [K_QUOTE] = '"',     [K_BACKSLASH] = '\\',
        [K_CR] = '\r',   [K_LF] = '\n',
    };

    if (http1_chars_is(c, HTTP1_CHARS_HEX | HTTP1_CHARS_TOKEN)) {
        return http1_chars_is(c, HTTP1_CHARS_HEX) ? K_HEX : K_TOKEN;
    }
    for (enum kind k = K_BLANK; k <= K_LF; k++) {
        if (c == singles[k] && c != '\0') {
            return k;
        }
    }
    if (c == '\t') {
        return K_BLANK;
    }
    return http1_chars_is(c, HTTP1_CHARS_VALUE) ? K_TEXT : K_CONTROL;
}

enum err
http1_body_init(struct http1_body *b, const struct http1_head *head,
                uint64_t limit_bytes)
{
    return http1_body_begin(b, head->framing, head->content_length,
                            limit_bytes);
}

enum err
http1_body_begin(struct http1_body *b, enum http1_framing framing,
                 uint64_t content_length, uint64_t limit_bytes)
{
    *b = (struct http1_body){.allowed = limit_bytes};
    if (framing == HTTP1_CHUNKED) {
        b->state = S_SIZE_FIRST;
        return ERR_OK;
    }
    b->left = framing == HTTP1_LENGTH ? content_length : 0;
    b->state = b->left > 0 ? S_LENGTH : S_DONE;
    if (b->left > limit_bytes) {
        b->failure = ERR_PAYLOAD_TOO_LARGE;
        return ERR_PAYLOAD_TOO_LARGE;
    }
    return ERR_OK;
}

static enum err
count_digit(struct http1_body *b, char c)
{
    if (++b->digits > HTTP1_CHUNK_DIGITS_MAX) {
        return ERR_BAD_REQUEST;
    }
    b->left = b->left << 4 | http1_chars_hex(c);
    return b->left > b->allowed ? ERR_PAYLOAD_TOO_LARGE : ERR_OK;
}

/* One byte of what stands around the data. */
static enum err
step(struct http1_body *b, char c)
{
    b->state = table[b->state][kind_of(c)];
    if (b->state == S_BAD) {
        return ERR_BAD_REQUEST;
    }
    if (b->state == S_SIZE) {
        return count_digit(b, c);
    }
    if (b->state >= S_EXT_BLANK && b->state <= S_EXT_QUOTED_END &&
        ++b->extensions > HTTP1_EXTENSION_BYTES_MAX) {
        return ERR_BAD_REQUEST;
    }
    if (b->state >= S_TRAILER_FIRST && b->state <= S_TRAILER_LF &&
        ++b->trailers > HTTP1_TRAILER_BYTES_MAX) {
        return ERR_HEADERS_TOO_LARGE;
    }
    if (b->state == S_DATA) {
        b->digits = 0;
        b->state = b->left > 0 ? S_DATA : S_TRAILER_FIRST;
    }
    return ERR_OK;
}

static struct str
take_data(struct http1_body *b, struct str *in)
{
    struct str run = {in->p, in->n < b->left ? in->n : (size_t)b->left};

    *in = str_from_at(*in, run.n);
    b->left -= run.n;
    b->allowed -= run.n;
    if (b->left == 0) {
        b->state = b->state == S_LENGTH ? S_DONE : S_DATA_CR;
    }
    return run;
}

enum err
http1_body_feed(struct http1_body *b, struct str *in, struct str *data_out)
{
    *data_out = (struct str){NULL, 0};
    while (in->n > 0 && b->state != S_DONE && b->failure == ERR_OK) {
        if (b->state == S_LENGTH || b->state == S_DATA) {
            *data_out = take_data(b, in);
            break;
        }
        b->failure = (uint8_t)step(b, in->p[0]);
        *in = str_from_at(*in, 1);
    }
    if (b->failure != ERR_OK) {
        return (enum err)b->failure;
    }
    return b->state == S_DONE ? ERR_OK : ERR_AGAIN;
}
