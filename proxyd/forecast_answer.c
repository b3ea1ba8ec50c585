/*
 * The answer of the proxy itself that a forecast ends with: status, page, where a client is sent.
 * The hard thing is what has the say: a rule's own status, page and location stand before those of
 * the fault and of the policy, and CONNECT follows no redirect.
 */
#include "core/report/page.h"
#include "forecast.h"

/* Empty template: the usual page. */
static struct slice page_of(const struct forecast *v, u16 status, enum page_form form,
                            struct slice template, struct arena *a)
{
    const struct policy_decision *d = v->last;
    size_t room = template.n + PAGE_OWN_ROOM;
    struct text t = text_in(arena_alloc(a, room), room);
    struct page p = { .fault = fault_info(v->fault),
                      .status = status,
                      .method = v->msg ? v->msg->method_text : SLICE(""),
                      .target = v->msg ? v->msg->target : SLICE(""),
                      .host = { v->uri.host.name, v->uri.host.len },
                      .rule = d->rule_name,
                      .list = d->listed.list,
                      .category = d->listed.category,
                      .reason = d->reason,
                      .contact = policy_contact(v->policy) };
    if (form == PAGE_HTML && template.n)
        page_write_own(&t, template, &p);
    else
        page_write(&t, form, &p);
    return text_slice(&t);
}

void forecast_answer(const struct forecast *v, struct arena *a, struct forecast_answer *out)
{
    const struct fault_info *f = fault_info(v->fault);
    bool connect = v->msg && v->msg->method == METHOD_CONNECT;
    bool by_rule = v->fault == FAULT_rule_denied || v->fault == FAULT_pattern_exhausted;
    struct policy_answer own = { 0 };
    if (by_rule && v->last->rule)
        own = policy_rule_answer(v->last->rule);
    if (own.location.n && connect)
        own = (struct policy_answer){ 0 };
    enum page_form form = connect || v->msg == NULL ? PAGE_TEXT : page_form(v->msg);
    *out = (struct forecast_answer){ .status = own.status ? own.status : f->status,
                                     .location = own.location,
                                     .type = page_type(form) };
    struct slice template = own.page.n ? own.page : policy_page(v->policy);
    out->page = page_of(v, out->status, form, template, a);
}
