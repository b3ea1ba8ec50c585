/*
 * Proxy auto-configuration: the script that a browser fetches to learn for which hosts it should
 * come to the proxy. It is made of a `pac` block and of the policy: what the block calls direct is
 * direct unless the policy denies it, for the network of the client that asks; plain names and
 * loopback are direct because they mean another machine on the other side of a proxy.
 *
 * Scripts are made when a configuration is compiled, one for each network of clients for which
 * block or policy say something else; only the proxy's own address waits for the request. All of it
 * is immutable and lives in an arena; any thread may ask.
 */
#ifndef PAC_PAC_H
#define PAC_PAC_H

#include "base/addr.h"
#include "base/text.h"
#include "config/diag.h"

#define PAC_CONTENT_TYPE "application/x-ns-proxy-autoconfig"

enum {
    PAC_MAX = 32 << 10,     /* bytes of a script that is made; room for pac_write */
    PAC_FILE_MAX = 1 << 20, /* of one that is served from a file, which Chromium takes no longer */
    PAC_NETWORKS = 64,      /* networks of clients that get scripts of their own */
    PAC_PROXIES_MAX = 32,   /* in a row */
};

/* A script around the proxy's own address, or a whole one. */
struct pac_script {
    struct slice before, after;
    u64 print;  /* of both */
    bool whole; /* it does not name that address: all of it is `after` */
};

struct pac;

/* `pac NAME { … }` for clients of a policy, in the arena; either may be NULL: all defaults;
 * everything may be direct. The blocks have been checked without errors. d: told, as warnings, what
 * of `direct` the policy denies and what is left out; NULL: nobody. Reads a file that the block
 * names: never on a worker. */
struct pac *pac_compile(const struct node *block, const struct node *policy, struct arena *a,
                        struct diags *d);
/* The script for that client. */
const struct pac_script *pac_for(const struct pac *p, const struct addr *client);
/* How long a browser may keep it, in seconds. */
u32 pac_max_age(const struct pac *p);
/* Networks whose clients get other scripts than the rest: for tests over all of them. */
u32 pac_networks(const struct pac *p);
struct cidr pac_network_at(const struct pac *p, u32 i);

/* Appends the script for a proxy whose own address, as the client knows it, is `own`
 * ("127.0.0.1:3128", "[::1]:3128"): at most PAC_MAX or PAC_FILE_MAX bytes when own has 320. */
void pac_write(struct text *out, const struct pac_script *s, struct slice own);
/* Appends its entity tag, with quotes (RFC 9110 section 8.8.3). */
void pac_tag(struct text *out, const struct pac_script *s, struct slice own);

/* s within quotes of a script: a byte that cannot stand in HOST:PORT is escaped. */
void pac_escape(struct text *out, struct slice s);
/* FNV-1a of s behind what `before` is of; before 0: nothing. */
u64 pac_print(u64 before, struct slice s);

#endif
