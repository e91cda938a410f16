/* SPDX-License-Identifier: MIT */
/* switch_winfiber_x86_64.S - the functions of switch_winfiber.c once more, for one instruction's sake: they leave by a
 * jump. The processor predicts a `ret` from the stack of its own calls, which knows nothing of other stacks, so each
 * `ret` after a change of stack is mispredicted; the one in SwitchToFiber itself is enough. But where the process has a
 * shadow stack, which SwitchToFiber changes with the other, there is a `ret`: it alone takes the entry of its call from
 * there.
 *
 * The frame, from rsp on: 32 bytes for who is called; a struct coir__suspended; the return address. */

#include "winfiber.h"

#define HERE 32

/* For walks of the stack only: SwitchToFiber preserves them by itself. */
.macro SAVE register, place
        movq    %\register, HERE + \place(%rsp)
        .seh_savereg %\register, HERE + \place
.endm

.macro FUNCTION name, to_itself=0
        .globl  \name
        .def    \name; .scl 2; .type 32; .endef
        .p2align 6
        .seh_proc \name
\name:
        subq    $HERE + SUSPENDED_SIZE, %rsp
        .seh_stackalloc HERE + SUSPENDED_SIZE
        SAVE rbx, SUSPENDED_RBX
        SAVE rbp, SUSPENDED_RBP
        SAVE rsi, SUSPENDED_RSI
        SAVE rdi, SUSPENDED_RDI
        SAVE r12, SUSPENDED_R12
        SAVE r13, SUSPENDED_R13
        SAVE r14, SUSPENDED_R14
        SAVE r15, SUSPENDED_R15
        .seh_endprologue
        .if \to_itself
        movl    %r8d, %eax
        cmpq    %rcx, %rdx
        je      3f                              /* nothing is to change, and the system would not stand it */
        .endif
        movq    CONTEXT_SAVED(%rdx), %r9        /* there */
        movq    %gs:0x20, %rax                  /* GetCurrentFiber: FiberData of NT_TIB */
        leaq    HERE(%rsp), %r10
        movq    %rax, HERE + SUSPENDED_FIBER(%rsp)
        movq    $0, HERE + SUSPENDED_FUNCTION(%rsp)
        movq    $0, HERE + SUSPENDED_CONTEXT(%rsp)
        movq    %r10, CONTEXT_SAVED(%rcx)
        movl    %r8d, SUSPENDED_RESULT(%r9)
        movq    SUSPENDED_FIBER(%r9), %rcx
        call    *__imp_SwitchToFiber(%rip)
        movq    HERE + SUSPENDED_FUNCTION(%rsp), %rax
        testq   %rax, %rax
        jne     1f
        movl    HERE + SUSPENDED_RESULT(%rsp), %eax
3:      addq    $HERE + SUSPENDED_SIZE, %rsp
        cmpb    $0, coir__winfiber_returns(%rip)
        jne     2f
        popq    %rcx
        jmp     *%rcx
2:      ret
1:      call    *%rax
        nop                                     /* or the return address would be taken for the start of an epilogue */
        ud2                                     /* it never returns */
        .seh_endproc
.endm

        .text

/* int coir__winfiber_switch_...(struct coir__context *from, struct coir__context *to, int result);
 *                               rcx                         rdx                       r8d
 * Four copies, for the processor's predictions. */
FUNCTION coir__winfiber_switch_in
FUNCTION coir__winfiber_switch_out
FUNCTION coir__winfiber_switch_over
FUNCTION coir__winfiber_switch_across, to_itself=1
