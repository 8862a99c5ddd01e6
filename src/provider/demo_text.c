/* SPDX-License-Identifier: MIT */
/* What the built-in models say. They understand nothing and say so, but they
 * show that the whole line works: the question came through, the history
 * reached the model, Markdown is rendered, long answers can be stopped. */
#include "provider/demo_text.h"

#include "codec/utf8.h"

#include <string.h>

enum {
    QUOTE_BYTES = 160,
    CHAPTERS = 10,     /* of a long answer: about half a minute */
    CHAPTERS_SHORT = 2 /* of the lecturer, when nobody asked for long */
};

/* --- what can be said of a question without understanding it ------------ */

struct facts {
    struct str question;
    size_t words;
    size_t characters;
    struct str longest; /* word */
    bool wants_long;
    const char *kind;
};

static bool
is_separator(char c)
{
    return strchr(" \t\r\n.,;:!?()\"", c) != NULL; /* NUL, too */
}

static struct str
next_word(struct str *rest)
{
    size_t from = 0, to;

    while (from < rest->n && is_separator(rest->p[from])) {
        from++;
    }
    for (to = from; to < rest->n && !is_separator(rest->p[to]); to++) {
    }
    *rest = (struct str){rest->p + to, rest->n - to};
    return (struct str){rest->p - (to - from), to - from};
}

/* By the last mark and the first word. */
static const char *
kind_of(struct str question, struct str first)
{
    static const char *const greetings[] = {"hello", "hi", "hey", "hallo"};
    struct str trimmed = str_trim(question);

    if (trimmed.n > 0 && trimmed.p[trimmed.n - 1] == '?') {
        return "a question";
    }
    for (size_t i = 0; i < COUNT_OF(greetings); i++) {
        if (str_is_nocase(first, greetings[i])) {
            return "a greeting";
        }
    }
    return "a request";
}

static struct facts
facts_of(struct str question)
{
    struct facts f = {.question = question, .characters = utf8_count(question)};
    struct str rest = question, word, first = STR("");

    if (question.n == 0) {
        f.kind = "nothing but an attachment";
        return f;
    }
    while ((word = next_word(&rest)).n > 0) {
        first = f.words++ == 0 ? word : first;
        f.longest = word.n > f.longest.n ? word : f.longest;
        f.wants_long = f.wants_long || str_is_nocase(word, "long");
    }
    f.kind = kind_of(question, first);
    return f;
}

/* --- pieces ------------------------------------------------------------- */

/* One line, cut, without what Markdown or HTML would make something of. */
static void
put_plain(struct buf *b, struct str text, size_t max_bytes)
{
    struct str shown = utf8_cut(text, max_bytes);

    for (size_t i = 0; i < shown.n; i++) {
        char c = shown.p[i];
        bool marks = c != '\0' && strchr("\\`*_[]<>|#~&", c) != NULL;

        if (marks) {
            buf_putc(b, '\\');
        }
        buf_putc(b, (unsigned char)c < 0x20 ? ' ' : c);
    }
    if (shown.n < text.n) {
        buf_puts(b, " \xE2\x80\xA6");
    }
}

static void
put_quote(struct buf *b, struct str text)
{
    buf_puts(b, "> ");
    put_plain(b, text, QUOTE_BYTES);
    buf_puts(b, "\n\n");
}

static void
put_history(struct buf *b, const struct provider_turn *turn)
{
    size_t earlier = (turn->count - 1) / 2;

    if (turn->count < 2) {
        buf_puts(b, "This is the first turn of our conversation: I was given "
                    "no history.\n\n");
        return;
    }
    buf_puts(b, "I was given **");
    buf_put_u64(b, earlier);
    buf_puts(b, earlier == 1 ? " earlier turn**" : " earlier turns**");
    buf_puts(b, " of our conversation with it. It began with:\n\n");
    put_quote(b, turn->messages[0].content);
}

static void
put_table(struct buf *b, const struct facts *f)
{
    buf_puts(b, "| What I counted | Value |\n|---|---|\n| words | ");
    buf_put_u64(b, f->words);
    buf_puts(b, " |\n| characters | ");
    buf_put_u64(b, f->characters);
    buf_puts(b, " |\n| bytes of UTF-8 | ");
    buf_put_u64(b, f->question.n);
    buf_puts(b, " |\n| longest word | ");
    put_plain(b, f->longest, 60);
    buf_puts(b, " |\n\n");
}

static void
put_code(struct buf *b, const struct facts *f)
{
    buf_puts(b, "The same in Python:\n\n```python\ndef describe(question: str)"
                " -> dict:\n    words = question.split()\n    return {\n"
                "        \"words\": len(words),  # ");
    buf_put_u64(b, f->words);
    buf_puts(b, " for yours\n        \"characters\": len(question),\n"
                "        \"longest\": max(words, key=len, default=\"\"),\n"
                "    }\n```\n\n");
}

static void
put_list(struct buf *b, const struct provider_turn *turn)
{
    buf_puts(b, "### What you can try\n\n"
                "1. Ask something else: I will say how many turns I saw.\n"
                "2. Ask for a **long** answer, and press *stop*, or reload the "
                "page in the middle.\n"
                "3. Choose another model: each has its own manner.\n"
                "4. Open a second tab: it shows the same answer as it is "
                "written.\n\n");
    if (turn->system_prompt.n > 0) {
        buf_puts(b, "A system prompt of ");
        buf_put_u64(b, utf8_count(turn->system_prompt));
        buf_puts(b, " characters came along, too.\n\n");
    }
    buf_puts(b, "For real answers point `LLM_PROVIDER_1_TYPE=openai`, "
                "`LLM_PROVIDER_1_ENDPOINT` and `LLM_PROVIDER_1_MODEL` at a "
                "model.\n");
}

static const struct {
    const char *title;
    const char *text;
} chapters[] = {
    {"The way of a message",
     "Your words left the page as one frame of JSON. A thread that owns "
     "everything of yours took the frame apart, checked each member against "
     "a table, and wrote the question to disk. Only then was a model asked. "
     "Nothing that you send is acknowledged before it is safe.\n\n"
     "- the frame is checked\n- the question is stored\n- the model is asked\n"
     "- the answer streams, and is stored when it ends\n\n"},
    {"The log",
     "A conversation is a list of numbered events. A number means: complete "
     "up to here. While an answer is being written it stands beside the list "
     "and has no number, so that nobody who has seen number seven can have "
     "missed number six. When it ends, it gets its number and the end of the "
     "stream carries it.\n\n"},
    {"Several windows",
     "Every window that shows this conversation receives everything. They "
     "hang on one list, on one thread, and sending to all of them is a loop. "
     "A window that reads slowly gets several words at once; it never gets a "
     "text with holes.\n\n> Order is free where there is only one place "
     "where things happen.\n\n"},
    {"Stopping",
     "When you press *stop*, the connection to the model is closed at once. "
     "The text so far stays, marked as cancelled, and the model will see it "
     "as what it said. Closing the window stops nothing: the answer belongs "
     "to the conversation, not to the window.\n\n"},
    {"When things break",
     "A model may be away, be slow, or end in the middle of a word. Every "
     "wait has a limit, every limit has a name, and every turn ends exactly "
     "once: with its answer, or with an error that says what can be done. "
     "What was cut is shown as cut.\n\n"},
};

static void
put_chapters(struct buf *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t c = i % COUNT_OF(chapters);

        buf_puts(b, "## ");
        buf_put_u64(b, i + 1);
        buf_puts(b, ". ");
        buf_puts(b, chapters[c].title);
        buf_puts(b, i < COUNT_OF(chapters) ? "\n\n" : ", once more\n\n");
        buf_puts(b, chapters[c].text);
    }
}

/* --- the manners -------------------------------------------------------- */

static void
write_brief(const struct provider_turn *turn, const struct facts *f,
            struct buf *b)
{
    buf_puts(b, "You sent ");
    buf_puts(b, f->kind);
    buf_puts(b, " of **");
    buf_put_u64(b, f->words);
    buf_puts(b, f->words == 1 ? " word**" : " words**");
    buf_puts(b, ": \xE2\x80\x9C");
    put_plain(b, f->question, QUOTE_BYTES);
    buf_puts(b, "\xE2\x80\x9D. Before it I saw ");
    buf_put_u64(b, (turn->count - 1) / 2);
    buf_puts(b, " turns, and I am only a demo.\n\n");
}

static void
write_guide(const struct provider_turn *turn, const struct facts *f,
            struct buf *b)
{
    buf_puts(b, "## You sent ");
    buf_puts(b, f->kind);
    buf_puts(b, "\n\n");
    put_quote(b, f->question);
    buf_puts(b, "I am the built-in demo model. I have no network and "
                "understand nothing, but I can count, and show how an answer "
                "looks.\n\n");
    put_history(b, turn);
    put_table(b, f);
    put_code(b, f);
    put_list(b, turn);
}

void
demo_text_write(enum demo_manner manner, const struct provider_turn *turn,
                struct buf *out)
{
    struct facts f = facts_of(turn->messages[turn->count - 1].content);

    if (manner == DEMO_BRIEF) {
        write_brief(turn, &f, out);
    } else {
        write_guide(turn, &f, out);
    }
    if (f.wants_long || manner == DEMO_LECTURER) {
        buf_putc(out, '\n');
        put_chapters(out, f.wants_long ? CHAPTERS : CHAPTERS_SHORT);
    }
}
