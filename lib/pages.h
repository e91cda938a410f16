/* SPDX-License-Identifier: MIT */
/* pages.h - the seam to the system's memory: address space that becomes memory when it is touched. */

#ifndef COIR__PAGES_H
#define COIR__PAGES_H

#include <stdbool.h>
#include <stddef.h>

/* The size of a page, and what the kernel may write on a stack to deliver a signal, both in bytes. */
size_t coir__page_size(void);
size_t coir__signal_frame_size(void);

/* Address space for stacks; NULL if there is none. Sizes and addresses in all calls are multiples of the page size. */
void *coir__pages_reserve(size_t size);
void coir__pages_release(void *low, size_t size);

/* How many bytes below each stack are to be kept for its guard, and whether that is wanted at all: 0 if not, where a
 * stack can do without one. */
size_t coir__pages_guard_size(bool wanted);

/* Makes the guard, so many bytes from `low` on, inaccessible until it is released: COIR_OK, COIR_EMAPS or
 * COIR_ENOMEM. */
int coir__pages_guard(void *low, size_t size);

/* Makes reserved address space above a guard usable as a stack, one that is touched from above: COIR_OK or COIR_ENOMEM.
 * It lasts until it is discarded. */
int coir__pages_open(void *low, size_t size);

/* Gives the memory of an opened stack back; its guard stays. It is to be opened before it is used again, and then
 * what it reads as is not said. Several that are neighbours can be given back at once, with the guards between them.
 * False if not all of it was given back: programs may lock memory. */
bool coir__pages_discard(void *low, size_t size);

/* How many of `count` pages from `low` on come before the first that is in memory: all of them if none is. Negative
 * if the system does not tell. */
ptrdiff_t coir__pages_absent(char *low, size_t count);

#endif
