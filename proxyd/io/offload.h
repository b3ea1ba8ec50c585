/*
 * The one pool of threads for what may block: files, and later password hashes, directory
 * look-ups and disk reads of the cache. A job is intrusive memory of the asker's; it runs on some
 * thread of the pool and comes back as a call posted to the loop that asked, or ends there.
 */
#ifndef IO_OFFLOAD_H
#define IO_OFFLOAD_H

#include "io/loop.h"

struct offload;

struct offload_job {
    struct offload_job *next;
    void (*run)(struct offload_job *);  /* on a thread of the pool */
    void (*done)(struct offload_job *); /* on the loop's thread; NULL with loop NULL */
    struct loop *loop;                  /* who asked; NULL: nobody waits for the end */
    struct call call;
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

#endif
