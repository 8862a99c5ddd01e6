/* SPDX-License-Identifier: MIT */
/* The configured models in OpenAI's form. */
#include "gate/openai_models.h"

#include "base/xalloc.h"
#include "chat/chat.h"
#include "codec/json.h"
#include "gate/gate_state.h"
#include "gate/reply.h"

#define LIST_BYTES ((size_t)1 << 20)

static void
put_model(struct buf *out, const struct provider_config *p)
{
    json_put_comma(out);
    buf_putc(out, '{');
    json_put_member(out, "id", str_from(p->id));
    json_put_member(out, "object", STR("model"));
    json_put_member_i64(out, "created", 0);
    json_put_member(out, "owned_by", str_from(p->ops->type));
    buf_putc(out, '}');
}

void
openai_models_list(struct request *r)
{
    const struct chat_settings *chat = chat_settings_of(r->gate->shard);
    struct buf body;

    buf_init(&body, LIST_BYTES);
    buf_puts(&body, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < chat->provider_count; i++) {
        put_model(&body, &chat->providers[i]);
    }
    buf_puts(&body, "]}");
    reply_json(r, 200, buf_str(&body));
    buf_fini(&body);
}

void
openai_models_refuse(struct request *r)
{
    const struct chat_settings *chat = chat_settings_of(r->gate->shard);
    struct buf message;
    char *text;

    buf_init(&message, LIST_BYTES);
    buf_puts(&message, "There is no such model. Models:");
    for (size_t i = 0; i < chat->provider_count; i++) {
        buf_puts(&message, i > 0 ? ", " : " ");
        buf_puts(&message, chat->providers[i].id);
    }
    buf_putc(&message, '.');
    text = buf_give(&message);
    reply_error_text(r, ERR_NOT_FOUND, "model", text);
    xfree(text);
}

void
openai_models_read(struct request *r)
{
    const struct chat_settings *chat = chat_settings_of(r->gate->shard);
    int model = chat_model_find(chat, r->param);
    struct buf body;

    if (model < 0) {
        openai_models_refuse(r);
        return;
    }
    buf_init(&body, LIST_BYTES);
    put_model(&body, &chat->providers[model]);
    reply_json(r, 200, buf_str(&body));
    buf_fini(&body);
}
