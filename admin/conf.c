/* Rows and reader of `admin { … }`. */
#include "admin/conf.h"

#include "base/must.h"

static void read_bind(const struct schema_row *row, const struct node *n, struct arena *a, void *to)
{
    struct admin_conf *c = to;
    (void)row;
    if (n == NULL)
        return;
    c->on = true;
    c->text = arena_copy(a, node_arg(n, 0)->text);
    value_bind(c->text, &c->bind, &c->both_families);
}

static void read_purge(const struct schema_row *row, const struct node *n, struct arena *a,
                       void *to)
{
    struct admin_conf *c = to;
    bool host_bits;
    (void)row;
    (void)a;
    for (u32 i = 0; n && i < node_nargs(n); i++)
        must(cidr_parse(node_arg(n, i)->text, &c->purger[c->npurgers++], &host_bits));
}

const struct schema_row admin_rows[] = {
    { .key = "bind",
      .type = { TYPE_BIND },
      .required = true,
      .read = read_bind,
      .restart = true,
      .doc =
          "Where /healthz, /readyz, /metrics, /status and /version answer, and / with a page for "
          "people. Nobody is asked who they are, so keep it on a loopback address. A request for "
          "another host name than "
          "localhost gets 403, because a web page could have such a name lead here: a scraper "
          "has to use the address, or send `Host: localhost`.",
      .example = "bind 127.0.0.1:3180;" },
    { .key = "purge",
      .type = { TYPE_CIDR },
      .min = 1,
      .max = ADMIN_PURGERS,
      .read = read_purge,
      .restart = true,
      .doc = "Networks from which `POST /cache/purge` takes things out of the caches; without it, "
             "none. [The cache](cache.md#looking-at-it-and-taking-something-out) tells how.",
      .example = "purge 127.0.0.1 10.1.0.5;" },
    { .key = NULL },
};
