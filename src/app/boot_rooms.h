/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_BOOT_ROOMS_H
#define CHATBOX_APP_BOOT_ROOMS_H

#include "app/config.h"
#include "chat/budget_books.h"
#include "chat/chat.h"
#include "gate/gate.h"
#include "net/listener.h"
#include "net/tls.h"
#include "notify/notify.h"
#include "provider/breakers.h"
#include "store/seal.h"
#include "upload/upload.h"

/* The settings as each room wants them: structs that borrow from one config
 * and live as long as the rooms do. Main thread. */
struct boot_rooms {
    struct chat_population population;
    struct gate_settings gate;
    struct net_settings net;
    struct store_settings store;
    struct store_mongo_settings mongo; /* what store borrows */
    struct breakers *breakers;
    struct budget_books *books; /* of budgets that users share */
    struct token_keys *keys;
    struct token_rules rules;
    struct seal_ring *ring; /* NULL: messages are stored as they are */
    struct tls *tls;        /* NULL: plain */
    struct gate_network *proxies;
    struct gate_network *metrics;
    const char **admin_roles;
    char *path_prefix;
    char *file_prefix;
    struct upload upload;
    struct notify_settings notify;
    const char **mail_to;
    const char **sms_to;
    const char **upload_types;
    char *upload_folder;
    struct shelf shelf; /* of the folder, or of s3 */
    struct s3 *s3;      /* NULL: local */
    atomic_bool uploads_end;
    atomic_uint keyed_shards;
    atomic_size_t websockets;
    atomic_bool draining;
    atomic_bool closing;
};

/* Also checks what only a room can check: keys and certificates. CLI_OK, or
 * CLI_BAD_CONFIG when a file is not what it should be (logs why). Borrows c
 * until boot_rooms_fini, which is due whatever the answer. */
int boot_rooms_init(struct boot_rooms *r, const struct config *c);
void boot_rooms_fini(struct boot_rooms *r);

/* Logs that certificate and key of c are of no use; CLI_BAD_CONFIG. */
int boot_rooms_bad_tls(const struct config *c, const char *why);

/* Only what a command on the storage needs: the keys, r->store and
 * r->shelf. c was loaded with store_only; the rest as above. */
void boot_rooms_init_store(struct boot_rooms *r, const struct config *c);

/* The part of the gate that a reload replaces, with so many references; its
 * limits by address go on from those of before (may be NULL). The chat's is
 * boot_chat.h's. */
struct gate_policy *boot_rooms_policy(const struct config *c,
                                      const struct gate_policy *before,
                                      unsigned refs);

/* Opens the shelf of uploads (logs a warning when it is away); key is the
 * storage's secret, which is borrowed as long as the rooms are used. On error
 * one sentence. After fetch_pool_prepare. */
enum err boot_rooms_open_uploads(struct boot_rooms *r, struct str key,
                                 char *why, size_t why_size) MUST_CHECK;

/* Logs a warning for each room that is configured and not in this build. */
void boot_rooms_warn(const struct config *c);

#endif
