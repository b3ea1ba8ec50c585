/*
 * What a decision rests upon, in one text that goes with an exchange, with a tunnel's record and to
 * the log writer: RULE NUL LIST NUL CATEGORY NUL ENTRY NUL PLACE NUL MATCHED NUL ID. Whatever is
 * missing at the end was never there; a record of a request that simply passed has the rule alone.
 */
#ifndef CORE_EVIDENCE_H
#define CORE_EVIDENCE_H

#include "base/str.h"
#include "base/text.h"

enum {
    REFUSAL_ID = 32, /* hex digits: 128 random bits */
    EVIDENCE_NAME = 128,
    EVIDENCE_TEXT = 256,
    EVIDENCE_MOST = 3 * EVIDENCE_NAME + 3 * EVIDENCE_TEXT + REFUSAL_ID + 8
};

struct evidence {
    struct slice rule;
    struct slice list, category; /* in which it was found, or empty */
    struct slice entry;          /* FILE:LINE of the list */
    struct slice place;          /* FILE:LINE of the rule */
    struct slice matched;        /* the text of the request */
    struct slice id;             /* of a refusal; else empty */
};

/* Any texts but the first may be missing. */
static inline struct evidence evidence_read(struct slice text)
{
    struct evidence e = { .rule = { NULL, 0 } };
    (void)(slice_cut(&text, 0, &e.rule) && slice_cut(&text, 0, &e.list) &&
           slice_cut(&text, 0, &e.category) && slice_cut(&text, 0, &e.entry) &&
           slice_cut(&text, 0, &e.place) && slice_cut(&text, 0, &e.matched) &&
           slice_cut(&text, 0, &e.id));
    return e;
}

/* Of a place its end says more: the line. */
static inline void evidence_put(struct text *t, struct slice s, size_t most, bool end)
{
    text_add(t, s.n <= most ? s : end ? slice_skip(s, s.n - most) : (struct slice){ s.p, most });
}

/* In EVIDENCE_MOST bytes. */
static inline void evidence_write(struct text *t, const struct evidence *e)
{
    evidence_put(t, e->rule, EVIDENCE_NAME, false);
    text_char(t, 0);
    evidence_put(t, e->list, EVIDENCE_NAME, false);
    text_char(t, 0);
    evidence_put(t, e->category, EVIDENCE_NAME, false);
    text_char(t, 0);
    evidence_put(t, e->entry, EVIDENCE_TEXT, true);
    text_char(t, 0);
    evidence_put(t, e->place, EVIDENCE_TEXT, true);
    text_char(t, 0);
    evidence_put(t, e->matched, EVIDENCE_TEXT, false);
    text_char(t, 0);
    text_add(t, e->id);
}

#endif
