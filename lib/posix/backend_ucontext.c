/* SPDX-License-Identifier: MIT */
/* backend_ucontext.c - the system's own contexts: makecontext and swapcontext. Portable, and slow for their system call
 * that exchanges the signal mask. The reference that the assembly is tested against.
 *
 * A suspended side's ucontext_t lies in the frame of the switch that left it, so nothing is allocated; that of a fiber
 * that has not started lies at the top of its stack. */

#include <config.h>

#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>

#include "backend.h"
#include "registers.h"
#include "stack.h"

/* What `saved` of a context points to. */
struct suspended {
    ucontext_t ucontext;
    int result;              /* what the switch that left is to return */
    void (*interrupt)(void); /* where to continue instead, or NULL */
};

static bool available(void)
{
    return true;
}

static void prepare(struct coir__context *context, const struct coir__stack *stack, void (*entry)(void))
{
    uintptr_t top = (uintptr_t)coir__stack_top(stack);
    struct suspended *first = (struct suspended *)((top - sizeof *first) & ~(uintptr_t)63);

    /* getcontext fills in what makecontext leaves alone: the signal mask and the floating-point state. It cannot fail. */
    getcontext(&first->ucontext);
    first->ucontext.uc_stack.ss_sp = stack->low;
    first->ucontext.uc_stack.ss_size = (size_t)((uintptr_t)first - (uintptr_t)stack->low);
    first->ucontext.uc_link = NULL;
    first->interrupt = NULL;
    /* No arguments: makecontext passes ints only. The entry asks the thread's record which fiber it is. */
    makecontext(&first->ucontext, entry, 0);
    /* Nobody needs the size any more; AddressSanitizer would forget in each switch what it knows of so much stack. */
    first->ucontext.uc_stack.ss_size = 0;
    context->saved = first;
}

static void interrupt(struct coir__context *context, void (*function)(void))
{
    struct suspended *there = context->saved;

    there->interrupt = function;
}

static int swap(struct coir__context *from, struct coir__context *to, int result)
{
    struct suspended *there = to->saved;
    struct suspended here;

    if (from == to) /* there is nowhere to go, and swapcontext would take the signal mask from what it has yet to write */
        return result;
    here.interrupt = NULL;
    from->saved = &here;
    there->result = result;
    /* The one way it can fail is a ucontext_t of another kind of processor state than this one's: never ours. */
    if (swapcontext(&here.ucontext, &there->ucontext) != 0)
        abort();
    if (here.interrupt != NULL)
        here.interrupt();
    return here.result;
}

#ifdef COIR_WALKS
static void read_registers(const struct coir__context *context, struct coir__registers *out)
{
    const struct suspended *there = context->saved;

    out->ucontext = there->ucontext;
}
#else
#define read_registers NULL
#endif

const struct coir__backend coir__backend_ucontext = {
    .name = "ucontext",
    .overhead = 2 * sizeof(struct suspended) + 256,
    .available = available,
    .prepare = prepare,
    .interrupt = interrupt,
    .switches = {swap, swap, swap, swap, false},
    .registers = read_registers,
};
