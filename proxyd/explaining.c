#include "explaining.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "explain.h"
#include "lists.h"

/* An answer may bring one family while the other is late. */
enum { HALF_AN_ANSWER_MS = 50, TRIES = 10 };

/* What a worker is asked for. It is freed by whoever asked, or, given up, by explaining_free. */
struct favour {
    struct call call;
    struct dns_wait wait;
    struct explaining *explaining;
    struct favour *next; /* of those given up */
    char name[DNS_NAME + 1];
    size_t n;
    bool done;
    struct snapshot *held;
};

struct explaining {
    struct engine *engine;
    pthread_mutex_t lock; /* also held while a call is posted, so that none is after the end */
    pthread_cond_t over;
    bool ending;
    struct favour *given_up;
};

/* ---- on the worker ---- */

static void finish(struct favour *f)
{
    pthread_mutex_lock(&f->explaining->lock);
    f->done = true;
    pthread_cond_broadcast(&f->explaining->over);
    pthread_mutex_unlock(&f->explaining->lock);
}

static void hold(struct call *call, void *receiver)
{
    struct favour *f = container_of(call, struct favour, call);
    f->held = ((struct worker *)receiver)->snapshot;
    atomic_fetch_add(&f->held->holders, 1);
    finish(f);
}

static void on_resolved(struct dns_wait *w)
{
    finish(container_of(w, struct favour, wait));
}

static void look_up(struct call *call, void *receiver)
{
    struct favour *f = container_of(call, struct favour, call);
    struct worker *w = receiver;
    f->wait.done = on_resolved;
    if (dns_lookup(w->dns, (struct slice){ f->name, f->n }, NULL, &f->wait))
        finish(f);
}

/* ---- on the thread that asks ---- */

/* False: the process ends, and f is not the caller's any more. */
static bool ask_worker(struct explaining *x, struct favour *f)
{
    f->explaining = x;
    pthread_mutex_lock(&x->lock);
    if (!x->ending)
        loop_post(&x->engine->workers[0]->loop, &f->call);
    while (!f->done && !x->ending)
        pthread_cond_wait(&x->over, &x->lock);
    bool done = f->done;
    if (!done) {
        f->next = x->given_up;
        x->given_up = f;
    }
    pthread_mutex_unlock(&x->lock);
    return done;
}

static bool search(void *ctx, struct slice name, struct text *out)
{
    struct explaining *x = ctx;
    return dns_search(x->engine->dns, name, out);
}

static bool ask_once(struct explaining *x, struct slice name, struct dns_answer *out)
{
    struct favour *f = must_zalloc(sizeof *f);
    f->call.run = look_up;
    f->n = name.n <= DNS_NAME ? name.n : DNS_NAME;
    memcpy(f->name, name.p, f->n);
    if (!ask_worker(x, f))
        return false;
    *out = f->wait.answer;
    free(f);
    return true;
}

/* Lists are exchanged meanwhile. */
static void ask(void *ctx, struct slice name, struct dns_answer *out)
{
    *out = (struct dns_answer){ .fault = FAULT_dns_failure };
    lists_ask_end();
    for (unsigned i = 0; ask_once(ctx, name, out) && out->open && i < TRIES; i++)
        usleep(HALF_AN_ANSWER_MS * 1000);
    lists_ask_begin();
}

unsigned explaining_run(struct explaining *x, struct slice question, char **text)
{
    struct lookup lookup = { search, ask, x };
    struct favour *f = must_zalloc(sizeof *f);
    f->call.run = hold;
    if (!ask_worker(x, f)) {
        *text = strdup("the proxy ends\n");
        return 503;
    }
    lists_ask_begin();
    unsigned status = explain_question(f->held, f->held->nworkers, &lookup, question, text);
    lists_ask_end();
    snapshot_let_go(x->engine, f->held);
    free(f);
    return status;
}

/* ---- the beginning and the end ---- */

struct explaining *explaining_new(struct engine *e)
{
    struct explaining *x = must_zalloc(sizeof *x);
    x->engine = e;
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->over, NULL);
    return x;
}

void explaining_end(struct explaining *x)
{
    pthread_mutex_lock(&x->lock);
    x->ending = true;
    pthread_cond_broadcast(&x->over);
    pthread_mutex_unlock(&x->lock);
}

void explaining_free(struct explaining *x)
{
    if (x == NULL)
        return;
    while (x->given_up) {
        struct favour *f = x->given_up;
        x->given_up = f->next;
        if (f->held)
            snapshot_let_go(x->engine, f->held);
        free(f);
    }
    pthread_cond_destroy(&x->over);
    pthread_mutex_destroy(&x->lock);
    free(x);
}
