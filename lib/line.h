/* SPDX-License-Identifier: MIT */
/* line.h - a line of text, put together and written without stdio: it may be needed in the handler of a signal, when
 * nothing is certain any more. What does not fit is left out. */

#ifndef COIR__LINE_H
#define COIR__LINE_H

#include <stddef.h>
#include <stdint.h>

struct coir__line {
    size_t length;
    char text[1024];
};

static inline void coir__line_begin(struct coir__line *line)
{
    line->length = 0;
}

void coir__line_add(struct coir__line *line, const char *text);

/* A number in decimal; in hexadecimal behind 0x, of so many digits at least. */
void coir__line_add_number(struct coir__line *line, uintmax_t number);
void coir__line_add_hex(struct coir__line *line, uintptr_t number, int digits);

/* Writes the line, with its end, to a file descriptor. */
void coir__line_write(struct coir__line *line, int fd);

#endif
