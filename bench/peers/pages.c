/* SPDX-License-Identifier: MIT */
/* pages.c - no fibers at all: what the system's calls and faults cost that a new stack with a guard needs at the least. One
 * mapping for all; of each stack, of 256 KiB, a guard page and the first touch of the highest page; and all is given back
 * at once. Linux 6.13. */

#define _DEFAULT_SOURCE
#include <stddef.h>
#include <sys/mman.h>

#include "../contender.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* include/uapi/asm-generic/mman-common.h of Linux */
#endif
#define PAGE 4096
#define STRIDE (260 * 1024L)

static double create_cold(long times, long count)
{
    size_t size = (size_t)(count * STRIDE);
    double start = contender_now();
    char *low = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    (void)times;
    if (low == MAP_FAILED)
        return contender_failed("no room for the mapping");
    madvise(low, size, MADV_NOHUGEPAGE);
    for (long i = 0; i < count; i++)
        if (madvise(low + i * STRIDE, PAGE, MADV_GUARD_INSTALL) != 0)
            return contender_failed("the kernel has no guards without mappings");
    for (long i = 1; i <= count; i++)
        low[i * STRIDE - 1] = 1;
    munmap(low, size);
    return contender_now() - start;
}

const struct contender_answer contender_answers[] = {
    {NULL, "create_cold", CONTENDER_ONCE, create_cold},
    {NULL, NULL, CONTENDER_ONCE, NULL},
};
