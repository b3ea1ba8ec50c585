/*
 * What a worker puts on its log ring: fixed part plus strings, formatted later by the writer
 * thread. Times are microseconds; strings follow the struct in the order of their lengths,
 * unescaped.
 */
#ifndef CORE_LOGREC_H
#define CORE_LOGREC_H

#include "base/addr.h"
#include "base/fault.h"
#include "core/conf.h"

enum log_kind { LOG_ACCESS, LOG_ERROR };

/* The strings of an access record, in this order; an error record has its message in the first. */
enum log_string {
    STRING_METHOD,
    STRING_TARGET,
    STRING_HOST,
    STRING_RULE,
    STRING_LISTENER,
    STRING_REASON,
    STRING_PROTOCOL,
    LOG_STRINGS
};

struct log_head {
    u8 kind;
    u8 level; /* LOG_ERROR */
    u16 length[LOG_STRINGS];
    u64 wall_us;
};

/* LOG_ACCESS. host is empty where the target names it. */
struct access_record {
    struct log_head head;
    u64 id;
    u64 bytes_in,
        /* from and to the client, heads included; of a tunnel only what went through it */
        bytes_out;
    u64 total_us, first_us; /* since the request head was complete */
    struct addr client, server;
    u16 status, fault;
    bool tunnel, reused;
    u8 leases; /* of a tunnel: so many leases lie before this record on the heap */
    /* Of a tunnel, to be decided again: by a role that can, at this address. */
    bool decided;
    const struct listen_addr *at;
};

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
