/*
 * A whole head into struct msg: start line, then fields, one look at each byte. What the fields
 * mean for the body and the connection is framing.c. The hard thing is speed with strictness: a
 * name found in the token table needs no check of its characters, a line ends at the first control
 * character, which must be the CR of a CRLF, so both checks are the search itself.
 */
#include "http/framing.h"
#include "http/head_repair.h"

#include "base/str.h"
#include "http/scan.h"
#include "http/uri.h"

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* A head ends in two line ends, a section without fields is one. Checked first, because then the
 * search for a line end cannot run out of the head, and a CR is never its last byte. */
static bool ends_empty(const char *p, const char *end)
{
    return (end - p == 2 && memcmp(p, "\r\n", 2) == 0) ||
           (end - p >= 4 && memcmp(end - 4, "\r\n\r\n", 4) == 0);
}

/* A line ends properly at the control character p of such a head. */
static inline bool is_crlf(const char *p)
{
    return p[0] == '\r' && p[1] == '\n';
}

/* Walks over the control characters of a head, of which line ends should be the only ones. The bits
 * of 64 bytes are found at once, so that one line need not wait for the end of the line before. */
struct walk {
    const char *first, *end; /* the head */
    const char *at;          /* bit 0 of bits; the bits of [at, at + 64) are known */
    u64 bits;
};

static struct walk walk_begin(const char *first, const char *at, const char *end)
{
    return (struct walk){ first, end, at, scan_controls(first, at, end) };
}

/* The first control character from p on, or the end of the head. p never goes back, so it is at
 * most a CRLF behind the bits at hand, and may be before those that are loaded here. */
static inline const char *walk_to(struct walk *w, const char *p)
{
    u64 bits = p - w->at < SCAN_STEP ? w->bits & ~0ull << (p - w->at) : 0;
    while (unlikely(!bits)) {
        if (w->end - w->at <= SCAN_STEP)
            return w->end;
        w->at += SCAN_STEP;
        w->bits = scan_controls(w->first, w->at, w->end);
        bits = p > w->at ? w->bits & ~0ull << (p - w->at) : w->bits;
    }
    return w->at + __builtin_ctzll(bits);
}

/* Why the control character at p ends no line. */
static enum fault line_fault(const char *p)
{
    return *p == '\r' || *p == '\n' ? FAULT_bad_line_end : FAULT_bad_field_value;
}

/* The end of a line with the control p in it, when it is an answer's and controls may stay; or
 * NULL. */
__attribute__((cold, noinline)) static const char *end_behind_control(const struct msg *m,
                                                                      const char *p,
                                                                      const char *end)
{
    if (!(m->repairs & repair_bit(REPAIR_control_byte)))
        return NULL;
    for (; p < end && *p != '\r'; p++)
        if (*p == '\n' || *p == '\0')
            return NULL;
    return p < end && is_crlf(p) ? p : NULL;
}

/* Everything up to the colon: a token, no blank before the colon. */
static enum fault name_fault(const char *p, const char *colon, const char *end)
{
    if (is_blank(*p))
        return FAULT_bad_folding;
    if (colon == end || !slice_is_token(slice_range(p, colon)))
        return FAULT_bad_field_name;
    return colon - p > UINT16_MAX ? FAULT_head_too_large : FAULT_NONE;
}

/* The line [p, stop) as *f; its only bytes up to 0x20 are blanks and tabs. TOKEN_OTHER comes back
 * for a bad name as well, and then with *fault. *uneven: it is not "Name: value" CRLF. */
static inline enum token parse_field(struct field *f, const char *base, const char *p,
                                     const char *stop, const char *end, enum fault *fault,
                                     bool *uneven)
{
    const char *colon = scan_colon(base, p, stop, end);
    struct slice name = slice_range(p, colon);
    enum token t = token_find(name);
    if (unlikely(t == TOKEN_OTHER || colon == stop)) {
        *fault = name_fault(p, colon, stop);
        if (*fault)
            return TOKEN_OTHER;
    }
    const char *value = colon + 1;
    value += *value == ' '; /* there is at least the CR */
    if (unlikely((u8)*value <= ' '))
        for (; value < stop && is_blank(*value); *uneven = true)
            value++;
    if (unlikely((u8)stop[-1] <= ' '))
        for (; stop > value && is_blank(stop[-1]); *uneven = true)
            stop--;
    *uneven |= value != colon + 2;
    f->id = (u16)t;
    f->nlen = (u16)name.n;
    f->noff = (u32)(p - base);
    f->voff = (u32)(value - base);
    f->vlen = (u32)(stop - value);
    return t;
}

/* The entries of m that may still be filled without a question. */
static struct field *fields_end(struct msg *m, u32 most)
{
    return m->fields + (m->cap < most ? m->cap : most);
}

/* Fields from p to the empty line, which must be the end. `twice` collects the tokens that were
 * seen more than once. */
static enum fault parse_fields(struct msg *m, struct walk w, const char *p,
                               const struct head_limits *limits, u64 twice[2])
{
    const char *base = m->text, *stop;
    u32 most = limits->fields < UINT16_MAX ? limits->fields : UINT16_MAX, longest = limits->line;
    struct field *f = m->fields, *full = fields_end(m, most);
    enum fault fault = FAULT_NONE;
    bool uneven = false;
    for (;; p = stop + 2, f++) {
        stop = walk_to(&w, p);
        if (unlikely(!is_crlf(stop))) {
            const char *cr = end_behind_control(m, stop, w.end);
            if (cr == NULL)
                return line_fault(stop);
            w = walk_begin(base, stop = cr, w.end);
        }
        if (stop == p)
            break;
        if (unlikely(stop - p > longest))
            return FAULT_head_too_large;
        if (unlikely(f == full)) {
            m->nfields = (u16)(f - m->fields);
            if (m->nfields == most || m->arena == NULL)
                return FAULT_too_many_fields;
            if (!msg_grow(m))
                return FAULT_out_of_memory;
            f = m->fields + m->nfields;
            full = fields_end(m, most);
        }
        enum token t = parse_field(f, base, p, stop, w.end, &fault, &uneven);
        if (unlikely(fault))
            return fault;
        u64 bit = 1ull << (t & 63), *present = &m->present[t >> 6];
        twice[t >> 6] |= *present & bit;
        *present |= bit;
    }
    m->nfields = (u16)(f - m->fields);
    m->nreceived = m->nfields;
    m->uneven = uneven;
    return w.end - p == 2 ? FAULT_NONE : FAULT_bad_line_end;
}

/* "HTTP/1.x" at p; *minor. */
static enum fault parse_version(const char *p, u8 *minor)
{
    if (likely(memcmp(p, "HTTP/1.1", 8) == 0)) {
        *minor = 1;
        return FAULT_NONE;
    }
    if (memcmp(p, "HTTP/", 5) != 0 || !ascii_digit(p[5]) || p[6] != '.' || !ascii_digit(p[7]))
        return FAULT_bad_request_line;
    if (p[5] != '1')
        return FAULT_bad_version;
    *minor = p[7] != '0';
    return FAULT_NONE;
}

/* The first line, without its CRLF. */
static enum fault first_line(struct msg *m, const char *head, u32 len,
                             const struct head_limits *limits, struct walk *w, struct slice *line)
{
    m->text = head;
    m->text_len = len;
    if (len >= FIELD_EXTRA || len > limits->head)
        return FAULT_head_too_large;
    if (!ends_empty(head, head + len))
        return FAULT_bad_line_end;
    *w = walk_begin(head, head, head + len);
    const char *stop = walk_to(w, head);
    if (!is_crlf(stop))
        return line_fault(stop) == FAULT_bad_line_end ? FAULT_bad_line_end : FAULT_bad_request_line;
    if (stop - head > limits->line)
        return FAULT_target_too_long;
    *line = slice_range(head, stop);
    return FAULT_NONE;
}

/* What follows the target: SP HTTP-version. */
static enum fault version_after_target(struct slice rest, u8 *minor)
{
    if (rest.n == 0)
        return FAULT_bad_request_line;
    if (rest.p[0] != ' ')
        return FAULT_bad_target;
    if (likely(rest.n == 9))
        return parse_version(rest.p + 1, minor);
    return slice_find(slice_skip(rest, 1), ' ') ? FAULT_bad_target : FAULT_bad_request_line;
}

/* A target that is not only URI characters, or has an '@'; *end is where it ends. The limits are
 * those of what is sent on. */
static enum fault odd_target(struct msg *m, struct slice rest, const char **end,
                             const struct head_limits *limits)
{
    size_t n = 0;
    while (n < rest.n && !is_blank(rest.p[n]))
        n++;
    *end = rest.p + n;
    m->target = (struct slice){ NULL, 0 };
    if (n == 0)
        return rest.n ? FAULT_bad_target : FAULT_bad_request_line;
    enum fault f = target_take(m->method, (struct slice){ rest.p, n }, m->arena, &m->target);
    size_t more = m->target.n > n ? m->target.n - n : 0;
    if (rest.p + rest.n - m->text + more > limits->line)
        return FAULT_target_too_long;
    if (m->text_len + more > limits->head)
        return FAULT_head_too_large;
    return f || m->target.n ? f : FAULT_bad_target; /* "#": nothing was left */
}

/* method SP; *target is what follows. */
static inline enum fault parse_method(struct msg *m, struct slice line, const char **target)
{
    const char *p = line.p, *end = p + line.n;
    if (likely(line.n >= 4 && memcmp(p, "GET ", 4) == 0))
        p += 3;
    else
        while (p < end && char_is(*p, CHAR_TOKEN))
            p++;
    m->method_text = slice_range(line.p, p);
    if (unlikely(p == line.p || (p < end && *p != ' ')))
        return FAULT_bad_method;
    if (unlikely(p == end))
        return FAULT_bad_request_line;
    m->method = method_find(m->method_text);
    *target = p + 1;
    return FAULT_NONE;
}

/* method SP request-target SP HTTP-version: exactly two blanks (RFC 9112 section 3). */
static enum fault parse_request_line(struct msg *m, struct slice line,
                                     const struct head_limits *limits)
{
    const char *end = line.p + line.n, *target;
    enum fault f = parse_method(m, line, &target);
    if (unlikely(f))
        return f;
    const char *p = target;
    p = scan_odd(line.p, p, end);
    m->target = slice_range(target, p);
    if (unlikely(p == end || *p != ' ' || p == target))
        f = odd_target(m, slice_range(target, end), &p, limits);
    if (f)
        return f;
    struct slice rest = slice_range(p, end);
    f = version_after_target(rest, &m->minor);
    if (unlikely(f) && (slice_find(rest, '@') || slice_find(rest, '%')))
        m->target.n = 0; /* perhaps it is one half of a password, with the other in the rest */
    return f;
}

enum fault request_parse(struct msg *m, const char *head, u32 len, const struct head_limits *limits)
{
    struct walk w;
    struct slice line;
    u64 twice[2] = { 0, 0 };
    enum fault f = first_line(m, head, len, limits, &w, &line);
    if (!f)
        f = parse_request_line(m, line, limits);
    if (!f)
        f = parse_fields(m, w, line.p + line.n + 2, limits, twice);
    return f ? f : request_framing(m, twice);
}

/* HTTP-version SP 3DIGIT [SP reason]. That the second SP may be missing without a reason is the one
 * leniency here: many small servers do so, and nothing can be read in two ways. */
static enum fault parse_status_line(struct msg *m, struct slice line)
{
    const char *p = line.p;
    if (line.n < 12 || parse_version(p, &m->minor) || p[8] != ' ' || !ascii_digit(p[9]) ||
        !ascii_digit(p[10]) || !ascii_digit(p[11]) || p[9] == '0')
        return FAULT_response_malformed;
    m->status = (u16)((p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0'));
    if (line.n > 12 && p[12] != ' ')
        return FAULT_response_malformed;
    m->reason = line.n > 13 ? slice_skip(line, 13) : (struct slice){ NULL, 0 };
    return FAULT_NONE;
}

static enum fault response_head(struct msg *m, const char *head, u32 len,
                                const struct head_limits *limits, u64 twice[2])
{
    struct walk w;
    struct slice line;
    enum fault f = first_line(m, head, len, limits, &w, &line);
    if (!f)
        f = parse_status_line(m, line);
    return f ? f : parse_fields(m, w, line.p + line.n + 2, limits, twice);
}

static enum fault trailer_section(struct msg *m, const char *section, u32 len,
                                  const struct head_limits *limits, u64 twice[2])
{
    m->text = section;
    m->text_len = len;
    if (len >= FIELD_EXTRA || len > limits->head)
        return FAULT_head_too_large;
    if (!ends_empty(section, section + len))
        return FAULT_bad_line_end;
    struct walk w = walk_begin(section, section, section + len);
    return parse_fields(m, w, section, limits, twice);
}

/* An answer that did not parse is written anew and gets its second and last chance. What comes out
 * differs from the first time only if something was repaired. */
__attribute__((cold, noinline)) static enum fault parse_repaired(struct msg *m,
                                                                 const struct head_limits *limits,
                                                                 bool status_line, enum fault first,
                                                                 u64 twice[2])
{
    struct slice made, raw = { m->text, m->text_len };
    u16 repairs;
    if (m->arena == NULL || first == FAULT_out_of_memory || raw.n > limits->head)
        return first;
    enum fault f = head_repair(m->arena, raw, limits, status_line, &made, &repairs);
    if (f)
        return f == FAULT_out_of_memory ? f : first;
    m->nfields = 0;
    m->present[0] = m->present[1] = 0;
    m->repairs = repairs;
    twice[0] = twice[1] = 0;
    return status_line ? response_head(m, made.p, (u32)made.n, limits, twice)
                       : trailer_section(m, made.p, (u32)made.n, limits, twice);
}

enum fault response_parse(struct msg *m, const char *head, u32 len,
                          const struct head_limits *limits, enum method request_method)
{
    u64 twice[2] = { 0, 0 };
    m->response = true;
    m->method = request_method;
    m->wire_len = len;
    enum fault f = response_head(m, head, len, limits, twice);
    if (unlikely(f))
        f = parse_repaired(m, limits, true, f, twice);
    if (!f)
        f = response_framing(m, twice);
    if (unlikely(m->repairs))
        m->keep_alive = false;
    return head_fault_response(f);
}

static bool is_forbidden_trailer(const struct msg *m, const struct field *f)
{
    struct slice name = msg_name(m, f);
    if (f->id != TOKEN_OTHER)
        return token_flags((enum token)f->id) & TOKEN_NO_TRAILER;
    return name_is_proxy(name);
}

enum fault trailer_parse(struct msg *m, const char *section, u32 len,
                         const struct head_limits *limits, bool response)
{
    u64 twice[2] = { 0, 0 };
    enum fault bad = response ? FAULT_response_bad_chunk : FAULT_bad_trailer;
    m->response = response;
    m->wire_len = len;
    enum fault f = trailer_section(m, section, len, limits, twice);
    if (f && response)
        f = parse_repaired(m, limits, false, f, twice);
    if (f != FAULT_NONE)
        return f == FAULT_out_of_memory ? f : bad;
    for (unsigned i = 0; i < m->nfields; i++) {
        if (!is_forbidden_trailer(m, &m->fields[i]))
            continue;
        if (!response)
            return bad;
        m->repairs |= repair_bit(REPAIR_trailer_field);
        msg_remove_field(m, &m->fields[i]);
    }
    return FAULT_NONE;
}
