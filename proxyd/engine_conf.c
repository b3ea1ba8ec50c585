/*
 * Rows and readers of the engine's own configuration: limits, time-outs, logs, resolver, addresses.
 * The word of `mode` is passed on as it is, for the core does not know which directions there are.
 */
#include "engine_conf.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"

enum { KIB = 1024, MIB = 1024 * 1024, SECOND = 1000, DAY = 24 * 3600 * SECOND };

static void read_clients(const struct schema_row *row, const struct node *n, struct arena *a,
                         void *to)
{
    struct limits_conf *l = to;
    (void)a;
    l->clients = (u32)schema_number(row, n);
    l->clients_given = n != NULL;
}

const struct schema_row limits_rows[] = {
    { .key = "head",
      .type = { TYPE_SIZE },
      INTO(struct limits_conf, head),
      .least = KIB,
      .most = 128 * KIB,
      .fallback = "32k",
      .doc =
          "Bytes of a whole request or response head. A larger request gets 431, a larger answer "
          "of an origin becomes 502.",
      .example = "head 32k;" },
    { .key = "fields",
      .type = { TYPE_COUNT },
      INTO(struct limits_conf, fields),
      .least = 8,
      .most = 1000,
      .fallback = "128",
      .doc = "Fields in one head. More of them in a request get 431, in an answer 502.",
      .example = "fields 128;" },
    { .key = "line",
      .type = { TYPE_SIZE },
      INTO(struct limits_conf, line),
      .least = 256,
      .most = 128 * KIB,
      .fallback = "16k",
      .doc = "Bytes of one line of a head. A longer request line gets 414, a longer field 431.",
      .example = "line 16k;" },
    { .key = "body",
      .type = { TYPE_SIZE },
      INTO(struct limits_conf, body),
      .also = "unlimited",
      .fallback = "unlimited",
      .doc = "Bytes of a request body. A larger one gets 413. Bodies are never held in memory, so "
             "this is a rule, not a protection.",
      .example = "body 10m;" },
    { .key = "clients",
      .type = { TYPE_COUNT },
      .read = read_clients,
      .least = 1,
      .most = 10000000,
      .fallback = "20000",
      .doc = "Client connections at one time; a new one waits until another ends. No more than "
             "the limit of file descriptors leaves room for; the start says so.",
      .example = "clients 20000;" },
    { .key = "clients-per-address",
      .type = { TYPE_COUNT },
      INTO(struct limits_conf, clients_per_address),
      .least = 1,
      .most = 10000000,
      .fallback = "1000",
      .doc = "Connections of one client address at one time. One more gets 503 and a close.",
      .example = "clients-per-address 1000;" },
    { .key = "memory",
      .type = { TYPE_SIZE },
      INTO(struct limits_conf, memory),
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
      INTO(struct timeouts_conf, head),
      .least = 1,
      .most = 30 * (u64)DAY,
      .fallback = "10s",
      .doc =
          "From the accepted connection (or the first byte of a further request) to the end of the "
          "request head; then 408.",
      .example = "head 10s;" },
    { .key = "body",
      .type = { TYPE_DURATION },
      INTO(struct timeouts_conf, body),
      .least = 1,
      .most = 30 * (u64)DAY,
      .fallback = "60s",
      .doc =
          "The longest pause in reading or writing a body, on either side; answers that a client "
          "does not read are included.",
      .example = "body 60s;" },
    { .key = "idle",
      .type = { TYPE_DURATION },
      INTO(struct timeouts_conf, idle),
      .least = 1,
      .most = 30 * (u64)DAY,
      .fallback = "75s",
      .doc = "How long a client connection is kept open between two requests.",
      .example = "idle 75s;" },
    { .key = "connect",
      .type = { TYPE_DURATION },
      INTO(struct timeouts_conf, connect),
      .least = 1,
      .most = 30 * (u64)DAY,
      .fallback = "10s",
      .doc = "From the start of the name look-up to the connection with the destination, all tries "
             "together; then 504.",
      .example = "connect 10s;" },
    { .key = "response",
      .type = { TYPE_DURATION },
      INTO(struct timeouts_conf, response),
      .least = 1,
      .most = 30 * (u64)DAY,
      .fallback = "60s",
      .doc = "From the request sent to the end of the response head; then 504.",
      .example = "response 60s;" },
    { .key = "tunnel-idle",
      .type = { TYPE_DURATION },
      INTO(struct timeouts_conf, tunnel_idle),
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
      INTO(struct timeouts_conf, tunnel_lifetime),
      .least = 1,
      .most = 30 * (u64)DAY,
      .also = "unlimited",
      .fallback = "unlimited",
      .doc = "A tunnel is closed after this time, however busy it is.",
      .example = "tunnel-lifetime 12h;" },
    { .key = "drain",
      .type = { TYPE_DURATION },
      INTO(struct timeouts_conf, drain),
      .most = 30 * (u64)DAY,
      .fallback = "30s",
      .doc = "After a TERM signal: how long running exchanges and tunnels may take to end.",
      .example = "drain 30s;" },
    { .key = NULL },
};

/* The words of all logs: none of them becomes a file, whether it stands in the wrong log or is
 * misspelt. A slash or a dot makes a name of a file. */
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
    if (node_nargs(n) > 1 && !slice_is(w->text, "syslog"))
        diag_error(d, node_arg(n, 1),
                   "only \"syslog\" takes a second word, the path of its socket");
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

static void read_log_to(const struct schema_row *row, const struct node *n, struct arena *a,
                        void *to)
{
    struct log_conf *log = to;
    struct schema_values v = schema_values(row, n);
    struct slice where;
    must(schema_values_next(&v, &where));
    log->to = slice_is(where, "stdout")   ? LOG_STDOUT
              : slice_is(where, "stderr") ? LOG_STDERR
              : slice_is(where, "none")   ? LOG_NONE
                                          : LOG_PATH;
    if (slice_is(where, "syslog")) {
        log->to = LOG_SYSLOG;
        log->path = n && node_nargs(n) > 1 ? schema_path(a, node_arg(n, 1)) : "/dev/log";
        return;
    }
    log->path = log->to == LOG_PATH ? schema_path(a, node_arg(n, 0)) : NULL;
}

/* One for each `log access`; without any the one that the defaults make. */
void access_logs_read(const struct schema_row *row, const struct node *first, struct arena *a,
                      void *to)
{
    static const u8 wants[] = { /* by enum log_format */
                                [FORMAT_SQUID] = WANT_TYPE,
                                [FORMAT_COMBINED] = WANT_AGENT,
                                [FORMAT_JSON] = WANT_AGENT | WANT_TYPE,
                                [FORMAT_W3C] = WANT_AGENT | WANT_TYPE,
                                [FORMAT_W3C_IIS] = WANT_AGENT | WANT_TYPE
    };
    struct conf *c = to;
    const struct node *n = first;
    do {
        struct log_conf *l = &c->access[c->naccess++];
        schema_fill(row->children, n, a, l);
        if (l->to != LOG_NONE)
            c->log_wants |= WANT_RECORD | wants[l->style.format];
        n = n ? node_again(n) : NULL;
    } while (n && c->naccess < CONF_LOGS);
}

/* Where its lines go; empty where that is wrong or of no account. */
static struct slice place_of(const struct node *log, struct arena *a)
{
    const struct node *to = node_child(log, "to");
    const struct word *w = to && node_nargs(to) ? node_arg(to, 0) : NULL;
    if (to == NULL)
        return SLICE("stdout");
    if (w == NULL || w->reported || slice_is(w->text, "none") || slice_is(w->text, "syslog"))
        return SLICE("");
    return schema_listed(to->row->also, w->text) ? w->text : slice_of(schema_path(a, w));
}

void access_log_check(const struct node *n, struct diags *d)
{
    struct arena a;
    u32 before = 0;
    arena_init(&a, 0);
    struct slice place = place_of(n, &a);
    for (const struct node *o = node_child(n->parent, "log access"); o && o != n;
         o = node_again(o), before++)
        if (place.n && slice_eq(place, place_of(o, &a)))
            diag_error(d, &n->words[0], "another access log is written to %s already, at %s",
                       slice_shown(place), position_shown(node_at(o)));
    if (before == CONF_LOGS)
        diag_error(d, &n->words[0], "more than %d access logs", CONF_LOGS);
    arena_free(&a);
}

const struct schema_row log_access_rows[] = {
    { .key = "to",
      .type = { TYPE_PATH },
      .min = 1,
      .max = 2,
      .also = "stdout stderr syslog none",
      .read = read_log_to,
      .fallback = "stdout",
      .check = check_log_path,
      .doc = "Where the lines go, one for each exchange and each tunnel. A file is opened again at "
             "the signal USR1. `syslog` may have the path of its socket behind it, which is "
             "/dev/log without.",
      .example = "to /var/log/proxyd/access.log;" },
    { .key = "format",
      .type = { TYPE_CHOICE },
      .choices = "readable squid common combined json w3c w3c-iis", /* as enum log_format */
      INTO(struct log_conf, style.format),
      .fallback = "readable",
      .doc = "How a line is written: for people, as squid's native log, as Apache's common or "
             "combined log, as a JSON object, in the extended form of the W3C, or in that as "
             "readers made for IIS want it (`+` for blanks, no quotes, milliseconds).",
      .example = "format combined;" },
    { .key = "query",
      .type = { TYPE_CHOICE },
      .choices = "on off",
      INTO(struct log_conf, style.query),
      .fallback = "off",
      .doc = "Query strings are written, those in `Referer` too. They often hold secrets, so "
             "without this they are left out.",
      .example = "query on;" },
    { .key = "mask-client",
      .type = { TYPE_CHOICE },
      .choices = "on off",
      INTO(struct log_conf, style.mask_client),
      .fallback = "off",
      .doc = "Only the network of the client is written: the first 24 bits of an IPv4 address, 48 "
             "of IPv6, the others 0.",
      .example = "mask-client on;" },
    { .key = NULL },
};

const struct schema_row log_error_rows[] = {
    { .key = "to",
      .type = { TYPE_PATH },
      .also = "stderr none",
      .read = read_log_to,
      .fallback = "stderr",
      .check = check_log_path,
      .doc = "Where messages about the proxy itself go.",
      .example = "to stderr;" },
    { .key = "level",
      .type = { TYPE_CHOICE },
      .choices = "error warning info debug", /* as enum log_level */
      INTO(struct log_conf, level),
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

/* ---- listeners ---- */

void binds_read(const struct schema_row *row, const struct node *first, struct arena *a, void *to)
{
    struct listener_conf *l = to;
    u32 count = 0;
    (void)row;
    for (const struct node *n = first; n; n = node_again(n))
        count += node_nargs(n);
    l->binds = arena_zalloc(a, count * sizeof *l->binds);
    for (const struct node *n = first; n; n = node_again(n))
        for (u32 i = 0; i < node_nargs(n); i++) {
            struct bind_conf *b = &l->binds[l->nbinds++];
            *b = bind_read(node_arg(n, i));
            b->text = arena_copy(a, b->text);
        }
}

void via_read(const struct schema_row *row, const struct node *n, struct arena *a, void *to)
{
    struct listener_conf *l = to;
    struct schema_values v = schema_values(row, n);
    struct slice name;
    must(schema_values_next(&v, &name));
    l->via_off = slice_is(name, "off");
    if (!l->via_off && !slice_is(name, "on"))
        l->via = arena_copy(a, name);
}
