/*
 * Running a script as a browser would. A script may be hostile: it loops, it takes all memory, its
 * regular expressions never end. The library has no limit of time, so each run is a process of its
 * own that is killed when it takes too long; memory is limited by the allocator that it is given.
 *
 * The functions that scripts may call are in pac/helpers.js. Nothing is looked up: `lookup` says
 * where a name leads.
 */
#ifndef PAC_ENGINE_H
#define PAC_ENGINE_H

#include "base/addr.h"
#include "base/arena.h"

enum {
    PAC_ENGINE_MS = 1000,        /* for the script itself, and for each question */
    PAC_ENGINE_BYTES = 16 << 20, /* of memory for the script */
    PAC_ANSWER_MAX = 8192,       /* bytes of an answer */
};

struct pac_world {
    struct addr client; /* myIpAddress(); without family 127.0.0.1 */
    u64 now_s;          /* since 1970, for the functions of time; 0: now */
    /* dnsResolve(), isInNet() and so on: false: it leads nowhere. NULL: no name does. It runs in
     * the other process. */
    bool (*lookup)(void *ctx, struct slice name, struct addr *out);
    void *ctx;
};

struct pac_question {
    struct slice url, host;
};

enum pac_outcome {
    PAC_ANSWERED,
    PAC_BROKEN,   /* the script is none, or has no FindProxyForURL */
    PAC_THREW,    /* an exception, or no text as answer */
    PAC_ENDLESS,  /* longer than PAC_ENGINE_MS */
    PAC_TOO_BIG,  /* of memory */
    PAC_NO_CHILD, /* the system gives no process */
};

struct pac_answer {
    enum pac_outcome why;
    struct slice text; /* what FindProxyForURL returns, or what is wrong */
};

/* Asks all n questions in order, in one process; the answers' texts are in the arena. After one
 * that takes too long or too much memory those that follow have the same outcome. Blocks: never on
 * a worker. */
void pac_ask(struct slice script, const struct pac_world *w, const struct pac_question *q, u32 n,
             struct arena *a, struct pac_answer *answers);

/* The URL as browsers hand it to a script: of https:// without path and query; never with a user,
 * a password or a fragment. In the arena. *host is its host, in lower case, without brackets and
 * port. False: it is no http:// or https:// URL. */
bool pac_url(struct slice url, struct arena *a, struct pac_question *out);

#endif
