/*
 * A curve over the last hour as HTML with SVG in it: two quantities, the second a part of the
 * first, or one share. Shapes alone are SVG, stretched to whatever width there is; words are HTML,
 * which is as large on a telephone as on a desk.
 */
#ifndef ADMIN_CURVE_H
#define ADMIN_CURVE_H

#include "admin/view.h"

enum curve_kind { CURVE_RATE, CURVE_BYTE_RATE, CURVE_SHARE };

struct curve {
    enum curve_kind kind;
    const char *title, *all, *part; /* words; `part` NULL: there is none */
    enum history_value of_all, of_part;
};

/* Into v->to. CURVE_SHARE draws how much of `of_all` is `of_part`. */
void curve_draw(const struct view *v, const struct curve *c);

#endif
