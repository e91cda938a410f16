/* SPDX-License-Identifier: MIT */
/* handle.c - memory for struct coir_fiber, kept by each thread for its next fibers. */

#include <config.h>

#include "handle.h"

void coir__handles_trim(struct coir__handles *handles, size_t keep)
{
    while (handles->count > keep) {
        coir_fiber *f = coir__handle_take(handles);
        coir__release(f, sizeof *f);
    }
}
