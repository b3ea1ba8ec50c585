#include "pac/conf.h"

#include <errno.h>
#include <stdio.h>

#include "base/str.h"
#include "pac/engine.h"
#include "pac/pac.h"

/* ---- words ---- */

/* What a rule may ask and a browser cannot. */
static const struct undecidable {
    const char *word, *why;
} undecidable[] = {
    { "list", "a list is longer than a script may be, and changes while the script is in use" },
    { "category", "a list is longer than a script may be, and changes while the script is in use" },
    { "class", "which class a name has is known when it has been looked up" },
    { "group", "a browser does not know who uses it" },
};

static const char *why_not(const struct word *w)
{
    if (w->kind == WORD_REGEX)
        return "what PCRE2 finds and what a browser would find are not the same";
    for (unsigned i = 0; i < countof(undecidable); i++)
        if (word_is_bare(w, undecidable[i].word))
            return undecidable[i].why;
    return NULL;
}

static void check_direct(const struct node *n, struct diags *d)
{
    for (u32 i = 0; i < node_nargs(n); i++) {
        const struct word *w = node_arg(n, i);
        const char *why = why_not(w);
        if (why == NULL)
            continue;
        diag_error(d, w, "%s cannot be direct: a browser has to know it by the name alone",
                   word_shown(w));
        diag_more(d, "%s", why);
        diag_more(d, "expected hosts, addresses or networks, such as .corp.example 10.0.0.0/8; "
                     "whatever else goes to the proxy, which decides");
        i += w->kind != WORD_REGEX;
    }
}

static void check_proxies(const struct node *n, struct diags *d)
{
    u32 all = 0;
    for (const struct node *p = n->parent->children; p; p = p->next)
        if (slice_is(node_key(p), "proxy") || slice_is(node_key(p), "https-proxy"))
            all += node_nargs(p);
    if (all > PAC_PROXIES_MAX)
        diag_error(d, node_arg(n, 0), "more than %d proxies in a row", PAC_PROXIES_MAX);
}

/* ---- a file ---- */

const char *pac_file_read(const char *path, struct arena *a, struct slice *out)
{
    FILE *f = fopen(path, "re");
    *out = SLICE("");
    if (f == NULL)
        return errno == ENOENT ? "there is no such file" : strerror(errno);
    char *area = arena_alloc(a, PAC_FILE_MAX + 1);
    size_t n = fread(area, 1, PAC_FILE_MAX + 1, f);
    const char *why = ferror(f) ? strerror(errno) : n > PAC_FILE_MAX ? "longer than 1 MB" : NULL;
    (void)fclose(f);
    if (why == NULL)
        *out = (struct slice){ area, n };
    return why;
}

/* The line that the engine names: "SyntaxError: … (line 4)". 0: none. */
static u32 line_of(struct slice text)
{
    const char *at = memmem(text.p, text.n, "(line ", 6);
    u32 line = 0;
    for (size_t i = at ? (size_t)(at + 6 - text.p) : text.n;
         i < text.n && ascii_digit(text.p[i]) && line < 100000000; i++)
        line = 10 * line + (u32)(text.p[i] - '0');
    return line;
}

static void tell_broken(const struct word *w, struct slice script, struct slice why,
                        struct diags *d)
{
    u32 line = line_of(why);
    if (line == 0) {
        diag_error(d, w, "%s cannot be served: %.*s", word_shown(w), SLICE_FMT(why));
        return;
    }
    struct position at = { diag_source(d, w->text.p, script, w->at), line, 1 };
    diag_error_at(d, at, 1, "%.*s", SLICE_FMT(why));
}

static void check_file(const struct node *n, struct diags *d)
{
    const struct word *w = node_arg(n, 0);
    struct arena a;
    struct slice text;
    if (w->reported)
        return;
    arena_init(&a, 0);
    const char *why = pac_file_read(schema_path(&a, w), &a, &text);
    if (why) {
        diag_error(d, w, "cannot read %s: %s", word_shown(w), why);
    } else {
        struct pac_answer answer;
        struct pac_question q = { SLICE("http://www.example/"), SLICE("www.example") };
        pac_ask(text, &(struct pac_world){ 0 }, &q, 1, &a, &answer);
        if (answer.why != PAC_ANSWERED && answer.why != PAC_THREW) {
            tell_broken(w, text, answer.text, d);
        } else if (answer.why == PAC_THREW) {
            diag_warning(d, w, "%s fails for http://www.example/", word_shown(w));
            diag_more(d, "%s", slice_shown(answer.text));
        }
    }
    arena_free(&a);
}

void pac_check(const struct node *n, struct diags *d)
{
    const struct node *file = node_child(n, "file");
    for (const struct node *c = n->children; file && c; c = c->next) {
        if (c == file || slice_is(node_key(c), "max-age") || c->row == NULL)
            continue;
        diag_error(d, &c->words[0], "%.*s does not go with \"file\": the file says all",
                   SLICE_FMT(node_key(c)));
        return;
    }
}

void pac_check_listeners(const struct node *root, struct diags *d)
{
    for (const struct node *l = node_child(root, "listener"); l; l = node_again(l)) {
        const struct node *pac = node_child(l, "pac"), *policy = node_child(l, "policy");
        struct arena a;
        if (pac == NULL || policy == NULL)
            continue;
        arena_init(&a, 0);
        (void)pac_compile(schema_ref(pac, 0), schema_ref(policy, 0), &a, d);
        arena_free(&a);
    }
}

/* ---- rows ---- */

#define PROXY_ROW                                                                                  \
    {                                                                                              \
        .key = "proxy", .type = { TYPE_SERVER }, .min = 1, .max = PAC_PROXIES_MAX, .repeat = true, \
        .check = check_proxies,                                                                    \
        .doc = "The proxies that a browser asks, in this order: the next one when one cannot be "  \
               "reached. Without any it is the address under which the client has reached the "    \
               "listener.",                                                                        \
        .example = "proxy proxy.example:3128 backup.example:3128;"                                 \
    }
#define HTTPS_ROW                                                                                  \
    {                                                                                              \
        .key = "https-proxy", .type = { TYPE_SERVER }, .min = 1, .max = PAC_PROXIES_MAX,           \
        .repeat = true, .check = check_proxies,                                                    \
        .doc =                                                                                     \
            "Proxies that the browser speaks TLS with (`HTTPS` in the script). They stand in one " \
            "row with those of `proxy`, in the order of the file.",                                \
        .example = "https-proxy proxy.example:443;"                                                \
    }
#define SHARD_ROW                                                                                  \
    {                                                                                              \
        .key = "shard", .type = { TYPE_CHOICE }, .choices = "on off", .fallback = "off",           \
        .doc =                                                                                     \
            "Spreads the hosts over the proxies by a hash of the name, so that a row of caches "   \
            "holds each page once. Each host has an order of its own in which the others are "     \
            "asked; a proxy more or less of n moves one n-th of the hosts.",                       \
        .example = "shard on;"                                                                     \
    }
#define DIRECT_ROW                                                                                 \
    {                                                                                              \
        .key = "direct", .type = { TYPE_DESTINATION }, .min = 1, .max = SCHEMA_MANY,               \
        .repeat = true, .regex = true, .binds = "list category class group",                       \
        .check = check_direct,                                                                     \
        .doc = "What browsers go to without the proxy: hosts and networks as in `to` of a rule, "  \
               "networks for addresses in the URL. What the policy denies, or may deny, for that " \
               "client is not direct.",                                                            \
        .example = "direct .corp.example 10.0.0.0/8;"                                              \
    }
#define FALLBACK_ROW                                                                               \
    {                                                                                              \
        .key = "fallback", .type = { TYPE_CHOICE }, .choices = "none direct", .fallback = "none",  \
        .doc = "What a browser does when no proxy can be reached: with `direct` it goes without, " \
               "and so past the policy.",                                                          \
        .example = "fallback direct;"                                                              \
    }
#define PLAIN_ROW                                                                                  \
    {                                                                                              \
        .key = "plain-names", .type = { TYPE_CHOICE }, .choices = "direct proxy",                  \
        .fallback = "direct",                                                                      \
        .doc = "Names without a dot. They may mean another machine on the other side of a proxy; " \
               "with `proxy` the proxy decides about them.",                                       \
        .example = "plain-names proxy;"                                                            \
    }
#define DNS_ROW                                                                                    \
    {                                                                                              \
        .key = "dns", .type = { TYPE_CHOICE }, .choices = "on off", .fallback = "off",             \
        .doc = "Lets the script look up names that nothing else is said of, and compares their "   \
               "address with the networks of `direct`. The browser waits for each look-up.",       \
        .example = "dns on;"                                                                       \
    }

static const struct schema_row from_rows[] = {
    PROXY_ROW, HTTPS_ROW, SHARD_ROW, DIRECT_ROW, FALLBACK_ROW, PLAIN_ROW, DNS_ROW, { .key = NULL }
};

const struct schema_row pac_rows[] = {
    PROXY_ROW,
    HTTPS_ROW,
    SHARD_ROW,
    DIRECT_ROW,
    FALLBACK_ROW,
    PLAIN_ROW,
    DNS_ROW,
    { .key = "max-age",
      .type = { TYPE_DURATION },
      .least = 1000,
      .most = 7ull * 24 * 3600 * 1000,
      .fallback = "5m",
      .doc = "How long a browser may use the script before it asks whether there is another one.",
      .example = "max-age 1h;" },
    { .key = "file",
      .type = { TYPE_PATH },
      .check = check_file,
      .doc = "A script that is served as it is, instead of one that is made. It is tried when the "
             "configuration is checked, and read again when it changes; a wrong one changes "
             "nothing.",
      .example = "file company.pac;" },
    { .key = "from",
      .kind = ROW_NAMED,
      .type = { TYPE_CIDR },
      .repeat = true,
      .children = from_rows,
      .doc = "Something else for the clients of a network; what it does not say is as in the "
             "block. Of several the narrowest one counts.",
      .example = "from 10.20.0.0/16 { proxy branch.example:3128; }" },
    { .key = NULL },
};
