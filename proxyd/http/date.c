/* The one date format that is written, from days by the civil calendar: no libc, no locale. */
#include "http/date.h"

#include <string.h>

#include "base/types.h"

static const char day_names[] = "SunMonTueWedThuFriSat";
static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

enum { DAY = 86400, EPOCH = 719468, ERA = 146097 }; /* days from 0000-03-01; days of 400 years */

static void two(char *out, unsigned v)
{
    out[0] = (char)('0' + v / 10 % 10);
    out[1] = (char)('0' + v % 10);
}

void date_text(char out[DATE_TEXT], time_t t)
{
    const i64 first = -62167219200, last = 253402300799; /* years 0 and 9999 */
    i64 s = (i64)t < first ? first : (i64)t > last ? last : (i64)t;
    i64 days = (s >= 0 ? s : s - (DAY - 1)) / DAY;
    unsigned second = (unsigned)(s - days * DAY), weekday = (unsigned)(((days + 4) % 7 + 7) % 7);

    /* Years begin in March here, so that the leap day is the last day of one. */
    i64 z = days + EPOCH, era = (z >= 0 ? z : z - (ERA - 1)) / ERA;
    unsigned of_era = (unsigned)(z - era * ERA);
    unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
    unsigned march = (5 * of_year + 2) / 153, day = of_year - (153 * march + 2) / 5 + 1;
    unsigned month = march < 10 ? march + 2 : march - 10; /* 0: January */
    unsigned full_year = (unsigned)((i64)year + era * 400) + (month < 2);

    memcpy(out, "Ddd, DD Mmm YYYY HH:MM:SS GMT", DATE_TEXT);
    memcpy(out, day_names + 3 * (size_t)weekday, 3);
    two(out + 5, day);
    memcpy(out + 8, month_names + 3 * (size_t)month, 3);
    two(out + 12, full_year / 100);
    two(out + 14, full_year);
    two(out + 17, second / 3600);
    two(out + 20, second / 60 % 60);
    two(out + 23, second % 60);
}
