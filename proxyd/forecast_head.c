/* The limits of the listener, and the target, as an exchange reads it (core/exchange/xchg.c). */
#include "forecast_head.h"

#include "made_head.h"

enum fault forecast_read_head(const struct snapshot *s, const struct forecast_request *r,
                              struct arena *a, struct forecast *v)
{
    const struct limits_conf *c = &s->conf.limits;
    const struct head_limits limits = { .head = c->head, .line = c->line, .fields = c->fields };
    const struct made_head head = { r->method, r->target, r->fields };
    enum fault f = made_head_parse(&head, &limits, a, &v->msg);
    if (v->msg == NULL || (f != FAULT_NONE && f != FAULT_bad_host))
        return f;
    const struct authority *host = v->msg->host_field;
    bool has_host = f == FAULT_NONE && host->host.len;
    enum fault of_target =
        target_parse(v->msg->method, v->msg->target, has_host ? host : NULL, &v->uri);
    v->parsed = of_target == FAULT_NONE;
    if (v->parsed && v->msg->body == BODY_LENGTH && v->msg->body_len > c->body)
        f = FAULT_body_too_large;
    return of_target ? of_target : f;
}
