/* SPDX-License-Identifier: MIT */
/* growth.h - how a stack of the library's own becomes memory on Windows. pages.c makes it so, and the assembly tells the
 * system of it.
 *
 *     low + size |  top
 *                |  committed: memory                at first COIR__COMMIT_SIZE bytes
 *                |                                   <- the stack's limit
 *                |  a guard page (PAGE_GUARD)        touched, it becomes memory, and the next page the guard
 *                |  reserved: address space only
 *            low |
 *                |  reserved: 8 pages for the system's handling of an overflow
 *                |                                   <- what the system is told of as the stack's allocation
 *                |  reserved: 1 page, so that this is never the address of the whole slab, which the system would free
 *                |            with a thread that is killed here
 *
 * The system (the kernel's handling of guard pages) raises EXCEPTION_STACK_OVERFLOW instead of moving the guard when
 * the touched one lies no higher than the bytes guaranteed to handlers (SetThreadStackGuarantee) and two pages above
 * the allocation. Up to a guarantee of 16 KiB that is within the 8 pages, so that all bytes from `low` on can be
 * used. A fiber starts with that guarantee unless its creator has a larger one: with less, what handles an unhandled
 * overflow overflows itself. */

#ifndef COIR__GROWTH_H
#define COIR__GROWTH_H

#define COIR__COMMIT_SIZE ((size_t)2 * 4096)
#define COIR__OVERFLOW_PAGES 8
#define COIR__GUARD_PAGES (COIR__OVERFLOW_PAGES + 1)
#define COIR__GUARANTEED_BYTES 16384

#endif
