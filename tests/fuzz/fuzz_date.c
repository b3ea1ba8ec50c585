/* A date that is read is one that the C library reads as well, and it comes back from its text. */
#include "http_fuzz.h"

#include <time.h>

#include "http/date.h"

/* In which of the three formats the C library finds it, from end to end. */
static bool by_library(const char *text, time_t *t)
{
    static const char *const formats[] = { "%a, %d %b %Y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y" };
    for (unsigned i = 0; i < 2; i++) {
        struct tm tm = { 0 };
        const char *end = strptime(text, formats[i], &tm);
        if (end && *end == '\0') {
            *t = timegm(&tm);
            return true;
        }
    }
    return false;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    const time_t first = -62167219200, last = 253402300800;
    time_t t = 1, now = 1795000000, same;
    char text[DATE_TEXT], cstr[64];
    if (size > 60)
        return 0;
    char *p = exact_copy(data, size);
    if (date_read((struct slice){ p, size }, now, &t)) {
        CHECK(t >= first && t <= last);
        if (t < last) {
            date_text(text, t);
            CHECK(date_read((struct slice){ text, sizeof text }, now, &same) && same == t);
        }
        memcpy(cstr, p, size);
        cstr[size] = '\0';
        for (char *gmt = cstr; *gmt; gmt++) /* strptime takes no other than capitals here */
            if (strlen(gmt) == 3)
                for (unsigned i = 0; i < 3; i++)
                    gmt[i] = (char)(gmt[i] >= 'a' ? gmt[i] - 'a' + 'A' : gmt[i]);
        bool full_name = size > 3 && p[3] != ',' && p[3] != ' ';
        CHECK(full_name || (by_library(cstr, &same) && same == t));
        CHECK(!full_name || t <= now + 18263 * (time_t)86400);
    } else {
        CHECK(t == 1);
    }
    free(p);
    return 0;
}
