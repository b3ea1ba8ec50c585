/* Files that are part of the binary, so that nothing is looked for at run time. */
#ifndef BASE_EMBED_H
#define BASE_EMBED_H

#include "base/slice.h"

/* Defines `name`, a function that gives the file's bytes as a slice; path is from the top folder.
 * The object depends on the file: the Makefile says which. */
#define EMBED(name, path)                                                                          \
    __asm__(".section .rodata\n" #name "_first: .incbin \"" path "\"\n" #name "_end: .byte 0\n"    \
            ".previous\n");                                                                        \
    extern const char name##_first[], name##_end[];                                                \
    static inline struct slice name(void)                                                          \
    {                                                                                              \
        return slice_range(name##_first, name##_end);                                              \
    }

#endif
