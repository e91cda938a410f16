/* SPDX-License-Identifier: MIT */
/* allocator.c - where memory comes from: malloc, or the program's own functions. */

#include <config.h>

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <coir/stack.h>

#include "allocator.h"
#include "os.h"

static coir_allocator current;
static atomic_bool frozen;

static bool half_given(const coir_allocator *allocator)
{
    return (allocator->allocate == NULL) != (allocator->release == NULL) ||
           (allocator->stack_allocate == NULL) != (allocator->stack_release == NULL);
}

int coir_set_allocator(const coir_allocator *allocator)
{
    static const coir_allocator none;

    if (allocator == NULL)
        allocator = &none;
    if (half_given(allocator))
        return COIR_EINVAL;
    for (size_t i = 0; i < sizeof allocator->reserved / sizeof allocator->reserved[0]; i++)
        if (allocator->reserved[i] != NULL)
            return COIR_EINVAL;
    if (frozen)
        return COIR_EBUSY;
    current = *allocator;
    return COIR_OK;
}

void coir__allocator_freeze(void)
{
    if (!atomic_load_explicit(&frozen, memory_order_relaxed))
        frozen = true;
}

void *coir__allocate(size_t size)
{
    return current.allocate != NULL ? current.allocate(size, current.context) : malloc(size);
}

void coir__release(void *memory, size_t size)
{
    if (memory == NULL)
        return;
    if (current.release != NULL)
        current.release(memory, size, current.context);
    else
        free(memory);
}

void *coir_allocate(size_t size)
{
    coir__allocator_freeze();
    return coir__allocate(size);
}

void coir_release(void *memory, size_t size)
{
    coir__release(memory, size);
}

/* malloc aligns to 16 at least; what it gave is noted behind the memory. */
#define LINE 64
#define ALIGNED_SIZE(size) ((size) + LINE - 16 + sizeof(void *))

void *coir__allocate_aligned(size_t size)
{
    char *start = coir__allocate(ALIGNED_SIZE(size));
    char *aligned;

    if (start == NULL)
        return NULL;
    aligned = start + (LINE - (uintptr_t)start % LINE) % LINE;
    memcpy(aligned + size, &start, sizeof start);
    return aligned;
}

void coir__release_aligned(void *memory, size_t size)
{
    char *start;

    memcpy(&start, (char *)memory + size, sizeof start);
    coir__release(start, ALIGNED_SIZE(size));
}

char *coir__copy_string(const char *string)
{
    size_t size = strlen(string) + 1;
    char *copy = coir__allocate(size);

    return copy != NULL ? memcpy(copy, string, size) : NULL;
}

bool coir__allocates_stacks(void)
{
    return current.stack_allocate != NULL;
}

void *coir__allocate_stack(size_t size)
{
    return current.stack_allocate(size, current.context);
}

void coir__release_stack(void *stack, size_t size)
{
    current.stack_release(stack, size, current.context);
}

void coir__allocator_trim(void)
{
    if (current.allocate == NULL)
        coir__os_trim_heap();
}
