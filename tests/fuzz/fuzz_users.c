/*
 * Password and groups files, and credentials. A user that was read is found by his name, his
 * identity begins with it and no group stands in it twice; credentials that are taken, encoded
 * again, are the ones that were sent.
 */
#include "http_fuzz.h"

#include "base/str.h"
#include "policy/basic.h"
#include "policy/users.h"

static void check_identity(const struct user *user)
{
    struct slice rest = user->identity, one, other;
    CHECK(slice_cut(&rest, 0, &one) && slice_eq(one, user->name));
    CHECK(user->identity.n <= USERS_IDENTITY_MOST + USERS_NAME_MOST);
    while (slice_cut(&rest, 0, &one)) {
        struct slice behind = rest;
        CHECK(one.n > 0 && identity_in_group(user->identity, one));
        while (slice_cut(&behind, 0, &other))
            CHECK(!slice_eq(one, other));
    }
}

static void check_users(struct slice passwords, struct slice groups)
{
    struct users *u = users_new(passwords, groups, NULL);
    for (size_t i = 0; i < users_count(u); i++) {
        const struct user *user = users_at(u, i);
        struct password again;
        CHECK(users_find(u, user->name) == user);
        CHECK(password_read(user->password.stored, &again) == NULL);
        check_identity(user);
    }
    CHECK((users_usual_password(u) != NULL) == (users_count(u) > 0));
    users_free(u);
}

static void check_basic(struct slice value)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char area[BASIC_DECODED_MOST], again[BASIC_ENCODED_MOST + 4];
    struct slice name, password;
    size_t n = 0;
    if (!basic_read(value, area, &name, &password))
        return;
    size_t bytes = name.n + 1 + password.n;
    for (size_t i = 0; i < bytes; i += 3) {
        u32 v = 0;
        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (i + k < bytes ? (u8)area[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            again[n++] = i + k > bytes ? '=' : digits[v >> (18 - 6 * k) & 63];
    }
    value = slice_trim(value);
    CHECK(value.n > n && memcmp(value.p + value.n - n, again, n) == 0);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    struct slice whole = { (const char *)data, size }, passwords;
    (void)slice_cut(&whole, (char)0xff, &passwords);
    check_basic(passwords);
    check_users(passwords, whole);
    return 0;
}
