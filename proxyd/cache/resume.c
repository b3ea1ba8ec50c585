#include "cache/resume.h"

#include "cache/blocks.h"
#include "cache/errand.h"
#include "cache/precondition.h"

void resume_offer(struct xchg *x)
{
    struct notes *n = notes_of(x);
    u64 parts[] = { x->id, x->worker->id, x->worker->loop.now.wall_us };
    if (n->blocks == NULL && n->fetch == NULL && n->copy->body->length != UINT64_MAX)
        atomic_store(&n->copy->body->resumes,
                     hash64(hash_process_key(), parts, sizeof parts) | 1); /* never 0 */
}

void resume_end(const struct object *o)
{
    atomic_store(&o->body->resumes, 0);
}

bool resume_lasts(const struct object *o)
{
    return atomic_load(&o->body->resumes) != 0;
}

/* Strong, as far as the origin's own clock can tell. */
static bool has_strong_validator(struct xchg *x, const struct object *o)
{
    struct msg *m = arena_try(&x->arena, sizeof *m);
    if (m == NULL)
        return false;
    msg_init(m, &x->arena);
    return stored_head_give(o->head, m) && validator_is_strong(m, now_s(x));
}

bool resume_could(struct xchg *x)
{
    const struct notes *n = notes_of(x);
    const struct object *o = n->copy;
    return o->body->length != UINT64_MAX && o->head->status == 200 && !x->intercepted &&
           !errand_is_by_user(o) && has_strong_validator(x, o);
}

/* Has x read that body, in one piece, and is what it has asked for to be had without its name? */
static bool may(const struct xchg *x)
{
    const struct notes *n = notes_of(x);
    const struct reader *r = &n->reader;
    return n->given && n->blocks == NULL && r->body == n->given->body && resume_lasts(n->given) &&
           n->given->head->status == 200 && r->text.n == 0 && r->after.n == 0 &&
           r->end == r->part + 1 && !errand_is_by_user(n->given) &&
           !(n->control.has & CONTROL_NO_STORE);
}

bool resume_go_on(struct xchg *x)
{
    struct notes *n = notes_of(x);
    if (n == NULL || !may(x) || !has_strong_validator(x, n->given))
        return false;
    const struct reader *r = &n->reader;
    struct manifest m = { atomic_load(&r->body->resumes), r->body->length, RESUME_SLICE };
    u64 from = r->pos, to = r->part->to < m.length ? r->part->to : m.length;
    if (m.id == 0 || from >= to || !blocks_new(x))
        return false;
    struct blocks *b = n->blocks;
    b->manifest = m;
    b->pos = from;
    b->to = to;
    b->resumes = true;
    source_close(&x->source);
    x->source = blocks_source(b);
    return true;
}
