/* SPDX-License-Identifier: MIT */
/* One function per rule of docs/configuration.md that concerns more than one
 * setting; the list of them is at the end. */
#include "app/config_rules.h"

#include "app/config_check.h"
#include "app/config_place.h"
#include "app/config_value.h"
#include "provider/params.h"
#include "provider/registry.h"
#include "upload/s3_wire.h"

#define SENTENCE_BYTES 1024

/* A document has at most 16 MiB; a sealed text takes four bytes for three
 * (store/seal.h), and what is plain today may be sealed tomorrow. */
#define MONGO_ANSWER_BYTES ((uint64_t)11 << 20)

#define REF(member) ((struct config_ref){&config_table_rows[member], 0})

static void
complain(struct config_layers *l, enum config_id id, const char *why)
{
    const struct config_raw *raw = &l->rows[id];

    if (l->bad[id]) {
        return;
    }
    if (raw->text.n > 0) {
        config_raw_error(l, REF(id), raw->text, why);
    } else {
        config_raw_complain(l, REF(id), why);
    }
}

static bool
bad(const struct config_layers *l, enum config_id a, enum config_id b)
{
    return l->bad[a] || l->bad[b];
}

/* A setting has a text or entries (not only a default's). */
static bool
filled(const struct config_layers *l, enum config_id id)
{
    const struct config_raw *raw = &l->rows[id];

    return l->bad[id] || raw->text.n > 0 || raw->items.count > 0;
}

static bool
is_default(const struct config_layers *l, enum config_id id)
{
    return str_is(l->rows[id].text, config_table_rows[id].value);
}

/* --- pairs -------------------------------------------------------------- */

static void
check_pairs(struct config_layers *l, const struct config *c)
{
    static const struct {
        enum config_id a, b;
        const char *why_a, *why_b;
    } pairs[] = {
        {CONFIG_ID_server_tls_cert, CONFIG_ID_server_tls_key,
         "is required with server.tls_key", "is required with server.tls_cert"},
        {CONFIG_ID_notify_smtp_user, CONFIG_ID_notify_smtp_pass,
         "is required with notify.smtp.pass",
         "is required with notify.smtp.user"},
        {CONFIG_ID_notify_webhook_url, CONFIG_ID_notify_webhook_secret,
         "is required with notify.webhook.secret",
         "is required with notify.webhook.url"},
    };

    (void)c;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        bool a = filled(l, pairs[i].a), b = filled(l, pairs[i].b);

        if (b && !a) {
            complain(l, pairs[i].a, pairs[i].why_a);
        }
        if (a && !b) {
            complain(l, pairs[i].b, pairs[i].why_b);
        }
    }
}

/* One line that names all settings of a broken rule with their values: "a =
 * ... is not less than b = ...". */
static void
complain_of_two(struct config_layers *l, enum config_id a, const char *why,
                enum config_id b)
{
    struct buf out;

    buf_init(&out, SENTENCE_BYTES);
    config_raw_describe(l, REF(a), l->rows[a].text, &out);
    buf_printf(&out, ": %s ", why);
    config_raw_describe(l, REF(b), l->rows[b].text, &out);
    config_report_add(l->report, CONFIG_ERROR, "%.*s", STR_ARG(buf_str(&out)));
    buf_fini(&out);
}

static void
check_orders(struct config_layers *l, const struct config *c)
{
    if (!bad(l, CONFIG_ID_ws_ping_period_ms, CONFIG_ID_ws_pong_wait_ms) &&
        c->ws_ping_period_ms >= c->ws_pong_wait_ms) {
        complain_of_two(l, CONFIG_ID_ws_ping_period_ms, "must be less than",
                        CONFIG_ID_ws_pong_wait_ms);
    }
    if (!bad(l, CONFIG_ID_llm_retry_delay_ms,
             CONFIG_ID_llm_retry_max_delay_ms) &&
        c->llm_retry_max_delay_ms < c->llm_retry_delay_ms) {
        complain_of_two(l, CONFIG_ID_llm_retry_max_delay_ms,
                        "must not be less than", CONFIG_ID_llm_retry_delay_ms);
    }
}

static void
check_store_orders(struct config_layers *l, const struct config *c)
{
    if (!bad(l, CONFIG_ID_store_mongo_retry_delay_ms,
             CONFIG_ID_store_mongo_retry_max_delay_ms) &&
        c->store_mongo_retry_max_delay_ms < c->store_mongo_retry_delay_ms) {
        complain_of_two(l, CONFIG_ID_store_mongo_retry_max_delay_ms,
                        "must not be less than",
                        CONFIG_ID_store_mongo_retry_delay_ms);
    }
}

static void
complain_of_rates(struct config_layers *l)
{
    static const struct {
        enum config_id id;
        const char *after;
    } parts[] = {
        {CONFIG_ID_limit_admin, " in "},
        {CONFIG_ID_limit_admin_window_ms, ": must be a lower rate than "},
        {CONFIG_ID_limit_user_http, " in "},
        {CONFIG_ID_limit_user_http_window_ms, ""},
    };
    struct buf out;

    buf_init(&out, SENTENCE_BYTES);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        config_raw_describe(l, REF(parts[i].id), l->rows[parts[i].id].text,
                            &out);
        buf_puts(&out, parts[i].after);
    }
    config_report_add(l->report, CONFIG_ERROR, "%.*s", STR_ARG(buf_str(&out)));
    buf_fini(&out);
}

/* Rates are compared as fractions: a/wa < u/wu. */
static void
check_admin_rate(struct config_layers *l, const struct config *c)
{
    if (!bad(l, CONFIG_ID_limit_admin, CONFIG_ID_limit_admin_window_ms) &&
        !bad(l, CONFIG_ID_limit_user_http,
             CONFIG_ID_limit_user_http_window_ms) &&
        (unsigned __int128)c->limit_admin * c->limit_user_http_window_ms >=
            (unsigned __int128)c->limit_user_http * c->limit_admin_window_ms) {
        complain_of_rates(l);
    }
}

/* --- keys and origins --------------------------------------------------- */

static void
check_keys(struct config_layers *l, const struct config *c)
{
    static const enum config_id keys[] = {CONFIG_ID_auth_jwt_secret,
                                          CONFIG_ID_auth_public_key,
                                          CONFIG_ID_auth_jwks_url};
    unsigned count = 0;

    (void)c;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        count += filled(l, keys[i]);
    }
    if (count == 0) {
        complain(l, CONFIG_ID_auth_jwt_secret,
                 "is required unless auth.public_key (JWT_PUBLIC_KEY_FILE) or "
                 "auth.jwks_url (JWT_JWKS_URL) is set");
    }
    for (size_t i = 0; count > 1 && i < COUNT_OF(keys); i++) {
        if (filled(l, keys[i])) {
            complain(l, keys[i],
                     "is one of several: auth.jwt_secret, auth.public_key and "
                     "auth.jwks_url exclude one another");
        }
    }
}

void
config_rules_check_secret(struct config_layers *l, const struct config *c)
{
    if (c->auth_jwt_secret.n == 0) {
        complain(l, CONFIG_ID_auth_jwt_secret,
                 "is required: tokens are signed with it");
    }
}

static void
check_any_origin(struct config_layers *l, const struct config *c)
{
    const struct config_list *list = &c->ws_allowed_origins;

    for (size_t i = 0; i < list->count; i++) {
        if (!str_is(list->items[i], "*")) {
            continue;
        }
        if (list->count > 1) {
            complain(l, CONFIG_ID_ws_allowed_origins,
                     "has * beside other origins");
            return;
        }
        config_report_add(l->report, CONFIG_SECURITY,
                          "ws.allowed_origins (WS_ALLOWED_ORIGINS) is *: "
                          "every web page may connect as its visitor");
    }
}

static void
check_weak_choices(struct config_layers *l, const struct config *c)
{
    if (!l->bad[CONFIG_ID_auth_require_exp] && !c->auth_require_exp) {
        config_report_add(l->report, CONFIG_SECURITY,
                          "auth.require_exp (JWT_REQUIRE_EXP) is false: a "
                          "token without an end is good for ever");
    }
}

static void
check_encryption_ids(struct config_layers *l, const struct config *c)
{
    const struct config_list *keys = &c->store_encryption_keys;

    for (size_t i = 0; i < keys->count; i++) {
        for (size_t j = 0; j < i; j++) {
            struct str a = keys->items[i], b = keys->items[j], id_a, id_b;

            (void)str_split(&a, ':', &id_a);
            (void)str_split(&b, ':', &id_b);
            if (str_eq(id_a, id_b)) {
                complain(l, CONFIG_ID_store_encryption_keys, "has an id twice");
                return;
            }
        }
    }
}

/* --- rooms that need several settings ----------------------------------- */

/* Its options are the driver's, which knows them best. */
static void
check_mongo_options(struct config_layers *l, const struct config *c)
{
    char why[SENTENCE_BYTES];

    if (l->sources->try_mongo_uri != NULL && c->store_mongo_uri.n > 0 &&
        !l->bad[CONFIG_ID_store_mongo_uri] &&
        !l->sources->try_mongo_uri(c->store_mongo_uri.p, why, sizeof(why))) {
        complain(l, CONFIG_ID_store_mongo_uri, why);
    }
}

static void
check_mongo(struct config_layers *l, const struct config *c)
{
    check_mongo_options(l, c);
    if (c->store_mongo_uri.n == 0) {
        complain(l, CONFIG_ID_store_mongo_uri,
                 "is required when store.kind (STORE) is mongo");
    }
    if (!l->bad[CONFIG_ID_llm_max_answer_size_bytes] &&
        c->llm_max_answer_size_bytes > MONGO_ANSWER_BYTES) {
        complain(l, CONFIG_ID_llm_max_answer_size_bytes,
                 "is more than 11MiB, the most that a document of MongoDB can "
                 "hold of a sealed text");
    }
}

static void
check_store(struct config_layers *l, const struct config *c)
{
    if (!l->bad[CONFIG_ID_store_kind] && c->store_kind == CONFIG_STORE_MONGO) {
        check_mongo(l, c);
    }
}

/* They become parts of an address. */
static void
check_s3_names(struct config_layers *l, const struct config *c)
{
    const struct {
        enum config_id id;
        struct str name;
    } names[] = {{CONFIG_ID_upload_s3_bucket, c->upload_s3_bucket},
                 {CONFIG_ID_upload_s3_region, c->upload_s3_region}};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (filled(l, names[i].id) && !s3_wire_name_good(names[i].name)) {
            complain(l, names[i].id,
                     "may have letters, digits, dots, _ and - only");
        }
    }
}

static void
check_s3(struct config_layers *l, const struct config *c)
{
    static const struct {
        enum config_id id;
        bool needed;
    } members[] = {
        {CONFIG_ID_upload_s3_endpoint, false},
        {CONFIG_ID_upload_s3_region, true},
        {CONFIG_ID_upload_s3_bucket, true},
        {CONFIG_ID_upload_s3_access_key_id, true},
        {CONFIG_ID_upload_s3_secret_access_key, true},
    };

    if (l->bad[CONFIG_ID_upload_store]) {
        return;
    }
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        enum config_id id = members[i].id;

        if (c->upload_store == CONFIG_UPLOAD_S3) {
            if (members[i].needed && !filled(l, id)) {
                complain(l, id,
                         "is required when upload.store (UPLOAD_STORE) is s3");
            }
        } else if (!is_default(l, id)) {
            complain(l, id,
                     "must not be set unless upload.store (UPLOAD_STORE) is "
                     "s3");
        }
    }
    check_s3_names(l, c);
}

void
config_rules_check_store(struct config_layers *l, const struct config *c)
{
    check_store_orders(l, c);
    check_store(l, c);
    check_encryption_ids(l, c);
    check_s3(l, c);
}

static void
check_transcription(struct config_layers *l, const struct config *c)
{
    enum url_host kind;

    if (c->llm_transcription_endpoint.n > 0 &&
        !filled(l, CONFIG_ID_llm_transcription_api_key) &&
        config_check_endpoint(c->llm_transcription_endpoint, &kind) == NULL &&
        (kind == URL_HOST_PUBLIC || kind == URL_HOST_RESERVED)) {
        complain(l, CONFIG_ID_llm_transcription_api_key,
                 "is required with llm.transcription.endpoint");
    }
}

static void
check_mail(struct config_layers *l, const struct config *c)
{
    static const enum config_id needed[] = {CONFIG_ID_notify_emails,
                                            CONFIG_ID_notify_email_from,
                                            CONFIG_ID_notify_smtp_host};
    unsigned count = 0;

    (void)c;
    for (size_t i = 0; i < COUNT_OF(needed); i++) {
        count += filled(l, needed[i]);
    }
    for (size_t i = 0; count > 0 && i < COUNT_OF(needed); i++) {
        if (!filled(l, needed[i])) {
            complain(l, needed[i], "is required for mail");
        }
    }
}

static void
check_sms(struct config_layers *l, const struct config *c)
{
    static const struct {
        enum config_id id;
        bool needed[3]; /* by none, twilio, generic */
    } members[] = {
        {CONFIG_ID_notify_sms_account_sid, {false, true, false}},
        {CONFIG_ID_notify_sms_auth_token, {false, true, true}},
        {CONFIG_ID_notify_sms_from, {false, true, true}},
        {CONFIG_ID_notify_sms_api_url, {false, false, true}},
    };
    bool any = false;

    if (l->bad[CONFIG_ID_notify_sms_provider]) {
        return;
    }
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        bool there = filled(l, members[i].id);

        any = any || there;
        if (!there && members[i].needed[c->notify_sms_provider]) {
            complain(l, members[i].id,
                     "is required by notify.sms.provider (SMS_PROVIDER)");
        }
    }
    if (any && c->notify_sms_provider == CONFIG_SMS_NONE) {
        complain(l, CONFIG_ID_notify_sms_provider,
                 "is required with the other settings of notify.sms");
    }
}

void
config_rules_check(struct config_layers *l, const struct config *c)
{
    static void (*const rules[])(struct config_layers *,
                                 const struct config *) = {
        check_pairs,
        check_orders,
        check_admin_rate,
        check_keys,
        check_any_origin,
        check_weak_choices,
        config_rules_check_store,
        check_transcription,
        check_mail,
        check_sms,
        config_place_rule,
    };

    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        rules[i](l, c);
    }
}

/* --- providers ---------------------------------------------------------- */

static struct config_ref
member_of(const struct config_provider *p, enum config_member member)
{
    return (struct config_ref){&config_table_members[member], p->number};
}

/* So is what has a file that could not be read, which was told. */
static bool
member_filled(struct config_layers *l, const struct config_provider *p,
              enum config_member member)
{
    const struct config_raw *raw = config_raw_of(l, member_of(p, member));

    return raw->unreadable || raw->text.n > 0;
}

/* Only endpoints inside may go without a key. */
static bool
needs_key(struct config_layers *l, const struct config_provider *p)
{
    enum url_host kind;

    if (!member_filled(l, p, CONFIG_MEMBER_endpoint)) {
        return true;
    }
    return config_check_endpoint(p->endpoint, &kind) == NULL &&
           (kind == URL_HOST_PUBLIC || kind == URL_HOST_RESERVED);
}

static void
check_required(struct config_layers *l, const struct config_provider *p)
{
    static const enum config_member outside[] = {CONFIG_MEMBER_name,
                                                 CONFIG_MEMBER_endpoint};
    bool demo = member_filled(l, p, CONFIG_MEMBER_type) &&
                p->type == CONFIG_PROVIDER_DEMO;

    if (!member_filled(l, p, CONFIG_MEMBER_id)) {
        config_raw_complain(l, member_of(p, CONFIG_MEMBER_id), "is required");
    }
    if (!member_filled(l, p, CONFIG_MEMBER_type)) {
        config_raw_complain(l, member_of(p, CONFIG_MEMBER_type), "is required");
    }
    for (size_t i = 0; !demo && i < COUNT_OF(outside); i++) {
        if (!member_filled(l, p, outside[i])) {
            config_raw_complain(l, member_of(p, outside[i]), "is required");
        }
    }
    if (!demo && !member_filled(l, p, CONFIG_MEMBER_api_key) &&
        needs_key(l, p)) {
        config_raw_complain(l, member_of(p, CONFIG_MEMBER_api_key),
                            "is required");
    }
}

static const struct config_provider *
find_provider(const struct config *c, struct str id)
{
    for (size_t i = 0; i < c->provider_count; i++) {
        if (c->providers[i].id.n > 0 && str_eq(c->providers[i].id, id)) {
            return &c->providers[i];
        }
    }
    return NULL;
}

static void
check_fallbacks(struct config_layers *l, const struct config *c,
                const struct config_provider *p)
{
    for (size_t i = 0; i < p->fallback.count; i++) {
        struct str id = p->fallback.items[i];

        if (str_eq(id, p->id)) {
            config_raw_error(l, member_of(p, CONFIG_MEMBER_fallback), id,
                             "is the provider itself");
        } else if (find_provider(c, id) == NULL) {
            config_raw_error(l, member_of(p, CONFIG_MEMBER_fallback), id,
                             "is not the id of a configured provider");
        }
    }
}

/* Another type's members are another's. */
static void
check_extra_body(struct config_layers *l, const struct config_provider *p)
{
    const struct provider_ops *ops = registry_find(
        config_value_word(&config_table_members[CONFIG_MEMBER_type], p->type));
    struct str member;

    if (p->extra_body.n > 0 && params_refused(ops, p->extra_body, &member)) {
        config_raw_error(l, member_of(p, CONFIG_MEMBER_extra_body), member,
                         "is a member that the server fills in itself");
    }
}

void
config_rules_check_providers(struct config_layers *l, const struct config *c)
{
    if (c->provider_count == 0) {
        config_report_add(l->report, CONFIG_ERROR,
                          "llm.providers (LLM_PROVIDER_n_ID, "
                          "LLM_PROVIDER_n_TYPE, ...) is empty; allowed: at "
                          "least one provider (n = 1..%u)",
                          CONFIG_ENTRIES_MAX);
    }
    for (size_t i = 0; i < c->provider_count; i++) {
        const struct config_provider *p = &c->providers[i];

        check_required(l, p);
        if (p->id.n > 0 && find_provider(c, p->id) != p) {
            config_raw_error(l, member_of(p, CONFIG_MEMBER_id), p->id,
                             "is the id of an earlier provider");
        }
        check_fallbacks(l, c, p);
        check_extra_body(l, p);
    }
    if (c->provider_count > 0 && c->llm_default_model.n > 0 &&
        find_provider(c, c->llm_default_model) == NULL) {
        config_raw_error(l, REF(CONFIG_ID_llm_default_model),
                         c->llm_default_model,
                         "is not the id of a configured provider");
    }
}

/* --- budgets ------------------------------------------------------------ */

void
config_rules_check_budgets(struct config_layers *l, const struct config *c)
{
    for (size_t i = 0; i < c->budget_count; i++) {
        const struct config_budget *b = &c->budgets[i];
        const struct config_ref ref = {
            &config_table_members[CONFIG_MEMBER_tokens_per_day], b->number};
        bool any = false;

        for (size_t m = CONFIG_MEMBER_tokens_per_day; m < CONFIG_MEMBERS; m++) {
            struct config_ref limit = {&config_table_members[m], b->number};

            any = any || config_raw_of(l, limit)->text.n > 0;
        }
        if (!any) {
            config_raw_complain(l, ref,
                                "is required, or another limit of this entry");
        }
    }
}
