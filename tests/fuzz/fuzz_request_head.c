/* A request head that passes can be written and read again as the same message; after hop_strip
 * nothing of this connection is left. However it is split, the verdict is the same. */
#include "http_fuzz.h"

#include "http/hop.h"
#include "http/uri.h"

static void check_again(const struct msg *m, bool same_framing)
{
    char area[16384];
    struct text t = text_in(area, sizeof area);
    struct arena arena;
    struct msg again;
    arena_init(&arena, 0);
    text_add(&t, m->method_text);
    text_char(&t, ' ');
    text_add(&t, m->target);
    text_cstr(&t, m->minor ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
    head_write_fields(&t, m);
    text_lit(&t, "\r\n");
    CHECK(!t.full);
    char *head = exact_copy(area, t.n);
    struct head_limits wide = { 16384, 16384, 100 };
    struct head_scan s = { 0, 0 };
    enum fault f;
    CHECK(head_scan(&s, head, (u32)t.n, &wide, &f) == t.n && !f);
    msg_init(&again, &arena);
    CHECK(request_parse(&again, head, (u32)t.n, &wide) == FAULT_NONE);
    check_same_fields(m, &again);
    if (same_framing) {
        CHECK(m->body == again.body && m->body_len == again.body_len);
        CHECK(m->keep_alive == again.keep_alive && m->method == again.method);
        CHECK(m->upgrade_websocket == again.upgrade_websocket);
    }
    free(head);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    if (size > 8192)
        return 0;
    char *p = exact_copy(data, size);
    struct arena arena;
    struct msg m;
    arena_init(&arena, 0);
    u32 n = scan_both_ways(p, (u32)size);
    char *head = exact_copy(p, n ? n : size); /* the parser must hold on its own, too */
    msg_init(&m, &arena);
    if (request_parse(&m, head, n ? n : (u32)size, &fuzz_limits) == FAULT_NONE) {
        struct target_uri uri;
        CHECK(n > 0);
        check_fields(&m);
        check_again(&m, true);
        target_parse(m.method, m.target, &uri);
        enum body_kind body = m.body;
        hop_strip(&m);
        check_fields(&m);
        CHECK(!msg_has(&m, TOKEN_CONNECTION) && !msg_has(&m, TOKEN_TRANSFER_ENCODING));
        CHECK(!msg_has(&m, TOKEN_PROXY_AUTHORIZATION) && m.body == body);
        msg_set(&m, TOKEN_VIA, m.target);
        via_seen(&m, m.target);
        check_again(&m, false);
    }
    free(head);
    free(p);
    arena_free(&arena);
    return 0;
}
