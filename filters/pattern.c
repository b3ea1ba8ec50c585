/*
 * PCRE2's match data come from a few hundred bytes of the caller's stack, so that a search needs no
 * memory of its thread and no allocation.
 */
#include "filters/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"

enum { DEPTH_LIMIT = 20000, HEAP_LIMIT_KB = 2048, ON_STACK = 512 };

struct pattern {
    pcre2_code *code;
    pcre2_match_context *limits; /* read only when matching */
};

/* ---- compiling ---- */

static void *from_arena(PCRE2_SIZE n, void *arena)
{
    return arena_try(arena, n);
}

static void keep(void *p, void *arena)
{
    (void)p;
    (void)arena;
}

static void end_code(void *code)
{
    pcre2_code_free(code); /* the JIT compiler's pages; the rest is the arena's */
}

static pcre2_code *compile(struct slice text, u32 more, pcre2_compile_context *c, char *why)
{
    int error;
    PCRE2_SIZE at;
    u32 options = PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C | more;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)text.p, text.n, options, &error, &at, c);
    if (code == NULL && why) {
        PCRE2_UCHAR says[112] = "";
        pcre2_get_error_message(error, says, sizeof says);
        snprintf(why, PATTERN_WHY, "%s (at byte %zu)", (char *)says, (size_t)at + 1);
    }
    return code;
}

const struct pattern *pattern_compile(struct arena *a, struct slice text, char why[PATTERN_WHY])
{
    if (text.n == 0 || text.n > PATTERN_LONGEST) {
        snprintf(why, PATTERN_WHY, text.n ? "it is too long" : "it is empty");
        return NULL;
    }
    if (slice_starts(text, SLICE("(*"))) { /* (*LIMIT_MATCH=…), (*UTF): not the writer's to set */
        snprintf(why, PATTERN_WHY, "it begins with (*, and options cannot be set so");
        return NULL;
    }
    struct pattern *p = arena_zalloc(a, sizeof *p);
    pcre2_general_context *memory = pcre2_general_context_create(from_arena, keep, a);
    pcre2_compile_context *c = pcre2_compile_context_create(memory);
    p->limits = pcre2_match_context_create(memory);
    must(memory && c && p->limits);
    pcre2_set_match_limit(p->limits, PATTERN_STEPS);
    pcre2_set_depth_limit(p->limits, DEPTH_LIMIT);
    pcre2_set_heap_limit(p->limits, HEAP_LIMIT_KB);
    p->code = compile(text, 0, c, why);
    if (p->code == NULL)
        return NULL;
    (void)pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE); /* else it is interpreted */
    arena_at_end(a, end_code, p->code);
    return p;
}

/* ---- matching ---- */

struct room {
    size_t used;
    _Alignas(16) char at[ON_STACK];
};

static void *from_room(PCRE2_SIZE n, void *data)
{
    struct room *r = data;
    n = (n + 15) & ~(size_t)15;
    if (n > sizeof r->at - r->used) /* of the interpreter */
        return malloc(n);
    r->used += n;
    return r->at + r->used - n;
}

static void to_room(void *p, void *data)
{
    struct room *r = data;
    if ((char *)p < r->at || (char *)p >= r->at + sizeof r->at)
        free(p);
}

enum match pattern_where(const struct pattern *p, struct slice text, struct slice *part)
{
    struct room room;
    room.used = 0;
    pcre2_general_context *memory = pcre2_general_context_create(from_room, to_room, &room);
    pcre2_match_data *m = pcre2_match_data_create(1, memory);
    if (unlikely(m == NULL))
        return MATCH_UNSAFE;
    PCRE2_SPTR at = (PCRE2_SPTR)(text.n ? text.p : "");
    int rc = pcre2_match(p->code, at, text.n, 0, 0, m, p->limits);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(p->code, at, text.n, 0, PCRE2_NO_JIT, m, p->limits);
    const PCRE2_SIZE *range = pcre2_get_ovector_pointer(m);
    if (rc >= 0 && part) /* \K can put the start behind the end */
        *part = range[0] <= range[1] ? (struct slice){ text.p + range[0], range[1] - range[0] }
                                     : SLICE("");
    pcre2_match_data_free(m);
    pcre2_general_context_free(memory);
    return rc >= 0 ? MATCH_YES : rc == PCRE2_ERROR_NOMATCH ? MATCH_NO : MATCH_UNSAFE;
}

enum match pattern_find(const struct pattern *p, struct slice text)
{
    return pattern_where(p, text, NULL);
}

/* ---- measuring ---- */

bool pattern_needs(struct slice pattern, struct slice text, u32 steps)
{
    pcre2_code *code = compile(pattern, 0, NULL, NULL);
    pcre2_match_context *c = pcre2_match_context_create(NULL);
    pcre2_match_data *m = pcre2_match_data_create(1, NULL);
    must(code && c && m);
    pcre2_set_match_limit(c, steps);
    int rc = pcre2_match(code, (PCRE2_SPTR)text.p, text.n, 0, PCRE2_NO_JIT, m, c);
    pcre2_match_data_free(m);
    pcre2_match_context_free(c);
    pcre2_code_free(code);
    return rc == PCRE2_ERROR_MATCHLIMIT;
}
