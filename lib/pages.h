/* SPDX-License-Identifier: MIT */
/* pages.h - the seam to the system's memory: address space that becomes memory when it is touched. */

#ifndef COIR__PAGES_H
#define COIR__PAGES_H

#include <stddef.h>

/* The size of a page, and what the kernel may write on a stack to deliver a signal, both in bytes. */
size_t coir__page_size(void);
size_t coir__signal_frame_size(void);

/* Address space for stacks, readable and writable; NULL if there is none. Sizes and addresses in all calls are multiples
 * of the page size. */
void *coir__pages_reserve(size_t size);
void coir__pages_release(void *low, size_t size);

/* Makes pages inaccessible until they are released, also when they are discarded meanwhile: COIR_OK, COIR_EMAPS or
 * COIR_ENOMEM. */
int coir__pages_guard(void *low, size_t size);

/* Gives the memory of pages back. What they read as when touched again is not said. */
void coir__pages_discard(void *low, size_t size);

/* How many bytes of [low, low + size), which need not be page-aligned, lie at or above the lowest page that is in
 * memory: COIR_OK or COIR_ENOTSUP. */
int coir__pages_used(void *low, size_t size, size_t *used);

#endif
