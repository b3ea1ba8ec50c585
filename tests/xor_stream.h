/*
 * A layer that stands in for TLS in tests: a handshake of one byte each way, every byte XORed, at
 * most `split` of them a call in either direction, the rest held. So it reads from below more than
 * it gives away, takes less than it is offered, and has bytes half sent when it says SOCK_AGAIN.
 */
#ifndef TESTS_XOR_STREAM_H
#define TESTS_XOR_STREAM_H

#include "io/stream.h"

enum { XOR_KEY = 0x5a, XOR_HELLO = 0xa5, XOR_MOST = 4096 };

extern const struct stream_ops xor_stream;

/* Lays one on s; split from 1 to XOR_MOST. False: no memory. */
bool xor_push(struct stream *s, size_t split);

#endif
