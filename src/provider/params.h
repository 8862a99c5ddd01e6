/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_PARAMS_H
#define CHATBOX_PROVIDER_PARAMS_H

#include "codec/json.h"
#include "provider/provider.h"

/* The members of an object, one after the other, as they were written. What
 * comes behind a syntax error is not seen. */
struct params_scan {
    struct json_scan json; /* private */
};
struct params_member {
    struct json_text name;
    struct str value;
};
void params_scan_init(struct params_scan *s, struct str object);
bool params_scan_next(struct params_scan *s, struct params_member *m);
bool params_find(struct str object, struct str name, struct params_member *m);

/* Appends it to an object that has been opened. */
void params_put_member(const struct params_member *m, struct buf *body);

/* What an operator adds to the requests of a provider: temperature,
 * max_tokens, and extra_body, a JSON object of further members. */

/* Appends the members that are set to an object that has been opened. A member
 * of extra_body that is null is not sent. */
void params_put(const struct provider_config *config, struct buf *body);

/* The same beside the members of a client's own request (OpenAI's form), which
 * win. */
void params_put_beside(const struct provider_config *config, struct str object,
                       struct buf *body);

/* Whether extra_body has this member, also as null: what a provider would send
 * by default gives way to it. */
bool params_name(const struct provider_config *config, struct str member);

/* The first member of extra_body that it must not have: the provider's own, or
 * one with a setting of its own. False when there is none. *member_out borrows
 * from extra_body. */
bool params_refused(const struct provider_ops *ops, struct str extra_body,
                    struct str *member_out);

#endif
