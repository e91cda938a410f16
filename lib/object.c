/* SPDX-License-Identifier: MIT */
/* object.c - what channels, mutexes and the like have in common. */

#include <config.h>

#include <string.h>

#include "allocator.h"
#include "object.h"

void *coir__object_make(size_t size, int *error)
{
    struct coir__thread *thread;
    struct coir__object *object;

    *error = coir__thread_enter(&thread);
    if (*error != COIR_OK)
        return NULL;
    object = coir__allocate(size);
    if (object == NULL) {
        *error = COIR_ENOMEM;
        return NULL;
    }
    memset(object, 0, size);
    object->thread = thread->number;
    return object;
}

int coir__object_check_destroy(const struct coir__object *object, bool in_use)
{
    if (coir__thread_check(object->thread) == COIR_OK)
        return in_use ? COIR_EBUSY : COIR_OK;
    return coir__thread_lives(object->thread) ? COIR_ETHREAD : COIR_OK;
}
