/* SPDX-License-Identifier: MIT */
/* walk_none.c - no walker: libunwind was not found or not wanted, or the processor has no unwind tables. */

#include <config.h>

#include "walk.h"

bool coir__can_walk(void)
{
    return false;
}

void coir__walk_here(const struct coir__walk_end *end, coir__visit_fn *visit, void *arg)
{
    (void)end, (void)visit, (void)arg;
}

void coir__walk_suspended(const struct coir__context *context, const struct coir__walk_end *end, coir__visit_fn *visit,
                          void *arg)
{
    (void)context, (void)end, (void)visit, (void)arg;
}

void coir__walk_interrupted(const void *state, const struct coir__walk_end *end, coir__visit_fn *visit, void *arg)
{
    (void)state, (void)end, (void)visit, (void)arg;
}

uintptr_t coir__walk_stack_pointer(const void *state)
{
    (void)state;
    return 0;
}

bool coir__name_function(const struct coir__frame *frame, char *name, size_t size, uintptr_t *offset)
{
    (void)frame, (void)name, (void)size, (void)offset;
    return false;
}
