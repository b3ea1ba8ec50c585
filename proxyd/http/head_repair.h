/* Answers that break the grammar of a head and still have one reading. For head_parse.c only: what
 * it makes is read by the strict parser like any other head. */
#ifndef HTTP_HEAD_REPAIR_H
#define HTTP_HEAD_REPAIR_H

#include "http/head.h"

/* Writes raw, a whole head or trailer section, anew into memory of `arena`: every line in one piece
 * and with CRLF, no blank before a colon, one blank between the parts of the status line.
 * FAULT_NONE: *made is it, and *repairs what was done, never 0; controls in a value are counted but
 * stay. FAULT_bad_line_end: nothing of this kind is wrong with it, or something has two readings
 * (NUL, a bare CR, a line of blanks only, a folded line that follows no field) or is too long.
 * FAULT_out_of_memory. */
enum fault head_repair(struct arena *arena, struct slice raw, const struct head_limits *limits,
                       bool status_line, struct slice *made, u16 *repairs);

#endif
