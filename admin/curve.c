#include "admin/curve.h"

#include <time.h>

#include "admin/figures.h"

enum { LEAST_MS = 5000, HEIGHT = 100, QUARTERS = 4 };

/* Between two samples: what it came to in each second, or of a hundred. */
struct stretch {
    double left, right; /* seconds from the left edge */
    double all, part;   /* negative: nothing to tell */
};

/* Seconds from the left edge to now, the right one: a young process has no hour to show. */
static unsigned window(const struct view *v)
{
    double span = view_span(v);
    return span <= 240 ? 240 : span <= 1200 ? 1200 : 3600;
}

static void value_of(const struct view *v, const struct curve *c, const struct history_sample *a,
                     const struct history_sample *b, struct stretch *s)
{
    double seconds = (double)(b->at_ms - a->at_ms) / 1000;
    double all = (double)(b->value[c->of_all] - a->value[c->of_all]);
    double part = (double)(b->value[c->of_part] - a->value[c->of_part]);
    s->left = window(v) - (double)(v->now.at_ms - a->at_ms) / 1000;
    s->left = s->left > 0 ? s->left : 0;
    s->right = window(v) - (double)(v->now.at_ms - b->at_ms) / 1000;
    if (c->kind == CURVE_SHARE) {
        s->all = all > 0 ? 100 * part / all : -1;
        s->part = 0;
    } else {
        s->all = all / seconds;
        s->part = part < all ? part / seconds : s->all;
    }
}

/* Those that are to be seen, oldest first; the last one goes up to now. */
static unsigned stretches(const struct view *v, const struct curve *c,
                          struct stretch out[HISTORY_SAMPLES])
{
    unsigned n = 0;
    for (unsigned i = 0; i < v->history->n; i++) {
        const struct history_sample *a = history_at(v->history, i);
        const struct history_sample *b =
            i + 1 < v->history->n ? history_at(v->history, i + 1) : &v->now;
        if (b->at_ms - a->at_ms < LEAST_MS || v->now.at_ms - b->at_ms > window(v) * 1000ull)
            continue;
        value_of(v, c, a, b, &out[n++]);
    }
    return n;
}

static double top_of_axis(const struct curve *c, const struct stretch *s, unsigned n)
{
    double most = 0;
    for (unsigned i = 0; i < n; i++)
        most = s[i].all > most ? s[i].all : most;
    if (c->kind == CURVE_SHARE)
        return 100;
    return figure_above(most, c->kind == CURVE_RATE ? 1000 : 1024);
}

static void put_value(FILE *to, enum curve_kind kind, double n)
{
    switch (kind) {
    case CURVE_RATE: figure_rate(to, n); break;
    case CURVE_BYTE_RATE: figure_byte_rate(to, n); break;
    case CURVE_SHARE: fprintf(to, "%.0f %%", n); break;
    }
}

static double value_in(const struct stretch *s, bool part)
{
    return part ? s->part : s->all;
}

/* An area down to the axis, or the line alone, that is begun anew behind what has no value. It goes
 * through the middle of each stretch, and from edge to edge. */
static void put_path(FILE *to, const char *class, const struct stretch *s, unsigned n, double axis,
                     bool part, bool area)
{
    bool open = false;
    fprintf(to, "<path class=\"%s\" d=\"", class);
    for (unsigned i = 0; i < n; i++) {
        double value = value_in(&s[i], part), y = HEIGHT - value / axis * HEIGHT;
        if (value >= 0) {
            if (!open && area)
                fprintf(to, "M%.0f %dL%.0f %.2f", s[i].left, HEIGHT, s[i].left, y);
            else if (!open)
                fprintf(to, "M%.0f %.2f", s[i].left, y);
            fprintf(to, "L%.0f %.2f", (s[i].left + s[i].right) / 2, y);
            bool ends = i + 1 == n || value_in(&s[i + 1], part) < 0;
            if (ends)
                fprintf(to, "L%.0f %.2f", s[i].right, y);
            if (ends && area)
                fprintf(to, "V%dZ", HEIGHT);
        }
        open = value >= 0;
    }
    fputs("\"/>", to);
}

/* What a pointer that rests on it is told. */
static void put_hints(const struct view *v, const struct curve *c, const struct stretch *s,
                      unsigned n)
{
    FILE *to = v->to;
    for (unsigned i = 0; i < n; i++) {
        char at[16] = "";
        time_t when = (time_t)(v->now_us / 1000000) - (time_t)(window(v) - s[i].right);
        struct tm tm;
        if (gmtime_r(&when, &tm))
            strftime(at, sizeof at, "%H:%M:%S", &tm);
        if (s[i].all < 0)
            continue;
        fprintf(to, "<rect x=\"%.0f\" width=\"%.0f\" height=\"%d\"><title>%s UTC: ", s[i].left,
                s[i].right - s[i].left, HEIGHT, at);
        put_value(to, c->kind, s[i].all);
        if (c->part) {
            fprintf(to, ", %s ", c->part);
            put_value(to, c->kind, s[i].part);
        }
        fputs("</title></rect>", to);
    }
}

static void put_axis(FILE *to, const struct curve *c, double axis)
{
    fputs("<ol class=\"y\"><li>", to);
    put_value(to, c->kind, axis);
    fputs("</li><li>", to);
    put_value(to, c->kind, axis / 2);
    fputs("</li><li>0</li></ol>", to);
}

static void put_caption(FILE *to, const struct curve *c)
{
    fprintf(to, "<figcaption><b>%s</b>", c->title);
    if (c->part)
        fprintf(to, "<span class=\"key all\">%s</span><span class=\"key part\">%s</span>", c->all,
                c->part);
    fputs("</figcaption>", to);
}

static void begin_shapes(const struct view *v, const struct curve *c)
{
    unsigned w = window(v);
    fprintf(v->to,
            "<svg role=\"img\" aria-label=\"%s over the last %u minutes\" viewBox=\"0 0 %u %d\" "
            "preserveAspectRatio=\"none\"><path class=\"grid\" "
            "d=\"M0 0H%uM0 50H%uM0 100H%u",
            c->title, w / 60, w, HEIGHT, w, w, w);
    for (unsigned q = 1; q < QUARTERS; q++)
        fprintf(v->to, "M%u 0V%d", w * q / QUARTERS, HEIGHT);
    fputs("\"/>", v->to);
}

void curve_draw(const struct view *v, const struct curve *c)
{
    FILE *to = v->to;
    struct stretch s[HISTORY_SAMPLES];
    unsigned n = stretches(v, c, s);
    double axis = top_of_axis(c, s, n);
    fputs("<figure class=\"curve\">", to);
    put_caption(to, c);
    fputs("<div class=\"plot\">", to);
    put_axis(to, c, axis);
    begin_shapes(v, c);
    bool share = c->kind == CURVE_SHARE;
    put_path(to, share ? "part area" : "all area", s, n, axis, false, true);
    if (c->part)
        put_path(to, "part area", s, n, axis, true, true);
    put_path(to, share ? "part line" : "all line", s, n, axis, false, false);
    put_hints(v, c, s, n);
    fprintf(to, "</svg></div><ol class=\"x\"><li>%u min</li>", window(v) / 60);
    for (unsigned q = QUARTERS - 1; q > 0; q--)
        fprintf(to, "<li>%u</li>", window(v) / 60 * q / QUARTERS);
    fputs("<li>now</li></ol></figure>\n", to);
}
