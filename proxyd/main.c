/*
 * The process: from the command line to running workers, and the control thread's loop of signals.
 *
 * Order of the start: understand the configuration, bind addresses, become the user that is wanted,
 * open files, then threads.
 * Whatever fails before the threads run ends the process with a message; nothing fails after it.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "admin/admin.h"
#include "admin/conf.h"
#include "base/must.h"
#include "client_limit.h"
#include "command.h"
#include "compile.h"
#include "config/load.h"
#include "core/report/log_writer.h"
#include "core/conn/client_count.h"
#include "core/report/refusals.h"
#include "core/common/registry.h"
#include "core/exchange/role.h"
#include "core/conn/shared_idle.h"
#include "core/conn/target.h"
#include "core/thread.h"
#include "filters/addrclass.h"
#include "forward/auth/users.h"
#include "io/dns.h"
#include "io/offload.h"
#include "engine_conf.h"
#include "environment.h"
#include "privileged.h"
#include "reload.h"
#include "listen.h"
#include "look_up.h"
#include "lists.h"
#include "modes.h"
#include "notify.h"
#include "served.h"
#include "signals.h"
#include "user.h"
#include "watchdog.h"

enum { OFFLOAD_MOST = 4096, LOW_PORTS = 1024 };
enum { CONTROL_MS = 2000, TICK_MS = 20, PATIENCE_MS = 2000, HURRY_MS = 100 };

struct process {
    struct engine engine;
    struct arena arena; /* of what is read once, at the start */
    struct admin_conf admin_conf;
    const char *control_path; /* as configured; see served_choose */
    struct user_conf user;
    struct admin *admin;
    int admin_fd; /* its listening socket, until it has started */
    struct served *served;
    struct reload *reload;
    struct watcher *watcher;
    struct environment *environment;
    struct watchdog *watchdog;
    const char *status; /* what the service manager was told last */
    char pseudonym[32];
};

static _Atomic bool is_draining;

static void say(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void say(const char *fmt, ...)
{
    struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
    if (poll(&p, 1, 1000) == 0) /* a pipe that nobody reads must not keep us */
        return;
    va_list ap;
    va_start(ap, fmt);
    fputs("proxyd: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
}

static u32 cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) < 0)
        return 1;
    u32 n = (u32)CPU_COUNT(&set);
    return n < 1 ? 1 : n > MOST_WORKERS ? MOST_WORKERS : n;
}

static const struct snapshot *newest(const struct process *p)
{
    return atomic_load(&p->engine.newest);
}

/* The writer takes them up before its first line. */
static bool open_logs(struct process *p)
{
    char area[512];
    struct text why = text_in(area, sizeof area);
    struct log_set *logs = log_set_open(&newest(p)->conf, privileged_open_log, &why);
    if (logs)
        log_writer_change(p->engine.log_writer, logs);
    else
        say("error: %.*s", SLICE_FMT(text_slice(&why)));
    return logs != NULL;
}

static bool close_idle(void *worker)
{
    return idle_evict(worker);
}

static struct dns_shared *start_dns(const struct dns_conf *c)
{
    struct dns_conf_io io = look_up_conf(c);
    io.make_room = close_idle;
    return dns_shared_new(&io);
}

static void name_ourselves(struct process *p)
{
    u32 number = 0;
    (void)!getrandom(&number, sizeof number, 0);
    snprintf(p->pseudonym, sizeof p->pseudonym, "proxyd-%06x", number & 0xffffff);
    p->engine.pseudonym = p->pseudonym;
}

static bool make_engine(struct process *p)
{
    struct engine *e = &p->engine;
    const struct conf *c = &newest(p)->conf;
    char note[256];
    e->max_clients = client_limit(&c->limits, note, sizeof note);
    if (note[0])
        say("%s", note);
    name_ourselves(p);
    if (!addrclass_refresh_local()) { /* unknown, they would pass as public ones */
        say("error: cannot learn this machine's own addresses: %s", strerror(errno));
        return false;
    }
    e->accepting = (struct accepting){ listen_start, listen_stop, listen_resume, listen_change };
    e->shared_idle = shared_idle_new();
    e->client_count = client_count_new();
    e->refusals = refusals_new();
    e->dns = start_dns(&c->dns);
    e->log_writer = log_writer_new(NULL, e->nworkers);
    e->workers = must_zalloc(e->nworkers * sizeof(struct worker *));
    for (u32 i = 0; i < e->nworkers; i++)
        if (e->dns == NULL || (e->workers[i] = worker_new(e, i)) == NULL) {
            say("error: cannot start worker %u: %s", i, strerror(errno));
            return false;
        }
    return true;
}

static bool is_ready(const char **why)
{
    *why = atomic_load(&is_draining) ? "draining" : "a list has not been loaded yet";
    return !atomic_load(&is_draining) && lists_loaded();
}

static bool open_admin(struct process *p)
{
    char error[256];
    const struct admin_conf *c = &p->admin_conf;
    p->admin_fd = c->on ? admin_listen(&c->bind, c->both_families, error, sizeof error) : -1;
    if (c->on && p->admin_fd < 0)
        say("error: admin: %s", error);
    return !c->on || p->admin_fd >= 0;
}

static bool start_admin(struct process *p)
{
    char error[256];
    if (p->admin_fd < 0)
        return true;
    p->admin = admin_start(p->admin_fd, is_ready, p->engine.registry, error, sizeof error);
    if (p->admin == NULL)
        say("error: admin: %s", error);
    return p->admin != NULL;
}

/* A command that reaches the listener from this machine: a wildcard is nothing to connect to. */
static void suggest(const struct listener *l, u32 nworkers)
{
    char area[ADDR_TEXT];
    struct text at = text_in(area, sizeof area);
    struct addr a = l->at->addr;
    const struct mode *mode = mode_find(slice_of(l->role->name));
    if (addr_is_wildcard(&a))
        a = addr_loopback(l->at->both_families ? AF_INET : a.family, a.port);
    addr_text_port(&at, &a);
    if (mode->before[0] == 0 && mode->after[0] == 0) {
        say("%u worker%s; the network has to lead connections to %.*s: proxyd nft", nworkers,
            nworkers == 1 ? "" : "s", SLICE_FMT(text_slice(&at)));
        return;
    }
    say("%u worker%s; try: curl %s%.*s%s", nworkers, nworkers == 1 ? "" : "s", mode->before,
        SLICE_FMT(text_slice(&at)), mode->after);
}

static void tell_status(struct process *p)
{
    const char *why;
    if (is_ready(&why))
        why = "serving";
    if (p->status == why)
        return;
    p->status = why;
    notify_status(why);
}

static void announce(const struct process *p)
{
    const struct snapshot *s = newest(p);
    for (u32 i = 0; i < s->nlisteners; i++) {
        const struct listener *l = &s->listeners[i];
        say("listener %.*s: %s on %.*s", SLICE_FMT(l->name), l->role->name, SLICE_FMT(l->text));
    }
    if (p->admin_conf.on)
        say("admin on %.*s: /healthz /readyz /metrics /status", SLICE_FMT(p->admin_conf.text));
    if (p->served)
        say("control at %.*s: proxyd reload, proxyd ctl", SLICE_FMT(served_at(p->served)));
    if (s->nlisteners)
        suggest(&s->listeners[0], p->engine.nworkers);
}

static void drain(struct process *p, enum drain_state how)
{
    atomic_store(&is_draining, true);
    for (u32 i = 0; i < p->engine.nworkers; i++)
        worker_drain(p->engine.workers[i], how);
}

static bool all_done(const struct process *p)
{
    for (u32 i = 0; i < p->engine.nworkers; i++)
        if (!atomic_load(&p->engine.workers[i]->done))
            return false;
    return true;
}

static u64 now_ms(void)
{
    return clock_us(CLOCK_MONOTONIC) / 1000;
}

static void tell(struct process *p, enum log_level level, const char *line)
{
    if (p->engine.log_writer)
        log_writer_tell(p->engine.log_writer, level, line);
    else
        say("%s", line);
}

/* A signal that does not ask for the end. */
static void answer(struct process *p, enum signal_meaning m, int number, bool ending)
{
    char area[100];
    struct text line = text_in(area, sizeof area - 1);
    signals_name(&line, number);
    if (m == SIGNAL_REOPEN && p->engine.log_writer) {
        log_writer_reopen(p->engine.log_writer); /* which says so */
        return;
    }
    if (m == SIGNAL_UNKNOWN)
        text_lit(&line, ": this signal means nothing here, and nothing is done");
    else if (ending)
        text_lit(&line, ": comes too late, for the end has begun");
    else
        text_lit(&line, ": reading the configuration again");
    area[line.n] = 0;
    if (m == SIGNAL_RELOAD && !ending)
        reload_ask(p->reload);
    tell(p, m == SIGNAL_RELOAD && !ending ? LEVEL_INFO : LEVEL_WARNING, area);
}

static bool is_end(enum signal_meaning m)
{
    return m == SIGNAL_GRACEFUL || m == SIGNAL_FAST;
}

/* One more signal that asks for the end, within so many ms? */
static bool is_asked_to_end(struct process *p, const sigset_t *set, u32 ms)
{
    int number;
    enum signal_meaning m = signals_wait(set, ms, &number);
    if (m != SIGNAL_NONE && !is_end(m))
        answer(p, m, number, true);
    return is_end(m);
}

/* After the first signal: until all is finished, time is up, or a second one comes. True: a signal
 * has asked for the end at once. */
static bool finish(struct process *p, const sigset_t *set, enum signal_meaning how)
{
    notify_stopping(newest(p)->conf.timeouts.drain);
    reload_end(p->reload); /* the newest stays from now on */
    u64 limit = newest(p)->conf.timeouts.drain, start = now_ms();
    bool hurry = how == SIGNAL_FAST, now = hurry;
    lists_end();
    auth_users_end();
    served_end(p->served);
    drain(p, now ? DRAIN_NOW : DRAIN_GRACEFUL);
    while (!all_done(p)) {
        hurry |= is_asked_to_end(p, set, TICK_MS);
        watchdog_tick(p->watchdog);
        bool late = limit != UINT32_MAX && now_ms() - start >= limit;
        if ((hurry || late) && !now) {
            now = true;
            drain(p, DRAIN_NOW);
        }
    }
    return hurry;
}

static bool threads_ended(const struct process *p)
{
    return offload_ended(p->engine.offload) && reload_ended(p->reload) && lists_ended();
}

/* Do the threads that read files come to their end, in some time and before one more signal? */
static bool finish_threads(struct process *p, const sigset_t *set, bool hurry)
{
    u64 end = now_ms() + (hurry ? HURRY_MS : PATIENCE_MS);
    while (!threads_ended(p))
        if (is_asked_to_end(p, set, TICK_MS) || now_ms() >= end)
            return threads_ended(p);
    return true;
}

/* Until the first signal that asks for the end, and what it asks for; true: the end at once. */
static bool control(struct process *p, const sigset_t *set)
{
    u32 ms = watchdog_ms(p->watchdog) < CONTROL_MS ? watchdog_ms(p->watchdog) : CONTROL_MS;
    notify_ready();
    for (;;) {
        int number;
        watchdog_tick(p->watchdog);
        tell_status(p);
        enum signal_meaning m = signals_wait(set, ms, &number);
        if (is_end(m))
            return finish(p, set, m);
        if (m != SIGNAL_NONE)
            answer(p, m, number, false);
        environment_tick(p->environment, p->engine.offload);
    }
}

/* The loops of the workers stay until no job of the offload threads can post to one any more. */
static void dismantle(struct process *p, const sigset_t *set, bool hurry)
{
    watcher_stop(p->watcher);
    offload_end(p->engine.offload);
    admin_stop(p->admin);
    served_stop(p->served);
    for (u32 i = 0; i < p->engine.nworkers; i++)
        worker_join(p->engine.workers[i]);
    log_writer_stop(p->engine.log_writer);
    p->engine.log_writer = NULL;
    u64 cut = atomic_load(&p->engine.cut);
    if (cut)
        say("%llu requests and tunnels were cut off", (unsigned long long)cut);
    if (!finish_threads(p, set, hurry)) {
        say("warning: a thread hangs on a file, as on a disk that has gone away: left behind");
        _exit(EXIT_FINE); /* that thread uses what would be freed here */
    }
    offload_free(p->engine.offload);
    p->engine.offload = NULL; /* snapshot_retire frees what is left by itself */
    reload_free(p->reload);
    watcher_free(p->watcher);
    environment_free(p->environment);
    for (u32 i = 0; i < p->engine.nworkers; i++)
        worker_free(p->engine.workers[i]);
    watchdog_free(p->watchdog);
    served_free(p->served);
    dns_shared_free(p->engine.dns);
    shared_idle_free(p->engine.shared_idle);
    client_count_free(p->engine.client_count);
    refusals_free(p->engine.refusals);
    free(p->engine.workers);
    snapshot_retire(&p->engine);
    lists_free();
    registry_free(p->engine.registry);
    arena_free(&p->arena);
}

/* False: it is wrong, and that has been reported. */
static bool read_configuration(const char *path, struct tree *t)
{
    struct diags d;
    diags_init(&d);
    bool good = config_open(path, t, &d);
    diags_print(&d, stderr);
    diags_free(&d);
    return good;
}

static void compile(struct process *p, const struct tree *t)
{
    struct engine *e = &p->engine;
    arena_init(&p->arena, 0);
    struct root_conf c = root_read(t, &p->arena);
    e->nworkers = c.engine.workers ? c.engine.workers : cpus();
    e->registry = registry_new();
    struct snapshot *s = snapshot_compile(t, e->registry, e->nworkers);
    s->generation = 1;
    atomic_store(&e->newest, s);
    p->admin_conf = c.admin;
    p->control_path = c.control;
    p->user = c.user;
}

static bool open_listeners(struct process *p)
{
    struct engine *e = &p->engine;
    char area[512];
    struct text error = text_in(area, sizeof area);
    void **opened = must_zalloc(e->nworkers * sizeof *opened);
    bool good = listen_open(e, newest(p), NULL, opened, &error);
    if (!good)
        say("error: %.*s", SLICE_FMT(text_slice(&error)));
    for (u32 i = 0; i < e->nworkers && good; i++)
        listen_prepare(e->workers[i], opened[i]);
    free(opened);
    return good;
}

/* A default path that is not to be had is a note; the proxy works without. */
static bool claim_control(struct process *p)
{
    char area[256];
    struct text note = text_in(area, sizeof area);
    bool good = served_open(&p->served, &note);
    if (note.n)
        say("%s: %.*s", good ? "note" : "error", SLICE_FMT(text_slice(&note)));
    return good;
}

static struct user_rights rights_needed(const struct process *p)
{
    struct user_rights keep = { false, false };
    for (u32 i = 0; i < newest(p)->nlisteners; i++) {
        keep.low_ports |= newest(p)->listeners[i].at->addr.port < LOW_PORTS;
        keep.any_address |= newest(p)->listeners[i].at->transparent;
    }
    return keep;
}

/* What is read again later has to be readable for who the process is then. */
static void look_back(const char *path)
{
    if (path && access(path, R_OK) < 0)
        say("warning: %s: %s, for this user: it cannot be read again by a reload", path,
            strerror(errno));
}

static bool become_user(struct process *p, const char *path)
{
    char area[512];
    struct text note = text_in(area, sizeof area);
    unsigned uid, gid;
    if (user_ids(&p->user, &uid, &gid)) {
        served_give(p->served, uid, gid);
        lists_give_folder(uid, gid);
    }
    bool good = user_become(&p->user, rights_needed(p), &note);
    if (note.n)
        say("%s: %.*s", good ? "warning" : "error", SLICE_FMT(text_slice(&note)));
    if (good && p->user.name && path && strcmp(path, "-") != 0)
        look_back(path);
    return good;
}

static void serve_control(struct process *p)
{
    char area[256];
    struct text note = text_in(area, sizeof area);
    if (served_start(p->served, &p->engine, p->reload, &note))
        return;
    say("warning: %.*s", SLICE_FMT(text_slice(&note)));
    p->served = NULL;
}

static void note_polling(void *process, const char *line)
{
    reload_log(((struct process *)process)->reload, LEVEL_WARNING, line);
}

static void note_users(void *process, enum log_level level, const char *line)
{
    reload_log(((struct process *)process)->reload, level, line);
}

static void watch_files(struct process *p, const struct tree *t)
{
    struct watcher_conf c = { .offload = p->engine.offload, .say = note_polling, .arg = p };
    p->watcher = watcher_new(&c);
    lists_start(&p->engine, p->watcher, p->reload);
    auth_users_start(p->watcher, note_users, p);
    p->environment = environment_new(p->watcher, &newest(p)->conf.dns, p->engine.dns);
    reload_watch(p->reload, p->watcher, t); /* last: from now on the newest may be replaced */
}

/* What is large and has been freed goes back to the system. Left to itself glibc takes blocks of
 * lists from its heaps once one of them was freed, one heap for each offload thread, and keeps four
 * lists for one. */
static void keep_no_large_blocks(void)
{
    enum { LARGE = 1 << 20 };
    mallopt(M_MMAP_THRESHOLD, LARGE);
    mallopt(M_TRIM_THRESHOLD, 2 * LARGE);
}

static int run(const char *path)
{
    static struct process p;
    static struct tree tree;
    sigset_t set;
    keep_no_large_blocks();
    if (!read_configuration(path, &tree))
        return EXIT_CONFIG;
    compile(&p, &tree);
    signals_block(&set);
    notify_open();
    p.served = served_choose(p.control_path);
    if (!make_engine(&p) || !open_listeners(&p) || !open_admin(&p) || !become_user(&p, path) ||
        !open_logs(&p) || !claim_control(&p) || !start_admin(&p))
        return EXIT_FAILED;
    log_writer_start(p.engine.log_writer);
    p.engine.offload = offload_new(newest(&p)->conf.offload_threads, OFFLOAD_MOST);
    for (u32 i = 0; i < p.engine.nworkers; i++)
        worker_start(p.engine.workers[i]);
    announce(&p);
    p.admin_conf.text = SLICE("");
    p.reload = reload_new(&p.engine, &tree, path, &p.admin_conf);
    watch_files(&p, &tree);
    config_free(&tree);
    serve_control(&p);
    p.watchdog = watchdog_new(&p.engine);
    bool hurry = control(&p, &set);
    dismantle(&p, &set, hurry);
    return EXIT_FINE;
}

int main(int argc, char **argv)
{
    struct command c = command_parse(argc, argv);
    return c.what == COMMAND_RUN ? run(c.config_path) : c.exit_code;
}
