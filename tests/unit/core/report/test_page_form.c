/* The form of a page that Accept asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/report/page.h"

static struct arena arena;

static enum page_form form_for(const char *accept)
{
    struct msg m;
    arena_init(&arena, 0);
    msg_init(&m, &arena);
    if (accept)
        msg_add(&m, SLICE("Accept"), slice_of(accept));
    enum page_form f = page_form(&m);
    arena_free(&arena);
    return f;
}

struct row {
    const char *accept;
    enum page_form form;
};

static void check(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (form_for(rows[i].accept) != rows[i].form)
            fail_msg("Accept: %s", rows[i].accept);
}

static void what_is_named(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { NULL, PAGE_TEXT },
        { "", PAGE_TEXT },
        { "*/*", PAGE_TEXT },
        { "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", PAGE_HTML },
        { "TEXT/HTML; level=1", PAGE_HTML },
        { "application/json, text/html", PAGE_JSON },
        { "application/problem+json", PAGE_JSON },
        { "image/avif, application/json ;q=0.5", PAGE_JSON },
        { "text/plain, text/html", PAGE_TEXT },
        { "text/htmlx", PAGE_TEXT },
        { ",,;, ;", PAGE_TEXT },
        { "text/*", PAGE_TEXT },
        { "application/*", PAGE_JSON },
        { "*/*, text/html", PAGE_HTML },
        { "image/avif, */*, application/json", PAGE_JSON },
        { "application/json, */*", PAGE_JSON },
    };
    check(rows, countof(rows));
}

static void weights(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "text/html;q=0, application/json", PAGE_JSON },
        { "text/html;q=0.4, application/json;q=0.5", PAGE_JSON },
        { "text/html;q=0.5, application/json;q=0.5", PAGE_HTML },
        { "application/json;q=0.123, text/html; Q=0.124", PAGE_HTML },
        { "text/plain;q=0.9, text/html", PAGE_HTML },
        { "text/html;level=1;q=0.2, text/plain", PAGE_TEXT },
        { "text/html;q=0.1, */*", PAGE_TEXT },
        { "text/plain;q=0, */*", PAGE_HTML },
        { "text/plain;q=0, text/html;q=0.000, */*;q=0.1", PAGE_JSON },
        { "text/*, text/plain;q=0.2", PAGE_HTML },
        { "application/*;q=0.8, text/html;q=0.7", PAGE_JSON },
        { "application/xhtml+xml, text/html;q=0, application/json;q=0.1", PAGE_JSON },
        { "text/html;q=0, application/json;q=0, */*;q=0", PAGE_TEXT },
        { "application/json;q=1.000, text/html;q=0.999", PAGE_JSON },
    };
    check(rows, countof(rows));
}

/* What cannot be read is no weight. */
static void no_weights(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "text/html;q=, application/json;q=0.9", PAGE_HTML },
        { "text/html;q=x, application/json;q=0.9", PAGE_HTML },
        { "text/html;q=0.1234, application/json;q=0.9", PAGE_HTML },
        { "text/html;q=-1, application/json;q=0.9", PAGE_HTML },
        { "text/html;q=0x, application/json;q=0.9", PAGE_HTML },
        { "text/html;q=9.999, application/json;q=1", PAGE_HTML },
        { "text/html;qq=0, application/json;q=0.9", PAGE_HTML },
    };
    check(rows, countof(rows));
}

static void types(void **state)
{
    (void)state;
    assert_true(slice_is(page_type(PAGE_HTML), "text/html; charset=utf-8"));
    assert_true(slice_is(page_type(PAGE_JSON), "application/json"));
    assert_true(slice_is(page_type(PAGE_TEXT), "text/plain; charset=utf-8"));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_named), cmocka_unit_test(weights),
                                        cmocka_unit_test(no_weights), cmocka_unit_test(types) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
