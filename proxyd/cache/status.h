/* Cache-Status (RFC 9211): what this cache did for an exchange, in one line of the response. */
#ifndef CACHE_STATUS_H
#define CACHE_STATUS_H

#include "base/text.h"

enum fwd {
#define FWD(name, word) FWD_##name,
#include "cache/fwd.tbl"
#undef FWD
    FWD_COUNT
};
/* "uri-miss"; empty for NO. */
struct slice fwd_word(enum fwd f);

struct cache_status {
    enum fwd fwd;   /* NO: answered from here, a hit */
    u16 fwd_status; /* of the origin's answer where the client gets another one; else 0 */
    bool stored;    /* the answer is being kept */
    bool collapsed; /* it waited for another exchange's request */
    bool has_ttl;   /* ttl: seconds for which it stays fresh; negative: stale */
    i64 ttl;
    struct slice detail; /* a word of kept.tbl or of the caller's, a token; may be empty */
};

/* Of an answer by what is kept, stale or not. joined: another exchange is bringing it. */
static inline struct cache_status cache_status_of_kept(bool joined, i64 ttl)
{
    return (struct cache_status){
        .fwd = joined ? FWD_URI_MISS : FWD_NO, .collapsed = joined, .has_ttl = true, .ttl = ttl
    };
}

enum { CACHE_STATUS_MOST = 160 }; /* bytes, with a detail of at most 32 */

/* "Cache-Status: NAME; hit; ttl=12; detail=memory" CRLF; name is a token. It goes behind those that
 * came from caches nearer to the origin. */
void cache_status_write(struct text *out, struct slice name, const struct cache_status *s);

#endif
