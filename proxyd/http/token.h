/*
 * Names that HTTP defines as small numbers: fields, methods, status codes. Parsing turns a name
 * into its number once; every later question ("is there a Range?") is a compare or a bit.
 */
#ifndef HTTP_TOKEN_H
#define HTTP_TOKEN_H

#include "base/slice.h"

enum token_flags {
    TOKEN_HOP = 1,        /* belongs to one connection: never forwarded (RFC 9110 section 7.6.1) */
    TOKEN_KEEP = 2,       /* meant for everybody on the way: Connection cannot nominate it away */
    TOKEN_NO_TRAILER = 4, /* means harm in a trailer section (RFC 9110 section 6.5.1) */
    TOKEN_PROXY = 8,      /* Proxy-*: between a client and this proxy only */
    TOKEN_CLAIM = 16      /* what a request says about who asks, which anybody can write */
};

enum token {
    TOKEN_OTHER, /* a name that is not in the table */
#define TOKEN(id, name, flags) TOKEN_##id,
#include "http/token.tbl"
#undef TOKEN
    TOKEN_COUNT
};
_Static_assert(TOKEN_COUNT <= 128, "struct msg keeps one bit per token in two words");

/* The number of a field name in any case, TOKEN_OTHER when unknown. Any bytes may be given. */
enum token token_find(struct slice name);
/* The customary spelling; empty for TOKEN_OTHER. */
extern const struct slice token_names[TOKEN_COUNT];
static inline struct slice token_name(enum token t)
{
    return token_names[t];
}
/* A sum of enum token_flags; 0 for TOKEN_OTHER (whose name may still begin with Proxy-). */
unsigned token_flags(enum token t);
/* Proxy-*, known or not, its twin Proxy_*, which CGI cannot tell from it, and "Proxy" itself: CGI
 * hands that on as HTTP_PROXY, which many programs obey. None of them may reach an origin. */
bool name_is_proxy(struct slice name);
/* One bit per token that has any of the flags, as in msg.present. */
void token_mask(u64 mask[2], unsigned flags);

enum method {
    METHOD_OTHER,
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_DELETE,
    METHOD_CONNECT,
    METHOD_OPTIONS,
    METHOD_TRACE,
    METHOD_PATCH
};

/* Methods are case-sensitive: "get" is METHOD_OTHER. */
enum method method_find(struct slice text);
/* "GET"; empty for METHOD_OTHER. */
struct slice method_name(enum method m);
/* RFC 9110 section 9.2.2; an unknown method is not. */
bool method_is_idempotent(enum method m);
/* RFC 9110 section 9.2.1: GET, HEAD, OPTIONS, TRACE. */
bool method_is_safe(enum method m);

/* The reason phrase of RFC 9110 section 15 and the registry; empty for an unknown code. */
struct slice status_reason(unsigned status);

#endif
