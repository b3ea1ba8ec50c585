/*
 * One end of a tunnel, whatever lies behind it: a connection, or memory in tests. A tunnel moves
 * bytes between two of them and knows no connection.
 */
#ifndef CORE_TUNNEL_END_H
#define CORE_TUNNEL_END_H

#include "core/common/flow.h"
#include "core/types.h"

struct io;

struct tunnel_end_ops {
    /* What the peer sends; no trailers, and ops->close instead of its own. END: no more comes. */
    struct source_ops in;
    /* What it is sent. finish: no more comes, which travels on (half-close). drop: the close that
     * follows is abrupt. */
    struct sink_ops out;
    /* From now on the loop tells this tunnel of its events: worker->intake->tunnel_ready. */
    void (*join)(void *self, struct tunnel *t);
    /* One more event in the next turn, though nothing happens. */
    void (*again)(void *self);
    /* Asked once nothing is read from it any more: has the peer reset it meanwhile? */
    bool (*gone)(void *self);
    /* Nothing has come for a while: no large buffer next time. */
    void (*rest)(void *self);
    /* The descriptor whose bytes are the tunnel's, to be spliced; NULL: there is none. What went
     * that way is reported by `spliced`: bytes that came from the peer, and that went to it. */
    struct io *(*whole)(void *self);
    void (*spliced)(void *self, size_t in, size_t out);
    void (*close)(void *self); /* the end is gone then */
};

struct tunnel_end {
    const struct tunnel_end_ops *ops;
    void *self;
};

#endif
