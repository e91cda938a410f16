/* SPDX-License-Identifier: MIT */
/* handle.h - memory for struct coir_fiber, kept by each thread for its next fibers. */

#ifndef COIR__HANDLE_H
#define COIR__HANDLE_H

#include "allocator.h"
#include "fiber.h"

struct coir__handles {
    coir_fiber *first; /* linked by `next` */
    size_t count;
};

/* More than this are not kept: as many as a pool of stacks may hold. */
#define COIR__HANDLES_MOST 256

/* New memory for a fiber, all zero; NULL if there is none. */
coir_fiber *coir__handle_make(void);

/* Memory for a fiber; NULL if there is none. It is new, or as the last fiber left it that had it: without name, deferred
 * functions or values under keys. And back: any thread's `handles` may take it, unless there are enough. Inline, as is all
 * that every coir_create and coir_destroy goes through. */
static inline coir_fiber *coir__handle_take(struct coir__handles *handles)
{
    coir_fiber *f = handles->first;

    if (f == NULL)
        return coir__handle_make();
    handles->first = f->next;
    handles->count--;
    return f;
}

static inline bool coir__handle_give(struct coir__handles *handles, coir_fiber *f)
{
    if (handles->count >= COIR__HANDLES_MOST)
        return false;
    f->next = handles->first;
    handles->first = f;
    handles->count++;
    return true;
}

/* What takes a handle that nobody keeps. */
void coir__handle_release(coir_fiber *f);

/* Releases all but `keep`. */
void coir__handles_trim(struct coir__handles *handles, size_t keep);

#endif
