/*
 * The last refusals of each client address, for whoever asks why: a browser shows nothing of what a
 * refused CONNECT was answered. They outlive the exchange and the configuration, so every text is a
 * copy and none holds a query string.
 *
 * 64 shards by a keyed hash of the address, with a lock each that is held for a look at 156 numbers
 * and a pointer move; texts are made before and freed after. 20 for an address, 9984 in all: the
 * oldest of the address, or of the shard, goes first. At most 2 kB each.
 */
#ifndef CORE_REFUSALS_H
#define CORE_REFUSALS_H

#include "base/addr.h"
#include "base/fault.h"
#include "core/report/evidence.h"

enum { REFUSALS_SHARDS = 64, REFUSALS_OF_SHARD = 156, REFUSALS_OF_ADDRESS = 20 };

struct refusals;

struct refusal_entry {
    struct addr client;
    u64 wall_us;
    u16 status; /* 0: none was sent, a tunnel was ended */
    enum fault fault;
    struct slice method, target; /* target: without query */
    struct slice user;           /* an identity, of which the name is kept; or empty */
    struct slice reason;         /* words of the administrator, or empty */
    struct evidence evidence;    /* with its id */
};

/* Never NULL: memory for it is had at boot, or the process ends. */
struct refusals *refusals_new(void);
/* Nobody holds one of its refusals any more. */
void refusals_free(struct refusals *r);
/* Makes the id that evidence.id will be. */
void refusals_make_id(char id[REFUSAL_ID]);
/* Copies it. Without memory it is not kept. */
void refusals_add(struct refusals *r, const struct refusal_entry *e);
/* The client's own, newest first; how many. Each is given back by refusals_release. */
unsigned refusals_of(struct refusals *r, const struct addr *client,
                     const struct refusal_entry *out[REFUSALS_OF_ADDRESS]);
/* That one of the client's; NULL: it has none of that id, whoever else may have. */
const struct refusal_entry *refusals_find(struct refusals *r, const struct addr *client,
                                          struct slice id);
/* One that refusals_of or refusals_find has given. */
void refusals_release(const struct refusal_entry *e);

#endif
