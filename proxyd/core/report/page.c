#include "core/report/page.h"

#include "base/str.h"
#include "core/report/template.h"
#include "http/token.h"

/* Escaped at most six times as long, both fit the 8 kB of an answer. */
enum { LONGEST_TARGET = 300, LONGEST_REASON = 500 };

EMBED(refusal_html, "proxyd/core/report/refusal.html")
EMBED(refusal_css, "proxyd/core/report/refusal.css")

struct slice page_type(enum page_form f)
{
    switch (f) {
    case PAGE_HTML: return SLICE("text/html; charset=utf-8");
    case PAGE_JSON: return SLICE("application/json");
    default: return SLICE("text/plain; charset=utf-8");
    }
}

static void put_text(struct text *t, struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        text_char(t, byte_shown((u8)s.p[i], VALUE_OF_ADMINISTRATOR) ? s.p[i] : ' ');
}

/* Of a peer's bytes beyond ASCII only the number is kept. */
static void put_json(struct text *t, struct slice s, enum value_source o)
{
    for (size_t i = 0; i < s.n; i++) {
        u8 c = (u8)s.p[i];
        if (c == '"' || c == '\\') {
            text_char(t, '\\');
            text_char(t, (char)c);
        } else if (!byte_shown(c, o)) {
            text_lit(t, "\\u00");
            text_char(t, "0123456789abcdef"[c >> 4]);
            text_char(t, "0123456789abcdef"[c & 15]);
        } else {
            text_char(t, (char)c);
        }
    }
}

enum { FACTS = 11 };

/* What a page tells besides the cause, in the order in which text and JSON have it. */
static void facts_of(const struct page *p, struct template_value to[FACTS])
{
    const struct template_value facts[FACTS] = {
        { "help", p->help, VALUE_OF_PEER },
        { "client", p->client, VALUE_OF_PEER },
        { "rule", p->rule, VALUE_OF_PEER },
        { "list", p->list, VALUE_OF_PEER },
        { "category", p->category, VALUE_OF_PEER },
        { "entry", p->entry, VALUE_OF_PEER },
        { "matched", p->matched, VALUE_OF_ADMINISTRATOR },
        { "configured", p->place, VALUE_OF_PEER },
        { "reason", p->reason, VALUE_OF_ADMINISTRATOR },
        { "request", p->target, VALUE_OF_PEER },
        { "id", p->id, VALUE_OF_PEER },
    };
    memcpy(to, facts, sizeof facts);
}

/* What is absent has no line. */
static void each_fact(struct text *t, const struct page *p,
                      void (*put)(struct text *, const char *, struct slice, enum value_source))
{
    struct template_value facts[FACTS];
    facts_of(p, facts);
    for (unsigned i = 0; i < FACTS; i++)
        if (facts[i].value.n)
            put(t, facts[i].name, facts[i].value, facts[i].source);
}

static void text_line(struct text *t, const char *name, struct slice value, enum value_source o)
{
    text_cstr(t, name);
    text_lit(t, ": ");
    if (o == VALUE_OF_ADMINISTRATOR)
        put_text(t, value);
    else
        text_escaped(t, value);
    text_char(t, '\n');
}

static void write_text(struct text *t, const struct page *p)
{
    text_cstr(t, p->fault->token);
    text_lit(t, ": ");
    text_cstr(t, p->fault->text);
    text_lit(t, "\n");
    each_fact(t, p, text_line);
}

static void json_member(struct text *t, const char *name, struct slice value, enum value_source o)
{
    text_lit(t, ",\"");
    text_cstr(t, name);
    text_lit(t, "\":\"");
    put_json(t, value, o);
    text_char(t, '"');
}

static void write_json(struct text *t, const struct page *p)
{
    text_lit(t, "{\"status\":");
    text_u64(t, p->status);
    json_member(t, "cause", slice_of(p->fault->token), VALUE_OF_PEER);
    json_member(t, "text", slice_of(p->fault->text), VALUE_OF_PEER);
    each_fact(t, p, json_member);
    text_lit(t, "}\n");
}

/* The bar above the card shows at a glance who refuses: the rules, the destination's side, or this
 * side. */
static void write_html(struct text *t, const struct page *p)
{
    bool denied = p->fault->whose == FAULT_OF_POLICY,
         upstream = p->fault->whose == FAULT_OF_UPSTREAM;
    char area[8];
    struct text status = text_in(area, sizeof area);
    text_u64(&status, p->status);
    enum { OWN = 7 };
    struct template_value values[OWN + FACTS + 1] = {
        { "status", text_slice(&status), VALUE_OF_PEER },
        { "phrase", status_reason(p->status), VALUE_OF_PEER },
        { "style", refusal_css(), VALUE_MARKUP },
        { "side",
          slice_of(denied     ? "rules"
                   : upstream ? "upstream"
                              : "client"),
          VALUE_OF_PEER },
        { "title",
          slice_of(denied     ? "This request is not allowed"
                   : upstream ? "The destination could not be reached"
                              : "This request could not be served"),
          VALUE_OF_PEER },
        { "text", slice_of(p->fault->text), VALUE_MARKUP },
        { "cause", slice_of(p->fault->token), VALUE_OF_PEER },
        [OWN + FACTS] = { NULL, { NULL, 0 }, VALUE_OF_PEER },
    };
    facts_of(p, values + OWN);
    template_write(t, refusal_html(), values);
}

/* Not in the middle of a character. */
static struct slice clip(struct slice s, size_t most)
{
    if (s.n <= most)
        return s;
    while (most && ((u8)s.p[most] & 0xc0) == 0x80)
        most--;
    return (struct slice){ s.p, most };
}

/* The folders of this machine are nobody's affair: the last so many names of a path. */
static struct slice last_names(struct slice path, unsigned names)
{
    size_t at = path.n;
    while (at > 0 && (path.p[at - 1] != '/' || --names > 0))
        at--;
    return slice_skip(path, at);
}

void page_write(struct text *t, enum page_form f, const struct page *p)
{
    struct page cut = *p;
    const char *query = slice_find(cut.target, '?'); /* may hold secrets: not repeated */
    if (query)
        cut.target = slice_range(cut.target.p, query);
    cut.target = clip(cut.target, LONGEST_TARGET);
    cut.place = last_names(cut.place, 1);
    cut.entry = last_names(cut.entry, 2);
    cut.reason = clip(cut.reason, LONGEST_REASON);
    switch (f) {
    case PAGE_HTML: write_html(t, &cut); break;
    case PAGE_JSON: write_json(t, &cut); break;
    default: write_text(t, &cut);
    }
}
