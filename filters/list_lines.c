/*
 * The formats whose lines are a few words: names, addresses, URLs and patterns. What they share is
 * how a name, a text and a pattern become an entry.
 */
#include "base/str.h"
#include "filters/list_inside.h"
#include "filters/regex_shape.h"
#include "filters/url_samples.h"
#include "http/uri.h"

/* ---- entries ---- */

struct slice list_word(struct slice *rest)
{
    size_t from = 0, to;
    while (from < rest->n && (rest->p[from] == ' ' || rest->p[from] == '\t'))
        from++;
    for (to = from; to < rest->n && rest->p[to] != ' ' && rest->p[to] != '\t'; to++)
        ;
    struct slice word = { rest->p + from, to - from };
    *rest = slice_skip(*rest, to);
    return word;
}

static bool is_comment(struct slice s)
{
    return s.n && (s.p[0] == '#' || s.p[0] == '!' || s.p[0] == ';');
}

bool list_rest_is_comment(struct slice rest)
{
    rest = slice_trim(rest);
    return rest.n == 0 || is_comment(rest) || slice_starts(rest, SLICE("//"));
}

void list_emit_name(struct list_reader *r, struct slice name, struct list_entry e)
{
    struct list_name is;
    const char *why = list_name(&is, name);
    if (why == NULL && is.is_address && e.hosts == HOST_BELOW)
        why = "an address has no subdomains";
    if (why) {
        list_reject(r, why);
        return;
    }
    e.kind = is.is_address ? ENTRY_NET : ENTRY_HOST;
    e.net = is.net;
    e.text = (struct slice){ is.text, is.n };
    if (e.hosts == HOST_ITSELF && r->o.subdomains)
        e.hosts = HOST_BOTH;
    list_emit(r, e);
}

void list_emit_text(struct list_reader *r, struct slice text, struct list_entry e)
{
    unsigned hits = 0;
    for (unsigned i = 0; i < url_samples_n; i++)
        hits += memmem(url_samples[i].p, url_samples[i].n, text.p, text.n) != NULL;
    if (text.n < 3 || hits > url_samples_n / 2) {
        list_reject(r, text.n < 3 ? "a text of less than three bytes" : "matches nearly every URL");
        return;
    }
    e.kind = ENTRY_TEXT;
    e.text = text;
    list_emit(r, e);
}

void list_emit_pattern(struct list_reader *r, struct slice pattern, struct list_entry e)
{
    struct regex_shape_of is;
    if (slice_starts(pattern, SLICE("(?i)"))) {
        e.caseless = true;
        pattern = slice_skip(pattern, 4);
    }
    if (pattern.n == 0) {
        list_reject(r, "matches every URL");
        return;
    }
    regex_shape(&is, pattern, e.caseless, REGEX_OF_URL);
    if (is.shape == REGEX_TEXT) {
        list_emit_text(r, (struct slice){ is.text, is.n }, e);
        return;
    }
    e.kind = is.shape == REGEX_HOST ? ENTRY_HOST : ENTRY_REGEX;
    e.hosts = is.kind;
    e.text = is.shape == REGEX_HOST ? (struct slice){ is.text, is.n } : pattern;
    list_emit(r, e);
}

bool list_is_sink(const struct addr *a)
{
    static const struct addr any4 = { .family = AF_INET }, any6 = { .family = AF_INET6 };
    static const struct addr one6 = { .family = AF_INET6, .ip = { [15] = 1 } };
    return addr_same_ip(a, &any4) || addr_same_ip(a, &any6) || addr_same_ip(a, &one6) ||
           (a->family == AF_INET && a->ip[0] == 127);
}

/* ---- names ---- */

struct slice list_only_word(struct list_reader *r, struct slice line)
{
    struct slice word = list_word(&line);
    if (is_comment(word))
        return (struct slice){ NULL, 0 };
    if (!list_rest_is_comment(line)) {
        list_reject(r, "more than one word");
        return (struct slice){ NULL, 0 };
    }
    return word;
}

/* "name", ".name", "*.name"; squidGuard's have no "*." and mean all below as well. */
void list_line_domains(struct list_reader *r, struct slice line)
{
    bool squidguard = r->report.format == LIST_SQUIDGUARD;
    struct list_entry e = { .hosts = squidguard ? HOST_BOTH : HOST_ITSELF };
    struct slice word = list_only_word(r, line);
    if (word.n == 0)
        return;
    if (word.p[0] == '.' && word.n > 1) {
        e.hosts = HOST_BOTH;
        word = slice_skip(word, 1);
    } else if (slice_starts(word, SLICE("*.")) && !squidguard) {
        e.hosts = HOST_BELOW;
        word = slice_skip(word, 2);
    }
    list_emit_name(r, word, e);
}

static bool is_boilerplate(struct slice name)
{
    static const char *const known[] = {
        "localhost",     "localhost.localdomain", "local",        "broadcasthost",
        "ip6-localhost", "ip6-loopback",          "ip6-localnet", "ip6-mcastprefix",
        "ip6-allnodes",  "ip6-allrouters",        "ip6-allhosts", "0.0.0.0",
    };
    for (size_t i = 0; i < countof(known); i++)
        if (slice_eq_nocase(name, slice_of(known[i])))
            return true;
    return false;
}

/* "0.0.0.0 name…": only sinks block. */
void list_line_hosts(struct list_reader *r, struct slice line)
{
    struct addr a;
    const char *hash = slice_find(line, '#');
    line = hash ? slice_range(line.p, hash) : line;
    struct slice word = list_word(&line);
    if (word.n == 0)
        return;
    if (slice_find(word, '%')) { /* fe80::1%lo0 */
        list_skip(r, SKIP_BOILERPLATE);
        return;
    }
    if (!addr_parse(word, &a)) {
        list_reject(r, "does not begin with an address");
        return;
    }
    bool sink = list_is_sink(&a), any = false;
    while ((word = list_word(&line)).n) {
        any = true;
        if (is_boilerplate(word))
            list_skip(r, SKIP_BOILERPLATE);
        else if (!sink)
            list_skip(r, SKIP_OVERRIDE);
        else
            list_emit_name(r, word, (struct list_entry){ .hosts = HOST_ITSELF });
    }
    if (!any)
        list_reject(r, "an address without a name");
}

/* ---- addresses and URLs ---- */

void list_line_cidr(struct list_reader *r, struct slice line)
{
    bool host_bits;
    struct list_entry e = { .kind = ENTRY_NET };
    struct slice word = list_only_word(r, line);
    if (word.n == 0)
        return;
    if (!cidr_parse(word, &e.net, &host_bits))
        list_reject(r, "not an address or network");
    else if (host_bits)
        list_reject(r, "bits are set beyond the prefix");
    else
        list_emit(r, e);
}

/* "host:port" → host. False: there is no number behind the last colon. */
static bool cut_port(struct slice *s)
{
    const char *colon = memrchr(s->p, ':', s->n);
    if (colon == NULL || (slice_find(*s, ':') != colon && colon[-1] != ']')) /* v6 */
        return false;
    struct slice port = slice_range(colon + 1, s->p + s->n);
    u64 number;
    if (!slice_u64(port, &number) || number > 65535)
        return false;
    s->n = (size_t)(colon - s->p);
    return true;
}

void list_line_hostports(struct list_reader *r, struct slice line)
{
    struct slice word = list_only_word(r, line);
    if (word.n == 0)
        return;
    r->report.ports += cut_port(&word);
    list_emit_name(r, word, (struct list_entry){ .hosts = HOST_ITSELF });
}

/* Cuts the scheme off, if there is one. False: another one than a proxy sees. */
static bool cut_scheme(struct slice *url)
{
    static const char *const known[] = { "http", "https", "ftp" };
    struct slice scheme = { url->p, 0 };
    while (scheme.n < url->n && ascii_alnum(url->p[scheme.n]))
        scheme.n++;
    if (!slice_starts(slice_skip(*url, scheme.n), SLICE("://")))
        return true;
    *url = slice_skip(*url, scheme.n + 3);
    for (size_t i = 0; i < countof(known); i++)
        if (slice_eq_nocase(scheme, slice_of(known[i])))
            return true;
    return false;
}

void list_line_urls(struct list_reader *r, struct slice line)
{
    char area[LIST_LINE];
    struct text t = text_in(area, sizeof area);
    struct list_name is;
    if (line.p[0] == '#' || line.p[0] == '!' || line.p[0] == ';')
        return;
    struct slice url = list_only_word(r, line);
    if (url.n == 0)
        return;
    if (!cut_scheme(&url)) {
        list_reject(r, "a scheme that a proxy does not see");
        return;
    }
    size_t n = 0;
    while (n < url.n && url.p[n] != '/' && url.p[n] != '?' && url.p[n] != '#')
        n++;
    struct slice host = { url.p, n }, path = slice_skip(url, n);
    if (path.n && path.p[path.n - 1] == '#')
        path.n--; /* an empty fragment */
    const char *why = slice_find(host, '@')   ? "a user before the host"
                      : slice_find(path, '#') ? "a fragment is never asked for"
                                              : NULL;
    bool port = why == NULL && cut_port(&host);
    why = why ? why : list_name(&is, host);
    if (why) {
        list_reject(r, why);
        return;
    }
    r->report.ports += port;
    text_add(&t, (struct slice){ is.text, is.n });
    if (path.n && path.p[0] == '?')
        text_char(&t, '/');
    if (!slice_is(path, "/"))
        path_encode(&t, path);
    if (t.full)
        list_reject(r, "longer than 4096 bytes");
    else
        list_emit(r, (struct list_entry){ .kind = ENTRY_URL, .text = text_slice(&t) });
}

/* ---- patterns ---- */

void list_line_regex(struct list_reader *r, struct slice line)
{
    if (line.p[0] != '#')
        list_emit_pattern(r, line, (struct list_entry){ .caseless = false });
}

/* A bracket of POSIX, where a backslash is itself; i is behind the "[". Returns behind the "]". */
static size_t copy_bracket(struct text *t, struct slice s, size_t i)
{
    if (i < s.n && s.p[i] == '^')
        text_char(t, s.p[i++]);
    for (size_t first = i; i < s.n; i++) {
        char c = s.p[i];
        if (c == ']' && i > first) {
            text_char(t, c);
            return i + 1;
        }
        if (c == '\\' || (c == ']' && i == first))
            text_char(t, '\\');
        text_char(t, c);
        if (c != '[' || i + 1 == s.n || !strchr(":.=", s.p[i + 1]))
            continue;
        char kind = s.p[++i]; /* [:alpha:] */
        do
            text_char(t, s.p[i]);
        while (++i + 1 < s.n && !(s.p[i] == kind && s.p[i + 1] == ']'));
        if (i + 1 < s.n) {
            text_char(t, kind);
            text_char(t, ']');
            i++;
        }
    }
    return i;
}

/* POSIX extended syntax (regex(7)) in PCRE2's where they differ: brackets, GNU's word borders. */
static void from_posix(struct text *t, struct slice s)
{
    for (size_t i = 0; i < s.n;) {
        char c = s.p[i++];
        if (c == '\\' && i < s.n && (s.p[i] == '<' || s.p[i] == '>')) {
            text_add(t, s.p[i] == '<' ? SLICE("\\b(?=\\w)") : SLICE("\\b(?<=\\w)"));
            i++;
            continue;
        }
        text_char(t, c);
        if (c == '[')
            i = copy_bracket(t, s, i);
        else if (c == '\\' && i < s.n)
            text_char(t, s.p[i++]);
    }
}

void list_line_expressions(struct list_reader *r, struct slice line)
{
    char area[LIST_LINE];
    struct text t = text_in(area, sizeof area);
    if (line.p[0] == '#')
        return;
    from_posix(&t, line);
    if (t.full)
        list_reject(r, "longer than 4096 bytes");
    else
        list_emit_pattern(r, text_slice(&t), (struct list_entry){ .caseless = true });
}
