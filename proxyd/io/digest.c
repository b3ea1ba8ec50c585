#include "io/digest.h"

#include <openssl/evp.h>

#include "base/must.h"

static EVP_MD_CTX *context(struct digest *d)
{
    return (EVP_MD_CTX *)(void *)d;
}

struct digest *digest_new(void)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    must(c != NULL && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1);
    return (struct digest *)(void *)c;
}

void digest_add(struct digest *d, struct slice bytes)
{
    must(EVP_DigestUpdate(context(d), bytes.p, bytes.n) == 1);
}

void digest_end(struct digest *d, char out[DIGEST_TEXT])
{
    static const char hex[] = "0123456789abcdef";
    u8 sum[DIGEST_BYTES];
    must(EVP_DigestFinal_ex(context(d), sum, NULL) == 1);
    EVP_MD_CTX_free(context(d));
    for (unsigned i = 0; i < DIGEST_BYTES; i++) {
        out[2 * i] = hex[sum[i] >> 4];
        out[2 * i + 1] = hex[sum[i] & 15];
    }
    out[DIGEST_TEXT - 1] = 0;
}
