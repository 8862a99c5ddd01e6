/* SPDX-License-Identifier: MIT */
#include "chat/frames.h"

#include "chat/session.h"
#include "chat/user.h"
#include "fixture.h"

#define SID "0123456789abcdef0123456789abcdef"
#define EPOCH "0123456789abcdef"
#define MID "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define QID "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define FIXED_MS 1795262400000
#define FIXED "2026-11-21T12:00:00.000Z"

/* A session whose every member is known. */
static struct session *
known_session(struct house *h)
{
    struct session *s = session_new(user_get(h->shard.chat, STR("anna")));

    map_remove(&h->shard.chat->sessions, &s->node);
    memcpy(s->id, SID, sizeof(s->id));
    memcpy(s->epoch, EPOCH, sizeof(s->epoch));
    map_add(&h->shard.chat->sessions, &s->node);
    s->seq = 5;
    return s;
}

/* The frame is exactly want, once the clock's time is FIXED; JSON. */
static void
expect(struct str frame, const char *want)
{
    json_t *got = json_loadb(frame.p, frame.n, JSON_REJECT_DUPLICATES, NULL);
    char *text = xmemdup(frame.p, frame.n);
    char *at = strstr(text, "\"timestamp\":\"");

    assert_non_null(got);
    assert_non_null(at);
    memcpy(at + strlen("\"timestamp\":\""), FIXED, strlen(FIXED));
    assert_string_equal(text, want);
    json_decref(got);
    xfree(text);
}

#define HEAD(type)                                                             \
    "{\"type\":\"" type "\",\"timestamp\":\"" FIXED "\",\"session_id\":\"" SID \
    "\""

static void
statuses(void **state)
{
    struct house h;
    struct session *s;
    struct frame_status first = {
        .first = true, .resumed = true, .requested = STR("\"x")};
    struct frame_status later = {.content = "Session ended",
                                 .event = "session_ended"};

    (void)state;
    house_open(&h);
    s = known_session(&h);
    expect(frame_status(s, &first),
           HEAD("connection_status") ",\"sender\":\"system\",\"model_id\":"
                                     "\"m1\",\"user_id\":\"anna\","
                                     "\"models\":[{\"id\":\"m1\",\"name\":"
                                     "\"Model One\"},"
                                     "{\"id\":\"m2\",\"name\":\"Model Two\"},"
                                     "{\"id\":\"m3\",\"name\":\"Model "
                                     "Three\"}],\"seq\":5,"
                                     "\"epoch\":\"" EPOCH "\",\"resumed\":true,"
                                     "\"admin_assisted\":false,\"help_"
                                     "requested\":false,"
                                     "\"metadata\":{\"requested_session_id\":"
                                     "\"\\\"x\"}}");
    s->admin_assisted = s->help_requested = true;
    s->admin_name = xstrdup("Olga");
    expect(
        frame_status(s, &later),
        HEAD(
            "connection_status") ",\"sender\":\"system\",\"content\":\"Session "
                                 "ended\","
                                 "\"model_id\":\"m1\",\"admin_assisted\":true,"
                                 "\"assisting_admin_name\":\"Olga\",\"help_"
                                 "requested\":true,"
                                 "\"metadata\":{\"event\":\"session_ended\"}}");
    session_free(s);
    house_close(&h);
}

static void
errors(void **state)
{
    struct house h;
    struct chat *c;
    struct proto_error full = {.err = ERR_INVALID_FORMAT,
                               .retry_after_ms = -1,
                               .field = "metadata.\xc3\xbc"};
    struct proto_error wait = {.err = ERR_TOO_MANY_REQUESTS,
                               .retry_after_ms = 12};

    (void)state;
    house_open(&h);
    c = h.shard.chat;
    expect(
        frame_error(c, STR(SID), &full, STR(MID), STR("c1")),
        HEAD("error") ",\"sender\":\"system\",\"error\":{\"code\":\"INVALID_"
                      "FORMAT\","
                      "\"message\":\"The message is not in the right form.\","
                      "\"recoverable\":false,\"field\":\"metadata.\xc3\xbc\"},"
                      "\"message_id\":\"" MID "\",\"client_id\":\"c1\"}");
    expect(frame_error(c, STR(""), &wait, STR(""), STR("")),
           "{\"type\":\"error\",\"timestamp\":\"" FIXED
           "\",\"sender\":\"system\",\"error\":{\"code\":\"TOO_MANY_REQUESTS\","
           "\"message\":\"Too many requests; wait a little.\","
           "\"recoverable\":true,\"retry_after\":12}}");
    house_close(&h);
}

static void
small_ones(void **state)
{
    struct house h;
    struct session *s;
    struct message_record m = {.id = MID, .seq = 3};
    struct proto_message typing = {.type = MESSAGE_TYPING_INDICATOR,
                                   .metadata =
                                       (char *)(uintptr_t) "{\"a\":\"b\"}"};

    (void)state;
    house_open(&h);
    s = known_session(&h);
    expect(frame_ack(s, STR("c1"), &m),
           HEAD("ack") ",\"sender\":\"system\",\"client_id\":\"c1\","
                       "\"message_id\":\"" MID "\",\"seq\":3}");
    expect(frame_ack(s, STR(""), NULL), HEAD("ack") ",\"sender\":\"system\"}");
    expect(frame_loading(s, MID, QID),
           HEAD("loading") ",\"sender\":\"system\",\"message_id\":\"" MID
                           "\",\"reply_to\":\"" QID "\"}");
    expect(frame_pong(s), HEAD("pong") ",\"sender\":\"system\"}");
    expect(frame_pass_on(s, &typing, "user"),
           HEAD("typing_indicator") ",\"sender\":\"user\","
                                    "\"metadata\":{\"a\":\"b\"}}");
    typing.metadata = NULL;
    expect(frame_pass_on(s, &typing, "user"),
           HEAD("typing_indicator") ",\"sender\":\"user\"}");
    expect(
        frame_notification(h.shard.chat, STR(SID), "connection_limit", "x"),
        HEAD("notification") ",\"sender\":\"system\",\"content\":\"x\","
                             "\"metadata\":{\"event\":\"connection_limit\"}}");
    session_free(s);
    house_close(&h);
}

static char *
lasting(const char *text)
{
    return (char *)(uintptr_t)text;
}

#define LOST                                                                   \
    ",\"error\":{\"code\":\"DATABASE_ERROR\",\"message\":\"This message is "   \
    "stored, but it cannot be opened.\",\"recoverable\":false}"

static void
messages_of_people(void **state)
{
    struct house h;
    struct session *s;
    struct message_record m = {.id = QID,
                               .seq = 1,
                               .at_ms = FIXED_MS,
                               .type = lasting("user_message"),
                               .content = lasting("a\"\n"),
                               .content_n = 3,
                               .client_id = lasting("c"),
                               .metadata = lasting("{\"k\":\"v\"}")};
    struct message_record old = {.id = QID,
                                 .seq = 1,
                                 .at_ms = FIXED_MS,
                                 .type = lasting("of_another_age"),
                                 .file_id = lasting("f"),
                                 .file_url = lasting("/u")};
    struct message_record lost = {.id = QID,
                                  .seq = 1,
                                  .at_ms = FIXED_MS,
                                  .type = lasting("user_message"),
                                  .content = lasting(""),
                                  .unreadable = true};

    (void)state;
    house_open(&h);
    s = known_session(&h);
    expect(frame_message(s, &m, false),
           HEAD("user_message") ",\"sender\":\"user\",\"content\":\"a\\\"\\n\","
                                "\"message_id\":\"" QID "\",\"seq\":1,"
                                "\"client_id\":\"c\","
                                "\"metadata\":{\"k\":\"v\"}}");
    expect(frame_message(s, &m, true),
           HEAD("user_message") ",\"sender\":\"user\",\"content\":\"a\\\"\\n\","
                                "\"message_id\":\"" QID "\",\"seq\":1,"
                                "\"client_id\":\"c\",\"metadata\":{"
                                "\"replay\":\"true\",\"k\":\"v\"}}");
    expect(frame_message(s, &old, true),
           HEAD("user_message") ",\"sender\":\"user\",\"file_id\":\"f\","
                                "\"file_url\":\"/u\",\"message_id\":\"" QID
                                "\",\"seq\":1,"
                                "\"metadata\":{\"replay\":\"true\"}}");
    expect(frame_message(s, &lost, true),
           HEAD("user_message") ",\"sender\":\"user\"" LOST
                                ",\"message_id\":\"" QID "\",\"seq\":1,"
                                "\"metadata\":{\"replay\":\"true\"}}");
    session_free(s);
    house_close(&h);
}

#define ANSWER ",\"sender\":\"ai\",\"message_id\":\"" MID "\""

static void
answers(void **state)
{
    struct house h;
    struct session *s;
    struct message_record m = {.id = MID,
                               .seq = 2,
                               .at_ms = FIXED_MS,
                               .content = lasting("hi"),
                               .content_n = 2,
                               .finish_reason = lasting("stop"),
                               .usage = {1, 2, 3, true, true, 0, 0, 0},
                               .duration_ms = 40,
                               .ttft_ms = 10,
                               .model_id = lasting("m1"),
                               .reply_to = lasting(QID),
                               .replaces = lasting("old")};
    struct message_record nothing = {.id = MID,
                                     .finish_reason = lasting("cancelled"),
                                     .duration_ms = -1,
                                     .ttft_ms = -1};
    struct message_record lost = {.id = MID,
                                  .seq = 2,
                                  .at_ms = FIXED_MS,
                                  .content = lasting(""),
                                  .unreadable = true,
                                  .duration_ms = -1,
                                  .ttft_ms = -1};

    (void)state;
    house_open(&h);
    s = known_session(&h);
#define END                                                                    \
    ",\"seq\":2,\"finish_reason\":\"stop\",\"usage\":{\"prompt_tokens\":1,"    \
    "\"completion_tokens\":2,\"total_tokens\":3,\"estimated\":true},"          \
    "\"duration_ms\":40,\"ttft_ms\":10,\"model_id\":\"m1\","                   \
    "\"reply_to\":\"" QID "\",\"replaces\":\"old\""
    expect(frame_answer(s, &m), HEAD("ai_response") ANSWER
           ",\"content\":\"hi\"" END ",\"metadata\":{\"streaming\":\"true\","
           "\"done\":\"true\",\"replay\":\"true\"}}");
    expect(frame_answer(s, &lost), HEAD("ai_response") ANSWER LOST
           ",\"seq\":2,\"metadata\":{\"streaming\":\"true\","
           "\"done\":\"true\",\"replay\":\"true\"}}");
    expect(frame_done(s, &m, NULL), HEAD("ai_response") ANSWER END
           ",\"metadata\":{\"streaming\":\"true\",\"done\":\"true\"}}");
    expect(frame_done(s, &nothing, NULL), HEAD("ai_response") ANSWER
           ",\"finish_reason\":\"cancelled\","
           "\"metadata\":{\"streaming\":\"true\",\"done\":\"true\"}}");
    m.metadata = lasting("{\"providers\":\"m1,m2\"}");
    expect(frame_done(s, &m, NULL), HEAD("ai_response") ANSWER END
           ",\"metadata\":{\"streaming\":\"true\",\"done\":\"true\","
           "\"providers\":\"m1,m2\"}}");
    expect(frame_answer(s, &m), HEAD("ai_response") ANSWER
           ",\"content\":\"hi\"" END ",\"metadata\":{\"streaming\":\"true\","
           "\"done\":\"true\",\"replay\":\"true\","
           "\"providers\":\"m1,m2\"}}");
    expect(frame_snapshot(s, MID, QID, STR("so far")),
           HEAD("ai_response") ANSWER
           ",\"content\":\"so far\",\"reply_to\":\"" QID
           "\",\"metadata\":{\"streaming\":\"true\",\"done\":\"false\","
           "\"snapshot\":\"true\"},\"chunk\":0}");
    session_free(s);
    house_close(&h);
}

/* One text, several connections, each with its own number. */
static void
a_delta_is_composed_once_and_numbered_for_each(void **state)
{
    struct house h;
    struct session *s;

    (void)state;
    house_open(&h);
    s = known_session(&h);
    frame_delta_begin(s, MID, STR("\xe2\x82\xac"));
#define DELTA(n)                                                               \
    HEAD("ai_response")                                                        \
    ANSWER ",\"content\":\"\xe2\x82\xac\",\"metadata\":{\"streaming\":"        \
           "\"true\",\"done\":\"false\"},\"chunk\":" n "}"
    expect(frame_delta_chunk(h.shard.chat, 0), DELTA("0"));
    expect(frame_delta_chunk(h.shard.chat, 4294967295u), DELTA("4294967295"));
    expect(frame_delta_chunk(h.shard.chat, 7), DELTA("7"));
    session_free(s);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses),
        cmocka_unit_test(errors),
        cmocka_unit_test(small_ones),
        cmocka_unit_test(messages_of_people),
        cmocka_unit_test(answers),
        cmocka_unit_test(a_delta_is_composed_once_and_numbered_for_each),
    };

    return cmocka_run_group_tests_name("chat/frames", tests, NULL, NULL);
}
