/* Requests share a variant only if their fields mean the same: of an unknown field the very bytes,
 * of Accept-Encoding the same set of codings, in any order. */
#include "http_fuzz.h"

#include "base/str.h"
#include "cache/vary.h"

enum { ITEMS_MOST = 12, VALUE_MOST = 400 };

static const struct cache_secret secret = { { { 1, 2 } } };

struct codings {
    unsigned n;
    char text[ITEMS_MOST][VALUE_MOST];
};

static u64 key(const char *name, struct slice value)
{
    struct arena a;
    struct msg m;
    arena_init(&a, 0);
    msg_init(&m, &a);
    CHECK(msg_add(&m, slice_of(name), value));
    u64 k = vary_key(&secret, slice_of(name), &m);
    arena_free(&a);
    return k;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

/* One coding in lower case, no blanks, no weight of 1. */
static void normal(char *to, struct slice item)
{
    size_t n = 0;
    for (size_t i = 0; i < item.n; i++)
        if (!blank(item.p[i]))
            to[n++] = ascii_lower(item.p[i]);
    to[n] = '\0';
    char *q = strstr(to, ";q=1");
    while (q && strstr(q + 1, ";q=1"))
        q = strstr(q + 1, ";q=1");
    size_t zeros = q ? strspn(q + 4 + (q[4] == '.'), "0") : 0;
    if (q && q > to && q[4 + (q[4] == '.') + zeros] == '\0' && zeros <= 3 &&
        (q[4] == '.' || zeros == 0))
        *q = '\0';
    if (strcmp(to, "x-gzip") == 0 || strncmp(to, "x-gzip;", 7) == 0)
        memmove(to, to + 2, strlen(to) - 1);
}

static void read_codings(struct codings *c, struct slice value)
{
    struct slice item;
    c->n = 0;
    while (list_next(&value, &item) && c->n < ITEMS_MOST)
        normal(c->text[c->n++], item);
}

static bool holds(const struct codings *a, const struct codings *b)
{
    for (unsigned i = 0; i < a->n; i++) {
        bool found = false;
        for (unsigned k = 0; k < b->n; k++)
            found |= strcmp(a->text[i], b->text[k]) == 0;
        if (!found)
            return false;
    }
    return true;
}

static void check_codings(struct slice a, struct slice b)
{
    static struct codings ca, cb;
    read_codings(&ca, a);
    read_codings(&cb, b);
    if (key("accept-encoding", a) == key("accept-encoding", b))
        CHECK(holds(&ca, &cb) && holds(&cb, &ca));
}

/* The codings from the last to the first, with blanks. */
static void check_order(struct slice value)
{
    char area[8 * VALUE_MOST];
    struct slice item[ITEMS_MOST], rest = value;
    unsigned n = 0;
    struct text t = text_in(area, sizeof area);
    while (n < ITEMS_MOST && list_next(&rest, &item[n]))
        n++;
    if (list_next(&rest, &(struct slice){ NULL, 0 }) || slice_find(value, '"') || n == 0)
        return;
    for (unsigned i = n; i > 0; i--) {
        text_cstr(&t, i == n ? "" : " ,\t");
        text_add(&t, item[i - 1]);
    }
    CHECK(key("accept-encoding", value) == key("accept-encoding", text_slice(&t)));
}

static void check_names(struct slice value)
{
    struct arena a;
    struct msg m;
    char area[VARY_TEXT], again[VARY_TEXT];
    struct text t = text_in(area, sizeof area), u = text_in(again, sizeof again);
    arena_init(&a, 0);
    msg_init(&m, &a);
    CHECK(msg_add(&m, SLICE("Vary"), value));
    if (vary_names(&m, &t) == VARY_SOME) {
        CHECK(t.n > 0);
        CHECK(msg_set(&m, TOKEN_VARY, text_slice(&t)));
        CHECK(vary_names(&m, &u) == VARY_SOME && slice_eq(text_slice(&t), text_slice(&u)));
        vary_key(&secret, text_slice(&t), &m);
    }
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    if (size > VALUE_MOST)
        return 0;
    char *p = exact_copy(data, size);
    for (size_t i = 0; i < size; i++)
        p[i] = p[i] != '\n' && char_is(p[i], CHAR_CONTROL) ? ' ' : p[i];
    struct slice rest = { p, size }, a, b = { "", 0 };
    if (!slice_cut(&rest, '\n', &a))
        a = b;
    slice_cut(&rest, '\n', &b);
    a = slice_trim(a);
    b = slice_trim(b);
    CHECK((key("x", a) == key("x", b)) == slice_eq(a, b));
    check_codings(a, b);
    check_order(a);
    check_names(a);
    if (key("accept-language", a) == key("accept-language", b))
        CHECK(a.n == 0 || b.n > 0);
    free(p);
    return 0;
}
