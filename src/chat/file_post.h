/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_FILE_POST_H
#define CHATBOX_CHAT_FILE_POST_H

#include "chat/state.h"

/* A file that is shown in a session without asking anybody (file_upload,
 * voice_message): stored, sent to the others, acknowledged to the sender. A
 * repeated client_id gets the first acknowledgement again. Takes what file
 * holds. */
void file_post(struct outlet *o, struct message_record *file);

#endif
