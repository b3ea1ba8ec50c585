/*
 * The block `listener`: its rows, and what goes with which mode. The hard thing is that a row knows
 * only its own statement: what depends on the mode is compared here, key by key, and what it
 * depends on stands in the table of modes (modes.tbl) and in the role behind each.
 */
#include "listener_rows.h"

#include <string.h>

#include "base/stat.h"
#include "engine_conf.h"
#include "modes.h"

static void check_mode(const struct node *n, const struct word *word, const struct mode *mode,
                       struct diags *d)
{
    for (unsigned i = 0; i < modes_count; i++) {
        bool same = strcmp(modes[i].wants, mode->wants) == 0;
        const struct node *other = same ? NULL : node_child(n, modes[i].wants);
        if (other)
            diag_error(d, &other->words[0], "\"%s\" does not go with \"mode %s\"", modes[i].wants,
                       mode->name);
    }
    if (!node_may_have(n, mode->wants)) {
        diag_error(d, word, "\"mode %s\" needs \"%s\"", mode->name, mode->wants);
        diag_more(d, "expected something like: %s %s;", mode->wants, mode->example);
    }
}

/* Keys that only make sense where connections are led here. */
static void check_diverted(const struct node *n, const struct mode *mode, struct diags *d)
{
    static const char *const keys[] = { "divert", "source" };
    const struct node *divert = node_child(n, "divert"), *source = node_child(n, "source");
    for (unsigned i = 0; i < countof(keys) && !mode->role->intercepts; i++) {
        const struct node *k = node_child(n, keys[i]);
        if (k)
            diag_error(d, &k->words[0], "\"%s\" does not go with \"mode %s\"", keys[i], mode->name);
    }
    bool tproxy = divert && slice_is(node_arg(divert, 0)->text, "tproxy");
    if (mode->role->intercepts && source && slice_is(node_arg(source, 0)->text, "client") &&
        !tproxy) {
        diag_error(d, node_arg(source, 0), "\"source client\" needs \"divert tproxy\"");
        diag_more(d, "with a destination that is translated, answers to the client's address would "
                     "not come back here");
    }
}

/* The names that clients tell who know of no proxy may lead elsewhere than they go: what is kept
 * under one could be anybody's. */
static void check_cache(const struct node *n, const struct mode *mode, struct diags *d)
{
    const struct node *cache = node_child(n, "cache");
    if (cache == NULL || !(mode->role->store || mode->role->intercepts))
        return;
    diag_error(d, &cache->words[0], "\"cache\" does not go with \"mode %s\"", mode->name);
    if (mode->role->store)
        diag_more(d, "expected it in a route");
}

/* A client that knows of no proxy is asked for no password. */
static void check_auth(const struct node *n, const struct mode *mode, struct diags *d)
{
    const struct node *ref = node_child(n, "policy");
    if (!mode->role->intercepts || ref == NULL || ref->reported)
        return;
    const struct node *policy = node_named(n, "policy", node_arg(ref, 0)->text);
    const struct node *auth = policy ? node_child(policy, "auth basic") : NULL;
    if (auth == NULL)
        return;
    diag_error(d, node_arg(ref, 0),
               "the policy %s has \"auth basic\", which does not go with \"mode %s\"",
               word_shown(node_arg(ref, 0)), mode->name);
    diag_more(d, "clients that know of no proxy do not answer 407; take a policy without it");
}

void listener_check(const struct node *n, struct diags *d)
{
    const struct node *mode = node_child(n, "mode");
    const struct word *word = mode && !mode->reported ? node_arg(mode, 0) : NULL;
    const struct mode *known = word ? mode_find(word->text) : NULL;
    if (known == NULL)
        return;
    check_mode(n, word, known, d);
    check_diverted(n, known, d);
    check_cache(n, known, d);
    check_auth(n, known, d);
    const struct node *pac = node_child(n, "pac");
    if (pac && !slice_is(word->text, "forward"))
        diag_error(d, &pac->words[0], "\"pac\" does not go with \"mode %s\"", known->name);
}

static void read_cache(const struct schema_row *row, const struct node *n, struct arena *a,
                       void *to)
{
    struct listener_conf *l = to;
    (void)row;
    l->cache = n ? arena_copy(a, node_arg(n, 0)->text) : SLICE("");
}

const struct schema_row listener_rows[] = {
    { .key = "bind",
      .type = { TYPE_BIND },
      .min = 1,
      .max = CONF_BINDS,
      .repeat = true,
      .required = true,
      .read = binds_read,
      .doc = "The addresses to listen on. `*:PORT` and `[::]:PORT` take IPv4 and IPv6.",
      .example = "bind 127.0.0.1:3128 [::1]:3128;" },
    { .key = "mode",
      .type = { TYPE_CHOICE },
      .choices = MODE_WORDS,
      INTO(struct listener_conf, mode),
      .required = true,
      .doc =
          "`forward`: clients know the proxy and name any destination. `transparent`: clients do "
          "not know it, and the network leads their connections here (`proxyd nft`). `reverse`: "
          "clients take the proxy for the server, and it passes requests to the servers behind it.",
      .example = "mode forward;" },
    { .key = "policy",
      .type = { TYPE_REF },
      .refers = "policy",
      INTO(struct listener_conf, node),
      .doc = "Who may go where. Needed with `mode forward` and `mode transparent`, and only there.",
      .example = "policy staff;" },
    { .key = "pac",
      .type = { TYPE_REF },
      .refers = "pac",
      INTO(struct listener_conf, pac),
      .doc = "The script that browsers get under `/proxy.pac` and `/wpad.dat`. Without it all but "
             "plain names and loopback comes to this listener. Only with `mode forward`.",
      .example = "pac office;" },
    { .key = "routes",
      .type = { TYPE_REF },
      .refers = "routes",
      INTO(struct listener_conf, node),
      .doc = "Which servers answer. Needed with `mode reverse`, and only there.",
      .example = "routes web;" },
    { .key = "divert",
      .type = { TYPE_CHOICE },
      .choices = "redirect tproxy",
      INTO(struct listener_conf, divert),
      .fallback = "redirect",
      .doc = "With `mode transparent`: how the network leads connections here; `proxyd nft` prints "
             "the rules. `redirect`: their destination is translated (NAT). `tproxy`: they come "
             "with the destination that they had, which needs the capability CAP_NET_RAW, and "
             "this machine has to be on their way.",
      .example = "divert tproxy;" },
    { .key = "source",
      .type = { TYPE_CHOICE },
      .choices = "proxy client",
      INTO(struct listener_conf, source),
      .fallback = "proxy",
      .doc = "With `divert tproxy`: whose address servers see, this machine's or the client's own. "
             "With `client` the answers have to come back by way of this machine.",
      .example = "source client;" },
    { .key = "cache",
      .type = { TYPE_REF },
      .refers = "cache",
      .read = read_cache,
      .doc =
          "Answers are kept in that cache, and given to all clients of all listeners that name "
          "it, as RFC 9111 has it for a shared cache and as far as this listener's policy lets a "
          "client have them. Only with `mode forward`, and only for `http`: what goes through "
          "tunnels is not seen. [The cache](cache.md) tells how it is decided.",
      .example = "cache main;" },
    { .key = "via",
      .type = { TYPE_DOMAIN },
      .also = "on off",
      .fallback = "on",
      .read = via_read,
      .doc = "How the proxy names itself in `Via`, in requests and, with `mode forward`, in "
             "answers. `on`: by a name made at the start, which no other proxy has. A name of "
             "yours must be this listener's alone: a request that carries it already is refused as "
             "a loop. `off` adds nothing, because some servers do not compress for proxies (nginx "
             "with its default `gzip_proxied off`). A loop back to an address of the proxy's own "
             "is refused all the same, also one through a listener of this proxy that adds its "
             "name. One through others is seen late, at more than 16 entries in `Via`, and not at "
             "all when none of them adds any: use `off` only where requests cannot come back. What "
             "others have put into `Via` stays in any case.",
      .example = "via off;" },
    { .key = "proxy-protocol",
      .type = { TYPE_CHOICE, TYPE_CIDR },
      .choices = "from",
      .min = 2,
      .max = 65,
      .read = fronts_read,
      .check = fronts_check,
      .doc = "What stands in front of this listener (a load balancer, a TLS server) and tells, in "
             "a header of the PROXY protocol, version 1 or 2, whose connection it passes on. From "
             "these addresses every connection has to begin so, and the client is the one that is "
             "named there: for rules, limits and the log. From all others none may.",
      .example = "proxy-protocol from 10.0.0.5 10.0.0.6;" },
    { .key = NULL },
};
