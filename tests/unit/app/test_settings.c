/* SPDX-License-Identifier: MIT */
#include "app/settings.h"

#include "base/log.h"
#include "config_fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/chatbox-settings-XXXXXX";

static int
enter_folder(void **state)
{
    (void)state;
    log_set_level(LOG_ERROR);
    return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static int
leave_folder(void **state)
{
    (void)state;
    (void)unlink("a.yaml");
    (void)unlink("large");
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

static void
write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

/* The port that these sources lead to, 0 when they are refused. */
static unsigned
port_of(const char *config_file, const char *variable)
{
    const char *const env[] = {"JWT_SECRET=" GOOD_SECRET,
                               "LLM_PROVIDER_1_ID=a",
                               "LLM_PROVIDER_1_TYPE=demo",
                               "LOG_LEVEL=error",
                               variable,
                               NULL};
    struct options options = {.config_file = config_file, .port = -1};
    struct settings_request request = {.options = &options, .environment = env};
    int saved = dup(STDERR_FILENO);
    int nothing = open("/dev/null", O_WRONLY);
    struct config *c;
    unsigned port;

    dup2(nothing, STDERR_FILENO);
    c = settings_load(&request);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(nothing);
    port = c != NULL ? (unsigned)c->server_port : 0;
    config_free(c);
    return port;
}

static void
the_file_comes_from_the_option_or_the_environment(void **state)
{
    (void)state;
    write_file("a.yaml", "server: {port: 81}\n");
    assert_int_equal(port_of(NULL, NULL), 8080);
    assert_int_equal(port_of("a.yaml", NULL), 81);
    assert_int_equal(port_of(NULL, "CHATBOX_CONFIG=a.yaml"), 81);
    assert_int_equal(port_of("a.yaml", "CHATBOX_CONFIG=absent"), 81);
    assert_int_equal(port_of(NULL, "CHATBOX_CONFIG="), 8080);
}

static void
a_file_that_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(port_of("absent", NULL), 0);
    assert_int_equal(port_of("/", NULL), 0);
    assert_int_equal(port_of(NULL, "CHATBOX_CONFIG=absent"), 0);
}

static void
a_file_over_the_limit_is_an_error(void **state)
{
    (void)state;
    write_file("large", "#");
    assert_int_equal(truncate("large", CONFIG_FILE_BYTES_MAX + 1), 0);
    assert_int_equal(port_of("large", NULL), 0);
}

static void
a_reload_leaves_the_log_alone(void **state)
{
    const char *const env[] = {"LOG_LEVEL=debug", "JWT_SECRET=" GOOD_SECRET,
                               "LLM_PROVIDER_1_ID=a",
                               "LLM_PROVIDER_1_TYPE=demo", NULL};
    struct options options = {.port = -1};
    struct settings_request request = {
        .options = &options, .environment = env, .again = true};
    struct config *c;

    (void)state;
    log_set_level(LOG_ERROR);
    c = settings_load(&request);
    assert_non_null(c);
    assert_false(log_enabled(LOG_WARN));
    config_free(c);
    request.again = false;
    c = settings_load(&request);
    assert_true(log_enabled(LOG_DEBUG));
    log_set_level(LOG_ERROR);
    config_free(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_comes_from_the_option_or_the_environment),
        cmocka_unit_test(a_file_that_cannot_be_read_is_an_error),
        cmocka_unit_test(a_file_over_the_limit_is_an_error),
        cmocka_unit_test(a_reload_leaves_the_log_alone),
    };

    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
