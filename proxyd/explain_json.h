/*
 * An explanation as JSON: what `proxyd explain --json` prints, what the control socket answers, and
 * what the lines for people are made from, so that neither says what the other does not. Names
 * stay; new ones may come.
 */
#ifndef PROXYD_EXPLAIN_JSON_H
#define PROXYD_EXPLAIN_JSON_H

#include <jansson.h>

#include "forecast.h"

/* A string, whatever its bytes are: what is no UTF-8 is escaped as in the log. Null when empty. */
json_t *json_of(struct slice s);

/* `about`: how it was asked. The caller's to end. */
json_t *explain_json(const struct forecast *f, const struct forecast_request *about,
                     struct arena *a);

#endif
