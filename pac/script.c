#include "pac/script.h"

#include "base/embed.h"
#include "base/must.h"
#include "base/str.h"

EMBED(script_js, "pac/script.js")
EMBED(dns_js, "pac/dns.js")
EMBED(shard_js, "pac/shard.js")
EMBED(in_order_js, "pac/in_order.js")
EMBED(find_js, "pac/find.js")

enum { LABEL_MOST = 300, AROUND = 1024, AUTHORITY_MOST = 4 * 320 };

static const char hex_digit[] = "0123456789abcdef";

static bool is_harmless(char c)
{
    return ascii_alnum(c) || c == '.' || c == ':' || c == '-' || c == '_' || c == '[' || c == ']';
}

void pac_escape(struct text *out, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        u8 c = (u8)s.p[i];
        if (is_harmless((char)c)) {
            text_char(out, (char)c);
        } else {
            text_lit(out, "\\x");
            text_char(out, hex_digit[c >> 4]);
            text_char(out, hex_digit[c & 15]);
        }
    }
}

/* ---- tables ---- */

static void put_digits(struct text *t, const struct addr *a)
{
    for (unsigned i = 0; i < (a->family == AF_INET ? 4u : 16u); i++) {
        text_char(t, hex_digit[a->ip[i] >> 4]);
        text_char(t, hex_digit[a->ip[i] & 15]);
    }
}

static void put_net(struct text *t, const struct pac_label *l)
{
    struct addr last = l->net.base;
    for (unsigned bit = l->net.bits; bit < (last.family == AF_INET ? 32u : 128u); bit++)
        last.ip[bit / 8] |= (u8)(0x80 >> bit % 8);
    text_lit(t, "[\"");
    put_digits(t, &l->net.base);
    text_lit(t, "\", \"");
    put_digits(t, &last);
    text_lit(t, "\", ");
    text_char(t, l->direct ? '1' : '0');
    text_char(t, ']');
}

static void put_name(struct text *t, const struct pac_label *l)
{
    text_char(t, '"');
    text_char(t, l->kind == HOST_ITSELF ? '=' : '.');
    pac_escape(t, l->host);
    text_lit(t, "\": ");
    text_char(t, l->direct ? '1' : '0');
}

static bool is_rest(const struct pac_label *l)
{
    return !l->is_net && l->kind == HOST_BELOW && l->host.n == 0;
}

/* Those of one kind and one length of prefix (-1: any); what is not direct has been kept room for.
 */
static void put_labels(struct text *t, const struct pac_labels *l, bool nets, int bits,
                       const bool *kept, bool *first)
{
    for (u32 i = 0; i < l->n; i++) {
        const struct pac_label *one = &l->list[i];
        if (!kept[i] || one->is_net != nets || is_rest(one) || (nets && one->net.bits != bits))
            continue;
        text_cstr(t, *first ? "\n    " : ",\n    ");
        *first = false;
        if (nets)
            put_net(t, one);
        else
            put_name(t, one);
    }
}

static void put_tables(struct text *t, const struct pac_labels *l, const bool *kept)
{
    bool first = true;
    text_lit(t, "var proxyd_names = {");
    put_labels(t, l, false, -1, kept, &first);
    text_lit(t, "\n};\nvar proxyd_nets = [");
    first = true;
    for (int bits = 128; bits >= 0; bits--)
        put_labels(t, l, true, bits, kept, &first);
    text_lit(t, "\n];\n");
}

static size_t size_of(const struct pac_label *l)
{
    char area[LABEL_MOST];
    struct text t = text_in(area, sizeof area);
    if (l->is_net)
        put_net(&t, l);
    else
        put_name(&t, l);
    must(!t.full);
    return t.n + sizeof ",\n    ";
}

/* Those that are not direct first: without one of them a wider label would make it direct. When
 * they alone are too many, nothing is direct. */
static void keep(const struct pac_labels *l, size_t room, bool *kept, struct pac_left_out *left)
{
    bool fits = true;
    for (int direct = 0; direct <= 1; direct++)
        for (u32 i = 0; i < l->n; i++) {
            const struct pac_label *one = &l->list[i];
            if (one->direct != (direct == 1))
                continue;
            size_t n = size_of(one);
            kept[i] = fits && n <= room;
            room -= kept[i] ? n : 0;
            fits = fits && (kept[i] || direct);
            if (kept[i] || !one->direct)
                continue;
            left->first = left->labels++ ? left->first : one->word;
        }
}

/* ---- all of it ---- */

static void put_head(struct text *t, struct slice name, const struct cidr *clients)
{
    text_lit(t, "/* Made by proxyd");
    if (name.n) {
        text_lit(t, " from pac ");
        pac_escape(t, name);
    }
    if (clients && clients->base.family) {
        text_lit(t, ", for clients in ");
        addr_text(t, &clients->base);
        text_char(t, '/');
        text_u64(t, clients->bits);
    }
    text_lit(t, " */\n");
}

static void put_proxies(struct text *t, const struct pac_section *s)
{
    text_lit(t, "var proxyd_proxies = [");
    if (s->nproxies == 0)
        text_lit(t, "\n    \"PROXY \" + proxyd_own");
    for (u32 i = 0; i < s->nproxies; i++) {
        text_cstr(t, i ? ",\n    \"" : "\n    \"");
        text_cstr(t, s->proxy[i].tls ? "HTTPS " : "PROXY ");
        pac_escape(t, s->proxy[i].at);
        text_char(t, '"');
    }
    text_lit(t, "\n];\nvar proxyd_fallback = \"");
    text_cstr(t, s->fallback_direct ? "; DIRECT" : "");
    text_lit(t, "\";\nvar proxyd_plain = ");
    text_cstr(t, s->plain_direct ? "1" : "undefined");
    text_lit(t, ";\n");
}

static void put_rest(struct text *t, const struct pac_labels *l, const bool *kept)
{
    const char *rest = "undefined";
    for (u32 i = 0; i < l->n; i++)
        if (kept[i] && is_rest(&l->list[i]))
            rest = l->list[i].direct ? "1" : "0";
    text_lit(t, "var proxyd_rest = ");
    text_cstr(t, rest);
    text_lit(t, ";\n");
}

static void put_code(struct text *t, const struct pac_section *s)
{
    text_add(t, script_js());
    if (s->dns)
        text_add(t, dns_js());
    else
        text_lit(t, "var proxyd_resolved = null;\n");
    text_add(t, s->shard && s->nproxies > 1 ? shard_js() : in_order_js());
    text_add(t, find_js());
}

/* FNV-1a: the same in every process, so that a tag outlives a restart. */
u64 pac_print(u64 before, struct slice s)
{
    u64 h = before ? before : 14695981039346656037u;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (u8)s.p[i]) * 1099511628211u;
    return h;
}

struct pac_script pac_script_make(struct slice name, const struct cidr *clients,
                                  const struct pac_section *s, const struct pac_labels *l,
                                  struct arena *a, struct pac_left_out *left)
{
    struct text head = text_in(arena_alloc(a, AROUND), AROUND);
    struct text t = text_in(arena_alloc(a, PAC_MAX), PAC_MAX - AUTHORITY_MOST - AROUND);
    bool *kept = arena_zalloc(a, l->n + 1);
    bool whole = s->nproxies > 0;
    put_head(whole ? &t : &head, name, clients);
    if (!whole) {
        text_lit(&head, "var proxyd_own = \"");
        text_lit(&t, "\";\n");
    }
    put_proxies(&t, s);
    put_code(&t, s);
    must(!t.full);
    *left = (struct pac_left_out){ 0 };
    keep(l, t.cap - t.n - AROUND, kept, left);
    put_rest(&t, l, kept);
    put_tables(&t, l, kept);
    if (left->labels)
        text_fmt(&t, "/* Left to the proxy, for want of room: %u more. */\n", left->labels);
    must(!head.full && !t.full);
    return (struct pac_script){ .before = text_slice(&head),
                                .after = text_slice(&t),
                                .whole = whole,
                                .print =
                                    pac_print(pac_print(0, text_slice(&head)), text_slice(&t)) };
}
