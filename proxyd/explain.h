/*
 * `proxyd explain`: why a request is let through or refused. One question, as JSON, goes to a
 * configuration that was just compiled (-c) or, by the control socket, to the process that runs;
 * either gives the same answer, as JSON again.
 */
#ifndef PROXYD_EXPLAIN_H
#define PROXYD_EXPLAIN_H

#include <stdio.h>

#include "forecast.h"

enum { EXPLAIN_MANY = 32 }; /* of --header, of --resolve, of --response */

/* What the command line says; NULL: not given. */
struct explain_options {
    const char *config, *socket, *from, *user, *at, *listener, *sni;
    const char *header[EXPLAIN_MANY], *resolve[EXPLAIN_MANY], *response[EXPLAIN_MANY];
    bool json;
    const char *method, *url; /* method NULL: GET, or CONNECT for https:// */
};

/* The exit code. */
int explain_run(const struct explain_options *o);

/* Answers a question with lookup for the names that it does not give. 200: *text, which is the
 * caller's to free, is the explanation as JSON; else it says in a line what was wrong. */
unsigned explain_question(const struct snapshot *s, unsigned reader, const struct lookup *lookup,
                          struct slice question, char **text);

#endif
