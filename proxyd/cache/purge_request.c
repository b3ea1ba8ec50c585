#include "cache/purge_request.h"

#include "cache/purge.h"
#include "core/exchange/local_reply.h"

bool purge_is_asked_for(const struct xchg *x)
{
    const struct cache_rule *r = notes_of(x)->rule;
    if (!slice_is(x->req.method_text, "PURGE"))
        return false;
    for (u32 i = 0; r && i < r->npurgers; i++)
        if (cidr_has(&r->purgers[i], &x->peer))
            return true;
    return false;
}

enum lookup purge_answer(struct xchg *x)
{
    struct notes *n = notes_of(x);
    struct cache *c = n->use->cache;
    char line[48];
    struct text t = text_in(line, sizeof line);
    const struct cache_url url = url_of(n);
    unsigned gone = purge_url(c, &url);
    stat_add(x->worker->stats, STAT_cache_purged_total, gone);
    text_u64(&t, gone);
    text_lit(&t, " taken out\n");
    reply_begin(x, gone ? 200 : 404, SLICE(""));
    return reply_text(x, SLICE("text/plain"), text_slice(&t)) == ANSWERED ? LOOKUP_HIT
                                                                          : LOOKUP_REFUSED;
}
