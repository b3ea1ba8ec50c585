#include "look_up.h"

#include <stdlib.h>

#include "base/must.h"
#include "core/worker.h"

/* Half an answer is waited for so long. */
enum { TURN_MS = 50, PATIENCE_MS = 500 };

struct looking_up {
    struct loop loop;
    struct stats stats;
    struct dns_shared *shared;
    struct dns *dns;
};

struct one {
    struct dns_wait wait; /* first: it is the wait */
    bool done;
};

struct dns_conf_io look_up_conf(const struct dns_conf *c)
{
    struct dns_conf_io io = { .nservers = c->nservers,
                              .timeout_ms = c->timeout,
                              .search = c->search,
                              .no_edns = !c->edns,
                              .hosts_path = c->hosts };
    memcpy(io.servers, c->servers, c->nservers * sizeof io.servers[0]);
    return io;
}

static void on_done(struct dns_wait *w)
{
    ((struct one *)w)->done = true;
}

static void ask(void *ctx, struct slice name, struct dns_answer *out)
{
    struct looking_up *l = ctx;
    u64 began = loop_ms(&l->loop);
    do {
        struct one one = { .wait.done = on_done };
        one.done = dns_lookup(l->dns, name, NULL, &one.wait);
        while (!one.done)
            loop_turn(&l->loop, TURN_MS);
        *out = one.wait.answer;
        if (out->open)
            loop_turn(&l->loop, TURN_MS);
    } while (out->open && loop_ms(&l->loop) - began < PATIENCE_MS);
}

static bool search(void *ctx, struct slice name, struct text *out)
{
    struct looking_up *l = ctx;
    return dns_search(l->shared, name, out);
}

struct looking_up *look_up_open(const struct dns_conf *c, struct lookup *out)
{
    struct looking_up *l = must_zalloc(sizeof *l);
    struct dns_conf_io io = look_up_conf(c);
    *out = (struct lookup){ search, ask, l };
    l->shared = dns_shared_new(&io);
    if (l->shared == NULL || !loop_init(&l->loop, l)) {
        if (l->shared)
            dns_shared_free(l->shared);
        free(l);
        return NULL;
    }
    l->dns = dns_new(l->shared, &l->loop, &l->stats, TIMER_DNS);
    return l;
}

void look_up_close(struct looking_up *l)
{
    if (l == NULL)
        return;
    dns_free(l->dns);
    loop_free(&l->loop);
    dns_shared_free(l->shared);
    free(l);
}
