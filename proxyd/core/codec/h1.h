/* HTTP/1 on a connection: what the files of this codec share. Nobody else includes it. */
#ifndef CORE_H1_H
#define CORE_H1_H

#include "core/conn/conn.h"
#include "core/codec/leg.h"
#include "core/common/snapshot.h"

static inline struct conn *conn_of(const struct leg *l)
{
    return l->ride;
}

static inline struct head_limits h1_head_limits(const struct snapshot *s)
{
    const struct limits_conf *l = &s->conf.limits;
    return (struct head_limits){ .head = l->head, .line = l->line, .fields = l->fields };
}

/* Starts reading a body as the parsed head announces it, or writing one. */
void h1_expect_body(struct leg *l, enum body_kind kind, u64 length);
void h1_announce_body(struct leg *l, enum body_kind kind, u64 length);

/* The operations of leg->ops->in and out. */
enum flow h1_peek(void *self, struct slice *run);
void h1_took(void *self, size_t n);
enum flow h1_fill(void *self);
const struct msg *h1_trailers(void *self);
enum flow h1_put(void *self, struct slice run, size_t *taken);
enum flow h1_finish(void *self, const struct msg *trailers);
enum flow h1_flush(void *self);
enum flow h1_put_file(void *self, const struct extent *e, size_t *taken);

/* Reads once; false: nothing, or no memory (l->memory). */
static inline bool h1_read(struct leg *l)
{
    struct conn *c = conn_of(l);
    if (!conn_readable(c))
        return false;
    bool read = conn_fill(c) != SOCK_AGAIN;
    l->bytes_in = c->bytes_in - l->h1.base_in;
    l->memory = c->awaits_memory;
    return read;
}
/* conn_room on a leg: false: l->memory or l->unsent says what it waits for. */
bool h1_room(struct leg *l, size_t n, struct text *t);

/* Lays the client leg of x on c, whose request is about to be parsed. */
void h1_client_leg(struct leg *l, struct conn *c);

#endif
