/*
 * The configurations of resolvers: dnsmasq's and unbound's. The hard thing is that they say more
 * than what to block: only what answers with nowhere, or not at all, is an entry; every other
 * answer and setting is passed over and counted. The type of an unbound zone may leave it to the
 * data that follow whether the zone is one.
 */
#include "base/str.h"
#include "filters/list_inside.h"

static bool is_sink_text(struct slice s)
{
    struct addr a;
    return addr_parse(s, &a) && list_is_sink(&a);
}

static void dnsmasq_name(struct list_reader *r, struct slice name)
{
    struct list_entry e = { .hosts = HOST_BOTH };
    if (slice_is(name, "#")) {
        list_reject(r, "every name there is");
        return;
    }
    if (name.n == 0) { /* names without a dot */
        list_skip(r, SKIP_SETTING);
        return;
    }
    if (slice_starts(name, SLICE("*."))) {
        e.hosts = HOST_BELOW;
        name = slice_skip(name, 2);
    } else if (name.p[0] == '.') {
        name = slice_skip(name, 1);
    }
    list_emit_name(r, name, e);
}

/* address=/name/…/ADDRESS, server=/name/…/, local=/name/…/ */
void list_line_dnsmasq(struct list_reader *r, struct slice line)
{
    struct slice word = list_only_word(r, line), key, value, name, target = { NULL, 0 };
    if (word.n == 0)
        return;
    value = word;
    if (!slice_cut(&value, '=', &key) || value.p == NULL) {
        list_skip(r, SKIP_SETTING);
        return;
    }
    bool answers = slice_is(key, "address");
    if ((!answers && !slice_is(key, "server") && !slice_is(key, "local")) || value.n == 0 ||
        value.p[0] != '/') {
        list_skip(r, SKIP_SETTING);
        return;
    }
    struct slice names = slice_skip(value, 1);
    size_t end = names.n;
    while (end > 0 && names.p[end - 1] != '/')
        end--;
    if (end == 0) {
        list_reject(r, "no / behind the name");
        return;
    }
    target = slice_skip(names, end);
    names.n = end - 1;
    bool blocks = target.n == 0 || (answers && (slice_is(target, "#") || is_sink_text(target)));
    if (!blocks) {
        list_skip(r, answers ? SKIP_OVERRIDE : SKIP_SETTING);
        return;
    }
    while (slice_cut(&names, '/', &name))
        dnsmasq_name(r, name);
}

static struct slice unquoted(struct slice s)
{
    if (s.n >= 2 && (s.p[0] == '"' || s.p[0] == '\'') && s.p[s.n - 1] == s.p[0])
        return (struct slice){ s.p + 1, s.n - 2 };
    return s;
}

static void unbound_zone(struct list_reader *r, struct slice rest)
{
    static const char *const blocking[] = {
        "deny",          "refuse",      "static",      "always_refuse", "always_nxdomain",
        "always_nodata", "always_deny", "always_null", "inform_deny",   NULL
    };
    struct slice name = unquoted(list_word(&rest)), type = unquoted(list_word(&rest));
    r->redirect[0] = 0;
    if (name.n == 0 || type.n == 0 || !list_rest_is_comment(rest)) {
        list_reject(r, "not a name and a type");
        return;
    }
    for (size_t i = 0; blocking[i]; i++) {
        if (slice_is(type, blocking[i])) {
            list_emit_name(r, name, (struct list_entry){ .hosts = HOST_BOTH });
            return;
        }
    }
    struct list_name is;
    if (slice_is(type, "redirect") && list_name(&is, name) == NULL) {
        memcpy(r->redirect, is.text, is.n); /* its data decides: the line that follows */
        r->redirect[is.n] = 0;
    } else {
        list_skip(r, SKIP_SETTING);
    }
}

/* local-data: "name [ttl] [IN] A 0.0.0.0" */
static void unbound_data(struct list_reader *r, struct slice rest)
{
    struct list_name is;
    rest = unquoted(slice_trim(rest));
    struct slice name = list_word(&rest), word, last = { NULL, 0 }, type = { NULL, 0 };
    while ((word = list_word(&rest)).n) {
        type = last;
        last = word;
    }
    if (!slice_eq_nocase(type, SLICE("A")) && !slice_eq_nocase(type, SLICE("AAAA"))) {
        list_skip(r, SKIP_SETTING);
        return;
    }
    if (!is_sink_text(last)) {
        list_skip(r, SKIP_OVERRIDE);
        return;
    }
    bool zone = list_name(&is, name) == NULL &&
                slice_eq((struct slice){ is.text, is.n }, slice_of(r->redirect));
    list_emit_name(r, name, (struct list_entry){ .hosts = zone ? HOST_BOTH : HOST_ITSELF });
}

void list_line_unbound(struct list_reader *r, struct slice line)
{
    struct slice key, rest = line;
    if (line.p[0] == '#')
        return;
    if (!slice_cut(&rest, ':', &key) || rest.p == NULL)
        list_reject(r, "not a setting and its value");
    else if (slice_is(key, "local-zone"))
        unbound_zone(r, rest);
    else if (slice_is(key, "local-data"))
        unbound_data(r, rest);
    else
        list_skip(r, SKIP_SETTING);
}
