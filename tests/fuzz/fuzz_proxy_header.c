/* A PROXY header is read the same in one piece and in many, and bytes behind it change nothing. The
 * first byte of the input chooses: bytes as they come, or addresses of which a header of either
 * version is made, which has to say what was put in. */
#include "http_fuzz.h"

#include "base/addr.h"
#include "http/proxy_header.h"

static enum proxy_header read_exact(const char *p, size_t n, struct proxy_header_facts *out)
{
    char *exact = exact_copy(p, n);
    enum proxy_header h = proxy_header_read((struct slice){ exact, n }, out);
    free(exact);
    return h;
}

static enum proxy_header check_pieces(const char *p, size_t n, struct proxy_header_facts *whole)
{
    enum proxy_header is = read_exact(p, n, whole), h = PROXY_HEADER_MORE;
    for (size_t have = 0; have <= n; have++) {
        struct proxy_header_facts part;
        enum proxy_header now = read_exact(p, have, &part);
        CHECK(h == PROXY_HEADER_MORE || now == h);
        CHECK(now != PROXY_HEADER_WHOLE || (part.len == whole->len && part.len <= have &&
                                            addr_same(&part.client, &whole->client)));
        h = now;
    }
    CHECK(h == is);
    CHECK(is != PROXY_HEADER_WHOLE || whole->len <= PROXY_HEADER_MOST);
    return is;
}

static size_t line_of(char *to, size_t room, const struct addr *client, bool v6)
{
    struct text t = text_in(to, room);
    text_lit(&t, "PROXY ");
    text_cstr(&t, v6 ? "TCP6 " : "TCP4 ");
    addr_text(&t, client);
    text_cstr(&t, v6 ? " ::1 " : " 127.0.0.1 ");
    text_u64(&t, client->port);
    text_lit(&t, " 80\r\n");
    return t.n;
}

static size_t binary_of(char *to, const u8 *ip, u16 port, bool v6)
{
    size_t one = v6 ? 16 : 4, size = 2 * one + 4;
    memcpy(to, "\r\n\r\n\0\r\nQUIT\n\x21", 13);
    to[13] = v6 ? 0x21 : 0x11;
    to[14] = 0;
    to[15] = (char)size;
    memset(to + 16, 0, size);
    memcpy(to + 16, ip, one);
    to[16 + 2 * one] = (char)(port >> 8);
    to[17 + 2 * one] = (char)port;
    return 16 + size;
}

static void check_made(const u8 *ip, u16 port, bool v6)
{
    char made[300];
    struct proxy_header_facts facts;
    struct addr client = addr_of_bytes(v6 ? AF_INET6 : AF_INET, ip);
    client.port = port;
    size_t n = binary_of(made, ip, port, v6);
    CHECK(check_pieces(made, n, &facts) == PROXY_HEADER_WHOLE);
    CHECK(facts.len == n && addr_same(&facts.client, &client));
    n = line_of(made, sizeof made, &client, client.family == AF_INET6);
    CHECK(check_pieces(made, n, &facts) == PROXY_HEADER_WHOLE);
    CHECK(facts.len == n && addr_same(&facts.client, &client));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    struct proxy_header_facts facts;
    if (size < 1 || size > PROXY_HEADER_MOST + 100)
        return 0;
    (void)check_pieces((const char *)data + 1, size - 1, &facts);
    if (size >= 19)
        check_made(data + 3, (u16)(data[1] << 8 | data[2]), data[0] & 1);
    return 0;
}
