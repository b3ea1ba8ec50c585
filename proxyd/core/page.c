#include "core/page.h"

#include "base/str.h"
#include "http/token.h"

/* Escaped at most six times as long, both fit the 8 kB of an answer. */
enum { LONGEST_TARGET = 300, LONGEST_REASON = 500 };

/* The administrator's words are UTF-8, as all of the configuration; a peer's need not be. */
enum source { OF_PEER, OF_ADMINISTRATOR };

static bool shown(u8 c, enum source o)
{
    return c >= 0x20 && (c < 0x7f || (c > 0x7f && o == OF_ADMINISTRATOR));
}

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
        text_char(t, shown((u8)s.p[i], OF_ADMINISTRATOR) ? s.p[i] : ' ');
}

static void put_html(struct text *t, struct slice s, enum source o)
{
    for (size_t i = 0; i < s.n; i++) {
        u8 c = (u8)s.p[i];
        if (c == '<')
            text_lit(t, "&lt;");
        else if (c == '>')
            text_lit(t, "&gt;");
        else if (c == '&')
            text_lit(t, "&amp;");
        else if (c == '"')
            text_lit(t, "&quot;");
        else if (c == '\'')
            text_lit(t, "&#39;");
        else
            text_char(t, shown(c, o) ? (char)c : '?');
    }
}

/* Of a peer's bytes beyond ASCII only the number is kept. */
static void put_json(struct text *t, struct slice s, enum source o)
{
    for (size_t i = 0; i < s.n; i++) {
        u8 c = (u8)s.p[i];
        if (c == '"' || c == '\\') {
            text_char(t, '\\');
            text_char(t, (char)c);
        } else if (!shown(c, o)) {
            text_lit(t, "\\u00");
            text_char(t, "0123456789abcdef"[c >> 4]);
            text_char(t, "0123456789abcdef"[c & 15]);
        } else {
            text_char(t, (char)c);
        }
    }
}

static void text_line(struct text *t, const char *name, struct slice value,
                      void (*put)(struct text *, struct slice))
{
    if (value.n == 0)
        return;
    text_cstr(t, name);
    text_lit(t, ": ");
    put(t, value);
    text_char(t, '\n');
}

static void write_text(struct text *t, const struct page *p)
{
    text_cstr(t, p->fault->token);
    text_lit(t, ": ");
    text_cstr(t, p->fault->text);
    text_lit(t, "\n");
    text_line(t, "help", p->help, text_escaped);
    text_line(t, "client", p->client, text_escaped);
    text_line(t, "rule", p->rule, text_escaped);
    text_line(t, "reason", p->reason, put_text);
    text_line(t, "request", p->target, text_escaped);
    text_line(t, "id", p->id, text_escaped);
}

static void json_member(struct text *t, const char *name, struct slice value, enum source o)
{
    if (value.n == 0)
        return;
    text_lit(t, ",\"");
    text_cstr(t, name);
    text_lit(t, "\":\"");
    put_json(t, value, o);
    text_char(t, '"');
}

static void write_json(struct text *t, const struct page *p)
{
    text_lit(t, "{\"status\":");
    text_u64(t, p->fault->status);
    json_member(t, "cause", slice_of(p->fault->token), OF_PEER);
    json_member(t, "text", slice_of(p->fault->text), OF_PEER);
    json_member(t, "help", p->help, OF_PEER);
    json_member(t, "client", p->client, OF_PEER);
    json_member(t, "rule", p->rule, OF_PEER);
    json_member(t, "reason", p->reason, OF_ADMINISTRATOR);
    json_member(t, "request", p->target, OF_PEER);
    json_member(t, "id", p->id, OF_PEER);
    text_lit(t, "}\n");
}

static void html_block(struct text *t, const char *tag, struct slice value, enum source o)
{
    if (value.n == 0)
        return;
    text_char(t, '<');
    text_cstr(t, tag);
    text_char(t, '>');
    put_html(t, value, o);
    text_lit(t, "</");
    text_cstr(t, tag);
    text_lit(t, ">\n");
}

static void html_row(struct text *t, const char *name, struct slice value, enum source o)
{
    if (value.n == 0)
        return;
    text_lit(t, "<dt>");
    text_cstr(t, name);
    text_lit(t, "</dt><dd>");
    put_html(t, value, o);
    text_lit(t, "</dd>\n");
}

/* A card on a quiet ground, light or dark as the user has it; the bar above it tells at a glance
 * who says no: the rules, the other side, or this side. No script, nothing loaded from anywhere. */
static const char style[] =
    ":root{color-scheme:light dark;--bg:#eef0f3;--card:#fff;--ink:#1f2328;--dim:#5c6670;"
    "--line:#d8dee4;--bar:#3557c4}"
    "@media(prefers-color-scheme:dark){:root{--bg:#16191d;--card:#20252b;--ink:#e4e8ec;--dim:#"
    "9aa4ae;"
    "--line:#38404a}}"
    ".rules{--bar:#c4352f}.upstream{--bar:#b97400}"
    "body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--bg);"
    "color:var(--ink);font:16px/1.5 system-ui,sans-serif}"
    "main{box-sizing:border-box;width:calc(100% - 2em);max-width:42em;margin:1em;padding:2em;"
    "background:var(--card);border:1px solid var(--line);border-top:5px solid var(--bar);"
    "border-radius:6px}"
    "h1{margin:.2em 0 .6em;font-size:1.5em;line-height:1.25}"
    ".status{margin:0;color:var(--dim);letter-spacing:.04em}"
    "blockquote{margin:1.2em 0;padding:.4em 1em;border-left:3px solid var(--bar);"
    "overflow-wrap:anywhere}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.35em 1.2em;margin:1.5em 0 0;"
    "padding-top:1.2em;border-top:1px solid var(--line)}"
    "dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere;font-family:ui-monospace,monospace;"
    "font-size:.92em}"
    "footer{margin-top:1.5em;color:var(--dim);font-size:.85em}";

static void html_head(struct text *t, const struct page *p)
{
    text_lit(t, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                "<meta name=\"robots\" content=\"noindex\"><title>");
    text_u64(t, p->fault->status);
    text_char(t, ' ');
    text_add(t, status_reason(p->fault->status));
    text_lit(t, "</title>\n<style>");
    text_cstr(t, style);
    text_lit(t, "</style></head>\n");
}

static void write_html(struct text *t, const struct page *p)
{
    bool denied = p->fault->whose == FAULT_OF_POLICY,
         upstream = p->fault->whose == FAULT_OF_UPSTREAM;
    html_head(t, p);
    text_lit(t, "<body class=\"");
    text_cstr(t, denied ? "rules" : upstream ? "upstream" : "client");
    text_lit(t, "\"><main>\n<p class=\"status\">");
    text_u64(t, p->fault->status);
    text_char(t, ' ');
    text_add(t, status_reason(p->fault->status));
    text_lit(t, "</p>\n<h1>");
    text_cstr(t, denied     ? "This request is not allowed"
                 : upstream ? "The destination could not be reached"
                            : "This request could not be served");
    text_lit(t, "</h1>\n<p>The proxy says: ");
    text_cstr(t, p->fault->text);
    text_lit(t, ".</p>\n");
    html_block(t, "p", p->help, OF_PEER);
    html_block(t, "blockquote", p->reason, OF_ADMINISTRATOR);
    text_lit(t, "<dl>\n");
    html_row(t, "Request", p->target, OF_PEER);
    html_row(t, "Cause", slice_of(p->fault->token), OF_PEER);
    html_row(t, "Your address", p->client, OF_PEER);
    html_row(t, "Rule", p->rule, OF_PEER);
    html_row(t, "Request id", p->id, OF_PEER);
    text_lit(t, "</dl>\n<footer>Quote the request id when you ask your administrator.</footer>\n"
                "</main></body></html>\n");
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

void page_write(struct text *t, enum page_form f, const struct page *p)
{
    struct page cut = *p;
    const char *query = slice_find(cut.target, '?'); /* may hold secrets: not repeated */
    if (query)
        cut.target = slice_range(cut.target.p, query);
    cut.target = clip(cut.target, LONGEST_TARGET);
    cut.reason = clip(cut.reason, LONGEST_REASON);
    switch (f) {
    case PAGE_HTML: write_html(t, &cut); break;
    case PAGE_JSON: write_json(t, &cut); break;
    default: write_text(t, &cut);
    }
}
