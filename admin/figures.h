/* Numbers as people read them: three digits and a unit. */
#ifndef ADMIN_FIGURES_H
#define ADMIN_FIGURES_H

#include <stdio.h>

#include "base/types.h"

/* "812", "8.12 k", "81.2 M". */
void figure_count(FILE *to, double n);
/* "812 B", "8.12 kB", "81.2 GB"; a kB has 1024, as the configuration's k. */
void figure_bytes(FILE *to, double n);
/* The same for each second: "0.4/s", "81.2 MB/s". */
void figure_rate(FILE *to, double n);
void figure_byte_rate(FILE *to, double n);
/* "45 s", "12 min", "3 h 20 min", "4 d 2 h". */
void figure_time(FILE *to, u64 seconds);
/* "63 %", "0.4 %"; "–" of nothing. */
void figure_share(FILE *to, u64 part, u64 whole);
/* The least 1, 2 or 5 times a power of ten (of bytes: of what figure_bytes shows as one) that is
 * not below n, and above 0: where an axis ends. */
double figure_above(double n, double base);

#endif
