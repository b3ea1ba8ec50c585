/* The table behind chars.h. */
#include "http/chars.h"

/* Letters and digits are named once with everything they are, signs by what they may stand in. */
#define WORD (CHAR_TOKEN | CHAR_HOST | CHAR_UNRESERVED | CHAR_URI)
#define SIGN (CHAR_TOKEN | CHAR_URI)

const u8 char_classes[256] = {
    [0x00 ... 0x08] = CHAR_CONTROL,
    [0x0a ... 0x1f] = CHAR_CONTROL,
    [0x7f] = CHAR_CONTROL,
    ['0' ... '9'] = WORD,
    ['A' ... 'Z'] = WORD,
    ['a' ... 'z'] = WORD,
    ['-'] = WORD,
    ['_'] = WORD,
    ['.'] = SIGN | CHAR_UNRESERVED,
    ['~'] = SIGN | CHAR_UNRESERVED,
    ['!'] = SIGN,
    ['$'] = SIGN,
    ['%'] = SIGN,
    ['&'] = SIGN,
    ['\''] = SIGN,
    ['*'] = SIGN,
    ['+'] = SIGN,
    ['^'] = CHAR_TOKEN,
    ['`'] = CHAR_TOKEN,
    ['|'] = CHAR_TOKEN,
    ['#'] = CHAR_TOKEN,
    ['('] = CHAR_URI,
    [')'] = CHAR_URI,
    [','] = CHAR_URI,
    ['/'] = CHAR_URI,
    [':'] = CHAR_URI,
    [';'] = CHAR_URI,
    ['='] = CHAR_URI,
    ['?'] = CHAR_URI,
    ['@'] = CHAR_URI,
};

const char char_host_lower[256] = {
    ['-'] = '-',      ['_'] = '_',      ['0'] = '0',      ['1'] = '1',      ['2'] = '2',
    ['3'] = '3',      ['4'] = '4',      ['5'] = '5',      ['6'] = '6',      ['7'] = '7',
    ['8'] = '8',      ['9'] = '9',
#define LETTER(upper, lower) [upper] = (lower), [lower] = (lower)
    LETTER('A', 'a'), LETTER('B', 'b'), LETTER('C', 'c'), LETTER('D', 'd'), LETTER('E', 'e'),
    LETTER('F', 'f'), LETTER('G', 'g'), LETTER('H', 'h'), LETTER('I', 'i'), LETTER('J', 'j'),
    LETTER('K', 'k'), LETTER('L', 'l'), LETTER('M', 'm'), LETTER('N', 'n'), LETTER('O', 'o'),
    LETTER('P', 'p'), LETTER('Q', 'q'), LETTER('R', 'r'), LETTER('S', 's'), LETTER('T', 't'),
    LETTER('U', 'u'), LETTER('V', 'v'), LETTER('W', 'w'), LETTER('X', 'x'), LETTER('Y', 'y'),
    LETTER('Z', 'z'),
#undef LETTER
};
