#include "environment.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/must.h"
#include "filters/addrclass.h"

struct environment {
    struct offload_job addresses;
    _Atomic bool busy; /* that job is posted */
};

static void read_addresses(struct offload_job *job)
{
    (void)job;
    addrclass_refresh_local();
}

static void addresses_read(struct offload_job *job)
{
    atomic_store(&container_of(job, struct environment, addresses)->busy, false);
}

static bool look_at_hosts(void *dns)
{
    return dns_shared_refresh_hosts(dns);
}

/* One that cannot be read leaves the resolvers that there are, until it changes again. */
static bool look_at_resolv_conf(void *dns)
{
    dns_shared_refresh_servers(dns);
    return true;
}

struct environment *environment_new(struct watcher *w, const struct dns_conf *conf,
                                    struct dns_shared *dns)
{
    struct environment *e = must_zalloc(sizeof *e);
    e->addresses.kind = JOB_machine_addresses;
    e->addresses.run = read_addresses;
    e->addresses.done = addresses_read;
    struct watch_conf hosts = { conf->hosts, JOB_hosts_file, look_at_hosts, NULL, dns };
    struct watch_conf resolvers = { "/etc/resolv.conf", JOB_resolv_conf, look_at_resolv_conf, NULL,
                                    dns };
    if (conf->hosts)
        (void)watch_begin(w, &hosts);
    if (conf->nservers == 0)
        (void)watch_begin(w, &resolvers);
    return e;
}

void environment_tick(struct environment *e, struct offload *o)
{
    if (!atomic_exchange(&e->busy, true) && !offload_post(o, &e->addresses))
        atomic_store(&e->busy, false);
}

void environment_free(struct environment *e)
{
    free(e);
}
