/*
 * What a head costs, in nanoseconds: finding its end, parsing it, stripping and writing it. The
 * request is what a browser sends through a proxy, 700 bytes; the answer what nginx sends. The
 * best and the median of 501 short runs; a run parses the same head again, so branch prediction is
 * better than in life.
 *
 *   cc -O2 -Iproxyd bench/micro/head_parse.c proxyd/http/[a-z]*.c proxyd/base/[a-z]*.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "http/date.h"
#include "http/head.h"
#include "http/h1_write.h"
#include "http/hop.h"
#include "http/uri.h"

enum { RUNS = 501, TURNS = 1000 };

static const char request[] =
    "GET http://www.example.com/articles/2024/05/how-to-build-a-proxy?ref=newsletter HTTP/1.1\r\n"
    "Host: www.example.com\r\n"
    "Connection: keep-alive\r\n"
    "Cache-Control: max-age=0\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/124.0.0.0 Safari/537.36\r\n"
    "Accept: "
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Sec-Fetch-Site: none\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-User: ?1\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Accept-Encoding: gzip, deflate\r\n"
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    "Cookie: session=6f2b1c90a4de47c8b1b2; theme=dark; consent=yes; "
    "_ga=GA1.2.1234567890.1700000000; lang=en; last=articles-2024-05\r\n"
    "\r\n";

static const char answer[] = "HTTP/1.1 200 OK\r\n"
                             "Server: nginx/1.22.1\r\n"
                             "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                             "Content-Type: text/html; charset=utf-8\r\n"
                             "Content-Length: 12345\r\n"
                             "Last-Modified: Sat, 05 Nov 1994 08:49:37 GMT\r\n"
                             "Connection: keep-alive\r\n"
                             "ETag: \"5f3e-1a2b3c4d\"\r\n"
                             "Accept-Ranges: bytes\r\n"
                             "\r\n";

static const struct head_limits limits = { 32768, 16384, 128 };
static volatile u64 sink; /* keeps the compiler from dropping the work */

static void scan_request(void)
{
    struct head_scan s = { 0, 0 };
    enum fault f;
    sink += head_scan(&s, request, sizeof request - 1, &limits, &f);
}

static void parse_request(void)
{
    struct msg m;
    msg_init(&m, NULL);
    sink += request_parse(&m, request, sizeof request - 1, &limits) + m.nfields;
}

static void whole_request(void)
{
    scan_request();
    parse_request();
}

static void answer_both(void)
{
    struct head_scan s = { 0, 0 };
    enum fault f;
    struct msg m;
    msg_init(&m, NULL);
    u32 n = head_scan(&s, answer, sizeof answer - 1, &limits, &f);
    sink += response_parse(&m, answer, n, &limits, METHOD_GET) + m.nfields;
}

static void forward_request(void)
{
    struct msg m;
    struct target_uri uri;
    char area[2048];
    struct text out = text_in(area, sizeof area);
    scan_request();
    msg_init(&m, NULL);
    sink += request_parse(&m, request, sizeof request - 1, &limits);
    sink += target_parse(m.method, m.target, NULL, &uri);
    hop_strip(&m);
    h1_write_request_line(&out, m.method_text, uri.path_query);
    h1_write_fields(&out, &m);
    sink += out.n;
}

static void target_only(void)
{
    struct target_uri uri;
    sink += target_parse(METHOD_GET, slice_of("http://www.example.com:8080/a/b?c"), NULL, &uri);
}

static void find_token(void)
{
    static const struct slice names[] = { { "Host", 4 },
                                          { "User-Agent", 10 },
                                          { "Sec-Fetch-Mode", 14 },
                                          { "accept-encoding", 15 },
                                          { "X-Unknown", 9 },
                                          { "Cookie", 6 },
                                          { "Via", 3 },
                                          { "If-Modified-Since", 17 } };
    for (unsigned i = 0; i < countof(names); i++)
        sink += token_find(names[i]);
}

static void write_date(void)
{
    char out[DATE_TEXT];
    date_text(out, (time_t)(1700000000 + (sink & 0xffff)));
    sink += (u8)out[5];
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const char *what, void (*run)(void), unsigned parts)
{
    double ns[RUNS];
    for (unsigned r = 0; r < RUNS; r++) {
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        for (unsigned i = 0; i < TURNS; i++)
            run();
        clock_gettime(CLOCK_MONOTONIC, &b);
        ns[r] =
            ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / TURNS / parts;
    }
    qsort(ns, RUNS, sizeof *ns, by_value);
    printf("%-40s %8.1f ns, median %.1f\n", what, ns[0], ns[RUNS / 2]);
}

int main(void)
{
    struct msg m;
    msg_init(&m, NULL);
    if (request_parse(&m, request, sizeof request - 1, &limits) || m.nfields != 13)
        return 1;
    msg_init(&m, NULL);
    if (response_parse(&m, answer, sizeof answer - 1, &limits, METHOD_GET) || m.nfields != 8)
        return 1;
    printf("request %zu bytes, answer %zu bytes\n", sizeof request - 1, sizeof answer - 1);
    measure("head_scan of the request", scan_request, 1);
    measure("request_parse", parse_request, 1);
    measure("head_scan + request_parse", whole_request, 1);
    measure("head_scan + response_parse", answer_both, 1);
    measure("scan, parse, target, strip, write", forward_request, 1);
    measure("target_parse", target_only, 1);
    measure("token_find", find_token, 8);
    measure("date_text", write_date, 1);
    return 0;
}
