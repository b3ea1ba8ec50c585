/* Each format's lines, what becomes of them, and that pieces of any size make no difference. */
#include "filters/list_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* What was read, as "LINE KIND TEXT FLAGS" joined by "; ". */
struct said {
    char text[4096];
    size_t n;
};

static const char *take(void *ctx, const struct list_entry *e)
{
    static const char *const kinds[] = { "host", "net", "client", "url", "text", "regex" };
    static const char *const effects[] = { "", " important", " except", " pass", " drop", " page" };
    static const char *const parties[] = { "", " third", " first" };
    static const char *const hosts[] = { "", " exact", " below", " both" };
    struct said *s = ctx;
    char area[ADDR_TEXT];
    struct text t = text_in(area, sizeof area);
    struct slice shown = e->text;
    if (e->kind == ENTRY_NET || e->kind == ENTRY_CLIENT) {
        addr_text(&t, &e->net.base);
        text_char(&t, '/');
        t.n += (size_t)snprintf(area + t.n, sizeof area - t.n, "%u", e->net.bits);
        shown = text_slice(&t);
    }
    s->n +=
        (size_t)snprintf(s->text + s->n, sizeof s->text - s->n, "%s%u %s%s %.*s%s%s%s%s%s%.*s",
                         s->n ? "; " : "", e->line, e->removes ? "-" : "", kinds[e->kind],
                         SLICE_FMT(shown), e->kind == ENTRY_HOST ? hosts[e->hosts] : "",
                         e->kind >= ENTRY_TEXT && e->caseless ? " nocase" : "", effects[e->effect],
                         parties[e->party], e->page.n ? " " : "", SLICE_FMT(e->page));
    assert_true(s->n < sizeof s->text);
    return NULL;
}

static struct list_report read_all(const struct list_options *o, struct slice text, size_t piece,
                                   struct said *said)
{
    *said = (struct said){ .n = 0 };
    struct list_reader *r = list_reader_new(o, take, said);
    assert_non_null(r);
    for (size_t at = 0; at < text.n; at += piece) {
        size_t n = text.n - at < piece ? text.n - at : piece;
        char *exact = malloc(n); /* so that a byte read too far is seen */
        memcpy(exact, text.p + at, n);
        list_reader_feed(r, (struct slice){ exact, n });
        free(exact);
    }
    struct list_report report = *list_reader_end(r);
    list_reader_free(r);
    return report;
}

/* Reads it whole and byte by byte; the entries are as expected. */
static struct list_report reads(struct list_options o, const char *text, const char *expected)
{
    struct said said, again;
    struct list_report report = read_all(&o, slice_of(text), 1 << 20, &said);
    struct list_report pieces = read_all(&o, slice_of(text), 1, &again);
    assert_string_equal(said.text, expected);
    assert_string_equal(again.text, expected);
    assert_memory_equal(&report, &pieces, sizeof report);
    return report;
}

static struct list_report as(enum list_format f, const char *text, const char *expected)
{
    return reads((struct list_options){ .format = f }, text, expected);
}

/* The one line is rejected, for that reason. */
static void rejects(enum list_format f, const char *line, const char *why)
{
    struct list_report r = as(f, line, "");
    assert_int_equal(r.rejected, 1);
    assert_string_equal(r.told[0].why, why);
}

static void skips(enum list_format f, const char *line, enum list_skip why)
{
    struct list_report r = as(f, line, "");
    assert_int_equal(r.skipped[why], 1);
    assert_int_equal(r.rejected, 0);
}

static void lines_and_names(void **state)
{
    (void)state;
    as(LIST_DOMAINS,
       "\xef\xbb\xbf"
       "a.example\r\n\n  B.Example. \t# why\n#c\n!c\n;c\nc.example",
       "1 host a.example exact; 3 host b.example exact; 7 host c.example exact");
    as(LIST_DOMAINS, ".a.example\n*.b.example\n_x._y.example\n",
       "1 host a.example both; 2 host b.example below; 3 host _x._y.example exact");
    as(LIST_DOMAINS,
       "b\xc3\xbc"
       "cher.example\nB\xc3\x9c"
       "CHER.example\nxn--bcher-kva.example\n",
       "1 host xn--bcher-kva.example exact; 2 host xn--bcher-kva.example exact; "
       "3 host xn--bcher-kva.example exact");
    as(LIST_DOMAINS, "10.1.2.3\n0x7f.1\n2001:DB8::1\n[::1]\n::ffff:1.2.3.4\n",
       "1 net 10.1.2.3/32; 2 net 127.0.0.1/32; 3 net 2001:db8::1/128; 4 net ::1/128; "
       "5 net 1.2.3.4/32");
    as(LIST_DOMAINS, "\xef\xbb", "");
    rejects(LIST_DOMAINS, "a..example", "an empty label");
    rejects(LIST_DOMAINS, "a b", "more than one word");
    rejects(LIST_DOMAINS, "http://a.example/", "a character that no name has");
    rejects(LIST_DOMAINS, "a*.example", "a character that no name has");
    rejects(LIST_DOMAINS, "1.2.3.4.5", "ends in a number, but is no address");
    rejects(LIST_DOMAINS, "\xff\xfe.example", "no UTF-8");
    rejects(LIST_DOMAINS, "\xe2\x80\xae.example", "a name that has no A-label");
    rejects(LIST_DOMAINS, "*.10.0.0.1", "an address has no subdomains");
    rejects(LIST_DOMAINS, ".", "an empty name");
}

static void lengths(void **state)
{
    char line[LIST_LINE + 3];
    (void)state;
    memset(line, 'a', sizeof line);
    memcpy(line + 63, ".example", 9);
    as(LIST_DOMAINS, line + 1,
       "1 host aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
       ".example exact");
    line[63] = 'a';
    line[64] = 0;
    rejects(LIST_DOMAINS, line, "a label of more than 63 bytes");
    for (size_t i = 0; i < 254; i++)
        line[i] = i % 2 ? '.' : 'a';
    memcpy(line + 254, "a", 2);
    rejects(LIST_DOMAINS, line, "a name of more than 253 bytes");
    memset(line, ' ', sizeof line);
    memcpy(line + LIST_LINE - 9, "a.example", 10);
    as(LIST_DOMAINS, line, "1 host a.example exact");
    memset(line, ' ', sizeof line);
    memcpy(line + LIST_LINE - 8, "a.example\n", 11);
    rejects(LIST_DOMAINS, line, "longer than 4096 bytes");
    struct said said;
    struct list_options o = { .format = LIST_DOMAINS };
    struct list_report r = read_all(&o, SLICE("a\0.example\nb.example"), 3, &said);
    assert_string_equal(said.text, "2 host b.example exact");
    assert_string_equal(r.told[0].why, "a NUL byte");
}

static void only_ten_are_told(void **state)
{
    char text[512] = "";
    (void)state;
    for (unsigned i = 0; i < 30; i++)
        strcat(text, "a..b\x01\n");
    struct list_report r = as(LIST_DOMAINS, text, "");
    assert_int_equal(r.rejected, 30);
    assert_int_equal(r.told[9].line, 10);
    assert_string_equal(r.told[9].text, "a..b?");
}

static void suffixes_are_warned_of(void **state)
{
    struct list_report r;
    (void)state;
    r = as(LIST_SQUIDGUARD, "a.example\nco.uk\ncom\n",
           "1 host a.example both; 2 host co.uk both; 3 host com both");
    assert_true(r.suffixes == 2 && r.first_suffix == 2);
    assert_int_equal(r.bare, MEANS_SUBDOMAINS);
    r = as(LIST_DOMAINS, "co.uk\n", "1 host co.uk exact");
    assert_int_equal(r.suffixes, 0);
    assert_int_equal(r.bare, MEANS_EXACT);
    r = reads((struct list_options){ .format = LIST_DOMAINS, .subdomains = true }, "a.example\n",
              "1 host a.example both");
    assert_int_equal(r.bare, MEANS_SUBDOMAINS);
}

static void hosts_files(void **state)
{
    (void)state;
    struct list_report r =
        as(LIST_HOSTS,
           "127.0.0.1 localhost\n::1\tip6-localhost ip6-loopback\nfe80::1%lo0 localhost\n"
           "  0.0.0.0 a.example b.example #c.example\n10.0.0.1 intranet.example\n"
           "::  d.example\n127.1.2.3 e.example\n0.0.0.0 0.0.0.0\n",
           "4 host a.example exact; 4 host b.example exact; 6 host d.example exact; "
           "7 host e.example exact");
    assert_int_equal(r.skipped[SKIP_BOILERPLATE], 5);
    assert_int_equal(r.skipped[SKIP_OVERRIDE], 1);
    rejects(LIST_HOSTS, "a.example", "does not begin with an address");
    rejects(LIST_HOSTS, "0.0.0.0", "an address without a name");
}

static void squidguard(void **state)
{
    (void)state;
    as(LIST_SQUIDGUARD, ".a.example\n10.1.2.3\n", "1 host a.example both; 2 net 10.1.2.3/32");
    rejects(LIST_SQUIDGUARD, "*.a.example", "a character that no name has");
    struct list_report r =
        as(LIST_SQUIDGUARD_URLS,
           "foo.example/what/ever\nhttp://www3.foo.example:8080/X?y\nfoo.example\nfoo.example/\n"
           "10.0.0.1/~a\nfoo.example?q\nfoo.example/\xc3\xa4#\n",
           "1 url foo.example/what/ever; 2 url www3.foo.example/X?y; 3 url foo.example; "
           "4 url foo.example; 5 url 10.0.0.1/~a; 6 url foo.example/?q; "
           "7 url foo.example/%C3%A4");
    assert_int_equal(r.ports, 1);
    rejects(LIST_SQUIDGUARD_URLS, "foo.example/#x", "a fragment is never asked for");
    rejects(LIST_SQUIDGUARD_URLS, "user@foo.example/", "a user before the host");
    rejects(LIST_SQUIDGUARD_URLS, "gopher://foo.example/", "a scheme that a proxy does not see");
    rejects(LIST_SQUIDGUARD_URLS, "foo.example/a b", "more than one word");
    as(LIST_EXPRESSIONS, "^[0-9]+/search\\?q=[0-9]+$\n[\\/]x[[:alpha:]]\n\\<ad[]\\]\n/ads/\n# no\n",
       "1 regex ^[0-9]+/search\\?q=[0-9]+$ nocase; 2 regex [\\\\/]x[[:alpha:]] nocase; "
       "3 regex \\b(?=\\w)ad[\\]\\\\] nocase; 4 text /ads/ nocase");
    rejects(LIST_EXPRESSIONS, "0", "a text of less than three bytes");
    rejects(LIST_EXPRESSIONS, "http", "matches nearly every URL");
    reads((struct list_options){ .format = LIST_RPZ, .diff = true }, "\n\n", "");
    reads((struct list_options){ .format = LIST_SQUIDGUARD, .diff = true },
          "+a.example\n-b.example\n", "1 host a.example both; 2 -host b.example both");
}

static void resolvers(void **state)
{
    (void)state;
    as(LIST_DNSMASQ,
       "address=/a.example/b.example/0.0.0.0\naddress=/c.example/\naddress=/d.example/#\n"
       "server=/e.example/\nlocal=/.f.example/ # x\naddress=/*.g.example/::\n",
       "1 host a.example both; 1 host b.example both; 2 host c.example both; "
       "3 host d.example both; 4 host e.example both; 5 host f.example both; "
       "6 host g.example below");
    skips(LIST_DNSMASQ, "address=/a.example/10.0.0.1", SKIP_OVERRIDE);
    skips(LIST_DNSMASQ, "server=/a.example/8.8.8.8", SKIP_SETTING);
    skips(LIST_DNSMASQ, "server=/a.example/#", SKIP_SETTING);
    skips(LIST_DNSMASQ, "domain-needed", SKIP_SETTING);
    skips(LIST_DNSMASQ, "server=8.8.8.8", SKIP_SETTING);
    rejects(LIST_DNSMASQ, "address=/#/0.0.0.0", "every name there is");
    rejects(LIST_DNSMASQ, "address=/a.example", "no / behind the name");
    as(LIST_UNBOUND,
       "server:\nlocal-zone: \"a.example.\" always_nxdomain\nlocal-zone: b.example redirect\n"
       "local-data: \"b.example. 60 IN A 0.0.0.0\"\nlocal-data: \"c.example A 127.0.0.1\"\n",
       "2 host a.example both; 4 host b.example both; 5 host c.example exact");
    skips(LIST_UNBOUND, "local-zone: a.example transparent", SKIP_SETTING);
    skips(LIST_UNBOUND, "local-data: \"a.example A 10.0.0.1\"", SKIP_OVERRIDE);
}

static void adblock(void **state)
{
    (void)state;
    as(LIST_ADBLOCK,
       "[Adblock Plus 2.0]\n! "
       "c\n||a.example^\n||b.example\n@@||c.example^\n||d.example^$important\n"
       "||e.example^$third-party\n||f.example^$~third-party,doc\n||*.g.example^\n||10.0.0.1^\n"
       "||h.example^$badfilter\n",
       "3 host a.example both; 4 host b.example both; 5 host c.example both except; "
       "6 host d.example both important; 7 host e.example both third; "
       "8 host f.example both first; 9 host g.example below; 10 net 10.0.0.1/32; "
       "11 -host h.example both");
    as(LIST_ADBLOCK,
       "/banner/ads_\n*/ad-top*\n-Pixel-$match-case\n/ad[0-9]+x/\n/ads?$/$match-case\n",
       "1 text /banner/ads_ nocase; 2 text /ad-top nocase; 3 text -Pixel-; "
       "4 regex ad[0-9]+x nocase; 5 regex ads?$");
#define SEPARATOR "(?:[^a-zA-Z0-9_.%-]|$)"
#define BORDER "^[a-z][a-z0-9+.-]*://(?:[^/?#]*\\.)?"
    as(LIST_ADBLOCK, "|https://a.example/x\n||a.example/x^\nx*y|\n||google.^\n||ads\n",
       "1 regex ^https\\:\\/\\/a\\.example\\/x nocase; "
       "2 regex " BORDER "a\\.example\\/x" SEPARATOR " nocase; 3 regex x.*y$ nocase; "
       "4 regex " BORDER "google\\." SEPARATOR " nocase; 5 regex " BORDER "ads nocase");
    as(LIST_ADBLOCK, "||com^$denyallow=a.com|b.com\n/x[0-9]/$denyallow=a.com\n",
       "1 regex ^(?![a-z][a-z0-9+.-]*://(?:[^/?#]*\\.)?(?:a\\.com|b\\.com)(?:[:/]|$))"
       "[a-z][a-z0-9+.-]*://(?:[^/?#]*\\.)?com" SEPARATOR " nocase; "
       "2 regex ^(?![a-z][a-z0-9+.-]*://(?:[^/?#]*\\.)?(?:a\\.com)(?:[:/]|$)).*(?:x[0-9]) nocase");
    skips(LIST_ADBLOCK, "||a.example^$domain=b.example", SKIP_OPTION);
    skips(LIST_ADBLOCK, "||a.example^$third-party,script", SKIP_OPTION);
    skips(LIST_ADBLOCK, "||a.example^$", SKIP_OPTION);
    skips(LIST_ADBLOCK, "/ad[0-9]/$domain=b.example", SKIP_OPTION);
    skips(LIST_ADBLOCK, "/a/$path=/b/", SKIP_OPTION);
    skips(LIST_ADBLOCK, "a.example##.ad", SKIP_PAGE);
    skips(LIST_ADBLOCK, "##.ad", SKIP_PAGE);
    skips(LIST_ADBLOCK, "a.example#@#.ad", SKIP_PAGE);
    rejects(LIST_ADBLOCK, "*", "matches everything");
    rejects(LIST_ADBLOCK, "||^", "matches everything");
    rejects(LIST_ADBLOCK, "||*^$important", "matches everything");
    rejects(LIST_ADBLOCK, "http", "matches nearly every URL");
    rejects(LIST_ADBLOCK, "0.0.0.0 a.example", "a blank in a pattern");
    rejects(LIST_ADBLOCK, "||0x7f.1^", "an address in an odd spelling");
}

#define APEX "$TTL 2h\n$ORIGIN rpz.test.\n@ IN SOA ns. root. (\n 1 ; serial\n 2 3 4 5 )\n  NS ns.\n"

static void zones(void **state)
{
    (void)state;
    struct list_report r =
        as(LIST_RPZ,
           APEX
           "a.example CNAME .\n*.a.example 60 IN CNAME *.\nb.example IN 60 CNAME rpz-passthru.\n"
           "c.example CNAME rpz-drop.\nd.example CNAME garden.test.\ne.example A 0.0.0.0\n"
           "          AAAA ::\nf.example.rpz.test. CNAME .\ng.example CNAME *.garden.test.\n"
           "h.example CNAME h.example.\n",
           "7 host a.example exact; 8 host a.example below; 9 host b.example exact pass; "
           "10 host c.example exact drop; 11 host d.example exact page garden.test; "
           "12 host e.example exact; 14 host f.example exact; "
           "15 host g.example exact page garden.test; 16 host h.example exact pass");
    assert_int_equal(r.rejected, 0);
    as(LIST_RPZ,
       APEX "24.0.2.0.192.rpz-ip CNAME .\n128.1.zz.db8.2001.rpz-ip CNAME .\n"
            "32.zz.db8.2001.rpz-ip CNAME .\n128.1.zz.rpz-ip CNAME .\n8.0.0.0.10.rpz-client-ip "
            "CNAME rpz-drop.\n"
            "64.0.0.0.0.3.2.1.2001.rpz-ip CNAME .\n",
       "7 net 192.0.2.0/24; 8 net 2001:db8::1/128; 9 net 2001:db8::/32; 10 net ::1/128; "
       "11 client 10.0.0.0/8 drop; 12 net 2001:1:2:3::/64");
    r = as(LIST_RPZ,
           APEX
           "out.example. CNAME .\nns.example.rpz-nsdname CNAME .\na.example CNAME rpz-tcp-only.\n"
           "b.example A 10.0.0.1\nc.example TXT \"x ; y\"\n",
           "");
    assert_int_equal(r.skipped[SKIP_TRIGGER], 3);
    assert_int_equal(r.skipped[SKIP_OVERRIDE], 2);
    r = as(LIST_RPZ,
           APEX "* CNAME .\na\\.b CNAME .\nc CNAME\n$INCLUDE x\n24.1.2.0.192.rpz-ip CNAME .\n"
                "d\\097.example CNAME .\n",
           "12 host da.example exact");
    assert_int_equal(r.rejected, 5);
    reads((struct list_options){ .format = LIST_RPZ, .zone = SLICE("z.test") },
          "a.example CNAME .\nb.example.z.test. CNAME .\n",
          "1 host a.example exact; 2 host b.example exact");
    r = as(LIST_RPZ, "a.example CNAME .\nb.example. CNAME .\nc ( CNAME", "1 host a.example exact");
    assert_int_equal(r.skipped[SKIP_TRIGGER], 1);
    assert_string_equal(r.told[0].why, "the file ends inside of parentheses");
}

static void patterns_and_networks(void **state)
{
    (void)state;
    as(LIST_REGEX,
       "# c\n^http://[^/]+/Ad\n(?i)/Ad[x]\n^https?://([^/]*\\.)?a\\.example[:/]\n/ads/banner\n",
       "2 regex ^http://[^/]+/Ad; 3 regex /Ad[x] nocase; 4 host a.example both; "
       "5 text /ads/banner");
    as(LIST_CIDR, "10.0.0.0/8 ; SBL1\n192.0.2.1 # x\n2001:db8::/32\n",
       "1 net 10.0.0.0/8; 2 net 192.0.2.1/32; 3 net 2001:db8::/32");
    rejects(LIST_REGEX, "(?i)", "matches every URL");
    rejects(LIST_CIDR, "10.0.0.1/8", "bits are set beyond the prefix");
    rejects(LIST_CIDR, "a.example", "not an address or network");
    struct list_report r = as(LIST_HOSTPORTS, "a.example:443\nb.example\n[::1]:8080\n",
                              "1 host a.example exact; 2 host b.example exact; 3 net ::1/128");
    assert_int_equal(r.ports, 2);
}

static void the_family_of_a_file(void **state)
{
    static const struct {
        const char *text;
        enum list_format format;
    } rows[] = {
        { "# c\na.example\n.b.example\n", LIST_DOMAINS },
        { "0.0.0.0 a.example\n127.0.0.1 in\n", LIST_HOSTS },
        { "! c\n||a.example^\n||b.example^\n", LIST_ADBLOCK },
        { "[Adblock Plus 2.0]\n/ads/\n", LIST_ADBLOCK },
        { "address=/a.example/0.0.0.0\n", LIST_DNSMASQ },
        { "server:\nlocal-zone: \"a.example\" refuse\n", LIST_UNBOUND },
        { "$TTL 60\n@ SOA a. b. 1 2 3 4 5\na.example CNAME .\n", LIST_RPZ },
        { "^http://[^/]+/ads\nbanner[0-9]\n", LIST_REGEX },
        { "10.0.0.0/8\n192.0.2.1\n", LIST_CIDR },
        { "192.0.2.1\n192.0.2.2\n", LIST_CIDR },
        { "192.0.2.1\na.example\n", LIST_DOMAINS },
        { "a.example/x\nhttp://b.example/y\n", LIST_URLS },
        { "a.example:443\nb.example:80\n", LIST_HOSTPORTS },
        { "##########\n## ours ##\n##########\na.example\n", LIST_DOMAINS },
        { "###########\n###########\n0.0.0.0 a.example ## x\n", LIST_HOSTS },
        { "a.example # seen in May\nb.example ## in May, too\n", LIST_DOMAINS },
        { "##.ad\na.example##.ad\n", LIST_ADBLOCK },
        { "", LIST_DOMAINS },
    };
    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        struct said said;
        struct list_options o = { .format = LIST_AUTO };
        assert_int_equal(read_all(&o, slice_of(rows[i].text), 1, &said).format, rows[i].format);
    }
    struct list_report r = as(LIST_AUTO, "a.example\nb.example\n0.0.0.0 c.example\n",
                              "1 host a.example exact; 2 host b.example exact");
    assert_int_equal(r.rejected, 1); /* not guessed line by line */
}

static void names_of_formats(void **state)
{
    (void)state;
    for (enum list_format f = 0; f < LIST_FORMATS; f++)
        assert_int_equal(list_format_find(slice_of(list_format_name(f))), f);
    assert_int_equal(list_format_find(SLICE("yaml")), LIST_FORMATS);
    for (enum list_meaning m = MEANS_NOTHING; m <= MEANS_TEXT; m++)
        assert_non_null(list_meaning_text(m));
    for (enum list_skip s = 0; s < SKIP_KINDS; s++)
        assert_non_null(list_skip_text(s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_and_names),
        cmocka_unit_test(lengths),
        cmocka_unit_test(only_ten_are_told),
        cmocka_unit_test(suffixes_are_warned_of),
        cmocka_unit_test(hosts_files),
        cmocka_unit_test(squidguard),
        cmocka_unit_test(resolvers),
        cmocka_unit_test(adblock),
        cmocka_unit_test(zones),
        cmocka_unit_test(patterns_and_networks),
        cmocka_unit_test(the_family_of_a_file),
        cmocka_unit_test(names_of_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
