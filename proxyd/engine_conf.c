/*
 * Rows and readers of the engine's own configuration: limits, time-outs, logs, resolver, addresses.
 * The word of `mode` is passed on as it is, for the core does not know which directions there are.
 */
#include "engine_conf.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KIB = 1024, MIB = 1024 * 1024, SECOND = 1000, DAY = 24 * 3600 * SECOND };

const struct schema_row limits_rows[] = {
    { .key = "head",
      .type = { TYPE_SIZE },
      .least = KIB,
      .most = 128 * KIB,
      .fallback = "32k",
      .doc =
          "Bytes of a whole request or response head. A larger request gets 431, a larger answer "
          "of an origin becomes 502.",
      .example = "head 32k;" },
    { .key = "fields",
      .type = { TYPE_COUNT },
      .least = 8,
      .most = 1000,
      .fallback = "128",
      .doc = "Fields in one head. More of them in a request get 431, in an answer 502.",
      .example = "fields 128;" },
    { .key = "line",
      .type = { TYPE_SIZE },
      .least = 256,
      .most = 128 * KIB,
      .fallback = "16k",
      .doc = "Bytes of one line of a head. A longer request line gets 414, a longer field 431.",
      .example = "line 16k;" },
    { .key = "body",
      .type = { TYPE_SIZE },
      .also = "unlimited",
      .fallback = "unlimited",
      .doc = "Bytes of a request body. A larger one gets 413. Bodies are never held in memory, so "
             "this is a rule, not a protection.",
      .example = "body 10m;" },
    { .key = "clients",
      .type = { TYPE_COUNT },
      .least = 1,
      .most = 10000000,
      .fallback = "20000",
      .doc = "Client connections at one time; a new one waits until another ends. No more than "
             "the limit of file descriptors leaves room for; the start says so.",
      .example = "clients 20000;" },
    { .key = "clients-per-address",
      .type = { TYPE_COUNT },
      .least = 1,
      .most = 10000000,
      .fallback = "1000",
      .doc = "Connections of one client address at one time. One more gets 503 and a close.",
      .example = "clients-per-address 1000;" },
    { .key = "memory",
      .type = { TYPE_SIZE },
      .least = 4 * MIB,
      .most = 1ull << 44,
      .fallback = "1g",
      .doc = "Bytes of buffers and connections in the whole process, at least 1m for each worker. "
             "When "
             "they are used up, new work waits or gets 503, and what runs goes on.",
      .example = "memory 1g;" },
    { .key = NULL },
};

const struct schema_row timeouts_rows[] = {
    { .key = "head",
      .type = { TYPE_DURATION },
      .least = 1,
      .most = 30 * (u64)DAY,
      .fallback = "10s",
      .doc =
          "From the accepted connection (or the first byte of a further request) to the end of the "
          "request head; then 408.",
      .example = "head 10s;" },
    { .key = "body",
      .type = { TYPE_DURATION },
      .least = 1,
      .most = 30 * (u64)DAY,
      .fallback = "60s",
      .doc =
          "The longest pause in reading or writing a body, on either side; answers that a client "
          "does not read are included.",
      .example = "body 60s;" },
    { .key = "idle",
      .type = { TYPE_DURATION },
      .least = 1,
      .most = 30 * (u64)DAY,
      .fallback = "75s",
      .doc = "How long a client connection is kept open between two requests.",
      .example = "idle 75s;" },
    { .key = "connect",
      .type = { TYPE_DURATION },
      .least = 1,
      .most = 30 * (u64)DAY,
      .fallback = "10s",
      .doc = "From the start of the name look-up to the connection with the destination, all tries "
             "together; then 504.",
      .example = "connect 10s;" },
    { .key = "response",
      .type = { TYPE_DURATION },
      .least = 1,
      .most = 30 * (u64)DAY,
      .fallback = "60s",
      .doc = "From the request sent to the end of the response head; then 504.",
      .example = "response 60s;" },
    { .key = "tunnel-idle",
      .type = { TYPE_DURATION },
      .least = 1,
      .most = 30 * (u64)DAY,
      .also = "unlimited",
      .fallback = "10m",
      .doc =
          "A tunnel (CONNECT or Upgrade) without a byte in either direction is closed after this "
          "time.",
      .example = "tunnel-idle 10m;" },
    { .key = "tunnel-lifetime",
      .type = { TYPE_DURATION },
      .least = 1,
      .most = 30 * (u64)DAY,
      .also = "unlimited",
      .fallback = "unlimited",
      .doc = "A tunnel is closed after this time, however busy it is.",
      .example = "tunnel-lifetime 12h;" },
    { .key = "drain",
      .type = { TYPE_DURATION },
      .most = 30 * (u64)DAY,
      .fallback = "30s",
      .doc = "After a TERM signal: how long running exchanges and tunnels may take to end.",
      .example = "drain 30s;" },
    { .key = NULL },
};

/* The words of all logs, those of a later version included: none of them becomes a file, whether
 * it stands in the wrong log or is misspelt. A slash or a dot makes a name of a file. */
static bool is_word_of_logs(struct slice s)
{
    struct guess g = guess_for(s);
    guess_try_list(&g, "stdout stderr syslog none");
    return g.best.n && !slice_find(s, '/') && !slice_find(s, '.');
}

static void tell_word_of_logs(const struct node *n, struct diags *d)
{
    const struct word *w = node_arg(n, 0);
    struct guess g = guess_for(w->text);
    diag_error(d, w, "%s is not known here", word_shown(w));
    diag_more(d,
              "expected one of: %s, or the path of a file; a file of this name is written ./%.*s",
              list_shown(n->row->also), SLICE_FMT(w->text));
    guess_try_list(&g, n->row->also);
    guess_tell(&g, d);
}

static void check_log_path(const struct node *n, struct diags *d)
{
    const struct word *w = node_arg(n, 0);
    if (w->reported || schema_listed(n->row->also, w->text))
        return;
    if (w->kind != WORD_SECRET && is_word_of_logs(w->text)) {
        tell_word_of_logs(n, d);
        return;
    }
    struct arena a;
    struct stat st;
    arena_init(&a, 0);
    char *path = (char *)(uintptr_t)schema_path(&a, w);
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        diag_error(d, w, "cannot write %s: it is a directory", word_shown(w));
    char *slash = strrchr(path, '/');
    if (slash && slash != path) {
        *slash = 0;
        if (stat(path, &st) < 0 && (errno == ENOENT || errno == ENOTDIR))
            diag_error(d, w, "there is no folder %s", slice_shown(slice_of(path)));
    }
    arena_free(&a);
}

const struct schema_row log_access_rows[] = {
    { .key = "to",
      .type = { TYPE_PATH },
      .also = "stdout stderr none",
      .fallback = "stdout",
      .check = check_log_path,
      .doc = "Where the access log goes: one readable line for each exchange and each tunnel.",
      .example = "to /var/log/proxyd/access.log;" },
    { .key = NULL },
};

const struct schema_row log_error_rows[] = {
    { .key = "to",
      .type = { TYPE_PATH },
      .also = "stderr none",
      .fallback = "stderr",
      .check = check_log_path,
      .doc = "Where messages about the proxy itself go.",
      .example = "to stderr;" },
    { .key = "level",
      .type = { TYPE_CHOICE },
      .choices = "error warning info debug",
      .fallback = "info",
      .doc = "The least important message that is still written. `debug` adds a line for each "
             "request that failed, with what was being attempted.",
      .example = "level warning;" },
    { .key = NULL },
};

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

const struct schema_row dns_rows[] = {
    { .key = "server",
      .type = { TYPE_ADDR },
      .min = 1,
      .max = CONF_SERVERS,
      .repeat = true,
      .check = check_server,
      .doc = "A resolver to ask, port 53 when none is given; at most 8. Without it those of "
             "/etc/resolv.conf are asked, also when that changes; 127.0.0.1 when it has none.",
      .example = "server 192.0.2.53;" },
    { .key = "hosts",
      .type = { TYPE_PATH },
      .also = "none",
      .fallback = "/etc/hosts",
      .check = check_hosts,
      .doc = "A file of addresses and names that is asked before any resolver.",
      .example = "hosts /etc/hosts;" },
    { .key = "timeout",
      .type = { TYPE_DURATION },
      .least = 10,
      .most = 60 * SECOND,
      .fallback = "2s",
      .doc = "How long one look-up may take, all tries together.",
      .example = "timeout 2s;" },
    { .key = "search",
      .type = { TYPE_DOMAIN },
      .doc = "A domain put behind names without a dot, before any rule sees them. Without it such "
             "names are asked as they are.",
      .example = "search corp.example;" },
    { .key = "edns",
      .type = { TYPE_CHOICE },
      .choices = "on off",
      .fallback = "on",
      .doc = "Ask for answers larger than 512 bytes (EDNS, RFC 6891). A resolver that fails when "
             "asked so is asked again without it, and for the next 15 minutes at once. `off` never "
             "asks so; large answers then come over TCP.",
      .example = "edns off;" },
    { .key = NULL },
};

/* ---- addresses to listen on ---- */

struct bind_conf bind_read(const struct word *w)
{
    struct bind_conf b = { .text = w->text, .word = w };
    value_bind(w->text, &b.addr, &b.both_families);
    return b;
}

static bool covers(const struct bind_conf *wide, const struct bind_conf *b)
{
    static const u8 none[16];
    bool any = memcmp(wide->addr.ip, none, sizeof none) == 0;
    return any && (wide->both_families || wide->addr.family == b->addr.family);
}

bool bind_clashes(const struct bind_conf *a, const struct bind_conf *b)
{
    if (a->addr.port != b->addr.port)
        return false;
    return addr_same_ip(&a->addr, &b->addr) || covers(a, b) || covers(b, a);
}

void conf_check(const struct node *root, struct diags *d)
{
    struct bind_conf seen[CONF_BINDS];
    u32 n = 0;
    for (const struct node *l = node_child(root, "listener"); l; l = node_again(l))
        for (const struct node *s = node_child(l, "bind"); s; s = node_again(s))
            for (u32 i = 0; i < node_nargs(s); i++) {
                const struct word *w = node_arg(s, i);
                if (n == CONF_BINDS) {
                    diag_error(d, w, "more than %d addresses to listen on", CONF_BINDS);
                    return;
                }
                seen[n] = bind_read(w);
                if (w->reported)
                    continue;
                u32 k = 0;
                while (k < n && !bind_clashes(&seen[k], &seen[n]))
                    k++;
                if (k < n)
                    diag_error(d, w, "%s is already listened on, at %s", word_shown(w),
                               position_shown(seen[k].word->at));
                n++;
            }
}

/* ---- reading ---- */

static struct log_conf read_log(struct arena *a, const struct schema_row *rows,
                                const struct node *block)
{
    struct log_conf log = { LOG_STDERR, NULL, LEVEL_INFO };
    struct slice to = schema_text(rows, block, "to");
    const struct node *n = node_child(block, "to");
    if (slice_is(to, "stdout"))
        log.to = LOG_STDOUT;
    else if (slice_is(to, "none"))
        log.to = LOG_NONE;
    else if (n && !slice_is(to, "stderr"))
        log = (struct log_conf){ LOG_PATH, schema_path(a, node_arg(n, 0)), LEVEL_INFO };
    return log;
}

static u8 read_level(const struct node *block)
{
    static const char *const levels[] = { "error", "warning", "info", "debug" };
    struct slice level = schema_text(log_error_rows, block, "level");
    for (size_t i = 0; i < countof(levels); i++)
        if (slice_is(level, levels[i]))
            return (u8)i;
    return LEVEL_INFO;
}

static void read_dns(struct arena *a, const struct node *block, struct dns_conf *dns)
{
    for (const struct node *n = node_child(block, "server"); n; n = node_again(n))
        for (u32 i = 0; i < node_nargs(n) && dns->nservers < CONF_SERVERS; i++) {
            struct addr *s = &dns->servers[dns->nservers++];
            value_addr(node_arg(n, i)->text, s);
            if (s->port == 0)
                s->port = 53;
        }
    const struct node *hosts = node_child(block, "hosts");
    if (hosts == NULL)
        dns->hosts = schema_text(dns_rows, block, "hosts").p;
    else if (!slice_is(node_arg(hosts, 0)->text, "none"))
        dns->hosts = schema_path(a, node_arg(hosts, 0));
    dns->timeout = schema_number32(dns_rows, block, "timeout");
    dns->edns = slice_is(schema_text(dns_rows, block, "edns"), "on");
    dns->search = arena_copy(a, schema_text(dns_rows, block, "search"));
    if (dns->search.n && dns->search.p[dns->search.n - 1] == '.')
        dns->search.n--;
}

static void read_limits(const struct node *b, struct limits_conf *l)
{
    l->head = schema_number32(limits_rows, b, "head");
    l->fields = schema_number32(limits_rows, b, "fields");
    l->line = schema_number32(limits_rows, b, "line");
    l->body = schema_number(limits_rows, b, "body");
    l->clients = schema_number32(limits_rows, b, "clients");
    l->clients_given = node_child(b, "clients") != NULL;
    l->clients_per_address = schema_number32(limits_rows, b, "clients-per-address");
    l->memory = schema_number(limits_rows, b, "memory");
}

static void read_timeouts(const struct node *b, struct timeouts_conf *t)
{
    t->head = schema_number32(timeouts_rows, b, "head");
    t->body = schema_number32(timeouts_rows, b, "body");
    t->idle = schema_number32(timeouts_rows, b, "idle");
    t->connect = schema_number32(timeouts_rows, b, "connect");
    t->response = schema_number32(timeouts_rows, b, "response");
    t->tunnel_idle = schema_number32(timeouts_rows, b, "tunnel-idle");
    t->tunnel_lifetime = schema_number32(timeouts_rows, b, "tunnel-lifetime");
    t->drain = schema_number32(timeouts_rows, b, "drain");
}

static void read_listener(struct arena *a, const struct node *n, struct listener_conf *l)
{
    u32 count = 0;
    for (const struct node *s = node_child(n, "bind"); s; s = node_again(s))
        count += node_nargs(s);
    *l = (struct listener_conf){ .name = node_name(n), .node = n };
    l->binds = arena_zalloc(a, count * sizeof *l->binds);
    for (const struct node *s = node_child(n, "bind"); s; s = node_again(s))
        for (u32 i = 0; i < node_nargs(s); i++)
            l->binds[l->nbinds++] = bind_read(node_arg(s, i));
    const struct node *via = node_child(n, "via");
    struct slice name = via ? node_arg(via, 0)->text : SLICE("on");
    l->via_off = slice_is(name, "off");
    if (!l->via_off && !slice_is(name, "on"))
        l->via = name;
    l->mode = node_arg(node_child(n, "mode"), 0)->text;
}

u32 conf_workers(const struct tree *t)
{
    const struct node *workers = node_child(&t->root, "workers");
    return workers ? (u32)schema_number_of(workers, 0) : 0;
}

bool conf_read(const struct tree *t, struct arena *a, struct conf *out)
{
    const struct node *root = &t->root, *error = node_child(root, "log error");
    *out = (struct conf){ .workers = conf_workers(t) };
    out->access = read_log(a, log_access_rows, node_child(root, "log access"));
    out->error = read_log(a, log_error_rows, error);
    out->error.level = read_level(error);
    read_dns(a, node_child(root, "dns"), &out->dns);
    read_limits(node_child(root, "limits"), &out->limits);
    read_timeouts(node_child(root, "timeouts"), &out->timeouts);
    return true;
}

u32 listeners_read(const struct tree *t, struct arena *a, struct listener_conf **out)
{
    u32 n = 0;
    for (const struct node *l = node_child(&t->root, "listener"); l; l = node_again(l))
        n++;
    *out = arena_zalloc(a, n * sizeof **out);
    n = 0;
    for (const struct node *l = node_child(&t->root, "listener"); l; l = node_again(l))
        read_listener(a, l, &(*out)[n++]);
    return n;
}
