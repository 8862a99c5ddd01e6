/* SPDX-License-Identifier: MIT */
/* What all answers share, in one place, so that none can forget a header. */
#include "gate/answer.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "codec/http1_write.h"
#include "codec/json.h"
#include "gate/openai_error.h"

#include <stdio.h>

/* For everything that is not a page: nothing may be loaded, nothing may embed
 * it. */
#define STRICTEST_CSP "default-src 'none'; frame-ancestors 'none'"

void
answer_put_common(struct buf *out, const char *csp, const char *id)
{
    csp = csp != NULL ? csp : STRICTEST_CSP;
    http1_write_header(out, "X-Content-Type-Options", STR("nosniff"));
    http1_write_header(out, "X-Frame-Options", STR("DENY"));
    http1_write_header(out, "Referrer-Policy",
                       STR("strict-origin-when-cross-origin"));
    http1_write_header(out, "Content-Security-Policy", str_from(csp));
    http1_write_header(out, "X-Request-Id", str_from(id));
}

void
answer_put_head(struct buf *out, const struct answer_head *head)
{
    http1_write_status(out, head->status);
    http1_write_date(out, clock_wall_ms());
    if (head->type != NULL) {
        http1_write_header(out, "Content-Type", str_from(head->type));
    }
    if (head->framing == ANSWER_BY_LENGTH) {
        http1_write_header_u64(out, "Content-Length", head->length);
    } else if (head->framing == ANSWER_BY_CHUNKS) {
        http1_write_header(out, "Transfer-Encoding", STR("chunked"));
    }
    http1_write_header(out, "Cache-Control", str_from(head->cache));
    answer_put_common(out, head->csp, head->id);
}

void
answer_put_retry_after(struct buf *out, uint64_t wait_ms)
{
    uint64_t seconds = (wait_ms + 999) / 1000;

    http1_write_header_u64(out, "Retry-After", seconds > 0 ? seconds : 1);
}

void
answer_put_error(struct buf *out, const struct answer_error *what)
{
    const struct err_info *info = err_info(what->err);

    if (what->openai) {
        openai_error_put(out, &(struct openai_error){what->err, 0, what->field,
                                                     what->message});
        return;
    }
    buf_putc(out, '{');
    json_put_member(out, "error", str_from(info->slug));
    json_put_member(out, "code", str_from(err_http_code(what->err)));
    json_put_member(
        out, "message",
        str_from(what->message != NULL ? what->message : info->sentence));
    json_put_member(out, "request_id", str_from(what->id));
    if (what->field != NULL) {
        json_put_member(out, "field", str_from(what->field));
    }
    if (what->wait_ms >= 0) {
        json_put_member_i64(out, "retry_after_ms", what->wait_ms);
    }
    buf_putc(out, '}');
}

void
answer_count_refused(int status)
{
    char text[8];

    (void)snprintf(text, sizeof(text), "%d", status);
    metric_count_at(METRIC_HTTP_REFUSED,
                    metrics_slot(METRIC_HTTP_REFUSED, text));
}
