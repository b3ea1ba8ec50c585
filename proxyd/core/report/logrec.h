/*
 * What a worker puts on its log ring: fixed part plus strings, formatted later by the writer
 * thread. Times are microseconds; strings follow the struct in the order of their lengths,
 * unescaped.
 */
#ifndef CORE_LOGREC_H
#define CORE_LOGREC_H

#include "base/addr.h"
#include "base/cached.h"
#include "base/fault.h"
#include "core/conf.h"
#include "core/intercepted.h"

enum log_kind { LOG_ACCESS, LOG_ERROR };

/* The strings of an access record, in this order; an error record has its message in the first. */
enum log_string {
    STRING_METHOD,
    STRING_TARGET,
    STRING_HOST, /* where the target does not name it; of a CONNECT: see `named` */
    STRING_RULE, /* with what it rests upon: core/report/evidence.h */
    STRING_LISTENER,
    STRING_REASON,
    STRING_PROTOCOL,
    STRING_SHADOW,  /* a rule that only says what it would have done */
    STRING_USER,    /* an identity: a name, and behind NULs its groups */
    STRING_REFERER, /* this and what follows is empty unless some log wants it (enum log_want) */
    STRING_AGENT,
    STRING_TYPE,
    LOG_STRINGS
};

struct log_head {
    u16 kind : 2;
    u16 level : 2;   /* LOG_ERROR */
    u16 status : 12; /* LOG_ACCESS; 0: no answer was sent */
    u16 length[LOG_STRINGS];
    u8 told;   /* LOG_ACCESS: intercepted_told; UNCONFIRMED: STRING_HOST is that name */
    u8 cached; /* LOG_ACCESS: enum cached */
    u8 kept;   /* enum kept; only where it is a miss or a bypass */
    u64 wall_us;
};

/* LOG_ACCESS. An idle tunnel keeps one: 136 bytes. */
struct access_record {
    struct log_head head;
    u64 id;
    /* From and to the client, heads included; of a tunnel only what went through it. */
    u64 bytes_in, bytes_out;
    u64 total_us : 46; /* since the request head was complete: 2 years */
    u64 fault : 8;
    u64 parent : 1; /* server is a proxy that goes on from there */
    u64 tunnel : 1;
    u64 named : 1;     /* of a CONNECT: its ClientHello names the target's host, else STRING_HOST */
    u64 inspected : 1; /* of a tunnel: its first bytes have been looked at, whatever they are */
    u64 reused : 1;
    u64 minor : 1;   /* HTTP/1.minor of the request */
    u64 decided : 1; /* of a tunnel: by a role that can do so again, for what came in at `at` */
    u64 leases : 3;  /* of a tunnel: so many leases lie before this record on the heap */
    u32 first_us;    /* likewise; at most 71 minutes */
    u32 no_content;  /* bytes of bytes_out that are no content: heads, and the framing of chunks */
    struct addr client, server;
    const struct listen_addr *at; /* of a tunnel, to be decided again */
};
_Static_assert(sizeof(struct access_record) == 136, "an idle tunnel must not grow");
_Static_assert(FAULT_COUNT <= 1 << 8, "access_record.fault has eight bits");

/* One of its strings. */
static inline struct slice access_record_string(const struct access_record *r, enum log_string s)
{
    const char *p = (const char *)(r + 1);
    for (unsigned i = 0; i < (unsigned)s; i++)
        p += r->head.length[i];
    return (struct slice){ p, r->head.length[s] };
}

/* LOG_ERROR */
struct error_record {
    struct log_head head;
};

#endif
