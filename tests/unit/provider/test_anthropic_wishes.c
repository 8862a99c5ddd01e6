/* SPDX-License-Identifier: MIT */
/* Tools and the form of an answer, as the Messages API wants to have them. */
#include "provider/request.h"

#include <stdio.h>

static const struct provider_tool tools[] = {
    {.name = STR("\"f\""),
     .description = STR("\"Does \\u0066.\""),
     .parameters = STR("{\"type\":\"object\",\"properties\":{\"a\":{}}}"),
     .strict = STR("true")},
    {.name = STR("\"g\"")},
    {.name = STR("\"h\""), .parameters = STR("{\"properties\":{}}")},
};

#define F                                                                      \
    "{'name': 'f', 'description': 'Does f.', 'strict': true, 'input_schema':"  \
    " {'type': 'object', 'properties': {'a': {}}}}"
#define G "{'name': 'g', 'input_schema': {'type': 'object'}}"
#define H "{'name': 'h', 'input_schema': {'type': 'object', 'properties': {}}}"
#define JSON                                                                   \
    "{'name': 'answer_in_json', 'input_schema': {'type': 'object'},"           \
    " 'description': 'Gives the answer, which is one JSON object.'}"
#define FORCED                                                                 \
    "'tool_choice': {'type': 'tool', 'name': 'answer_in_json',"                \
    " 'disable_parallel_tool_use': true}"

static const struct {
    struct provider_wishes wishes;
    const char *sent;
} cases[] = {
    {{.effort = STR("")}, ""},
    {{.choice = PROVIDER_CHOICE_ANY, .one_call = true}, ""}, /* of no tools */
    {{.tools = tools, .tool_count = 3}, "'tools': [" F "," G "," H "]"},
    {{.tools = tools, .tool_count = 1, .choice = PROVIDER_CHOICE_AUTO},
     "'tools': [" F "], 'tool_choice': {'type': 'auto'}"},
    {{.tools = tools,
      .tool_count = 1,
      .choice = PROVIDER_CHOICE_NONE,
      .one_call = true},
     "'tools': [" F "], 'tool_choice': {'type': 'none'}"},
    {{.tools = tools, .tool_count = 1, .choice = PROVIDER_CHOICE_ANY},
     "'tools': [" F "], 'tool_choice': {'type': 'any'}"},
    {{.tools = tools,
      .tool_count = 1,
      .choice = PROVIDER_CHOICE_ONE,
      .choice_name = STR("\"f\""),
      .one_call = true},
     "'tools': [" F "], 'tool_choice': {'type': 'tool', 'name': 'f',"
     " 'disable_parallel_tool_use': true}"},
    {{.tools = tools, .tool_count = 1, .one_call = true},
     "'tools': [" F "], 'tool_choice': {'type': 'auto',"
     " 'disable_parallel_tool_use': true}"},
    {{.schema = STR("{\"type\":\"object\"}")},
     "'output_config': {'format': {'type': 'json_schema',"
     " 'schema': {'type': 'object'}}}"},
    {{.schema = STR("{}"),
      .effort = STR("\"high\""),
      .tools = tools + 1,
      .tool_count = 1},
     "'tools': [" G "], 'output_config': {'effort': 'high',"
     " 'format': {'type': 'json_schema', 'schema': {}}}"},
    {{.effort = STR("\"minimal\"")}, "'output_config': {'effort': 'low'}"},
    {{.effort = STR("\"none\"")}, ""},
    {{.json = true}, "'tools': [" JSON "], " FORCED},
    /* beside tools that may be called, or are not to be; and where one must */
    {{.json = true, .tools = tools, .tool_count = 1},
     "'tools': [" JSON "," F "], 'tool_choice': {'type': 'any'}"},
    {{.json = true,
      .tools = tools,
      .tool_count = 1,
      .one_call = true,
      .choice = PROVIDER_CHOICE_AUTO},
     "'tools': [" JSON "," F "], 'tool_choice': {'type': 'any',"
     " 'disable_parallel_tool_use': true}"},
    {{.json = true,
      .tools = tools,
      .tool_count = 1,
      .choice = PROVIDER_CHOICE_NONE},
     "'tools': [" JSON "," F "], " FORCED},
    {{.json = true,
      .tools = tools,
      .tool_count = 1,
      .choice = PROVIDER_CHOICE_ANY},
     "'tools': [" F "], 'tool_choice': {'type': 'any'}"},
    {{.names_user = true}, "'metadata': {'user_id': 'u-1'}"},
};

static void
wishes_become_members_of_the_request(void **state)
{
    static const struct provider_message question = {.role = PROVIDER_USER,
                                                     .content = STR("q")};
    struct provider_config config =
        request_config(registry_find(STR("anthropic")), "https://h", "k");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct provider_turn turn = {.messages = &question,
                                     .count = 1,
                                     .user = STR("u-1"),
                                     .wishes = &cases[i].wishes};
        char expected[2048];

        snprintf(expected, sizeof(expected),
                 "{'model': 'm-\\'4', 'max_tokens': 4096, 'stream': true,"
                 " 'messages': [{'role': 'user', 'content': 'q'}]%s%s}",
                 cases[i].sent[0] != '\0' ? ", " : "", cases[i].sent);
        request_body_is(&config, &turn, expected);
    }
}

/* What an operator adds gives way to what a client asks for. */
static void
a_wish_wins_over_extra_body(void **state)
{
    static const struct provider_message question = {.role = PROVIDER_USER,
                                                     .content = STR("q")};
    static const struct provider_wishes wishes = {.tools = tools + 1,
                                                  .tool_count = 1};
    struct provider_config config =
        request_config(registry_find(STR("anthropic")), "https://h", "k");
    struct provider_turn turn = {
        .messages = &question, .count = 1, .wishes = &wishes};

    (void)state;
    config.extra_body = "{\"tools\":[],\"service_tier\":\"auto\"}";
    request_body_is(&config, &turn,
                    "{'model': 'm-\\'4', 'max_tokens': 4096, 'stream': true,"
                    " 'service_tier': 'auto', 'tools': [" G "],"
                    " 'messages': [{'role': 'user', 'content': 'q'}]}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wishes_become_members_of_the_request),
        cmocka_unit_test(a_wish_wins_over_extra_body),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
