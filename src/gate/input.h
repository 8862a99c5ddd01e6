/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_INPUT_H
#define CHATBOX_GATE_INPUT_H

#include "gate/request.h"

#include <jansson.h>

/* What clients put into queries and JSON bodies. Each function that returns
 * false has answered the request with 400, naming the member. */

/* An unsigned number of the query; *out keeps its value when the query has no
 * such member. */
bool input_number(struct request *r, const char *name, uint64_t min,
                  uint64_t max, uint64_t *out);

/* A text of the query into *out (given, or NULL when it has none). */
bool input_text(struct request *r, const char *name, size_t max_bytes,
                char **out);

/* The same of 1 to max_bytes bytes in one line: an empty one is refused. */
bool input_line(struct request *r, const char *name, size_t max_bytes,
                char **out);

/* An id: 32 lower-case hexadecimal digits and a NUL into out, which keeps its
 * value when the query has no such member. */
bool input_id(struct request *r, const char *name,
              char out[static RAND_ID_CHARS + 1]);

/* One of the words (NULL at the end) of the query; its place into *out, which
 * keeps its value when the query has no such member. */
bool input_word(struct request *r, const char *name, const char *const *words,
                size_t *out);

/* A moment: RFC 3339, or a bare date in UTC, which stands for its first
 * millisecond or, with whole_day, its last. *out keeps its value when the
 * query has no such member. */
bool input_time(struct request *r, const char *name, bool whole_day,
                int64_t *out);

/* The JSON object of the body; an empty body is {}. Gives (json_decref). */
bool input_object(struct request *r, json_t **out);

/* Members of it: absent leaves *out as it is. */
bool input_string(struct request *r, const json_t *object, const char *name,
                  struct str *out);
bool input_bool(struct request *r, const json_t *object, const char *name,
                bool *given_out, bool *out);

#endif
