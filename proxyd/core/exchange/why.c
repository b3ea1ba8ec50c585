/*
 * Whose refusals may be shown is decided by the address of whoever asks, and by nothing that it
 * says. Everything here came from outside once, so all of it is escaped.
 */
#include "core/exchange/why.h"

#include "core/exchange/local_reply.h"
#include "core/report/page.h"
#include "core/report/refusals.h"
#include "core/report/template.h"

EMBED(why_html, "proxyd/core/report/why.html")
EMBED(why_row_html, "proxyd/core/report/why_row.html")
EMBED(why_css, "proxyd/core/report/refusal.css")

enum { SHOWN = 300, ALL = REFUSALS_OF_ADDRESS * WHY_ROW + 8192 };

/* Of a tunnel that was ended, nothing was sent: what a request would have got. */
static u16 status_of(const struct refusal_entry *e)
{
    u16 own = fault_info(e->fault)->status;
    return e->status ? e->status : own ? own : 403;
}

static struct slice shown(struct slice s)
{
    return (struct slice){ s.p, s.n < SHOWN ? s.n : SHOWN };
}

/* ---- one ---- */

static enum verdict reply_one(struct xchg *x, const struct refusal_entry *e, struct slice contact,
                              enum page_form form)
{
    char body[PAGE_ROOM], client[ADDR_TEXT];
    struct text t = text_in(body, sizeof body), ct = text_in(client, sizeof client);
    addr_text(&ct, &e->client);
    const struct page page = { .fault = fault_info(e->fault),
                               .status = status_of(e),
                               .wall_us = e->wall_us,
                               .method = e->method,
                               .target = e->target,
                               .user = e->user,
                               .rule = e->evidence.rule,
                               .list = e->evidence.list,
                               .category = e->evidence.category,
                               .entry = e->evidence.entry,
                               .matched = e->evidence.matched,
                               .place = e->evidence.place,
                               .reason = e->reason,
                               .contact = contact,
                               .client = text_slice(&ct),
                               .client_decided = true, /* no other server can read this page */
                               .id = e->evidence.id,
                               .is_why = true };
    page_write(&t, form, &page);
    return reply_text(x, page_type(form), text_slice(&t));
}

/* ---- all ---- */

enum { FACTS = 9 };

/* The values of why_row.html, and the members of the other forms. `time`: room for one. */
static void facts_of(const struct refusal_entry *e, bool rfc3339, struct text *time,
                     struct template_value to[FACTS + 1])
{
    page_time(time, e->wall_us, rfc3339);
    const struct template_value facts[FACTS + 1] = {
        { "method", e->method, VALUE_OF_PEER },
        { "request", shown(e->target), VALUE_OF_PEER },
        { "cause", slice_of(fault_info(e->fault)->token), VALUE_MARKUP },
        { "rule", e->evidence.rule, VALUE_OF_PEER },
        { "list", e->evidence.list, VALUE_OF_PEER },
        { "matched", shown(e->evidence.matched), VALUE_OF_ADMINISTRATOR },
        { "reason", shown(e->reason), VALUE_OF_ADMINISTRATOR },
        { "time", text_slice(time), VALUE_MARKUP },
        { "id", e->evidence.id, VALUE_MARKUP },
        { NULL, { NULL, 0 }, VALUE_MARKUP },
    };
    memcpy(to, facts, sizeof facts);
}

static void put_json(struct text *t, const struct template_value *facts, bool first)
{
    text_add(t, first ? SLICE("{") : SLICE(",\n{"));
    for (unsigned i = 0; i < FACTS; i++) {
        if (i)
            text_char(t, ',');
        text_char(t, '"');
        text_cstr(t, facts[i].name);
        text_lit(t, "\":");
        text_json(t, facts[i].value);
    }
    text_char(t, '}');
}

static void put_line(struct text *t, const struct template_value *facts)
{
    for (unsigned i = 0; i < FACTS; i++) {
        if (facts[i].value.n == 0)
            continue;
        text_cstr(t, facts[i].name);
        text_char(t, '=');
        if (facts[i].source == VALUE_OF_ADMINISTRATOR)
            text_escaped_utf8(t, facts[i].value);
        else
            text_escaped(t, facts[i].value);
        text_char(t, i + 1 == FACTS ? '\n' : ' ');
    }
}

static void put_all(struct text *t, const struct refusal_entry *const *all, unsigned n,
                    enum page_form form)
{
    struct template_value facts[FACTS + 1];
    char area[32];
    for (unsigned i = 0; i < n; i++) {
        struct text time = text_in(area, sizeof area);
        facts_of(all[i], form != PAGE_HTML, &time, facts);
        if (form == PAGE_HTML)
            template_write(t, why_row_html(), facts);
        else if (form == PAGE_JSON)
            put_json(t, facts, i == 0);
        else
            put_line(t, facts);
    }
}

void why_rows(const struct xchg *x, enum page_form form, unsigned most, struct text *t)
{
    const struct refusal_entry *all[REFUSALS_OF_ADDRESS];
    unsigned n = refusals_of(x->worker->engine->refusals, &x->peer, all);
    put_all(t, all, n < most ? n : most, form);
    for (unsigned i = 0; i < n; i++)
        refusals_release(all[i]);
}

static void frame(struct text *t, const struct xchg *x, struct slice rows, enum page_form form)
{
    char area[ADDR_TEXT];
    struct text client = text_in(area, sizeof area);
    struct slice none = rows.n ? SLICE("") : SLICE("Nothing was refused to you lately.");
    addr_text(&client, &x->peer);
    const struct template_value values[] = { { "style", why_css(), VALUE_MARKUP },
                                             { "client", text_slice(&client), VALUE_OF_PEER },
                                             { "none", none, VALUE_OF_PEER },
                                             { "rows", rows, VALUE_MARKUP },
                                             { NULL, SLICE(""), VALUE_MARKUP } };
    if (form == PAGE_HTML) {
        template_write(t, why_html(), values);
        return;
    }
    text_add(t, form == PAGE_JSON ? SLICE("[") : none);
    text_add(t, rows);
    text_add(t, form == PAGE_JSON ? SLICE("]\n") : rows.n ? SLICE("") : SLICE("\n"));
}

static enum verdict reply_all(struct xchg *x, enum page_form form)
{
    char *area = arena_try(&x->arena, 2 * (size_t)ALL);
    if (area == NULL) {
        x->fault = FAULT_out_of_memory;
        return REFUSED;
    }
    struct text rows = text_in(area, ALL), t = text_in(area + ALL, ALL);
    why_rows(x, form, REFUSALS_OF_ADDRESS, &rows);
    frame(&t, x, text_slice(&rows), form);
    return reply_kept(x, page_type(form), text_slice(&t));
}

/* Under a name of its own choice any page could have its visitor's browser read the list (DNS
 * rebinding); an id it cannot guess. */
bool why_may_list(const struct xchg *x)
{
    const struct host *h = x->uri.form == TARGET_ORIGIN ? &x->host_field.host : &x->uri.host;
    return h->literal || slice_is((struct slice){ h->name, h->len }, "localhost");
}

enum verdict reply_why(struct xchg *x, struct slice contact)
{
    enum page_form form = page_form(&x->req);
    struct slice id = x->uri.query;
    const struct refusal_entry *e = NULL;
    if (slice_starts(id, SLICE("id="))) {
        e = refusals_find(x->worker->engine->refusals, &x->peer, slice_skip(id, 3));
    }
    if (e == NULL && (id.n || !why_may_list(x))) {
        x->fault = FAULT_not_found;
        return REFUSED;
    }
    reply_begin(x, 200, SLICE(""));
    (void)msg_add_line(&x->resp, TOKEN_CACHE_CONTROL, SLICE("Cache-Control: no-store\r\n"));
    if (e == NULL)
        return reply_all(x, form);
    enum verdict v = reply_one(x, e, contact, form);
    refusals_release(e);
    return v;
}
