/* Clients that are turned away before anything is kept for them. */
#ifndef CORE_REJECT_H
#define CORE_REJECT_H

#include "base/addr.h"
#include "core/worker.h"

/* The client cannot be served now: a short answer with the fault's status, if one is due, and a
 * close. */
void client_reject(struct worker *w, int fd, enum fault f);
/* Tells in the error log, now and then, that an address has come to its limit. */
void client_log_crowd(struct worker *w, const struct addr *peer);

#endif
