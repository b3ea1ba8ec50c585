#include "core/exchange/account.h"

#include <stdlib.h>

#include "base/str.h"
#include "core/report/evidence.h"
#include "core/report/log.h"
#include "core/common/snapshot.h"

static u16 clip(size_t n, size_t most)
{
    return (u16)(n < most ? n : most);
}

static const size_t string_most[LOG_STRINGS] = {
    [STRING_METHOD] = 64,          [STRING_TARGET] = 2048,  [STRING_HOST] = 256,
    [STRING_RULE] = EVIDENCE_MOST, [STRING_LISTENER] = 128, [STRING_REASON] = 512,
    [STRING_PROTOCOL] = 16,        [STRING_REFERER] = 1024, [STRING_AGENT] = 512,
    [STRING_TYPE] = 128,           [STRING_SHADOW] = 128,   [STRING_USER] = 4096,
};

/* As it was received, whatever the role has made of it since. */
static struct slice received(const struct msg *m, enum token t)
{
    struct slice name = token_names[t];
    for (unsigned i = 0; i < m->nfields; i++) {
        const struct field *f = &m->fields[i];
        if (!(f->voff & FIELD_EXTRA) && f->nlen == name.n && slice_eq_nocase(msg_name(m, f), name))
            return msg_value(m, f);
    }
    return (struct slice){ NULL, 0 };
}

/* What only some formats show. */
static void describe_more(const struct xchg *x, u8 wants, struct slice s[LOG_STRINGS])
{
    s[STRING_REFERER] = s[STRING_AGENT] = s[STRING_TYPE] = SLICE("");
    if ((wants & WANT_AGENT) && x->req.text_len) {
        s[STRING_REFERER] = received(&x->req, TOKEN_REFERER);
        s[STRING_AGENT] = received(&x->req, TOKEN_USER_AGENT);
    }
    if (wants & WANT_TYPE)
        s[STRING_TYPE] = x->logged_type;
}

/* The log shows the name alone; what a tunnel keeps has the groups too, to be decided again by. */
static struct slice name_of(struct slice identity)
{
    const char *end = slice_find(identity, 0);
    return end ? slice_range(identity.p, end) : identity;
}

/* Where a request in origin-form went, as a URL has it: what the log names can be given to `proxyd
 * cache purge`. Of what was intercepted only the name is known here. */
static struct slice authority(const struct xchg *x)
{
    if (x->uri.form != TARGET_ORIGIN)
        return SLICE("");
    if (x->intercepted == NULL && x->uri.host.len && x->uri.port != 80)
        return received(&x->req, TOKEN_HOST);
    return (struct slice){ x->uri.host.name, x->uri.host.len };
}

static size_t describe(const struct xchg *x, struct slice protocol, struct slice user,
                       struct slice s[LOG_STRINGS], struct log_head *h)
{
    u8 wants = x->worker->snapshot->conf.log_wants;
    unsigned n = STRING_REFERER;
    s[STRING_METHOD] = x->req.method_text;
    s[STRING_TARGET] = x->req.target;
    s[STRING_HOST] = authority(x);
    s[STRING_RULE] = xchg_evidence(x);
    s[STRING_LISTENER] = x->listen->name;
    s[STRING_REASON] = x->reason;
    s[STRING_PROTOCOL] = protocol;
    s[STRING_SHADOW] = x->shadow;
    s[STRING_USER] = user;
    if (wants > WANT_RECORD) {
        describe_more(x, wants, s);
        n = LOG_STRINGS;
    }
    size_t total = 0;
    *h = (struct log_head){ .told = x->intercepted ? intercepted_told(x->intercepted) : 0 };
    if (unlikely((h->told & TOLD_MASK) == TOLD_UNCONFIRMED))
        s[STRING_HOST] = (struct slice){ x->intercepted->name->name, x->intercepted->name->len };
    for (unsigned i = 0; i < n; i++) {
        h->length[i] = clip(s[i].n, string_most[i]);
        total += h->length[i];
    }
    return total;
}

/* Worker and serial in one number; the serial begins at a random place, so ids of two runs
 * differ. */
static u64 whole_id(const struct worker *w, u64 serial)
{
    return (u64)w->id << 56 | (serial & 0x00ffffffffffffffull);
}

static u32 clip_u32(u64 n)
{
    return n < UINT32_MAX ? (u32)n : UINT32_MAX;
}

static void fill(const struct xchg *x, struct access_record *r)
{
    const struct clock *now = &x->worker->loop.now;
    r->head.kind = LOG_ACCESS;
    r->head.level = LEVEL_INFO;
    r->head.wall_us = now->wall_us;
    r->id = whole_id(x->worker, x->id);
    r->bytes_in = x->client.taken;
    r->bytes_out = x->client.bytes_out;
    u64 content = unlikely(x->feed) ? x->feed->moved : x->response.moved;
    r->no_content = r->bytes_out > content ? clip_u32(r->bytes_out - content) : 0;
    r->total_us = now->mono_us - x->start_us;
    r->first_us = x->first_us ? clip_u32(x->first_us - x->start_us) : 0;
    r->client = x->peer;
    if (unlikely(x->internal)) /* what its client has asked for has a line of its own */
        r->client.family = 0;
    r->server = x->server;
    if (unlikely(cached_unasked(x->cached))) /* nobody was asked */
        r->server.family = 0;
    r->head.cached = x->cached;
    r->head.kept = x->kept;
    r->head.status = x->status;
    r->fault = x->fault;
    r->tunnel = false;
    r->named = x->intercepted && x->intercepted->raw && x->intercepted->told_as == TOLD_CONFIRMED;
    r->inspected = false;
    r->parent = x->to.is_parent;
    r->reused = x->via_idle;
    r->minor = x->req.minor;
}

static void copy_strings(struct access_record *r, const struct slice s[LOG_STRINGS])
{
    char *to = (char *)(r + 1);
    for (unsigned i = 0; i < LOG_STRINGS; i++) {
        if (r->head.length[i])
            memcpy(to, s[i].p, r->head.length[i]);
        to += r->head.length[i];
    }
}

/* Each kind once for an exchange, and a line that names them. */
static void count_repairs(const struct xchg *x)
{
    struct worker *w = x->worker;
    char list[512], id[REQUEST_ID_TEXT];
    struct text t = text_in(list, sizeof list);
    for (unsigned r = 0; r < REPAIR_COUNT; r++) {
        if (!(x->upstream.repairs & repair_bit((enum repair)r)))
            continue;
        stat_repair(w->stats, (enum repair)r);
        text_lit(&t, " ");
        text_cstr(&t, repair_info((enum repair)r)->token);
    }
    account_id_text(id, w, x->id);
    log_error(w, LEVEL_DEBUG, "answer repaired:%.*s id=%.*s", (int)t.n, t.p, REQUEST_ID_TEXT, id);
}

static void count_cached(const struct xchg *x, struct listen_counts *l)
{
    struct stats *s = x->worker->stats;
    u64 saved = cached_saved(x->cached) ? x->response.moved - x->fetched : 0;
    stat_cached(s, x->cached);
    if (cached_saved(x->cached))
        stat_add(s, STAT_cache_saved_bytes_total, saved);
    else
        stat_kept(s, x->kept);
    if (l) {
        counter_add(&l->cached[x->cached], 1);
        counter_add(&l->saved, saved);
    }
}

static void count(struct xchg *x)
{
    static const enum stat_id by_class[] = { STAT_responses_2xx, STAT_responses_3xx,
                                             STAT_responses_4xx, STAT_responses_5xx };
    struct stats *s = x->worker->stats;
    struct listen_counts *l = x->listen->at->counts;
    stat_add(s, STAT_requests_total, 1);
    if (likely(l)) {
        l += x->worker->id;
        counter_add(&l->requests, 1);
    }
    if (x->status >= 200 && x->status < 600)
        stat_add(s, by_class[x->status / 100 - 2], 1);
    if (x->fault)
        stat_fault(s, x->fault);
    if (unlikely(x->upstream.repairs))
        count_repairs(x);
    if (unlikely(x->cached))
        count_cached(x, l);
}

void account_exchange(struct xchg *x)
{
    struct worker *w = x->worker;
    count(x);
    if (w->log == NULL || w->snapshot->conf.log_wants == 0)
        return;
    struct slice s[LOG_STRINGS];
    struct log_head h;
    size_t n = sizeof(struct access_record) + describe(x, SLICE(""), name_of(x->user), s, &h);
    struct access_record *r = log_reserve(w, (u32)n);
    if (r == NULL)
        return;
    r->head = h;
    fill(x, r);
    copy_strings(r, s);
    log_publish(w, (u32)n);
}

/* Its leases lie before it, its strings behind it. */
static struct access_record *new_record(u8 leases, size_t strings)
{
    struct lease *l = malloc(leases * sizeof *l + sizeof(struct access_record) + strings);
    return l ? (struct access_record *)(void *)(l + leases) : NULL;
}

_Static_assert(LEASES < 8, "access_record.leases has three bits");

static struct lease *leases_of(struct access_record *r)
{
    return (struct lease *)(void *)r - r->leases;
}

struct access_record *account_reserve(const struct xchg *x, struct slice protocol)
{
    struct slice s[LOG_STRINGS];
    struct log_head h;
    u8 leases = lease_count(x);
    struct access_record *r = new_record(leases, describe(x, protocol, x->user, s, &h));
    if (r == NULL)
        return NULL;
    r->head = h;
    r->leases = leases & 7;
    copy_strings(r, s);
    return r;
}

void account_drop(struct access_record *r)
{
    if (r)
        free(leases_of(r));
}

void account_detach(struct xchg *x, struct access_record *r)
{
    count(x);
    fill(x, r);
    lease_move(x, leases_of(r), r->leases);
    r->tunnel = true;
    r->decided = x->role->recheck != NULL;
    r->at = x->listen->at;
    r->bytes_in = r->bytes_out = r->no_content =
        0; /* the tunnel's own bytes, without the heads that opened it */
    stat_sub(x->worker->stats, STAT_requests_in_flight, 1);
}

static size_t strings_size(const struct log_head *h)
{
    size_t n = 0;
    for (unsigned i = 0; i < LOG_STRINGS; i++)
        n += h->length[i];
    return n;
}

static void strings_of(const struct access_record *r, struct slice s[LOG_STRINGS])
{
    for (unsigned i = 0; i < LOG_STRINGS; i++)
        s[i] = access_record_string(r, (enum log_string)i);
}

/* Another record, with these strings, some of which may be the old one's. */
static void replace(struct access_record **record, const struct slice s[LOG_STRINGS])
{
    struct access_record *old = *record;
    struct access_record r = *old;
    for (unsigned i = 0; i < LOG_STRINGS; i++)
        r.head.length[i] = clip(s[i].n, string_most[i]);
    struct access_record *made = new_record(r.leases, strings_size(&r.head));
    if (made == NULL)
        return;
    *made = r;
    copy_strings(made, s);
    memcpy(leases_of(made), leases_of(old), r.leases * sizeof(struct lease));
    account_drop(old);
    *record = made;
}

void account_rule(struct access_record **record, const struct ruling *ruling)
{
    struct slice s[LOG_STRINGS];
    strings_of(*record, s);
    s[STRING_RULE] = ruling->rule;
    s[STRING_REASON] = ruling->reason;
    replace(record, s);
}

void account_inspected(struct access_record **record, const struct inspected *i)
{
    struct slice s[LOG_STRINGS];
    (*record)->inspected = true;
    (*record)->named = i->named;
    if (i->name.n == 0 && i->ruling.rule.n == 0 && i->ruling.shadow.n == 0)
        return;
    strings_of(*record, s);
    s[STRING_HOST] = i->name;
    if (i->ruling.fault != FAULT_NONE && i->ruling.rule.n) {
        s[STRING_RULE] = i->ruling.rule;
        s[STRING_REASON] = i->ruling.reason;
    }
    if (s[STRING_SHADOW].n == 0)
        s[STRING_SHADOW] = i->ruling.shadow;
    replace(record, s);
}

static void end_leases(const struct worker *w, struct access_record *r)
{
    struct outcome how = { .fault = (enum fault)r->fault,
                           .status = r->head.status,
                           .tunnel = true,
                           .now_ms = worker_ms(w) };
    for (unsigned i = 0; i < r->leases; i++)
        lease_end(&leases_of(r)[i], &how);
}

void account_tunnel(struct worker *w, struct access_record *r)
{
    size_t n = sizeof *r + strings_size(&r->head);
    if (r->fault)
        stat_fault(w->stats, (enum fault)r->fault);
    r->head.wall_us = w->loop.now.wall_us;
    void *p = w->log && w->snapshot->conf.log_wants ? log_reserve(w, (u32)n) : NULL;
    if (p) {
        memcpy(p, r, n);
        log_publish(w, (u32)n);
    }
    end_leases(w, r);
    account_drop(r);
}

void account_id_text(char out[REQUEST_ID_TEXT], const struct worker *w, u64 id)
{
    u64 v = whole_id(w, id);
    for (unsigned i = REQUEST_ID_TEXT; i-- > 0; v >>= 4)
        out[i] = "0123456789abcdef"[v & 15];
}
