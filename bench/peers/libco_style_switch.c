/* SPDX-License-Identifier: MIT */
/* libco_style_switch.c - see libco_style_switch.h. It is linked as a shared library (-fPIC -shared): who calls it,
 * calls into another object, as users of libco do.
 *
 * libco's active side is only thread-local if its users ask for that (LIBCO_MP). Here it always is, since it is so in
 * whatever it is measured against, but in the model that needs no call. */
#include "libco_style_switch.h"

#include <stdint.h>

#ifdef __x86_64__

void bare_swap(struct bare *to, struct bare *from);

__asm__(".text\n"
        ".p2align 4\n"
        ".globl bare_swap\n"
        ".hidden bare_swap\n"
        ".type bare_swap, @function\n"
        "bare_swap:\n"
        "    movq %rsp, (%rsi)\n"
        "    movq (%rdi), %rsp\n"
        "    popq %rax\n"
        "    movq %rbp, 8(%rsi); movq %rbx, 16(%rsi); movq %r12, 24(%rsi)\n"
        "    movq %r13, 32(%rsi); movq %r14, 40(%rsi); movq %r15, 48(%rsi)\n"
        "    movq 8(%rdi), %rbp; movq 16(%rdi), %rbx; movq 24(%rdi), %r12\n"
        "    movq 32(%rdi), %r13; movq 40(%rdi), %r14; movq 48(%rdi), %r15\n"
        "    jmp *%rax\n"
        ".size bare_swap, . - bare_swap\n");

#else

#define bare_swap NULL

#endif

static void (*swap)(struct bare *to, struct bare *from);
static _Thread_local struct bare main_side;
static __attribute__((tls_model("initial-exec"))) _Thread_local struct bare *active;

bool bare_available(void)
{
    return bare_active() != NULL && swap != NULL;
}

struct bare *bare_active(void)
{
    swap = bare_swap;
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

struct bare *bare_prepare(void *memory, size_t size, void (*entry)(void))
{
    struct bare *side = memory;
    uint64_t *top = (uint64_t *)(((uintptr_t)memory + size) & ~(uintptr_t)15) - 1; /* as if entry had been called */

    *--top = (uint64_t)(uintptr_t)entry;
    side->saved[0] = top;
    return side;
}
