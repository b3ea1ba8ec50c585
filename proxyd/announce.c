/* A wildcard is nothing to connect to, and a transparent listener nothing to ask: what is said has
 * to be a command that works. */
#include "announce.h"

#include "cache/cache.h"
#include "core/exchange/role.h"
#include "modes.h"
#include "notify.h"
#include "served.h"

/* A command that reaches the listener from this machine: a wildcard is nothing to connect to. */
static void suggest(const struct listener *l, u32 nworkers)
{
    char area[ADDR_TEXT];
    struct text at = text_in(area, sizeof area);
    struct addr a = l->at->addr;
    const struct mode *mode = mode_find(slice_of(l->role->name));
    if (addr_is_wildcard(&a))
        a = addr_loopback(l->at->both_families ? AF_INET : a.family, a.port);
    addr_text_port(&at, &a);
    if (mode->before[0] == 0 && mode->after[0] == 0) {
        process_say("%u worker%s; the network has to lead connections to %.*s: proxyd nft",
                    nworkers, nworkers == 1 ? "" : "s", SLICE_FMT(text_slice(&at)));
        return;
    }
    process_say("%u worker%s; try: curl %s%.*s%s", nworkers, nworkers == 1 ? "" : "s", mode->before,
                SLICE_FMT(text_slice(&at)), mode->after);
}

/* As a configuration has it: "64m". */
static void put_size(struct text *t, u64 n)
{
    static const char units[] = "kmgt";
    unsigned u = 0;
    while (n && n % 1024 == 0 && u < sizeof units - 1) {
        n /= 1024;
        u++;
    }
    text_u64(t, n);
    if (u)
        text_char(t, units[u - 1]);
}

static void tell_of_cache(const struct cache_conf *c)
{
    char area[64];
    struct text t = text_in(area, sizeof area - 1);
    text_lit(&t, "memory ");
    put_size(&t, c->memory);
    if (c->path) {
        text_lit(&t, ", disk ");
        put_size(&t, c->size);
    } else if (c->own_path) {
        text_lit(&t, "; no disk, as there is no home");
    }
    area[t.n] = 0;
    process_say("cache %.*s: %s%s%s", SLICE_FMT(c->name), area, c->path ? " in " : "",
                c->path ? c->path : "");
}

void announce(const struct process *p)
{
    const struct snapshot *s = process_newest(p);
    for (u32 i = 0; i < s->nlisteners; i++) {
        const struct listener *l = &s->listeners[i];
        process_say("listener %.*s: %s on %.*s", SLICE_FMT(l->name), l->role->name,
                    SLICE_FMT(l->text));
    }
    for (u32 i = 0; i < s->nstores; i++)
        tell_of_cache(&cache_use_of(s->stores[i].store)->conf);
    if (p->admin_conf.on)
        process_say("admin on %.*s: / /healthz /readyz /metrics /status",
                    SLICE_FMT(p->admin_conf.text));
    if (p->served)
        process_say("control at %.*s: proxyd reload, proxyd ctl", SLICE_FMT(served_at(p->served)));
    if (s->nlisteners)
        suggest(&s->listeners[0], p->engine.nworkers);
}

void announce_status(struct process *p)
{
    const char *why;
    if (process_is_ready(&why))
        why = "serving";
    if (p->status == why)
        return;
    p->status = why;
    notify_status(why);
}
