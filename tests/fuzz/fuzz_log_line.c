/*
 * A line of an access log, which clients have filled and others may have written: what is taken for
 * a request can be put into a request line, and nothing else comes out of it.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/must.h"
#include "http/chars.h"
#include "log_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct log_line *l = must_zalloc(sizeof *l);
    if (log_line_read((struct slice){ (const char *)data, n }, l) == LOG_LINE_REQUEST) {
        must(slice_is_token(l->method) && l->client.family != 0);
        must(l->target_n > 0 && l->target_n <= sizeof l->target);
        for (size_t i = 0; i < l->target_n; i++)
            must((uint8_t)l->target[i] > ' ' && l->target[i] != 0x7f);
        log_line_end(l);
    }
    must(l->json == NULL);
    free(l);
    return 0;
}
