/* `to list`: what a list's entries mean in a rule, what is unknown, and when a policy waits. */
#include "filters/list_reader.h"
#include "filters/list_slot.h"
#include "tests/unit/policy/decide.h"

static struct list_slot slots[2];

static const struct list_slot *find(void *ctx, struct slice name)
{
    (void)ctx;
    return slice_is(name, "ads") ? &slots[0] : &slots[1];
}

static struct list_content *content(enum list_format f, const char *category, const char *text)
{
    struct filter_builder *b = filter_builder_new();
    struct list_options o = { .format = f };
    filter_builder_begin(b, SLICE("f"), slice_of(category));
    struct list_reader *r = list_reader_new(&o, filter_builder_take, b);
    list_reader_feed(r, slice_of(text));
    filter_builder_end(b, list_reader_end(r)->lines);
    list_reader_free(r);
    struct list_content *c = list_content_new(filter_list_build(b), 1);
    assert_non_null(c);
    return c;
}

/* "deny x" and so on for a request, by these rules and contents (NULL: not loaded). */
struct trial {
    struct policy_text policy;
    struct list_content *ads, *more;
};

static struct trial begin(const char *rules, struct list_content *ads, struct list_content *more)
{
    char text[1000];
    struct trial t = { .ads = ads, .more = more };
    slots[0] = (struct list_slot){ .name = SLICE("ads"), .readers = 1, .of = { ads } };
    slots[1] =
        (struct list_slot){ .name = SLICE("more"), .readers = 1, .optional = true, .of = { more } };
    snprintf(text, sizeof text,
             "policy p { default deny; connect-ports any; http-ports any; rules { %s } } "
             "list ads { } list more { }",
             rules);
    t.policy = policy_from(text);
    if (t.policy.policy == NULL)
        fail_msg("%s", t.policy.messages);
    policy_bind_lists((struct policy *)(uintptr_t)t.policy.policy, &t.policy.arena, find, NULL);
    return t;
}

static void end(struct trial *t)
{
    policy_text_free(&t->policy);
    list_content_free(t->ads);
    list_content_free(t->more);
}

static void is(const struct trial *t, struct ask ask)
{
    struct policy_decision d;
    char got[200];
    static const char *const actions[] = { "allow", "deny", "address" };
    ask.port = ask.port ? ask.port : 80;
    ask.method = ask.method ? ask.method : "GET";
    decide(t->policy.policy, &ask, &d);
    snprintf(got, sizeof got, "%s %.*s%s%.*s%s%.*s", actions[d.action], SLICE_FMT(d.rule_name),
             d.listed.list.n ? " " : "", SLICE_FMT(d.listed.list), d.listed.category.n ? "/" : "",
             SLICE_FMT(d.listed.category));
    if (d.listed.line)
        snprintf(got + strlen(got), sizeof got - strlen(got), ":%u", d.listed.line);
    assert_string_equal(got, ask.want);
}

static void names(void **state)
{
    (void)state;
    struct trial t = begin("deny x { to list ads; } allow y { }",
                           content(LIST_DOMAINS, "", "a.test\n.b.test\n"), NULL);
    is(&t, (struct ask){ .host = "a.test", .want = "deny x ads:1" });
    is(&t, (struct ask){ .host = "w.b.test", .want = "deny x ads:2" });
    is(&t, (struct ask){ .host = "w.a.test", .want = "allow y" });
    is(&t,
       (struct ask){ .host = "a.test", .port = 443, .method = "CONNECT", .want = "deny x ads:1" });
    end(&t);
}

/* A name may lead into a network of the list: its addresses decide. */
static void networks(void **state)
{
    (void)state;
    struct trial t = begin("deny x { to list ads; } allow y { }",
                           content(LIST_CIDR, "", "192.0.2.0/24\n"), NULL);
    is(&t, (struct ask){ .host = "192.0.2.7", .want = "deny x ads:1" });
    is(&t, (struct ask){ .host = "a.test", .want = "address x" });
    is(&t, (struct ask){ .host = "a.test", .at = "192.0.2.7", .want = "deny x ads:1" });
    is(&t, (struct ask){ .host = "a.test", .at = "8.8.8.8", .want = "allow y" });
    is(&t, (struct ask){ .host = "a.test", .parent = true, .want = "allow y" });
    end(&t);
}

/* An address that carries one of the list may lead there: a deny holds, an allow does not. */
static void carried_addresses(void **state)
{
    (void)state;
    static const char *const forms[] = { "[64:ff9b::c000:207]", "[2002:c000:207::1]",
                                         "[::ffff:192.0.2.7]" };
    struct trial t = begin("deny x { to list ads; } allow y { reach reserved; }",
                           content(LIST_CIDR, "", "192.0.2.0/24\n"), NULL);
    for (size_t i = 0; i < countof(forms); i++)
        is(&t, (struct ask){ .host = forms[i], .want = "deny x ads:1" });
    is(&t, (struct ask){ .host = "a.test", .at = "64:ff9b::c000:207", .want = "deny x ads:1" });
    is(&t, (struct ask){ .host = "a.test", .at = "64:ff9b::808:808", .want = "allow y" });
    end(&t);
    t = begin("allow y { to list ads; reach reserved; }", content(LIST_CIDR, "", "192.0.2.0/24\n"),
              NULL);
    is(&t, (struct ask){ .host = "a.test", .at = "64:ff9b::c000:207", .want = "deny default" });
    is(&t, (struct ask){ .host = "a.test", .at = "192.0.2.7", .want = "allow y ads:1" });
    end(&t);
}

/* A deny holds when either form of the path is listed; of a tunnel the URL ends at the host. */
static void urls(void **state)
{
    (void)state;
    struct trial t = begin("deny x { to list ads list more; } allow y { }",
                           content(LIST_URLS, "", "a.test/bad\n"),
                           content(LIST_REGEX, "", "^https://r[0-9]\\.test/$\n/worse"));
    is(&t, (struct ask){ .host = "a.test", .path = "/bad/x", .want = "deny x ads:1" });
    is(&t, (struct ask){ .host = "a.test", .path = "/%62ad", .want = "deny x ads:1" });
    is(&t, (struct ask){ .host = "a.test", .path = "/x/..%2fbad", .want = "deny x ads:1" });
    is(&t, (struct ask){ .host = "a.test", .path = "/badly", .want = "allow y" });
    is(&t, (struct ask){ .host = "b.test", .path = "/worse", .want = "deny x more:2" });
    is(&t, (struct ask){
               .host = "r1.test", .port = 443, .method = "CONNECT", .want = "deny x more:1" });
    is(&t, (struct ask){ .host = "a.test", .port = 443, .method = "CONNECT", .want = "allow y" });
    is(&t, (struct ask){ .host = "a.test", .path = "/", .path_bytes = 20000, .want = "deny x" });
    end(&t);
    t = begin("allow y { to list ads; }", content(LIST_URLS, "", "a.test/good\n"), NULL);
    is(&t, (struct ask){ .host = "a.test", .path = "/good", .want = "allow y ads:1" });
    is(&t, (struct ask){ .host = "a.test", .path = "/good/..%2fx", .want = "deny default" });
    end(&t);
}

/* What cannot be judged holds for a deny, whatever else of the rule nobody knows. */
static void unsafe_beside_unknown(void **state)
{
    (void)state;
    struct trial t =
        begin("deny x { to list ads list more; } allow y { }",
              content(LIST_CIDR, "", "192.0.2.0/24\n"), content(LIST_URLS, "", "a.test/bad\n"));
    is(&t,
       (struct ask){
           .host = "a.test", .path = "/", .path_bytes = 20000, .parent = true, .want = "deny x" });
    is(&t, (struct ask){ .host = "a.test", .parent = true, .want = "allow y" });
    end(&t);
    t = begin("deny x { to ~\"^([a-z]+)+$\" list ads; } allow y { }",
              content(LIST_CIDR, "", "192.0.2.0/24\n"), NULL);
    is(&t,
       (struct ask){ .host = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test",
                     .parent = true,
                     .want = "deny x" });
    end(&t);
}

static void categories(void **state)
{
    (void)state;
    struct trial t =
        begin("deny x { to list ads category bad b.test; } deny z { to list ads category "
              "none; } allow y { not to list ads category bad; }",
              content(LIST_SQUIDGUARD, "bad", "a.test\n"), NULL);
    is(&t, (struct ask){ .host = "w.a.test", .want = "deny x ads/bad:1" });
    is(&t, (struct ask){ .host = "b.test", .want = "deny x" });
    is(&t, (struct ask){ .host = "c.test", .want = "allow y" });
    end(&t);
}

/* An entry that takes others back, and one of a zone that only passes. */
static void exceptions(void **state)
{
    (void)state;
    struct trial t = begin("deny x { to list ads; } allow y { }",
                           content(LIST_ADBLOCK, "", "||a.test^\n@@||good.a.test^\n"), NULL);
    is(&t, (struct ask){ .host = "a.test", .want = "deny x ads:1" });
    is(&t, (struct ask){ .host = "good.a.test", .want = "allow y" });
    end(&t);
    t = begin("deny x { to list ads; } allow y { }",
              content(LIST_RPZ, "",
                      "$ORIGIN z.\n@ SOA a b 1 1 1 1 1\n*.a.test CNAME .\ngood.a.test CNAME "
                      "rpz-passthru.\n"),
              NULL);
    is(&t, (struct ask){ .host = "w.a.test", .want = "deny x ads:3" });
    is(&t, (struct ask){ .host = "good.a.test", .want = "allow y" });
    end(&t);
}

/* Nobody gets past a list that is not there, whatever the rule; an optional one is empty. */
static void not_loaded(void **state)
{
    (void)state;
    struct trial t = begin("allow y { not to list more; } deny x { to list more; }", NULL, NULL);
    is(&t, (struct ask){ .host = "a.test", .want = "allow y" });
    end(&t);
    t = begin("allow y { to b.test; } deny x { to list ads; }", NULL, NULL);
    is(&t, (struct ask){ .host = "b.test", .want = "deny list" });
    end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(networks),
        cmocka_unit_test(urls),
        cmocka_unit_test(carried_addresses),
        cmocka_unit_test(unsafe_beside_unknown),
        cmocka_unit_test(categories),
        cmocka_unit_test(exceptions),
        cmocka_unit_test(not_loaded),
    };
    return cmocka_run_group_tests(tests, no_own_addresses, NULL);
}
