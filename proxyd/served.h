/* What the running proxy does for those who ask it by its control socket (admin/control.h). */
#ifndef PROXYD_SERVED_H
#define PROXYD_SERVED_H

#include "base/text.h"
#include "core/worker.h"
#include "reload.h"

struct served;

/* Claims `path` (NULL: the default; "": nowhere, *out is NULL); who asks has to wait until
 * served_start. *note gets a sentence for the start's messages when there is something to say.
 * False: *note tells why the proxy must not start; only a path that the administrator has chosen is
 * worth that. */
bool served_open(const char *path, struct served **out, struct text *note);
/* Serves from now on. NULL is fine. False: *note tells why not, and s is gone. */
bool served_start(struct served *s, struct engine *e, struct reload *r, struct text *note);
/* Nothing more is asked of the workers. Before they drain. NULL is fine. */
void served_end(struct served *s);
/* No more of it; what runs is waited for, so after reload_end. NULL is fine. */
void served_stop(struct served *s);
/* Where it listens; empty: nowhere. */
struct slice served_at(const struct served *s);

#endif
