/* Where does it go, and may it go there? */
#ifndef REVERSE_WHERE_H
#define REVERSE_WHERE_H

#include "config/tree.h"
#include "core/stage.h"

struct host;
struct reverse_part;

/* Reads the listener's block of a checked tree into an arena; never NULL. */
const struct reverse_part *reverse_conf_read(const struct node *listener, struct arena *a);
/* The next server of the pool. */
enum verdict reverse_where(struct xchg *x);
/* Which one that was. */
const struct host *reverse_server_host(struct xchg *x);

#endif
