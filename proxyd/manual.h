/* The manual pages, made from what `--help` and `proxyd reference` print. */
#ifndef PROXYD_MANUAL_H
#define PROXYD_MANUAL_H

#include <stdio.h>

/* proxyd(8) and proxyd.conf(5), in roff. */
void manual_of_commands(FILE *to);
void manual_of_configuration(FILE *to);

#endif
