/*
 * A new stored password, by crypt(3) with a salt from the kernel. The hard thing is what bcrypt
 * does with a long one: it looks at 72 bytes and says nothing, so more of them are refused.
 */
#include <crypt.h>
#include <stdlib.h>

#include "base/str.h"
#include "policy/password.h"

enum { BCRYPT_GIVEN_MOST = 72, BCRYPT_NEW_COST = 12 };

static const struct way {
    const char *prefix;
    unsigned long cost; /* 0: crypt(3)'s own choice */
    size_t most;        /* bytes of what is given */
    const char *too_long;
} ways[] = {
    [PASSWORD_BY_BCRYPT] = { "$2y$", BCRYPT_NEW_COST, BCRYPT_GIVEN_MOST,
                             "bcrypt looks at 72 bytes and no more; yescrypt takes longer ones" },
    [PASSWORD_BY_YESCRYPT] = { "$y$", 0, PASSWORD_GIVEN_MOST, "it has more than 511 bytes" },
};

const char *password_wrong(struct slice given, enum password_way way)
{
    if (given.n == 0)
        return "it is empty";
    if (given.n > ways[way].most)
        return ways[way].too_long;
    for (size_t i = 0; i < given.n; i++)
        if ((u8)given.p[i] < 0x20 || given.p[i] == 0x7f)
            return "it holds a control character, which no client may send";
    return utf8_valid(given, NULL) ? NULL : "it is not UTF-8, and that is what clients send";
}

bool password_make(struct slice given, enum password_way way, char *out)
{
    struct crypt_data *data = calloc(1, sizeof *data);
    char text[PASSWORD_GIVEN_MOST + 1], setting[CRYPT_GENSALT_OUTPUT_SIZE];
    const char *made = NULL;
    if (data && password_wrong(given, way) == NULL &&
        crypt_gensalt_rn(ways[way].prefix, ways[way].cost, NULL, 0, setting, sizeof setting)) {
        memcpy(text, given.p, given.n);
        text[given.n] = 0;
        made = crypt_r(text, setting, data);
    }
    size_t n = made ? strlen(made) : 0;
    bool fine = made && made[0] != '*' && n < PASSWORD_STORED_MOST;
    if (fine)
        memcpy(out, made, n + 1);
    explicit_bzero(text, sizeof text);
    if (data)
        explicit_bzero(data, sizeof *data);
    free(data);
    return fine;
}
