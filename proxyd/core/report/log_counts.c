#include "core/report/log_counts.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { PLACES = 32 };

static struct log_counts places[PLACES];
static _Atomic unsigned known;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct log_counts *log_counts_of(const char *name)
{
    size_t n = strlen(name), most = sizeof places[0].name - 1;
    if (n > most)
        name += n - most;
    pthread_mutex_lock(&lock);
    unsigned i = 0, end = atomic_load(&known);
    while (i < end && strcmp(places[i].name, name) != 0)
        i++;
    if (i == PLACES)
        i--;
    if (i == end) {
        snprintf(places[i].name, sizeof places[i].name, "%s", i == PLACES - 1 ? "others" : name);
        atomic_store(&known, end + 1);
    }
    pthread_mutex_unlock(&lock);
    return &places[i];
}

const struct log_counts *log_counts_at(unsigned i)
{
    return i < atomic_load(&known) ? &places[i] : NULL;
}
