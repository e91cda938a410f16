/* SPDX-License-Identifier: MIT */
/* slab.h - large mappings carved into stacks of one kind, shared by all threads.
 *
 *     base                                                          base + count * stride
 *      | guard | stack 0 ........ | guard | stack 1 ........ | guard | stack 2 ........ |
 *
 * A kind is a size and whether there are guards. A stack is known by its slot, a small record beside the slab, so that a
 * free stack's own memory need not be touched. */

#ifndef COIR__SLAB_H
#define COIR__SLAB_H

#include <stdbool.h>
#include <stddef.h>

/* Four sizes to each power of two, from one page to 2^29 pages, each with and without
 * guards. */
#define COIR__SLAB_SIZES (4 * 28)
#define COIR__SLAB_KINDS (2 * COIR__SLAB_SIZES)

struct coir__slab;

struct coir__slot {
    struct coir__slot *next; /* in whatever list the free stack is */
    struct coir__slab *slab;
};

/* The kind of stack that serves a request for `size` bytes, or COIR__SLAB_KINDS if that is too much for any. */
unsigned coir__slab_kind(size_t size, bool guarded);
unsigned coir__slot_kind(const struct coir__slot *slot);

/* Where the slot's stack lies, without the guard, and the number of the slot in its slab. */
char *coir__slot_low(const struct coir__slot *slot);
size_t coir__slot_size(const struct coir__slot *slot);
size_t coir__slot_number(const struct coir__slot *slot);

/* Takes up to `count` stacks of a kind, at least one, as a list: COIR_OK, COIR_ENOMEM or COIR_EMAPS. `taken` tells how
 * many. */
int coir__slab_take(unsigned kind, size_t count, struct coir__slot **list, size_t *taken);

/* Gives a list of stacks of one kind back; their memory goes to the system, and so does each slab that is then unused,
 * but for a small one that is kept for the next need. */
void coir__slab_give(struct coir__slot *list);

/* Unmaps the unused slabs that were kept. */
void coir__slab_trim(void);

#endif
