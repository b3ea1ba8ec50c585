/*
 * A zone file whose names are triggers and whose data are actions. Lines are not records here:
 * parentheses go on over lines, an owner that is left out is the one before, and what a name means
 * hangs on the zone that it is in.
 */
#include <stdlib.h>

#include "base/str.h"
#include "filters/list_inside.h"

enum { WORDS = 64, RECORD = LIST_LINE };

struct rpz {
    char text[RECORD]; /* the words of the record, one behind the other */
    size_t n;
    struct slice word[WORDS];
    unsigned nwords, depth; /* open parentheses */
    bool same_owner;        /* the record begins with a blank */
    bool has_zone, has_owner;
    bool outside; /* the owner is absolute, and no zone is known that it could be in */
    struct slice origin, zone, owner, said; /* in the areas; without final dot */
    char origin_area[LIST_NAME + 2], zone_area[LIST_NAME + 2], owner_area[2 * LIST_NAME + 4];
    char said_area[2 * LIST_NAME + 4];
};

static void set(struct slice *to, char *area, size_t room, struct slice s)
{
    size_t n = s.n < room ? s.n : room;
    for (size_t i = 0; i < n; i++)
        area[i] = ascii_lower(s.p[i]);
    *to = (struct slice){ area, n };
}
#define SET(z, which, s) set(&(z)->which, (z)->which##_area, sizeof(z)->which##_area, (s))

/* ---- words ---- */

/* One character of a word, escapes undone: \DDD and \X. */
static const char *take_char(struct rpz *z, struct slice line, size_t *i)
{
    u8 c = (u8)line.p[(*i)++];
    if (c == '\\') {
        if (*i == line.n)
            return "a backslash at the end";
        c = (u8)line.p[(*i)++];
        if (ascii_digit((char)c)) {
            if (line.n - *i < 2 || !ascii_digit(line.p[*i]) || !ascii_digit(line.p[*i + 1]))
                return "an escape of less than three digits";
            unsigned v = (c - '0') * 100u + (unsigned)(line.p[*i] - '0') * 10u +
                         (unsigned)(line.p[*i + 1] - '0');
            *i += 2;
            if (v > 255)
                return "an escape above 255";
            c = (u8)v;
        }
        if (c == '.')
            return "a dot inside of a label";
    }
    if (z->n == sizeof z->text)
        return "a record of more than 4096 bytes";
    z->text[z->n++] = (char)c;
    return NULL;
}

static const char *take_word(struct rpz *z, struct slice line, size_t *i)
{
    size_t from = z->n;
    bool quoted = line.p[*i] == '"';
    *i += quoted;
    while (*i < line.n && (quoted ? line.p[*i] != '"' : !strchr(" \t();\"", line.p[*i]))) {
        const char *why = take_char(z, line, i);
        if (why)
            return why;
    }
    if (quoted && *i == line.n)
        return "a quote without end";
    *i += quoted;
    if (z->nwords == WORDS)
        return "a record of more than 64 words";
    z->word[z->nwords++] = (struct slice){ z->text + from, z->n - from };
    return NULL;
}

static const char *take_words(struct rpz *z, struct slice line)
{
    for (size_t i = 0; i < line.n;) {
        char c = line.p[i];
        const char *why = NULL;
        if (c == ';')
            break;
        if (c == ' ' || c == '\t' || c == '\r') {
            i++;
        } else if (c == '(' || c == ')') {
            i++;
            if (c == ')' && z->depth == 0)
                return "a parenthesis too many";
            z->depth += c == '(' ? 1 : -1u;
        } else {
            why = take_word(z, line, &i);
        }
        if (why)
            return why;
    }
    return NULL;
}

/* ---- names ---- */

/* The name without final dot, relative ones under the origin. False: too long. */
static bool absolute(const struct rpz *z, struct slice name, char *area, struct slice *out)
{
    struct text t = text_in(area, 2 * LIST_NAME + 4);
    if (slice_is(name, "@")) {
        text_add(&t, z->origin);
    } else if (name.p[name.n - 1] == '.') {
        text_add(&t, (struct slice){ name.p, name.n - 1 });
    } else {
        text_add(&t, name);
        if (z->origin.n) {
            text_char(&t, '.');
            text_add(&t, z->origin);
        }
    }
    for (size_t i = 0; i < t.n; i++)
        area[i] = ascii_lower(area[i]);
    *out = text_slice(&t);
    return !t.full;
}

/* The owner below the zone. False: it lies elsewhere, or is the zone itself. */
static bool below_zone(const struct rpz *z, struct slice owner, struct slice *out)
{
    *out = owner;
    if (z->zone.n == 0)
        return owner.n > 0;
    if (owner.n < z->zone.n + 2 || !slice_ends(owner, z->zone) ||
        owner.p[owner.n - z->zone.n - 1] != '.')
        return false;
    out->n = owner.n - z->zone.n - 1;
    return true;
}

/* "24.0.2.0.192" → 192.0.2.0/24; "128.1.zz.db8.2001" → 2001:db8::1/128. */
static bool reversed_net(struct slice s, struct cidr *net)
{
    char area[LIST_NAME + 8];
    struct text t = text_in(area, sizeof area);
    struct slice bits, label[9], one;
    unsigned n = 0;
    bool host_bits, zz = false;
    if (!slice_cut(&s, '.', &bits) || s.p == NULL)
        return false;
    while (slice_cut(&s, '.', &one)) {
        if (n == countof(label) || one.n == 0)
            return false;
        zz = zz || slice_is(one, "zz");
        label[n++] = one;
    }
    char between = n == 4 && !zz ? '.' : ':';
    for (unsigned i = n; i-- > 0;) {
        bool gap = slice_is(label[i], "zz");
        if (gap && (i + 1 == n)) /* at the front: "::…" */
            text_char(&t, ':');
        if (!gap)
            text_add(&t, label[i]);
        if (i > 0 || gap)
            text_char(&t, between);
    }
    text_char(&t, '/');
    text_add(&t, bits);
    return !t.full && cidr_parse(text_slice(&t), net, &host_bits) && !host_bits;
}

/* ---- records ---- */

static bool is_ttl(struct slice s)
{
    if (s.n == 0 || !ascii_digit(s.p[0]))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_digit(s.p[i]) && !strchr("smhdwSMHDW", s.p[i]))
            return false;
    return true;
}

static bool is_class(struct slice s)
{
    return slice_eq_nocase(s, SLICE("IN")) || slice_eq_nocase(s, SLICE("CH")) ||
           slice_eq_nocase(s, SLICE("HS"));
}

/* What a CNAME says. False: nothing for a proxy. */
static bool cname_effect(const struct rpz *z, struct slice target, struct list_entry *e, char *area)
{
    struct slice name;
    if (slice_is(target, ".") || slice_is(target, "*."))
        return true;
    if (slice_eq_nocase(target, SLICE("rpz-tcp-only.")))
        return false;
    if (slice_eq_nocase(target, SLICE("rpz-passthru."))) {
        e->effect = EFFECT_PASS;
        return true;
    }
    if (slice_eq_nocase(target, SLICE("rpz-drop."))) {
        e->effect = EFFECT_DROP;
        return true;
    }
    struct slice below;
    if (!absolute(z, target, area, &name) || name.n == 0)
        return false;
    if (below_zone(z, z->owner, &below) && slice_eq(below, name)) {
        e->effect = EFFECT_PASS; /* the old way to say it */
        return true;
    }
    e->effect = EFFECT_PAGE;
    e->page = slice_starts(name, SLICE("*.")) ? slice_skip(name, 2) : name;
    return true;
}

static void emit_trigger(struct list_reader *r, struct slice owner, struct list_entry e)
{
    static const struct {
        struct slice end;
        enum list_kind kind;
    } nets[] = { { { ".rpz-ip", 7 }, ENTRY_NET }, { { ".rpz-client-ip", 14 }, ENTRY_CLIENT } };
    for (size_t i = 0; i < countof(nets); i++) {
        if (!slice_ends(owner, nets[i].end))
            continue;
        e.kind = nets[i].kind;
        owner.n -= nets[i].end.n;
        if (reversed_net(owner, &e.net))
            list_emit(r, e);
        else
            list_reject(r, "not a reversed address with its length");
        return;
    }
    e.hosts = HOST_ITSELF;
    if (slice_ends(owner, SLICE(".rpz-nsdname")) || slice_ends(owner, SLICE(".rpz-nsip"))) {
        list_skip(r, SKIP_TRIGGER);
    } else if (slice_is(owner, "*")) {
        list_reject(r, "every name there is");
    } else if (slice_starts(owner, SLICE("*."))) {
        e.hosts = HOST_BELOW;
        list_emit_name(r, slice_skip(owner, 2), e);
    } else {
        list_emit_name(r, owner, e);
    }
}

static void act(struct list_reader *r, struct slice type, struct slice data)
{
    struct rpz *z = r->rpz;
    struct list_entry e = { .effect = EFFECT_LISTED };
    struct slice trigger;
    struct addr a;
    char page[2 * LIST_NAME + 4];
    if (slice_eq_nocase(type, SLICE("SOA"))) {
        if (!z->has_zone)
            SET(z, zone, z->owner);
        z->has_zone = true;
        if (z->origin.n == 0)
            SET(z, origin, z->owner);
        return;
    }
    if (z->has_zone && slice_eq(z->owner, z->zone))
        return; /* NS and others of the zone itself */
    bool address = slice_eq_nocase(type, SLICE("A")) || slice_eq_nocase(type, SLICE("AAAA"));
    if (z->outside || !below_zone(z, z->owner, &trigger)) {
        list_skip(r, SKIP_TRIGGER);
    } else if (slice_eq_nocase(type, SLICE("CNAME"))) {
        if (cname_effect(z, data, &e, page))
            emit_trigger(r, trigger, e);
        else
            list_skip(r, SKIP_TRIGGER);
    } else if (address && addr_parse(data, &a) && list_is_sink(&a)) {
        if (!slice_eq(z->said, z->owner)) /* A and AAAA of one name are one entry */
            emit_trigger(r, trigger, e);
        SET(z, said, z->owner);
    } else {
        list_skip(r, SKIP_OVERRIDE);
    }
}

static void directive(struct list_reader *r)
{
    struct rpz *z = r->rpz;
    char area[2 * LIST_NAME + 4];
    struct slice name;
    if (slice_eq_nocase(z->word[0], SLICE("$TTL")))
        return;
    if (!slice_eq_nocase(z->word[0], SLICE("$ORIGIN")) || z->nwords < 2 || z->word[1].n == 0)
        list_reject(r, "a directive other than $ORIGIN NAME and $TTL");
    else if (!absolute(z, z->word[1], area, &name))
        list_reject(r, "a name of more than 253 bytes");
    else
        SET(z, origin, name);
}

static void record(struct list_reader *r)
{
    struct rpz *z = r->rpz;
    unsigned at = 0;
    if (z->nwords == 0)
        return;
    if (!z->same_owner) {
        char area[2 * LIST_NAME + 4];
        struct slice name;
        if (z->word[0].n && z->word[0].p[0] == '$') {
            directive(r);
            return;
        }
        z->has_owner = false;
        if (z->word[0].n == 0 || !absolute(z, z->word[0], area, &name)) {
            list_reject(r, "a name of more than 253 bytes");
            return;
        }
        SET(z, owner, name);
        z->has_owner = true;
        z->outside = z->zone.n == 0 && z->word[0].p[z->word[0].n - 1] == '.';
        at = 1;
    }
    while (at < z->nwords && (is_ttl(z->word[at]) || is_class(z->word[at])))
        at++;
    if (!z->has_owner)
        list_reject(r, "data without a name");
    else if (z->nwords - at < 2 || z->word[at + 1].n == 0)
        list_reject(r, "not a type and its data");
    else
        act(r, z->word[at], z->word[at + 1]);
}

void list_line_rpz(struct list_reader *r, struct slice line)
{
    struct rpz *z = r->rpz;
    if (z == NULL) {
        z = r->rpz = calloc(1, sizeof *z);
        if (z == NULL) {
            list_reject(r, "no memory");
            return;
        }
        if (r->o.zone.n) {
            SET(z, origin, r->o.zone);
            SET(z, zone, r->o.zone);
            z->has_zone = true;
        }
    }
    if (z->depth == 0) {
        z->n = z->nwords = 0;
        z->same_owner = line.n && (line.p[0] == ' ' || line.p[0] == '\t');
    }
    const char *why = take_words(z, line);
    if (why) { /* to the end of the line: parentheses cannot be counted on */
        list_reject(r, why);
        z->has_owner = z->has_owner && z->same_owner;
        z->depth = 0;
        z->nwords = 0;
        return;
    }
    if (z->depth == 0)
        record(r);
}

void list_rpz_end(struct list_reader *r)
{
    if (r->rpz->depth)
        list_reject(r, "the file ends inside of parentheses");
}

void list_rpz_free(struct list_reader *r)
{
    free(r->rpz);
    r->rpz = NULL;
}
