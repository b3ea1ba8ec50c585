/*
 * The parts of name resolution that are one for the process: the cache's shards, the hosts file and
 * the list of resolvers, made, counted, read again and freed. Blocks on the disk where it opens a
 * file.
 */
#include <stdlib.h>

#include "base/must.h"
#include "io/dns_store.h"
#include "io/hosts.h"

static char *copy_of(struct slice s)
{
    char *p = must_alloc(s.n + 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return p;
}

struct dns_shared *dns_cache_of_conf(const struct dns_conf_io *conf)
{
    struct dns_shared *s = aligned_alloc(CACHE_LINE, sizeof *s);
    must(s != NULL);
    memset(s, 0, sizeof *s);
    s->conf = *conf;
    s->search = copy_of(conf->search);
    s->conf.search = (struct slice){ s->search, conf->search.n };
    s->conf.hosts_path = NULL;
    for (unsigned i = 0; i < SHARDS; i++) {
        struct dns_shard *d = &s->shard[i];
        pthread_mutex_init(&d->lock, NULL);
        d->bucket = must_zalloc(FIRST_BUCKETS * sizeof(void *));
        d->mask = FIRST_BUCKETS - 1;
        list_init(&d->ages);
    }
    s->hosts = hosts_file_new(conf->hosts_path);
    s->servers = dns_server_list_new(conf->servers, conf->nservers,
                                     conf->resolv_conf ? conf->resolv_conf : "/etc/resolv.conf");
    s->conf.resolv_conf = NULL;
    return s;
}

void dns_cache_free(struct dns_shared *s)
{
    for (unsigned i = 0; i < SHARDS; i++) {
        struct dns_shard *d = &s->shard[i];
        struct list *n;
        while ((n = list_pop(&d->ages)) != NULL)
            dns_entry_free(container_of(n, struct dns_entry, age));
        free(d->bucket);
        pthread_mutex_destroy(&d->lock);
    }
    hosts_file_free(s->hosts);
    dns_server_list_free(s->servers);
    free(s->search);
    free(s);
}

const struct dns_conf_io *dns_cache_conf(const struct dns_shared *s)
{
    return &s->conf;
}

struct dns_server_list *dns_cache_servers(const struct dns_shared *s)
{
    return s->servers;
}

static u64 sum(struct dns_shared *s, bool bytes)
{
    u64 total = 0;
    for (unsigned i = 0; i < SHARDS; i++) {
        struct dns_shard *d = &s->shard[i];
        pthread_mutex_lock(&d->lock);
        total += bytes ? d->bytes + (d->mask + 1ull) * sizeof(void *) : d->n;
        pthread_mutex_unlock(&d->lock);
    }
    return total;
}

u64 dns_shared_names(struct dns_shared *s)
{
    return sum(s, false);
}

u64 dns_shared_bytes(struct dns_shared *s)
{
    return sum(s, true);
}

/* What other servers answered, that a name does not exist above all, need not hold any more.
 * Addresses may still stand in when the new ones fail. */
static void expire_all(struct dns_shared *s)
{
    for (unsigned i = 0; i < SHARDS; i++) {
        struct dns_shard *d = &s->shard[i];
        pthread_mutex_lock(&d->lock);
        for (struct list *n = d->ages.next; n != &d->ages; n = n->next)
            container_of(n, struct dns_entry, age)->fresh_until = 0;
        pthread_mutex_unlock(&d->lock);
    }
}

bool dns_shared_refresh_servers(struct dns_shared *s)
{
    bool others = dns_server_list_refresh(s->servers);
    if (others)
        expire_all(s);
    return others;
}

bool dns_shared_refresh_hosts(struct dns_shared *s)
{
    return hosts_file_refresh(s->hosts);
}

bool dns_cache_hosts(const struct dns_shared *s, struct slice name, struct dns_answer *out)
{
    unsigned n = hosts_file_find(s->hosts, name, out->addr, &out->nv6);
    if (n == 0)
        return false;
    out->fault = FAULT_NONE;
    out->n = (u8)n;
    out->stale = out->open = false;
    out->preferred = 0;
    return true;
}

bool dns_search(const struct dns_shared *s, struct slice name, struct text *out)
{
    struct dns_answer known;
    if (s->conf.search.n == 0 || name.n == 0 || slice_find(name, '.') || slice_find(name, ':') ||
        slice_eq(name, SLICE("localhost")) || dns_cache_hosts(s, name, &known))
        return false;
    text_add(out, name);
    text_char(out, '.');
    text_add(out, s->conf.search);
    return true;
}
