/*
 * Rows and readers of the logs. The hard thing is a word that is nearly one of theirs ("stdot"): it
 * is told, and becomes no file.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/must.h"
#include "engine_conf.h"

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
