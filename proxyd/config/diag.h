/*
 * Errors, warnings and notes about a configuration, collected to be shown together:
 *
 *   proxyd.conf:3:14: error: "10x" is not a duration
 *     timeouts { head 10x; }
 *                     ^~~
 *     expected a number with a unit: ms, s, m, h, d or w, such as 30s
 *     did you mean "10m"?
 *
 * A warning is about what was perhaps not meant; a note says what follows from words that can only
 * have been meant, and is no reason for anybody to refuse the file.
 *
 * The first 20 of each kind are kept, the rest are counted: after twenty the reader starts at the
 * top anyway. Nothing here prints the text of a secret; word_shown() sees to that.
 */
#ifndef CONFIG_DIAG_H
#define CONFIG_DIAG_H

#include <stdio.h>

#include "config/tree.h"

enum { DIAGS_SHOWN = 20, DIAG_TEXT = 1024 };

enum diag_kind { DIAG_ERROR, DIAG_WARNING, DIAG_NOTE, DIAG_KINDS };

struct diag {
    enum diag_kind kind;
    struct position at;
    u32 width;
    u32 order;     /* of discovery; ties of one place keep it */
    char *message; /* what is wrong, then further lines */
};

struct diags {
    const struct tree *tree;     /* where excerpts come from; NULL: none */
    struct source_text *more;    /* and of diag_source, the last one first */
    u32 errors, warnings, notes; /* all that were found */
    u32 nlist;
    struct diag list[DIAG_KINDS * DIAGS_SHOWN];
    bool last_kept; /* diag_more and friends have something to add to */
};

void diags_init(struct diags *d);
void diags_free(struct diags *d);

/* An error at a place; width is the number of source bytes the caret underlines (at
 * least 1). No final dot, no newline. */
void diag_error_at(struct diags *d, struct position at, u32 width, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* A file that the configuration names and in which errors are to be shown; `from`: where it is
 * named. The text is copied. Returns what position.file is then. */
const char *diag_source(struct diags *d, const char *file, struct slice text, struct position from);
/* An error, a warning, or a note, under a word. */
void diag_error(struct diags *d, const struct word *w, const char *fmt, ...) PRINTF_LIKE(3, 4);
void diag_warning(struct diags *d, const struct word *w, const char *fmt, ...) PRINTF_LIKE(3, 4);
void diag_note(struct diags *d, const struct word *w, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* A further line of the diagnostic made last: "expected …" or any other help. */
void diag_more(struct diags *d, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* "did you mean": try every candidate, then guess_tell adds the line if one was similar enough
 * (distance at most a third of the length, 1 for very short words; or one of the two words is the
 * beginning of the other). */
struct guess {
    struct slice wrong, best;
    unsigned distance;
};
struct guess guess_for(struct slice wrong);
void guess_try(struct guess *g, struct slice candidate);
void guess_tell(const struct guess *g, struct diags *d);
/* All blank-separated words of a list as candidates. */
void guess_try_list(struct guess *g, const char *list);

/* A word as it may be shown in a message: the text in quotes, clipped to 80 bytes, controls
 * escaped; "(a secret)" for a secret. The result lives in one of 8 rotating static buffers
 * (configuration is read on one thread). */
const char *word_shown(const struct word *w);
const char *slice_shown(struct slice s);
/* "a, b, c" for the blank-separated list "a b c", in the same buffers. */
const char *list_shown(const char *list);
/* "file:line:column", in the same buffers. */
const char *position_shown(struct position at);

/* Prints everything, ordered by place, and "and N more errors" when not all were kept. */
void diags_print(const struct diags *d, FILE *to);

#endif
