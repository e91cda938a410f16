/* SPDX-License-Identifier: MIT */
/* allocator.h - memory for everything but stacks, and the program's own functions for both. */

#ifndef COIR__ALLOCATOR_H
#define COIR__ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>

void *coir__allocate(size_t size);
void coir__release(void *memory, size_t size); /* NULL does nothing */

/* The same for what every switch touches: at the start of a cache line of 64 bytes. */
void *coir__allocate_aligned(size_t size);
void coir__release_aligned(void *memory, size_t size);

/* A copy of a string, or NULL; to be released with strlen + 1. */
char *coir__copy_string(const char *string);

/* Stacks from the program's allocator: whether it has functions for them, and those. */
bool coir__allocates_stacks(void);
void *coir__allocate_stack(size_t size);
void coir__release_stack(void *stack, size_t size);

/* From now on coir_set_allocator is refused. */
void coir__allocator_freeze(void);

/* Gives back what the allocator holds in vain, if it is malloc: of many blocks that were freed in any order it returns by
 * itself only those above the last that is in use. */
void coir__allocator_trim(void);

#endif
