/*
 * How bodies move: pulled from a source into a sink, by the relay alone, so whoever is not asked
 * does not read and that is the flow control. A connection, a stored object, a page of our own and
 * a copy that is being made are all behind these two tables.
 *
 * An operation works and returns what came of it. It never calls up: whoever waits is woken from
 * the loop.
 */
#ifndef CORE_FLOW_H
#define CORE_FLOW_H

#include "base/extent.h"
#include "base/fault.h"
#include "http/msg.h"

enum flow {
    FLOW_OK,
    FLOW_WAIT, /* an event will come */
    FLOW_END,
    FLOW_FAULT
};

struct source_ops {
    /* OK: *run is what is there now, at least one byte. It stays where it is until the next call
     * but took. WAIT: nothing; see fill. END: the body is complete, now and whenever asked again.
     * FAULT: it never will be. */
    enum flow (*peek)(void *self, struct slice *run);
    /* n bytes of that run have gone. */
    void (*took)(void *self, size_t n);
    /* Reads once. OK: peek again. FAULT: as of peek, or the sender is gone. END, of the end of a
     * tunnel: what peek shows is all that comes. NULL: peek never says WAIT. */
    enum flow (*fill)(void *self);
    /* After END, what came behind the body; NULL: nothing. The operation may be NULL as well. */
    const struct msg *(*trailers)(void *self);
    /* Gives back what it holds; called once, in any state. NULL: nothing. */
    void (*close)(void *self);
    /* What comes next as a piece of a file, at least one byte, which can be sent without waiting
     * for a disk; `took` counts it, as with peek. False: peek says what comes. For sinks with
     * put_file. NULL: nothing lies in files. */
    bool (*extent)(void *self, struct extent *e);
};

struct sink_ops {
    /* *taken of the run has been taken, sent or kept. OK: all of it. WAIT: no more now. */
    enum flow (*put)(void *self, struct slice run, size_t *taken);
    /* The body is complete, with these trailers (NULL: none). Called again until it is not WAIT. */
    enum flow (*finish)(void *self, const struct msg *trailers);
    /* Before anybody sleeps, for what is ready is never held back. OK: it has gone. NULL: nothing
     * is ever held. */
    enum flow (*flush)(void *self);
    /* The body will not be whole. A sink that was given neither this nor finish is still open. */
    void (*drop)(void *self, enum fault why);
    /* As put, for a piece of a file. END: none of it has gone, nor will anything go this way, for
     * the wire or the file does not allow it; as bytes it may. NULL: bytes only. */
    enum flow (*put_file)(void *self, const struct extent *e, size_t *taken);
};

/* Slots: without ops they are empty. */
struct source {
    const struct source_ops *ops;
    void *self;
};
struct sink {
    const struct sink_ops *ops;
    void *self;
};

/* A text in memory; *rest is what is left of it. */
struct source text_source(struct slice *rest);
/* Closes it, if it is not empty, and empties the slot. */
void source_close(struct source *s);

#endif
