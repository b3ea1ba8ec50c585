/*
 * Edits of header fields by the administrator: `request { set N V; remove X-*; }` and `response
 * { … }`. In the order of the file, on the message as it goes out.
 *
 * What belongs to one connection (RFC 9110 section 7.6.1), frames the message or says where it goes
 * is the proxy's own and cannot be edited; a pattern like X-* or * leaves it alone.
 */
#ifndef POLICY_EDITS_H
#define POLICY_EDITS_H

#include "config/schema.h"
#include "http/msg.h"

struct edits;

/* What may stand in such a block; a row with it as .children has edits_read as .read. */
extern const struct schema_row edit_rows[];
/* Into a const struct edits *: NULL without a block or with an empty one. */
void edits_read(const struct schema_row *row, const struct node *n, struct arena *a, void *to);

/* NULL is none. False: no memory. */
bool edits_apply(const struct edits *e, struct msg *m);

#endif
