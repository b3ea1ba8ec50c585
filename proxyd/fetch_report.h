/*
 * `proxyd ctl fetch URL`: the proxy asks for the URL itself, as a client of a listener would, and
 * tells phase by phase what became of it. It answers the question that a log line leaves open: is
 * it the name, the rule, the connection or the origin?
 */
#ifndef PROXYD_FETCH_REPORT_H
#define PROXYD_FETCH_REPORT_H

#include "fetch.h"

/* `what` is "URL" or "URL LISTENER"; without a listener the first of the configuration. Blocks
 * until the answer has come to its end, or until the socket `caller` (-1: none) is hung up, which
 * ends the request; any thread but a worker's. *text is for people, malloc'd.
 * Returns an HTTP status: 200 an answer came, whatever it says; 400 `what` is wrong; 502 none came,
 * or it was cut; 503 the process ends. */
unsigned fetch_report(struct fetching *f, struct slice what, int caller, char **text);

#endif
