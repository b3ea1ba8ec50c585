/*
 * The configuration as the engine sees it: plain numbers, no look-up, no text, no default left to
 * decide on the data path. How it is written and read is not the core's affair (engine_conf.h).
 */
#ifndef CORE_CONF_H
#define CORE_CONF_H

#include "base/addr.h"

/* So many in a period. */
struct rate_conf {
    u32 count; /* 0: unlimited */
    u32 period_ms;
};

struct limits_conf {
    u32 head;   /* bytes of a whole head */
    u32 fields; /* fields in it */
    u32 line;   /* bytes of the request line */
    u64 body;   /* bytes of a request body; UINT64_MAX: unlimited */
    u32 clients, clients_per_address;
    bool clients_given; /* written by the administrator: clamping it is worth a warning */
    u64 memory;         /* bytes of buffers and connections of the process */
    struct rate_conf requests_per_user; /* of who has proved who he is */
};

/* Milliseconds; UINT32_MAX: unlimited. */
struct timeouts_conf {
    u32 head, body, idle, connect, response, tunnel_idle, tunnel_lifetime, drain;
};

enum log_to { LOG_STDOUT, LOG_STDERR, LOG_NONE, LOG_PATH, LOG_SYSLOG };
enum log_level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG };
enum log_format {
    FORMAT_READABLE,
    FORMAT_SQUID,
    FORMAT_COMMON,
    FORMAT_COMBINED,
    FORMAT_JSON,
    FORMAT_W3C,
    FORMAT_W3C_IIS
};

/* How a line of an access log is written. */
struct log_style {
    u8 format;        /* enum log_format */
    bool query;       /* with query strings */
    bool mask_client; /* only the network of the client's address */
};

struct log_conf {
    enum log_to to;
    const char *path;       /* LOG_PATH: resolved, for open(2); LOG_SYSLOG: its socket; else NULL */
    u8 level;               /* enum log_level; of the error log */
    struct log_style style; /* of an access log */
};

/* What a record of an exchange has to hold for the access logs there are. */
enum log_want {
    WANT_RECORD = 1, /* there is one: 0 means that nobody reads records */
    WANT_AGENT = 2,  /* Referer and User-Agent of the request */
    WANT_TYPE = 4    /* Content-Type of the answer */
};

enum { CONF_LOGS = 8, CONF_SERVERS = 8, CONF_BINDS = 256 };

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
    struct log_conf access[CONF_LOGS], error;
    u8 naccess;
    u8 log_wants; /* bits of enum log_want */
    struct dns_conf dns;
    struct limits_conf limits;
    struct timeouts_conf timeouts;
};

#endif
