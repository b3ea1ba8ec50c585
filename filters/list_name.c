/* libidn2 says which Unicode names have an A-label; all else is checked here. */
#include "filters/list_name.h"

#include <idn2.h>

#include "base/str.h"

static bool is_ascii(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((u8)s.p[i] >= 0x80)
            return false;
    return true;
}

/* Into out->text. */
static const char *to_ascii(struct list_name *out, struct slice s)
{
    char utf8[4 * LIST_NAME];
    if (s.n >= sizeof utf8)
        return "a name of more than 253 bytes";
    if (!utf8_valid(s, NULL) || memchr(s.p, 0, s.n))
        return "no UTF-8";
    memcpy(utf8, s.p, s.n);
    utf8[s.n] = 0;
    u8 *ascii = NULL;
    int rc = idn2_lookup_u8((const u8 *)utf8, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    struct slice got = slice_of(rc == IDN2_OK ? (const char *)ascii : NULL);
    bool fits = got.n <= LIST_NAME;
    if (rc == IDN2_OK && fits)
        memcpy(out->text, got.p, out->n = got.n);
    if (rc == IDN2_OK)
        idn2_free(ascii);
    return rc != IDN2_OK ? "a name that has no A-label"
           : fits        ? NULL
                         : "a name of more than 253 bytes";
}

static const char *check_labels(const struct list_name *name)
{
    size_t label = 0;
    for (size_t i = 0; i <= name->n; i++) {
        char c = i < name->n ? name->text[i] : '.';
        if (c != '.') {
            if (!ascii_alnum(c) && c != '-' && c != '_')
                return "a character that no name has";
            if (++label > 63)
                return "a label of more than 63 bytes";
            continue;
        }
        if (label == 0)
            return "an empty label";
        label = 0;
    }
    return NULL;
}

/* Is it an address in any spelling? *why when it looks like one and is none. */
static bool address(struct list_name *out, const char **why)
{
    struct slice s = { out->text, out->n };
    struct addr a;
    bool bad = false;
    if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
        s = (struct slice){ s.p + 1, s.n - 2 };
    if (!addr_parse(s, &a) && !addr_parse_loose4(s, &a, &bad)) {
        *why = bad ? "ends in a number, but is no address" : NULL;
        return false;
    }
    struct text t = text_in(out->text, LIST_NAME);
    out->is_address = true;
    out->net = (struct cidr){ a, a.family == AF_INET ? 32 : 128 };
    addr_text(&t, &a);
    out->n = t.n;
    return true;
}

const char *list_name(struct list_name *out, struct slice s)
{
    const char *why = NULL;
    out->is_address = false;
    out->n = 0;
    if (s.n && s.p[s.n - 1] == '.')
        s.n--;
    if (s.n == 0)
        return "an empty name";
    if (!is_ascii(s)) {
        why = to_ascii(out, s);
    } else if (s.n > LIST_NAME) {
        why = "a name of more than 253 bytes";
    } else {
        for (; out->n < s.n; out->n++)
            out->text[out->n] = ascii_lower(s.p[out->n]);
    }
    if (why || address(out, &why) || why)
        return why;
    return check_labels(out);
}

bool list_name_is_suffix(struct slice name)
{
    static const char second[][7] = { "ac",  "co",  "com", "edu", "gob", "gov", "gouv",
                                      "ltd", "mil", "ne",  "net", "nom", "or",  "org" };
    const char *dot = slice_find(name, '.');
    if (dot == NULL)
        return true;
    struct slice label = slice_range(name.p, dot), top = slice_range(dot + 1, name.p + name.n);
    for (size_t i = 0; top.n == 2 && i < countof(second); i++)
        if (slice_is(label, second[i]))
            return true;
    return false;
}
