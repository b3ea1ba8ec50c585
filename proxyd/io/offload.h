/*
 * The threads for what may block. A job stands in the memory of whoever posts it and has a kind
 * (base/job.tbl); it runs on one of the threads and comes back as a call posted to the loop that
 * asked, or ends there.
 *
 * Order: short jobs before long ones, but a long one that waits is passed over OFFLOAD_PASSED times
 * at most. Where there are two threads or more, one is always left for short ones, so that no
 * number of files on a dead disk keeps them waiting.
 *
 * The hard thing is who owns a job's memory when whoever posted it has gone: see offload_cancel.
 */
#ifndef IO_OFFLOAD_H
#define IO_OFFLOAD_H

#include "base/job.h"
#include "io/loop.h"

enum { OFFLOAD_PASSED = 16 };

struct offload;

/* Zeroed memory with kind and run set is ready for offload_post. */
struct offload_job {
    enum job_kind kind;
    void (*run)(struct offload_job *); /* on one of the threads */
    /* The job's end, its last touch: it may be freed or posted again here. On the loop's thread, or
     * with loop NULL on that of `run`. NULL: nothing is to be done. */
    void (*done)(struct offload_job *);
    /* Instead of done when it was cancelled after it had begun: frees its memory. On the thread of
     * `run`, or the loop's. Not NULL when it may be cancelled. */
    void (*drop)(struct offload_job *);
    struct loop *loop; /* who asked; NULL: done needs no particular thread */

    /* The rest is offload.c's. */
    struct list link;
    struct call call;
    u8 state;
    _Atomic bool cancelled;
};

/* Starts `threads` threads; jobs beyond `most` waiting are refused. */
struct offload *offload_new(u32 threads, u32 most);
/* Takes no more jobs; the threads run what is queued, then end. No loop may be gone that a queued
 * job comes back to. */
void offload_end(struct offload *o);
/* Have all threads ended? One whose job hangs on a disk that has gone away never does. */
bool offload_ended(struct offload *o);
/* After offload_end; waits for the threads. */
void offload_free(struct offload *o);
/* Any thread. False: the queue is full, the job is the caller's again. */
bool offload_post(struct offload *o, struct offload_job *job);

/* By whoever posted it: on the loop's thread, or, with loop NULL, where it knows that the job has
 * been posted and neither done nor drop has begun to free it (under a lock that those take too).
 * True: it had not begun, is taken out and the caller's again; nothing is called. False: it has
 * begun; drop is called instead of done (with loop NULL either of them, when it was just about to
 * end). */
bool offload_cancel(struct offload *o, struct offload_job *job);
/* For run, when it is long: nobody wants the result any more. */
static inline bool offload_cancelled(const struct offload_job *job)
{
    return atomic_load_explicit(&job->cancelled, memory_order_relaxed);
}

/* Of all jobs of a kind in this process; any thread. */
struct offload_account {
    u64 queued, running; /* now */
    u64 done, cancelled; /* ended with a result that was wanted; taken out or dropped */
    u64 us;              /* that the threads spent on them, cancelled ones too */
};
struct offload_account offload_account(enum job_kind k);

#endif
