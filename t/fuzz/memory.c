/* SPDX-License-Identifier: MIT */
/* memory.c - the library's memory: counted, and failing when the input wants it. */

#include "operations.h"

#include <stdlib.h>

/* In front of each block, so that a wrong size at its release is seen. */
struct header {
    size_t size;
    size_t magic;
};
enum { MAGIC = 0x5eed };

static size_t blocks, bytes;
static int fail_in; /* the next allocations, until one fails; 0: none does */
static bool failed;

size_t fuzz_blocks(void)
{
    return blocks;
}

size_t fuzz_bytes(void)
{
    return bytes;
}

static bool fails_now(void)
{
    if (fail_in == 0 || --fail_in > 0)
        return false;
    failed = true;
    return true;
}

static void *allocate(size_t size, void *context)
{
    struct header *h;
    MUST(context == &blocks);
    if (fails_now() || (h = malloc(sizeof *h + size)) == NULL)
        return NULL;
    h->size = size;
    h->magic = MAGIC;
    blocks++;
    bytes += size;
    return h + 1;
}

static void release(void *memory, size_t size, void *context)
{
    struct header *h = (struct header *)memory - 1;
    MUST(context == &blocks);
    MUST(h->magic == MAGIC && h->size == size);
    h->magic = 0;
    blocks--;
    bytes -= size;
    free(h);
}

static void *stack_allocate(size_t size, void *context)
{
    return allocate(size, context);
}

static void stack_release(void *stack, size_t size, void *context)
{
    release(stack, size, context);
}

void fuzz_set_up(bool stacks)
{
    coir_allocator a = {.allocate = allocate, .release = release, .context = &blocks};
    if (stacks) {
        a.stack_allocate = stack_allocate;
        a.stack_release = stack_release;
    }
    MUST(coir_set_allocator(&a) == COIR_OK);
    coir_release(coir_allocate(1), 1);
    MUST(coir_set_allocator(&a) == COIR_EBUSY);
}

void memory_may_fail(void)
{
    failed = false;
    fail_in = one_in(6) ? 1 + (int)(next_byte() % 4) : 0;
}

bool memory_failed(void)
{
    bool did = failed;
    fail_in = 0;
    failed = false;
    return did;
}

bool lacked_memory(int code)
{
    if (!memory_failed())
        return false;
    return code == COIR_ENOMEM;
}
