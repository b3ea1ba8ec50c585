#include "forward/auth/delay.h"

#include "base/hash.h"

enum { ADDRESS, NAME };
enum {
    FIRST_MS = 250,
    FORGIVEN_MS = 60000 /* after so long half of the failures are forgotten, and half again … */
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
        if (one->count < least->count ||
            (one->count == least->count && one->next_ms < least->next_ms))
            least = one;
    }
    *least = (struct auth_delay){ .key = key };
    return least;
}

static u64 length_ms(const struct auth_delay *d, unsigned kind)
{
    u32 doubled = d->count < 16 ? d->count : 16;
    u64 ms = d->count ? (u64)FIRST_MS << (doubled - 1) : 0;
    return ms < most_ms[kind] ? ms : most_ms[kind];
}

u64 auth_turn_at(struct auth_delays *d, const struct auth_turn *t, u64 now_ms)
{
    u64 last = now_ms;
    for (unsigned kind = ADDRESS; kind <= NAME; kind++) {
        const struct auth_delay *one = find(d, kind, t->key[kind], now_ms);
        u64 at = one->next_ms > now_ms ? one->next_ms : now_ms + length_ms(one, kind);
        last = at > last ? at : last;
    }
    return last;
}

void auth_turn_take(struct auth_delays *d, const struct auth_turn *t, u64 at_ms, u64 now_ms)
{
    for (unsigned kind = ADDRESS; kind <= NAME; kind++) {
        struct auth_delay *one = find(d, kind, t->key[kind], now_ms);
        one->next_ms = at_ms + length_ms(one, kind);
    }
}

void auth_turn_failed(struct auth_delays *d, const struct auth_turn *t, u64 now_ms)
{
    for (unsigned kind = ADDRESS; kind <= NAME; kind++) {
        struct auth_delay *one = find(d, kind, t->key[kind], now_ms);
        one->count += one->count < 1000;
        one->last_ms = now_ms;
    }
}

void auth_turn_passed(struct auth_delays *d, const struct auth_turn *t, u64 now_ms)
{
    find(d, NAME, t->key[NAME], now_ms)->count = 0;
}
