/* See connection_stand.h. */
#include "connection_stand.h"

#include <stdio.h>
#include <sys/socket.h>

#include "base/must.h"
#include "config/load.h"
#include "core/report/log_writer.h"
#include "core/conn/client_count.h"
#include "core/conn/shared_idle.h"
#include "core/conn/target.h"
#include "core/thread.h"
#include "core/exchange/xchg.h"
#include "forward/role.h"
#include "io/dns.h"
#include "schema_root.h"

struct stand stand;
static struct role role;
static u16 origin_port;

static const char configuration[] =
    "workers 1; log access { to none; } log error { to none; }\n"
    "dns { server 127.0.0.1:9; timeout 100ms; }\n"
    "limits { head 128k; line 64k; fields 200; memory 64m; }\n"
    "timeouts { head 10s; body 20s; idle 30s; connect 5s; response 20s; tunnel-idle 100s; }\n"
    "listener main { bind 127.0.0.1:3128; mode forward; policy open; }\n"
    "policy open { clients 127.0.0.0/8; connect-ports any; http-ports any; default deny;\n"
    "  rules { deny secret { path /secret; } deny put { method PUT; to 127.0.77.4; }\n"
    "          allow all { to *; reach loopback; } } }\n";

struct sockaddr_in stand_at(u8 last, u16 port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr.s_addr = htonl(0x7f004d00u + last) };
}

static int listen_at(struct sockaddr_in *a)
{
    socklen_t n = sizeof *a;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    must(bind(fd, (struct sockaddr *)a, n) == 0 && listen(fd, 256) == 0);
    must(getsockname(fd, (struct sockaddr *)a, &n) == 0);
    return fd;
}

/* The destination is always an address of ours, whatever the client calls it. */
static enum verdict where(struct xchg *x)
{
    static struct host hosts[10]; /* by their last number; they stay for whoever dials them */
    char c = x->uri.host.name[0], ip[16];
    unsigned last = c == 'x' ? 9 : x->req.method == METHOD_CONNECT ? 3 : c == 'y' ? 4 : 1;
    snprintf(ip, sizeof ip, "127.0.77.%u", last);
    must(host_parse(slice_of(ip), &hosts[last]) == FAULT_NONE);
    x->to = (struct destination){ .profile = profile_intern(&(struct conn_profile){ .id = 0 }),
                                  .host = &hosts[last],
                                  .port = origin_port };
    return PASS;
}

static const struct stage where_stage = { "choosing one of our addresses", .run = where };

static void start_accepting(struct worker *w)
{
    (void)w;
}

void stand_start(void)
{
    static struct tree tree;
    static struct diags diags;
    struct dns_conf_io names = { .timeout_ms = 100, .nservers = 1 };
    struct sockaddr_in a = stand_at(1, 0), y, t;
    addr_from_sockaddr(&names.servers[0],
                       (struct sockaddr *)&(struct sockaddr_in){ .sin_family = AF_INET });
    stand.door[0] = listen_at(&a);
    origin_port = ntohs(a.sin_port);
    y = stand_at(4, origin_port);
    t = stand_at(3, origin_port);
    stand.door[1] = listen_at(&y);
    stand.door[2] = listen_at(&t);
    stand.client_door_at = stand_at(1, 0);
    stand.client_door = listen_at(&stand.client_door_at);
    diags_init(&diags);
    bool good = config_load_text("fuzz", slice_of(configuration), false, &tree, &diags) &&
                root_check(&tree, &diags);
    if (!good)
        diags_print(&diags, stderr);
    must(good);
    stand.engine.registry = registry_new();
    stand.snapshot = snapshot_compile(&tree, stand.engine.registry, 1);
    role = *stand.snapshot->listeners[0].role;
    role.where = &where_stage;
    stand.snapshot->listeners[0].role = &role;
    atomic_store(&stand.engine.newest, stand.snapshot);
    stand.engine.nworkers = 1;
    stand.engine.workers = &stand.worker;
    stand.engine.pseudonym = "proxyd-fuzz";
    stand.engine.max_clients = 1000;
    stand.engine.accepting = (struct accepting){ start_accepting, start_accepting, NULL, NULL };
    stand.engine.shared_idle = shared_idle_new();
    stand.engine.client_count = client_count_new();
    stand.engine.dns = dns_shared_new(&names);
    stand.engine.log_writer = log_writer_new(NULL, 1);
    stand.worker = worker_new(&stand.engine, 0);
    must(stand.worker != NULL);
}
