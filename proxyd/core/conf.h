/*
 * The configuration as the engine sees it: plain numbers, no look-up, no text, no default left to
 * decide on the data path. How it is written and read is not the core's affair (engine_conf.h).
 */
#ifndef CORE_CONF_H
#define CORE_CONF_H

#include "base/addr.h"

struct limits_conf {
    u32 head;   /* bytes of a whole head */
    u32 fields; /* fields in it */
    u32 line;   /* bytes of the request line */
    u64 body;   /* bytes of a request body; UINT64_MAX: unlimited */
    u32 clients, clients_per_address;
    bool clients_given; /* written by the administrator: clamping it is worth a warning */
    u64 memory;         /* bytes of buffers and connections of the process */
};

/* Milliseconds; UINT32_MAX: unlimited. */
struct timeouts_conf {
    u32 head, body, idle, connect, response, tunnel_idle, tunnel_lifetime, drain;
};

enum log_to { LOG_STDOUT, LOG_STDERR, LOG_NONE, LOG_PATH };
enum log_level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG };

struct log_conf {
    enum log_to to;
    const char *path; /* LOG_PATH: resolved, for open(2); else NULL */
    u8 level;         /* enum log_level; of the error log */
};

enum { CONF_SERVERS = 8, CONF_BINDS = 256 };

struct dns_conf {
    struct addr servers[CONF_SERVERS]; /* port 53 where none was given */
    u8 nservers;                       /* 0: the system's resolvers */
    const char *hosts;                 /* NULL: no hosts file */
    u32 timeout;                       /* ms */
    struct slice search;               /* "": none */
    bool edns;
};

struct conf {
    u32 workers; /* 0: one per CPU of the affinity mask */
    u32 offload_threads;
    struct log_conf access, error;
    struct dns_conf dns;
    struct limits_conf limits;
    struct timeouts_conf timeouts;
};

#endif
