/* SPDX-License-Identifier: MIT */
/* line.c - a line of text, without stdio. */

#include <config.h>

#include <string.h>

#include "line.h"
#include "os.h"

static void add(struct coir__line *line, const char *text, size_t length)
{
    size_t room = sizeof line->text - 1 - line->length; /* one is for the end of the line */

    if (length > room)
        length = room;
    memcpy(line->text + line->length, text, length);
    line->length += length;
}

void coir__line_add(struct coir__line *line, const char *text)
{
    add(line, text, strlen(text));
}

static void add_digits(struct coir__line *line, uintmax_t number, unsigned base, int least)
{
    char digits[3 * sizeof number];
    char *first = digits + sizeof digits;

    do {
        *--first = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0 || digits + sizeof digits - first < least);
    add(line, first, (size_t)(digits + sizeof digits - first));
}

void coir__line_add_number(struct coir__line *line, uintmax_t number)
{
    add_digits(line, number, 10, 1);
}

void coir__line_add_hex(struct coir__line *line, uintptr_t number, int digits)
{
    add(line, "0x", 2);
    add_digits(line, number, 16, digits);
}

void coir__line_write(struct coir__line *line, int fd)
{
    line->text[line->length] = '\n';
    coir__os_write(fd, line->text, line->length + 1);
}
