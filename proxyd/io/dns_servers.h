/*
 * The resolvers that are asked: those of the configuration, or the system's from resolv.conf, which
 * may change while the proxy runs (a network that comes up, a VPN, DHCP).
 *
 * A set of servers never changes; another one takes its place. Who asks holds the set it began
 * with, so a question under way is finished by whom it was put to. What is learned of a server
 * (that it is better asked without EDNS) stands in its set and is all workers'.
 */
#ifndef IO_DNS_SERVERS_H
#define IO_DNS_SERVERS_H

#include <stdatomic.h>

#include "base/addr.h"

enum {
    DNS_SERVERS = 8,
    /* How long a server that failed with EDNS is asked without. It may be another one by then:
     * the router has new firmware, the laptop another network. */
    DNS_PLAIN_MS = 15 * 60 * 1000
};

struct dns_server {
    struct addr addr;        /* port never 0 */
    _Atomic u64 plain_until; /* ms: asked without EDNS before */
    _Atomic u32 mute;        /* so many times in a row silent with EDNS and heard without */
};

struct dns_servers {
    _Atomic u32 users;
    unsigned n; /* at least 1 */
    struct dns_server server[DNS_SERVERS];
};

bool dns_server_is_plain(const struct dns_server *s, u64 now_ms);
/* It gave a usable answer with EDNS. */
void dns_server_speaks_edns(struct dns_server *s);
/* It gave one without EDNS only. answered: with EDNS it gave one of no use; otherwise nothing at
 * all, which may be a lost packet and counts from the second time on. True: it is remembered from
 * now on. */
bool dns_server_lacks_edns(struct dns_server *s, bool answered, u64 now_ms);

/* The lines `nameserver ADDRESS` of a resolv.conf, at most DNS_SERVERS; port 53 where there is none
 * (ADDRESS:PORT and [V6]:PORT are an extension that c-ares knows too). What cannot be read is
 * passed over, a scoped address too. Returns how many. */
unsigned dns_servers_parse(struct slice text, struct addr out[DNS_SERVERS]);

/* The set in force. */
struct dns_server_list;

/* n 0: the servers of the file at path are taken and dns_server_list_refresh looks for others; a
 * file that is missing, empty or unreadable means 127.0.0.1, as resolv.conf(5) has it. Blocks on
 * the disk. Never NULL. */
struct dns_server_list *dns_server_list_new(const struct addr *servers, unsigned n,
                                            const char *path);
void dns_server_list_free(struct dns_server_list *l);
/* Reads the file again if it has changed; without a server in it the last ones stay. Blocks on the
 * disk; one call at a time. True: another set is in force. */
bool dns_server_list_refresh(struct dns_server_list *l);
/* The set in force, for dns_servers_release; any thread. */
struct dns_servers *dns_servers_hold(struct dns_server_list *l);
void dns_servers_release(struct dns_servers *s);
/* Is a set that the caller holds still the one? Any thread, no lock. */
bool dns_servers_in_force(const struct dns_server_list *l, const struct dns_servers *s);

#endif
