/* SPDX-License-Identifier: MIT */
/* tools.c (Windows) - no memory checker here needs to be told. */

#include <config.h>

#include "tools.h"

bool coir__tools_follow;

void coir__tools_start(void)
{
}

void coir__tools_stack_begin(struct coir__stack *stack)
{
    stack->notice = 0;
}

void coir__tools_stack_end(struct coir__stack *stack)
{
    (void)stack;
}

void coir__tools_stack_forget(const struct coir__stack *stack)
{
    (void)stack;
}

void coir__tools_unwind(void)
{
}

void coir__tools_publish(void *address)
{
    (void)address;
}

void coir__tools_observe(void *address)
{
    (void)address;
}

void coir__tools_leave(struct coir__stack *from, struct coir__stack *to)
{
    (void)from, (void)to;
}

void coir__tools_leave_for_good(struct coir__stack *from, struct coir__stack *to)
{
    (void)from, (void)to;
}

void coir__tools_arrive(struct coir__stack *here, struct coir__stack *left)
{
    (void)here, (void)left;
}

void coir__tools_thread_end(struct coir__stack *stack)
{
    (void)stack;
}
