/* Inside of config/: what one word must look like. */
#ifndef CONFIG_SCHEMA_TYPE_H
#define CONFIG_SCHEMA_TYPE_H

#include "config/schema.h"

/* Type of the i-th argument of a row (the last type given holds for all that follow). */
enum schema_type schema_word_type(const struct schema_row *row, u32 i);
/* Words of the key itself. */
u32 schema_key_words(const struct schema_row *row);
/* Fewest and most arguments of a row. */
u32 schema_least_words(const struct schema_row *row);
u32 schema_most_words(const struct schema_row *row);

/* Is w right as a value of type t in this row? Reports what is wrong. Not for TYPE_REF, which needs
 * the tree, and TYPE_CUSTOM. */
bool schema_word_check(const struct schema_row *row, enum schema_type t, const struct word *w,
                       struct diags *d);
/* The number a right word of a numeric type stands for. */
u64 schema_word_number(const struct schema_row *row, enum schema_type t, struct slice text);
/* A number as the language writes it: 10m, 32k, 443. */
void schema_number_text(struct text *t, enum schema_type type, u64 v);

#endif
