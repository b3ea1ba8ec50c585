/* What is kept is what a rule, a port, an address class or a missing list has refused. A client
 * that may not use the proxy at all may not ask it either. */
#include "core/exchange/refused.h"

#include "core/exchange/account.h"
#include "core/report/refusals.h"

static bool is_kept(const struct worker *w, enum fault f)
{
    bool denied = fault_info(f)->whose == FAULT_OF_POLICY && f != FAULT_client_not_allowed;
    return w->engine->refusals && (denied || f == FAULT_list_missing);
}

/* With an id of its own, and the time; *t gets what it rests upon. */
static void keep(const struct worker *w, const struct refusal_entry *e, struct text *t)
{
    char id[REFUSAL_ID];
    struct refusal_entry kept = *e;
    refusals_make_id(id);
    kept.evidence.id = (struct slice){ id, sizeof id };
    kept.wall_us = w->loop.now.wall_us;
    evidence_write(t, &kept.evidence);
    refusals_add(w->engine->refusals, &kept);
}

void refusal_note(struct xchg *x)
{
    if (!is_kept(x->worker, x->fault) || !x->role->explains)
        return;
    char *area = arena_try(&x->arena, EVIDENCE_MOST);
    if (area == NULL)
        return;
    struct text t = text_in(area, EVIDENCE_MOST);
    struct refusal_entry e = { .client = x->peer,
                               .status = x->resp.status,
                               .fault = x->fault,
                               .method = x->req.method_text,
                               .target = x->req.target,
                               .user = x->user,
                               .reason = x->reason,
                               .evidence = evidence_read(xchg_evidence(x)) };
    keep(x->worker, &e, &t);
    x->evidence = text_slice(&t);
}

void refusal_note_tunnel(struct worker *w, const struct access_record *r, struct ruling *ruling,
                         char area[EVIDENCE_MOST])
{
    if (!is_kept(w, ruling->fault))
        return;
    struct text t = text_in(area, EVIDENCE_MOST);
    struct refusal_entry e = { .client = r->client,
                               .fault = ruling->fault,
                               .method = access_record_string(r, STRING_METHOD),
                               .target = access_record_string(r, STRING_TARGET),
                               .user = access_record_string(r, STRING_USER),
                               .reason = ruling->reason,
                               .evidence = evidence_read(ruling->rule) };
    keep(w, &e, &t);
    ruling->rule = text_slice(&t);
}

void refusal_id(const struct xchg *x, struct text *t)
{
    struct evidence e = evidence_read(xchg_evidence(x));
    char id[REQUEST_ID_TEXT];
    account_id_text(id, x->worker, x->id);
    text_add(t, e.id.n ? e.id : (struct slice){ id, sizeof id });
}
