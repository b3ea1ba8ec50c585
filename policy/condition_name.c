/*
 * What is known of the destination's name: `name` and `sni`. A client that the network has led here
 * was going to an address; the name it tells there may be anybody's, and counts as the host only
 * where the proxy's own resolver leads from it to that address. Of a client that knows the proxy
 * both are unknown.
 */
#include "policy/condition.h"

struct states {
    u32 bits; /* 1 << state */
};

static struct states *states_make(const struct node *n, struct arena *a, const char *const *words,
                                  unsigned known)
{
    struct states *s = arena_zalloc(a, sizeof *s);
    for (u32 i = 0; i < node_nargs(n); i++)
        for (unsigned w = 0; w < known; w++)
            if (words[w] && slice_is(node_arg(n, i)->text, words[w]))
                s->bits |= 1u << w;
    return s;
}

/* ---- name ---- */

const char *const name_state_words[NAME_STATES] = {
    [NAME_CONFIRMED] = "confirmed", [NAME_UNCONFIRMED] = "unconfirmed", [NAME_ABSENT] = "absent"
};

const void *condition_name_make(const struct node *n, struct arena *a)
{
    return states_make(n, a, name_state_words, NAME_STATES);
}

/* The host that rules see is a name where it is confirmed, else the address. */
void condition_name_narrow(const void *data, struct gate *g)
{
    const struct states *s = data;
    if (!(s->bits & 1u << NAME_CONFIRMED))
        g->traits &= ~(u32)TRAIT_NAME;
}

enum match condition_name_holds(const void *data, struct evaluation *e)
{
    const struct states *s = data;
    if (e->q->name == NAME_TOLD)
        return MATCH_UNKNOWN;
    return match_of(s->bits & 1u << e->q->name);
}

/* ---- sni ---- */

enum { SNI_STATE_ABSENT, SNI_STATE_ENCRYPTED, SNI_STATES };
static const char *const sni_words[SNI_STATES] = { "absent", "encrypted" };

const void *condition_sni_make(const struct node *n, struct arena *a)
{
    return states_make(n, a, sni_words, SNI_STATES);
}

void condition_sni_narrow(const void *data, struct gate *g)
{
    (void)data;
    g->traits &= ~(u32)TRAIT_PATH;
}

enum match condition_sni_holds(const void *data, struct evaluation *e)
{
    const struct states *s = data;
    if (!e->q->tls)
        return MATCH_UNKNOWN;
    u32 is = (u32)e->q->sni_absent << SNI_STATE_ABSENT | (u32)e->q->sni_encrypted
                                                             << SNI_STATE_ENCRYPTED;
    return match_of(s->bits & is);
}
