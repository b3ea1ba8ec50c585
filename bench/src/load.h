/*
 * What the parts of load share: one connection, the options, and what is counted. One thread, so
 * plain variables.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <openssl/ssl.h>
#include <stdint.h>
#include <sys/types.h>

#include "sockets.h"

enum { HTTP, CONN, BULK, IDLE }; /* modes */
enum { DOWN, CONNECTING, SHAKING, TUNNEL, ANSWER, BODY, CHUNKED, TOEOF, RESTING };

#define IN 16384
struct conn {
    int fd, state, fresh;
    unsigned mask, have;
    SSL *ssl;
    uint64_t begun, left;
    int chunk; /* chunked: 0 size line, 1 data, 2 trailer */
    int close_after;
    int pay_off, pay_len; /* unsent part of a request */
    const char *pay;
    char *own; /* with -q the request, which is nobody else's */
    char in[IN];
};

/* The options, load.c. */
extern int mode, nconn, port, use_tls, expect, nsrc, once, unique;
extern double rate; /* requests a second; 0: as many as there can be */
extern const char *target, *tunnel;
extern char extra[2048]; /* header lines */
extern SSL_CTX *ctx;

/* What is counted, and the end of the run, load.c. */
extern uint64_t done, bytes, errs, bad, reconn, opened, conns_made;
extern int last_bad, first_errno, quitting, ep;
uint64_t now(void); /* ns */
void lat(uint64_t ns);

/* A message to send; it lives as long as the run. */
struct payload {
    const char *p;
    int n;
};

/* Makes the requests, of a file or `kinds` of the target, and those for tunnels; load_targets.c. */
void prepare(unsigned kinds, const char *file);
/* The next request; with -q its text is the connection's own. False: there is none any more
 * (-o). */
int next_request(struct conn *c, struct payload *out);
/* The next CONNECT; only with -t. */
struct payload next_tunnel(void);

/* A connection, load_conn.c: begun anew, ended, ended for a reason (an errno, or below 0). */
void start(struct conn *c);
void stop(struct conn *c);
void fail(struct conn *c, int e);
/* Sends the next request. */
void request(struct conn *c);
/* A whole answer is in. */
void finished(struct conn *c);
/* As recv. */
ssize_t rd(struct conn *c, char *p, size_t n);
/* What epoll says of it. */
void event(struct conn *c, unsigned m);

/* Reads what has come, load_answer.c. */
void input(struct conn *c);

#endif
