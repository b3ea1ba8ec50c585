/*
 * The request that a person asks about (`proxyd explain`, `proxyd cache why`) as the bytes of a
 * head, read as a connection reads them (core/codec/server.c), so that what is refused there is
 * refused here. The hard thing is Host, which nobody gives: it is what the target says.
 */
#ifndef PROXYD_MADE_HEAD_H
#define PROXYD_MADE_HEAD_H

#include "http/head.h"

struct made_head {
    struct slice method, target; /* as in a request line */
    struct slice fields;         /* "Name: value" CRLF each, without Host */
};

/* What is wrong with a field of one, "NAME: VALUE" without a line end; NULL: nothing, else a
 * sentence. */
const char *made_head_field_wrong(struct slice field);
/* Writes it into the arena and reads it there: *m, which stays NULL where it is not to be read.
 * The faults of head_scan and request_parse; m->host_field is filled in. */
enum fault made_head_parse(const struct made_head *h, const struct head_limits *limits,
                           struct arena *a, struct msg **m);

#endif
