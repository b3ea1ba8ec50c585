/* What the HTTP fuzz targets share: exact copies, so that one byte read too far is seen, and a
 * condition that stops the fuzzer. */
#ifndef FUZZ_HTTP_FUZZ_H
#define FUZZ_HTTP_FUZZ_H

#include <stdlib.h>

#include "http/chars.h"
#include "http/head.h"

#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (!(x))                                                                                  \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static const struct head_limits fuzz_limits = { 4096, 1024, 64 };

static inline char *exact_copy(const void *p, size_t n)
{
    char *copy = malloc(n ? n : 1);
    CHECK(copy);
    if (n)
        memcpy(copy, p, n);
    return copy;
}

/* The end of the head, found at once and once more in pieces whose sizes come from the bytes. */
static inline u32 scan_either(struct head_scan *s, const char *p, u32 n, bool answer, enum fault *f)
{
    return answer ? head_scan_answer(s, p, n, &fuzz_limits, true, f)
                  : head_scan(s, p, n, &fuzz_limits, f);
}

static inline u32 scan_both_ways(const char *p, u32 n, bool answer)
{
    struct head_scan whole = { 0, 0 }, pieces = { 0, 0 };
    enum fault f, g = FAULT_NONE;
    u32 end = scan_either(&whole, p, n, answer, &f), again = 0;
    for (u32 have = 0; have < n && !again && !g;) {
        u32 more = 1 + ((u8)p[have] * 7 + have) % 80;
        have = more < n - have ? have + more : n;
        char *exact = exact_copy(p, have);
        again = scan_either(&pieces, exact, have, answer, &g);
        free(exact);
    }
    CHECK(f == g && end == again);
    CHECK(end <= n);
    CHECK(end == 0 || (answer ? p[end - 1] == '\n' : end >= 2 && !memcmp(p + end - 2, "\r\n", 2)));
    return end;
}

/* Both have the same fields in the same order, but for deleted ones. */
static inline void check_same_fields(const struct msg *a, const struct msg *b)
{
    unsigned j = 0;
    for (unsigned i = 0; i < a->nfields; i++) {
        const struct field *f = &a->fields[i];
        if (f->id == FIELD_DELETED)
            continue;
        CHECK(j < b->nfields && b->fields[j].id == f->id);
        CHECK(slice_eq(msg_name(a, f), msg_name(b, &b->fields[j])));
        CHECK(slice_eq(msg_value(a, f), msg_value(b, &b->fields[j])));
        j++;
    }
    CHECK(j == b->nfields);
}

/* Other controls than these may stay in an answer's value, if that is counted. */
static inline bool fuzz_may_stand(const struct msg *m, char c)
{
    bool kept = m->repairs & repair_bit(REPAIR_control_byte);
    return c == '\t' || !char_is(c, CHAR_CONTROL) || (kept && c != '\0' && c != '\r' && c != '\n');
}

/* No name or value may hold what would end a line, and a bit says truly what is there. */
static inline void check_fields(const struct msg *m)
{
    for (unsigned i = 0; i < m->nfields; i++) {
        const struct field *f = &m->fields[i];
        if (f->id == FIELD_DELETED)
            continue;
        struct slice s = msg_value(m, f), name = msg_name(m, f);
        CHECK(name.n > 0 && token_find(name) == (enum token)f->id && msg_has(m, (enum token)f->id));
        for (size_t k = 0; k < s.n; k++)
            CHECK(fuzz_may_stand(m, s.p[k]));
        CHECK(s.n == 0 || (s.p[0] != ' ' && s.p[0] != '\t'));
        CHECK(s.n == 0 || (s.p[s.n - 1] != ' ' && s.p[s.n - 1] != '\t'));
    }
    for (unsigned t = 0; t < TOKEN_COUNT; t++)
        CHECK(msg_has(m, (enum token)t) == (msg_count(m, (enum token)t) > 0));
}

#endif
