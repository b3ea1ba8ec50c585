#include "admin/admin.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "admin/history.h"
#include "admin/metrics.h"
#include "admin/overview.h"
#include "admin/purge.h"
#include "admin/status.h"
#include "base/clock.h"
#include "base/must.h"
#include "base/str.h"
#include "port_owner.h"
#include "privileged.h"

#ifndef PROXYD_VERSION
#define PROXYD_VERSION "0"
#endif

/* Scrapers and probes come one at a time; what is beyond is somebody holding connections open. */
enum { CONNECTIONS = 64, CONNECTION_SECONDS = 10, CONNECTION_MEMORY = 8 << 10, BACKLOG = 64 };
enum { PAUSE_MS = 100 };

#define PLAIN "text/plain; charset=utf-8"
#define BY_NAME                                                                                    \
    "this answers under an IP address or as localhost only, so that no web page can read it "      \
    "under a name of its own: put the address into the URL, or send \"Host: localhost\""

struct admin {
    struct MHD_Daemon *daemon;
    struct admin_conf conf;
    admin_ready_fn *ready;
    struct engine *engine;
    struct history history; /* the thread's */
    u64 started_ms;
    int listener, end; /* end: eventfd, the thread is to leave */
    bool paused;       /* accepting has failed, so nobody is accepted in this turn */
    pthread_t thread;
};

static u64 now_ms(void)
{
    return clock_us(CLOCK_MONOTONIC) / 1000;
}

static bool is_ready(struct admin *a, const char **why)
{
    bool ready = !a->ready || a->ready(why);
    if (ready)
        *why = "ready";
    return ready;
}

/* Takes over `response`. */
static enum MHD_Result send_response(struct MHD_Connection *c, unsigned status, const char *type,
                                     struct MHD_Response *response)
{
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Content-Security-Policy", overview_policy());
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, "Allow", "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(c, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result say(struct MHD_Connection *c, unsigned status, const char *what)
{
    char line[256];
    int n = snprintf(line, sizeof line, "%s\n", what);
    size_t size = (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
    return send_response(c, status, PLAIN,
                         MHD_create_response_from_buffer(size, line, MHD_RESPMEM_MUST_COPY));
}

static enum MHD_Result get_healthz(struct admin *a, struct MHD_Connection *c)
{
    (void)a;
    return say(c, MHD_HTTP_OK, "ok");
}

static enum MHD_Result get_readyz(struct admin *a, struct MHD_Connection *c)
{
    const char *why;
    bool ready = is_ready(a, &why);
    return say(c, ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, why);
}

static enum MHD_Result get_version(struct admin *a, struct MHD_Connection *c)
{
    (void)a;
    return say(c, MHD_HTTP_OK, "proxyd " PROXYD_VERSION);
}

static enum MHD_Result get_metrics(struct admin *a, struct MHD_Connection *c)
{
    const char *why;
    size_t room = metrics_room(a->engine);
    char *area = malloc(room);
    if (!area)
        return MHD_NO;
    struct text out = text_in(area, room);
    metrics_write(&out, is_ready(a, &why), a->engine);
    struct MHD_Response *r = MHD_create_response_from_buffer(out.n, area, MHD_RESPMEM_MUST_FREE);
    if (!r)
        free(area);
    return send_response(c, MHD_HTTP_OK, METRICS_CONTENT_TYPE, r);
}

/* What a view is written into is taken over. */
static enum MHD_Result send_view(struct admin *a, struct MHD_Connection *c, const char *type,
                                 char *(*write)(struct view *v, size_t *n))
{
    struct view v;
    size_t n;
    view_begin(&v, a->engine, &a->history);
    v.ready = is_ready(a, &v.why);
    v.up_s = (now_ms() - a->started_ms) / 1000;
    char *text = write(&v, &n);
    view_end(&v);
    struct MHD_Response *r = MHD_create_response_from_buffer(n, text, MHD_RESPMEM_MUST_FREE);
    if (!r)
        free(text);
    return send_response(c, MHD_HTTP_OK, type, r);
}

static enum MHD_Result get_page(struct admin *a, struct MHD_Connection *c)
{
    return send_view(a, c, "text/html; charset=utf-8", overview_write);
}

/* A browser says that it wants HTML; whoever does not gets JSON. */
static enum MHD_Result get_status(struct admin *a, struct MHD_Connection *c)
{
    const char *accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Accept");
    if (accept && strstr(accept, "text/html"))
        return get_page(a, c);
    return send_view(a, c, "application/json", status_write);
}

static const struct page {
    const char *path;
    enum MHD_Result (*get)(struct admin *a, struct MHD_Connection *c);
} pages[] = {
    { "/", get_page },           { "/healthz", get_healthz }, { "/readyz", get_readyz },
    { "/metrics", get_metrics }, { "/status", get_status },   { "/version", get_version },
};

/* An address, with or without port, or localhost. */
static bool host_is_local(struct slice host)
{
    struct addr a;
    struct slice name = host;
    if (addr_parse_port(host, &a))
        return true;
    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        return addr_parse((struct slice){ host.p + 1, host.n - 2 }, &a);
    const char *colon = slice_find(host, ':');
    if (colon) {
        u64 port;
        if (!slice_u64(slice_range(colon + 1, host.p + host.n), &port) || port > 65535)
            return false;
        name = slice_range(host.p, colon);
    }
    return addr_parse(name, &a) || slice_eq_nocase(name, SLICE("localhost"));
}

struct hosts {
    unsigned n;
    bool local;
};

static enum MHD_Result see_host(void *to, enum MHD_ValueKind kind, const char *key,
                                const char *value)
{
    struct hosts *h = to;
    (void)kind;
    if (slice_eq_nocase(slice_of(key), SLICE("Host"))) {
        h->n++;
        h->local = host_is_local(slice_of(value));
    }
    return MHD_YES;
}

static enum MHD_Result post_purge(struct admin *a, struct MHD_Connection *c)
{
    char *text = NULL;
    unsigned status = admin_purge(a->engine->registry, &a->conf, c, &text);
    if (text == NULL)
        return MHD_NO;
    struct MHD_Response *r =
        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    if (!r)
        free(text);
    return send_response(c, status, PLAIN, r);
}

static enum MHD_Result answer(struct admin *a, struct MHD_Connection *c, const char *url,
                              const char *method)
{
    struct hosts hosts = { 0, true };
    MHD_get_connection_values(c, MHD_HEADER_KIND, see_host, &hosts);
    if (hosts.n > 1)
        return say(c, MHD_HTTP_BAD_REQUEST, "more than one Host");
    if (!hosts.local)
        return say(c, MHD_HTTP_FORBIDDEN, BY_NAME);
    if (strcmp(url, "/cache/purge") == 0 && strcmp(method, MHD_HTTP_METHOD_POST) == 0)
        return post_purge(a, c);
    for (size_t i = 0; i < countof(pages); i++) {
        if (strcmp(url, pages[i].path) != 0)
            continue;
        if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
            return say(c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD");
        return pages[i].get(a, c);
    }
    return say(c, MHD_HTTP_NOT_FOUND,
               "here are / /healthz /readyz /metrics /status /version, and by POST /cache/purge");
}

/* Called once when the head is there and again when the body is: the first call of a GET only marks
 * that it was seen, as answering then would close the connection behind the answer. Anything with a
 * body is answered at once and closed, unread. */
static enum MHD_Result on_request(void *self, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **seen)
{
    (void)version;
    (void)upload;
    bool first = !*seen;
    *seen = self;
    bool reads =
        strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    if (first && reads)
        return MHD_YES;
    if (*upload_size) {
        *upload_size = 0;
        return MHD_YES;
    }
    return answer(self, c, url, method);
}

/* ---- the thread ---- */

static bool has_place(struct MHD_Daemon *d)
{
    return MHD_get_daemon_info(d, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections <
           CONNECTIONS;
}

static void accept_one(struct admin *a)
{
    struct addr peer;
    struct sockaddr_storage ss;
    int fd = sock_accept(a->listener, &peer);
    if (fd >= 0) {
        socklen_t n = addr_to_sockaddr(&peer, &ss);
        MHD_add_connection(a->daemon, fd, (struct sockaddr *)&ss, n); /* closes it when it fails */
        return;
    }
    a->paused = errno != EAGAIN;
}

static int wait_ms(struct admin *a)
{
    MHD_UNSIGNED_LONG_LONG ms;
    int most = (int)history_tick(&a->history, now_ms());
    if (a->paused && most > PAUSE_MS)
        most = PAUSE_MS;
    return MHD_get_timeout(a->daemon, &ms) == MHD_YES && ms < (unsigned)most ? (int)ms : most;
}

/* A client that cannot be taken now waits in the kernel's queue, and the listening socket is not
 * asked for: it would say for ever that it is ready. That is why MHD, which does ask, is not given
 * it. False: the end. */
static bool turn(struct admin *a)
{
    int epoll = MHD_get_daemon_info(a->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    struct pollfd p[] = { { .fd = a->end, .events = POLLIN },
                          { .fd = epoll, .events = POLLIN },
                          { .fd = !a->paused && has_place(a->daemon) ? a->listener : -1,
                            .events = POLLIN } };
    poll(p, countof(p), wait_ms(a));
    a->paused = false;
    if (p[2].revents)
        accept_one(a);
    MHD_run(a->daemon);
    return !p[0].revents;
}

static void *serve(void *arg)
{
    pthread_setname_np(pthread_self(), "admin");
    while (turn(arg))
        ;
    return NULL;
}

/* Signals are main's: the thread inherits a mask that lets none in. */
static int start_thread(struct admin *a)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&a->thread, NULL, serve, a);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

static struct MHD_Daemon *start_daemon(struct admin *a)
{
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request, a,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_SECONDS,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
                            MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

static void release(struct admin *a)
{
    if (a->daemon)
        MHD_stop_daemon(a->daemon);
    if (a->end >= 0)
        close(a->end);
    close(a->listener);
    free(a);
}

int admin_listen(const struct addr *bind, bool both_families, char *error, size_t n)
{
    struct sock_listen how = { .addr = *bind, .both_families = both_families };
    int fd = privileged_listen(&how, BACKLOG);
    if (fd < 0) {
        int why = errno;
        char area[ADDR_TEXT];
        struct text at = text_in(area, sizeof area), t = text_in(error, n - 1);
        addr_text_port(&at, bind);
        port_owner_complain(bind, text_slice(&at), why, &t);
        error[t.n] = 0;
    }
    return fd;
}

struct admin *admin_start(int fd, const struct admin_conf *conf, admin_ready_fn *ready,
                          struct engine *engine, char *error, size_t n)
{
    struct admin *a = must_zalloc(sizeof *a);
    a->conf = *conf;
    a->ready = ready;
    a->engine = engine;
    a->started_ms = now_ms();
    a->listener = fd;
    a->end = eventfd(0, EFD_CLOEXEC);
    a->daemon = start_daemon(a);
    int why = a->end < 0 || !a->daemon ? errno : start_thread(a);
    if (why == 0)
        return a;
    snprintf(error, n, "the admin thread does not start: %s", strerror(why));
    release(a);
    return NULL;
}

void admin_stop(struct admin *a)
{
    if (!a)
        return;
    (void)eventfd_write(a->end, 1);
    pthread_join(a->thread, NULL);
    release(a);
}
