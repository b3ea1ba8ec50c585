/* Methods and status codes by name. Methods are case-sensitive (RFC 9110 section 9.1). */
#include "http/token.h"

static const struct slice methods[] = {
    [METHOD_OTHER] = { NULL, 0 },        [METHOD_GET] = { "GET", 3 },
    [METHOD_HEAD] = { "HEAD", 4 },       [METHOD_POST] = { "POST", 4 },
    [METHOD_PUT] = { "PUT", 3 },         [METHOD_DELETE] = { "DELETE", 6 },
    [METHOD_CONNECT] = { "CONNECT", 7 }, [METHOD_OPTIONS] = { "OPTIONS", 7 },
    [METHOD_TRACE] = { "TRACE", 5 },     [METHOD_PATCH] = { "PATCH", 5 },
};

/* Lengths are constants here, so each compare is one or two instructions. */
#define IS(text, name, method)                                                                     \
    if (memcmp((text).p, name, sizeof(name) - 1) == 0)                                             \
        return method;

enum method method_find(struct slice text)
{
    switch (text.n) {
    case 3:
        IS(text, "GET", METHOD_GET)
        IS(text, "PUT", METHOD_PUT)
        break;
    case 4:
        IS(text, "POST", METHOD_POST)
        IS(text, "HEAD", METHOD_HEAD)
        break;
    case 5:
        IS(text, "PATCH", METHOD_PATCH)
        IS(text, "TRACE", METHOD_TRACE)
        break;
    case 6: IS(text, "DELETE", METHOD_DELETE) break;
    case 7:
        IS(text, "CONNECT", METHOD_CONNECT)
        IS(text, "OPTIONS", METHOD_OPTIONS)
        break;
    }
    return METHOD_OTHER;
}

struct slice method_name(enum method m)
{
    return (unsigned)m < countof(methods) ? methods[m] : methods[METHOD_OTHER];
}

bool method_is_safe(enum method m)
{
    return m == METHOD_GET || m == METHOD_HEAD || m == METHOD_OPTIONS || m == METHOD_TRACE;
}

bool method_is_idempotent(enum method m)
{
    return method_is_safe(m) || m == METHOD_PUT || m == METHOD_DELETE;
}

struct slice status_reason(unsigned status)
{
    switch (status) {
#define STATUS(code, text)                                                                         \
    case code:                                                                                     \
        return SLICE(text);
#include "http/status.tbl"
#undef STATUS
    default: return (struct slice){ NULL, 0 };
    }
}
