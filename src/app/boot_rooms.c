/* SPDX-License-Identifier: MIT */
/* Translates: every member of a room's settings gets its value here, and
 * nowhere else. */
#include "app/boot_rooms.h"

#include "app/cli.h"
#include "app/config_check.h"
#include "app/config_value.h"
#include "app/settings.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "provider/registry.h"

#include <stdio.h>
#include <string.h>

#define QUEUE_MAX 10000
#define READERS 2
#define WHY_BYTES 256

static const char *
text(struct str s)
{
    return s.p != NULL ? s.p : "";
}

/* --- what this build has ------------------------------------------------ */

static int
refuse(const char *sentence)
{
    log_error(EVENT_START_FAILED, sentence);
    return CLI_FAILED;
}

static struct str
type_of(const struct config_provider *p)
{
    return config_value_word(&config_table_members[CONFIG_MEMBER_type],
                             p->type);
}

static int
check_providers(const struct config *c)
{
    for (size_t i = 0; i < c->provider_count; i++) {
        const struct config_provider *p = &c->providers[i];
        char sentence[WHY_BYTES];

        if (registry_find(type_of(p)) == NULL) {
            snprintf(sentence, sizeof(sentence),
                     "llm.providers[%u].type (LLM_PROVIDER_%u_TYPE) is %.*s: "
                     "this build does not speak to such a provider yet",
                     p->number, p->number, STR_ARG(type_of(p)));
            return refuse(sentence);
        }
    }
    return CLI_OK;
}

int
boot_rooms_check_build(const struct config *c)
{
    if (c->store_kind == CONFIG_STORE_MONGO) {
        return refuse("store.kind (STORE) is mongo: this build has no MongoDB "
                      "storage yet");
    }
    if (c->store_encryption_key.n > 0 || c->store_encryption_keys.count > 0) {
        return refuse("store.encryption_key or store.encryption_keys is set: "
                      "this build cannot encrypt what it stores yet");
    }
    return check_providers(c);
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
    warn(c->notify_emails.count > 0 || c->notify_phones.count > 0 ||
             c->notify_sms_provider != CONFIG_SMS_NONE ||
             c->notify_webhook_url.n > 0,
         "notify is configured: this build sends no notifications yet");
    warn(c->upload_store == CONFIG_UPLOAD_S3,
         "upload.store is s3: this build takes no uploads yet");
    warn(c->llm_transcription_endpoint.n > 0,
         "llm.transcription is configured: this build transcribes nothing "
         "yet");
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
    return CLI_OK;
}

static int
make_tls(struct boot_rooms *r, const struct config *c)
{
    char why[WHY_BYTES];

    if (c->server_tls_cert.n > 0 &&
        tls_new(c->server_tls_cert.p, c->server_tls_key.p, &r->tls, why,
                sizeof(why)) != ERR_OK) {
        return bad_file("server.tls_cert and server.tls_key (TLS_CERT_FILE, "
                        "TLS_KEY_FILE)",
                        c->server_tls_cert.p, why);
    }
    return CLI_OK;
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

static size_t
provider_index(const struct config *c, struct str id)
{
    for (size_t i = 0; i < c->provider_count; i++) {
        if (str_eq(c->providers[i].id, id)) {
            return i;
        }
    }
    return c->provider_count;
}

static void
make_fallback(struct provider_config *p, const struct config *c,
              const struct config_list *ids)
{
    size_t *fallback = xcalloc(ids->count + 1, sizeof(*fallback));

    for (size_t i = 0; i < ids->count; i++) {
        fallback[i] = provider_index(c, ids->items[i]);
        CHECK(fallback[i] < c->provider_count); /* config_rules.c saw to it */
    }
    p->fallback = fallback;
    p->fallback_count = ids->count;
}

static void
make_providers(struct boot_rooms *r, const struct config *c)
{
    r->providers = xcalloc(c->provider_count, sizeof(*r->providers));
    for (size_t i = 0; i < c->provider_count; i++) {
        const struct config_provider *p = &c->providers[i];

        r->providers[i] = (struct provider_config){
            .ops = registry_find(type_of(p)),
            .id = text(p->id),
            .name = text(p->name),
            .endpoint = text(p->endpoint),
            .api_key = text(p->api_key),
            .model = text(p->model),
        };
        make_fallback(&r->providers[i], c, &p->fallback);
    }
}

static size_t
default_provider(const struct config *c)
{
    size_t i = provider_index(c, c->llm_default_model);

    return i < c->provider_count ? i : 0;
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
fill_chat(struct boot_rooms *r, const struct config *c)
{
    r->chat = (struct chat_settings){
        .max_content_chars = c->ws_max_content_length,
        .reconnect_timeout_ms = c->session_reconnect_timeout_ms,
        .session_ttl_ms = c->session_ttl_ms,
        .cleanup_interval_ms = c->session_cleanup_interval_ms,
        .warn_count = c->session_warn_count,
        .one_connection = c->session_connections == CONFIG_CONNECTIONS_ONE,
        .resume_max_events = c->session_resume_max_events,
        .message_limit = c->limit_messages,
        .message_window_ms = c->limit_window_ms,
        .limit_max_keys = c->limit_max_keys,
        .limit_cleanup_interval_ms = c->limit_cleanup_interval_ms,
        .own_file_prefix = r->file_prefix,
        .providers = r->providers,
        .provider_count = c->provider_count,
        .default_provider = default_provider(c),
        .system_prompt = text(c->llm_system_prompt),
        .context_tokens = c->llm_context_tokens,
        .stream_timeout_ms = c->llm_stream_timeout_ms,
        .connect_timeout_ms = c->llm_connect_timeout_ms,
        .first_byte_timeout_ms = c->llm_first_byte_timeout_ms,
        .idle_timeout_ms = c->llm_idle_timeout_ms,
        .retry_attempts = (unsigned)c->llm_retry_attempts,
        .retry_delay_ms = c->llm_retry_delay_ms,
        .retry_max_delay_ms = c->llm_retry_max_delay_ms,
        .max_answer_bytes = c->llm_max_answer_size_bytes,
    };
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

static struct limit_shared *
shared(struct gate_limit limit, const struct config *c)
{
    return limit_shared_new(limit.count, limit.window_ms, c->limit_max_keys);
}

static void
fill_gate_limits(struct gate_settings *g, const struct config *c)
{
    g->public_limit =
        (struct gate_limit){c->limit_public, c->limit_public_window_ms};
    g->user_limit =
        (struct gate_limit){c->limit_user_http, c->limit_user_http_window_ms};
    g->admin_limit =
        (struct gate_limit){c->limit_admin, c->limit_admin_window_ms};
    g->failure_limit =
        (struct gate_limit){c->limit_failures, c->limit_failures_window_ms};
    g->limit_max_keys = c->limit_max_keys;
    g->limit_cleanup_interval_ms = c->limit_cleanup_interval_ms;
    g->public_addresses = shared(g->public_limit, c);
    g->probe_addresses = shared(g->public_limit, c);
    g->failure_addresses = shared(g->failure_limit, c);
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
        .jwks_url = c->auth_jwks_url.n > 0 ? c->auth_jwks_url.p : NULL,
        .jwks_ca = text(c->auth_jwks_ca),
        .keyed_shards = &r->keyed_shards,
        .token_rules = &r->rules,
        .admin_roles = r->admin_roles,
        .token_in_query = c->ws_token_in_query,
        .tls = r->tls != NULL,
        .max_message_bytes = c->ws_max_message_size_bytes,
        .output_limit_bytes = c->ws_output_limit_bytes,
        .ping_period_ms = c->ws_ping_period_ms,
        .pong_wait_ms = c->ws_pong_wait_ms,
        .connections_per_user = c->ws_connections_per_user,
        .max_connections = c->server_max_connections,
        .chat = &r->chat,
        .websockets = &r->websockets,
        .draining = &r->draining,
        .closing = &r->closing,
    };
    fill_gate_limits(&r->gate, c);
}

int
boot_rooms_init(struct boot_rooms *r, const struct config *c)
{
    int status;

    *r = (struct boot_rooms){.keys = NULL};
    status = make_keys(r, c);
    if (status == CLI_OK) {
        status = make_tls(r, c);
    }
    if (status != CLI_OK) {
        return status;
    }
    make_providers(r, c);
    r->proxies = make_networks(&c->server_trusted_proxies);
    r->metrics = make_networks(&c->metrics_allowed_networks);
    r->admin_roles = make_strings(&c->auth_admin_roles);
    make_paths(r, c);
    fill_chat(r, c);
    fill_rules(r, c);
    fill_gate(r, c);
    r->net = (struct net_settings){
        .tls = r->tls, .output_limit_bytes = c->ws_output_limit_bytes};
    r->store = (struct store_settings){.data_dir = c->store_data_dir.p,
                                       .queue_max = QUEUE_MAX,
                                       .readers = READERS,
                                       .response_times =
                                           (unsigned)c->session_response_times};
    return CLI_OK;
}

static void
free_providers(struct boot_rooms *r)
{
    for (size_t i = 0; i < r->chat.provider_count; i++) {
        xfree((void *)(uintptr_t)r->providers[i].fallback);
    }
    xfree(r->providers);
}

void
boot_rooms_fini(struct boot_rooms *r)
{
    limit_shared_free(r->gate.public_addresses);
    limit_shared_free(r->gate.probe_addresses);
    limit_shared_free(r->gate.failure_addresses);
    token_keys_free(r->keys);
    tls_free(r->tls);
    xfree(r->proxies);
    xfree(r->metrics);
    free_providers(r);
    xfree(r->admin_roles);
    xfree(r->path_prefix);
    xfree(r->file_prefix);
}

struct gate_policy *
boot_rooms_policy(const struct config *c, unsigned refs)
{
    struct gate_policy *p = xcalloc(1, sizeof(*p));

    atomic_init(&p->refs, (int)refs);
    p->ws_origins = origin_list_new(c->ws_allowed_origins.items,
                                    c->ws_allowed_origins.count);
    p->cors_origins = origin_list_new(c->server_cors_origins.items,
                                      c->server_cors_origins.count);
    return p;
}
