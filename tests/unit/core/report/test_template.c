/* Pages from templates: values stand escaped where their names are, and a line without its value is
 * left out. */
#include "core/report/template.h"

#include "tests/unit/core/help_engine.h"

static char area[256];

static const char *written(const char *template, struct slice value, enum value_source source)
{
    struct text t = text_in(area, sizeof area - 1);
    struct template_value values[] = { { "a", value, source },
                                       { "b", SLICE("B"), VALUE_OF_PEER },
                                       { NULL, { NULL, 0 }, VALUE_OF_PEER } };
    template_write(&t, slice_of(template), values);
    assert_false(t.full);
    area[t.n] = 0;
    return area;
}

static void values_stand_where_their_names_are(void **state)
{
    (void)state;
    assert_string_equal(written("", SLICE("A"), VALUE_OF_PEER), "");
    assert_string_equal(written("{{a}}{{b}}", SLICE("A"), VALUE_OF_PEER), "AB");
    assert_string_equal(written("x{{b}}\n-{{a}}-{{a}}\n{y}", SLICE("A"), VALUE_OF_PEER),
                        "xB\n-A-A\n{y}");
}

static void a_line_without_its_value_is_left_out(void **state)
{
    (void)state;
    assert_string_equal(written("1\n{{b}}{{a}}\n2 {{b}}\n", SLICE(""), VALUE_OF_PEER), "1\n2 B\n");
    assert_string_equal(written("1\n<p>{{a}}</p>", SLICE(""), VALUE_OF_PEER), "1\n");
}

static void who_wrote_a_value_decides_how_it_is_shown(void **state)
{
    (void)state;
    struct slice bytes = SLICE("<&>\"'\xc3\xa9\x1b\x7f{{b}}");
    assert_string_equal(written("{{a}}", bytes, VALUE_OF_PEER),
                        "&lt;&amp;&gt;&quot;&#39;????{{b}}");
    assert_string_equal(written("{{a}}", bytes, VALUE_OF_ADMINISTRATOR),
                        "&lt;&amp;&gt;&quot;&#39;\xc3\xa9??{{b}}");
    assert_string_equal(written("{{a}}", SLICE("<b>&"), VALUE_MARKUP), "<b>&");
}

/* Inside of a URL every byte that could mean something there is encoded. */
static void as_a_part_of_a_url(void **state)
{
    (void)state;
    assert_string_equal(written("<a href=\"mailto:x?body={{%a}}\">",
                                SLICE("a-Z.0_~ &?\"%\xc3\r\n/"), VALUE_OF_PEER),
                        "<a href=\"mailto:x?body=a-Z.0_~%20%26%3F%22%25%C3%0D%0A%2F\">");
    assert_string_equal(written("1\n{{%a}}\n", SLICE(""), VALUE_OF_PEER), "1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_stand_where_their_names_are),
        cmocka_unit_test(a_line_without_its_value_is_left_out),
        cmocka_unit_test(who_wrote_a_value_decides_how_it_is_shown),
        cmocka_unit_test(as_a_part_of_a_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
