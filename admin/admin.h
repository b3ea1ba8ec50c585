/*
 * The admin listener: health, readiness, metrics and version for machines, on a thread of its own
 * so that a scrape never waits for the data path nor the other way round. libmicrohttpd speaks the
 * HTTP. It shares nothing with the workers but the counters (relaxed sums; those of rules by the
 * registry) and the `ready` callback.
 *
 *   GET /          a page for people: overview.h
 *   GET /healthz   200 "ok" while the process lives
 *   GET /readyz    200 "ready", or 503 with the reason
 *   GET /metrics   Prometheus text
 *   GET /status    the same as JSON, or the page for a browser
 *   GET /version   the version
 *
 *   POST /cache/purge   admin/purge.h
 *
 * Else GET and HEAD only. A Host that is a name is refused (403), except localhost: otherwise any
 * web page could point a name of its own at 127.0.0.1 and read these through the user's browser.
 *
 * Lifetime: admin_start … admin_stop, both on the main thread. After admin_stop returns the thread
 * is gone and `ready` is not called any more.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "admin/conf.h"
#include "base/addr.h"
#include "core/worker.h"

struct admin;

/* True: new work is taken. Else *why is one clause for people, a string that outlives the admin.
 * Called on the admin thread. */
typedef bool admin_ready_fn(const char **why);

/* A socket that listens (on [::] for IPv4 too, if both_families). -1: `error` (of n bytes) says
 * why, in one clause. */
int admin_listen(const struct addr *bind, bool both_families, char *error, size_t n);
/* Answers on a listening socket from now on; it is closed by admin_stop, and also when this fails.
 * NULL: `error` says why. */
struct admin *admin_start(int fd, const struct admin_conf *conf, admin_ready_fn *ready,
                          struct engine *engine, char *error, size_t n);
/* NULL is fine. */
void admin_stop(struct admin *a);

#endif
