/* SPDX-License-Identifier: MIT */
/* entries_x86_64_sysv.S - resume and yield, of fibers and of generators, whole: what switch.c and gen.c do in the usual
 * case, with the machine's switch in their midst.
 *
 * The C functions of entry.h are what these must do, and what they jump to in every unusual case: a mistake, a first
 * resume, a fiber that takes another's place, a size that is copied by a loop; and always while the record that the
 * thread watches is not empty, for other backends, hooks, exceptions in flight, floating-point control of fibers' own.
 * So each begins with comparisons that change nothing, in which all arguments stay where they are.
 *
 * Why not leave it to C? A compiler's call of a switch costs some twenty instructions more a round trip: to load the
 * route and jump to it, to move arguments where the switch wants them, and to take the result from there. Where that was
 * tried and gained nothing (coir_switch, coir_task_yield), it is left to C.
 *
 * Structures are drawn in fiber.h, thread.h and gen.h; entries_x86_64_sysv.h numbers their fields.
 * Registers: rax the thread's record until the result takes its place; the arguments stay in rdi, rsi, rdx. */

#include "entries_x86_64_sysv.h"
#include "x86_64_sysv.h"
#include "x86_64_sysv_frame.h"

        .hidden coir__thread_pointer
        .hidden coir__x86_64_end_record

/* Begins a public function: on a cache line, so that as few as possible are fetched. */
.macro ENTRY name
        .globl  \name
        .type   \name, @function
        .p2align 6
\name:
        .cfi_startproc
        .cfi_remember_state
        endbr64                                 /* a program may call it through a pointer */
.endm

/* Here all comparisons lead that failed, with the stack and the arguments as they came. */
.macro OTHERWISE function
        .hidden \function
        .cfi_restore_state
9:      jmp     \function
.endm

.macro END name
        .cfi_endproc
        .size   \name, . - \name
.endm

/* The thread's record to rax, by the initial-exec model: coir__thread_pointer's place among the thread's variables, and
 * what stands there. To be read before the switch only, after which the thread may be another. */
.macro LOAD_THREAD
        movq    coir__thread_pointer@gottpoff(%rip), %rax
        movq    %fs:(%rax), %rax
.endm

/* Not while the record that the thread watches says anything, which means that more is to be done than this. */
.macro CHECK_WATCHED
        movq    THREAD_WATCHED(%rax), %r8
        movq    EXCEPTIONS_CAUGHT(%r8), %r9
        orq     EXCEPTIONS_IN_FLIGHT(%r8), %r9
        jnz     9f
.endm

/* Leaves `from` for `to`, as switch_in does: links the new fiber to our frame record. */
.macro SWITCH_IN from, to, scratch, scratch2
        movq    %rsp, CONTEXT_SAVED(\from)
        movq    CONTEXT_RECORD(\to), \scratch
        leaq    FRAME_RBP(%rsp), \scratch2
        movq    \scratch2, (\scratch)
        movq    CONTEXT_SAVED(\to), %rsp
        RESTORE_REGISTERS_AND_LEAVE
.endm

/* The same for switch_out: links the fiber that is left to the end. */
.macro SWITCH_OUT from, to, scratch, scratch2
        movq    %rsp, CONTEXT_SAVED(\from)
        movq    CONTEXT_RECORD(\from), \scratch
        leaq    coir__x86_64_end_record(%rip), \scratch2
        movq    \scratch2, (\scratch)
        movq    CONTEXT_SAVED(\to), %rsp
        RESTORE_REGISTERS_AND_LEAVE
.endm

/* A pointer that may be NULL is replaced by that of a place for what nobody wants. Without a branch, which would be
 * predicted wrongly by those who do it now in this way and now in that. */
.macro OR_UNWANTED pointer, fiber, scratch
        leaq    FIBER_UNWANTED(\fiber), \scratch
        testq   \pointer, \pointer
        cmovzq  \scratch, \pointer
.endm

        .text

/* int coir_resume(coir_fiber *f, void *value, void **result);
 *                 rdi            rsi          rdx               rcx: the current fiber */
ENTRY coir_resume
        LOAD_THREAD
        CHECK_WATCHED
        testq   %rdi, %rdi
        jz      9f
        cmpq    %rax, FIBER_RESUMABLE_BY(%rdi)
        jne     8f
        SAVE_REGISTERS
        movq    THREAD_CURRENT(%rax), %rcx
        movq    %rdi, THREAD_CURRENT(%rax)
        movq    $0, FIBER_RESUMABLE_BY(%rdi)
        movq    %rcx, FIBER_RESUMER(%rdi)
        OR_UNWANTED %rdx, %rcx, %r8
        movq    %rdx, FIBER_OUT(%rdi)
        movq    FIBER_IN(%rdi), %r9
        movq    %rsi, (%r9)
        movl    FIBER_RESUME_CODE(%rdi), %eax
        SWITCH_IN %rcx, %rdi, %r10, %r11
OTHERWISE coir__resume
        .hidden coir__resume_unusual
8:      movq    %rax, %rcx                      /* each fiber's first resume comes by here */
        jmp     coir__resume_unusual
END coir_resume

/* int coir_yield(void *value, void **result);
 *                rdi          rsi                rcx: the current fiber, rdx: its resumer */
ENTRY coir_yield
        LOAD_THREAD
        CHECK_WATCHED
        movq    THREAD_CURRENT(%rax), %rcx
        cmpw    $0, FIBER_SPECIAL(%rcx)
        jne     9f
        SAVE_REGISTERS
        movq    FIBER_RESUMER(%rcx), %rdx
        movq    FIBER_OUT(%rcx), %r8
        movq    %rdi, (%r8)
        OR_UNWANTED %rsi, %rcx, %r9
        movq    %rsi, FIBER_IN(%rcx)
        movq    %rax, FIBER_RESUMABLE_BY(%rcx)
        movq    %rdx, THREAD_CURRENT(%rax)
        movl    $YIELDED, %eax
        SWITCH_OUT %rcx, %rdx, %r10, %r11
OTHERWISE coir__yield
END coir_yield

/* int coir_gen_next(coir_gen *g, void *item);
 *                   rdi          rsi             rdx: the generator's fiber, rcx: the current one */
ENTRY coir_gen_next
        LOAD_THREAD
        CHECK_WATCHED
        testq   %rdi, %rdi
        jz      9f
        testq   %rsi, %rsi
        jz      9f
        movq    GEN_FIBER(%rdi), %rdx
        leaq    KEPT_BY(%rax), %rcx
        cmpq    %rcx, FIBER_RESUMABLE_BY(%rdx)
        jne     9f
        SAVE_REGISTERS
        movq    %rsi, GEN_ITEM(%rdi)
        movq    THREAD_CURRENT(%rax), %rcx
        movq    %rdx, THREAD_CURRENT(%rax)
        movq    $0, FIBER_RESUMABLE_BY(%rdx)
        movq    %rcx, FIBER_RESUMER(%rdx)
        xorl    %eax, %eax
        SWITCH_IN %rcx, %rdx, %r10, %r11
OTHERWISE coir__gen_next
END coir_gen_next

/* int coir_gen_yield(coir_gen *g, const void *item);
 *                    rdi          rsi                rcx: the current fiber, rdx: its resumer
 * Items of 8 bytes, numbers and pointers as they mostly are, are copied here. */
ENTRY coir_gen_yield
        LOAD_THREAD
        CHECK_WATCHED
        testq   %rdi, %rdi
        jz      9f
        testq   %rsi, %rsi
        jz      9f
        movq    THREAD_CURRENT(%rax), %rcx
        cmpq    %rcx, GEN_FIBER(%rdi)
        jne     9f
        testb   $SPECIAL_OF_GENERATOR, FIBER_SPECIAL(%rcx)
        jnz     9f
        cmpq    $8, GEN_ITEM_SIZE(%rdi)
        jne     9f
        SAVE_REGISTERS
        movq    GEN_ITEM(%rdi), %r8
        movq    (%rsi), %r9
        movq    %r9, (%r8)
        movq    FIBER_RESUMER(%rcx), %rdx
        leaq    KEPT_BY(%rax), %r9
        movq    %r9, FIBER_RESUMABLE_BY(%rcx)
        movq    %rdx, THREAD_CURRENT(%rax)
        movl    $1, %eax
        SWITCH_OUT %rcx, %rdx, %r10, %r11
OTHERWISE coir__gen_yield
END coir_gen_yield

/* This file needs no executable stack, and keeps to indirect branch tracking and shadow stacks as switch_x86_64_sysv.S
 * does. */
        .section .note.GNU-stack, "", @progbits
        .section .note.gnu.property, "a"
        .p2align 3
        .long   4, 16, 5
        .asciz  "GNU"
        .long   0xc0000002, 4, 3, 0
