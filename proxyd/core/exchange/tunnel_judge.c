/*
 * What the role says of a tunnel: once of what its client begins with, and again whenever another
 * configuration is in force. Of a CONNECT the client's first bytes may be held until the role has
 * seen them (tunnel_hold): they stay in its buffer and go on as they came. What is being looked at
 * while the configuration changes is decided again only once it is known.
 */
#include "core/exchange/account.h"
#include "core/exchange/refused.h"
#include "core/exchange/role.h"
#include "core/exchange/tunnel_inside.h"
#include "core/common/snapshot.h"

/* ---- the client's first bytes ---- */

/* The listener that is at the tunnel's address now. NULL: one that has gone, or a role that decides
 * nothing about tunnels, has no say: what runs there ends by itself. */
static const struct listener *judge_of(const struct tunnel *t)
{
    return t->record->decided ? snapshot_listener(t->worker->snapshot, t->record->at) : NULL;
}

static enum look refuse(struct tunnel *t, enum fault f)
{
    tunnel_end_abruptly(t, f);
    return LOOK_GONE;
}

static enum look inspect(struct tunnel *t, struct slice first)
{
    const struct listener *l = judge_of(t);
    struct inspected i;
    if (l == NULL || l->role->inspect == NULL)
        return LOOK_PASS;
    i.ruling = (struct ruling){ .fault = FAULT_NONE };
    i.name = SLICE("");
    i.named = false;
    i.answered = t->direction[1].moved > 0;
    enum inspection said = l->role->inspect(t->worker, l, t->record, first, &i);
    if (said == INSPECT_MORE)
        return LOOK_MORE;
    char evidence[EVIDENCE_MOST];
    refusal_note_tunnel(t->worker, t->record, &i.ruling, evidence);
    account_inspected(&t->record, &i);
    return said == INSPECT_PASS ? LOOK_PASS : refuse(t, i.ruling.fault);
}

/* From now on the rest of it has to come in time. */
static void await_rest(struct tunnel *t)
{
    u32 limit = t->worker->snapshot->conf.timeouts.head;
    u64 at = limit == UINT32_MAX ? TIMER_NEVER : worker_ms(t->worker) + limit;
    if (t->direction[0].held == HELD_PARTLY)
        return;
    t->direction[0].held = HELD_PARTLY;
    if (t->ends_ms == 0 || at < t->ends_ms)
        t->ends_ms = at;
    tunnel_arm(t);
}

/* An end without a byte is as good as any. */
static enum look look(struct tunnel *t)
{
    const struct tunnel_end *from = &t->end[0];
    struct slice run;
    for (;;) {
        enum flow f = from->ops->in.peek(from->self, &run);
        enum look seen = f == FLOW_OK ? inspect(t, run) : f == FLOW_WAIT ? LOOK_MORE : LOOK_PASS;
        if (seen != LOOK_MORE)
            return seen;
        if (f == FLOW_OK)
            await_rest(t);
        switch (from->ops->in.fill(from->self)) {
        case FLOW_OK: break;
        case FLOW_WAIT: return LOOK_MORE;
        case FLOW_END: return refuse(t, FAULT_client_closed);
        case FLOW_FAULT: tunnel_end_broken(t); return LOOK_GONE;
        }
    }
}

enum look tunnel_look_at_first(struct tunnel *t)
{
    enum look seen = look(t);
    if (seen != LOOK_PASS)
        return seen;
    bool waited = t->direction[0].held == HELD_PARTLY;
    t->direction[0].held = HELD_NOT;
    if (unlikely(waited)) { /* its deadline may have stood for that of another configuration */
        t->ends_ms = 0;
        tunnel_recheck(t);
    }
    return seen;
}

/* ---- decided again ---- */

static struct ruling decide(const struct tunnel *t, u32 *grace_ms)
{
    const struct listener *l = judge_of(t);
    *grace_ms = 0;
    if (l == NULL || l->role->recheck == NULL)
        return (struct ruling){ .fault = FAULT_NONE };
    return l->role->recheck(t->worker, l, t->record, grace_ms);
}

void tunnel_recheck(struct tunnel *t)
{
    u32 grace_ms;
    if (t->direction[0].held == HELD_PARTLY) /* once it is known */
        return;
    if (decide(t, &grace_ms).fault == FAULT_NONE)
        t->ends_ms = 0;
    else if (t->ends_ms == 0)
        t->ends_ms = worker_ms(t->worker) + grace_ms;
    else
        return; /* the grace that it was given goes on */
    tunnel_arm(t);
}

void tunnel_end_denied(struct tunnel *t)
{
    u32 grace_ms;
    struct ruling r = decide(t, &grace_ms);
    if (r.fault == FAULT_NONE) {
        t->ends_ms = 0;
        tunnel_arm(t);
        return;
    }
    char evidence[EVIDENCE_MOST];
    refusal_note_tunnel(t->worker, t->record, &r, evidence);
    account_rule(&t->record, &r);
    tunnel_end_early(t, r.fault);
}
