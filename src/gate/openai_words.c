/* SPDX-License-Identifier: MIT */
/* See openai_words.h. Neighbours: openai_request.c has checked it all. */
#include "gate/openai_words.h"

#include "base/xalloc.h"
#include "gate/openai_message.h"
#include "gate/openai_value.h"
#include "gate/openai_wishes.h"

/* Behind those of the messages before. */
static void
put_pictures(struct openai_request *q, const json_t *content,
             struct provider_message *m)
{
    struct picture *first = q->pictures + q->picture_count;
    size_t at = 0;

    while (openai_message_picture(content, &at, first + m->picture_count)) {
        m->picture_count++;
    }
    m->pictures = first;
    q->picture_count += m->picture_count;
}

/* Calls behind those of the messages before, and whose result it is. */
static void
put_calls(struct openai_request *q, const json_t *message,
          struct provider_message *m)
{
    m->calls = q->calls + q->call_count;
    m->call_count =
        openai_message_calls(message, q->calls + q->call_count, q->call_room);
    m->result_of = openai_message_result(message);
    q->call_count += m->call_count;
    q->call_room -= m->call_count;
}

/* Places in words first, as it moves while it grows. */
static void
put_message(struct openai_request *q, const json_t *message)
{
    const json_t *content = json_object_get(message, "content");
    const struct openai_role *role = openai_message_role(message);
    struct provider_message *m = &q->messages[q->count];

    if (role->system) {
        buf_puts(&q->system, q->system.n > 0 ? "\n\n" : "");
        openai_message_words(content, &q->system);
        return;
    }
    m->role = role->role;
    m->content.n = q->words.n;
    openai_message_words(content, &q->words);
    m->content.n = q->words.n - m->content.n;
    put_pictures(q, content, m);
    put_calls(q, message, m);
    q->count++;
}

/* At most, of all messages: also where parts of other kinds stand between. */
static size_t
picture_room(const json_t *messages)
{
    size_t room = 0, i;
    json_t *message;

    json_array_foreach(messages, i, message)
    {
        room += json_array_size(json_object_get(message, "content"));
    }
    return room;
}

static void
translate(struct openai_request *q)
{
    json_error_t e;
    json_t *message;
    const char *at;
    size_t i;

    q->root = openai_value_document(q->raw_messages, &e);
    CHECK(q->root != NULL); /* each message was read */
    q->messages = xcalloc(json_array_size(q->root) + 1, sizeof(*q->messages));
    q->pictures = xcalloc(picture_room(q->root) + 1, sizeof(*q->pictures));
    q->picture_count = 0; /* as they are put down */
    q->calls = xcalloc(q->call_room + 1, sizeof(*q->calls));
    openai_wishes_tell(q);
    json_array_foreach(q->root, i, message)
    {
        put_message(q, message);
    }
    if (q->count == 0) { /* nothing but instructions */
        q->messages[q->count++].content = (struct str){"", 0};
    }
    at = buf_str(&q->words).p;
    for (i = 0; i < q->count; i++) {
        q->messages[i].content.p = at;
        at += q->messages[i].content.n;
    }
}

void
openai_words_turn(struct openai_request *q, struct provider_turn *out)
{
    if (q->messages == NULL) {
        translate(q);
    }
    *out = (struct provider_turn){
        .system_prompt = buf_str(&q->system),
        .messages = q->messages,
        .count = q->count,
        .temperature = q->temperature,
        .max_tokens = q->max_tokens,
        .top_p = q->top_p,
        .stop = buf_str(&q->stop),
        .wishes = &q->wishes,
    };
}
