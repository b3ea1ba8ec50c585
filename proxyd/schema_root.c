/*
 * The top of the configuration. Every module brings the rows of its own block; this is the only
 * file that knows all of them.
 */
#include "schema_root.h"

#include "base/stat.h"
#include "cache/conf.h"
#include "case_conf.h"
#include "config/load.h"
#include "control_socket.h"
#include "exposure.h"
#include "forward/parents.h"
#include "list_conf.h"
#include "modes.h"
#include "pac/conf.h"
#include "policy/conf.h"
#include "reverse/conf.h"

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

static void check_listener(const struct node *n, struct diags *d)
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

static const struct schema_row listener_rows[] = {
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

static void read_listeners(const struct schema_row *row, const struct node *first, struct arena *a,
                           void *to)
{
    struct root_conf *out = to;
    u32 count = 0;
    for (const struct node *n = first; n; n = node_again(n))
        count++;
    out->listeners = arena_zalloc(a, count * sizeof *out->listeners);
    for (const struct node *n = first; n; n = node_again(n)) {
        struct listener_conf *l = &out->listeners[out->nlisteners++];
        l->name = arena_copy(a, node_name(n));
        schema_fill(row->children, n, a, l);
    }
}

static void read_state(const struct schema_row *row, const struct node *n, struct arena *a,
                       void *to)
{
    struct root_conf *out = to;
    (void)row;
    if (n)
        out->state = slice_is(node_arg(n, 0)->text, "none") ? "" : schema_path(a, node_arg(n, 0));
}

static void read_control(const struct schema_row *row, const struct node *n, struct arena *a,
                         void *to)
{
    struct root_conf *out = to;
    (void)row;
    if (n)
        out->control = slice_is(node_arg(n, 0)->text, "none") ? "" : schema_path(a, node_arg(n, 0));
}

static void check_control(const struct node *n, struct diags *d)
{
    const struct word *w = node_arg(n, 0);
    struct arena a;
    if (w->reported || slice_is(w->text, "none"))
        return;
    arena_init(&a, 0);
    if (strlen(schema_path(&a, w)) >= CONTROL_PATH)
        diag_error(d, w, "%s is too long for a socket: %d bytes are the limit, its folder included",
                   word_shown(w), CONTROL_PATH - 1);
    arena_free(&a);
}

const struct schema_row root_rows[] = {
    { .key = "workers",
      .type = { TYPE_COUNT },
      .also = "auto",
      .least = 1,
      .most = MOST_WORKERS,
      .fallback = "auto",
      INTO(struct root_conf, engine.workers),
      .restart = true,
      .doc = "Threads that do the work. `auto` is one for each CPU the process may use.",
      .example = "workers 4;" },
    { .key = "offload-threads",
      .type = { TYPE_COUNT },
      .least = 2,
      .most = 64,
      .fallback = "4",
      INTO(struct root_conf, engine.offload_threads),
      .restart = true,
      .doc = "Threads for what may block, see [Jobs](#jobs). A file that hangs, as on a disk that "
             "has gone away, holds one of them; the last one is kept for short jobs.",
      .example = "offload-threads 8;" },
    { .key = "user",
      .type = { TYPE_TEXT },
      .min = 1,
      .max = 2,
      .offset = offsetof(struct root_conf, user),
      .read = user_read,
      .check = user_check,
      .restart = true,
      .doc = "When it is started as root: who the process is once its addresses are bound, and "
             "perhaps the group, else that user's own. Logs are opened and all files are read by "
             "that user then; when it listens on a port below 1024, the right to bind such ports "
             "is kept for reloads, with `divert tproxy` the capability CAP_NET_RAW, else nothing. "
             "Without this key root stays root, and says so.",
      .example = "user proxyd;" },
    { .key = "include",
      .type = { TYPE_PATH },
      .repeat = true,
      .doc =
          "Reads another file, or all files of a pattern in the order of their bytes, as if they "
          "stood here. It may stand in any block. A pattern may match nothing; a file without "
          "pattern must exist.",
      .example = "include conf.d/*.conf;" },
    { .key = "listener",
      .kind = ROW_NAMED,
      .repeat = true,
      .required = true,
      .children = listener_rows,
      .read = read_listeners,
      .check = check_listener,
      .doc = "Where clients connect, and in which direction requests go from there.",
      .example = "listener egress { bind 127.0.0.1:3128; mode forward; policy staff; }" },
    { .key = "list",
      .kind = ROW_NAMED,
      .repeat = true,
      .warn_unused = true,
      .children = list_rows,
      .check = list_conf_check,
      .doc = "Names, networks, URLs or regular expressions in files, for `to list NAME` in a rule. "
             "[Lists](operation.md#lists) tells how they are loaded and exchanged.",
      .example = "list ads { source lists/ads.txt; format adblock; }" },
    { .key = "policy",
      .kind = ROW_NAMED,
      .repeat = true,
      .warn_unused = true,
      .children = policy_rows,
      .check = policy_conf_check,
      .doc = "What the clients of a forward listener may do.",
      .example = "policy staff {\n"
                 "    clients 127.0.0.0/8 ::1 10.0.0.0/8;\n"
                 "    default deny \"not on the company list\";\n"
                 "    rules {\n"
                 "        deny  uploads  { method PUT POST; to *.filehost.example; }\n"
                 "        allow intranet { to *.corp.example; reach private; }\n"
                 "        allow rest     { }\n"
                 "    }\n"
                 "}" },
    { .key = "parent",
      .kind = ROW_NAMED,
      .repeat = true,
      .warn_unused = true,
      .children = parent_rows,
      .check = parents_check,
      .doc = "HTTP proxies that requests go through, for `via NAME` in a rule that allows. "
             "[Parents](operation.md#parents) tells what becomes of them when one is down.",
      .example = "parent upstairs { proxy 10.0.0.8:3128 10.0.0.9:3128; }" },
    { .key = "pac",
      .kind = ROW_NAMED,
      .repeat = true,
      .warn_unused = true,
      .children = pac_rows,
      .check = pac_check,
      .doc = "The script by which browsers find the proxy, for `pac NAME` in a listener. "
             "[PAC](pac.md) tells how they find the script.",
      .example = "pac office { direct .corp.example 10.0.0.0/8; }" },
    { .key = "routes",
      .kind = ROW_NAMED,
      .repeat = true,
      .warn_unused = true,
      .children = routes_rows,
      .check = routes_check,
      .doc = "Where the requests of a reverse listener go.",
      .example = "routes web { route rest { to pool frontend; } }" },
    { .key = "pool",
      .kind = ROW_NAMED,
      .repeat = true,
      .warn_unused = true,
      .children = pool_rows,
      .doc = "Servers that give the same answers.",
      .example = "pool frontend { server 10.1.0.5:8080; server 10.1.0.6:8080; }" },
    { .key = "cache",
      .kind = ROW_NAMED,
      .repeat = true,
      .warn_unused = true,
      .children = cache_rows,
      .check = cache_check,
      .doc = "Answers that are kept in memory, and on disk if it has a `path`, for listeners and "
             "routes "
             "that name it. It outlives a reload, with what is in it.",
      .example = "cache main { memory 512m; path /var/cache/proxyd/main; size 20g; }" },
    { .key = "test",
      .kind = ROW_NAMED,
      .type = { TYPE_TEXT },
      .repeat = true,
      .children = case_rows,
      .check = case_check,
      .doc = "A request, and what the policy has to say about it. `proxyd test` and `proxyd check` "
             "run the tests of a file; the proxy that serves does not.",
      .example = "test \"uploads stay shut\" {\n"
                 "    from 10.9.1.1;\n"
                 "    request PUT http://up.filehost.example/x;\n"
                 "    expect deny uploads;\n"
                 "}" },
    { .key = "log access",
      .kind = ROW_BLOCK,
      .repeat = true,
      .children = log_access_rows,
      .offset = offsetof(struct root_conf, engine),
      .read = access_logs_read,
      .check = access_log_check,
      .doc = "The log of what was asked and how it ended. There may be up to 8 of them, each with "
             "a place and a format of its own; without any there is one on stdout. When one cannot "
             "be written fast enough, lines are dropped and counted; requests never wait for it. "
             "[Operation](operation.md#the-access-log) shows each format.",
      .example = "log access { to /var/log/proxyd/access.log; format combined; }" },
    { .key = "log error",
      .kind = ROW_BLOCK,
      .children = log_error_rows,
      INTO(struct root_conf, engine.error),
      .doc = "The log of what the proxy has to say about itself.",
      .example = "log error { to stderr; level info; }" },
    { .key = "dns",
      .kind = ROW_BLOCK,
      .children = dns_rows,
      INTO(struct root_conf, engine.dns),
      .doc = "How names become addresses.",
      .example = "dns { server 192.0.2.53; hosts /etc/hosts; timeout 2s; }" },
    { .key = "limits",
      .kind = ROW_BLOCK,
      .children = limits_rows,
      INTO(struct root_conf, engine.limits),
      .doc = "How large and how many things may be.",
      .example = "limits { head 32k; clients 20000; memory 1g; }" },
    { .key = "timeouts",
      .kind = ROW_BLOCK,
      .children = timeouts_rows,
      INTO(struct root_conf, engine.timeouts),
      .doc = "How long things may take.",
      .example = "timeouts { head 10s; idle 75s; connect 10s; }" },
    { .key = "admin",
      .kind = ROW_BLOCK,
      .children = admin_rows,
      INTO(struct root_conf, admin),
      .doc =
          "A listener of its own for health checks and metrics: `/healthz`, `/readyz`, `/metrics`.",
      .example = "admin { bind 127.0.0.1:3180; }" },
    { .key = "control",
      .type = { TYPE_PATH },
      .restart = true,
      .also = "none",
      .check = check_control,
      .read = read_control,
      .doc = "The unix socket by which `proxyd reload` and `proxyd ctl` reach the running proxy; "
             "only its own user may open it. Without this key it is "
             "`$RUNTIME_DIRECTORY/control.sock` (systemd sets that), for root "
             "`/run/proxyd/control.sock`, else `$XDG_RUNTIME_DIR/proxyd.sock`; when another proxyd "
             "is there already, this one has none and says so.",
      .example = "control /run/proxyd/control.sock;" },
    { .key = "state",
      .type = { TYPE_PATH },
      .restart = true,
      .also = "none",
      .read = read_state,
      .doc = "The folder of what outlives the process: the last good copy of each list that is "
             "fetched by URL. Without this key it is `$STATE_DIRECTORY` (systemd sets that), for "
             "root `/var/lib/proxyd`, else `$XDG_STATE_HOME/proxyd` or `~/.local/state/proxyd`. "
             "It is made when it is first needed. With `none`, or where it cannot be written to, "
             "a start has to fetch the lists anew.",
      .example = "state /var/lib/proxyd;" },
    { .key = NULL },
};

/* The admin listener on an address of a client listener. */
static void check_admin(const struct node *root, struct diags *d)
{
    const struct node *a = node_child(node_child(root, "admin"), "bind");
    if (a == NULL || a->reported)
        return;
    struct bind_conf admin = bind_read(node_arg(a, 0));
    for (const struct node *l = node_child(root, "listener"); l; l = node_again(l))
        for (const struct node *s = node_child(l, "bind"); s; s = node_again(s))
            for (u32 i = 0; i < node_nargs(s); i++) {
                struct bind_conf b = bind_read(node_arg(s, i));
                if (admin.addr.port == 0 || !bind_clashes(&admin, &b))
                    continue;
                diag_error(d, admin.word, "%s is already listened on by the listener %s, at %s",
                           word_shown(admin.word), slice_shown(node_name(l)),
                           position_shown(b.word->at));
                diag_more(d, "expected an address of its own: clients must not reach the admin "
                             "listener");
                return;
            }
}

bool root_check(struct tree *t, struct diags *d)
{
    u32 before = d->errors;
    schema_check(t, root_rows, d);
    conf_check(&t->root, d);
    check_admin(&t->root, d);
    if (d->errors == before) {
        exposure_check(&t->root, d);
        pac_check_listeners(&t->root, d);
    }
    return d->errors == before;
}

struct root_conf root_read(const struct tree *t, struct arena *a)
{
    struct root_conf c = { .nlisteners = 0 };
    schema_fill(root_rows, &t->root, a, &c);
    return c;
}

bool config_open(const char *path_or_null, struct tree *t, struct diags *d)
{
    bool read = path_or_null ? config_load_file(path_or_null, t, d)
                             : config_load_text("(built-in)", slice_of(default_conf), true, t, d);
    if (t->sources == NULL)
        return false; /* nothing was read, and that is reported */
    return root_check(t, d) && read;
}
