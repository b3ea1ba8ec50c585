/* What speaks on a connection: one table for each protocol, installed by the engine in
 * worker->codecs, found by the ALPN word that the two ends have agreed on. */
#ifndef CORE_CODEC_H
#define CORE_CODEC_H

#include "core/conn/dial.h"
#include "core/conn/target.h"

struct codec {
    const char *name, *alpn;
    /* Accepted, and through with its handshake: takes it over with all that was read. */
    void (*serve)(struct conn *c);
    /* Dialled, or idle: lays a leg on it. */
    void (*attach)(struct conn *c, struct target *t, struct leg *l);
};

/* What c's two ends have agreed on; the first one where they have agreed on nothing. NULL: nobody
 * speaks that. */
const struct codec *codec_of(const struct conn *c);
/* An idle connection for l, as idle_take; *server is where it leads. False: there is none. */
bool codec_attach_idle(struct worker *w, struct target *t, const struct idle_want *want,
                       u32 *rested, struct addr *server, struct leg *l);
/* The one that was dialled; false: nobody speaks what it speaks, and it is closed. */
bool codec_attach(const struct dial_result *r, struct target *t, struct leg *l);

#endif
