/* A refusal gets an id and is kept, so that its client can ask why it was refused. */
#ifndef CORE_REFUSED_H
#define CORE_REFUSED_H

#include "core/conn/target.h"
#include "core/report/evidence.h"
#include "core/exchange/xchg.h"

/* x is about to be answered for x->fault: if that is the will of the administrator, x->evidence has
 * an id from now on, which is that of the page and of the log, and the refusal is kept. Without
 * memory it has none. */
void refusal_note(struct xchg *x);
/* The same of a tunnel that is ended for it. The ruling's rule may have the rest of the evidence
 * behind it (core/report/evidence.h); area is where it is then, with an id. */
void refusal_note_tunnel(struct worker *w, const struct access_record *r, struct ruling *ruling,
                         char area[EVIDENCE_MOST]);

/* The id that log and page share: of the refusal, or of the exchange. At most REFUSAL_ID bytes. */
void refusal_id(const struct xchg *x, struct text *t);

#endif
