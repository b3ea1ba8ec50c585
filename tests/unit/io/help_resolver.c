/* The scripted resolver: one thread, one poll over UDP, TCP and what is yet to be sent. */
#include "help_resolver.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/str.h"

enum { MOST_RULES = 256, MOST_LATE = 4096, MESSAGE = 65535 };

struct late {
    u64 due;
    bool held; /* and until then */
    struct sockaddr_in to;
    size_t n;
    u8 *bytes;
};

struct resolver {
    pthread_t thread;
    pthread_mutex_t lock; /* rules and counts */
    int udp, tcp, stop;
    struct addr at;
    struct rule rule[MOST_RULES];
    unsigned asked[MOST_RULES][2]; /* A, AAAA */
    unsigned nrules, tcp_asked, edns_asked;
    bool dead, hold;
    const char *silent_zone;
    struct late late[MOST_LATE];
    unsigned nlate;
};

/* ---- messages ---- */

struct writer {
    u8 *p;
    size_t n, room;
};

static void put(struct writer *w, const void *p, size_t n)
{
    must(w->n + n <= w->room);
    memcpy(w->p + w->n, p, n);
    w->n += n;
}
static void put16(struct writer *w, unsigned v)
{
    put(w, (u8[]){ (u8)(v >> 8), (u8)v }, 2);
}
static void put32(struct writer *w, u32 v)
{
    put16(w, v >> 16);
    put16(w, v & 0xffff);
}
static void put_name(struct writer *w, const char *name)
{
    struct slice rest = slice_of(name), label;
    while (rest.n && slice_cut(&rest, '.', &label)) {
        u8 n = (u8)label.n;
        put(w, &n, 1);
        put(w, label.p, n);
    }
    put(w, "", 1);
}

size_t resolver_question(const char *name, unsigned type, u8 *out)
{
    struct writer w = { out, 0, 300 };
    put(&w, "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12);
    put_name(&w, name);
    put16(&w, type);
    put16(&w, 1);
    return w.n;
}

/* The question's name as text and its type; where the question ends, or 0. */
static size_t read_question(const u8 *q, size_t n, char name[256], unsigned *type)
{
    size_t at = 12, to = 0;
    while (at < n && q[at] && at + q[at] + 5u < n && to + q[at] + 1u < 255) {
        if (to)
            name[to++] = '.';
        for (u8 i = 1; i <= q[at]; i++)
            name[to++] = ascii_lower((char)q[at + i]);
        at += 1u + q[at];
    }
    name[to] = 0;
    if (at + 5 > n || q[at])
        return 0;
    *type = (unsigned)(q[at + 1] << 8 | q[at + 2]);
    return at + 5;
}

static void put_record(struct writer *w, const char *owner, unsigned type, u32 ttl,
                       const void *data, unsigned n)
{
    if (owner)
        put_name(w, owner);
    else
        put16(w, 0xc00c);
    put16(w, type);
    put16(w, 1);
    put32(w, ttl);
    put16(w, n);
    put(w, data, n);
}

static unsigned put_addresses(struct writer *w, const struct rule *r, unsigned type)
{
    struct slice rest = slice_of(r->addresses), word;
    unsigned count = 0;
    while (slice_cut(&rest, ' ', &word)) {
        struct addr a;
        if (!addr_parse(word, &a) || a.family != (type == TYPE_A ? AF_INET : AF_INET6))
            continue;
        put_record(w, r->cname, type, r->ttl, a.ip, type == TYPE_A ? 4 : 16);
        count++;
    }
    for (unsigned i = 0; i < r->many; i++, count++) {
        u8 ip[16] = { type == TYPE_A ? 10 : 0xfd, (u8)(i >> 16), (u8)(i >> 8), (u8)i };
        put_record(w, r->cname, type, r->ttl, ip, type == TYPE_A ? 4 : 16);
    }
    return count;
}

static void put_soa(struct writer *w, u32 minimum)
{
    u8 soa[256];
    struct writer d = { soa, 0, sizeof soa };
    put_name(&d, "ns.test");
    put_name(&d, "admin.test");
    for (unsigned i = 0; i < 4; i++)
        put32(&d, 1);
    put32(&d, minimum);
    put_record(w, "test", 6, 86400, soa, (unsigned)d.n);
}

size_t resolver_answer(const struct rule *r, const u8 *q, size_t n, u8 *out, size_t room)
{
    struct writer w = { out, 0, room };
    char name[256];
    unsigned type, answers = 0, authority = 0;
    size_t end = read_question(q, n, name, &type);
    if (end == 0)
        return 0;
    put(&w, q, end);
    if (r->kind == ANSWER_BROKEN) {
        put(&w, "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x99zz", 14);
        answers = 1;
    } else {
        if (r->cname) {
            u8 target[256];
            struct writer t = { target, 0, sizeof target };
            put_name(&t, r->cname);
            put_record(&w, NULL, 5, r->ttl, target, (unsigned)t.n);
            answers++;
        }
        unsigned found = put_addresses(&w, r, type);
        if (found == 0 && r->minimum) {
            put_soa(&w, r->minimum);
            authority = 1;
        }
        answers += found;
    }
    u8 counts[8] = { 0, 1, (u8)(answers >> 8), (u8)answers, 0, (u8)authority, 0, 0 };
    memcpy(out + 4, counts, 8);
    out[2] = 0x81;
    out[3] = (u8)(0x80 | r->rcode);
    return w.n;
}

/* ---- rules ---- */

static unsigned find(struct resolver *r, const char *name, unsigned type)
{
    unsigned found = r->nrules;
    for (unsigned i = 0; i < r->nrules; i++)
        if (strcmp(r->rule[i].name, name) == 0 && (r->rule[i].type == type || r->rule[i].type == 0))
            if (found == r->nrules || r->rule[i].type)
                found = i;
    return found;
}

void resolver_rule(struct resolver *r, const struct rule *rule)
{
    pthread_mutex_lock(&r->lock);
    unsigned i = 0;
    while (i < r->nrules && (strcmp(r->rule[i].name, rule->name) || r->rule[i].type != rule->type))
        i++;
    must(i < MOST_RULES);
    r->rule[i] = *rule;
    if (i == r->nrules)
        r->nrules++;
    pthread_mutex_unlock(&r->lock);
}

unsigned resolver_asked(struct resolver *r, const char *name, unsigned type)
{
    unsigned sum = 0;
    pthread_mutex_lock(&r->lock);
    for (unsigned i = 0; i < r->nrules; i++)
        if (strcmp(r->rule[i].name, name) == 0)
            for (unsigned t = 0; t < 2; t++)
                if (type == 0 || type == (t ? TYPE_AAAA : TYPE_A))
                    sum += r->asked[i][t];
    pthread_mutex_unlock(&r->lock);
    return sum;
}

unsigned resolver_tcp(struct resolver *r)
{
    pthread_mutex_lock(&r->lock);
    unsigned n = r->tcp_asked;
    pthread_mutex_unlock(&r->lock);
    return n;
}

unsigned resolver_edns(struct resolver *r)
{
    pthread_mutex_lock(&r->lock);
    unsigned n = r->edns_asked;
    pthread_mutex_unlock(&r->lock);
    return n;
}

void resolver_silent_zone(struct resolver *r, const char *end)
{
    pthread_mutex_lock(&r->lock);
    r->silent_zone = end;
    pthread_mutex_unlock(&r->lock);
}

void resolver_hold(struct resolver *r, bool hold)
{
    pthread_mutex_lock(&r->lock);
    r->hold = hold;
    pthread_mutex_unlock(&r->lock);
}

void resolver_dead(struct resolver *r, bool dead)
{
    pthread_mutex_lock(&r->lock);
    r->dead = dead;
    pthread_mutex_unlock(&r->lock);
}

/* The rule for a question, counted; false: say nothing. */
static bool rule_for(struct resolver *r, const u8 *q, size_t n, struct rule *out)
{
    char name[256];
    unsigned type;
    if (read_question(q, n, name, &type) == 0)
        return false;
    pthread_mutex_lock(&r->lock);
    unsigned i = find(r, name, type);
    *out = (struct rule){ .rcode = 3, .minimum = 5 };
    if (i < r->nrules) {
        r->asked[i][type == TYPE_AAAA]++;
        *out = r->rule[i];
    }
    bool edns = q[11] > 0;
    bool dead = r->dead || (r->silent_zone && slice_ends(slice_of(name), slice_of(r->silent_zone)));
    r->edns_asked += edns;
    pthread_mutex_unlock(&r->lock);
    if (edns && out->edns_rcode)
        *out = (struct rule){ .rcode = out->edns_rcode };
    else if (edns && out->edns_kind)
        out->kind = out->edns_kind;
    return !dead && out->kind != ANSWER_DROP;
}

/* ---- sending ---- */

static void send_udp(struct resolver *r, const struct sockaddr_in *to, const u8 *p, size_t n)
{
    (void)sendto(r->udp, p, n, 0, (const struct sockaddr *)to, sizeof *to);
}

static void send_noise(struct resolver *r, const struct sockaddr_in *to, u8 *answer, size_t n)
{
    send_udp(r, to, (const u8 *)"?", 1);
    send_udp(r, to, (const u8 *)"", 0);
    u8 other[MESSAGE];
    memcpy(other, answer, n);
    other[0] ^= 0x55; /* another id */
    send_udp(r, to, other, n);
    memcpy(other, answer, n);
    other[13] ^= 1; /* another question */
    send_udp(r, to, other, n);
    send_udp(r, to, answer, 12); /* cut off */
    for (size_t i = 0; i < 64; i++)
        other[i] = (u8)(i * 37);
    send_udp(r, to, other, 64);
}

static void on_udp(struct resolver *r)
{
    u8 q[MESSAGE];
    static _Thread_local u8 answer[MESSAGE];
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    ssize_t n = recvfrom(r->udp, q, sizeof q, 0, (struct sockaddr *)&from, &len);
    struct rule rule;
    if (n < 12 || !rule_for(r, q, (size_t)n, &rule))
        return;
    size_t size = resolver_answer(&rule, q, (size_t)n, answer, sizeof answer);
    if (rule.kind == ANSWER_CUT) {
        size -= 5;
    } else if (rule.kind == ANSWER_HEADER) {
        memcpy(answer + 2, "\x81\x81\0\0\0\0\0\0\0\0", 10);
        size = 12;
    } else if (rule.kind == ANSWER_TC) {
        rule = (struct rule){ .rcode = 0 };
        size = resolver_answer(&rule, q, (size_t)n, answer, sizeof answer);
        answer[2] |= 2;
    } else if (rule.kind == ANSWER_NOISE) {
        send_noise(r, &from, answer, size);
    }
    if (rule.delay_ms == 0 && !rule.held) {
        send_udp(r, &from, answer, size);
        return;
    }
    must(r->nlate < MOST_LATE);
    struct late *l = &r->late[r->nlate++];
    *l = (struct late){ clock_us(CLOCK_MONOTONIC) / 1000 + rule.delay_ms, rule.held, from, size,
                        must_alloc(size) };
    memcpy(l->bytes, answer, size);
}

static void send_due(struct resolver *r)
{
    u64 now = clock_us(CLOCK_MONOTONIC) / 1000;
    pthread_mutex_lock(&r->lock);
    bool hold = r->hold;
    pthread_mutex_unlock(&r->lock);
    for (unsigned i = 0; i < r->nlate;) {
        struct late *l = &r->late[i];
        if (l->due > now || (l->held && hold)) {
            i++;
            continue;
        }
        send_udp(r, &l->to, l->bytes, l->n);
        free(l->bytes);
        *l = r->late[--r->nlate];
    }
}

static bool read_exact(int fd, u8 *p, size_t n)
{
    while (n) {
        ssize_t k = recv(fd, p, n, 0);
        if (k <= 0)
            return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

/* One connection, one question after another until the client closes or waits for a second. */
static void on_tcp(struct resolver *r)
{
    static _Thread_local u8 q[MESSAGE], answer[MESSAGE + 2];
    int fd = accept(r->tcp, NULL, NULL);
    struct timeval second = { 1, 0 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
    u8 size[2];
    struct rule rule;
    while (read_exact(fd, size, 2)) {
        size_t n = (size_t)(size[0] << 8 | size[1]);
        if (!read_exact(fd, q, n) || !rule_for(r, q, n, &rule))
            break;
        pthread_mutex_lock(&r->lock);
        r->tcp_asked++;
        pthread_mutex_unlock(&r->lock);
        size_t k = resolver_answer(&rule, q, n, answer + 2, MESSAGE);
        answer[0] = (u8)(k >> 8);
        answer[1] = (u8)k;
        (void)send(fd, answer, k + 2, MSG_NOSIGNAL);
    }
    close(fd);
}

static void *serve(void *arg)
{
    struct resolver *r = arg;
    for (;;) {
        struct pollfd p[3] = { { r->udp, POLLIN, 0 },
                               { r->tcp, POLLIN, 0 },
                               { r->stop, POLLIN, 0 } };
        poll(p, 3, r->nlate ? 2 : 1000);
        if (p[2].revents)
            return NULL;
        if (p[0].revents)
            on_udp(r);
        if (p[1].revents)
            on_tcp(r);
        send_due(r);
    }
}

/* One port free for both protocols. */
static bool bind_both(struct resolver *r)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof a;
    r->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    r->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int room = 4 << 20; /* a thousand questions at once while this thread waits for a core */
    if (setsockopt(r->udp, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0)
        (void)setsockopt(r->udp, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (bind(r->udp, (struct sockaddr *)&a, n) == 0 &&
        getsockname(r->udp, (struct sockaddr *)&a, &n) == 0 &&
        bind(r->tcp, (struct sockaddr *)&a, n) == 0 && listen(r->tcp, 16) == 0) {
        addr_from_sockaddr(&r->at, (struct sockaddr *)&a);
        return true;
    }
    close(r->udp);
    close(r->tcp);
    return false;
}

struct resolver *resolver_start(void)
{
    struct resolver *r = must_zalloc(sizeof *r);
    pthread_mutex_init(&r->lock, NULL);
    r->stop = eventfd(0, EFD_CLOEXEC);
    unsigned tries = 0;
    while (!bind_both(r))
        must(++tries < 100);
    must(pthread_create(&r->thread, NULL, serve, r) == 0);
    return r;
}

void resolver_stop(struct resolver *r)
{
    u64 one = 1;
    must(write(r->stop, &one, sizeof one) == sizeof one);
    pthread_join(r->thread, NULL);
    close(r->udp);
    close(r->tcp);
    close(r->stop);
    for (unsigned i = 0; i < r->nlate; i++)
        free(r->late[i].bytes);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

struct addr resolver_addr(const struct resolver *r)
{
    return r->at;
}
