/* What lies on a disk, whoever has written it: what is taken of it writes the same bytes again, and
 * its head is one that may go to a client. */
#include "http_fuzz.h"

#include "cache/head.h"
#include "cache/stored.h"

static void check_head(struct slice text)
{
    struct head_plan plan;
    struct arena a;
    struct msg m;
    if (!head_plan_read(text, &plan))
        return;
    struct stored_head *h = malloc(plan.size);
    CHECK(h != NULL);
    stored_head_make(h, &plan);
    arena_init(&a, 0);
    msg_init(&m, &a);
    CHECK(stored_head_give(h, &m));
    CHECK(m.status >= 200 && m.status <= 999);
    CHECK(!msg_has(&m, TOKEN_CONTENT_LENGTH) && !msg_has(&m, TOKEN_TRANSFER_ENCODING));
    size_t n = sizeof "HTTP/1.1 200 \r\n\r\n" - 1 + m.reason.n;
    for (unsigned i = 0; i < m.nfields; i++) {
        struct slice value = msg_value(&m, &m.fields[i]);
        CHECK(slice_is_token(msg_name(&m, &m.fields[i])));
        for (size_t k = 0; k < value.n; k++)
            CHECK(!char_is(value.p[k], CHAR_CONTROL));
        n += msg_name(&m, &m.fields[i]).n + value.n + 4;
    }
    CHECK(n == text.n); /* and nothing stands between them */
    arena_free(&a);
    free(h);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    struct stored_meta m;
    char *p = exact_copy(data, size), *again = malloc(size ? size : 1);
    check_head((struct slice){ p, size });
    if (stored_read((struct slice){ p, size }, &m)) {
        struct text t = text_in(again, size);
        stored_write(&m, &t);
        CHECK(!t.full && t.n == size && memcmp(p, again, size) == 0);
        check_head(m.head);
    }
    free(p);
    free(again);
    return 0;
}
