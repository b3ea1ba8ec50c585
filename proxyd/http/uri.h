/*
 * Request targets, hosts and paths (RFC 9112 section 3.2, RFC 3986). The one hard thing is that
 * policy and dialling must see the same host however it was spelled: everything is brought to one
 * canonical form here, and what has no such form is refused.
 */
#ifndef HTTP_URI_H
#define HTTP_URI_H

#include "base/addr.h"
#include "base/arena.h"
#include "base/fault.h"
#include "http/msg.h"

/* The name comes last, so that most hosts lie in one cache line. */
struct host {
    struct addr addr; /* of a literal, port 0; else family 0 */
    u8 len;           /* of the name */
    bool literal;
    /* Lower case, no final dot, NUL-terminated; of a literal addr_text, no brackets. */
    char name[256];
};

/* No byte more than there is: a whole one would be five cache lines. */
static inline void host_copy(struct host *to, const struct host *from)
{
    memcpy(to->name, from->name, from->len + 1u);
    to->len = from->len;
    to->literal = from->literal;
    to->addr = from->addr;
}

/* HOST or HOST:PORT; port 0 without one. */
struct authority {
    struct slice text; /* as it was spelled */
    u16 port;
    bool has_port;
    struct host host;
};

enum target_form { TARGET_ORIGIN, TARGET_ABSOLUTE, TARGET_AUTHORITY, TARGET_ASTERISK };

/* Slices point into the target that was parsed, but for a missing path, which is "/". */
struct target_uri {
    enum target_form form;
    struct slice scheme, authority; /* absolute-form; CONNECT has the authority */
    struct slice path_query;        /* as received: see msg_address */
    struct slice path;              /* without query; "/" when missing, "*" for asterisk-form */
    struct slice query;             /* without '?'; p == NULL when there is none */
    bool bare;                      /* absolute-form without path and query (OPTIONS: "*") */
    bool has_port;
    u16 port;         /* 80 for absolute-form without one; 0 for origin-form, "*" */
    struct host host; /* absolute-form and CONNECT; else len 0 */
};

/* The target as everybody may see it, from what stood between the blanks of the request line (at
 * least one byte, none of them a blank or a control). "user:password@" is taken off in
 * absolute-form and CONNECT (in origin-form it is a part of the path): up to the last '@' of the
 * authority, as browsers and curl read it; not when there is a backslash in it, which some take for
 * a slash: target_parse refuses that. A fragment is cut off. path_encode is applied to what is
 * behind the authority; in CONNECT nothing may be there, and nothing is mended. *out is raw itself
 * or a copy in the arena. FAULT_NONE, or out_of_memory (or arena is NULL), and *out is empty. */
enum fault target_take(enum method method, struct slice raw, struct arena *arena,
                       struct slice *out);

/* The length of "user:password@" in `host` when that is the authority of the raw target, byte for
 * byte; else 0. */
size_t target_userinfo(enum method method, struct slice raw, struct slice host);

/* Path or path and query with every byte percent-encoded that RFC 3986 allows in neither: browsers
 * leave [ ] \ ^ | (in a query also ` { }) as they are, curl those and " < > and all from 0x80 on. A
 * '%' stays, whatever follows. Applied twice it is the same. Needs up to three times the room. */
void path_encode(struct text *out, struct slice path);

/* What may be shown of a target that was refused. Where no host and port can be read, everything
 * that may be a password is left out: what is before the last '@' or "%40", and what follows a ':'
 * or '%' in the rest. A piece of the target, perhaps empty. */
struct slice target_shown(struct slice target);

/* Which form is allowed depends on the method: CONNECT takes authority-form only and nothing else
 * takes it; "*" is for OPTIONS. `target` is one of target_take. FAULT_NONE, bad_target, bad_scheme
 * (absolute-form, scheme not http) or bad_connect_target. Userinfo, an empty host, port 0 and an
 * empty port are refused. What is spelled like `host`, the parsed Host field, takes that over
 * instead of being parsed again: clients name their target twice. NULL: there is none, or it was
 * bad. */
enum fault target_parse(enum method method, struct slice target, const struct authority *host,
                        struct target_uri *out);

/* host and port of t as host_write writes them (without 80), where that need not be written: as the
 * name, or as the authority is spelled. p NULL: it has to be. */
struct slice target_authority(const struct target_uri *t);

/* Says in m, as values, what is asked for and of whom: t in origin-form (or "*"), and the authority
 * h with its port (0 or 80: none). Not always the same as path_query: an absolute-form with a query
 * but no path ("http://h?q") has path_query "?q" and the path "/?q". With t's own host comes its
 * own port. h and what t points into must stay as long as m. May be called again. False: no memory.
 */
bool msg_address(struct msg *m, const struct target_uri *t, const struct host *h, u16 port);
/* The same for another proxy, which goes on from there: absolute-form, or CONNECT's authority. */
bool msg_address_proxy(struct msg *m, const struct target_uri *t);

/* A reg-name (letters, digits, '-', '_', labels of 1–63, 253 in all, one final dot dropped;
 * U-labels become A-labels), an
 * IPv4 address in any spelling, or [IPv6] without zone. FAULT_NONE or bad_host. */
enum fault host_parse(struct slice text, struct host *out);

/* The same without brackets round an IPv6 address, as the configuration keeps it. */
enum fault host_parse_bare(struct slice text, struct host *out);

/* HOST or HOST:PORT as in Host and in authorities; *port is 0 without one. Fault as host_parse. */
enum fault authority_parse(struct slice text, struct host *out, u16 *port, bool *has_port);

/* "name", "1.2.3.4", "[v6]"; with ":port" unless port is 0. */
void host_write(struct text *out, const struct host *h, u16 port);

/* RFC 3986 section 6.2.2: %XX in upper case, unreserved characters decoded, dot segments removed.
 * Both never make a path longer. A '%' without two hex digits stays as it is. An empty path is "/".
 * False only when out had no room: the caller must then refuse, not skip, its check. */
bool path_normal(struct text *out, struct slice path);
/* The path as a careless origin may see it: every %XX decoded once, %2F included, then // merged,
 * then dot segments removed. It may hold any byte. */
bool path_folded(struct text *out, struct slice path);

#endif
