/*
 * Pieces mean nothing: what a client says and what its origin answers is understood alike in one
 * piece, byte by byte and in random pieces. Two parsers that disagree about a message do so where
 * its pieces meet, and so does one parser with itself. The input is
 *
 *     SEED CLIENT 0xff ORIGIN
 *
 * one byte for the random pieces, what the client says on one connection and what an origin answers
 * to each whole request (nothing: a plain 200). The requests that origins see and the answers that
 * the client sees have to be the same each time, but for what may differ: how a body is chunked, how
 * much of a message went out before it turned bad, dates and numbers; and behind an answer of the
 * input nothing is compared, for what follows it may belong to the next request when it comes late.
 */
#include <stdio.h>

#include "base/must.h"
#include "connection_ends.h"
#include "connection_stand.h"
#include "http_fuzz.h"

enum { ORIGINS = 12, MOST_BYTES = 3000, MOST_PASSES = 60 };

/* How it is cut: whole, single bytes, or random pieces up to that size. */
enum pieces { WHOLE, BYTES, SMALL = 9, LARGE = 80 };
static const enum pieces ways[] = { WHOLE, BYTES, SMALL, LARGE };

static const char plain[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/* One way: both sides with all that went over their sockets. */
static struct side {
    struct wire client_wire, origin_wire[ORIGINS];
    struct end client, origin[ORIGINS];
    u32 norigins, answered[ORIGINS];
    struct messages answers, requests[ORIGINS];
} sides[countof(ways)];

static struct side *now;
static enum pieces pieces;
static u32 random_state;

static size_t next_piece(size_t left)
{
    if (pieces == WHOLE)
        return left;
    random_state = random_state * 1103515245 + 12345;
    return 1 + (random_state >> 16) % pieces;
}

/* ---- one way ---- */

static void let_arrive(void)
{
    settle();
    receive(&now->client, SIZE_MAX);
    while (now->norigins < ORIGINS &&
           open_origin(&now->origin[now->norigins], &now->origin_wire[now->norigins], 0))
        now->answered[now->norigins++] = 0;
    for (u32 i = 0; i < now->norigins; i++)
        receive(&now->origin[i], SIZE_MAX);
}

static void say_in_pieces(struct end *e, struct slice text)
{
    size_t before;
    do {
        before = text.n;
        say(e, &text, next_piece(text.n));
        let_arrive();
    } while (text.n && text.n < before);
}

/* Each whole request is answered once, and never before the client has sent everything: who is
 * quicker is no matter of pieces. */
static bool answer_one(struct slice answer)
{
    for (u32 i = 0; i < now->norigins; i++) {
        struct wire *w = &now->origin_wire[i];
        struct messages *seen = &now->requests[i];
        if (w->tunnel)
            continue;
        read_requests(seen, (struct slice){ w->got, w->ngot });
        if (now->answered[i] < seen->n && seen->m[now->answered[i]].complete) {
            now->answered[i]++;
            say_in_pieces(&now->origin[i], answer);
            return true;
        }
    }
    return false;
}

static void leave_nothing(void)
{
    for (u32 i = 0; i < now->norigins; i++)
        close_end(&now->origin[i], true);
    close_end(&now->client, true);
    settle();
    for (unsigned i = 0; left_over(); i++) {
        if (i == MOST_PASSES)
            fprintf(stderr, "%s are left\n", left_over());
        must(i < MOST_PASSES);
        pass_time(31000);
        settle();
    }
    sweep_doors();
}

static void go(struct side *s, enum pieces way, u8 seed, struct slice said, struct slice answer)
{
    static struct messages asked;
    now = s;
    pieces = way;
    random_state = seed;
    s->norigins = 0;
    open_client(&s->client, &s->client_wire, 0);
    say_in_pieces(&s->client, said);
    while (answer_one(answer))
        ;
    half_close(&s->client);
    let_arrive();
    read_requests(&asked, said);
    read_answers(&s->answers, (struct slice){ s->client_wire.got, s->client_wire.ngot },
                 s->client_wire.got_end, &asked);
    leave_nothing();
}

/* ---- the same? ---- */

static struct slice field_line(struct slice head, const char *name)
{
    const char *p = memmem(head.p, head.n, name, strlen(name));
    const char *end = p ? memmem(p + 2, (size_t)(head.p + head.n - p - 2), "\r\n", 2) : NULL;
    return end ? (struct slice){ p, (size_t)(end - p) } : (struct slice){ NULL, 0 };
}

/* The next whole request to any origin, in the order of its connections; NULL: there is none. */
static const struct message *next_request(const struct side *s, u32 *origin, u32 *n)
{
    for (; *origin < s->norigins; ++*origin, *n = 0) {
        const struct messages *seen = &s->requests[*origin];
        if (!s->origin_wire[*origin].tunnel && *n < seen->n && seen->m[*n].complete)
            return &seen->m[(*n)++];
    }
    return NULL;
}

static void need(bool same, const char *what, struct slice one, struct slice other)
{
    if (same)
        return;
    fprintf(stderr, "other %s in other pieces:\n%.*s\n--- and ---\n%.*s\n", what, (int)one.n, one.p,
            (int)other.n, other.p);
    abort();
}

static void check_requests(const struct side *a, const struct side *b, u32 most)
{
    u32 ao = 0, an = 0, bo = 0, bn = 0;
    while (most-- > 0) {
        const struct message *x = next_request(a, &ao, &an), *y = next_request(b, &bo, &bn);
        struct slice none = { "", 0 };
        need(!x == !y, "request (none)", x ? x->head : none, y ? y->head : none);
        if (x == NULL)
            return;
        need(slice_eq(x->head, y->head), "request", x->head, y->head);
        need(x->hash == y->hash && x->length == y->length, "body", x->head, y->head);
    }
}

/* An answer that turns bad is a 502 while nothing of it is out, and is cut later. */
static bool turned_bad(const struct message *m)
{
    return m->relayed ? !m->complete : m->status == 502;
}

static void check_answers(const struct side *a, const struct side *b, u32 most)
{
    struct slice aw = { a->client_wire.got, a->client_wire.ngot };
    struct slice bw = { b->client_wire.got, b->client_wire.ngot };
    u32 an = a->answers.n < most ? a->answers.n : most;
    u32 bn = b->answers.n < most ? b->answers.n : most;
    need(an == bn, "answers", aw, bw);
    for (u32 i = 0; i < an; i++) {
        const struct message *x = &a->answers.m[i], *y = &b->answers.m[i];
        if (x->relayed != y->relayed || (x->relayed && !x->complete)) {
            need(turned_bad(x) && turned_bad(y), "end", x->head, y->head);
            continue;
        }
        need(x->status == y->status && x->complete == y->complete && x->closes == y->closes,
             "answer", x->head, y->head);
        if (x->relayed)
            need(x->hash == y->hash && x->length == y->length, "content", x->head, y->head);
        else
            need(slice_eq(field_line(x->head, "\r\nProxy-Status: "),
                          field_line(y->head, "\r\nProxy-Status: ")),
                 "cause", x->head, y->head);
    }
}

static void check_tunnels(const struct side *a, const struct side *b)
{
    need(a->norigins == b->norigins || a->answers.raw == b->answers.raw, "tunnel",
         (struct slice){ "", 0 }, (struct slice){ "", 0 });
    for (u32 i = 0; i < a->norigins && i < b->norigins; i++) {
        const struct wire *x = &a->origin_wire[i], *y = &b->origin_wire[i];
        struct slice xs = { x->got, x->ngot }, ys = { y->got, y->ngot };
        if (x->tunnel && y->tunnel)
            need(slice_eq(xs, ys), "bytes in the tunnel", xs, ys);
    }
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    if (size < 1 || size > MOST_BYTES)
        return 0;
    if (stand.worker == NULL)
        stand_start();
    const char *text = (const char *)data + 1, *cut = memchr(text, 0xff, size - 1);
    struct slice said = { text, cut ? (size_t)(cut - text) : size - 1 };
    struct slice answer = SLICE(plain);
    u32 most = MOST_MESSAGES;
    if (cut && said.n + 1 < size - 1) {
        answer = (struct slice){ cut + 1, size - 2 - said.n };
        most = 1;
    }
    for (unsigned i = 0; i < countof(ways); i++)
        go(&sides[i], ways[i], data[0], said, answer);
    for (unsigned i = 1; i < countof(ways); i++) {
        check_requests(&sides[0], &sides[i], most);
        check_answers(&sides[0], &sides[i], most);
        check_tunnels(&sides[0], &sides[i]);
    }
    return 0;
}
