/* The scheme Basic: name and password, compared with a hash in a file (check.h). */
#include "core/exchange/xchg.h"
#include "forward/auth/scheme.h"
#include "policy/basic.h"

static void challenge(const struct policy_auth *a, struct text *t)
{
    text_lit(t, "realm=\"");
    text_add(t, a->realm);
    text_lit(t, "\", charset=\"UTF-8\"");
}

static enum verdict begin(struct xchg *x, struct auth_users *u, struct auth_print print,
                          struct slice credentials)
{
    char area[BASIC_DECODED_MOST];
    struct slice name, password;
    enum verdict v = REFUSED;
    x->fault = FAULT_auth_malformed;
    if (basic_read(credentials, area, &name, &password)) {
        x->fault = FAULT_NONE;
        v = auth_check_begin(x, u, print, name, password);
    }
    explicit_bzero(area, sizeof area);
    return v;
}

const struct auth_scheme auth_scheme_basic = { .passed = STAT_auth_basic_passed,
                                               .failed = STAT_auth_basic_failed,
                                               .challenge = challenge,
                                               .begin = begin };
