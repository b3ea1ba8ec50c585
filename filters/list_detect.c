/*
 * Which format a file is in, by its first lines: each line speaks for at most one format, and the
 * one with the most lines has it. Mixed files are read as that one, and what does not fit is
 * rejected and reported, rather than guessed at line by line.
 */
#include "base/str.h"
#include "filters/list_inside.h"

static bool has(struct slice s, const char *what)
{
    return memmem(s.p, s.n, what, strlen(what)) != NULL;
}

static bool starts_with_one(struct slice s, const char *const *what)
{
    for (; *what; what++)
        if (slice_starts(s, slice_of(*what)))
            return true;
    return false;
}

/* A line or the rest of one that begins with "##" is more often a comment in any other format than
 * a rule for every page. */
static bool is_adblock(struct slice s)
{
    static const char *const begin[] = { "||", "@@", "[Adblock", "[adblock", "|http", NULL };
    static const char *const inside[] = { "##", "#@#",          "#?#",      "#$#",        "#%#",
                                          "^$", "$third-party", "$domain=", "$important", NULL };
    const char *hash = slice_find(s, '#');
    if (hash && (hash == s.p || hash[-1] == ' ' || hash[-1] == '\t'))
        s = slice_range(s.p, hash);
    for (size_t i = 0; inside[i]; i++)
        if (has(s, inside[i]))
            return true;
    return starts_with_one(s, begin);
}

static bool is_rpz(struct slice s)
{
    static const char *const begin[] = { "$ORIGIN", "$TTL", NULL };
    static const char *const types[] = { "SOA", "CNAME", "NS", "IN", NULL };
    struct slice rest = s, word;
    list_word(&rest); /* the owner */
    if (starts_with_one(s, begin))
        return true;
    if (list_rest_is_comment(rest))
        return false;
    for (unsigned at = 0; at < 5 && (word = list_word(&rest)).n; at++)
        for (size_t i = 0; types[i]; i++)
            if (slice_eq_nocase(word, slice_of(types[i])))
                return true;
    return false;
}

static bool is_name(struct slice s)
{
    struct list_name is;
    if (slice_starts(s, SLICE("*.")))
        s = slice_skip(s, 2);
    else if (slice_starts(s, SLICE(".")))
        s = slice_skip(s, 1);
    return list_name(&is, s) == NULL;
}

static bool is_host_and_path(struct slice s)
{
    const char *slash = slice_find(s, '/');
    return slash && slash != s.p && is_name(slice_range(s.p, slash));
}

static bool is_host_and_port(struct slice s)
{
    const char *colon = slice_find(s, ':');
    u64 port;
    return colon && colon != s.p && is_name(slice_range(s.p, colon)) &&
           slice_u64(slice_range(colon + 1, s.p + s.n), &port) && port <= 65535;
}

/* LIST_AUTO: it does not say. An address alone is in lists of names as well as of networks. */
static enum list_format format_of(struct slice line, bool *address)
{
    static const char *const dnsmasq[] = { "address=/", "server=/", "local=/", NULL };
    static const char *const unbound[] = { "local-zone:", "local-data:", NULL };
    struct addr a;
    struct cidr net;
    bool host_bits;
    if (is_adblock(line))
        return LIST_ADBLOCK;
    if (line.p[0] == '#' || line.p[0] == '!' || line.p[0] == ';')
        return LIST_AUTO;
    if (starts_with_one(line, dnsmasq))
        return LIST_DNSMASQ;
    if (starts_with_one(line, unbound))
        return LIST_UNBOUND;
    struct slice rest = line, word = list_word(&rest);
    bool alone = list_rest_is_comment(rest);
    *address = alone && addr_parse(word, &a);
    if (*address)
        return LIST_AUTO;
    if (addr_parse(word, &a))
        return LIST_HOSTS;
    if (is_rpz(line))
        return LIST_RPZ;
    if (alone && cidr_parse(word, &net, &host_bits))
        return LIST_CIDR;
    if (alone && is_name(word))
        return LIST_DOMAINS;
    if (alone && (has(word, "://") ? !strchr("^(.[", word.p[0]) : is_host_and_path(word)))
        return LIST_URLS;
    if (alone && is_host_and_port(word))
        return LIST_HOSTPORTS;
    return alone || has(line, "\\") ? LIST_REGEX : LIST_AUTO;
}

enum list_format list_detect(struct slice text)
{
    unsigned lines[LIST_FORMATS] = { 0 }, addresses = 0;
    enum list_format best = LIST_AUTO;
    struct slice line;
    while (slice_cut(&text, '\n', &line)) {
        bool address = false;
        line = slice_trim(line);
        if (line.n && line.p[line.n - 1] == '\r')
            line = slice_trim((struct slice){ line.p, line.n - 1 });
        if (line.n)
            lines[format_of(line, &address)]++;
        addresses += address;
    }
    for (enum list_format f = LIST_AUTO + 1; f < LIST_FORMATS; f++)
        if (lines[f] && (best == LIST_AUTO || lines[f] > lines[best]))
            best = f;
    if (best == LIST_AUTO)
        return addresses ? LIST_CIDR : LIST_DOMAINS;
    return best;
}
