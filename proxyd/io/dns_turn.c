/* Places, shares of them, and the queues for what is lacking. */
#include "io/dns_turn.h"

#include "base/hash.h"
#include "base/str.h"

static const u32 most[DNS_BOUNDS] = { [DNS_BOUND_CLIENT_ZONE] = DNS_TURNS_CLIENT_ZONE,
                                      [DNS_BOUND_ZONE] = DNS_TURNS_ZONE,
                                      [DNS_BOUND_CLIENT] = DNS_TURNS_CLIENT };

/* What a zone, a client, or a client in a zone has of the places; lives while a turn refers to
 * it. */
struct dns_share {
    struct dns_share *next; /* in its bucket */
    u64 key;
    u32 holders;
    u32 flying;
    u32 waiting; /* a client's, in whatever queue */
    struct list queue;
};

/* ---- zones ---- */

/* Second-level labels under which the registries of countries register. */
static bool is_registry(struct slice label)
{
    static const struct slice known[] = { SLICE("ac"),  SLICE("co"),  SLICE("com"), SLICE("edu"),
                                          SLICE("go"),  SLICE("gob"), SLICE("gov"), SLICE("gv"),
                                          SLICE("mil"), SLICE("ne"),  SLICE("net"), SLICE("nom"),
                                          SLICE("or"),  SLICE("org"), SLICE("sch") };
    for (unsigned i = 0; i < countof(known); i++)
        if (slice_eq(label, known[i]))
            return true;
    return false;
}

/* Where the label that ends before `end` begins. */
static size_t label_start(struct slice name, size_t end)
{
    while (end > 0 && name.p[end - 1] != '.')
        end--;
    return end;
}

struct slice dns_zone(struct slice name)
{
    size_t top = label_start(name, name.n);
    if (top == 0)
        return name;
    size_t from = label_start(name, top - 1);
    struct slice second = { name.p + from, top - 1 - from };
    if (from > 0 && name.n - top == 2 && is_registry(second))
        from = label_start(name, from - 1);
    return (struct slice){ name.p + from, name.n - from };
}

/* ---- shares ---- */

static struct dns_share **slot_of(struct dns_turns *t, u64 key)
{
    struct dns_share **p = &t->bucket[key % DNS_SHARE_BUCKETS];
    while (*p && (*p)->key != key)
        p = &(*p)->next;
    return p;
}

static struct dns_share *hold(struct dns_turns *t, u64 key)
{
    struct dns_share **p = slot_of(t, key), *s = *p;
    if (s == NULL && (s = slab_take(&t->shares)) != NULL) {
        *s = (struct dns_share){ .key = key };
        list_init(&s->queue);
        *p = s;
    }
    if (s)
        s->holders++;
    return s;
}

static void let_go(struct dns_turns *t, struct dns_share *s)
{
    if (s == NULL || --s->holders > 0)
        return;
    *slot_of(t, s->key) = s->next;
    slab_give(&t->shares, s);
}

/* The last bits tell the kinds of share apart. */
static void keys_of(struct slice name, const struct addr *client, u64 key[DNS_BOUNDS])
{
    const struct hash_key *k = hash_process_key();
    size_t network = client == NULL ? 0 : client->family == AF_INET ? 4 : 8;
    struct slice zone = dns_zone(name);
    u64 both[2] = { hash64(k, zone.p, zone.n), hash64(k, client ? client->ip : NULL, network) };
    key[DNS_BOUND_CLIENT_ZONE] = (hash64(k, both, sizeof both) & ~3ull) | 1;
    key[DNS_BOUND_ZONE] = (both[0] & ~3ull) | 2;
    key[DNS_BOUND_CLIENT] = (both[1] & ~3ull) | 3;
}

/* ---- turns ---- */

static struct list *queue_for(struct dns_turns *t, struct dns_turn *turn)
{
    for (unsigned i = 0; i < DNS_BOUNDS; i++)
        if (turn->share[i]->flying >= most[i])
            return &turn->share[i]->queue;
    return t->flying >= DNS_TURNS ? &t->queue : NULL;
}

/* Begins, or goes into the queue for what is lacking. */
static bool place(struct dns_turns *t, struct dns_turn *turn)
{
    struct list *queue = queue_for(t, turn);
    turn->flying = queue == NULL;
    if (queue) {
        list_push_back(queue, &turn->link);
        return false;
    }
    t->flying++;
    for (unsigned i = 0; i < DNS_BOUNDS; i++)
        turn->share[i]->flying++;
    return true;
}

/* From a queue as long as there are places of its kind. Who lacks another kind moves to that one's
 * queue, so this ends. */
static void admit(struct dns_turns *t, struct list *queue, const u32 *flying, u32 bound)
{
    struct list *n;
    while (*flying < bound && (n = list_pop(queue)) != NULL) {
        struct dns_turn *turn = container_of(n, struct dns_turn, link);
        if (!place(t, turn))
            continue;
        t->waiting--;
        turn->share[DNS_BOUND_CLIENT]->waiting--;
        list_push_back(&t->ready, &turn->link);
    }
}

void dns_turns_init(struct dns_turns *t)
{
    *t = (struct dns_turns){ .flying = 0 };
    slab_init(&t->shares, sizeof(struct dns_share));
    list_init(&t->queue);
    list_init(&t->ready);
}

void dns_turns_free(struct dns_turns *t)
{
    slab_destroy(&t->shares);
}

static void let_all_go(struct dns_turns *t, struct dns_turn *turn)
{
    for (unsigned i = 0; i < DNS_BOUNDS; i++)
        let_go(t, turn->share[i]);
}

enum dns_turn_when dns_turn_take(struct dns_turns *t, struct dns_turn *turn, struct slice name,
                                 const struct addr *client)
{
    u64 key[DNS_BOUNDS];
    bool known = true;
    keys_of(name, client, key);
    list_init(&turn->link);
    for (unsigned i = 0; i < DNS_BOUNDS; i++)
        known &= (turn->share[i] = hold(t, key[i])) != NULL;
    if (known && place(t, turn))
        return DNS_TURN_NOW;
    struct dns_share *of_client = turn->share[DNS_BOUND_CLIENT];
    if (known && t->waiting < DNS_WAITING && of_client->waiting < DNS_WAITING_CLIENT) {
        t->waiting++;
        of_client->waiting++;
        return DNS_TURN_LATER;
    }
    list_remove(&turn->link);
    let_all_go(t, turn);
    return DNS_TURN_NEVER;
}

void dns_turn_end(struct dns_turns *t, struct dns_turn *turn)
{
    list_remove(&turn->link);
    if (turn->flying) {
        t->flying--;
        for (unsigned i = 0; i < DNS_BOUNDS; i++)
            turn->share[i]->flying--;
    } else {
        t->waiting--;
        turn->share[DNS_BOUND_CLIENT]->waiting--;
    }
    admit(t, &t->queue, &t->flying, DNS_TURNS);
    for (unsigned i = DNS_BOUNDS; i-- > 0;)
        admit(t, &turn->share[i]->queue, &turn->share[i]->flying, most[i]);
    let_all_go(t, turn);
}

struct dns_turn *dns_turn_next(struct dns_turns *t)
{
    struct list *n = list_pop(&t->ready);
    return n ? container_of(n, struct dns_turn, link) : NULL;
}
