/* Locks: `lock` guards the queue, its length, `ending` and `running`. A job belongs to the pool
 * from post to done. */
#include "io/offload.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/must.h"

struct offload {
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    struct offload_job *first, **end;
    u32 waiting, most, nthreads;
    u32 running; /* threads that have not ended */
    bool ending;
    pthread_t thread[];
};

static struct offload_job *next_job(struct offload *o)
{
    pthread_mutex_lock(&o->lock);
    while (o->first == NULL && !o->ending)
        pthread_cond_wait(&o->wanted, &o->lock);
    struct offload_job *job = o->first;
    if (job) {
        o->first = job->next;
        if (o->first == NULL)
            o->end = &o->first;
        o->waiting--;
    }
    pthread_mutex_unlock(&o->lock);
    return job;
}

static void come_back(struct call *l, void *receiver)
{
    struct offload_job *job = container_of(l, struct offload_job, call);
    (void)receiver;
    job->done(job);
}

static void *serve(void *arg)
{
    struct offload *o = arg;
    struct offload_job *job;
    pthread_setname_np(pthread_self(), "offload");
    while ((job = next_job(o)) != NULL) {
        struct loop *back = job->loop; /* run may end the job's memory when nobody waits for it */
        job->run(job);
        if (back) {
            job->call.run = come_back;
            loop_post(back, &job->call);
        }
    }
    pthread_mutex_lock(&o->lock);
    o->running--;
    pthread_mutex_unlock(&o->lock);
    return NULL;
}

struct offload *offload_new(u32 threads, u32 most)
{
    struct offload *o = must_zalloc(sizeof *o + threads * sizeof o->thread[0]);
    pthread_mutex_init(&o->lock, NULL);
    pthread_cond_init(&o->wanted, NULL);
    o->end = &o->first;
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
        job->next = NULL;
        *o->end = job;
        o->end = &job->next;
        o->waiting++;
        pthread_cond_signal(&o->wanted);
    }
    pthread_mutex_unlock(&o->lock);
    return room;
}
