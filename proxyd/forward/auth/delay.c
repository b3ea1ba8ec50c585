#include "forward/auth/delay.h"

#include "base/hash.h"

enum { ADDRESS, NAME };
enum {
    FIRST_MS = 250,
    OPEN_OF_ADDRESS = 16, /* so many people log in at once */
    FORGIVEN_MS = 60000   /* after so long half of the failures are forgotten, and half again … */
};
static const u64 most_ms[] = { [ADDRESS] = 8000, [NAME] = 2000 };

struct auth_turn auth_turn_of(const struct addr *client, struct slice name)
{
    const struct hash_key *k = hash_process_key();
    size_t n = client->family == AF_INET6 ? 8 : sizeof client->ip;
    return (struct auth_turn){ { hash64(k, client->ip, n) | 1, hash64(k, name.p, name.n) | 1 } };
}

static void forgive(struct auth_delay *d, u64 now_ms)
{
    for (; d->count && now_ms - d->last_ms > FORGIVEN_MS; d->last_ms += FORGIVEN_MS)
        d->count /= 2;
}

/* Its place, or the one of whom it crowds out. */
static struct auth_delay *find(struct auth_delays *d, unsigned kind, u64 key, u64 now_ms)
{
    struct auth_delay *set = d->of[kind][key / 2 % AUTH_DELAY_SETS], *least = set;
    for (unsigned i = 0; i < AUTH_DELAY_WAYS; i++) {
        struct auth_delay *one = &set[i];
        forgive(one, now_ms);
        if (one->key == key)
            return one;
        u32 bad = one->count + one->open, least_bad = least->count + least->open;
        if (bad < least_bad || (bad == least_bad && one->next_ms < least->next_ms))
            least = one;
    }
    *least = (struct auth_delay){ .key = key };
    return least;
}

static u64 length_ms(const struct auth_delay *d, unsigned kind)
{
    u32 free = kind == ADDRESS ? OPEN_OF_ADDRESS : 0;
    u32 bad = d->count + (d->open > free ? d->open - free : 0);
    u32 doubled = bad < 16 ? bad : 16;
    u64 ms = bad ? (u64)FIRST_MS << (doubled - 1) : 0;
    return ms < most_ms[kind] ? ms : most_ms[kind];
}

static u64 at(const struct auth_delay *d, unsigned kind, u64 now_ms)
{
    return d->next_ms > now_ms ? d->next_ms : now_ms + length_ms(d, kind);
}

u64 auth_turn_at(struct auth_delays *d, const struct auth_turn *t, u64 now_ms)
{
    u64 last = now_ms;
    for (unsigned kind = ADDRESS; kind <= NAME; kind++) {
        u64 one = at(find(d, kind, t->key[kind], now_ms), kind, now_ms);
        last = one > last ? one : last;
    }
    return last;
}

/* Each by its own: a name that waits long does not hold up all others at its address. */
void auth_turn_take(struct auth_delays *d, const struct auth_turn *t, u64 now_ms)
{
    for (unsigned kind = ADDRESS; kind <= NAME; kind++) {
        struct auth_delay *one = find(d, kind, t->key[kind], now_ms);
        u64 from = at(one, kind, now_ms);
        one->open++;
        one->next_ms = from + length_ms(one, kind);
    }
}

/* Its place, if it has not been crowded out meanwhile, with one less to be answered. */
static struct auth_delay *close_one(struct auth_delays *d, unsigned kind, u64 key, u64 now_ms)
{
    struct auth_delay *one = find(d, kind, key, now_ms);
    one->open -= one->open > 0;
    return one;
}

void auth_turn_failed(struct auth_delays *d, const struct auth_turn *t, u64 now_ms)
{
    for (unsigned kind = ADDRESS; kind <= NAME; kind++) {
        struct auth_delay *one = close_one(d, kind, t->key[kind], now_ms);
        one->count += one->count < 1000;
        one->last_ms = now_ms;
    }
}

void auth_turn_dropped(struct auth_delays *d, const struct auth_turn *t, u64 now_ms)
{
    for (unsigned kind = ADDRESS; kind <= NAME; kind++)
        (void)close_one(d, kind, t->key[kind], now_ms);
}

void auth_turn_passed(struct auth_delays *d, const struct auth_turn *t, u64 now_ms)
{
    (void)close_one(d, ADDRESS, t->key[ADDRESS], now_ms);
    struct auth_delay *name = close_one(d, NAME, t->key[NAME], now_ms);
    name->count = 0;
    if (name->open == 0)
        name->next_ms = now_ms;
}
