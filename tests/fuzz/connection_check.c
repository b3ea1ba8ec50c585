/* See connection_check.h. Nothing here may be clever: a simple reader that agrees with a strict one
 * on everything the strict one lets pass. */
#include "connection_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "http_fuzz.h"
#include "http/uri.h"

#define NEED(x, ...)                                                                               \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "not so: " #x ": " __VA_ARGS__);                                       \
            fputc('\n', stderr);                                                                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct reader {
    const char *p;
    u32 n, at;
};

static void hash_add(struct message *m, const char *p, u64 n)
{
    for (u64 i = 0; i < n; i++)
        m->hash = (m->hash ^ (u8)p[i]) * 1099511628211ull;
    m->length += n;
}

/* The line at r->at without its CRLF; false when its end has not come. */
static bool line_next(struct reader *r, struct slice *line)
{
    const char *from = r->p + r->at, *lf = memchr(from, '\n', r->n - r->at);
    if (lf == NULL)
        return false;
    r->at = (u32)(lf + 1 - r->p);
    *line = (struct slice){ from, (size_t)(lf - from) };
    if (line->n && line->p[line->n - 1] == '\r')
        line->n--;
    return true;
}

static bool same(struct slice a, const char *b)
{
    return a.n == strlen(b) && strncasecmp(a.p, b, a.n) == 0;
}

/* Methods are case-sensitive. */
static bool method_is(struct slice m, const char *name)
{
    return m.n == strlen(name) && memcmp(m.p, name, m.n) == 0;
}

struct framing {
    bool chunked, has_length, websocket, via, close;
    u64 length;
};

static struct slice trim(struct slice s)
{
    while (s.n && (*s.p == ' ' || *s.p == '\t'))
        s.p++, s.n--;
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

static void note_field(struct framing *f, struct slice line)
{
    const char *colon = memchr(line.p, ':', line.n);
    if (colon == NULL)
        return;
    struct slice name = trim((struct slice){ line.p, (size_t)(colon - line.p) });
    struct slice value = trim(slice_skip(line, (size_t)(colon + 1 - line.p)));
    if (same(name, "transfer-encoding"))
        f->chunked = same(value, "chunked");
    if (same(name, "upgrade") && same(value, "websocket"))
        f->websocket = true;
    if (same(name, "connection") && same(value, "close"))
        f->close = true;
    if (same(name, "via") && memmem(value.p, value.n, "proxyd-fuzz", 11))
        f->via = true;
    if (!same(name, "content-length"))
        return;
    f->has_length = true;
    f->length = 0;
    for (size_t i = 0; i < value.n && i < 19 && value.p[i] >= '0' && value.p[i] <= '9'; i++)
        f->length = f->length * 10 + (u64)(value.p[i] - '0');
}

/* A field and the folded lines that follow it, in one. */
struct joined {
    char text[65536];
    size_t n;
};

static void join(struct joined *j, struct slice line)
{
    size_t n = line.n < sizeof j->text - j->n ? line.n : sizeof j->text - j->n;
    if (n)
        memcpy(j->text + j->n, line.p, n);
    j->n += n;
}

/* Fields up to the empty line; false when it has not come. */
static bool fields_next(struct reader *r, struct framing *f)
{
    static struct joined j;
    struct slice line;
    *f = (struct framing){ 0 };
    for (j.n = 0; line_next(r, &line); join(&j, line)) {
        if (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
            continue;
        note_field(f, (struct slice){ j.text, j.n });
        if (line.n == 0)
            return true;
        j.n = 0;
    }
    return false;
}

static bool size_of_chunk(struct slice line, u64 *size)
{
    size_t i = 0;
    for (*size = 0; i < line.n && strchr("0123456789abcdefABCDEF", line.p[i]) && line.p[i]; i++) {
        char c = line.p[i] | 0x20;
        *size = *size * 16 + (u64)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return i > 0 && i <= 16;
}

enum body_state { BODY_WHOLE, BODY_PART, BODY_BROKEN };

static enum body_state chunked_next(struct reader *r, struct message *m)
{
    struct slice line;
    struct framing trailers;
    u64 size;
    for (;;) {
        if (!line_next(r, &line))
            return BODY_PART;
        if (!size_of_chunk(line, &size))
            return BODY_BROKEN;
        if (size == 0)
            return fields_next(r, &trailers) ? BODY_WHOLE : BODY_PART;
        u64 there = size < r->n - r->at ? size : r->n - r->at;
        hash_add(m, r->p + r->at, there);
        r->at += (u32)there;
        if (there < size || r->n - r->at < 2)
            return BODY_PART;
        if (memcmp(r->p + r->at, "\r\n", 2) != 0)
            return BODY_BROKEN;
        r->at += 2;
    }
}

static enum body_state length_next(struct reader *r, struct message *m, u64 length)
{
    u64 there = length < r->n - r->at ? length : r->n - r->at;
    hash_add(m, r->p + r->at, there);
    r->at += (u32)there;
    return there == length ? BODY_WHOLE : BODY_PART;
}

static struct slice first_word(struct slice line)
{
    const char *blank = memchr(line.p, ' ', line.n);
    return (struct slice){ line.p, blank ? (size_t)(blank - line.p) : line.n };
}

/* One request; false when nothing more can be known. */
static bool request_next(struct reader *r, struct messages *out)
{
    struct message *m = &out->m[out->n];
    struct framing f;
    struct slice line = { NULL, 0 };
    while (r->n - r->at >= 2 && memcmp(r->p + r->at, "\r\n", 2) == 0)
        r->at += 2;
    if (r->at == r->n)
        return false;
    out->n++;
    *m = (struct message){ .hash = 14695981039346656037ull };
    u32 from = r->at;
    bool begun = line_next(r, &line);
    m->method = first_word(begun ? line : (struct slice){ r->p + r->at, r->n - r->at });
    if (!begun || !fields_next(r, &f))
        return false;
    m->head = (struct slice){ r->p + from, r->at - from };
    m->upgrade = f.websocket;
    if (method_is(m->method, "CONNECT")) {
        m->complete = true;
        out->raw = true;
        out->rest = r->at;
        return false;
    }
    enum body_state s =
        f.chunked ? chunked_next(r, m) : length_next(r, m, f.has_length ? f.length : 0);
    m->complete = s == BODY_WHOLE;
    out->malformed = s == BODY_BROKEN;
    out->rest = r->at;
    return m->complete;
}

/* Behind a CONNECT the bytes may be a tunnel's or, if it was refused, further requests: `raw` marks
 * where, and reading goes on only in read_answers' favour. */
void read_requests(struct messages *out, struct slice bytes)
{
    struct reader r = { bytes.p, (u32)bytes.n, 0 };
    out->n = out->interim = out->rest = 0;
    out->malformed = out->raw = false;
    for (;;) {
        bool more = request_next(&r, out);
        bool connect = out->n && out->raw && method_is(out->m[out->n - 1].method, "CONNECT");
        if (out->n == MOST_MESSAGES || (!more && !connect))
            return;
        if (connect && r.at == r.n)
            return;
    }
}

/* "HTTP/1.x NNN": the status, or 0. */
static u16 status_of(struct slice line)
{
    if (line.n < 12 || memcmp(line.p, "HTTP/1.", 7) != 0 || (line.p[8] != ' ' && line.p[8] != '\t'))
        return 0;
    u16 v = 0;
    struct slice code = trim(slice_skip(line, 8));
    for (unsigned i = 0; i < 3; i++) {
        if (i == code.n || code.p[i] < '0' || code.p[i] > '9')
            return 0;
        v = (u16)(v * 10 + code.p[i] - '0');
    }
    return v;
}

static void answer_body(struct reader *r, struct messages *out, struct message *m,
                        const struct framing *f, enum wire_end end)
{
    enum body_state s = BODY_WHOLE;
    if (method_is(m->method, "HEAD") || m->status == 204 || m->status == 304) {
        m->complete = true;
        /* Too broken for its method to be known, it is refused with a body, the last word. */
        if (f->close && !f->via && m->status >= 400)
            r->at = r->n;
        return;
    }
    if (f->chunked) {
        s = chunked_next(r, m);
    } else if (f->has_length) {
        s = length_next(r, m, f->length);
    } else {
        m->until_close = true;
        s = end == END_ORDERLY ? BODY_WHOLE : BODY_PART;
        hash_add(m, r->p + r->at, r->n - r->at);
        r->at = r->n;
    }
    m->complete = s == BODY_WHOLE;
    out->malformed = s == BODY_BROKEN;
}

static bool answer_next(struct reader *r, struct messages *out, enum wire_end end,
                        const struct messages *asked)
{
    struct message *m = &out->m[out->n];
    struct framing f;
    struct slice line;
    u32 from = r->at;
    if (!line_next(r, &line))
        return false;
    u16 status = status_of(line);
    out->malformed = status < 100;
    if (out->malformed)
        r->at = from;
    if (out->malformed || !fields_next(r, &f))
        return false;
    if (status < 200 && status != 101) {
        out->interim++;
        return true;
    }
    *m = (struct message){ .status = status,
                           .head = { r->p + from, r->at - from },
                           .relayed = f.via,
                           .closes = f.close,
                           .hash = 14695981039346656037ull };
    if (out->n < asked->n) {
        m->method = asked->m[out->n].method;
        m->upgrade = asked->m[out->n].upgrade;
    }
    out->n++;
    if (status == 101 || (method_is(m->method, "CONNECT") && status / 100 == 2)) {
        m->complete = out->raw = true;
        out->rest = r->at;
        return false;
    }
    answer_body(r, out, m, &f, end);
    return m->complete && !out->malformed && out->n < MOST_MESSAGES;
}

void read_answers(struct messages *out, struct slice bytes, enum wire_end end,
                  const struct messages *asked)
{
    struct reader r = { bytes.p, (u32)bytes.n, 0 };
    out->n = out->interim = 0;
    out->malformed = out->raw = false;
    while (r.at < r.n && answer_next(&r, out, end, asked))
        ;
    out->rest = out->raw ? out->rest : r.at;
}

/* ---- the strict looks ---- */

/* Heads and framing byte by byte: what no careless reader could take for something else. Controls
 * in an answer's field stay, but not those that somebody takes for an end. */
static void check_head_bytes(struct slice head)
{
    for (size_t i = 0; i < head.n; i++) {
        u8 c = (u8)head.p[i];
        if (c == '\r')
            NEED(i + 1 < head.n && head.p[i + 1] == '\n', "a bare CR");
        else if (c == '\n')
            NEED(i && head.p[i - 1] == '\r', "a bare LF");
        else
            NEED(c != 0, "a NUL");
    }
}

/* Walks over the answers once more, head by head. */
static void check_answer_heads(const struct messages *a, struct slice bytes)
{
    u32 at = 0, n = 0;
    while (at < bytes.n && n < a->n) {
        const char *end = memmem(bytes.p + at, bytes.n - at, "\r\n\r\n", 4);
        if (end == NULL)
            return;
        struct slice head = { bytes.p + at, (size_t)(end + 4 - bytes.p) - at };
        check_head_bytes(head);
        NEED(head.n > 13 && memcmp(head.p, "HTTP/1.1 ", 9) == 0, "a status line");
        struct reader r = { bytes.p, (u32)bytes.n, at };
        struct slice line;
        struct framing f;
        line_next(&r, &line);
        u16 status = status_of(line);
        while (line_next(&r, &line) && line.n) {
            const char *colon = memchr(line.p, ':', line.n);
            NEED(colon && colon > line.p && colon[-1] != ' ' && line.p[0] != ' ', "a field");
            NEED(!(f = (struct framing){ 0 }, note_field(&f, line), f.chunked && f.has_length),
                 "both");
        }
        at = r.at;
        if (status < 200 && status != 101)
            continue;
        struct message skip = { .method = a->m[n].method, .status = status };
        struct messages none = { .n = 0 };
        struct reader again = { bytes.p, (u32)bytes.n, (u32)(head.p - bytes.p) };
        line_next(&again, &line);
        fields_next(&again, &f);
        NEED(!(f.chunked && f.has_length), "two lengths in one answer");
        answer_body(&again, &none, &skip, &f, END_OPEN);
        at = again.at;
        n++;
    }
}

static void check_request_fields(const struct msg *m)
{
    for (unsigned i = 0; i < m->nfields; i++) {
        struct slice name = msg_name(m, &m->fields[i]), value = msg_value(m, &m->fields[i]);
        NEED(name.n < 6 || strncasecmp(name.p, "proxy-", 6) != 0, "Proxy-* reached the origin");
        if (same(name, "connection"))
            NEED(same(value, "Upgrade") || same(value, "TE"), "Connection: %.*s", (int)value.n,
                 value.p);
        NEED(!same(name, "keep-alive"), "Keep-Alive reached the origin");
    }
    NEED(msg_has(m, TOKEN_VIA), "no Via");
}

/* Proxyd's own entry is the last one. */
static bool is_of_this_run(const struct msg *m, const char *name)
{
    struct slice last = { NULL, 0 };
    for (const struct field *f = msg_find(m, TOKEN_VIA); f; f = msg_find_next(m, f))
        last = msg_value(m, f);
    size_t n = strlen(name);
    return last.n >= n && memcmp(last.p + last.n - n, name, n) == 0;
}

/* What the origin got: whole heads have to please the strict parser. Answers how many there are. */
static u32 check_origin_requests(const struct wire *o, struct messages *seen, const char *name)
{
    static const struct head_limits loose = { 1 << 20, 1 << 20, 4000 };
    u32 at = 0;
    read_requests(seen, (struct slice){ o->got, o->ngot });
    for (u32 i = 0; i < seen->n; i++) {
        const char *end = memmem(o->got + at, o->ngot - at, "\r\n\r\n", 4);
        if (end == NULL)
            break;
        struct arena arena;
        struct msg m;
        struct target_uri uri;
        u32 len = (u32)(end + 4 - (o->got + at));
        arena_init(&arena, 0);
        msg_init(&m, &arena);
        enum fault f = request_parse(&m, o->got + at, len, &loose);
        NEED(f == FAULT_NONE, "the origin got a request with fault %u", f);
        NEED(m.method != METHOD_CONNECT &&
                 target_parse(m.method, m.target, NULL, &uri) == FAULT_NONE &&
                 (uri.form == TARGET_ORIGIN || uri.form == TARGET_ASTERISK),
             "the origin got the target %.*s", (int)m.target.n, m.target.p);
        check_request_fields(&m);
        bool upgrade = m.upgrade_websocket, ours = is_of_this_run(&m, name);
        arena_free(&arena);
        if (!ours)
            return 0;
        struct reader r = { o->got, o->ngot, at };
        struct messages one = { .n = 0 };
        if (!request_next(&r, &one))
            return i + 1;
        at = r.at;
        if (upgrade) /* perhaps a tunnel from here on */
            return i + 1;
    }
    return seen->n;
}

static bool same_body(const struct message *a, const struct message *b)
{
    return a->hash == b->hash && a->length == b->length;
}

struct sides {
    struct messages asked[8], answered[8]; /* clients */
    struct messages seen[40], said[40];    /* origins */
    u32 requests[40];                      /* of an origin, judged */
};

/* A whole answer that a client got was sent as a whole by an origin. */
static void check_answer_was_said(const struct sides *s, const struct message *m, u32 norigins)
{
    for (u32 o = 0; o < norigins; o++)
        for (u32 i = 0; i < s->said[o].n; i++) {
            const struct message *said = &s->said[o].m[i];
            if (said->status == m->status && said->complete && same_body(said, m))
                return;
        }
    NEED(false, "no origin said this: %u with %llu bytes", m->status,
         (unsigned long long)m->length);
}

static void check_request_was_asked(const struct sides *s, const struct message *m, u32 nclients)
{
    for (u32 c = 0; c < nclients; c++)
        for (u32 i = 0; i < s->asked[c].n; i++)
            if (slice_eq(s->asked[c].m[i].method, m->method) && same_body(&s->asked[c].m[i], m))
                return;
    NEED(false, "no client asked this: %.*s with %llu bytes", (int)m->method.n, m->method.p,
         (unsigned long long)m->length);
}

/* What came out of a tunnel is the beginning of what went in at some origin. */
static void check_tunnel(const struct wire *c, u32 rest, const struct wire *origin, u32 norigins)
{
    for (u32 o = 0; o < norigins; o++)
        for (u32 from = 0; from <= origin[o].nsent; from++) {
            if (origin[o].nsent - from >= c->ngot - rest &&
                memcmp(origin[o].sent + from, c->got + rest, c->ngot - rest) == 0)
                return;
            if (origin[o].tunnel)
                break; /* from its very first byte */
        }
    NEED(false, "a tunnel gave %u bytes that no origin sent", c->ngot - rest);
}

static void check_client(struct sides *s, u32 i, const struct wire *c, const struct wire *origin,
                         u32 norigins)
{
    struct messages *asked = &s->asked[i], *got = &s->answered[i];
    struct slice bytes = { c->got, c->ngot };
    read_requests(asked, (struct slice){ c->sent, c->nsent });
    read_answers(got, bytes, c->got_end, asked);
    NEED(!got->malformed, "the client got something that is no answer at %u", got->rest);
    check_answer_heads(got, bytes);
    const struct message *last = got->n ? &got->m[got->n - 1] : NULL;
    bool turned_away = last && last->closes && !last->relayed && last->status == 503;
    NEED(got->n <= asked->n + turned_away || asked->n == MOST_MESSAGES,
         "%u answers for %u requests", got->n, asked->n);
    for (u32 k = 0; k < got->n; k++) {
        const struct message *m = &got->m[k];
        NEED(!m->closes || k + 1 == got->n, "an answer behind Connection: close");
        if (m->relayed && m->complete && m->status != 101)
            check_answer_was_said(s, m, norigins);
        if (m->status == 101)
            NEED(m->upgrade, "an unasked 101");
    }
    if (got->raw)
        check_tunnel(c, got->rest, origin, norigins);
}

static u32 count_of(const struct messages *m, u32 n, const char *method)
{
    u32 count = 0;
    for (u32 i = 0; i < n; i++)
        count += method_is(m->m[i].method, method);
    return count;
}

/* What must not be done twice is not sent twice. */
static void check_never_twice(const struct sides *s, u32 nclients, u32 norigins)
{
    u32 asked = 0, seen = 0;
    for (u32 i = 0; i < nclients; i++)
        asked += count_of(&s->asked[i], s->asked[i].n, "POST");
    for (u32 i = 0; i < norigins; i++)
        seen += count_of(&s->seen[i], s->requests[i], "POST");
    NEED(seen <= asked, "%u POST reached origins, %u were asked", seen, asked);
}

void check_wires(const struct wire *client, u32 nclients, const struct wire *origin, u32 norigins,
                 u32 retries, const char *name)
{
    static struct sides s;
    u32 asked = 0, seen = 0;
    for (u32 i = 0; i < nclients; i++)
        if (client[i].overflow)
            return;
    for (u32 i = 0; i < norigins; i++) {
        const struct wire *o = &origin[i];
        if (o->overflow)
            return;
        s.seen[i].n = s.said[i].n = 0;
        s.requests[i] = 0;
        if (o->tunnel)
            continue;
        s.requests[i] = check_origin_requests(o, &s.seen[i], name);
        seen += s.requests[i];
        read_answers(&s.said[i], (struct slice){ o->sent, o->nsent }, o->sent_end, &s.seen[i]);
    }
    for (u32 i = 0; i < nclients; i++) {
        check_client(&s, i, &client[i], origin, norigins);
        asked += s.asked[i].n;
    }
    check_never_twice(&s, nclients, norigins);
    NEED(seen <= asked + retries, "%u requests reached origins, %u were asked", seen, asked);
    for (u32 i = 0; i < norigins; i++)
        for (u32 k = 0; k < s.requests[i]; k++)
            if (s.seen[i].m[k].complete)
                check_request_was_asked(&s, &s.seen[i].m[k], nclients);
}
