#include "policy/looked_at.h"

#include "base/clock.h"
#include "base/str.h"
#include "http/msg.h"
#include "policy/zone.h"

enum { SHOWN_MOST = 512 };

static void put_clipped(struct text *t, struct slice s)
{
    size_t room = t->cap - t->n - sizeof "…";
    text_put(t, s.p, s.n < room ? s.n : room);
    if (s.n > room)
        text_lit(t, "…");
}

static void put_where(struct text *t, struct evaluation *e)
{
    struct slice name = { e->q->host->name, e->q->host->len };
    put_clipped(t, name);
    if (e->address == NULL)
        return;
    if (!e->q->host->literal) {
        text_lit(t, " at ");
        addr_text(t, e->address);
    }
    text_lit(t, ", ");
    text_cstr(t, addr_class_name(evaluation_class(e)));
}

/* Each field of the name. */
static void put_fields(struct text *t, const struct msg *m, struct slice name)
{
    bool any = false;
    for (u32 i = 0; i < m->nfields; i++) {
        const struct field *f = &m->fields[i];
        if ((f->noff & FIELD_EXTRA) || !slice_eq_nocase(msg_name(m, f), name))
            continue;
        text_cstr(t, any ? ", " : "");
        put_clipped(t, msg_value(m, f));
        any = true;
    }
    if (!any)
        text_lit(t, "there is no such field");
}

static void put_time(struct text *t, const struct policy *p, const struct evaluation *e)
{
    static const char *const days[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };
    u64 now = e->q->now_s ? e->q->now_s : clock_us(CLOCK_REALTIME) / 1000000;
    struct zone_time local = zone_local(p->zone, now);
    text_cstr(t, days[local.weekday]);
    text_char(t, ' ');
    text_pad(t, local.minute / 60, 2);
    text_char(t, ':');
    text_pad(t, local.minute % 60, 2);
}

static void put_unknown(struct text *t, enum condition_id id, const struct evaluation *e)
{
    if (id == CONDITION_to)
        text_cstr(t, e->q->address_unknown ? "no address is known" : "the list is not there");
    else if (e->q->path.p == NULL)
        text_lit(t, "a tunnel does not show it");
    else
        text_lit(t, "it is not known");
}

static void put_value(struct text *t, const struct policy *p, enum condition_id id,
                      const struct written *w, struct evaluation *e)
{
    const struct policy_question *q = e->q;
    switch (id) {
    case CONDITION_to: put_where(t, e); break;
    case CONDITION_port: text_u64(t, q->port); break;
    case CONDITION_name: text_cstr(t, name_state_words[q->name]); break;
    case CONDITION_sni:
        text_cstr(t, q->sni_absent ? "absent" : q->sni_encrypted ? "encrypted" : "in clear");
        break;
    case CONDITION_method: put_clipped(t, q->method_text); break;
    case CONDITION_from: addr_text(t, &q->client); break;
    case CONDITION_time: put_time(t, p, e); break;
    case CONDITION_path: put_clipped(t, e->path[e->form]); break;
    case CONDITION_url: put_clipped(t, e->url[e->form]); break;
    case CONDITION_header: put_fields(t, q->request, w->first); break;
    case CONDITION_cookie: put_fields(t, q->request, SLICE("cookie")); break;
    case CONDITION_query: put_clipped(t, q->query.p ? q->query : SLICE("there is none")); break;
    default: break; /* of answers: none is asked about here */
    }
}

struct slice looked_at(const struct policy *p, const struct condition *c, const struct written *w,
                       enum match m, struct evaluation *e, struct arena *a)
{
    char area[SHOWN_MOST];
    struct text t = text_in(area, sizeof area);
    enum condition_id id = (enum condition_id)(c->kind - condition_kinds);
    bool formless =
        (id == CONDITION_path && e->paths_unsafe) || (id == CONDITION_url && e->urls_unsafe);
    if (m == MATCH_UNKNOWN)
        put_unknown(&t, id, e);
    else if (formless)
        text_lit(&t, "too long to be judged");
    else
        put_value(&t, p, id, w, e);
    return arena_copy(a, text_slice(&t));
}
