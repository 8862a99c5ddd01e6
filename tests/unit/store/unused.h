/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_STORE_UNUSED_H
#define CHATBOX_TESTS_STORE_UNUSED_H

/* Databases with something in the unused parts of their pages. */
#include "keys.h"
#include "store/store_sqlite_scrub.h"

#include <stdio.h>

static inline void
count_unused(void *cookie, size_t at, size_t n)
{
    (void)at;
    *(size_t *)cookie += n;
}

/* Bytes of unused parts that are not zero. */
static inline size_t
unused(struct fixture *f)
{
    unsigned char page[4096];
    size_t sum = 0;
    char path[160];
    FILE *file;

    fixture_path(f, "chatbox.db", path);
    file = fopen(path, "rb");
    assert_non_null(file);
    for (int i = 0; fread(page, 1, sizeof(page), file) == sizeof(page); i++) {
        if (i > 0) {
            store_sqlite_scrub_page(page, sizeof(page), count_unused, &sum);
        }
    }
    fclose(file);
    return sum;
}

/* Names of different lengths, changed again and again: pages are rearranged. */
static inline void
shake(struct fixture *f)
{
    for (int i = 1; i < 6; i++) {
        char sql[160];

        snprintf(sql, sizeof(sql),
                 "UPDATE sessions SET nm=printf('%%.*c',(n*%d)%%120,'t'),"
                 "lastActivity=(n*%d)%%991",
                 i * 13, i * 101);
        by_hand(f, sql);
    }
}

/* The same with 600 sessions of its own. */
static inline void
stir(struct fixture *f)
{
    by_hand(f, "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c"
               " WHERE i<600) INSERT INTO sessions(_id,uid,nm,ts,lastActivity,"
               "epoch) SELECT printf('%032d',i*7919%10007),'u'||(i%7),"
               "printf('%.*c',i*37%90,'s'),i*31%977,i*17%953,'e' FROM c");
    shake(f);
}

#endif
