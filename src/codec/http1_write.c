/* SPDX-License-Identifier: MIT */
/* The other direction of HTTP/1.1: gate/reply builds its answers with this,
 * piece by piece into one buffer. */
#include "codec/http1_write.h"

#include "codec/http1_chars.h"

#include <stddef.h>
#include <time.h>

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

/* The reason phrase may be empty (RFC 9112 section 4), its space not. */
static const char *
reason_of(int status)
{
    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "";
}

void
http1_write_status(struct buf *b, int status)
{
    buf_put_str(b, STR("HTTP/1.1 "));
    buf_put_u64(b, (uint64_t)status);
    buf_putc(b, ' ');
    buf_puts(b, reason_of(status));
    buf_put_str(b, STR("\r\n"));
}

static void
put_value(struct buf *b, struct str value)
{
    while (value.n > 0) {
        size_t good = http1_chars_run(value, HTTP1_CHARS_VALUE);

        buf_put(b, value.p, good);
        if (good < value.n) {
            buf_putc(b, ' ');
            good++;
        }
        value = str_from_at(value, good);
    }
}

void
http1_write_header(struct buf *b, const char *name, struct str value)
{
    buf_puts(b, name);
    buf_put_str(b, STR(": "));
    put_value(b, value);
    buf_put_str(b, STR("\r\n"));
}

void
http1_write_header_u64(struct buf *b, const char *name, uint64_t value)
{
    buf_puts(b, name);
    buf_put_str(b, STR(": "));
    buf_put_u64(b, value);
    buf_put_str(b, STR("\r\n"));
}

/* Two digits; printf would cost as much as all the rest of a small head. */
static void
put_two(struct buf *b, int n, char behind)
{
    buf_putc(b, (char)('0' + n / 10));
    buf_putc(b, (char)('0' + n % 10));
    buf_putc(b, behind);
}

static void
put_date(struct buf *b, const struct tm *tm)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    buf_put(b, days + 3 * (ptrdiff_t)tm->tm_wday, 3);
    buf_put_str(b, STR(", "));
    put_two(b, tm->tm_mday, ' ');
    buf_put(b, months + 3 * (ptrdiff_t)tm->tm_mon, 3);
    buf_putc(b, ' ');
    buf_put_u64(b, (uint64_t)tm->tm_year + 1900);
    buf_putc(b, ' ');
    put_two(b, tm->tm_hour, ':');
    put_two(b, tm->tm_min, ':');
    put_two(b, tm->tm_sec, ' ');
}

void
http1_write_date(struct buf *b, int64_t wall_ms)
{
    const int64_t last_s = 253402300799; /* 9999-12-31T23:59:59Z */
    time_t at = wall_ms < 0 ? 0 : wall_ms / 1000;
    struct tm tm;

    at = at > last_s ? last_s : at;
    (void)gmtime_r(&at, &tm);
    buf_put_str(b, STR("Date: "));
    put_date(b, &tm);
    buf_put_str(b, STR("GMT\r\n"));
}

void
http1_write_connection(struct buf *b, bool keep_alive, int minor)
{
    if (!keep_alive) {
        buf_put_str(b, STR("Connection: close\r\n"));
    } else if (minor == 0) {
        buf_put_str(b, STR("Connection: keep-alive\r\n"));
    }
}

void
http1_write_end(struct buf *b)
{
    buf_put_str(b, STR("\r\n"));
}

void
http1_write_chunk(struct buf *b, struct str data)
{
    buf_printf(b, "%zx\r\n", data.n);
    buf_put_str(b, data);
    buf_put_str(b, STR("\r\n"));
}

void
http1_write_last_chunk(struct buf *b)
{
    buf_put_str(b, STR("0\r\n\r\n"));
}

void
http1_write_continue(struct buf *b)
{
    buf_put_str(b, STR("HTTP/1.1 100 Continue\r\n\r\n"));
}
