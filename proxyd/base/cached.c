#include "base/cached.h"

#include "base/must.h"

static const struct cached_info results[CACHED_COUNT] = {
#define CACHED(name, word, squid, help) [CACHED_##name] = { word, squid, help },
#include "base/cached.tbl"
#undef CACHED
};

static const struct kept_info reasons[KEPT_COUNT] = {
#define KEPT(name, word, text) [KEPT_##name] = { word, text },
#include "base/kept.tbl"
#undef KEPT
};

const struct cached_info *cached_info(enum cached c)
{
    must((unsigned)c < CACHED_COUNT);
    return &results[c];
}

const struct kept_info *kept_info(enum kept k)
{
    must((unsigned)k < KEPT_COUNT);
    return &reasons[k];
}
