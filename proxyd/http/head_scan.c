/*
 * Where does the head end, and is anything in it that must never be? 64 bytes a step, as bit maps:
 * a line end is right when the LF bits are the CR bits moved up by one, and the head ends at a CR
 * that follows an LF. No branch per line: 700 bytes take some 30 ns.
 *
 * The hard thing is that the verdict must not depend on how the bytes arrived. So the fast path
 * only ever finds "nothing wrong yet" or "here it ends"; as soon as a step shows anything else, the
 * bytes from that step on are read again one by one, in the order in which they arrived.
 */
#include "http/head.h"

#include "http/scan.h"

enum fault first_bytes(const char *p, u32 n)
{
    if (n == 0 || char_is(p[0], CHAR_TOKEN) || p[0] == '\r')
        return FAULT_NONE;
    return (u8)p[0] == 0x16 ? FAULT_tls_to_plain_port : FAULT_not_http;
}

u32 head_skip_empty(const char *p, u32 n)
{
    return n >= 2 && p[0] == '\r' && p[1] == '\n' ? 2 : 0;
}

enum fault head_fault_response(enum fault f)
{
    switch (f) {
    case FAULT_NONE:
    case FAULT_out_of_memory: return f;
    case FAULT_head_too_large:
    case FAULT_target_too_long:
    case FAULT_too_many_fields: return FAULT_response_head_too_large;
    case FAULT_bad_content_length:
    case FAULT_bad_transfer_encoding:
    case FAULT_unknown_transfer_encoding:
    case FAULT_both_lengths: return FAULT_response_bad_framing;
    default: return FAULT_response_malformed;
    }
}

/* What byte i of p does to the head, given that all before it are fine. */
static enum fault byte_fault(const struct head_scan *s, const char *p, u32 i,
                             const struct head_limits *limits)
{
    bool after_cr = i > s->line && p[i - 1] == '\r';
    if (i >= limits->head)
        return FAULT_head_too_large;
    if (after_cr != (p[i] == '\n'))
        return FAULT_bad_line_end;
    if (p[i] == '\r' || p[i] == '\n')
        return FAULT_NONE;
    if (char_is(p[i], CHAR_CONTROL))
        return s->line == 0 ? FAULT_bad_request_line : FAULT_bad_field_value;
    if (i - s->line >= limits->line)
        return s->line == 0 ? FAULT_target_too_long : FAULT_head_too_large;
    return FAULT_NONE;
}

static u32 scan_bytes(struct head_scan *s, const char *p, u32 n, const struct head_limits *limits,
                      enum fault *fault)
{
    for (u32 i = s->scanned; i < n; s->scanned = ++i) {
        enum fault f = byte_fault(s, p, i, limits);
        if (f) {
            *fault = f;
            return 0;
        }
        if (p[i] != '\n')
            continue;
        if (i - s->line == 1)
            return i + 1;
        s->line = i + 1;
    }
    return 0;
}

static inline u64 low_bits(u32 n)
{
    return n < SCAN_STEP ? (1ull << n) - 1 : ~0ull;
}

/* Looks at up to 64 bytes from s->scanned. True: they are fine and no end is among them. False: not
 * so, or not sure; *end is set when the one thing to say is that the head ends there. */
static bool step(struct head_scan *s, const char *p, u32 n, const struct head_limits *limits,
                 u32 *end)
{
    struct scan_bits b;
    u32 at = s->scanned, count = n - at < SCAN_STEP ? n - at : SCAN_STEP;
    scan_lines(&b, p, p + at, p + n);
    u64 after_cr = at > s->line && p[at - 1] == '\r';
    u64 after_lf = at == s->line;
    u64 bad = b.lf ^ (b.cr << 1 | after_cr);
    if (unlikely(b.other)) /* perhaps none, or only in what follows the head */
        bad |= scan_controls(p, p + at, p + n) & ~b.cr & ~b.lf;
    u64 ends = b.cr & (b.lf << 1 | after_lf);
    bad &= low_bits(count);
    u64 empty_line = at == s->line + 1 && after_cr; /* only its LF is missing */
    if (unlikely(empty_line))
        return false;

    u64 seen = ~0ull;
    if (ends) {
        u32 e = (u32)__builtin_ctzll(ends);
        if (e + 2 <= count) {
            count = e + 2;
            *end = at + count;
        } else if (e > 0) { /* the LF is in the next step, so that one begins with the CR */
            count = e;
        } else {
            return false;
        }
        seen = low_bits(count);
    }
    u64 lf = b.lf & seen;
    u32 first = lf ? at + (u32)__builtin_ctzll(lf) : at + count;
    if ((bad & seen) || first - s->line > limits->line || at + count > limits->head) {
        *end = 0;
        return false;
    }
    if (*end)
        return false;
    s->scanned = at + count;
    if (lf)
        s->line = at + SCAN_STEP - (u32)__builtin_clzll(lf);
    return true;
}

u32 head_scan(struct head_scan *s, const char *p, u32 n, const struct head_limits *limits,
              enum fault *fault)
{
    *fault = FAULT_NONE;
    u32 end = 0;
    if (limits->line >= SCAN_STEP) /* a step checks only its first line against the limit */
        while (s->scanned < n)
            if (!step(s, p, n, limits, &end))
                break;
    return end ? end : scan_bytes(s, p, n, limits, fault);
}
