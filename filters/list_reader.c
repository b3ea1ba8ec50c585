/* Cuts lines, keeps the report, and with LIST_AUTO holds the beginning back until it is decided. */
#include "filters/list_inside.h"

#include <stdlib.h>

#include "base/str.h"

enum {
    AUTO_LINES = 100,       /* that say something */
    AUTO_BYTES = 256 << 10, /* whatever they say */
};

static const struct {
    const char *name;
    list_line *read;
    enum list_meaning bare;
} formats[LIST_FORMATS] = {
    [LIST_AUTO] = { "auto", NULL, MEANS_NOTHING },
    [LIST_DOMAINS] = { "domains", list_line_domains, MEANS_EXACT },
    [LIST_HOSTS] = { "hosts", list_line_hosts, MEANS_EXACT },
    [LIST_ADBLOCK] = { "adblock", list_line_adblock, MEANS_TEXT },
    [LIST_SQUIDGUARD] = { "squidguard", list_line_domains, MEANS_SUBDOMAINS },
    [LIST_SQUIDGUARD_URLS] = { "squidguard-urls", list_line_urls, MEANS_URL },
    [LIST_EXPRESSIONS] = { "squidguard-expressions", list_line_expressions, MEANS_NOTHING },
    [LIST_DNSMASQ] = { "dnsmasq", list_line_dnsmasq, MEANS_SUBDOMAINS },
    [LIST_UNBOUND] = { "unbound", list_line_unbound, MEANS_SUBDOMAINS },
    [LIST_RPZ] = { "rpz", list_line_rpz, MEANS_EXACT },
    [LIST_REGEX] = { "regex", list_line_regex, MEANS_NOTHING },
    [LIST_CIDR] = { "cidr", list_line_cidr, MEANS_NOTHING },
    [LIST_URLS] = { "urls", list_line_urls, MEANS_URL },
    [LIST_HOSTPORTS] = { "host-ports", list_line_hostports, MEANS_EXACT },
};

enum list_format list_format_find(struct slice name)
{
    for (enum list_format f = 0; f < LIST_FORMATS; f++)
        if (slice_is(name, formats[f].name))
            return f;
    return LIST_FORMATS;
}

const char *list_format_name(enum list_format f)
{
    return formats[f].name;
}

const char *list_meaning_text(enum list_meaning m)
{
    static const char *const text[] = {
        [MEANS_NOTHING] = "no bare names",
        [MEANS_EXACT] = "exact names",
        [MEANS_SUBDOMAINS] = "names and their subdomains",
        [MEANS_URL] = "hosts, with or without www, web or ftp before them",
        [MEANS_TEXT] = "texts anywhere in the URL",
    };
    return text[m];
}

const char *list_skip_text(enum list_skip s)
{
    static const char *const text[SKIP_KINDS] = {
        [SKIP_BOILERPLATE] = "localhost and its kin",
        [SKIP_OVERRIDE] = "another address than a sink",
        [SKIP_PAGE] = "about the inside of pages",
        [SKIP_OPTION] = "an option that a proxy cannot judge",
        [SKIP_TRIGGER] = "a trigger or action that a proxy does not have",
        [SKIP_SETTING] = "a setting of another kind",
    };
    return text[s];
}

/* ---- the report ---- */

void list_reject(struct list_reader *r, const char *why)
{
    struct list_report *report = &r->report;
    if (r->told)
        return;
    r->told = true;
    if (report->rejected++ >= LIST_TOLD)
        return;
    struct list_told *told = &report->told[report->rejected - 1];
    told->line = report->lines;
    struct text t = text_in(told->why, sizeof told->why - 1);
    struct slice reason = slice_of(why);
    reason.n = reason.n < t.cap ? reason.n : t.cap;
    text_add(&t, reason);
    for (size_t i = 0; i < r->shown.n && i < sizeof told->text - 1; i++) {
        u8 c = (u8)r->shown.p[i];
        told->text[i] = c < ' ' || c == 0x7f ? '?' : (char)c;
    }
}

void list_skip(struct list_reader *r, enum list_skip why)
{
    r->report.skipped[why]++;
}

void list_emit(struct list_reader *r, struct list_entry e)
{
    e.line = r->report.lines;
    e.removes = e.removes || r->removes;
    const char *why = r->take(r->ctx, &e);
    if (why) {
        list_reject(r, why);
        return;
    }
    r->report.entries++;
    if (e.kind == ENTRY_HOST && (e.hosts & HOST_BELOW) && e.effect != EFFECT_EXCEPTED &&
        list_name_is_suffix(e.text) && r->report.suffixes++ == 0)
        r->report.first_suffix = e.line;
}

/* ---- lines ---- */

static void one_line(struct list_reader *r, struct slice line)
{
    enum list_format f = r->report.format;
    r->report.lines++;
    r->shown = line;
    r->told = r->removes = false;
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    struct slice trimmed = slice_trim(line);
    if (r->too_long) {
        list_reject(r, "longer than 4096 bytes");
    } else if (slice_find(line, 0)) {
        list_reject(r, "a NUL byte");
    } else if (trimmed.n == 0 && (f != LIST_RPZ || r->o.diff)) {
        return;
    } else if (r->o.diff) {
        r->removes = trimmed.p[0] == '-';
        if (trimmed.p[0] == '#')
            return;
        struct slice entry = slice_trim(slice_skip(trimmed, 1));
        if (entry.n && (trimmed.p[0] == '+' || trimmed.p[0] == '-'))
            formats[f].read(r, entry);
        else
            list_reject(r, "neither +entry nor -entry");
    } else {
        formats[f].read(r, f == LIST_RPZ ? line : trimmed);
    }
}

static void end_line(struct list_reader *r)
{
    one_line(r, (struct slice){ r->line, r->n });
    r->n = 0;
    r->too_long = false;
}

static void read_lines(struct list_reader *r, struct slice bytes)
{
    while (bytes.n) {
        const char *lf = slice_find(bytes, '\n');
        size_t n = lf ? (size_t)(lf - bytes.p) : bytes.n;
        /* A CR at the end is no part of the line, but only the next byte tells. */
        size_t room = sizeof r->line - r->n, taken = n < room ? n : room;
        if (lf && r->n == 0 && n < sizeof r->line) {
            one_line(r, (struct slice){ bytes.p, n }); /* without a copy */
        } else {
            memcpy(r->line + r->n, bytes.p, taken);
            r->n += taken;
            r->too_long = r->too_long || taken < n;
            if (lf)
                end_line(r);
        }
        bytes = slice_skip(bytes, lf ? n + 1 : n);
    }
}

static void decide(struct list_reader *r, enum list_format f)
{
    r->decided = true;
    r->report.format = f;
    r->report.bare = formats[f].bare;
    if (r->o.subdomains && r->report.bare == MEANS_EXACT)
        r->report.bare = MEANS_SUBDOMAINS;
}

static void decide_by_held(struct list_reader *r)
{
    struct slice held = { r->held, r->held ? r->held_n : 0 };
    decide(r, list_detect(held));
    read_lines(r, held);
    free(r->held);
    r->held = NULL;
    r->held_n = 0;
}

/* Have enough lines been held that say something? The last one has just ended. */
static bool enough(struct list_reader *r)
{
    struct slice line =
        slice_trim((struct slice){ r->held + r->held_line, r->held_n - r->held_line - 1 });
    r->held_line = r->held_n;
    r->held_lines += line.n > 0 && line.p[0] != '#' && line.p[0] != '!' && line.p[0] != ';';
    return r->held_lines >= AUTO_LINES;
}

static void hold(struct list_reader *r, struct slice bytes)
{
    if (r->held == NULL || r->held_n + bytes.n > r->held_room) {
        size_t room = r->held_n + bytes.n + AUTO_BYTES / 4;
        char *p = realloc(r->held, room);
        if (p == NULL) { /* then by what is there */
            decide_by_held(r);
            read_lines(r, bytes);
            return;
        }
        r->held = p;
        r->held_room = room;
    }
    memcpy(r->held + r->held_n, bytes.p, bytes.n);
    r->held_n += bytes.n;
}

static void take_bytes(struct list_reader *r, struct slice bytes)
{
    /* In small steps, so that pieces of any size lead to the same decision. */
    while (!r->decided && bytes.n) {
        const char *lf = slice_find(bytes, '\n');
        size_t n = lf ? (size_t)(lf - bytes.p) + 1 : bytes.n;
        size_t left = AUTO_BYTES - r->held_n;
        n = n < left ? n : left;
        hold(r, (struct slice){ bytes.p, n });
        bytes = slice_skip(bytes, n);
        if (!r->decided && (r->held_n >= AUTO_BYTES || (lf && enough(r))))
            decide_by_held(r);
    }
    read_lines(r, bytes);
}

void list_reader_feed(struct list_reader *r, struct slice bytes)
{
    static const char mark[] = "\xef\xbb\xbf";
    while (!r->begun && bytes.n) { /* a byte order mark, whatever pieces it comes in */
        r->line[r->n++] = bytes.p[0];
        bytes = slice_skip(bytes, 1);
        if (memcmp(r->line, mark, r->n) == 0 && r->n < 3)
            continue;
        size_t n = r->n == 3 && memcmp(r->line, mark, 3) == 0 ? 0 : r->n;
        char first[3];
        memcpy(first, r->line, n);
        r->begun = true;
        r->n = 0;
        take_bytes(r, (struct slice){ first, n });
    }
    if (bytes.n)
        take_bytes(r, bytes);
}

struct list_reader *list_reader_new(const struct list_options *o, list_take *take, void *ctx)
{
    struct list_reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    r->o = *o;
    r->take = take;
    r->ctx = ctx;
    if (o->format != LIST_AUTO)
        decide(r, o->format);
    return r;
}

const struct list_report *list_reader_end(struct list_reader *r)
{
    if (!r->begun && r->n) { /* one or two bytes in all, which might have been a mark */
        char first[3];
        size_t n = r->n;
        memcpy(first, r->line, n);
        r->begun = true;
        r->n = 0;
        take_bytes(r, (struct slice){ first, n });
    }
    if (!r->decided)
        decide_by_held(r);
    if (r->n || r->too_long)
        end_line(r);
    r->told = false;
    r->shown = (struct slice){ NULL, 0 };
    if (r->rpz)
        list_rpz_end(r);
    return &r->report;
}

void list_reader_free(struct list_reader *r)
{
    if (r == NULL)
        return;
    if (r->rpz)
        list_rpz_free(r);
    free(r->held);
    free(r);
}
