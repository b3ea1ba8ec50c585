#include "list_conf.h"

#include "base/must.h"
#include "base/text.h"

/* In the order of enum list_format. */
#define FORMATS                                                                                    \
    "auto domains hosts adblock squidguard squidguard-urls squidguard-expressions dnsmasq "        \
    "unbound "                                                                                     \
    "rpz regex cidr urls host-ports"

static void read_source(const struct schema_row *row, const struct node *n, struct arena *a,
                        void *to)
{
    struct list_conf *c = to;
    (void)row;
    if (n == NULL)
        return;
    c->source = node_arg(n, 0);
    c->path = schema_path(a, c->source);
    c->shown = arena_copy(a, c->source->text);
}

static void check_source(const struct node *n, struct diags *d)
{
    const struct word *w = node_arg(n, 0);
    const char *colon = slice_find(w->text, ':');
    if (w->reported || colon == NULL || (size_t)(colon + 3 - w->text.p) > w->text.n ||
        memcmp(colon, "://", 3) != 0)
        return;
    diag_error(d, w, "%s is a URL: lists are read from files", word_shown(w));
    diag_more(d, "fetch it with curl into a new file and rename that over the old one; the change "
                 "is noticed");
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
             "complaint the old one stays in force.",
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
      .doc = "With fewer entries it is not taken. Neither is one with less than half of the "
             "entries of the content before it.",
      .example = "min-entries 100000;" },
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

struct slice list_conf_key(const struct list_conf *c, struct arena *a)
{
    size_t n = c->name.n + strlen(c->path) + 64;
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
    must(!t.full);
    return text_slice(&t);
}
