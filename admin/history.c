#include "admin/history.h"

#include <sys/resource.h>

#include "base/stat.h"

static u64 cpu_us(void)
{
    struct rusage use = { 0 };
    getrusage(RUSAGE_SELF, &use);
    return (u64)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000 +
           (u64)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

void history_read(struct history_sample *s, u64 now_ms)
{
    *s = (struct history_sample){ .at_ms = now_ms };
    s->value[HISTORY_REQUESTS] = stat_sum(STAT_requests_total);
    for (unsigned c = CACHED_NOTHING + 1; c < CACHED_COUNT; c++) {
        u64 n = cached_sum(c);
        s->value[HISTORY_ASKED] += n;
        s->value[HISTORY_HITS] += cached_unasked(c) ? n : 0;
    }
    s->value[HISTORY_SAVED] = stat_sum(STAT_cache_saved_bytes_total);
    s->value[HISTORY_TO_CLIENTS] = stat_sum(STAT_bytes_to_clients_total);
    s->value[HISTORY_FROM_CLIENTS] = stat_sum(STAT_bytes_from_clients_total);
    s->value[HISTORY_CPU_US] = cpu_us();
    for (enum fault f = FAULT_NONE + 1; f < FAULT_COUNT; f++)
        s->fault[f] = fault_sum(f);
}

const struct history_sample *history_at(const struct history *h, unsigned i)
{
    return &h->sample[(h->first + i) % HISTORY_SAMPLES];
}

u64 history_tick(struct history *h, u64 now_ms)
{
    u64 last = h->n ? history_at(h, h->n - 1)->at_ms : 0;
    if (h->n && now_ms - last < HISTORY_MS)
        return last + HISTORY_MS - now_ms;
    if (h->n == HISTORY_SAMPLES)
        h->first = (h->first + 1) % HISTORY_SAMPLES;
    else
        h->n++;
    history_read(&h->sample[(h->first + h->n - 1) % HISTORY_SAMPLES], now_ms);
    return HISTORY_MS;
}
