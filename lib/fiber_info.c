/* SPDX-License-Identifier: MIT */
/* fiber_info.c - what can be asked about a fiber. */

#include <config.h>

#include "fiber.h"
#include "thread.h"

coir_fiber *coir_self(void)
{
    coir_fiber *f = coir__thread_now()->current;

    return f->special & COIR__ROOT ? NULL : f;
}

/* Does `f`, which neither runs nor is suspended, wait as part of a task, rather than for a fiber that it has resumed? */
static bool waits(const coir_fiber *f)
{
    const coir_fiber *root = f;

    while (!(root->special & (COIR__TASK | COIR__ROOT)))
        root = root->resumer;
    return !(root->special & COIR__ROOT) && root->keeper->waits(root, f);
}

int coir_fiber_state(const coir_fiber *f)
{
    if (f == NULL)
        return COIR_EINVAL;
    if (f->life == COIR__NEW)
        return COIR_STATE_NEW;
    if (f->life == COIR__DONE || coir__cut_short(f))
        return COIR_STATE_DONE;
    if (f->resumable_by != NULL)
        return COIR_STATE_SUSPENDED;
    if (f->owner->current == f)
        return COIR_STATE_RUNNING;
    return waits(f) ? COIR_STATE_WAITING : COIR_STATE_RESUMING;
}

const char *coir_fiber_name(const coir_fiber *f)
{
    if (f == NULL)
        return NULL;
    return f->name != NULL ? f->name : "";
}

void *coir_fiber_data(const coir_fiber *f)
{
    return f != NULL ? f->data : NULL;
}

int coir_fiber_set_data(coir_fiber *f, void *data)
{
    if (f == NULL)
        return COIR_EINVAL;
    f->data = data;
    return COIR_OK;
}
