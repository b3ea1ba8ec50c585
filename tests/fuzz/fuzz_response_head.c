/* As fuzz_request_head, for answers; the first byte chooses the method that was asked. What was
 * repaired needs no repair once it is written, and is refused in a request. */
#include "http_fuzz.h"

#include "http/h1_write.h"
#include "http/hop.h"

static void check_again(const struct msg *m)
{
    char area[16384];
    struct text t = text_in(area, sizeof area);
    struct arena arena;
    struct msg again;
    arena_init(&arena, 0);
    text_cstr(&t, m->minor ? "HTTP/1.1 " : "HTTP/1.0 ");
    text_u64(&t, m->status);
    text_char(&t, ' ');
    text_add(&t, m->reason);
    text_lit(&t, "\r\n");
    h1_write_fields(&t, m);
    text_lit(&t, "\r\n");
    CHECK(!t.full);
    char *head = exact_copy(area, t.n);
    struct head_limits wide = { 16384, 16384, 100 };
    msg_init(&again, &arena);
    CHECK(response_parse(&again, head, (u32)t.n, &wide, m->method) == FAULT_NONE);
    check_same_fields(m, &again);
    CHECK(m->status == again.status && slice_eq(m->reason, again.reason));
    CHECK(m->body == again.body && m->body_len == again.body_len);
    CHECK(m->repairs ? !m->keep_alive : m->keep_alive == again.keep_alive);
    CHECK(!(again.repairs & ~(m->repairs & repair_bit(REPAIR_control_byte))));
    free(head);
    arena_free(&arena);
}

/* The forms that are wrong in a request as well. */
static bool is_wrong_in_a_request(const struct msg *m, const char *fields, const char *end)
{
    bool control = false;
    for (; fields < end; fields++)
        control |= char_is(*fields, CHAR_CONTROL) && *fields != '\r' && *fields != '\n';
    return control ||
           m->repairs & (repair_bit(REPAIR_line_end) | repair_bit(REPAIR_folding) |
                         repair_bit(REPAIR_blank_before_colon) | repair_bit(REPAIR_equal_lengths) |
                         repair_bit(REPAIR_both_lengths));
}

/* The repaired fields behind a request line that ends as the status line did. */
static void check_request(const struct msg *m, const char *head, u32 len)
{
    static const char line[] = "POST / HTTP/1.1", host[] = "Host: a\r\n";
    char area[8400];
    const char *lf = memchr(head, '\n', len);
    if (!m->repairs || !is_wrong_in_a_request(m, lf + 1, head + len))
        return;
    struct text t = text_in(area, sizeof area);
    text_lit(&t, line);
    if (lf[-1] == '\r')
        text_char(&t, '\r');
    text_char(&t, '\n');
    text_lit(&t, host);
    text_put(&t, lf + 1, (size_t)(head + len - lf - 1));
    CHECK(!t.full);
    struct arena arena;
    struct msg request;
    struct head_limits wide = { 16384, 16384, 200 };
    char *exact = exact_copy(area, t.n);
    arena_init(&arena, 0);
    msg_init(&request, &arena);
    CHECK(request_parse(&request, exact, (u32)t.n, &wide) != FAULT_NONE && !request.repairs);
    free(exact);
    arena_free(&arena);
}

/* What RFC 9112 section 6.3 says in other words than framing.c. */
static void check_body(const struct msg *m)
{
    bool none = m->status < 200 || m->status == 204 || m->status == 304 ||
                m->method == METHOD_HEAD || (m->method == METHOD_CONNECT && m->status < 300);
    CHECK((m->body == BODY_NONE) == none);
    CHECK(m->body != BODY_STREAMED || msg_has(m, TOKEN_TRANSFER_ENCODING));
    CHECK(m->body != BODY_LENGTH || msg_count(m, TOKEN_CONTENT_LENGTH) == 1);
    CHECK(m->body != BODY_UNTIL_CLOSE || !m->keep_alive);
    CHECK(!(msg_has(m, TOKEN_TRANSFER_ENCODING) && msg_has(m, TOKEN_CONTENT_LENGTH)));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    static const enum method methods[] = { METHOD_GET, METHOD_HEAD, METHOD_CONNECT, METHOD_POST };
    if (size < 1 || size > 8192)
        return 0;
    enum method method = methods[data[0] & 3];
    char *p = exact_copy(data + 1, size - 1);
    struct arena arena;
    struct msg m, trailer;
    arena_init(&arena, 0);
    u32 n = scan_both_ways(p, (u32)size - 1, true);
    u32 len = n ? n : (u32)size - 1;
    char *head = exact_copy(p, len);
    msg_init(&m, &arena);
    enum fault f = response_parse(&m, head, len, &fuzz_limits, method);
    CHECK(f == FAULT_NONE || f == FAULT_response_malformed || f == FAULT_response_bad_framing ||
          f == FAULT_response_head_too_large);
    if (f == FAULT_NONE) {
        CHECK(n > 0);
        check_fields(&m);
        check_body(&m);
        check_again(&m);
        check_request(&m, head, len);
        hop_strip(&m);
        check_fields(&m);
        CHECK(!msg_has(&m, TOKEN_CONNECTION) && !msg_has(&m, TOKEN_PROXY_AUTHENTICATE));
    }
    msg_init(&trailer, &arena);
    if (trailer_parse(&trailer, head, len, &fuzz_limits, true) == FAULT_NONE) {
        check_fields(&trailer);
        for (unsigned i = 0; i < trailer.nfields; i++)
            CHECK(trailer.fields[i].id == FIELD_DELETED ||
                  !(token_flags((enum token)trailer.fields[i].id) & TOKEN_NO_TRAILER));
    }
    free(head);
    free(p);
    arena_free(&arena);
    return 0;
}
