/* A ClientHello is read the same in one piece and in many, as one record and as several, and a byte
 * behind the one that decided changes nothing. The first byte of the input chooses: bytes as they
 * come, or a message of which records are made. */
#include "http_fuzz.h"

#include "http/client_hello.h"

static enum hello read_exact(const char *p, size_t n, struct host *name)
{
    char *exact = exact_copy(p, n);
    enum hello h = client_hello_read((struct slice){ exact, n }, name);
    free(exact);
    return h;
}

static void check_same(enum hello a, const struct host *x, enum hello b, const struct host *y)
{
    CHECK(a == b);
    CHECK(a != HELLO_NAME || (x->literal == y->literal && !strcmp(x->name, y->name)));
}

/* The name is one of HTTP, in its one form. */
static void check_name(const struct host *name)
{
    struct host again;
    char area[300];
    struct text t = text_in(area, sizeof area);
    CHECK(name->len > 0 && strlen(name->name) == name->len);
    host_write(&t, name, 0);
    CHECK(host_parse(text_slice(&t), &again) == FAULT_NONE && !strcmp(again.name, name->name));
}

static enum hello check_pieces(const char *p, size_t n, struct host *name)
{
    enum hello whole = read_exact(p, n, name), h = HELLO_MORE;
    size_t step = n > 2000 ? n / 500 : 1;
    for (size_t have = 0; have <= n; have += step) {
        struct host part;
        enum hello now = read_exact(p, have, &part);
        CHECK(h == HELLO_MORE || now == h);
        h = now;
        if (h != HELLO_MORE)
            check_same(h, &part, whole, name);
    }
    if (whole == HELLO_NAME)
        check_name(name);
    return whole;
}

/* As records whose sizes come from the bytes; the number of bytes. */
static size_t make_records(char *to, const char *p, size_t n, unsigned seed)
{
    char *at = to;
    for (size_t done = 0; done < n;) {
        seed = seed * 1103515245 + 12345;
        size_t more = 1 + seed / 65536 % 200;
        more = more < n - done ? more : n - done;
        memcpy(at, "\x16\3\1", 3);
        at[3] = (char)(more >> 8);
        at[4] = (char)more;
        memcpy(at + 5, p + done, more);
        at += 5 + more;
        done += more;
    }
    return (size_t)(at - to);
}

static size_t one_record(char *to, const char *p, size_t n)
{
    memcpy(to, "\x16\3\1", 3);
    to[3] = (char)(n >> 8);
    to[4] = (char)n;
    memcpy(to + 5, p, n);
    return 5 + n;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    const char *p = (const char *)data + 1;
    struct host name, other;
    if (size < 2 || size > 20000)
        return 0;
    size_t n = size - 1;
    (void)check_pieces(p, n, &name);
    if (data[0] % 2 == 0 || n > 2000)
        return 0;
    char *area = malloc(6 * n + 5);
    CHECK(area);
    enum hello whole = check_pieces(area, one_record(area, p, n), &name);
    for (unsigned seed = 1; seed < 4; seed++) {
        size_t made = make_records(area, p, n, seed * 7919 + data[0]);
        /* a message that ends within the one record has something behind it there */
        if (whole != HELLO_BROKEN)
            check_same(whole, &name, read_exact(area, made, &other), &other);
        (void)check_pieces(area, made, &other);
    }
    free(area);
    return 0;
}
