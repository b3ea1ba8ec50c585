#include "core/local_reply.h"

#include "base/must.h"
#include "core/account.h"
#include "core/page.h"
#include "http/date.h"
#include "http/head.h"

static void write_status_line(struct xchg *x, struct text *t, u16 status, struct slice reason)
{
    x->status = status;
    head_write_status_line(t, status, reason.n ? reason : status_reason(status));
}

void reply_connection(struct xchg *x, struct text *t)
{
    if (!x->client.keep)
        text_lit(t, "Connection: close\r\n");
    else if (x->req.minor == 0)
        text_lit(t, "Connection: keep-alive\r\n");
}

void reply_date(struct xchg *x, struct text *t)
{
    char date[DATE_TEXT];
    date_text(date, (time_t)(x->worker->loop.now.wall_us / 1000000));
    text_lit(t, "Date: ");
    text_put(t, date, sizeof date);
    text_lit(t, "\r\n");
}

/* A body that is still to come cannot be skipped safely: the connection ends with this answer. So
 * does that of a refused CONNECT: what comes behind it, now or later, was meant for the other end,
 * and somebody else may have chosen it (a page that makes its browser talk through a tunnel): it
 * must not be taken for a request of this client (RFC 9931). */
static void settle_connection(struct xchg *x)
{
    if (x->client.in.phase != BODY_DONE || x->worker->draining || x->req.method == METHOD_CONNECT)
        x->client.keep = false;
}

bool reply_local(struct xchg *x, const struct local_reply *a)
{
    struct text t;
    bool head_only = x->req.method == METHOD_HEAD;
    size_t need = 512 + a->reason.n + a->type.n + a->fields.n + a->body.n;
    if (!conn_room(x->client.conn, need, &t))
        return false;
    settle_connection(x);
    write_status_line(x, &t, a->status, a->reason);
    reply_date(x, &t);
    text_add(&t, a->fields);
    if (a->type.n) {
        text_lit(&t, "Content-Type: ");
        text_add(&t, a->type);
        text_lit(&t, "\r\n");
    }
    if (a->status != 204) {
        text_lit(&t, "Content-Length: ");
        text_u64(&t, a->body.n);
        text_lit(&t, "\r\n");
    }
    reply_connection(x, &t);
    text_lit(&t, "\r\n");
    if (!head_only)
        text_add(&t, a->body);
    must(!t.full);
    conn_wrote(x->client.conn, &t);
    x->answered = x->is_local = true;
    return true;
}

static void write_proxy_status(struct text *t, const struct fault_info *f)
{
    text_lit(t, "Proxy-Status: proxyd");
    if (f->proxy_status) {
        text_lit(t, "; error=");
        text_cstr(t, f->proxy_status);
    }
    text_lit(t, "; details=\"");
    text_cstr(t, f->token);
    text_lit(t, "\"\r\nCache-Control: no-store\r\n");
}

/* A refused CONNECT shows no body in any browser, so its status line carries the reason. */
static struct slice reason_line(struct xchg *x, const struct fault_info *f, char *area, size_t n)
{
    if (x->req.method != METHOD_CONNECT)
        return (struct slice){ NULL, 0 };
    struct text t = text_in(area, n);
    text_add(&t, status_reason(f->status));
    text_lit(&t, " (");
    text_cstr(&t, f->token);
    if (x->rule.n) {
        text_lit(&t, ", rule ");
        text_add(&t, x->rule);
    }
    text_lit(&t, ")");
    return text_slice(&t);
}

bool reply_fault(struct xchg *x)
{
    const struct fault_info *f = fault_info(x->fault);
    char reason[256], fields[1024], help[PAGE_HELP], client[ADDR_TEXT], body[8192];
    char id[REQUEST_ID_TEXT];
    account_id_text(id, x->worker, x->id);
    struct text ft = text_in(fields, sizeof fields), bt = text_in(body, sizeof body);
    struct text ht = text_in(help, sizeof help), ct = text_in(client, sizeof client);
    write_proxy_status(&ft, f);
    if (x->fault == FAULT_client_not_allowed) /* it may be a gateway's, which nobody expects */
        addr_text(&ct, &x->client.conn->peer);
    if (x->role->refuse)
        x->role->refuse(x, &ft, &ht);
    enum page_form form = x->req.method == METHOD_CONNECT ? PAGE_TEXT : page_form(&x->req);
    struct page p = { .fault = f,
                      .target = x->req.target,
                      .rule = x->rule,
                      .reason = x->reason,
                      .client = text_slice(&ct),
                      .help = text_slice(&ht),
                      .id = { id, sizeof id } };
    page_write(&bt, form, &p);
    struct local_reply a = { .status = f->status,
                             .reason = reason_line(x, f, reason, sizeof reason),
                             .type = page_type(form),
                             .body = text_slice(&bt),
                             .fields = text_slice(&ft) };
    return reply_local(x, &a);
}
