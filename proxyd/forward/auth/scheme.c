#include "forward/auth/scheme.h"

#include "base/str.h"

static const struct scheme {
    struct slice field;
    const struct auth_scheme *does;
} schemes[AUTH_SCHEMES] = {
#define AUTH(token, field, text) { { field, sizeof field - 1 }, &auth_scheme_##token },
#include "policy/auth.tbl"
#undef AUTH
};

static bool is_offered(const struct policy_auth *a, unsigned i)
{
    return a->offers & 1u << i;
}

const struct auth_scheme *auth_scheme_of(const struct policy_auth *a, struct slice credentials)
{
    for (unsigned i = 0; i < AUTH_SCHEMES; i++) {
        size_t n = schemes[i].field.n;
        if (is_offered(a, i) && credentials.n > n && credentials.p[n] == ' ' &&
            slice_eq_nocase((struct slice){ credentials.p, n }, schemes[i].field))
            return schemes[i].does;
    }
    return NULL;
}

void auth_scheme_challenge(const struct policy_auth *a, struct text *t)
{
    const char *before = "";
    for (unsigned i = 0; i < AUTH_SCHEMES; i++) {
        if (!is_offered(a, i))
            continue;
        text_cstr(t, before);
        text_add(t, schemes[i].field);
        text_char(t, ' ');
        schemes[i].does->challenge(a, t);
        before = ", ";
    }
}
