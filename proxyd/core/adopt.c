#include "core/adopt.h"

#include <stdlib.h>

#include "base/must.h"
#include "core/codec/conn_end.h"
#include "core/codec/server.h"
#include "core/thread.h"

/* On the worker's thread, when w->snapshot is the new one already; `old` is still there. */
static void (*const adopters[])(struct worker *w, struct snapshot *old) = {
    thread_adopt_memory,
    client_adopt,
    conn_end_adopt,
};

struct adoption {
    struct call call;
    struct snapshot *snapshot;
    void *opened;
};

/* The worker has held `next` since it was published. */
static void adopt(struct worker *w, struct snapshot *next, void *opened)
{
    struct snapshot *old = w->snapshot;
    if (w->engine->accepting.change)
        w->engine->accepting.change(w, next, opened);
    if (next == old)
        return;
    w->snapshot = next;
    old->use[w->id].n++; /* nobody below may free it */
    for (unsigned i = 0; i < countof(adopters); i++)
        adopters[i](w, old);
    snapshot_unpin(w, &old);
}

static void run_adoption(struct call *l, void *receiver)
{
    struct adoption *a = container_of(l, struct adoption, call);
    struct worker *w = receiver;
    must(a->snapshot->generation >= w->snapshot->generation);
    adopt(w, a->snapshot, a->opened);
    atomic_fetch_add(&w->engine->adopted, 1);
    free(a);
}

void adopt_publish(struct engine *e, struct snapshot *s, void *const *opened)
{
    struct snapshot *old = atomic_load(&e->newest);
    must(s->nworkers >= e->nworkers && adopt_done(e));
    s->generation = old->generation + 1;
    atomic_fetch_add(&s->holders, e->nworkers);
    (void)snapshot_replace_newest(e, s);
    for (u32 i = 0; i < e->nworkers; i++) {
        struct adoption *a = must_zalloc(sizeof *a);
        *a = (struct adoption){ { NULL, run_adoption }, s, opened ? opened[i] : NULL };
        e->published++;
        loop_post(&e->workers[i]->loop, &a->call);
    }
    snapshot_let_go(e, old);
}

bool adopt_done(const struct engine *e)
{
    return atomic_load(&e->adopted) == e->published;
}

void adopt_first(struct worker *w)
{
    w->snapshot = atomic_load(&w->engine->newest);
    atomic_fetch_add(&w->snapshot->holders, 1);
}

void adopt_newest(struct worker *w)
{
    struct snapshot *newest = atomic_load(&w->engine->newest);
    if (newest != w->snapshot)
        adopt(w, newest, NULL);
}
