/*
 * From the command line to running workers; what comes then is serving.c.
 *
 * Order of the start: understand the configuration, bind addresses, become the user that is wanted,
 * open files, then threads.
 * Whatever fails before the threads run ends the process with a message; nothing fails after it.
 */
#include <errno.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "admin/admin.h"
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
#include "announce.h"
#include "cache/tier.h"
#include "environment.h"
#include "privileged.h"
#include "reload.h"
#include "listen.h"
#include "look_up.h"
#include "lists.h"
#include "notify.h"
#include "process.h"
#include "served.h"
#include "serving.h"
#include "signals.h"
#include "user.h"
#include "watchdog.h"

enum { OFFLOAD_MOST = 4096, LOW_PORTS = 1024 };

static u32 cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) < 0)
        return 1;
    u32 n = (u32)CPU_COUNT(&set);
    return n < 1 ? 1 : n > MOST_WORKERS ? MOST_WORKERS : n;
}

/* The writer takes them up before its first line. */
static bool open_logs(struct process *p)
{
    char area[512];
    struct text why = text_in(area, sizeof area);
    struct log_set *logs = log_set_open(&process_newest(p)->conf, privileged_open_log, &why);
    if (logs)
        log_writer_change(p->engine.log_writer, logs);
    else
        process_say("error: %.*s", SLICE_FMT(text_slice(&why)));
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
    const struct conf *c = &process_newest(p)->conf;
    char note[256];
    e->max_clients = client_limit(&c->limits, note, sizeof note);
    if (note[0])
        process_say("%s", note);
    name_ourselves(p);
    if (!addrclass_refresh_local()) { /* unknown, they would pass as public ones */
        process_say("error: cannot learn this machine's own addresses: %s", strerror(errno));
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
            process_say("error: cannot start worker %u: %s", i, strerror(errno));
            return false;
        }
    return true;
}

static bool open_admin(struct process *p)
{
    char error[256];
    const struct admin_conf *c = &p->admin_conf;
    p->admin_fd = c->on ? admin_listen(&c->bind, c->both_families, error, sizeof error) : -1;
    if (c->on && p->admin_fd < 0)
        process_say("error: admin: %s", error);
    return !c->on || p->admin_fd >= 0;
}

static bool start_admin(struct process *p)
{
    char error[256];
    if (p->admin_fd < 0)
        return true;
    p->admin =
        admin_start(p->admin_fd, &p->admin_conf, process_is_ready, &p->engine, error, sizeof error);
    if (p->admin == NULL)
        process_say("error: admin: %s", error);
    return p->admin != NULL;
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
    bool good = listen_open(e, process_newest(p), NULL, opened, &error);
    if (!good)
        process_say("error: %.*s", SLICE_FMT(text_slice(&error)));
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
        process_say("%s: %.*s", good ? "note" : "error", SLICE_FMT(text_slice(&note)));
    return good;
}

static struct user_rights rights_needed(const struct process *p)
{
    struct user_rights keep = { false, false };
    for (u32 i = 0; i < process_newest(p)->nlisteners; i++) {
        keep.low_ports |= process_newest(p)->listeners[i].at->addr.port < LOW_PORTS;
        keep.any_address |= process_newest(p)->listeners[i].at->transparent;
    }
    return keep;
}

/* What is read again later has to be readable for who the process is then. */
static void look_back(const char *path)
{
    if (path && access(path, R_OK) < 0)
        process_say("warning: %s: %s, for this user: it cannot be read again by a reload", path,
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
        caches_give_folders(process_newest(p), uid, gid);
    }
    bool good = user_become(&p->user, rights_needed(p), &note);
    if (note.n)
        process_say("%s: %.*s", good ? "warning" : "error", SLICE_FMT(text_slice(&note)));
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
    process_say("warning: %.*s", SLICE_FMT(text_slice(&note)));
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

static void note_disk(void *process, bool bad, const char *line)
{
    log_writer_tell(((struct process *)process)->engine.log_writer, bad ? LEVEL_ERROR : LEVEL_INFO,
                    line);
}

static void watch_files(struct process *p, const struct tree *t)
{
    struct watcher_conf c = { .offload = p->engine.offload, .say = note_polling, .arg = p };
    p->watcher = watcher_new(&c);
    lists_start(&p->engine, p->watcher, p->reload);
    auth_users_start(p->watcher, note_users, p);
    p->environment = environment_new(p->watcher, &process_newest(p)->conf.dns, p->engine.dns);
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
    p.engine.offload = offload_new(process_newest(&p)->conf.offload_threads, OFFLOAD_MOST);
    caches_start(process_newest(&p), note_disk, &p);
    for (u32 i = 0; i < p.engine.nworkers; i++)
        worker_start(p.engine.workers[i]);
    announce(&p);
    p.admin_conf.text = SLICE("");
    p.reload = reload_new(&p.engine, &tree, path, &p.admin_conf);
    watch_files(&p, &tree);
    config_free(&tree);
    serve_control(&p);
    p.watchdog = watchdog_new(&p.engine);
    bool hurry = serve_signals(&p, &set);
    dismantle(&p, &set, hurry);
    return EXIT_FINE;
}

int main(int argc, char **argv)
{
    struct command c = command_parse(argc, argv);
    return c.what == COMMAND_RUN ? run(c.config_path) : c.exit_code;
}
