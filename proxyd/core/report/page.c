/* Every form of a page is made from one set of values, by the names of page_variable.tbl. What
 * another server may learn decides what the usual page holds: a script of the host that was asked
 * for can read it, so it names the client's address only where nothing else would help. */
#include "core/report/page.h"

#include "base/page_variable.h"
#include "base/str.h"
#include "core/report/log_format.h"
#include "core/report/template.h"
#include "http/token.h"

/* Escaped at most six times as long, all of it fits PAGE_ROOM. */
enum { LONGEST_TARGET = 300, LONGEST_REASON = 500, LONGEST_METHOD = 32 };

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

void page_time(struct text *t, u64 wall_us, bool rfc3339)
{
    struct log_clock c = { 0 };
    if (wall_us == 0)
        return;
    log_clock_set(&c, wall_us);
    text_put(t, c.text, 10);
    text_char(t, rfc3339 ? 'T' : ' ');
    text_put(t, c.text + 11, 8);
    text_cstr(t, rfc3339 ? "Z" : " UTC");
}

/* ---- the values ---- */

enum { OURS = VALUE_MARKUP, ADMINISTRATOR = VALUE_OF_ADMINISTRATOR, PEER = VALUE_OF_PEER };

/* Those of the table, and behind them what the usual page alone has. */
enum { OWN_STYLE = PAGE_VARIABLES, OWN_ADDRESS, OWN_NAME, OWN_WORDS, OWN_AGAIN, OWN_ALL, OWN_END };

struct values {
    char status[8], time[32], contact_url[PAGE_CONTACT + 8];
    struct template_value of[OWN_END + 1];
};

static const struct template_value blank[OWN_END + 1] = {
#define PAGE_VARIABLE(name, source, presence, text)                                                \
    { #name, { NULL, 0 }, (enum value_source)(source) },
#include "base/page_variable.tbl"
#undef PAGE_VARIABLE
    [OWN_STYLE] = { "style", { NULL, 0 }, VALUE_MARKUP },
    [OWN_ADDRESS] = { "your_address", { NULL, 0 }, VALUE_OF_PEER },
    [OWN_NAME] = { "your_name", { NULL, 0 }, VALUE_OF_ADMINISTRATOR },
    [OWN_WORDS] = { "contact_words", { NULL, 0 }, VALUE_OF_ADMINISTRATOR },
    [OWN_AGAIN] = { "why_again", { NULL, 0 }, VALUE_OF_PEER },
    [OWN_ALL] = { "why_all", { NULL, 0 }, VALUE_OF_PEER },
    [OWN_END] = { NULL, { NULL, 0 }, VALUE_OF_PEER },
};

static void set(struct values *v, unsigned which, struct slice value)
{
    v->of[which].value = value;
}

/* The bar above the card shows at a glance who refuses: the rules, the destination's side, or this
 * side. */
static void set_cause(struct values *v, const struct page *p)
{
    bool denied = p->fault->whose == FAULT_OF_POLICY,
         upstream = p->fault->whose == FAULT_OF_UPSTREAM;
    struct text status = text_in(v->status, sizeof v->status);
    text_u64(&status, p->status);
    set(v, PAGE_status, text_slice(&status));
    set(v, PAGE_phrase, status_reason(p->status));
    set(v, PAGE_side, slice_of(denied ? "rules" : upstream ? "upstream" : "client"));
    set(v, PAGE_title,
        slice_of(denied     ? "This request is not allowed"
                 : upstream ? "The destination could not be reached"
                            : "This request could not be served"));
    set(v, PAGE_text, slice_of(p->fault->text));
    set(v, PAGE_cause, slice_of(p->fault->token));
}

static void set_decision(struct values *v, const struct page *p)
{
    set(v, PAGE_reason, p->reason);
    set(v, PAGE_rule, p->rule);
    set(v, PAGE_list, p->list);
    set(v, PAGE_category, p->category);
    set(v, PAGE_entry, p->entry);
    set(v, PAGE_matched, p->matched);
    set(v, PAGE_configured, p->place);
}

static void set_contact(struct values *v, const struct page *p)
{
    enum contact_kind kind = contact_kind(p->contact);
    struct text url = text_in(v->contact_url, sizeof v->contact_url);
    if (kind == CONTACT_MAIL)
        text_lit(&url, "mailto:");
    if (kind != CONTACT_WORDS)
        text_add(&url, p->contact);
    set(v, PAGE_contact, p->contact);
    set(v, PAGE_contact_url, text_slice(&url));
    set(v, OWN_WORDS, kind == CONTACT_WORDS ? p->contact : SLICE(""));
}

static void set_request(struct values *v, const struct page *p, bool rfc3339)
{
    struct text time = text_in(v->time, sizeof v->time);
    struct slice name = p->user;
    page_time(&time, p->wall_us, rfc3339);
    name.n = name.n ? strnlen(name.p, name.n) : 0;
    set(v, PAGE_help, p->help);
    set(v, PAGE_method, p->method);
    set(v, PAGE_url, p->target);
    set(v, PAGE_host, p->host);
    set(v, PAGE_time, text_slice(&time));
    set(v, PAGE_client, p->client);
    set(v, PAGE_user, name);
    set(v, PAGE_id, p->id);
    set(v, PAGE_why, p->why);
    set(v, OWN_ADDRESS, p->client_decided ? p->client : SLICE(""));
    set(v, OWN_NAME, p->is_why ? name : SLICE("")); /* which no other server can read */
    set(v, OWN_AGAIN, p->why);
    set(v, OWN_ALL, p->is_why ? SLICE("/why") : SLICE(""));
}

static void set_values(struct values *v, const struct page *p, bool rfc3339)
{
    memcpy(v->of, blank, sizeof blank);
    set(v, OWN_STYLE, refusal_css());
    set_cause(v, p);
    set_decision(v, p);
    set_contact(v, p);
    set_request(v, p, rfc3339);
}

/* ---- the forms ---- */

/* What text and JSON tell besides the cause, in this order. What is absent has no line. */
static const struct fact {
    const char *name;
    unsigned of;
} facts[] = {
    { "help", PAGE_help },     { "client", OWN_ADDRESS },   { "user", OWN_NAME },
    { "rule", PAGE_rule },     { "list", PAGE_list },       { "category", PAGE_category },
    { "entry", PAGE_entry },   { "matched", PAGE_matched }, { "configured", PAGE_configured },
    { "reason", PAGE_reason }, { "contact", PAGE_contact }, { "method", PAGE_method },
    { "request", PAGE_url },   { "time", PAGE_time },       { "id", PAGE_id },
    { "why", PAGE_why },
};

static void each_fact(struct text *t, const struct values *v,
                      void (*put)(struct text *, const char *, struct slice, enum value_source))
{
    for (unsigned i = 0; i < countof(facts); i++) {
        const struct template_value *one = &v->of[facts[i].of];
        if (one->value.n)
            put(t, facts[i].name, one->value, one->source);
    }
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
    struct values v;
    set_values(&v, p, false);
    text_cstr(t, p->fault->token);
    text_lit(t, ": ");
    text_cstr(t, p->fault->text);
    text_lit(t, "\n");
    each_fact(t, &v, text_line);
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
    struct values v;
    set_values(&v, p, true);
    text_lit(t, "{\"status\":");
    text_u64(t, p->status);
    json_member(t, "cause", slice_of(p->fault->token), VALUE_OF_PEER);
    json_member(t, "text", slice_of(p->fault->text), VALUE_OF_PEER);
    each_fact(t, &v, json_member);
    text_lit(t, "}\n");
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

static struct page shown(const struct page *p)
{
    struct page cut = *p;
    const char *query = slice_find(cut.target, '?'); /* may hold secrets: not repeated */
    if (query)
        cut.target = slice_range(cut.target.p, query);
    cut.method = clip(cut.method, LONGEST_METHOD);
    cut.target = clip(cut.target, LONGEST_TARGET);
    cut.place = last_names(cut.place, 1);
    cut.entry = last_names(cut.entry, 2);
    cut.reason = clip(cut.reason, LONGEST_REASON);
    return cut;
}

void page_write_own(struct text *t, struct slice template, const struct page *p)
{
    struct page cut = shown(p);
    struct values v;
    set_values(&v, &cut, false);
    template_write(t, template, v.of);
}

void page_write(struct text *t, enum page_form f, const struct page *p)
{
    struct page cut = shown(p);
    switch (f) {
    case PAGE_HTML: page_write_own(t, refusal_html(), p); break;
    case PAGE_JSON: write_json(t, &cut); break;
    default: write_text(t, &cut);
    }
}
