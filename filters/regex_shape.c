/* Two readings of a pattern: as a plain text, and as a host. */
#include "filters/regex_shape.h"

#include "base/str.h"
#include "filters/list_name.h"
#include "filters/regex_tokens.h"

static bool only_text(struct regex_shape_of *out, struct slice pattern)
{
    struct regex_tokens t = { .pattern = pattern };
    while (slice_starts(slice_skip(pattern, t.at), SLICE(".*")))
        t.at += 2; /* where to begin is free anyway */
    if (t.at && t.at < pattern.n && strchr("?+*{", pattern.p[t.at]))
        return false;
    for (out->n = 0;;) {
        if (out->n && slice_is(slice_skip(pattern, t.at), ".*"))
            return true;
        enum regex_token found = regex_next(&t);
        if (found == TOKEN_END)
            return out->n > 0;
        if (found != TOKEN_CHAR)
            return false;
        out->text[out->n++] = t.c;
    }
}

static bool take_one_of(struct slice *s, const char *const *forms)
{
    for (; *forms; forms++) {
        if (slice_starts(*s, slice_of(*forms))) {
            *s = slice_skip(*s, strlen(*forms));
            return true;
        }
    }
    return false;
}

/* "ads\.example\.com" into out; at least two labels. */
static bool take_host(struct regex_shape_of *out, struct slice *s, bool caseless)
{
    bool dot = false;
    for (out->n = 0; s->n && out->n < 253;) {
        char c = s->p[0];
        size_t used = 1;
        if (s->n > 1 && c == '\\' && s->p[1] == '.') {
            if (out->n == 0 || out->text[out->n - 1] == '.')
                return false;
            used = 2;
            c = '.';
            dot = true;
        } else if (ascii_alnum(c) && (caseless || c == ascii_lower(c))) {
            c = ascii_lower(c);
        } else if (c != '-') {
            break;
        }
        out->text[out->n++] = c;
        *s = slice_skip(*s, used);
    }
    return dot && out->text[out->n - 1] != '.';
}

static bool url_of_host(struct regex_shape_of *out, struct slice p, bool caseless)
{
    static const char *const scheme[] = { "^https?://",   "^https?:\\/\\/", "^(http|https)://",
                                          "^http(s)?://", "^(?:https?)://", NULL };
    static const char *const below[] = { "([^/]*\\.)?",
                                         "([^/]+\\.)?",
                                         "(?:[^/]*\\.)?",
                                         "(?:[^/]+\\.)?",
                                         "([^/:]*\\.)?",
                                         "([^/:]+\\.)?",
                                         "([^/?#]*\\.)?",
                                         "(?:[^/?#]*\\.)?",
                                         "(?:[^/:]+\\.)?",
                                         "(?:[^/:?#]*\\.)?",
                                         NULL };
    static const char *const end[] = { "(:[0-9]+)?(/|$)",
                                       "(?::[0-9]+)?(?:/|$)",
                                       "(:\\d+)?(/|$)",
                                       "(?::\\d+)?(?:/|$)",
                                       "(:[0-9]+)?/",
                                       "(:\\d+)?/",
                                       "(?::[0-9]+)?/",
                                       "(?::\\d+)?/",
                                       "([:/]|$)",
                                       "(?:[:/]|$)",
                                       "[:/]",
                                       "[/:]",
                                       NULL };
    if (!take_one_of(&p, scheme))
        return false;
    out->kind = take_one_of(&p, below) ? HOST_BOTH : HOST_ITSELF;
    return take_host(out, &p, caseless) && take_one_of(&p, end) && p.n == 0;
}

static bool host_alone(struct regex_shape_of *out, struct slice p, bool caseless)
{
    static const char *const both[] = { "(^|\\.)", "(?:^|\\.)", "^(.*\\.)?", "^(.+\\.)?", NULL };
    static const char *const itself[] = { "^", NULL };
    static const char *const below[] = { "\\.", NULL };
    out->kind = take_one_of(&p, both)     ? HOST_BOTH
                : take_one_of(&p, itself) ? HOST_ITSELF
                : take_one_of(&p, below)  ? HOST_BELOW
                                          : 0;
    return out->kind && take_host(out, &p, caseless) && slice_is(p, "$");
}

/* Addresses are looked up as such, so a set of hosts would not find them. */
static bool is_a_name(const struct regex_shape_of *out)
{
    struct list_name is;
    struct slice text = { out->text, out->n };
    return list_name(&is, text) == NULL && !is.is_address;
}

void regex_shape(struct regex_shape_of *out, struct slice pattern, bool caseless,
                 enum regex_subject subject)
{
    out->shape = REGEX_OTHER;
    out->n = 0;
    if (pattern.n > REGEX_TEXT_ROOM)
        return;
    if (only_text(out, pattern))
        out->shape = REGEX_TEXT;
    else if ((subject == REGEX_OF_URL ? url_of_host(out, pattern, caseless)
                                      : host_alone(out, pattern, caseless)) &&
             is_a_name(out))
        out->shape = REGEX_HOST;
}
