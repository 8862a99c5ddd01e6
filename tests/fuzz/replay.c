/* SPDX-License-Identifier: MIT */
/* Feeds one fuzz target every file of its corpus and speaks TAP: the findings
 * of earlier fuzzing as an ordinary test, without libFuzzer. A crash ends the
 * program before its plan is full, which is a failure. */
#include "base/xalloc.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Gives the file's bytes in a block of exactly their size, so that a sanitizer
 * sees a read behind the end. NULL if the file cannot be read. */
static uint8_t *
read_input(const char *folder, const char *name, size_t *size_out)
{
    char path[4096];
    uint8_t *bytes = NULL;
    FILE *f;
    long size;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "rb");
    if (!f)
        return NULL;
    if (fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) >= 0 &&
        fseek(f, 0, SEEK_SET) == 0) {
        bytes = xmalloc(size > 0 ? (size_t)size : 1);
        *size_out = fread(bytes, 1, (size_t)size, f);
    }
    (void)fclose(f);
    return bytes;
}

static int
replay(const char *folder, const char *name, int number)
{
    size_t size = 0;
    uint8_t *bytes = read_input(folder, name, &size);

    if (!bytes) {
        printf("not ok %d - %s cannot be read\n", number, name);
        return 1;
    }
    (void)LLVMFuzzerTestOneInput(bytes, size);
    xfree(bytes);
    printf("ok %d - survives %s\n", number, name);
    (void)fflush(stdout);
    return 0;
}

int
main(int argc, char **argv)
{
    struct dirent **inputs = NULL;
    int count = argc == 2 ? scandir(argv[1], &inputs, is_input, alphasort) : -1;
    int failed = 0;

    if (count <= 0) {
        printf("1..1\nnot ok 1 - there is a corpus in %s\n",
               argc == 2 ? argv[1] : "(no folder given)");
        return 1;
    }
    printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        failed += replay(argv[1], inputs[i]->d_name, i + 1);
        free(inputs[i]);
    }
    free(inputs);
    return failed ? 1 : 0;
}
