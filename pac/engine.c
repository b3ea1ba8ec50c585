#include "pac/engine.h"

#include <duktape.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/embed.h"
#include "base/must.h"
#include "base/str.h"
#include "http/uri.h"

EMBED(helpers_js, "pac/helpers.js")

/* ---- the other process ---- */

/* What goes through the pipe for each answer, before its text. */
struct record {
    u32 why, length;
};

struct child {
    const struct pac_world *world;
    int to;
    size_t used; /* of memory */
    bool short_of_memory;
};

/* The size stands before each piece, in 16 bytes for the alignment. */
enum { PIECE_HEAD = 16 };

static void *take(void *udata, duk_size_t n)
{
    struct child *c = udata;
    if (n == 0)
        return NULL;
    char *p = c->used + n > PAC_ENGINE_BYTES ? NULL : malloc(n + PIECE_HEAD);
    if (p == NULL) {
        c->short_of_memory = true;
        return NULL;
    }
    memcpy(p, &n, sizeof n);
    c->used += n;
    return p + PIECE_HEAD;
}

static void give(void *udata, void *p)
{
    struct child *c = udata;
    duk_size_t n;
    if (p == NULL)
        return;
    memcpy(&n, (char *)p - PIECE_HEAD, sizeof n);
    c->used -= n;
    free((char *)p - PIECE_HEAD);
}

static void *change(void *udata, void *p, duk_size_t n)
{
    duk_size_t had;
    void *other = take(udata, n);
    if (p && other) {
        memcpy(&had, (char *)p - PIECE_HEAD, sizeof had);
        memcpy(other, p, had < n ? had : n);
    }
    if (other || n == 0)
        give(udata, p);
    return other;
}

static void send_all(int to, const void *p, size_t n)
{
    for (const char *at = p; n > 0;) {
        ssize_t done = write(to, at, n);
        if (done <= 0)
            _exit(1);
        at += done;
        n -= (size_t)done;
    }
}

static void tell(const struct child *c, enum pac_outcome why, struct slice text)
{
    if (text.n > PAC_ANSWER_MAX)
        text.n = PAC_ANSWER_MAX;
    struct record r = { why, (u32)text.n };
    send_all(c->to, &r, sizeof r);
    send_all(c->to, text.p, text.n);
}

static struct child *child_of(duk_context *js)
{
    duk_memory_functions f;
    duk_get_memory_functions(js, &f);
    return f.udata;
}

static void push_addr(duk_context *js, const struct addr *a)
{
    char area[ADDR_TEXT];
    struct text t = text_in(area, sizeof area);
    addr_text(&t, a);
    duk_push_lstring(js, t.p, t.n);
}

static duk_ret_t js_resolve(duk_context *js)
{
    const struct pac_world *w = child_of(js)->world;
    struct slice name;
    struct addr a;
    name.p = duk_safe_to_lstring(js, 0, &name.n);
    if (addr_parse(name, &a) || (w->lookup && w->lookup(w->ctx, name, &a)))
        push_addr(js, &a);
    else
        duk_push_null(js);
    return 1;
}

static duk_ret_t js_my_address(duk_context *js)
{
    struct addr a = child_of(js)->world->client;
    if (a.family == 0)
        a = addr_loopback(AF_INET, 0);
    push_addr(js, &a);
    return 1;
}

static duk_ret_t js_now(duk_context *js)
{
    u64 s = child_of(js)->world->now_s;
    u64 whole_ms = s ? s * 1000 : clock_us(CLOCK_REALTIME) / 1000;
    duk_push_number(js, (double)whole_ms);
    return 1;
}

/* The text on top of the stack, perhaps of an exception with its line. */
static struct slice top_text(duk_context *js)
{
    struct slice s;
    if (duk_is_error(js, -1) && duk_get_prop_string(js, -1, "lineNumber")) {
        int line = duk_get_int(js, -1);
        duk_pop(js);
        const char *what = duk_safe_to_string(js, -1);
        const char *has = strstr(what, "(line ");
        if (has == NULL && line > 0)
            duk_push_sprintf(js, "%s (line %d)", what, line);
    }
    s.p = duk_safe_to_lstring(js, -1, &s.n);
    return s;
}

static void run_text(duk_context *js, struct child *c, struct slice text, bool ours)
{
    if (duk_pcompile_lstring(js, 0, text.p, text.n) == 0 && duk_pcall(js, 0) == 0) {
        duk_pop(js);
        return;
    }
    must(!ours);
    if (c->short_of_memory)
        tell(c, PAC_TOO_BIG, SLICE("it takes too much memory"));
    else
        tell(c, PAC_BROKEN, top_text(js));
    _exit(0);
}

static void answer_one(duk_context *js, struct child *c, const struct pac_question *q)
{
    duk_get_global_string(js, "FindProxyForURL");
    duk_push_lstring(js, q->url.p, q->url.n);
    duk_push_lstring(js, q->host.p, q->host.n);
    bool threw = duk_pcall(js, 2) != 0;
    if (!threw && duk_is_string(js, -1)) {
        struct slice s;
        s.p = duk_get_lstring(js, -1, &s.n);
        tell(c, PAC_ANSWERED, s);
    } else if (threw && c->short_of_memory) {
        tell(c, PAC_TOO_BIG, SLICE("it takes too much memory"));
        _exit(0);
    } else {
        tell(c, PAC_THREW, threw ? top_text(js) : SLICE("it returns no text"));
    }
    duk_pop(js);
}

static void in_child(struct child *c, struct slice script, const struct pac_question *q, u32 n)
{
    static const struct {
        const char *name;
        duk_c_function call;
        int args;
    } ours[] = { { "dnsResolve", js_resolve, 1 },
                 { "myIpAddress", js_my_address, 0 },
                 { "proxyd_now", js_now, 0 } };
    duk_context *js = duk_create_heap(take, change, give, c, NULL);
    must(js != NULL);
    for (unsigned i = 0; i < countof(ours); i++) {
        duk_push_c_function(js, ours[i].call, ours[i].args);
        duk_put_global_string(js, ours[i].name);
    }
    run_text(js, c, helpers_js(), true);
    run_text(js, c, script, false);
    duk_get_global_string(js, "FindProxyForURL");
    if (!duk_is_function(js, -1)) {
        tell(c, PAC_BROKEN, SLICE("it has no function FindProxyForURL"));
        _exit(0);
    }
    duk_pop(js);
    tell(c, PAC_ANSWERED, SLICE(""));
    for (u32 i = 0; i < n; i++)
        answer_one(js, c, &q[i]);
    _exit(0);
}

/* ---- this process ---- */

/* False: it has ended, or its time is over. */
static bool receive(int from, void *p, size_t n, u64 until_us, enum pac_outcome *why)
{
    char *at = p;
    while (n > 0) {
        u64 now = clock_us(CLOCK_MONOTONIC);
        struct pollfd f = { .fd = from, .events = POLLIN };
        int ready = poll(&f, 1, now >= until_us ? 0 : (int)((until_us - now) / 1000) + 1);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0) {
            *why = PAC_ENDLESS;
            return false;
        }
        ssize_t got = read(from, at, n);
        if (got <= 0) {
            *why = PAC_NO_CHILD;
            return false;
        }
        at += got;
        n -= (size_t)got;
    }
    return true;
}

static struct pac_answer receive_one(int from, struct arena *a)
{
    struct record r;
    struct pac_answer answer = { .why = PAC_ANSWERED };
    u64 until = clock_us(CLOCK_MONOTONIC) + PAC_ENGINE_MS * 1000;
    if (receive(from, &r, sizeof r, until, &answer.why) && r.length <= PAC_ANSWER_MAX) {
        char *text = arena_alloc(a, r.length + 1);
        if (receive(from, text, r.length, until, &answer.why))
            return (struct pac_answer){ r.why, { text, r.length } };
    }
    answer.text = answer.why == PAC_ENDLESS ? SLICE("it takes longer than a second")
                                            : SLICE("its process has ended");
    return answer;
}

static void receive_all(int from, u32 n, struct arena *a, struct pac_answer *answers)
{
    struct pac_answer last = receive_one(from, a);
    bool over = last.why != PAC_ANSWERED;
    for (u32 i = 0; i < n; i++) {
        if (!over)
            last = receive_one(from, a);
        over = over || (last.why != PAC_ANSWERED && last.why != PAC_THREW);
        answers[i] = last;
    }
}

void pac_ask(struct slice script, const struct pac_world *w, const struct pac_question *q, u32 n,
             struct arena *a, struct pac_answer *answers)
{
    int ends[2];
    pid_t child = -1;
    if (pipe2(ends, O_CLOEXEC) == 0) {
        child = fork();
        if (child == 0) {
            struct child c = { .world = w, .to = ends[1] };
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            in_child(&c, script, q, n);
        }
        (void)close(ends[1]);
    }
    if (child < 0) {
        for (u32 i = 0; i < n; i++)
            answers[i] = (struct pac_answer){ PAC_NO_CHILD, SLICE("there is no process for it") };
        return;
    }
    receive_all(ends[0], n, a, answers);
    (void)close(ends[0]);
    (void)kill(child, SIGKILL);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
}

bool pac_url(struct slice url, struct arena *a, struct pac_question *out)
{
    const char *from = memmem(url.p, url.n, "://", 3);
    struct host host;
    u16 port;
    bool has_port;
    if (from == NULL)
        return false;
    struct slice scheme = slice_range(url.p, from), authority = slice_skip(url, scheme.n + 3), rest;
    bool tls = slice_eq_nocase(scheme, SLICE("https")) || slice_eq_nocase(scheme, SLICE("wss"));
    if (!tls && !slice_eq_nocase(scheme, SLICE("http")) && !slice_eq_nocase(scheme, SLICE("ws")) &&
        !slice_eq_nocase(scheme, SLICE("ftp")))
        return false;
    size_t n = 0;
    while (n < authority.n && authority.p[n] != '/' && authority.p[n] != '?' &&
           authority.p[n] != '#')
        n++;
    rest = slice_skip(authority, n);
    authority.n = n;
    for (size_t i = authority.n; i > 0; i--)
        if (authority.p[i - 1] == '@') {
            authority = slice_skip(authority, i);
            break;
        }
    if (authority_parse(authority, &host, &port, &has_port) != FAULT_NONE)
        return false;
    const char *hash = slice_find(rest, '#');
    if (hash)
        rest.n = (size_t)(hash - rest.p);
    size_t most = url.n + sizeof host.name + 16;
    struct text t = text_in(arena_alloc(a, most), most);
    text_add(&t, scheme);
    text_lit(&t, "://");
    host_write(&t, &host, has_port ? port : 0);
    text_add(&t, tls || rest.n == 0 || rest.p[0] != '/' ? SLICE("/") : SLICE(""));
    if (!tls)
        text_add(&t, rest);
    out->url = text_slice(&t);
    out->host = arena_copy(a, (struct slice){ host.name, host.len });
    return !t.full;
}
