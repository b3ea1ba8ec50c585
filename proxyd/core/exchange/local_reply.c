#include "core/exchange/local_reply.h"

#include "base/str.h"
#include "core/exchange/refused.h"
#include "core/report/page.h"
#include "http/date.h"

bool reply_date(struct xchg *x)
{
    struct text t;
    char date[DATE_TEXT];
    if (!msg_compose(&x->resp, DATE_TEXT + sizeof "Date: \r\n", &t))
        return false;
    date_text(date, (time_t)(x->worker->loop.now.wall_us / 1000000));
    text_lit(&t, "Date: ");
    text_put(&t, date, sizeof date);
    text_lit(&t, "\r\n");
    msg_keep_line(&x->resp, TOKEN_DATE, &t);
    return true;
}

/* A body that is still to come cannot be skipped safely: the connection ends with this answer. So
 * does that of a refused CONNECT: what comes behind it, now or later, was meant for the other end,
 * and somebody else may have chosen it (a page that makes its browser talk through a tunnel): it
 * must not be taken for a request of this client (RFC 9931). */
void reply_settle(struct xchg *x)
{
    x->request_done = x->request_cut = true;
    x->client.last |= !x->client.in_done || xchg_is_last(x) || x->req.method == METHOD_CONNECT;
}

/* All of it lies in the lent block, so no line fails for want of memory. */
void reply_begin(struct xchg *x, u16 status, struct slice reason)
{
    xchg_new_response(x);
    x->resp.response = true;
    x->resp.minor = 1;
    x->resp.method = x->req.method;
    x->resp.status = status;
    x->resp.reason = reason.n ? reason : status_reason(status);
    (void)reply_date(x);
}

static void add_type(struct msg *m, struct slice type)
{
    struct text t;
    if (type.n == 0 || !msg_compose(m, type.n + sizeof "Content-Type: \r\n", &t))
        return;
    text_lit(&t, "Content-Type: ");
    text_add(&t, type);
    text_lit(&t, "\r\n");
    msg_keep_line(m, TOKEN_CONTENT_TYPE, &t);
}

enum verdict reply_local(struct xchg *x, struct slice type, struct source body, u64 length)
{
    add_type(&x->resp, type);
    x->resp.body = x->resp.status == 204 ? BODY_NONE : BODY_LENGTH;
    x->resp.body_len = length;
    source_close(&x->source);
    x->source = body;
    return ANSWERED;
}

enum verdict reply_kept(struct xchg *x, struct slice type, struct slice body)
{
    x->reply_rest = body;
    return reply_local(x, type, text_source(&x->reply_rest), body.n);
}

enum verdict reply_text(struct xchg *x, struct slice type, struct slice body)
{
    char *copy = body.n ? arena_try(&x->arena, body.n) : NULL;
    if (body.n && copy == NULL) {
        x->fault = FAULT_out_of_memory;
        return REFUSED;
    }
    if (body.n)
        memcpy(copy, body.p, body.n);
    return reply_kept(x, type, (struct slice){ copy, body.n });
}

/* Names of blocks need no escape. */
static void add_name(struct text *t, const char *parameter, struct slice name)
{
    if (name.n == 0)
        return;
    text_cstr(t, parameter);
    text_add(t, name);
    text_char(t, '"');
}

/* RFC 9209; `rule` and `list` are parameters of our own: what a client is told of a policy in its
 * head are names, never a file. */
static void add_proxy_status(struct xchg *x, const struct fault_info *f)
{
    struct msg *m = &x->resp;
    struct text t;
    bool parent = f->whose == FAULT_OF_UPSTREAM && x->to.is_parent;
    struct evidence why = evidence_read(xchg_evidence(x));
    size_t names = f->whose == FAULT_OF_POLICY ? why.rule.n + why.list.n : 0;
    if (!msg_compose(m, 256 + names + (parent ? sizeof x->to.host->name : 0), &t))
        return;
    text_lit(&t, "Proxy-Status: proxyd");
    if (f->proxy_status) {
        text_lit(&t, "; error=");
        text_cstr(&t, f->proxy_status);
    }
    if (parent) {
        text_lit(&t, "; next-hop=\"");
        host_write(&t, x->to.host, x->to.port);
        text_lit(&t, "\"");
    }
    text_lit(&t, "; details=\"");
    text_cstr(&t, f->token);
    text_lit(&t, "\"");
    if (names) {
        add_name(&t, "; rule=\"", why.rule);
        add_name(&t, "; list=\"", why.list);
    }
    text_lit(&t, "\r\n");
    msg_keep_line(m, TOKEN_PROXY_STATUS, &t);
    (void)msg_add_line(m, TOKEN_CACHE_CONTROL, SLICE("Cache-Control: no-store\r\n"));
}

/* A refused CONNECT shows no body in any browser, so its status line carries the reason. */
static struct slice reason_line(struct xchg *x, const struct fault_info *f, u16 status)
{
    enum { REASON = 256 };
    char *area = x->req.method == METHOD_CONNECT ? arena_try(&x->arena, REASON) : NULL;
    if (area == NULL)
        return status_reason(status);
    struct text t = text_in(area, REASON);
    text_add(&t, status_reason(status));
    text_lit(&t, " (");
    text_cstr(&t, f->token);
    if (x->rule.n) {
        text_lit(&t, ", rule ");
        text_add(&t, x->rule);
    }
    text_lit(&t, ")");
    return text_slice(&t);
}

/* A page of the administrator's. False: there is no memory for it, or it grows beyond measure. */
static bool reply_own_page(struct xchg *x, struct slice template, const struct page *p)
{
    size_t room = template.n + PAGE_OWN_ROOM;
    char *area = arena_try(&x->arena, room);
    if (area == NULL)
        return false;
    struct text t = text_in(area, room);
    page_write_own(&t, template, p);
    if (!t.full)
        reply_kept(x, page_type(PAGE_HTML), text_slice(&t));
    return !t.full;
}

static void reply_page(struct xchg *x, struct slice template, const struct page *p)
{
    enum page_form form = x->req.method == METHOD_CONNECT ? PAGE_TEXT : page_form(&x->req);
    if (form == PAGE_HTML && template.n && reply_own_page(x, template, p))
        return;
    char body[PAGE_ROOM];
    struct text t = text_in(body, sizeof body);
    page_write(&t, form, p);
    enum fault fault = x->fault;
    if (reply_text(x, page_type(form), text_slice(&t)) == REFUSED) {
        x->fault = fault;
        reply_kept(x, SLICE(""), SLICE(""));
    }
}

/* The texts that a page is made of, and are not there already. */
struct page_texts {
    char help_area[PAGE_HELP], client_area[ADDR_TEXT], id_area[REFUSAL_ID], why_area[PAGE_WHY];
    struct text help, client, id, why;
};

static void fill_page(const struct xchg *x, const struct refusal *r, struct page_texts *s,
                      struct page *p)
{
    struct evidence why = evidence_read(xchg_evidence(x));
    addr_text(&s->client, &x->peer);
    refusal_id(x, &s->id);
    if (s->why.n && why.id.n)
        text_add(&s->why, why.id);
    else
        s->why.n = 0;
    *p = (struct page){ .fault = fault_info(x->fault),
                        .status = x->resp.status,
                        .wall_us = x->worker->loop.now.wall_us,
                        .method = x->req.method_text,
                        .target = x->req.target,
                        .host = { x->uri.host.name, x->uri.host.len },
                        .user = x->user,
                        .rule = x->rule,
                        .list = why.list,
                        .category = why.category,
                        .entry = why.entry,
                        .matched = why.matched,
                        .place = why.place,
                        .reason = x->reason,
                        .contact = r->contact,
                        .client = text_slice(&s->client),
                        /* it may be a gateway's, which nobody expects */
                        .client_decided = x->fault == FAULT_client_not_allowed,
                        .help = text_slice(&s->help),
                        .id = text_slice(&s->id),
                        .why = s->why.full ? SLICE("") : text_slice(&s->why) };
}

void reply_fault(struct xchg *x)
{
    const struct fault_info *f = fault_info(x->fault);
    struct page_texts s;
    struct page p;
    s.help = text_in(s.help_area, sizeof s.help_area);
    s.client = text_in(s.client_area, sizeof s.client_area);
    s.id = text_in(s.id_area, sizeof s.id_area);
    s.why = text_in(s.why_area, sizeof s.why_area);
    struct refusal r = { .help = &s.help, .why = &s.why };
    reply_begin(x, f->status, SLICE(""));
    add_proxy_status(x, f);
    if (x->role->refuse)
        x->role->refuse(x, &x->resp, &r);
    x->resp.status = r.status ? r.status : f->status;
    x->resp.reason = reason_line(x, f, x->resp.status);
    refusal_note(x);
    fill_page(x, &r, &s, &p);
    reply_page(x, r.page, &p);
}
