/* SPDX-License-Identifier: MIT */
/* Names in MongoDB. What the server would refuse only when something is made
 * there, or would take for something else, is refused with the settings. The
 * rules are those of MongoDB's manual ("Naming Restrictions", on Linux). */
#include "store/mongo_name.h"

#include "base/check.h"

#include <stdbool.h>
#include <string.h>

static bool
is_one_of(struct str name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_is_nocase(name, names[i])) {
            return true;
        }
    }
    return false;
}

static bool
has_any(struct str name, const char *characters)
{
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '\0' || strchr(characters, name.p[i]) != NULL) {
            return true;
        }
    }
    return false;
}

const char *
mongo_name_refuse_database(struct str name)
{
    static const char *const taken[] = {"admin", "config", "local"};

    if (has_any(name, "/\\. \"$")) {
        return "has a character that no database's name may have";
    }
    return is_one_of(name, taken, COUNT_OF(taken)) ? "is MongoDB's own database"
                                                   : NULL;
}

const char *
mongo_name_refuse_collection(struct str name)
{
    static const char *const ours[] = {MONGO_NAME_MESSAGES, MONGO_NAME_PIECES,
                                       MONGO_NAME_AUDIT, MONGO_NAME_USAGE,
                                       MONGO_NAME_META};

    for (size_t i = 0; i < COUNT_OF(ours); i++) {
        if (str_is(name, ours[i])) {
            return "is the name of another collection of ours";
        }
    }
    if (has_any(name, "$")) {
        return "has a character that no collection's name may have";
    }
    return str_starts(name, STR(".")) || str_starts(name, STR("system."))
               ? "begins like no collection of ours may"
               : NULL;
}
