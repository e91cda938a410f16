/* SPDX-License-Identifier: MIT */
/* handle.c - memory for struct coir_fiber, kept by each thread for its next fibers. */

#include <config.h>

#include <string.h>

#include "handle.h"

coir_fiber *coir__handle_make(void)
{
    coir_fiber *f = coir__allocate_aligned(sizeof *f);

    return f != NULL ? memset(f, 0, sizeof *f) : NULL;
}

void coir__handle_release(coir_fiber *f)
{
    coir__release_aligned(f, sizeof *f);
}

void coir__handles_trim(struct coir__handles *handles, size_t keep)
{
    while (handles->count > keep)
        coir__handle_release(coir__handle_take(handles));
}
