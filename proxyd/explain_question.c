/* The question of `proxyd explain`, as it comes over the control socket or from the command. */
#include <stdlib.h>

#include "explain.h"
#include "base/str.h"
#include "explain_json.h"
#include "forward/conf.h"
#include "http/chars.h"
#include "made_head.h"
#include "moment.h"

enum { MOST_FIELDS = 64 << 10 };

struct question {
    json_t *json;
    struct arena arena;
    struct forecast_request request;
    const struct listener *listener;
    const struct lookup *lookup; /* for names that are not given */
    const char *wrong;           /* a sentence; NULL: nothing */
};

static struct slice member(const struct question *q, const char *name)
{
    return slice_of(json_string_value(json_object_get(q->json, name)));
}

static void complain(struct question *q, const char *why)
{
    if (q->wrong == NULL)
        q->wrong = why;
}

static bool is_printable(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((u8)s.p[i] < ' ' || s.p[i] == 0x7f)
            return false;
    return true;
}

static void read_fields(struct question *q)
{
    size_t i, n = 0;
    json_t *one;
    json_array_foreach(json_object_get(q->json, "headers"), i, one) n +=
        json_string_length(one) + 2;
    if (n > MOST_FIELDS) {
        complain(q, "the fields are too long");
        return;
    }
    struct text t = text_in(arena_alloc(&q->arena, n + 1), n + 1);
    json_array_foreach(json_object_get(q->json, "headers"), i, one)
    {
        struct slice field = slice_of(json_string_value(one));
        const char *wrong = made_head_field_wrong(field);
        if (wrong)
            complain(q, wrong);
        text_add(&t, field);
        text_lit(&t, "\r\n");
    }
    q->request.fields = text_slice(&t);
    q->request.fields_shown = true;
}

static bool is_status(struct slice s)
{
    u64 n;
    return slice_u64(s, &n) && n >= 200 && n <= 599;
}

/* A status, and then fields. */
static void read_response(struct question *q)
{
    size_t i, n = 64;
    json_t *one, *all = json_object_get(q->json, "response");
    json_array_foreach(all, i, one) n += json_string_length(one) + 2;
    if (json_array_size(all) == 0)
        return;
    struct text t = text_in(arena_alloc(&q->arena, n), n);
    json_array_foreach(all, i, one)
    {
        struct slice said = slice_of(json_string_value(one)), rest = said, name;
        if (i == 0 && !is_status(said))
            complain(q, "an answer begins with its status, 200 to 599");
        if (i > 0 && (!slice_cut(&rest, ':', &name) || rest.p == NULL || !slice_is_token(name) ||
                      !is_printable(said)))
            complain(q, "a field of the answer is written NAME: VALUE");
        text_cstr(&t, i == 0 ? "HTTP/1.1 " : "");
        text_add(&t, said);
        text_cstr(&t, i == 0 ? " said\r\n" : "\r\n");
    }
    text_lit(&t, "\r\n");
    q->request.response = text_slice(&t);
    if (t.n > MOST_FIELDS)
        complain(q, "the fields are too long");
}

/* What a client sends for https://HOST/…: of the rest nothing is shown. */
static struct slice tunnel_to(struct question *q, struct slice url)
{
    struct slice rest = slice_skip(url, sizeof "https://" - 1);
    size_t n = 0;
    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?' && rest.p[n] != '#')
        n++;
    struct slice authority = { rest.p, n };
    for (size_t i = n; i > 0; i--)
        if (rest.p[i - 1] == '@') {
            authority = slice_range(rest.p + i, rest.p + n);
            break;
        }
    const char *bracket = memchr(authority.p, ']', authority.n);
    struct slice tail = bracket ? slice_range(bracket, authority.p + authority.n) : authority;
    if (slice_find(tail, ':'))
        return authority;
    struct text t = text_in(arena_alloc(&q->arena, authority.n + 5), authority.n + 5);
    text_add(&t, authority);
    text_lit(&t, ":443");
    return text_slice(&t);
}

static void read_target(struct question *q)
{
    struct slice method = member(q, "method"), url = member(q, "url");
    bool tunnel = url.n > 8 && slice_eq_nocase((struct slice){ url.p, 8 }, SLICE("https://")) &&
                  !slice_is(method, "CONNECT");
    q->request.method = tunnel ? SLICE("CONNECT") : method.n ? method : SLICE("GET");
    q->request.target = tunnel ? tunnel_to(q, url) : url;
    if (url.n == 0)
        complain(q, "a URL is wanted");
    if (url.n > MOST_FIELDS || !is_printable(url) || slice_find(url, ' '))
        complain(q, "that is no URL: blanks and controls are written as %XX");
    if (!slice_is_token(q->request.method))
        complain(q, "that is no method");
}

static void read_rest(struct question *q, const struct snapshot *s)
{
    struct slice from = member(q, "from"), at = member(q, "at");
    q->listener = forecast_listener(s, member(q, "listener"));
    if (q->listener == NULL) {
        complain(q, member(q, "listener").n ? "there is no listener of that name with mode forward"
                                            : "there is no listener with mode forward");
        return;
    }
    if (!addr_parse(from.n ? from : SLICE("127.0.0.1"), &q->request.from))
        complain(q, "\"from\" is an address, such as 10.1.2.3");
    q->request.user = member(q, "user");
    if (q->request.user.n && forward_part_of(q->listener)->auth == NULL)
        complain(q, "the policy of that listener asks nobody who he is (auth)");
    if (at.n && !moment_read(at, forward_part_of(q->listener)->policy, &q->request.at_s))
        complain(q, "a time is written 2026-11-23 10:00, with a Z behind it for UTC");
}

/* ---- names that are given ---- */

/* HOST=ADDR[,ADDR…] */
static bool is_given(struct slice given, struct slice name, struct dns_answer *out)
{
    struct slice host, one;
    if (!slice_cut(&given, '=', &host) || !slice_eq_nocase(host, name))
        return false;
    *out = (struct dns_answer){ .n = 0 };
    while (slice_cut(&given, ',', &one))
        if (out->n < DNS_ADDRESSES && addr_parse(one, &out->addr[out->n]))
            out->n++;
    return true;
}

static void ask(void *ctx, struct slice name, struct dns_answer *out)
{
    const struct question *q = ctx;
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(q->json, "resolve"), i,
                       one) if (is_given(slice_of(json_string_value(one)), name, out)) return;
    q->lookup->ask(q->lookup->ctx, name, out);
}

static bool search(void *ctx, struct slice name, struct text *out)
{
    const struct question *q = ctx;
    return q->lookup->search(q->lookup->ctx, name, out);
}

static void check_given(struct question *q)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(q->json, "resolve"), i, one)
    {
        struct slice rest = slice_of(json_string_value(one)), host, address;
        struct addr a;
        bool good = slice_cut(&rest, '=', &host) && host.n && rest.p;
        while (good && slice_cut(&rest, ',', &address))
            good = addr_parse(address, &a);
        if (!good)
            complain(q, "\"resolve\" is written HOST=ADDRESS, or HOST=ADDRESS,ADDRESS");
    }
}

/* ---- the answer ---- */

static char *answer(struct question *q, const struct snapshot *s)
{
    struct forecast *f = arena_alloc(&q->arena, sizeof *f);
    forecast_make(s, q->listener, &q->request, &q->arena, f);
    json_t *told = explain_json(f, &q->request, &q->arena);
    char *text = json_dumps(told, JSON_INDENT(2));
    json_decref(told);
    return text;
}

static char *sentence(const char *why)
{
    char *text = NULL;
    return asprintf(&text, "%s\n", why) < 0 ? NULL : text;
}

unsigned explain_question(const struct snapshot *s, unsigned reader, const struct lookup *lookup,
                          struct slice question, char **text)
{
    struct question q = { .lookup = lookup, .request = { .reader = reader, .explain = true } };
    struct lookup given = { search, ask, &q };
    q.request.lookup = &given;
    q.json = json_loadb(question.p, question.n, JSON_REJECT_DUPLICATES, NULL);
    arena_init(&q.arena, 0);
    if (!json_is_object(q.json))
        complain(&q, "the question is no JSON object");
    read_target(&q);
    read_fields(&q);
    read_response(&q);
    q.request.sni = member(&q, "sni");
    read_rest(&q, s);
    check_given(&q);
    unsigned status = q.wrong ? 400 : 200;
    *text = q.wrong ? sentence(q.wrong) : answer(&q, s);
    arena_free(&q.arena);
    json_decref(q.json);
    return status;
}
