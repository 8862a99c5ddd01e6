/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_ASSETS_H
#define CHATBOX_GATE_ASSETS_H

#include <stdbool.h>
#include <stddef.h>

/* The built-in pages, as tools/embed.py lays them into the binary. A build
 * without pages has an empty table. */
struct asset {
    const char *path; /* "index.html", "assets/index-1a2b3c4d.js" */
    const unsigned char *bytes;
    size_t size;
    const unsigned char *gzip; /* NULL where it would not be smaller */
    size_t gzip_size;
    const char *etag; /* with its quotes */
    const char *type; /* Content-Type */
    bool immutable;   /* the name carries a hash of the content */
};

extern const struct asset assets[];
extern const size_t asset_count;

#endif
