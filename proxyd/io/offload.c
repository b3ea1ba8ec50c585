/* Locks: `lock` guards the queues, their length, `ending`, the counts of threads and a job's state.
 * A job belongs to the threads from post to its end. */
#include "io/offload.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/must.h"

enum state { IDLE, QUEUED, RUNNING };

struct offload {
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    struct list queue[JOB_PRIORITIES];
    u32 waiting, most, nthreads;
    u32 long_running; /* threads with a long job */
    u32 passed;       /* short jobs begun while a long one waited that could have run */
    u32 running;      /* threads that have not ended */
    bool ending;
    pthread_t thread[];
};

static struct {
    _Atomic u64 queued, running, done, cancelled, us;
} accounts[JOB_KINDS];

struct offload_account offload_account(enum job_kind k)
{
    return (struct offload_account){ accounts[k].queued, accounts[k].running, accounts[k].done,
                                     accounts[k].cancelled, accounts[k].us };
}

static enum job_priority priority_of(const struct offload_job *job)
{
    return job_info(job->kind)->priority;
}

/* ---- queues; under the lock ---- */

static bool may_run_long(const struct offload *o)
{
    return !list_empty(&o->queue[JOB_LONG]) &&
           (o->long_running + 1 < o->nthreads || o->nthreads == 1);
}

/* The next one that may run now, taken out; NULL: none. */
static struct offload_job *pick(struct offload *o)
{
    bool short_waits = !list_empty(&o->queue[JOB_SHORT]), long_waits = may_run_long(o);
    if (!short_waits && !long_waits)
        return NULL;
    bool take_long = long_waits && (!short_waits || o->passed >= OFFLOAD_PASSED);
    o->passed = long_waits && !take_long ? o->passed + 1 : 0;
    o->long_running += take_long;
    o->waiting--;
    struct list *l = list_pop(&o->queue[take_long ? JOB_LONG : JOB_SHORT]);
    return container_of(l, struct offload_job, link);
}

static void set_state(struct offload_job *job, enum state s)
{
    accounts[job->kind].queued += (u64)(s == QUEUED) - (u64)(job->state == QUEUED);
    accounts[job->kind].running += (u64)(s == RUNNING) - (u64)(job->state == RUNNING);
    job->state = (u8)s;
}

/* NULL: nothing is left for this thread, and nothing will come. */
static struct offload_job *next_job(struct offload *o)
{
    struct offload_job *job;
    pthread_mutex_lock(&o->lock);
    while ((job = pick(o)) == NULL && !o->ending)
        pthread_cond_wait(&o->wanted, &o->lock);
    if (job)
        set_state(job, RUNNING);
    pthread_mutex_unlock(&o->lock);
    return job;
}

/* ---- a job's end ---- */

static void count_end(struct offload_job *job, bool cancelled)
{
    _Atomic u64 *count = cancelled ? &accounts[job->kind].cancelled : &accounts[job->kind].done;
    *count += 1;
}

static void end_of(struct offload_job *job, bool cancelled)
{
    void (*end)(struct offload_job *) = cancelled ? job->drop : job->done;
    count_end(job, cancelled);
    if (end)
        end(job);
}

/* On the loop's thread, which is the one that cancels. */
static void come_back(struct call *l, void *receiver)
{
    struct offload_job *job = container_of(l, struct offload_job, call);
    (void)receiver;
    end_of(job, offload_cancelled(job));
}

/* Once cancelled its loop may be gone. */
static void finish(struct offload *o, struct offload_job *job)
{
    pthread_mutex_lock(&o->lock);
    o->long_running -= priority_of(job) == JOB_LONG;
    set_state(job, IDLE);
    bool cancelled = offload_cancelled(job);
    struct loop *back = cancelled ? NULL : job->loop;
    if (back) /* under the lock: whoever cancels it now finds it posted, and its loop is there */
        loop_post(back, &job->call);
    pthread_mutex_unlock(&o->lock);
    if (back == NULL)
        end_of(job, cancelled);
}

static void *serve(void *arg)
{
    struct offload *o = arg;
    struct offload_job *job;
    pthread_setname_np(pthread_self(), "offload");
    while ((job = next_job(o)) != NULL) {
        enum job_kind kind = job->kind;
        u64 began = clock_us(CLOCK_MONOTONIC);
        job->run(job);
        accounts[kind].us += clock_us(CLOCK_MONOTONIC) - began;
        finish(o, job);
    }
    pthread_mutex_lock(&o->lock);
    o->running--;
    pthread_mutex_unlock(&o->lock);
    return NULL;
}

/* ---- the threads ---- */

struct offload *offload_new(u32 threads, u32 most)
{
    struct offload *o = must_zalloc(sizeof *o + threads * sizeof o->thread[0]);
    pthread_mutex_init(&o->lock, NULL);
    pthread_cond_init(&o->wanted, NULL);
    for (unsigned i = 0; i < JOB_PRIORITIES; i++)
        list_init(&o->queue[i]);
    o->most = most;
    o->nthreads = o->running = threads;
    for (u32 i = 0; i < threads; i++)
        must(pthread_create(&o->thread[i], NULL, serve, o) == 0);
    return o;
}

void offload_end(struct offload *o)
{
    pthread_mutex_lock(&o->lock);
    o->ending = true;
    pthread_cond_broadcast(&o->wanted);
    pthread_mutex_unlock(&o->lock);
}

bool offload_ended(struct offload *o)
{
    pthread_mutex_lock(&o->lock);
    bool ended = o->running == 0;
    pthread_mutex_unlock(&o->lock);
    return ended;
}

void offload_free(struct offload *o)
{
    for (u32 i = 0; i < o->nthreads; i++)
        pthread_join(o->thread[i], NULL);
    pthread_cond_destroy(&o->wanted);
    pthread_mutex_destroy(&o->lock);
    free(o);
}

bool offload_post(struct offload *o, struct offload_job *job)
{
    pthread_mutex_lock(&o->lock);
    bool room = o->waiting < o->most && !o->ending;
    if (room) {
        atomic_store_explicit(&job->cancelled, false, memory_order_relaxed);
        job->call.run = come_back;
        list_push_back(&o->queue[priority_of(job)], &job->link);
        set_state(job, QUEUED);
        o->waiting++;
        pthread_cond_signal(&o->wanted);
    }
    pthread_mutex_unlock(&o->lock);
    return room;
}

bool offload_cancel(struct offload *o, struct offload_job *job)
{
    pthread_mutex_lock(&o->lock);
    bool queued = job->state == QUEUED;
    atomic_store_explicit(&job->cancelled, true, memory_order_relaxed);
    if (queued) {
        list_remove(&job->link);
        o->waiting--;
        set_state(job, IDLE);
        count_end(job, true);
    }
    pthread_mutex_unlock(&o->lock);
    return queued;
}
