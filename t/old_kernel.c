/* SPDX-License-Identifier: MIT */
/* old_kernel.c - to be preloaded: a Linux before 6.13, which has no MADV_GUARD_INSTALL. */

#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int madvise(void *address, size_t size, int advice)
{
    if (advice == 102) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_madvise, address, size, advice);
}
