#include "reload.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/must.h"
#include "base/str.h"
#include "cache/tier.h"
#include "changes.h"
#include "client_limit.h"
#include "compile.h"
#include "config/load.h"
#include "core/adopt.h"
#include "core/report/log.h"
#include "core/common/self_addrs.h"
#include "core/report/log_writer.h"
#include "listen.h"
#include "lists.h"
#include "notify.h"
#include "privileged.h"
#include "schema_root.h"
#include "secrets.h"

enum { ADOPT_MS = 10000, NICE = 10 };

struct reload {
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows, up to `last` */
    pthread_cond_t wanted, done;
    u64 asked, finished; /* tickets: a run finishes all that were asked before it began */
    bool ending, ended;
    struct reload_result last;

    pthread_mutex_t publishing; /* held while a snapshot is put in place; outside of `lock` */
    /* The thread's own. */
    struct engine *engine;
    const char *path;
    struct admin_conf admin;
    struct noted *noted;
    struct secrets *secrets;
    struct stats *stats;
    FILE *out; /* the text of the result, while one is made */
};

/* ---- into the error log, by way of a worker ---- */

struct line {
    struct call call;
    enum log_level level;
    char text[];
};

static void write_line(struct call *call, void *receiver)
{
    struct line *l = container_of(call, struct line, call);
    log_error(receiver, l->level, "%s", l->text);
    free(l);
}

static void log_line(struct reload *r, enum log_level level, struct slice s)
{
    struct line *l = must_zalloc(sizeof *l + s.n + 1);
    l->call.run = write_line;
    l->level = level;
    for (size_t i = 0; i < s.n; i++) /* the log would write it \x22 */
        l->text[i] = s.p[i] == '"' ? '\'' : s.p[i];
    loop_post(&r->engine->workers[0]->loop, &l->call);
}

/* Excerpts and help are indented, and for the caller only. */
static void log_lines(struct reload *r, enum log_level level, const char *text)
{
    struct slice rest = slice_of(text), line;
    while (slice_cut(&rest, '\n', &line))
        if (line.n && line.p[0] != ' ')
            log_line(r, level, line);
}

/* ---- one reload ---- */

static bool read_tree(struct reload *r, struct tree *t)
{
    struct diags d;
    if (r->path && strcmp(r->path, "-") == 0) {
        fputs("the configuration came from standard input, which cannot be read again\n", r->out);
        return false;
    }
    diags_init(&d);
    bool good = config_open(r->path, t, &d);
    diags_print(&d, r->out);
    diags_free(&d);
    return good;
}

/* What only a restart changes stays as it runs. */
static struct snapshot *compile(struct reload *r, const struct tree *t)
{
    struct engine *e = r->engine;
    const struct conf *now = &atomic_load(&e->newest)->conf;
    struct snapshot *s = snapshot_compile(t, e->registry, e->nworkers);
    s->conf.workers = now->workers;
    if (r->admin.on)
        self_addrs_add(s->self_addrs, &r->admin.bind, r->admin.both_families);
    return s;
}

static bool all_adopted(struct reload *r)
{
    for (u32 ms = 0; ms < ADOPT_MS && !adopt_done(r->engine); ms++)
        usleep(1000);
    return adopt_done(r->engine);
}

static void set_client_limit(struct reload *r, const struct snapshot *s)
{
    char note[256];
    u32 most = client_limit(&s->conf.limits, note, sizeof note);
    u32 before = atomic_exchange(&r->engine->max_clients, most);
    if (note[0] && most != before)
        fprintf(r->out, "%s\n", note);
}

static bool open_listeners(struct reload *r, const struct snapshot *s, void **opened)
{
    char area[512];
    struct text why = text_in(area, sizeof area);
    if (listen_open(r->engine, s, atomic_load(&r->engine->newest), opened, &why))
        return true;
    fprintf(r->out, "error: %.*s\n", SLICE_FMT(text_slice(&why)));
    return false;
}

static bool is_ending(struct reload *r)
{
    pthread_mutex_lock(&r->lock);
    bool ending = r->ending;
    pthread_mutex_unlock(&r->lock);
    return ending;
}

static struct log_set *open_logs(struct reload *r, const struct snapshot *s)
{
    char area[512];
    struct text why = text_in(area, sizeof area);
    struct log_set *logs = log_set_open(&s->conf, privileged_open_log, &why);
    if (logs == NULL)
        fprintf(r->out, "error: %.*s\n", SLICE_FMT(text_slice(&why)));
    return logs;
}

/* s is the engine's or freed afterwards. The logs are opened first: that may hang, as on a disk
 * that has gone away, and whoever ends the process waits for `publishing`. */
static enum reload_outcome put_in_place(struct reload *r, struct snapshot *s)
{
    enum reload_outcome outcome = RELOAD_DONE;
    void **opened = must_zalloc(r->engine->nworkers * sizeof *opened);
    struct log_set *logs = open_logs(r, s);
    pthread_mutex_lock(&r->publishing);
    struct slice lacking = lists_lacking(s, atomic_load(&r->engine->newest));
    if (is_ending(r)) {
        outcome = RELOAD_ENDING;
    } else if (lacking.n) {
        fprintf(r->out, "error: the list %.*s could not be loaded, the error log says why\n",
                SLICE_FMT(lacking));
        outcome = RELOAD_FAILED;
    } else if (!all_adopted(r)) {
        fputs("error: a worker has not taken over the configuration before this one yet\n", r->out);
        outcome = RELOAD_FAILED;
    } else if (logs == NULL || !open_listeners(r, s, opened)) {
        outcome = RELOAD_FAILED;
    } else {
        set_client_limit(r, s);
        adopt_publish(r->engine, s, opened);
        (void)all_adopted(r);
        log_writer_change(r->engine->log_writer, logs);
        logs = NULL;
    }
    pthread_mutex_unlock(&r->publishing);
    log_set_free(logs);
    free(opened);
    if (outcome != RELOAD_DONE)
        snapshot_free(s);
    return outcome;
}

static enum reload_outcome use(struct reload *r, const struct tree *t)
{
    enum reload_outcome outcome = put_in_place(r, compile(r, t));
    if (outcome != RELOAD_DONE)
        return outcome;
    struct noted *noted = noted_of(t);
    if (changes_write(r->noted, noted, r->out) == 0)
        fputs("nothing has changed\n", r->out);
    noted_free(r->noted);
    r->noted = noted;
    secrets_follow(r->secrets, t);
    caches_follow(atomic_load(&r->engine->newest));
    return outcome;
}

void reload_log(struct reload *r, enum log_level level, const char *text)
{
    pthread_mutex_lock(&r->publishing); /* while it is held no worker ends */
    if (!is_ending(r))
        log_lines(r, level, text);
    pthread_mutex_unlock(&r->publishing);
}

static void count_and_log(struct reload *r, const struct reload_result *result)
{
    static const char *const outcomes[] = { "reloaded", "not reloaded, the configuration is wrong",
                                            "not reloaded" };
    bool done = result->outcome == RELOAD_DONE;
    if (result->outcome == RELOAD_ENDING)
        return;
    stat_add(r->stats, done ? STAT_reloads_done : STAT_reloads_refused, 1);
    pthread_mutex_lock(&r->publishing); /* while it is held no worker ends */
    if (!is_ending(r)) {
        log_line(r, done ? LEVEL_INFO : LEVEL_ERROR, slice_of(outcomes[result->outcome]));
        log_lines(r, done ? LEVEL_INFO : LEVEL_ERROR, result->text);
    }
    pthread_mutex_unlock(&r->publishing);
}

static struct reload_result reload_once(struct reload *r)
{
    struct reload_result result = { RELOAD_WRONG, NULL };
    struct tree t = { 0 };
    size_t n;
    must((r->out = open_memstream(&result.text, &n)) != NULL);
    notify_reloading();
    if (read_tree(r, &t))
        result.outcome = use(r, &t);
    config_free(&t);
    fclose(r->out);
    count_and_log(r, &result);
    if (!is_ending(r)) /* then the manager was told another thing */
        notify_ready();
    return result;
}

/* ---- the thread ---- */

static void *serve(void *arg)
{
    struct reload *r = arg;
    pthread_setname_np(pthread_self(), "reload");
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE); /* requests first */
    pthread_mutex_lock(&r->lock);
    while (!r->ending) {
        u64 ticket = r->asked;
        if (ticket == r->finished) {
            pthread_cond_wait(&r->wanted, &r->lock);
            continue;
        }
        pthread_mutex_unlock(&r->lock);
        struct reload_result result = reload_once(r);
        pthread_mutex_lock(&r->lock);
        reload_result_free(&r->last);
        r->last = result;
        r->finished = ticket;
        pthread_cond_broadcast(&r->done);
    }
    r->ended = true;
    pthread_cond_broadcast(&r->done);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

struct reload *reload_new(struct engine *e, const struct tree *t, const char *path,
                          const struct admin_conf *admin)
{
    struct reload *r = must_zalloc(sizeof *r);
    pthread_mutex_init(&r->lock, NULL);
    pthread_mutex_init(&r->publishing, NULL);
    pthread_cond_init(&r->wanted, NULL);
    pthread_cond_init(&r->done, NULL);
    r->engine = e;
    r->path = path;
    r->admin = *admin;
    r->noted = noted_of(t);
    must((r->stats = aligned_alloc(CACHE_LINE, sizeof *r->stats)) != NULL);
    memset(r->stats, 0, sizeof *r->stats);
    stats_register(r->stats);
    must(pthread_create(&r->thread, NULL, serve, r) == 0);
    return r;
}

/* ---- secrets; on an offload thread ---- */

static void secret_changed(void *reload)
{
    reload_ask(reload);
}

static void secret_unusable(void *reload, const char *why)
{
    reload_log(reload, LEVEL_ERROR, why);
}

void reload_watch(struct reload *r, struct watcher *w, const struct tree *t)
{
    struct secrets_conf c = { w, secret_changed, secret_unusable, r };
    r->secrets = secrets_new(&c);
    secrets_follow(r->secrets, t);
}

static u64 ask(struct reload *r)
{
    u64 ticket = ++r->asked;
    pthread_cond_signal(&r->wanted);
    return ticket;
}

void reload_ask(struct reload *r)
{
    pthread_mutex_lock(&r->lock);
    ask(r);
    pthread_mutex_unlock(&r->lock);
}

void reload_run(struct reload *r, struct reload_result *out)
{
    pthread_mutex_lock(&r->lock);
    u64 ticket = ask(r);
    while (r->finished < ticket && !r->ending)
        pthread_cond_wait(&r->done, &r->lock);
    bool known = r->finished >= ticket;
    out->outcome = known ? r->last.outcome : RELOAD_ENDING;
    out->text = strdup(known ? r->last.text : "");
    must(out->text != NULL);
    pthread_mutex_unlock(&r->lock);
}

void reload_result_free(struct reload_result *r)
{
    free(r->text);
    r->text = NULL;
}

void reload_end(struct reload *r)
{
    pthread_mutex_lock(&r->publishing);
    pthread_mutex_lock(&r->lock);
    r->ending = true;
    pthread_cond_broadcast(&r->wanted);
    pthread_cond_broadcast(&r->done);
    pthread_mutex_unlock(&r->lock);
    pthread_mutex_unlock(&r->publishing);
}

bool reload_ended(struct reload *r)
{
    pthread_mutex_lock(&r->lock);
    bool ended = r->ended;
    pthread_mutex_unlock(&r->lock);
    return ended;
}

void reload_free(struct reload *r)
{
    pthread_join(r->thread, NULL);
    secrets_free(r->secrets);
    reload_result_free(&r->last);
    noted_free(r->noted);
    pthread_mutex_destroy(&r->lock);
    pthread_mutex_destroy(&r->publishing);
    pthread_cond_destroy(&r->wanted);
    pthread_cond_destroy(&r->done);
    free(r); /* the counters stay: readers may still sum them */
}
