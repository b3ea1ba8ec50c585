/* Cache-Status in words. */
#include "cache/status.h"

struct slice fwd_word(enum fwd f)
{
    static const struct slice words[] = {
#define FWD(name, word) { word, sizeof(word) - 1 },
#include "cache/fwd.tbl"
#undef FWD
    };
    return words[f];
}

static void put_ttl(struct text *out, i64 ttl)
{
    text_lit(out, "; ttl=");
    if (unlikely(ttl < 0))
        text_char(out, '-');
    text_u64(out, ttl < 0 ? 0 - (u64)ttl : (u64)ttl);
}

/* `collapsed`, `stored` and `fwd-status` belong to an exchange that was forwarded. */
static void put_forwarded(struct text *out, const struct cache_status *s)
{
    text_lit(out, "; fwd=");
    text_add(out, fwd_word(s->fwd));
    if (s->fwd_status) {
        text_lit(out, "; fwd-status=");
        text_u64(out, s->fwd_status);
    }
    if (s->stored)
        text_lit(out, "; stored");
    if (s->collapsed)
        text_lit(out, "; collapsed");
}

void cache_status_write(struct text *out, struct slice name, const struct cache_status *s)
{
    text_lit(out, "Cache-Status: ");
    text_add(out, name);
    if (s->fwd == FWD_NO)
        text_lit(out, "; hit");
    else
        put_forwarded(out, s);
    if (s->has_ttl)
        put_ttl(out, s->ttl);
    if (s->detail.n) {
        text_lit(out, "; detail=");
        text_add(out, s->detail);
    }
    text_lit(out, "\r\n");
}
