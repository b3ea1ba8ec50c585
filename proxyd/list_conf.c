#include "list_conf.h"

#include "base/must.h"
#include "base/str.h"
#include "base/text.h"
#include "filters/addrclass.h"
#include "http/uri.h"
#include "io/digest.h"
#include "list_url.h"

/* In the order of enum list_format. */
#define FORMATS                                                                                    \
    "auto domains hosts adblock squidguard squidguard-urls squidguard-expressions dnsmasq "        \
    "unbound "                                                                                     \
    "rpz regex cidr urls host-ports"

enum { VIA_MOST = 4 * 300 }; /* bytes of the proxies of a parent */

static const char *text_of(struct arena *a, struct slice s)
{
    char *p = arena_zalloc(a, s.n + 1);
    memcpy(p, s.p, s.n);
    return p;
}

static void read_source(const struct schema_row *row, const struct node *n, struct arena *a,
                        void *to)
{
    struct list_conf *c = to;
    (void)row;
    if (n == NULL)
        return;
    c->source = node_arg(n, 0);
    c->shown = arena_copy(a, c->source->text);
    c->fetched = list_url_is(c->shown);
    c->path = c->fetched ? text_of(a, c->shown) : schema_path(a, c->source);
}

static void check_url(const struct word *w, struct diags *d)
{
    const char *wrong = list_url_wrong(w->text);
    if (wrong == NULL)
        return;
    diag_error(d, w, "%s cannot be fetched: %s", word_shown(w), wrong);
    diag_more(d, "a program such as curl can fetch it into a new file and rename that over the "
                 "old one; name that file here, and the change is noticed");
}

static void check_source(const struct node *n, struct diags *d)
{
    const struct word *w = node_arg(n, 0);
    if (!w->reported && list_url_is(w->text))
        check_url(w, d);
}

static bool is_sum(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (ascii_hex(s.p[i]) < 0)
            return false;
    return s.n == DIGEST_TEXT - 1;
}

static void check_checksum(const struct node *n, struct diags *d)
{
    const struct word *w = node_arg(n, 0);
    if (w->reported || is_sum(w->text))
        return;
    if (list_url_is(w->text)) {
        check_url(w, d);
        return;
    }
    diag_error(d, w, "%s is no checksum", word_shown(w));
    diag_more(d, "expected the 64 hexadecimal digits of a SHA-256, or the URL of a file as "
                 "sha256sum writes it");
}

/* 0 % to 100 %; false: it is no such thing. */
static bool percent(struct slice s, u64 *out)
{
    if (!slice_ends(s, SLICE("%")))
        return false;
    s.n--;
    return slice_u64(s, out) && *out <= 100;
}

static void check_loss(const struct node *n, struct diags *d)
{
    const struct word *w = node_arg(n, 0);
    u64 part;
    if (!w->reported && !percent(w->text, &part))
        diag_error(d, w, "%s is not a share: expected 0%% to 100%%", word_shown(w));
}

static void read_loss(const struct schema_row *row, const struct node *n, struct arena *a, void *to)
{
    struct schema_values v = schema_values(row, n);
    struct slice text;
    u64 part = 0;
    (void)a;
    must(schema_values_next(&v, &text) && percent(text, &part));
    *(u32 *)to = (u32)part;
}

static void read_reach(const struct schema_row *row, const struct node *n, struct arena *a,
                       void *to)
{
    u8 *reach = to;
    (void)row;
    (void)a;
    for (u32 i = 0; n && i < node_nargs(n); i++) {
        enum addr_class class;
        must(addr_class_find(node_arg(n, i)->text, &class));
        *reach |= CLASS_BIT(class);
    }
}

static bool leads_nowhere(const struct list_conf *c, enum addr_class *class)
{
    struct target_uri u;
    if (!c->fetched || target_parse(METHOD_GET, c->shown, NULL, &u) != FAULT_NONE ||
        !u.host.literal)
        return false;
    *class = addr_class(&u.host.addr);
    return *class != CLASS_PUBLIC && !(c->reach & CLASS_BIT(*class));
}

static const char *const of_urls[] = { "every", "timeout", "max-size", "checksum", "reach", "via" };

void list_conf_check(const struct node *list, struct diags *d)
{
    const struct node *source = node_child(list, "source");
    struct arena a;
    enum addr_class class;
    if (list->torn || source == NULL || source->reported || node_arg(source, 0)->reported)
        return;
    bool url = list_url_is(node_arg(source, 0)->text);
    for (unsigned i = 0; i < countof(of_urls) && !url; i++) {
        const struct node *n = node_child(list, of_urls[i]);
        if (n == NULL)
            continue;
        diag_warning(d, &n->words[0], "\"%s\" says nothing about a file", of_urls[i]);
        diag_more(d, "it is about lists that are fetched by URL; a file is read again when it "
                     "changes");
    }
    if (!url || list_url_wrong(node_arg(source, 0)->text))
        return;
    const struct node *reach = node_child(list, "reach");
    for (u32 i = 0; reach && i < node_nargs(reach); i++)
        if (reach->reported || node_arg(reach, i)->reported)
            return;
    arena_init(&a, 0);
    struct list_conf c = { .shown = node_arg(source, 0)->text, .fetched = true };
    read_reach(NULL, reach, &a, &c.reach);
    if (leads_nowhere(&c, &class)) {
        diag_error(d, node_arg(source, 0), "%s is never fetched: its address is not public",
                   word_shown(node_arg(source, 0)));
        diag_more(d, "to open it, add \"reach %s;\" to the list", addr_class_name(class));
    }
    arena_free(&a);
}

static void read_optional(const struct schema_row *row, const struct node *n, struct arena *a,
                          void *to)
{
    (void)row;
    (void)a;
    *(bool *)to = n && (node_nargs(n) == 0 || slice_is(node_arg(n, 0)->text, "yes"));
}

const struct schema_row list_rows[] = {
    { .key = "source",
      .type = { TYPE_PATH },
      .required = true,
      .read = read_source,
      .check = check_source,
      .doc = "A file, plain or packed with gzip, or a folder of categories as squidGuard and UT1 "
             "have them (`CATEGORY/domains`, `urls`, `expressions`), also as a tar or tar.gz file. "
             "It is read again when it changes; until the new content has been read without "
             "complaint the old one stays in force. Or the `http://` URL of such a file, which the "
             "proxy fetches itself; what it fetched last is kept in the folder of `state`.",
      .example = "source lists/ads.txt;" },
    { .key = "format",
      .type = { TYPE_CHOICE },
      .choices = FORMATS,
      INTO(struct list_conf, format),
      .fallback = "auto",
      .doc = "How its lines are read. `auto` decides by the first hundred lines; `proxyd check` "
             "and `proxyd lists show` tell for what.",
      .example = "format adblock;" },
    { .key = "match",
      .type = { TYPE_CHOICE },
      .choices = "as-format subdomains",
      INTO(struct list_conf, match),
      .fallback = "as-format",
      .doc = "What a bare name means: what its format says (in a hosts file only that name), or "
             "always the name and its subdomains.",
      .example = "match subdomains;" },
    { .key = "min-entries",
      .type = { TYPE_COUNT },
      .most = 50000000,
      INTO(struct list_conf, min_entries),
      .fallback = "0",
      .doc = "With fewer entries it is not taken.",
      .example = "min-entries 100000;" },
    { .key = "max-loss",
      .type = { TYPE_CUSTOM },
      .offset = offsetof(struct list_conf, most_loss),
      .read = read_loss,
      .check = check_loss,
      .fallback = "50%",
      .doc = "A content that has lost a larger share of the entries before it is not taken: it is "
             "cut off or another one by mistake. `proxyd ctl refresh NAME anyway` takes it once.",
      .example = "max-loss 20%;" },
    { .key = "every",
      .type = { TYPE_DURATION },
      .least = 1000,
      .most = (u64)365 * 86400000,
      INTO(struct list_conf, every),
      .fallback = "24h",
      .doc = "How often it is asked for anew, by a conditional request, a tenth sooner or later by "
             "chance. After a failure it is tried again in 10 s, and each time twice as late, an "
             "hour at most; when the server says later in `Retry-After` (with 429 or 503), then, a "
             "day at most.",
      .example = "every 6h;" },
    { .key = "timeout",
      .type = { TYPE_DURATION },
      .least = 1,
      .most = 86400000,
      INTO(struct list_conf, timeout),
      .fallback = "10m",
      .doc = "Until then it has to be here, to its last byte.",
      .example = "timeout 2m;" },
    { .key = "max-size",
      .type = { TYPE_SIZE },
      .least = 1,
      INTO(struct list_conf, max_size),
      .fallback = "256m",
      .doc = "What is larger is not fetched, as it comes: packed, if it is. Unpacked it may have "
             "2 GiB.",
      .example = "max-size 20m;" },
    { .key = "checksum",
      .type = { TYPE_CUSTOM },
      INTO(struct list_conf, checksum),
      .check = check_checksum,
      .doc =
          "The SHA-256 that it must have: 64 hexadecimal digits, or the `http://` URL where they "
          "stand, alone or in the line of the source's file as `sha256sum` writes them.",
      .example = "checksum http://lists.example/ads.txt.sha256;" },
    { .key = "reach",
      .type = { TYPE_CHOICE },
      .offset = offsetof(struct list_conf, reach),
      .read = read_reach,
      .min = 1,
      .max = SCHEMA_MANY,
      .choices = "metadata loopback link-local private multicast reserved",
      .doc = "The classes of addresses that it may be fetched from, also behind a redirect, "
             "besides public ones.",
      .example = "reach private;" },
    { .key = "via",
      .type = { TYPE_REF },
      .refers = "parent",
      INTO(struct list_conf, via),
      .doc = "It is fetched through this parent, where nothing else leads out. The parent looks "
             "names up then, so `reach` is asked of addresses in URLs alone.",
      .example = "via upstairs;" },
    { .key = "optional",
      .type = { TYPE_CHOICE },
      .choices = "yes no",
      .min = 0,
      .max = 1,
      .read = read_optional,
      .offset = offsetof(struct list_conf, optional),
      .doc = "As long as it could not be loaded it has no entries. Without this key the listeners "
             "whose policy asks it answer 503 until it has been loaded once.",
      .example = "optional;" },
    { .key = NULL },
};

struct list_conf list_conf_read(const struct node *list, struct arena *a)
{
    struct list_conf c = { .name = arena_copy(a, node_name(list)) };
    schema_fill(list_rows, list, a, &c);
    return c;
}

/* The parent as it is: another one is another way. */
static void add_via(struct text *t, const struct list_conf *c)
{
    const struct node *proxies = c->via ? node_child(c->via, "proxy") : NULL;
    for (u32 i = 0; proxies && i < node_nargs(proxies); i++) {
        text_char(t, ' ');
        text_add(t, node_arg(proxies, i)->text);
    }
}

struct slice list_conf_key(const struct list_conf *c, struct arena *a)
{
    size_t n = c->name.n + strlen(c->path) + c->checksum.n + 256 + VIA_MOST;
    struct text t = text_in(arena_alloc(a, n), n);
    text_add(&t, c->name);
    text_char(&t, 0);
    text_cstr(&t, c->path);
    text_char(&t, 0);
    text_u64(&t, c->format);
    text_char(&t, ' ');
    text_u64(&t, c->match);
    text_char(&t, ' ');
    text_u64(&t, c->min_entries);
    text_char(&t, c->optional ? '+' : '-');
    const u64 more[] = { c->most_loss, c->every, c->timeout, c->max_size, c->reach };
    for (unsigned i = 0; i < countof(more); i++) {
        text_u64(&t, more[i]);
        text_char(&t, ' ');
    }
    text_add(&t, c->checksum);
    add_via(&t, c);
    must(!t.full);
    return text_slice(&t);
}
