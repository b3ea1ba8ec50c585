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
#include "listener_rows.h"
#include "pac/conf.h"
#include "policy/conf.h"
#include "reverse/conf.h"

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
      .check = listener_check,
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
