/*
 * The head of a stored response, laid out so that giving it out costs a copy of its field table:
 * its text stands as it goes to the client, and no byte of it is parsed again. One block of memory
 * holds it all.
 */
#ifndef CACHE_HEAD_H
#define CACHE_HEAD_H

#include "cache/budget.h"
#include "http/msg.h"

struct stored_head {
    u16 status, nfields;
    u8 minor;
    u64 present[2];
    u32 text_len, size; /* size: of the block */
    struct field *fields;
    char *text; /* status line, fields, empty line */
};

/* Of a response that has been stripped; it stays as it is. NULL: no memory, or no room. */
struct stored_head *stored_head_make(struct budget *b, const struct msg *m);
/* Of the text of such a head, from wherever: nothing of it is believed. NULL: it is none, has a
 * field that none may have (of framing, of the hop), no memory, or no room. */
struct stored_head *stored_head_read(struct budget *b, struct slice text);
void stored_head_free(struct budget *b, struct stored_head *h);
/* Into *m, which is empty; h has to stay as long as m. Body and method are the caller's to set.
 * False: no memory. */
bool stored_head_give(const struct stored_head *h, struct msg *m);
/* A message that may be edited without a change to *from, whose text it shares. False: no
 * memory. */
bool msg_share(struct msg *to, const struct msg *from, struct arena *a);

#endif
