/* SPDX-License-Identifier: MIT */
#include "libco_style.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __x86_64__

void bare_swap(struct bare *to, struct bare *from);

__asm__(".text\n"
        ".p2align 4\n"
        ".globl bare_swap\n"
        ".type bare_swap, @function\n"
        "bare_swap:\n"
        "    pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15\n"
        "    movq %rsp, (%rsi)\n"
        "    movq (%rdi), %rsp\n"
        "    popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp\n"
        "    popq %rcx\n"
        "    jmp *%rcx\n"
        ".size bare_swap, . - bare_swap\n");

static void (*swap)(struct bare *to, struct bare *from) = bare_swap;

#else

static void (*swap)(struct bare *to, struct bare *from);

#endif

static _Thread_local struct bare main_side;
static _Thread_local struct bare *active;

bool bare_available(void)
{
    return swap != NULL;
}

struct bare *bare_active(void)
{
    if (active == NULL)
        active = &main_side;
    return active;
}

void bare_switch(struct bare *to)
{
    struct bare *from = active;

    active = to;
    swap(to, from);
}

void bare_prepare(struct bare *side, void *stack, unsigned long size, void (*entry)(void))
{
    uint64_t *top = (uint64_t *)(((uintptr_t)stack + size) & ~(uintptr_t)15) - 1; /* as if entry had been called */

    *--top = (uint64_t)(uintptr_t)entry;
    for (int i = 0; i < 6; i++)
        *--top = 0;
    side->saved = top;
}
