/* A chunked body decodes to the same data and verdict in one piece and in many; what was decoded
 * can be encoded and decoded again. An answer's body is read as a request's is, but for what is a
 * repair there, for which a request's is refused. */
#include "http_fuzz.h"

#include "http/chunk.h"

struct result {
    enum chunk_result verdict;
    size_t consumed, n;
    char *data;
    bool repaired;
};

static struct result decode(const char *p, size_t n, unsigned seed, bool answer)
{
    struct result r = { .verdict = CHUNK_MORE, .data = malloc(n + 1) };
    struct chunk_in c = { .answer = answer };
    CHECK(r.data);
    for (size_t have = seed ? 0 : n;;) {
        struct slice run = { NULL, 0 };
        size_t used;
        char *exact = exact_copy(p + r.consumed, have - r.consumed);
        r.verdict = chunk_decode(&c, exact, have - r.consumed, &used, &run);
        CHECK(used <= have - r.consumed);
        r.consumed += used;
        r.repaired = c.blanks;
        if (r.verdict == CHUNK_DATA) {
            size_t k = seed ? 1 + (seed = seed * 1103515245 + 12345) / 65536 % run.n : run.n;
            CHECK(run.p == exact + used && run.n > 0 && run.n <= have - r.consumed);
            memcpy(r.data + r.n, run.p, k);
            r.n += k;
            r.consumed += k;
            chunk_took(&c, k);
        }
        free(exact);
        if (r.verdict == CHUNK_LAST || r.verdict == CHUNK_BAD)
            return r;
        if (r.verdict == CHUNK_DATA)
            continue;
        CHECK(r.consumed == have);
        if (have == n)
            return r;
        seed = seed * 1103515245 + 12345;
        size_t more = 1 + seed / 65536 % 9;
        have = more < n - have ? have + more : n;
    }
}

static void encode_again(const struct result *r)
{
    char *out = malloc(r->n + 2 * (20 + 2) + 20), *at = out;
    CHECK(out);
    size_t half = r->n / 2, parts[2] = { half, r->n - half }, from = 0;
    for (unsigned i = 0; i < 2; i++) {
        if (parts[i] == 0)
            continue;
        at += chunk_header(at, parts[i]);
        memcpy(at, r->data + from, parts[i]);
        from += parts[i];
        at += parts[i];
        memcpy(at, "\r\n", 2);
        at += 2;
    }
    at += chunk_header(at, 0);
    struct result again = decode(out, (size_t)(at - out), 0, false);
    CHECK(again.verdict == CHUNK_LAST && again.consumed == (size_t)(at - out));
    CHECK(again.n == r->n && memcmp(again.data, r->data, r->n) == 0);
    free(again.data);
    free(out);
}

static void check_splits(const struct result *whole, const u8 *data, size_t size, bool answer)
{
    for (unsigned seed = 1; seed < 4; seed++) {
        struct result r = decode((const char *)data, size, seed * 7919 + (unsigned)size, answer);
        CHECK(r.verdict == whole->verdict && r.consumed == whole->consumed);
        CHECK(r.n == whole->n && memcmp(r.data, whole->data, r.n) == 0);
        CHECK(r.repaired == whole->repaired);
        free(r.data);
    }
    if (whole->verdict == CHUNK_LAST)
        encode_again(whole);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    if (size > 40000)
        return 0;
    struct result strict = decode((const char *)data, size, 0, false);
    struct result answer = decode((const char *)data, size, 0, true);
    check_splits(&strict, data, size, false);
    check_splits(&answer, data, size, true);
    CHECK(!strict.repaired);
    if (answer.repaired) {
        CHECK(strict.verdict == CHUNK_BAD);
    } else {
        CHECK(strict.verdict == answer.verdict && strict.consumed == answer.consumed);
        CHECK(strict.n == answer.n && memcmp(strict.data, answer.data, answer.n) == 0);
    }
    free(strict.data);
    free(answer.data);
    return 0;
}
