/* The head of a request that nobody sent (forecast.h). */
#ifndef PROXYD_FORECAST_HEAD_H
#define PROXYD_FORECAST_HEAD_H

#include "forecast.h"

/* Writes it into the arena and reads it within the limits of s: v->msg (NULL: not to be read),
 * v->uri, v->parsed. FAULT_body_too_large: it is whole all the same. */
enum fault forecast_read_head(const struct snapshot *s, const struct forecast_request *r,
                              struct arena *a, struct forecast *v);

#endif
