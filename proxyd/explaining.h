/*
 * `proxyd explain` asked of the process that runs. The rules are walked on the thread of the
 * control socket's connection; a worker is asked for two things only, which it does in a moment: to
 * hold its configuration, and to look a name up.
 *
 * The hard thing is the end: a worker that has ended answers nothing any more, and its resolver may
 * still know of a look-up. So nobody waits beyond explaining_end, and what was not answered stays
 * until explaining_free.
 */
#ifndef PROXYD_EXPLAINING_H
#define PROXYD_EXPLAINING_H

#include "base/slice.h"
#include "core/worker.h"

struct explaining;

struct explaining *explaining_new(struct engine *e);
/* Nothing more is asked of the workers. Before they drain. */
void explaining_end(struct explaining *x);
/* When the workers' resolvers are freed. NULL is fine. */
void explaining_free(struct explaining *x);

/* As explain_question; blocks while names are looked up. Any thread. */
unsigned explaining_run(struct explaining *x, struct slice question, char **text);

#endif
