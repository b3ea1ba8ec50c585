/* The schema of the blocks that the engine owns, and how they become core/conf.h. */
#ifndef PROXYD_ENGINE_CONF_H
#define PROXYD_ENGINE_CONF_H

#include "base/arena.h"
#include "config/schema.h"
#include "config/tree.h"
#include "core/conf.h"

struct bind_conf {
    struct addr addr;
    bool both_families;      /* [::]:PORT and *:PORT take IPv4 as well */
    struct slice text;       /* as written */
    const struct word *word; /* where it is written, for messages */
};

/* How the network leads connections to a listener. */
enum divert { DIVERT_REDIRECT, DIVERT_TPROXY };

struct listener_conf {
    struct slice name;
    struct bind_conf *binds;
    u32 nbinds;
    struct slice mode;   /* modes.h */
    struct slice via;    /* `via NAME`, else empty */
    bool via_off;        /* `via off` */
    struct cidr *fronts; /* `proxy-protocol from`, in the arena */
    u32 nfronts;
    u8 divert;               /* enum divert */
    u8 source;               /* 1: `source client` */
    struct slice cache;      /* `cache NAME`, else empty */
    const struct node *node; /* the block that the mode wants (policy, routes); the tree's */
    const struct node *pac;  /* `pac NAME`, the tree's; NULL: none */
};

/* The readers of `bind`, `via` and `proxy-protocol`, into a struct listener_conf. */
void binds_read(const struct schema_row *row, const struct node *first, struct arena *a, void *to);
void via_read(const struct schema_row *row, const struct node *n, struct arena *a, void *to);

void fronts_read(const struct schema_row *row, const struct node *n, struct arena *a, void *to);
/* Of `proxy-protocol`: networks that everybody is in. */
void fronts_check(const struct node *n, struct diags *d);

/* The reader of `log access`, into a struct conf, and its check: no file twice, not too many. */
void access_logs_read(const struct schema_row *row, const struct node *first, struct arena *a,
                      void *to);
void access_log_check(const struct node *n, struct diags *d);

/* What the table cannot say of listeners: addresses that are used twice. Opens no port. */
void conf_check(const struct node *root, struct diags *d);

/* Is it the same socket address, or does one of them cover the other ([::]:80 and 127.0.0.1:80)? */
bool bind_clashes(const struct bind_conf *a, const struct bind_conf *b);
/* The bind a TYPE_BIND word stands for; addr.port is 0 when the word is no such thing. */
struct bind_conf bind_read(const struct word *w);

extern const struct schema_row limits_rows[];
extern const struct schema_row timeouts_rows[];
extern const struct schema_row dns_rows[];
extern const struct schema_row log_access_rows[];
extern const struct schema_row log_error_rows[];

#endif
