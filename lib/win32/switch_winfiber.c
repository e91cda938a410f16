/* SPDX-License-Identifier: MIT */
/* switch_winfiber.c - changing fibers of the system, in C: for any processor and compiler.
 *
 * The fiber we run in is asked for, since the thread's own is no affair of ours: the program may have several system
 * fibers, and use ours from any. */

#include <config.h>

#include <windows.h>

#include "winfiber.h"

static inline int change(struct coir__context *from, struct coir__context *to, int result)
{
    struct coir__suspended *there = to->saved;
    struct coir__suspended here;
#ifdef COIR_WALKS
    CONTEXT context;

    RtlCaptureContext(&context);
    here.context = &context;
#endif
    here.fiber = GetCurrentFiber();
    here.function = NULL;
    from->saved = &here;
    there->result = result;
    SwitchToFiber(there->fiber);
    if (here.function != NULL)
        here.function();
    return here.result;
}

int coir__winfiber_switch_in(struct coir__context *from, struct coir__context *to, int result)
{
    return change(from, to, result);
}

int coir__winfiber_switch_out(struct coir__context *from, struct coir__context *to, int result)
{
    return change(from, to, result);
}

int coir__winfiber_switch_over(struct coir__context *from, struct coir__context *to, int result)
{
    return change(from, to, result);
}

int coir__winfiber_switch_across(struct coir__context *from, struct coir__context *to, int result)
{
    if (from == to) /* the system would not stand that */
        return result;
    return change(from, to, result);
}
