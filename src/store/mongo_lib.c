/* SPDX-License-Identifier: MIT */
/* Loads the driver: see mongo_lib.h. The table of names is mongo_lib.def. */
#include "store/mongo_lib.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The name of both interfaces, which have been stable since 2017; the second
 * one brings the first along. */
#define BSON "libbson-1.0.so.0"
#define MONGOC "libmongoc-1.0.so.0"

struct place {
    const char *name;
    size_t at; /* in struct mongo_lib */
};

static const struct place places[] = {
#define MONGO_FN(name) {#name, offsetof(struct mongo_lib, name)},
#include "store/mongo_lib.def"
#undef MONGO_FN
};

static enum err
refuse(char *why, size_t why_size)
{
    const char *cause = dlerror();

    snprintf(why, why_size, "The MongoDB driver cannot be loaded: %s.",
             cause != NULL ? cause : "it is not complete");
    return ERR_DATABASE_ERROR;
}

bool
mongo_lib_find(const char *name, void *fn, size_t size)
{
    void *mongoc = dlopen(MONGOC, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
    void *found = mongoc != NULL ? dlsym(mongoc, name) : NULL;

    if (mongoc != NULL) {
        (void)dlclose(mongoc); /* it stays: it was loaded for good */
    }
    memcpy(fn, &found, size);
    return found != NULL;
}

enum err
mongo_lib_load(struct mongo_lib *lib, char *why, size_t why_size)
{
    void *bson, *mongoc;

    /* Its counters would be a file in /dev/shm, which a kill leaves behind, and
     * a complaint on standard error where there is one already. They are made
     * when it is loaded. */
    (void)setenv("MONGOC_DISABLE_SHM", "1", 0);
    bson = dlopen(BSON, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    mongoc = dlopen(MONGOC, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (bson == NULL || mongoc == NULL) {
        return refuse(why, why_size);
    }
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        bool of_bson = strncmp(places[i].name, "bson_", 5) == 0;
        void *fn = dlsym(of_bson ? bson : mongoc, places[i].name);

        if (fn == NULL) {
            return refuse(why, why_size);
        }
        memcpy((char *)lib + places[i].at, &fn, sizeof(fn));
    }
    return ERR_OK;
}
