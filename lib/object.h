/* SPDX-License-Identifier: MIT */
/* object.h - what channels, mutexes and the like have in common: they belong to the thread that made them. */

#ifndef COIR__OBJECT_H
#define COIR__OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <coir/error.h>

#include "thread.h"

/* The first member of each. */
struct coir__object {
    uint64_t thread; /* the number of its thread */
};

/* Allocates an object of so many bytes, all zero but for its thread; NULL with COIR_ENOMEM or COIR_ENOTSUP in *error. */
void *coir__object_make(size_t size, int *error);

/* Why the calling thread may not destroy an object that is in use, or is not: COIR_OK, COIR_ETHREAD or COIR_EBUSY. What
 * was in use in a thread that has ended is so no more. */
int coir__object_check_destroy(const struct coir__object *object, bool in_use);

/* Why the calling thread may not use an object: COIR_OK, COIR_EINVAL for NULL, COIR_ETHREAD. */
static inline int coir__object_check(const struct coir__object *object)
{
    return object != NULL ? coir__thread_check(object->thread) : COIR_EINVAL;
}

#endif
