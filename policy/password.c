/*
 * crypt(3) does what it knows; Apache's MD5 and the two SHA-1 forms, which it does not know, stand
 * here on OpenSSL's digests. All compare in constant time.
 */
#include "policy/password.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/str.h"

enum scheme { BCRYPT, YESCRYPT, ROUNDS, CRYPT, APR1, SHA1, REFUSED };

enum { SHA1_BYTES = 20, MD5_BYTES = 16, APR1_ROUNDS = 1000, APR1_SALT_MOST = 8 };

/* crypt(3)'s base64. */
static const char digits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static const struct form {
    struct slice prefix;
    enum scheme scheme;
    const char *name, *text;
} forms[] = {
#define PASSWORD(token, prefix, scheme, name, text)                                                \
    { { prefix, sizeof prefix - 1 }, scheme, name, text },
#include "policy/password.tbl"
#undef PASSWORD
};

/* ---- reading ---- */

/* Digits at the front of s, at most nine of them, which are taken off; false: there are none. */
static bool take_number(struct slice *s, u64 *n)
{
    size_t len = 0;
    while (len < s->n && len < 9 && ascii_digit(s->p[len]))
        len++;
    bool is = slice_u64((struct slice){ s->p, len }, n);
    *s = slice_skip(*s, len);
    return is;
}

/* The place of c in the base64 of crypt(3); 64: it is none of it. */
static unsigned crypt_digit(char c)
{
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (unsigned)(at - digits) : 64;
}

/* "j9T$": the flavour, then one digit each for the logarithm of N and for r; their product is the
 * memory. Further parameters make it dearer. */
static bool is_dear_yescrypt(struct slice rest)
{
    return rest.n < 4 || rest.p[0] != 'j' || rest.p[3] != '$' ||
           crypt_digit(rest.p[1]) + 1 > PASSWORD_YESCRYPT_LOG_N || crypt_digit(rest.p[2]) > 31;
}

/* A file of hashes may be another's work: one hash must not keep a thread for minutes, or take all
 * memory. `rest` is what follows the prefix. */
static const char *check_cost(enum scheme scheme, struct slice rest)
{
    u64 n = 0;
    if (scheme == BCRYPT && (!take_number(&rest, &n) || n > PASSWORD_BCRYPT_COST))
        return "a bcrypt cost above 16 would take longer than 4 s a log-in";
    if (scheme == YESCRYPT && is_dear_yescrypt(rest))
        return "yescrypt with more than 128 MB would take too much for a log-in";
    if (scheme == ROUNDS && slice_starts(rest, SLICE("rounds="))) {
        rest = slice_skip(rest, 7);
        if (!take_number(&rest, &n) || n > PASSWORD_ROUNDS_MOST)
            return "more than 10,000,000 rounds would take longer than 5 s a log-in";
    }
    return NULL;
}

static const char *check_crypt(struct slice stored)
{
    char text[PASSWORD_STORED_MOST];
    memcpy(text, stored.p, stored.n);
    text[stored.n] = 0;
    int salt = crypt_checksalt(text);
    return salt == CRYPT_SALT_INVALID || salt == CRYPT_SALT_METHOD_DISABLED
               ? "the hash is cut or malformed"
               : NULL;
}

/* What follows the prefix "$apr1$": salt and digest. */
static bool cut_apr1(struct slice rest, struct slice *salt, struct slice *digest)
{
    const char *end = slice_find(rest, '$');
    if (end == NULL)
        return false;
    *salt = slice_range(rest.p, end);
    *digest = slice_range(end + 1, rest.p + rest.n);
    return salt->n >= 1 && salt->n <= APR1_SALT_MOST && digest->n == 22;
}

/* Bytes of the base64 text in `out`, of PASSWORD_STORED_MOST bytes; 0: it is malformed. */
static size_t decode(struct slice text, u8 *out)
{
    size_t padding = 0;
    if (text.n == 0 || text.n % 4)
        return 0;
    while (padding < 2 && text.p[text.n - 1 - padding] == '=')
        padding++;
    int n = EVP_DecodeBlock(out, (const u8 *)text.p, (int)text.n);
    return n < 0 ? 0 : (size_t)n - padding;
}

static const char *check_sha1(enum password_form form, struct slice rest)
{
    u8 bytes[PASSWORD_STORED_MOST];
    size_t n = decode(rest, bytes);
    bool fits = form == PASSWORD_sha ? n == SHA1_BYTES : n > SHA1_BYTES;
    return fits ? NULL : "the hash is cut or malformed";
}

static const char *check(enum password_form form, struct slice stored)
{
    struct slice rest = slice_skip(stored, forms[form].prefix.n), salt, digest;
    const char *why;
    switch (forms[form].scheme) {
    case BCRYPT:
    case YESCRYPT:
    case ROUNDS:
    case CRYPT: return (why = check_cost(forms[form].scheme, rest)) ? why : check_crypt(stored);
    case APR1: return cut_apr1(rest, &salt, &digest) ? NULL : "the hash is cut or malformed";
    case SHA1: return check_sha1(form, rest);
    default: return forms[form].text;
    }
}

static bool looks_like_des(struct slice s)
{
    bool is = s.n == 13;
    for (size_t i = 0; is && i < s.n; i++)
        is = ascii_alnum(s.p[i]) || s.p[i] == '.' || s.p[i] == '/';
    return is;
}

const char *password_read(struct slice stored, struct password *p)
{
    if (stored.n == 0)
        return "there is no password";
    if (stored.n >= PASSWORD_STORED_MOST || memchr(stored.p, 0, stored.n))
        return "the hash is too long or holds a NUL";
    for (unsigned i = 0; i < PASSWORD_FORMS; i++)
        if (slice_starts(stored, forms[i].prefix)) {
            *p = (struct password){ (enum password_form)i, stored };
            return check(p->form, stored);
        }
    return looks_like_des(stored)
               ? "DES hashes look at eight letters and are broken within hours; set the password "
                 "anew"
               : "a password in plain text; make a hash of it with `proxyd passwd`";
}

const char *password_form_name(const struct password *p)
{
    return forms[p->form].name;
}

struct slice password_cost(const struct password *p)
{
    const struct form *f = &forms[p->form];
    struct slice rest = slice_skip(p->stored, f->prefix.n);
    bool said = f->scheme == BCRYPT || f->scheme == YESCRYPT ||
                (f->scheme == ROUNDS && slice_starts(rest, SLICE("rounds=")));
    const char *end = said ? slice_find(rest, '$') : NULL;
    return slice_range(p->stored.p, end ? end : rest.p);
}

const char *password_warning(const struct password *p)
{
    return forms[p->form].text;
}

/* ---- comparing ---- */

static bool crypt_fits(const char *given, const char *stored)
{
    struct crypt_data *data = calloc(1, sizeof *data); /* 32 kB: not for a thread's stack */
    if (data == NULL)
        return false;
    const char *made = crypt_r(given, stored, data);
    size_t n = strlen(stored);
    bool fits = made && made[0] != '*' && strlen(made) == n && CRYPTO_memcmp(made, stored, n) == 0;
    OPENSSL_cleanse(data, sizeof *data);
    free(data);
    return fits;
}

/* One step of Apache's MD5, a digest of up to four pieces. False: OpenSSL refuses (no memory, or a
 * provider without MD5). */
static bool md5(EVP_MD_CTX *ctx, const struct slice *piece, unsigned n, u8 *out)
{
    bool ok = EVP_DigestInit_ex(ctx, EVP_md5(), NULL);
    for (unsigned i = 0; ok && i < n; i++)
        ok = EVP_DigestUpdate(ctx, piece[i].p, piece[i].n);
    return ok && EVP_DigestFinal_ex(ctx, out, NULL);
}

/* The digest that begins the rounds: password, "$apr1$", salt, as many bytes of the inner digest as
 * the password is long, then a NUL or the password's first letter for each bit of that length. */
static bool apr1_begin(EVP_MD_CTX *ctx, struct slice given, struct slice salt, u8 *out)
{
    static const char nul[1] = "";
    struct slice inner[] = { given, salt, given };
    u8 sum[MD5_BYTES];
    bool ok = md5(ctx, inner, 3, sum) && EVP_DigestInit_ex(ctx, EVP_md5(), NULL) &&
              EVP_DigestUpdate(ctx, given.p, given.n) && EVP_DigestUpdate(ctx, "$apr1$", 6) &&
              EVP_DigestUpdate(ctx, salt.p, salt.n);
    for (size_t left = given.n; ok && left > 0; left -= left < MD5_BYTES ? left : MD5_BYTES)
        ok = EVP_DigestUpdate(ctx, sum, left < MD5_BYTES ? left : MD5_BYTES);
    for (size_t bits = given.n; ok && bits > 0; bits >>= 1)
        ok = EVP_DigestUpdate(ctx, bits & 1 ? nul : given.p, 1);
    return ok && EVP_DigestFinal_ex(ctx, out, NULL);
}

static bool apr1_rounds(EVP_MD_CTX *ctx, struct slice given, struct slice salt, u8 *sum)
{
    bool ok = true;
    for (unsigned i = 0; ok && i < APR1_ROUNDS; i++) {
        struct slice last = { (const char *)sum, MD5_BYTES }, piece[4];
        unsigned n = 0;
        piece[n++] = i & 1 ? given : last;
        if (i % 3)
            piece[n++] = salt;
        if (i % 7)
            piece[n++] = given;
        piece[n++] = i & 1 ? last : given;
        ok = md5(ctx, piece, n, sum);
    }
    return ok;
}

/* Six bits a letter, lowest first, of triples of bytes in an order of its own. */
static void apr1_text(const u8 *sum, char *out)
{
    static const u8 order[][3] = {
        { 0, 6, 12 }, { 1, 7, 13 }, { 2, 8, 14 }, { 3, 9, 15 }, { 4, 10, 5 }
    };
    for (unsigned i = 0; i < 5; i++) {
        u32 v = (u32)sum[order[i][0]] << 16 | (u32)sum[order[i][1]] << 8 | sum[order[i][2]];
        for (unsigned k = 0; k < 4; k++, v >>= 6)
            *out++ = digits[v & 63];
    }
    *out++ = digits[sum[11] & 63];
    *out = digits[sum[11] >> 6];
}

static bool apr1_fits(struct slice given, struct slice rest)
{
    struct slice salt, digest;
    u8 sum[MD5_BYTES];
    char text[22];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool fits = ctx && cut_apr1(rest, &salt, &digest) && apr1_begin(ctx, given, salt, sum) &&
                apr1_rounds(ctx, given, salt, sum);
    EVP_MD_CTX_free(ctx);
    if (!fits)
        return false;
    apr1_text(sum, text);
    return CRYPTO_memcmp(text, digest.p, sizeof text) == 0;
}

static bool sha1_fits(struct slice given, struct slice rest)
{
    u8 stored[PASSWORD_STORED_MOST], sum[SHA1_BYTES];
    size_t n = decode(rest, stored);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool fits = ctx && n >= SHA1_BYTES && EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) &&
                EVP_DigestUpdate(ctx, given.p, given.n) &&
                EVP_DigestUpdate(ctx, stored + SHA1_BYTES, n - SHA1_BYTES) &&
                EVP_DigestFinal_ex(ctx, sum, NULL) && CRYPTO_memcmp(sum, stored, sizeof sum) == 0;
    EVP_MD_CTX_free(ctx);
    return fits;
}

bool password_fits(const struct password *p, struct slice given)
{
    char text[PASSWORD_GIVEN_MOST + 1], stored[PASSWORD_STORED_MOST];
    struct slice rest = slice_skip(p->stored, forms[p->form].prefix.n);
    bool fits = false;
    if (given.n > PASSWORD_GIVEN_MOST || (given.n && memchr(given.p, 0, given.n)))
        return false;
    if (given.n)
        memcpy(text, given.p, given.n);
    text[given.n] = 0;
    memcpy(stored, p->stored.p, p->stored.n);
    stored[p->stored.n] = 0;
    switch (forms[p->form].scheme) {
    case BCRYPT:
    case YESCRYPT:
    case ROUNDS:
    case CRYPT: fits = crypt_fits(text, stored); break;
    case APR1: fits = apr1_fits(given, rest); break;
    case SHA1: fits = sha1_fits(given, rest); break;
    case REFUSED: break;
    }
    OPENSSL_cleanse(text, sizeof text);
    return fits;
}
