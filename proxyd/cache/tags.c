/* A tag that stands twice is noted twice: nothing is made of how many there are. */
#include "cache/tags.h"

#include "base/str.h"

static bool is_between(char c, bool commas)
{
    return c == ' ' || c == '\t' || (commas && c == ',');
}

static bool read_field(const struct msg *m, enum token t, bool commas, struct text *out,
                       unsigned *n)
{
    for (const struct field *f = msg_find(m, t); f; f = msg_find_next(m, f)) {
        struct slice s = msg_value(m, f);
        for (size_t i = 0; i < s.n;) {
            size_t from = i;
            while (i < s.n && !is_between(s.p[i], commas))
                i++;
            if (i > from) {
                text_cstr(out, out->n ? "" : " ");
                text_put(out, s.p + from, i - from);
                text_char(out, ' ');
                if (++*n > TAGS_MOST || out->full)
                    return false;
            }
            i++;
        }
    }
    return true;
}

bool tags_read(const struct msg *response, struct text *out)
{
    unsigned n = 0;
    return read_field(response, TOKEN_SURROGATE_KEY, false, out, &n) &&
           read_field(response, TOKEN_CACHE_TAG, true, out, &n);
}

bool tags_have(struct slice tags, struct slice one)
{
    if (one.n == 0 || slice_find(one, ' '))
        return false;
    while (tags.n > one.n + 1) { /* at the blank before a tag */
        tags = slice_skip(tags, 1);
        if (slice_starts(tags, one) && tags.p[one.n] == ' ')
            return true;
        const char *blank = slice_find(tags, ' ');
        tags = blank ? slice_range(blank, tags.p + tags.n) : SLICE("");
    }
    return false;
}

void tags_strip(struct msg *response)
{
    msg_remove(response, TOKEN_SURROGATE_KEY);
    msg_remove(response, TOKEN_CACHE_TAG);
}
