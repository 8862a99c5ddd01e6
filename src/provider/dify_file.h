/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_DIFY_FILE_H
#define CHATBOX_PROVIDER_DIFY_FILE_H

#include "provider/provider.h"

/* A picture's bytes on their way to an app, ahead of the question that shows
 * it: its put_file and file_id (provider.h). */
enum err dify_file_put(const struct provider_config *config,
                       const struct picture *picture, struct str user,
                       struct provider_request *r);
bool dify_file_id(struct str answer, char out[static PROVIDER_ID_MAX + 1]);

#endif
