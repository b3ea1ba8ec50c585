/*
 * What changes outside while the proxy runs: the hosts file and resolv.conf, which are read again
 * when they change, and this machine's addresses, which are read again now and then. All of it is
 * done by offload threads, for a file may stand on a disk that has gone away.
 */
#ifndef PROXYD_ENVIRONMENT_H
#define PROXYD_ENVIRONMENT_H

#include "core/conf.h"
#include "io/dns.h"
#include "io/watch.h"

struct environment;

/* Follows the files that dns was made from. dns has to outlive the offload threads. */
struct environment *environment_new(struct watcher *w, const struct dns_conf *conf,
                                    struct dns_shared *dns);
/* This machine's addresses are read again soon, unless the last reading has not ended yet. */
void environment_tick(struct environment *e, struct offload *o);
/* After offload_free and watcher_free. */
void environment_free(struct environment *e);

#endif
