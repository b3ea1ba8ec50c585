/* Rows and readers of the resolver. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine_conf.h"

enum { SECOND = 1000 };

static void check_server(const struct node *n, struct diags *d)
{
    u32 count = 0;
    for (const struct node *s = node_child(n->parent, "server"); s && s != n; s = node_again(s))
        count += node_nargs(s);
    if (count <= CONF_SERVERS && count + node_nargs(n) > CONF_SERVERS)
        diag_error(d, node_arg(n, CONF_SERVERS - count), "more than %d resolvers", CONF_SERVERS);
}

static void check_hosts(const struct node *n, struct diags *d)
{
    const struct word *w = node_arg(n, 0);
    if (w->reported || schema_listed(n->row->also, w->text))
        return;
    struct arena a;
    struct stat st;
    arena_init(&a, 0);
    const char *path = schema_path(&a, w);
    if (stat(path, &st) < 0 && errno != EACCES)
        diag_error(d, w, "cannot read %s: %s", word_shown(w), strerror(errno));
    else if (access(path, R_OK) < 0)
        diag_warning(d, w, "cannot read %s: %s", word_shown(w), strerror(errno));
    else if (!S_ISREG(st.st_mode))
        diag_error(d, w, "cannot read %s: it is not a regular file", word_shown(w));
    arena_free(&a);
}

static void read_dns_servers(const struct schema_row *row, const struct node *n, struct arena *a,
                             void *to)
{
    struct dns_conf *dns = to;
    (void)row;
    (void)a;
    for (; n; n = node_again(n))
        for (u32 i = 0; i < node_nargs(n) && dns->nservers < CONF_SERVERS; i++) {
            struct addr *s = &dns->servers[dns->nservers++];
            value_addr(node_arg(n, i)->text, s);
            if (s->port == 0)
                s->port = 53;
        }
}

static void read_hosts(const struct schema_row *row, const struct node *n, struct arena *a,
                       void *to)
{
    struct dns_conf *dns = to;
    if (n == NULL)
        dns->hosts = row->fallback;
    else if (!slice_is(node_arg(n, 0)->text, "none"))
        dns->hosts = schema_path(a, node_arg(n, 0));
}

static void read_search(const struct schema_row *row, const struct node *n, struct arena *a,
                        void *to)
{
    struct dns_conf *dns = to;
    (void)row;
    if (n == NULL)
        return;
    dns->search = arena_copy(a, node_arg(n, 0)->text);
    if (dns->search.n && dns->search.p[dns->search.n - 1] == '.')
        dns->search.n--;
}

const struct schema_row dns_rows[] = {
    { .key = "server",
      .type = { TYPE_ADDR },
      .min = 1,
      .max = CONF_SERVERS,
      .repeat = true,
      .check = check_server,
      .read = read_dns_servers,
      .restart = true,
      .doc = "A resolver to ask, port 53 when none is given; at most 8. Without it those of "
             "/etc/resolv.conf are asked, also when that changes; 127.0.0.1 when it has none.",
      .example = "server 192.0.2.53;" },
    { .key = "hosts",
      .type = { TYPE_PATH },
      .also = "none",
      .fallback = "/etc/hosts",
      .check = check_hosts,
      .read = read_hosts,
      .restart = true,
      .doc = "A file of addresses and names that is asked before any resolver.",
      .example = "hosts /etc/hosts;" },
    { .key = "timeout",
      .type = { TYPE_DURATION },
      .least = 10,
      .most = 60 * SECOND,
      INTO(struct dns_conf, timeout),
      .fallback = "2s",
      .restart = true,
      .doc = "How long one look-up may take, all tries together.",
      .example = "timeout 2s;" },
    { .key = "search",
      .type = { TYPE_DOMAIN },
      .read = read_search,
      .restart = true,
      .doc = "A domain put behind names without a dot, before any rule sees them. Without it such "
             "names are asked as they are.",
      .example = "search corp.example;" },
    { .key = "edns",
      .type = { TYPE_CHOICE },
      .choices = "on off",
      .fallback = "on",
      INTO(struct dns_conf, edns),
      .restart = true,
      .doc = "Ask for answers larger than 512 bytes (EDNS, RFC 6891). A resolver that fails when "
             "asked so is asked again without it, and for the next 15 minutes at once. `off` never "
             "asks so; large answers then come over TCP.",
      .example = "edns off;" },
    { .key = NULL },
};
