/* See help_message.h. */
#include "tests/unit/cache/help_message.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "http/h1_write.h"
#include "http/head.h"

static const struct head_limits limits = { 65536, 16384, 400 };

static char *format(struct arena *a, const char *fmt, ...)
{
    enum { MOST = 32768 };
    va_list ap;
    char *p = arena_alloc(a, MOST);
    va_start(ap, fmt);
    int n = vsnprintf(p, MOST, fmt, ap);
    va_end(ap);
    must(n > 0 && n < MOST);
    return p;
}

void help_request(struct msg *m, struct arena *a, const char *fields)
{
    char *head = format(a, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    msg_init(m, a);
    must(request_parse(m, head, (u32)strlen(head), &limits) == FAULT_NONE);
}

void help_response(struct msg *m, struct arena *a, unsigned status, const char *fields)
{
    char *head = format(a, "HTTP/1.1 %u X\r\n%s\r\n", status, fields);
    msg_init(m, a);
    must(response_parse(m, head, (u32)strlen(head), &limits, METHOD_GET) == FAULT_NONE);
}

const char *help_fields(const struct msg *m, struct arena *a)
{
    enum { MOST = 32768 };
    char *p = arena_alloc(a, MOST);
    struct text t = text_in(p, MOST - 1);
    h1_write_fields(&t, m);
    p[t.n] = '\0';
    return p;
}
