/*
 * The engine in a test: one worker (or two) whose loop the test turns by hand, a role that the test
 * steers, clients on socket pairs, an origin on loopback, and connections that end in memory and
 * take only as many bytes as the test allows. Time passes when rig_later says so. After each test
 * nothing may be left.
 */
#ifndef TESTS_HELP_ENGINE_H
#define TESTS_HELP_ENGINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/conf.h"
#include "core/conn/conn.h"
#include "core/listener.h"
#include "core/exchange/role.h"
#include "core/common/snapshot.h"
#include "core/exchange/xchg.h"

enum { RIG_WORKERS = 2, RIG_LINE = 1 << 16 };

extern struct rig {
    struct engine engine;
    struct arena arena;        /* of legs that ride on memory_open */
    struct snapshot *snapshot; /* what the workers use: the test role's, or rig_configure's */
    struct worker *worker;     /* the first one */
    struct worker *workers[RIG_WORKERS];
    struct listener *listener; /* the first one of the snapshot */
    struct listen_addr at;     /* of the test role's */
    u16 port;                  /* of rig_origin: where every name of the test role leads to */
    /* Asked by the test role about an address; NULL: all are allowed. */
    struct ruling (*vet)(const struct xchg *x, const struct addr *a);
    /* May change where the test role sends an exchange; NULL: nothing is changed. */
    void (*destination)(struct destination *to);
    /* Asked by it about how a tunnel begins; NULL: as it likes. */
    enum inspection (*inspect)(const struct access_record *r, struct slice first,
                               struct inspected *out);
    /* Asked by it about a tunnel, after rig_publish; NULL: all may go on. */
    struct ruling (*recheck)(const struct access_record *r);
} rig;

/* Fixtures: one worker, two workers; rig_tear_down fails when a connection, buffer or exchange is
 * left over. The names of the hosts file are in help_engine.c. */
int rig_set_up(void **state);
int rig_set_up_two(void **state);
int rig_tear_down(void **state);
#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)
#define RIG_TEST_TWO(f) cmocka_unit_test_setup_teardown(f, rig_set_up_two, rig_tear_down)

/* From here on a listener as a configuration describes it, with the role that it names. */
void rig_configure(const char *text);

/* Another snapshot for the test role, to be changed and then published. */
struct snapshot *rig_snapshot(void);
/* Every worker adopts it. */
void rig_publish(struct snapshot *s);

/* Plain TCP to host and port; the worker's target for that, with a reference. */
struct destination rig_to(const struct host *host, u16 port);
struct target *rig_target(struct worker *w, const struct host *host, u16 port);

/* Turns the loops until nothing happens any more. */
void rig_turn(void);
/* `ms` later, on the monotonic clock. */
void rig_later(u64 ms);

/* Nobody's users: one that has begun, one that waits for something to begin. */
extern const struct conn_user rig_begun, rig_waiting;
#define assert_user(c, what) assert_string_equal((c)->user->name, what)

/* A connection whose other end is *other, a socket. */
struct conn *rig_conn(const struct conn_user *user, int *other);
/* A client that has connected: its socket, from 127.0.0.1. */
int rig_client(void);
/* The same over TCP, where resets can be seen. */
int rig_client_tcp(void);
/* The connection of the client that came last. */
struct conn *rig_client_conn(void);
/* Its exchange, or NULL. */
struct xchg *rig_exchange(void);
/* Listens on 127.0.0.1 and sets rig.port; the listening socket. */
int rig_origin(void);
/* The connection that waits at a listening socket. */
int rig_accept(int listening);
/* At that address (port 0: any), with a queue of that length. */
int rig_listen(const char *address, u16 port, int backlog);

/* Sends all of it and turns. */
void rig_say(int fd, const char *text);
/* Turns; what has arrived, as a string that the next call overwrites. */
const char *rig_hears(int fd);
/* Turns; has the other side closed in an orderly way (nothing is left to read), or reset? */
bool rig_ended(int fd);
bool rig_reset(int fd);
/* Closes it now, not at the end of the test. */
void rig_close(int fd);
/* One line of text, its query "GET http://origin.test/PATH", through the engine. */
const char *rig_ask(int client, const char *request);
/* Which of n listening sockets the request of a new client comes to; n: none. -1 stands for one
 * that is dead. It ends without an answer. */
unsigned rig_comes_to(const int *listening, unsigned n, const char *request);

u64 rig_count(enum stat_id s);
u64 rig_faults(enum fault f);

#define assert_begins(text, with) assert_memory_equal(text, with, strlen(with))
void assert_has(const char *text, const char *part);
void assert_has_not(const char *text, const char *part);
void assert_slice(struct slice s, const char *text);

/* One end in memory. What is read comes from `in`, at most `piece` bytes at a time; what is sent
 * goes to `out` while `quota` lasts. */
struct memory_end {
    struct layer layer; /* first: the connection's only one */
    struct conn *conn;
    struct slice in;
    size_t piece;
    bool in_ends, in_breaks, out_breaks;
    char out[1 << 18];
    size_t nout, quota;
    unsigned reads, sends;
};

/* A connection on m, which takes everything; nothing is to be read yet. */
struct conn *memory_open(struct memory_end *m, const struct conn_user *user);
/* A leg on it, as a client's, whose events nobody hears; and its end. */
void memory_leg(struct leg *l, struct memory_end *m);
void memory_leg_done(struct leg *l);
void memory_feed(struct memory_end *m, struct slice more);
void memory_feed_end(struct memory_end *m);
void memory_allow(struct memory_end *m, size_t quota);
struct slice memory_out(const struct memory_end *m);

/* Takes every buffer there is, so that none is to be had until rig_relieve. */
void rig_exhaust(void);
void rig_relieve(void);

#endif
