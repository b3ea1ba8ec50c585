/* Files by the place of their first line, found by halving. */
#include "filters/source.h"

#include <stdlib.h>

#include "base/must.h"

void sources_init(struct sources *s)
{
    *s = (struct sources){ .next = 1 };
    arena_init(&s->arena, 0);
}

void sources_free(struct sources *s)
{
    arena_free(&s->arena);
    free(s->file);
    *s = (struct sources){ 0 };
}

u32 sources_begin(struct sources *s, struct slice name, struct slice category)
{
    if (s->n == s->room) {
        s->room = s->room ? 2 * s->room : 8;
        s->file = must_realloc(s->file, s->room * sizeof *s->file);
    }
    s->file[s->n++] = (struct source_file){ arena_copy(&s->arena, name),
                                            arena_copy(&s->arena, category), s->next };
    return s->next;
}

void sources_end(struct sources *s, u32 lines)
{
    must(s->n > 0);
    u64 next = (u64)s->file[s->n - 1].first + lines;
    s->next = next <= SOURCE_LAST_PLACE ? (u32)next : SOURCE_LAST_PLACE + 1;
}

u32 sources_file(const struct sources *s, u32 place)
{
    u32 low = 0, high = s->n;
    if (place == 0 || place >= s->next)
        return s->n;
    while (low < high) { /* the first that begins behind the place */
        u32 middle = (low + high) / 2;
        if (s->file[middle].first <= place)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

struct source_where sources_where(const struct sources *s, u32 place)
{
    u32 i = sources_file(s, place);
    if (i == s->n)
        return (struct source_where){ .line = 0 };
    const struct source_file *f = &s->file[i];
    return (struct source_where){ f->name, f->category, place - f->first + 1 };
}

bool places_of_category(struct places *out, struct arena *a, const struct sources *s,
                        struct slice category)
{
    struct place_range *range = arena_alloc(a, s->n * sizeof *range);
    u32 n = 0;
    bool known = false;
    for (u32 i = 0; i < s->n; i++) {
        if (!slice_eq(s->file[i].category, category))
            continue;
        u32 first = s->file[i].first, behind = i + 1 < s->n ? s->file[i + 1].first : s->next;
        known = true;
        if (behind == first) /* a file without lines */
            continue;
        if (n && range[n - 1].last + 1 == first)
            range[n - 1].last = behind - 1;
        else
            range[n++] = (struct place_range){ first, behind - 1 };
    }
    *out = (struct places){ range, n };
    return known;
}
