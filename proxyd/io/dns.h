/*
 * Names to addresses without ever blocking: a hosts table, a process-wide cache, and c-ares
 * channels of each worker for what neither knows.
 *
 * The hard thing is that one question may be asked on every worker at once (single flight). The
 * worker that asks owns the flight; the others park their dns_wait in the cache's entry and are
 * woken through their own call queue. A dns_wait is therefore only touched under locks (table in
 * dns_cache.h) until `done` runs or dns_cancel has returned, both on its owner's thread.
 *
 * How long an answer lives: TTL clamped to 1 s to 5 min (no address or no such name: 1 to 30 s,
 * from the SOA, RFC 2308), asked anew in the background when used in its last tenth, served stale
 * for 1 h more when the resolver fails (RFC 8767), never when it says that the name does not exist.
 */
#ifndef IO_DNS_H
#define IO_DNS_H

#include "base/addr.h"
#include "base/fault.h"
#include "base/stat.h"
#include "io/dns_servers.h"
#include "io/loop.h"

enum { DNS_ADDRESSES = 16, DNS_PER_FAMILY = 8, DNS_NAME = 253 };

struct dns_conf_io {
    struct addr servers[DNS_SERVERS]; /* port 0 means 53 */
    unsigned nservers;                /* 0: those of resolv_conf, and read again when it changes */
    const char *resolv_conf;          /* NULL: /etc/resolv.conf */
    bool no_edns;                     /* never ask with EDNS, RFC 6891 */
    u32 timeout_ms;                   /* bound of one look-up, all tries together; 0: 2000 */
    struct slice search;              /* domain without leading or final dot, or empty */
    const char *hosts_path;           /* NULL: no hosts file */
    /* Closes something idle when a question finds no descriptor; false: there is nothing. Called on
     * the loop's thread with its context. NULL: nothing ever is. */
    bool (*make_room)(void *context);
};

/* What all workers share: cache, hosts table, configuration. Outlives every struct dns on it. */
struct dns_shared;

/* Reads resolv.conf (when no server is given) and the hosts file; call on a thread that may block.
 * A hosts file that cannot be read is an empty one, a resolv.conf without a server means 127.0.0.1.
 * NULL when c-ares cannot start. conf is copied. */
struct dns_shared *dns_shared_new(const struct dns_conf_io *conf);
/* After the last dns_free. */
void dns_shared_free(struct dns_shared *s);
/* Reads the hosts file again if its time or size changed. It blocks on the disk: on an offload
 * thread, one call at a time. False: it cannot be read now, and what was read before stays. */
bool dns_shared_refresh_hosts(struct dns_shared *s);
/* Reads resolv.conf again if it changed and no server was given; questions under way are finished
 * by whom they were put to, the next ones go to the new servers, and what is in the cache has to be
 * asked anew. It blocks on the disk, as above; one call at a time. True: they are others. */
bool dns_shared_refresh_servers(struct dns_shared *s);
/* `search D`: a name without a dot gets .D appended, unless the hosts file knows it or it is
 * localhost. The caller applies it before rules match. False: nothing to do, out untouched. */
bool dns_search(const struct dns_shared *s, struct slice name, struct text *out);
/* Names in the cache and the bytes they take, for metrics and tests; any thread. */
u64 dns_shared_names(struct dns_shared *s);
u64 dns_shared_bytes(struct dns_shared *s);

/* One worker's resolver; every function on it belongs to its loop's thread. */
struct dns;

/* timer_kind: slot of loop->wheel.on_expire, which is set to dns_on_timer. Never NULL. */
struct dns *dns_new(struct dns_shared *s, struct loop *loop, struct stats *stats, u8 timer_kind);
/* Waits that are still parked are forgotten, `done` is not called; their memory must still be
 * there. The loop must not turn again. */
void dns_free(struct dns *d);
void dns_on_timer(struct timer *t);

/* addr[0, nv6) is IPv6, addr[nv6, n) IPv4, each in the resolver's order, ports 0. Either n > 0 and
 * fault is FAULT_NONE, or n is 0 and fault one of dns_nxdomain, dns_no_address, dns_failure,
 * dns_timeout, out_of_descriptors (which nobody remembers). */
struct dns_answer {
    enum fault fault;
    u8 n;
    u8 nv6;
    bool stale;   /* the resolver failed; these are its last good addresses */
    bool open;    /* n > 0, and the other family may still come: look up again a little later */
    u8 preferred; /* AF_INET or AF_INET6 when dns_note_winner noted it within 10 min, else 0 */
    struct addr addr[DNS_ADDRESSES];
};

struct dns_ready;
struct dns_shard;

/* Embedded in the caller's object; the caller sets `done`, the rest is written here. Zeroed memory
 * with done set is ready for dns_lookup, and for dns_cancel. */
struct dns_wait {
    struct list link; /* in the list of an entry or of a ready queue */
    void (*done)(struct dns_wait *);
    struct dns_answer answer;
    struct dns_ready *ready_queue; /* of its worker; NULL: waits for nothing */
    struct dns_shard *shard;       /* whose lock guards it while parked */
    bool ready;                    /* moved from the entry to the ready_queue */
};

/* True: w->answer is filled now (hosts, cache, also negative) and done is not called. False:
 * parked, done is called later on this loop's thread, never from within dns_lookup. client: in
 * whose share of the questions in flight it falls (dns_turn.h); NULL: the proxy's own. name: lower
 * case, no final dot, not a literal; one that cannot be a host name (longer than 253, label empty
 * or longer than 63, controls, backslash) does not exist. */
bool dns_lookup(struct dns *d, struct slice name, const struct addr *client, struct dns_wait *w);
/* After it done is never called; the flight goes on for the cache. Harmless when nothing waits. */
void dns_cancel(struct dns *d, struct dns_wait *w);
/* Which family's connection won (RFC 8305): a hint for the next 10 min, unless the cache has
 * forgotten the name. */
void dns_note_winner(struct dns *d, struct slice name, sa_family_t family);

#endif
