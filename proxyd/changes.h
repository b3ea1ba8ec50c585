/*
 * What has changed between two configurations, listed block by block. A configuration is noted as
 * one fingerprint for each of its blocks and settings, so the tree itself may go: comparing needs
 * no knowledge of any key.
 */
#ifndef PROXYD_CHANGES_H
#define PROXYD_CHANGES_H

#include <stdio.h>

#include "config/schema.h"

struct noted;

/* Of a checked tree; freed by noted_free. */
struct noted *noted_of(const struct tree *t);
void noted_free(struct noted *n);

/* Writes a line for each difference, "policy staff rules deny uploads: added"; what only a restart
 * brings about says so. Returns how many there are. */
u32 changes_write(const struct noted *before, const struct noted *after, FILE *to);

#endif
