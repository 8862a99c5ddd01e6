/* SPDX-License-Identifier: MIT */
/* All rooms as a shared library for pure.py, which mirrors some structs: here
 * is how large they really are, so that a mirror that is out of date is found
 * before it is used. */
#include "app/config.h"
#include "app/config_report.h"
#include "chat/history.h"
#include "codec/overlap.h"
#include "proto/encode.h"
#include "store/mongo_retry.h"

const size_t pure_sizes[];

const size_t pure_sizes[] = {
    sizeof(struct str),           sizeof(struct buf),
    sizeof(struct proto_message), sizeof(struct proto_rules),
    sizeof(struct proto_fault),   sizeof(struct message_record),
    sizeof(struct history_log),   sizeof(struct config_sources),
    sizeof(struct config_report), sizeof(struct proto_error),
    sizeof(struct mongo_attempt), sizeof(struct mongo_retry_rules),
    sizeof(struct mongo_retry),   sizeof(struct mongo_step),
    sizeof(struct overlap),
};
