/* What the running proxy does for those who ask it by its control socket (admin/control.h). */
#ifndef PROXYD_SERVED_H
#define PROXYD_SERVED_H

#include "base/text.h"
#include "core/worker.h"
#include "reload.h"

struct served;

/* Where: `path`, the default for NULL, nowhere for "". NULL: nowhere. The default is root's as long
 * as the process is, so before it becomes another user. */
struct served *served_choose(const char *path);
/* The folder that is the daemon's own, /run/proxyd, becomes that user's, if the socket is there. */
void served_give(struct served *s, unsigned uid, unsigned gid);
/* Claims the place; who asks has to wait until served_start. *note gets a sentence for the start's
 * messages when there is something to say; then *at is NULL. False: *note tells why the proxy must
 * not start; only a path that the administrator has chosen is worth that. */
bool served_open(struct served **at, struct text *note);
/* Serves from now on. NULL is fine. False: *note tells why not, and s is gone. */
bool served_start(struct served *s, struct engine *e, struct reload *r, struct text *note);
/* Nothing more is asked of the workers. Before they drain. NULL is fine. */
void served_end(struct served *s);
/* No more of it; what runs is waited for, so after reload_end. NULL is fine. */
void served_stop(struct served *s);
/* Once the workers and their resolvers are freed. NULL is fine. */
void served_free(struct served *s);
/* Where it listens; empty: nowhere. */
struct slice served_at(const struct served *s);

#endif
