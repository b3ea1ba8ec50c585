/* An explanation for people: the same facts as the JSON, in columns. */
#ifndef PROXYD_EXPLAIN_SHOW_H
#define PROXYD_EXPLAIN_SHOW_H

#include <jansson.h>
#include <stdio.h>

#include "base/types.h"

/* `told` is what explain_json made, perhaps in another process: what is missing is left out. */
void explain_show(const json_t *told, FILE *to, bool colours);

#endif
