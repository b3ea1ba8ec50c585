/*
 * The head of a stored response, laid out so that giving it out costs a copy of its field table:
 * its text stands as it goes to the client, and no byte of it is parsed again. It is made in two
 * steps, so that it can lie in one block with what it belongs to: how much room it needs is known
 * before.
 */
#ifndef CACHE_HEAD_H
#define CACHE_HEAD_H

#include "http/msg.h"

struct stored_head {
    u16 status, nfields;
    u8 minor;
    u64 present[2];
    u32 text_len;
    struct field *fields; /* these and the text follow the struct */
    char *text;           /* status line, fields, empty line */
};

/* What a head is to be made of, which has to stay until it is. */
struct head_plan {
    const struct msg *m; /* or, if that is NULL, … */
    struct slice text;
    size_t text_len, size; /* size: of all of it */
    u32 fields_at;         /* in the text */
    u16 status, nfields;
    u8 minor;
};

/* Of a response that has been stripped; it stays as it is. */
struct head_plan head_plan(const struct msg *m);
/* Of the text of such a head, from wherever: nothing of it is believed. False: it is none, or has a
 * field that none may have (of framing, of the hop). */
bool head_plan_read(struct slice text, struct head_plan *out);
/* Into an area of plan->size bytes, for a struct; *h is all that there is of it. */
void stored_head_make(struct stored_head *h, const struct head_plan *plan);
/* Into *m, which is empty; h has to stay as long as m. Body and method are the caller's to set.
 * False: no memory. */
bool stored_head_give(const struct stored_head *h, struct msg *m);
/* A message that may be edited without a change to *from, whose text it shares. False: no
 * memory. */
bool msg_share(struct msg *to, const struct msg *from, struct arena *a);

#endif
