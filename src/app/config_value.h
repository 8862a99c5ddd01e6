/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_CONFIG_VALUE_H
#define CHATBOX_APP_CONFIG_VALUE_H

#include "app/config_raw.h"

/* From the text that won to the member of the struct. */

/* Reads raw into base (a struct config or struct config_provider) at the
 * row's offset, reporting what is wrong (then *base is left as it is, false).
 */
bool config_value_read(struct config_layers *l, struct config_ref ref,
                       void *base);

/* A number in the row's type and range. NULL, or why not. */
const char *config_value_number(const struct config_row *row, struct str text,
                                uint64_t *out);

/* A duration as in the settings ("90", "1h", "1.5s"), in milliseconds. */
bool config_value_duration(struct str text, uint64_t *ms_out);

/* The nth word of an enum row's allowed words. */
struct str config_value_word(const struct config_row *row, uint64_t nth);

/* Wipes and frees the member. */
void config_value_fini(const struct config_row *row, void *base);

#endif
