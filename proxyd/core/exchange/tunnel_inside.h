/* What the files of a tunnel share. Nobody else includes it. */
#ifndef CORE_TUNNEL_INSIDE_H
#define CORE_TUNNEL_INSIDE_H

#include "core/exchange/tunnel.h"
#include "io/pipe.h"

/* What the client begins with: is known or nobody asks; has not come; is not whole. */
enum held { HELD_NOT, HELD_WHOLLY, HELD_PARTLY };

struct direction {
    u64 moved;
    struct pipe pipe;
    bool spliced; /* pipe is open */
    bool ended;   /* the source's end has been passed on */
    bool no_pipe; /* none to be had: do not ask on every read */
    u8 held;      /* enum held; of direction 0 */
};

struct tunnel {
    struct worker *worker;
    struct tunnel_end end[2];      /* client, upstream */
    struct direction direction[2]; /* direction[i] goes from end[i] to the other */
    struct access_record *record;
    struct timer timer;
    u64 born_ms, active_ms; /* active: last byte moved */
    u64 ends_ms; /* when it ends, as things stand: it is not allowed any more, or what the client
                    begins with is not whole by then; 0: neither */
};

/* The nearest of: idle too long, lived too long, time to look whether a pipe is still worth its
 * place. */
void tunnel_arm(struct tunnel *t);
/* A reset on one side is a reset on the other: an abrupt end must not look orderly. Nor on the side
 * itself, for a read or write may have failed while the connection lives. */
void tunnel_end_broken(struct tunnel *t);
/* The same, and why. */
void tunnel_end_abruptly(struct tunnel *t, enum fault f);
/* It is we who end it: a stream that is cut by this must not look as if its source had ended. */
void tunnel_end_early(struct tunnel *t, enum fault f);

enum look { LOOK_MORE, LOOK_PASS, LOOK_GONE };
/* At what the client begins with, while that is held. Passed or gone: what it was is known. */
enum look tunnel_look_at_first(struct tunnel *t);
/* Its grace is over. It may be allowed again by now: a rule has hours, and a newer configuration
 * comes to tunnels in shares of a turn. */
void tunnel_end_denied(struct tunnel *t);

#endif
