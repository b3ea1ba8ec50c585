/* The engine without any direction: that this role, one worker and one request over a socket pair
 * link with base, io, http and core alone is half of the test; that it answers is the other. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "core/exchange/local_reply.h"
#include "core/report/log_writer.h"
#include "core/codec/server.h"
#include "core/conn/client_count.h"
#include "core/conn/shared_idle.h"
#include "core/common/snapshot.h"
#include "core/thread.h"
#include "io/dns.h"

static struct detected detect(const struct listener *l, struct slice first)
{
    (void)l;
    return detect_http(first);
}

/* Everything is answered on the spot, with the request target as body. */
static enum verdict where(struct xchg *x)
{
    reply_begin(x, 200, SLICE(""));
    return reply_kept(x, SLICE("text/plain"), x->req.target);
}
static const struct stage *const no[] = { NULL };
static const struct stage echoing = { .name = "echoing", .run = where };
static const struct role echo_role = {
    .name = "echo", .detect = detect, .request_stages = no, .response_stages = no, .where = &echoing
};
static struct listen_addr at;
static int end[2]; /* the client's, the proxy's */
static void start(struct worker *w)
{
    client_accept(w, &at, end[1], &(struct addr){ .family = 0 });
}

static void stop(struct worker *w)
{
    (void)w;
}

int main(void)
{
    struct snapshot *s = snapshot_new(1);
    s->conf.limits = (struct limits_conf){ .head = 8192, .line = 4096, .fields = 10 };
    s->conf.limits.clients_per_address = 1;
    s->conf.timeouts = (struct timeouts_conf){ .head = 1000, .body = 1000, .idle = 1000 };
    s->conf.error.to = LOG_NONE;
    s->listeners = &(struct listener){ .at = &at, .role = &echo_role };
    s->nlisteners = 1;
    snapshot_index(s);
    static const char ask[] = "GET /echo-me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    char reply[4096] = "";
    struct engine e = { .newest = s,
                        .nworkers = 1,
                        .workers = (struct worker *[1]){ NULL },
                        .shared_idle = shared_idle_new(),
                        .client_count = client_count_new(),
                        .dns = dns_shared_new(&(struct dns_conf_io){ .timeout_ms = 100 }),
                        .log_writer = log_writer_new(NULL, 1),
                        .accepting = { .start = start, .stop = stop } };
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, end) == 0);
    must(write(end[0], ask, sizeof ask - 1) == sizeof ask - 1);
    must((e.workers[0] = worker_new(&e, 0)) != NULL);
    log_writer_start(e.log_writer);
    worker_start(e.workers[0]);
    for (int i = 0; i < 200 && read(end[0], reply, sizeof reply - 1) <= 0; i++)
        usleep(10000);
    worker_drain(e.workers[0], DRAIN_NOW);
    worker_join(e.workers[0]);
    log_writer_stop(e.log_writer);
    bool good = strncmp(reply, "HTTP/1.1 200 OK\r\n", 17) == 0 && strstr(reply, "\r\n\r\n/echo-me");
    printf("echo_role: %s\n", good ? "the engine answers without a direction" : reply);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
