/* A request head that passes can be written and read again as the same message; after hop_strip
 * nothing of this connection is left. However it is split, the verdict is the same. */
#include "http_fuzz.h"

#include "http/h1_write.h"
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
    h1_write_fields(&t, m);
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

/* Strictness in other words than the parser's: every line ends in CR LF, holds no other control, is
 * not folded, and has no blank before its colon; one sort of length, and once. */
static void check_strict(const struct msg *m, const char *p, u32 n)
{
    CHECK(!m->repairs && m->wire_len == 0);
    for (const char *line = p, *end = p + n, *lf; line < end; line = lf + 1) {
        lf = memchr(line, '\n', (size_t)(end - line));
        CHECK(lf && lf > line && lf[-1] == '\r');
        for (const char *c = line; c < lf - 1; c++)
            CHECK(*c == '\t' || !char_is(*c, CHAR_CONTROL));
        const char *colon = memchr(line, ':', (size_t)(lf - line));
        if (line == p || lf == line + 1)
            continue;
        CHECK(*line != ' ' && *line != '\t');
        CHECK(colon > line && colon[-1] != ' ' && colon[-1] != '\t');
    }
    CHECK(msg_count(m, TOKEN_CONTENT_LENGTH) + msg_count(m, TOKEN_TRANSFER_ENCODING) <= 1);
    struct slice length = msg_get(m, TOKEN_CONTENT_LENGTH);
    for (size_t i = 0; i < length.n; i++)
        CHECK(length.p[i] >= '0' && length.p[i] <= '9');
}

/* The target says the same whether the Host field was of help or not. */
static void check_target(const struct msg *m)
{
    struct target_uri own, helped;
    enum fault f = target_parse(m->method, m->target, NULL, &own);
    CHECK(target_parse(m->method, m->target, m->host_field->host.len ? m->host_field : NULL,
                       &helped) == f);
    if (f)
        return;
    CHECK(own.form == helped.form && own.port == helped.port && own.has_port == helped.has_port);
    CHECK(own.host.len == helped.host.len && own.host.literal == helped.host.literal);
    CHECK(memcmp(own.host.name, helped.host.name, own.host.len + 1u) == 0);
    CHECK(memcmp(&own.host.addr, &helped.host.addr, sizeof own.host.addr) == 0);
    CHECK(slice_eq(own.authority, helped.authority) && slice_eq(own.path, helped.path));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    if (size > 8192)
        return 0;
    char *p = exact_copy(data, size);
    struct arena arena;
    struct msg m;
    struct authority said = { .port = 0 };
    arena_init(&arena, 0);
    u32 n = scan_both_ways(p, (u32)size, false);
    char *head = exact_copy(p, n ? n : size); /* the parser must hold on its own, too */
    msg_init(&m, &arena);
    m.host_field = &said;
    if (request_parse(&m, head, n ? n : (u32)size, &fuzz_limits) == FAULT_NONE) {
        CHECK(n > 0);
        check_fields(&m);
        check_strict(&m, head, n);
        check_again(&m, true);
        check_target(&m);
        enum body_kind body = m.body;
        struct slice host = msg_get(&m, TOKEN_HOST);
        hop_strip(&m);
        check_fields(&m);
        CHECK(!msg_has(&m, TOKEN_HOST));
        CHECK(!msg_has(&m, TOKEN_CONNECTION) && !msg_has(&m, TOKEN_TRANSFER_ENCODING));
        CHECK(!msg_has(&m, TOKEN_PROXY_AUTHORIZATION) && m.body == body);
        msg_set(&m, TOKEN_VIA, m.target);
        if (host.p)
            msg_set(&m, TOKEN_HOST, host);
        via_seen(&m, m.target);
        check_again(&m, false);
    }
    free(head);
    free(p);
    arena_free(&arena);
    return 0;
}
