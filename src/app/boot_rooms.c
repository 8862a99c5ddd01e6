/* SPDX-License-Identifier: MIT */
/* Translates: every member of a room's settings gets its value here, and
 * nowhere else. */
#include "app/boot_rooms.h"

#include "app/boot_chat.h"
#include "app/cli.h"
#include "app/config_check.h"
#include "app/settings.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "codec/base64.h"
#include "net/fetch_mail.h"
#include "upload/s3.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define QUEUE_MAX 10000
#define READERS 2

/* Threads of a kind with MongoDB; each uses a connection at a time. */
#define MONGO_THREADS_MAX 16
#define WHY_BYTES 256
#define PATH_BYTES 8192
#define S3_THREADS "16"

static const char *
text(struct str s)
{
    return s.p != NULL ? s.p : "";
}

static const char *
or_null(struct str s)
{
    return s.n > 0 ? s.p : NULL;
}

static void
warn(bool configured, const char *sentence)
{
    if (configured) {
        log_warn(EVENT_CONFIG_WARNING, sentence);
    }
}

void
boot_rooms_warn(const struct config *c)
{
    warn((c->notify_phones.count > 0) !=
             (c->notify_sms_provider != CONFIG_SMS_NONE),
         "notify.phones (ADMIN_PHONES) and notify.sms (SMS_PROVIDER) work "
         "together: without the other one no SMS is sent");
    if (c->notify_smtp_user.n > 0 && c->notify_smtp_tls == FETCH_MAIL_NONE) {
        log_warn(EVENT_SECURITY_WARNING,
                 "notify.smtp.tls (SMTP_TLS) is none: the password goes to "
                 "the mail server as it is");
    }
}

/* --- keys --------------------------------------------------------------- */

static int
bad_file(const char *setting, const char *file, const char *why)
{
    char sentence[WHY_BYTES + 512];

    snprintf(sentence, sizeof(sentence), "%s = \"%.200s\": %s", setting, file,
             why);
    log_error(EVENT_CONFIG_ERROR, sentence);
    return CLI_BAD_CONFIG;
}

static int
out_of_memory(const char *what)
{
    log_error(EVENT_START_FAILED, what);
    return CLI_FAILED;
}

/* OpenSSL sets itself up at its first use. When it had no memory for that, it
 * does not say so, but takes locks that are not there at the next call. */
static int
check_crypto(void)
{
    return OSSL_LIB_CTX_get0_global_default() != NULL
               ? CLI_OK
               : out_of_memory("no memory for setting up OpenSSL");
}

static int
make_public_key(struct boot_rooms *r, const struct config *c)
{
    const char *why = NULL;
    struct buf pem;
    int status = CLI_OK;

    buf_init(&pem, CONFIG_FILE_BYTES_MAX);
    why = settings_read_file(c->auth_public_key.p, &pem);
    if (why != NULL ||
        token_keys_pem(buf_str(&pem), &r->keys, &why) != ERR_OK) {
        status = bad_file("auth.public_key (JWT_PUBLIC_KEY_FILE)",
                          c->auth_public_key.p, why);
    }
    buf_fini(&pem);
    return status;
}

static int
make_keys(struct boot_rooms *r, const struct config *c)
{
    if (c->auth_public_key.n > 0) {
        return make_public_key(r, c);
    }
    if (c->auth_jwks_url.n > 0) {
        return CLI_OK; /* the first shard fetches them */
    }
    r->keys = token_keys_secret(c->auth_jwt_secret);
    return r->keys != NULL ? CLI_OK
                           : out_of_memory("no memory for the tokens' key");
}

int
boot_rooms_bad_tls(const struct config *c, const char *why)
{
    return bad_file("server.tls_cert and server.tls_key (TLS_CERT_FILE, "
                    "TLS_KEY_FILE)",
                    c->server_tls_cert.p, why);
}

static int
make_tls(struct boot_rooms *r, const struct config *c)
{
    char why[WHY_BYTES];

    if (c->server_tls_cert.n > 0 &&
        tls_new(c->server_tls_cert.p, c->server_tls_key.p, &r->tls, why,
                sizeof(why)) != ERR_OK) {
        return boot_rooms_bad_tls(c, why);
    }
    return CLI_OK;
}

/* What the settings have checked: ids that differ, 32 bytes each. */
static void
add_entry(struct seal_ring *ring, struct str entry)
{
    unsigned char key[BASE64_BYTES(BASE64_SIZE(SEAL_KEY_BYTES))];
    struct str id;
    size_t n;

    CHECK(str_split(&entry, ':', &id));
    CHECK(base64_decode(entry, key, sizeof(key), &n) == ERR_OK);
    CHECK(n == SEAL_KEY_BYTES);
    CHECK(seal_ring_add(ring, id, key) == ERR_OK);
    xwipe(key, sizeof(key));
}

/* Behind the others, under a name of its own. When one of the others has that
 * name it is the same key, given twice. */
static void
add_nameless(struct seal_ring *ring, struct str key)
{
    const unsigned char *bytes = (const unsigned char *)key.p;
    char id[SEAL_KEY_ID_BYTES];

    CHECK(key.n == SEAL_KEY_BYTES);
    seal_key_id(bytes, id);
    (void)!seal_ring_add(ring, str_from(id), bytes);
}

static void
make_ring(struct boot_rooms *r, const struct config *c)
{
    const struct config_list *keys = &c->store_encryption_keys;

    if (keys->count == 0 && c->store_encryption_key.n == 0) {
        return;
    }
    r->ring = seal_ring_new();
    for (size_t i = 0; i < keys->count; i++) {
        add_entry(r->ring, keys->items[i]);
    }
    if (c->store_encryption_key.n > 0) {
        add_nameless(r->ring, c->store_encryption_key);
    }
}

/* --- lists -------------------------------------------------------------- */

static struct gate_network *
make_networks(const struct config_list *list)
{
    struct gate_network *n = xcalloc(list->count + 1, sizeof(*n));

    for (size_t i = 0; i < list->count; i++) {
        CHECK(config_check_network(list->items[i], n[i].address, &n[i].bits));
    }
    return n;
}

static const char **
make_strings(const struct config_list *list)
{
    const char **strings = xcalloc(list->count + 1, sizeof(*strings));

    for (size_t i = 0; i < list->count; i++) {
        strings[i] = list->items[i].p;
    }
    return strings;
}

static void
make_paths(struct boot_rooms *r, const struct config *c)
{
    struct buf path;

    buf_init(&path, 4096);
    if (!str_is(c->server_path_prefix, "/")) {
        buf_put_str(&path, c->server_path_prefix);
    }
    buf_puts(&path, "/files/");
    r->file_prefix = buf_give(&path);
    r->path_prefix =
        xmemdup(r->file_prefix, strlen(r->file_prefix) - strlen("/files/"));
}

/* --- rooms -------------------------------------------------------------- */

static void
make_folder(struct boot_rooms *r, const struct config *c)
{
    struct buf path;

    buf_init(&path, PATH_BYTES);
    buf_put_str(&path, c->store_data_dir);
    buf_puts(&path, "/uploads");
    CHECK(!path.failed);
    r->upload_folder = buf_give(&path);
}

/* With S3, on whose answers libuv's threads wait, there are more of them. */
static void
make_shelf(struct boot_rooms *r, const struct config *c)
{
    make_folder(r, c);
    if (c->upload_store == CONFIG_UPLOAD_S3) {
        (void)setenv("UV_THREADPOOL_SIZE", S3_THREADS, 0);
        r->s3 = s3_new(&(struct s3_settings){
            .endpoint = text(c->upload_s3_endpoint),
            .region = text(c->upload_s3_region),
            .bucket = text(c->upload_s3_bucket),
            .key_id = text(c->upload_s3_access_key_id),
            .secret = text(c->upload_s3_secret_access_key),
            .stop = &r->uploads_end,
        });
    }
    shelf_init(&r->shelf, r->upload_folder, r->s3);
}

static void
fill_upload(struct boot_rooms *r, const struct config *c)
{
    make_shelf(r, c);
    r->upload = (struct upload){
        .shelf = r->shelf,
        .types = r->upload_types,
        .prefix = r->file_prefix,
        .max_bytes = c->upload_max_size_bytes,
        .url_ttl_ms = (int64_t)c->upload_url_ttl_ms,
    };
}

enum err
boot_rooms_open_uploads(struct boot_rooms *r, struct str key, char *why,
                        size_t why_size)
{
    bool away;
    enum err e;

    r->upload.key = key;
    (void)mkdir(r->store.data_dir, 0700); /* shelf_open sees what came of it */
    e = shelf_open(&r->shelf, &away, why, why_size);
    if (away) {
        log_warn(EVENT_FILE_ERROR, why);
    }
    return e;
}

static void
fill_rules(struct boot_rooms *r, const struct config *c)
{
    r->rules = (struct token_rules){
        .user_claim = text(c->auth_user_claim),
        .issuer = text(c->auth_issuer),
        .audience = text(c->auth_audience),
        .require_exp = c->auth_require_exp,
        .leeway_ms = (int64_t)c->auth_leeway_ms,
        .admin_roles = r->admin_roles,
    };
}

static void
fill_gate(struct boot_rooms *r, const struct config *c)
{
    r->gate = (struct gate_settings){
        .path_prefix = r->path_prefix,
        .trusted_proxies = r->proxies,
        .trusted_proxy_count = c->server_trusted_proxies.count,
        .metrics_networks = r->metrics,
        .metrics_network_count = c->metrics_allowed_networks.count,
        .keys = r->keys,
        .jwks_url = or_null(c->auth_jwks_url),
        .jwks_ca = text(c->auth_jwks_ca),
        .keyed_shards = &r->keyed_shards,
        .token_rules = &r->rules,
        .admin_roles = r->admin_roles,
        .token_in_query = c->ws_token_in_query,
        .tls = r->tls != NULL,
        .max_message_bytes = c->ws_max_message_size_bytes,
        .max_request_bytes = c->llm_max_request_size_bytes,
        .upload = &r->upload,
        .output_limit_bytes = c->ws_output_limit_bytes,
        .ping_period_ms = c->ws_ping_period_ms,
        .pong_wait_ms = c->ws_pong_wait_ms,
        .websockets = &r->websockets,
        .draining = &r->draining,
        .closing = &r->closing,
    };
}

static void
fill_notify(struct boot_rooms *r, const struct config *c)
{
    r->notify = (struct notify_settings){
        .webhook_url = or_null(c->notify_webhook_url),
        .webhook_secret = c->notify_webhook_secret,
        .mail_to = r->mail_to,
        .mail_to_count = c->notify_emails.count,
        .mail_from = text(c->notify_email_from),
        .smtp_host = text(c->notify_smtp_host),
        .smtp_port = (uint16_t)c->notify_smtp_port,
        .smtp_tls = (unsigned)c->notify_smtp_tls,
        .smtp_user = or_null(c->notify_smtp_user),
        .smtp_pass = or_null(c->notify_smtp_pass),
        .sms_to = r->sms_to,
        .sms_to_count = c->notify_phones.count,
        .sms_provider = (enum notify_sms)c->notify_sms_provider,
        .sms_account = text(c->notify_sms_account_sid),
        .sms_token = text(c->notify_sms_auth_token),
        .sms_from = text(c->notify_sms_from),
        .sms_api_url = or_null(c->notify_sms_api_url),
        .panel_url = or_null(c->notify_panel_url),
    };
}

/* Half of the connections for either kind of thread. */
static void
fill_mongo(struct boot_rooms *r, const struct config *c)
{
    unsigned half = ((unsigned)c->store_mongo_pool_size + 1) / 2;

    r->mongo = (struct store_mongo_settings){
        .uri = c->store_mongo_uri.p,
        .database = c->store_mongo_database.p,
        .collection = c->store_mongo_collection.p,
        .connect_timeout_ms = c->store_mongo_connect_timeout_ms,
        .pool_size = (unsigned)c->store_mongo_pool_size,
        .retry_attempts = (unsigned)c->store_mongo_retry_attempts,
        .retry_delay_ms = c->store_mongo_retry_delay_ms,
        .retry_max_delay_ms = c->store_mongo_retry_max_delay_ms,
    };
    r->store.mongo = &r->mongo;
    r->store.writers = half < MONGO_THREADS_MAX ? half : MONGO_THREADS_MAX;
    r->store.readers = r->store.writers;
}

static void
fill_store(struct boot_rooms *r, const struct config *c)
{
    r->store = (struct store_settings){.data_dir = c->store_data_dir.p,
                                       .queue_max = QUEUE_MAX,
                                       .readers = READERS,
                                       .response_times =
                                           (unsigned)c->session_response_times,
                                       .keys = r->ring};
    if (c->store_kind == CONFIG_STORE_MONGO) {
        fill_mongo(r, c);
    }
}

void
boot_rooms_init_store(struct boot_rooms *r, const struct config *c)
{
    *r = (struct boot_rooms){.keys = NULL};
    make_ring(r, c);
    make_shelf(r, c);
    fill_store(r, c);
}

int
boot_rooms_init(struct boot_rooms *r, const struct config *c)
{
    int status;

    *r = (struct boot_rooms){.keys = NULL};
    status = check_crypto();
    if (status == CLI_OK) {
        status = make_keys(r, c);
    }
    if (status == CLI_OK) {
        status = make_tls(r, c);
    }
    if (status != CLI_OK) {
        return status;
    }
    r->breakers = breakers_new();
    r->books = budget_books_new();
    r->proxies = make_networks(&c->server_trusted_proxies);
    r->metrics = make_networks(&c->metrics_allowed_networks);
    r->admin_roles = make_strings(&c->auth_admin_roles);
    make_ring(r, c);
    r->upload_types = make_strings(&c->upload_types);
    make_paths(r, c);
    fill_upload(r, c);
    fill_rules(r, c);
    fill_gate(r, c);
    r->sms_to = make_strings(&c->notify_phones);
    r->mail_to = make_strings(&c->notify_emails);
    fill_notify(r, c);
    r->net = (struct net_settings){
        .tls = r->tls, .output_limit_bytes = c->ws_output_limit_bytes};
    fill_store(r, c);
    return CLI_OK;
}

void
boot_rooms_fini(struct boot_rooms *r)
{
    token_keys_free(r->keys);
    seal_ring_free(r->ring);
    breakers_free(r->breakers);
    budget_books_free(r->books);
    tls_free(r->tls);
    xfree(r->proxies);
    xfree(r->metrics);
    xfree(r->admin_roles);
    xfree(r->path_prefix);
    xfree(r->file_prefix);
    xfree(r->mail_to);
    xfree(r->sms_to);
    xfree(r->upload_types);
    s3_free(r->s3);
    xfree(r->upload_folder);
}

struct gate_policy *
boot_rooms_policy(const struct config *c, const struct gate_policy *before,
                  unsigned refs)
{
    struct gate_policy *p = xcalloc(1, sizeof(*p));

    atomic_init(&p->refs, (int)refs);
    p->ws_origins = origin_list_new(c->ws_allowed_origins.items,
                                    c->ws_allowed_origins.count);
    p->cors_origins = origin_list_new(c->server_cors_origins.items,
                                      c->server_cors_origins.count);
    p->connections_per_user = c->ws_connections_per_user;
    p->max_connections = c->server_max_connections;
    p->public_limit =
        (struct gate_limit){c->limit_public, c->limit_public_window_ms};
    p->user_limit =
        (struct gate_limit){c->limit_user_http, c->limit_user_http_window_ms};
    p->admin_limit =
        (struct gate_limit){c->limit_admin, c->limit_admin_window_ms};
    p->failure_limit =
        (struct gate_limit){c->limit_failures, c->limit_failures_window_ms};
    p->limit_max_keys = c->limit_max_keys;
    p->limit_cleanup_interval_ms = c->limit_cleanup_interval_ms;
    gate_policy_fill(p, before);
    return p;
}
