#include "forward/transparent.h"

#include "core/common/returning.h"
#include "core/common/self_addrs.h"
#include "core/exchange/xchg.h"
#include "core/report/logrec.h"
#include "forward/confirm.h"
#include "forward/headers.h"
#include "forward/identity.h"
#include "forward/parents.h"
#include "forward/where.h"
#include "http/chars.h"

_Static_assert((int)TOLD_CONFIRMED == NAME_CONFIRMED && (int)TOLD_UNCONFIRMED == NAME_UNCONFIRMED &&
                   (int)TOLD_NOTHING == NAME_ABSENT,
               "what the log says is what rules are asked");

const void *transparent_compile(const struct node *policy, const struct node *pac,
                                struct snapshot *s, struct registry *r)
{
    return forward_compile(policy, pac, s, r);
}

/* ---- what is it? ---- */

enum { METHOD_LONGEST = 32 };

static bool says_connect(struct slice method)
{
    return slice_is(method, "CONNECT");
}

/* What a target may begin with, but for that of CONNECT. */
static enum detection by_target(struct slice target)
{
    static const char scheme[] = "http://";
    if (target.n == 0)
        return DETECTED_MORE;
    if (target.p[0] == '/' || target.p[0] == '*')
        return DETECTED_HTTP;
    size_t n = target.n < sizeof scheme - 1 ? target.n : sizeof scheme - 1;
    if (!slice_eq_nocase((struct slice){ target.p, n }, (struct slice){ scheme, n }))
        return DETECTED_RAW;
    return n == sizeof scheme - 1 ? DETECTED_HTTP : DETECTED_MORE;
}

/* Protocols of old begin with a word as well: so a target has to follow. */
static enum detection by_request_line(struct slice first)
{
    size_t n = 0;
    while (n < first.n && n <= METHOD_LONGEST && char_is(first.p[n], CHAR_TOKEN))
        n++;
    if (n == first.n && n <= METHOD_LONGEST)
        return DETECTED_MORE;
    if (n == 0 || n > METHOD_LONGEST || first.p[n] != ' ')
        return DETECTED_RAW;
    if (says_connect((struct slice){ first.p, n }))
        return DETECTED_HTTP;
    return by_target(slice_skip(first, n + 1));
}

struct detected transparent_detect(const struct listener *l, struct slice first)
{
    bool silent = first.n == 0;
    enum detection as = !silent                                    ? by_request_line(first)
                        : policy_other(forward_part_of(l)->policy) ? DETECTED_RAW
                                                                   : DETECTED_MORE;
    return (struct detected){ FAULT_NONE, (u16)as };
}

/* ---- whom did the client mean? ---- */

/* Once for a connection; what is dialled is compared with our own addresses each time. */
static enum fault check_circle(const struct xchg *x, struct intercepted *i)
{
    if (likely(i->known))
        return FAULT_NONE;
    if (i->original.family == 0 || self_addrs_has(x->snap->self_addrs, &i->original))
        return FAULT_own_listener;
    if (returning_is(&x->peer, &i->original))
        return FAULT_loop_detected;
    i->known = true;
    return FAULT_NONE;
}

static enum fault check_way(const struct xchg *x)
{
    struct intercepted *i = x->intercepted;
    enum fault f = check_circle(x, i);
    if (f != FAULT_NONE)
        return f;
    if (x->req.method == METHOD_CONNECT && !i->raw)
        return FAULT_connect_intercepted;
    bool tls = i->hello == HELLO_NAME || i->hello == HELLO_NO_NAME;
    if (i->raw && !tls && !policy_other(forward_part_of(x->listen)->policy))
        return FAULT_other_denied;
    return FAULT_NONE;
}

/* RFC 9112 section 3.2.2: an absolute target counts, not Host. Its host is about to be replaced. */
static bool note_name(struct xchg *x)
{
    struct intercepted *i = x->intercepted;
    if (i->raw)
        return true;
    if (x->uri.form != TARGET_ABSOLUTE) {
        i->name = x->host_field.host.len ? &x->host_field.host : NULL;
        i->port = x->host_field.host.len ? x->host_field.port : 0;
        return true;
    }
    struct host *copy = arena_try(&x->arena, sizeof *copy);
    if (copy == NULL)
        return false;
    host_copy(copy, &x->uri.host);
    i->name = copy;
    i->port = x->uri.port;
    return true;
}

static enum verdict meant(struct xchg *x)
{
    x->intercepted->told_as = TOLD_NOTHING;
    if (x->req.minor == 0) /* RFC 9112 section 9.3: a proxy keeps no connection to a 1.0 client */
        x->client.last = true;
    x->fault = check_way(x);
    if (x->fault == FAULT_NONE && !note_name(x))
        x->fault = FAULT_out_of_memory;
    if (x->fault == FAULT_own_listener || x->fault == FAULT_loop_detected)
        x->client.last = true;
    return x->fault == FAULT_NONE ? PASS : REFUSED;
}

/* ---- where does it go? ---- */

/* To where it was going, whatever its name: nothing is looked up to be dialled. */
static enum verdict onwards(struct xchg *x)
{
    enum verdict v = forward_where(x);
    if (v != PASS || x->to.is_parent)
        return v;
    x->to.given = &x->intercepted->original;
    x->to.ngiven = 1;
    x->to.pinned = x->intercepted->original;
    x->to.intercepted = true;
    if (x->listen->from_client)
        x->to.source = &x->peer;
    return PASS;
}

/* Host goes on as it came. */
static bool address_request(struct xchg *x)
{
    const struct intercepted *i = x->intercepted;
    if (unlikely(x->to.is_parent))
        return parents_address(x);
    u16 port = i->port ? i->port : 80;
    if (i->name == NULL || (i->told_as == TOLD_CONFIRMED && port == x->uri.port))
        return msg_address(&x->req, &x->uri, &x->uri.host, x->uri.port);
    return msg_address(&x->req, &x->uri, i->name, port);
}

static void refuse(struct xchg *x, struct msg *resp, struct refusal *r)
{
    if (x->fault == FAULT_own_listener)
        text_lit(r->help, "the network leads connections to this port that are meant for others; "
                          "it is no proxy to be set in a client, nor a server");
    forward_refuse(x, resp, r);
}

/* ---- once more, of a tunnel ---- */

/* Who is silent for a while gets a tunnel, for there the server speaks first. Where it does not and
 * the client begins with HTTP or TLS, the rules for those were never asked: it has to connect anew,
 * as browsers do when a connection that they made in advance is gone. */
static enum inspection inspect(struct worker *w, const struct listener *l,
                               const struct access_record *r, struct slice first,
                               struct inspected *out)
{
    struct host name;
    (void)w, (void)r;
    if (out->answered)
        return INSPECT_PASS;
    enum detection as = (enum detection)transparent_detect(l, first).as;
    enum hello hello = as == DETECTED_RAW ? client_hello_read(first, &name) : HELLO_NOT_TLS;
    if (as == DETECTED_MORE || hello == HELLO_MORE)
        return INSPECT_MORE;
    if (as == DETECTED_RAW && hello == HELLO_NOT_TLS)
        return INSPECT_PASS;
    out->ruling.fault = FAULT_began_late;
    return INSPECT_DENY;
}

void transparent_ask(u8 told, struct policy_question *q)
{
    q->name = told & TOLD_MASK;
    q->tls = told & TOLD_TLS;
    q->sni_absent = told & TOLD_NO_SNI;
    q->sni_encrypted = told & TOLD_ENCRYPTED;
}

/* The host that the rules saw. Of CONNECT that is the target's. */
static enum fault host_of(const struct access_record *r, struct target_uri *uri)
{
    struct slice name = access_record_string(r, STRING_HOST);
    if ((r->head.told & TOLD_MASK) == TOLD_CONFIRMED)
        return name.n ? host_parse(name, &uri->host) : FAULT_NONE;
    char area[ADDR_TEXT];
    struct text t = text_in(area, sizeof area);
    addr_text_host(&t, &r->server);
    return host_parse(text_slice(&t), &uri->host);
}

static struct ruling recheck(struct worker *w, const struct listener *l,
                             const struct access_record *r, u32 *grace_ms)
{
    const struct policy *policy = forward_part_of(l)->policy;
    struct target_uri uri;
    struct policy_question q;
    enum fault f = forward_begin_recheck(w, policy, r, &uri, &q, grace_ms);
    if (f == FAULT_NONE && !q.connect)
        f = host_of(r, &uri);
    if (f != FAULT_NONE)
        return (struct ruling){ .fault = f };
    if (!q.connect)
        q.port = r->server.port;
    transparent_ask(r->head.told, &q);
    return forward_judge_again(policy, &q);
}

/* ---- the role ---- */

static const struct stage who = { .name = "checking the client's address",
                                  .run = forward_identity };
static const struct stage whom = { .name = "finding out whom the client meant", .run = meant };
static const struct stage name = { .name = "confirming the name",
                                   .run = confirm_name,
                                   .resume = confirm_resume,
                                   .cancel = confirm_cancel };
static const struct stage rules = { .name = "asking the policy's rules", .run = forward_rules };
static const struct stage where = { .name = "finding the destination", .run = onwards };
static const struct stage *const request_stages[] = { &whom, &name, &rules, NULL };
static const struct stage answer = { .name = "asking the policy's rules about the answer",
                                     .run = forward_judge };
static const struct stage *const response_stages[] = { &answer, NULL };

const struct role transparent_role = {
    .name = "transparent",
    .explains = true,
    .intercepts = true,
    .detect = transparent_detect,
    .who = &who,
    .request_stages = request_stages,
    .response_stages = response_stages,
    .where = &where,
    .next = forward_next,
    .vet = forward_vet,
    .inspect = inspect,
    .recheck = recheck,
    .edit_request = forward_edit_request,
    .address_request = address_request,
    .edit_response = forward_edit_response,
    .refuse = refuse,
};
