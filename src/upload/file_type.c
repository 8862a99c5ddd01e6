/* SPDX-License-Identifier: MIT */
/* Signatures of the usual formats, after the WHATWG's MIME sniffing and the
 * formats' own documents. A file that is two things at once is what it begins
 * like, and is served as that and nothing else (nosniff). */
#include "upload/file_type.h"

#include "base/check.h"

#include <string.h>

enum type {
#define FILE_TYPE(ID, number, mime, ending, FAMILY) TYPE_##ID,
#include "upload/file_type.def"
#undef FILE_TYPE
    TYPES
};

static const struct file_type types[] = {
#define FILE_TYPE(ID, number, mime, ending, FAMILY)                            \
    {number, mime, ending, TYPE_##FAMILY},
#include "upload/file_type.def"
#undef FILE_TYPE
};

/* --- binary ------------------------------------------------------------- */

/* All that stand at their places. */
static const struct {
    size_t at;
    struct str bytes;
    size_t at_2;
    struct str bytes_2; /* may be empty */
    enum type type;
} marks[] = {
    {0, STR("\xff\xd8\xff"), 0, STR(""), TYPE_JPEG},
    {0, STR("\x89PNG\r\n\x1a\n"), 0, STR(""), TYPE_PNG},
    {0, STR("GIF87a"), 0, STR(""), TYPE_GIF},
    {0, STR("GIF89a"), 0, STR(""), TYPE_GIF},
    {0, STR("RIFF"), 8, STR("WEBPVP8"), TYPE_WEBP},
    {0, STR("RIFF"), 8, STR("WAVE"), TYPE_WAV},
    {0, STR("fLaC"), 0, STR(""), TYPE_FLAC},
    {0, STR("ID3"), 0, STR(""), TYPE_MP3},
    {0, STR("OggS"), 28, STR("\x01vorbis"), TYPE_OGG},
    {0, STR("OggS"), 28, STR("OpusHead"), TYPE_OGG},
    {0, STR("OggS"), 28,
     STR("\x7f"
         "FLAC"),
     TYPE_OGG},
    {0, STR("OggS"), 28, STR("Speex   "), TYPE_OGG},
    {0, STR("OggS"), 28, STR("\x80theora"), TYPE_OGV},
    {4, STR("ftypM4A "), 0, STR(""), TYPE_M4A},
    {4, STR("ftypM4B "), 0, STR(""), TYPE_M4A},
    {4, STR("ftypavif"), 0, STR(""), TYPE_AVIF},
    {4, STR("ftypavis"), 0, STR(""), TYPE_AVIF},
    {4, STR("ftyphei"), 0, STR(""), TYPE_HEIC},
    {4, STR("ftypmif1"), 0, STR(""), TYPE_HEIC},
    {4, STR("ftypqt  "), 0, STR(""), TYPE_QUICKTIME},
    {4, STR("ftypisom"), 0, STR(""), TYPE_MP4},
    {4, STR("ftypiso"), 0, STR(""), TYPE_MP4},
    {4, STR("ftypmp4"), 0, STR(""), TYPE_MP4},
    {4, STR("ftypavc1"), 0, STR(""), TYPE_MP4},
    {4, STR("ftypdash"), 0, STR(""), TYPE_MP4},
    {4, STR("ftypM4V"), 0, STR(""), TYPE_MP4},
    {0, STR("%PDF-"), 0, STR(""), TYPE_PDF},
    {0, STR("PK\x03\x04"), 0, STR(""), TYPE_ZIP},
    {0, STR("\x1f\x8b\x08"), 0, STR(""), TYPE_GZIP},
};

static bool
stands_at(struct str s, size_t at, struct str bytes)
{
    return str_starts(str_from_at(s, at), bytes);
}

/* A frame of MPEG layer III: sync, a version, a bit rate and a sampling rate
 * that exist. */
static bool
is_mpeg_audio(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;

    return s.n >= 4 && p[0] == 0xff && (p[1] & 0xe6) == 0xe2 &&
           (p[1] & 0x18) != 0x08 && (p[2] >> 4) != 0xf && (p[2] >> 4) != 0 &&
           (p[2] & 0x0c) != 0x0c;
}

/* The document's type stands in the first element. */
static enum type
matroska(struct str s)
{
    static const struct str ebml = STR("\x1a\x45\xdf\xa3");

    if (!str_starts(s, ebml)) {
        return TYPES;
    }
    s.n = s.n < 64 ? s.n : 64;
    if (memmem(s.p, s.n, "\x42\x82\x84webm", 7) != NULL) {
        return TYPE_WEBM;
    }
    return memmem(s.p, s.n, "\x42\x82\x88matroska", 11) != NULL ? TYPE_MATROSKA
                                                                : TYPES;
}

static enum type
binary(struct str head)
{
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        if (stands_at(head, marks[i].at, marks[i].bytes) &&
            stands_at(head, marks[i].at_2, marks[i].bytes_2)) {
            return marks[i].type;
        }
    }
    return is_mpeg_audio(head) ? TYPE_MP3 : matroska(head);
}

/* --- texts -------------------------------------------------------------- */

bool
file_type_text_feed(struct utf8 *u, struct str bytes)
{
    for (size_t i = 0; i < bytes.n; i++) {
        unsigned char c = (unsigned char)bytes.p[i];

        if (c == 0x7f || (c < 0x20 && c != '\t' && c != '\n' && c != '\r' &&
                          c != '\f' && c != 0x1b)) {
            return false;
        }
    }
    return utf8_feed(u, bytes.p, bytes.n);
}

/* "<html", not "<htmlx". */
static bool
is_tag(struct str s, const char *name)
{
    struct str tag = str_from(name);

    return s.n > tag.n && str_eq_nocase((struct str){s.p, tag.n}, tag) &&
           (s.p[tag.n] == '>' || s.p[tag.n] == ' ' || s.p[tag.n] == '\t' ||
            s.p[tag.n] == '\r' || s.p[tag.n] == '\n' || s.p[tag.n] == '/');
}

/* What a browser would run when it was let to guess. */
static enum type
markup(struct str s)
{
    static const char *const tags[] = {
        "<!doctype", "<html",  "<head",  "<body", "<script", "<iframe",
        "<title",    "<style", "<table", "<div",  "<a",      "<h1",
        "<p",        "<br",    "<font",  "<img",  "<b",      "<form"};

    if (is_tag(s, "<svg") ||
        (str_starts(s, STR("<")) && str_contains_nocase(s, STR("<svg")))) {
        return TYPE_SVG;
    }
    if (str_starts(s, STR("<?xml"))) {
        return TYPE_XML;
    }
    for (size_t i = 0; i < COUNT_OF(tags); i++) {
        if (is_tag(s, tags[i])) {
            return TYPE_HTML;
        }
    }
    return str_starts(s, STR("<!--")) ? TYPE_HTML : TYPE_TEXT;
}

static enum type
text(struct str head)
{
    static const char blanks[] = " \t\r\n\f";
    struct utf8 u = {0};

    if (!file_type_text_feed(&u, head)) {
        return TYPES;
    }
    if (str_starts(head, STR("\xef\xbb\xbf"))) {
        head = str_from_at(head, 3);
    }
    while (head.n > 0 &&
           memchr(blanks, head.p[0], sizeof(blanks) - 1) != NULL) {
        head = str_from_at(head, 1);
    }
    return markup(head);
}

/* --- all ---------------------------------------------------------------- */

/* "text/plain; charset=utf-8" names text/plain. */
static bool
names(struct str declared, const char *mime)
{
    struct str first;

    return str_split(&declared, ';', &first) &&
           str_is_nocase(str_trim(first), mime);
}

const struct file_type *
file_type_of(struct str head, struct str declared)
{
    enum type t;

    head.n = head.n < FILE_TYPE_HEAD ? head.n : FILE_TYPE_HEAD;
    t = binary(head);
    if (t == TYPES) {
        t = text(head);
    }
    if (t == TYPES) {
        return NULL;
    }
    for (size_t i = 0; i < TYPES; i++) {
        if (types[i].family == (int)t && names(declared, types[i].mime)) {
            return &types[i];
        }
    }
    return &types[t];
}

bool
file_type_is_text(const struct file_type *t)
{
    return t->family == TYPE_TEXT || t->family == TYPE_HTML ||
           t->family == TYPE_XML || t->family == TYPE_SVG;
}

const struct file_type *
file_type_find(unsigned number)
{
    for (size_t i = 0; i < TYPES; i++) {
        if (types[i].number == number) {
            return &types[i];
        }
    }
    return NULL;
}

bool
file_type_listed(const struct file_type *t, const char *const *list)
{
    struct str mime = str_from(t->mime);

    for (; *list != NULL; list++) {
        struct str item = str_from(*list);

        if (str_eq_nocase(mime, item) ||
            (str_ends(item, STR("/*")) && mime.n >= item.n &&
             str_eq_nocase((struct str){mime.p, item.n - 1},
                           (struct str){item.p, item.n - 1}))) {
            return true;
        }
    }
    return false;
}

bool
file_type_is_picture(const struct file_type *t)
{
    return t->family == TYPE_JPEG || t->family == TYPE_PNG ||
           t->family == TYPE_GIF || t->family == TYPE_WEBP;
}

bool
file_type_is_inline(const struct file_type *t)
{
    struct str mime = str_from(t->mime);

    return t->family != TYPE_SVG &&
           (str_starts(mime, STR("image/")) ||
            str_starts(mime, STR("audio/")) || str_starts(mime, STR("video/")));
}
