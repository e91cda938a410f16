/* SPDX-License-Identifier: MIT */
/* switch_x86_64_win64.S - changing stacks on x86-64 under the Windows calling convention.
 *
 * x86_64_win64.h draws the stacks. What has to be preserved across a call (Microsoft, "x64 calling convention",
 * caller/callee saved registers): rbx, rbp, rdi, rsi, r12 to r15, xmm6 to xmm15, and the stack pointer. The
 * floating-point control words are preserved too, but by no instruction here: all sides share them, and fibers that
 * want their own are served before the switch.
 *
 * The system wants to know the stack it runs on, from the thread's environment block, which gs points to: it checks
 * that exception handlers lie between StackLimit and StackBase, moves the guard page and StackLimit down when the guard
 * between DeallocationStack and StackBase is touched, and compilers let large frames touch each page from StackLimit on
 * (__chkstk). So these change with the stack, and what may have changed meanwhile is saved when it is left. FiberData,
 * FlsData and the activation context stay the thread's.
 *
 * Each switch stores the registers below its return address, takes the stack pointer of `to`, loads what another switch
 * stored there, and jumps to where that one was called from. It jumps instead of returning because the processor
 * predicts a `ret` from the stack of its own calls, which knows nothing of other stacks: each `ret` after a change of
 * stack is mispredicted.
 *
 * The .seh_ lines describe the frame to unwinders (Microsoft, "x64 exception handling", unwind codes). All frames have
 * the same shape, so they are right on both sides of the change of rsp, but for the last jump; and a walk that starts
 * from the few instructions in which a fiber's link leads to the end already ends there.
 *
 * The four switches are copies that differ in what they do to links. Copies, since one routine for all directions
 * makes the processor's predictions of its loads collide. */

#include "x86_64_win64.h"

/* Makes a frame below the return address, and stores the registers in it. */
.macro SAVE_REGISTERS
        subq    $FRAME_RIP, %rsp
        .seh_stackalloc FRAME_RIP
        movq    %rbp, FRAME_RBP(%rsp)
        .seh_savereg %rbp, FRAME_RBP
        movq    %rbx, FRAME_RBX(%rsp)
        .seh_savereg %rbx, FRAME_RBX
        movq    %rdi, FRAME_RDI(%rsp)
        .seh_savereg %rdi, FRAME_RDI
        movq    %rsi, FRAME_RSI(%rsp)
        .seh_savereg %rsi, FRAME_RSI
        movq    %r12, FRAME_R12(%rsp)
        .seh_savereg %r12, FRAME_R12
        movq    %r13, FRAME_R13(%rsp)
        .seh_savereg %r13, FRAME_R13
        movq    %r14, FRAME_R14(%rsp)
        .seh_savereg %r14, FRAME_R14
        movq    %r15, FRAME_R15(%rsp)
        .seh_savereg %r15, FRAME_R15
        movaps  %xmm6, FRAME_XMM+0x00(%rsp)
        .seh_savexmm %xmm6, FRAME_XMM+0x00
        movaps  %xmm7, FRAME_XMM+0x10(%rsp)
        .seh_savexmm %xmm7, FRAME_XMM+0x10
        movaps  %xmm8, FRAME_XMM+0x20(%rsp)
        .seh_savexmm %xmm8, FRAME_XMM+0x20
        movaps  %xmm9, FRAME_XMM+0x30(%rsp)
        .seh_savexmm %xmm9, FRAME_XMM+0x30
        movaps  %xmm10, FRAME_XMM+0x40(%rsp)
        .seh_savexmm %xmm10, FRAME_XMM+0x40
        movaps  %xmm11, FRAME_XMM+0x50(%rsp)
        .seh_savexmm %xmm11, FRAME_XMM+0x50
        movaps  %xmm12, FRAME_XMM+0x60(%rsp)
        .seh_savexmm %xmm12, FRAME_XMM+0x60
        movaps  %xmm13, FRAME_XMM+0x70(%rsp)
        .seh_savexmm %xmm13, FRAME_XMM+0x70
        movaps  %xmm14, FRAME_XMM+0x80(%rsp)
        .seh_savexmm %xmm14, FRAME_XMM+0x80
        movaps  %xmm15, FRAME_XMM+0x90(%rsp)
        .seh_savexmm %xmm15, FRAME_XMM+0x90
        .seh_endprologue
.endm

/* Tells the TEB of another stack, `to`, and notes in `from` what may have changed since the first one became the current
 * one; by rax. An exception, or a touch of a guard, must not come in between: nothing here touches a stack. */
.macro CHANGE_STACK_DATA from, to
        movq    %gs:TEB_STACK_LIMIT, %rax
        movq    %rax, RECORD_STACK_LIMIT(\from)
        movq    %gs:TEB_EXCEPTION_LIST, %rax
        movq    %rax, RECORD_EXCEPTION_LIST(\from)
        movl    %gs:TEB_GUARANTEED_BYTES, %eax  /* a ULONG */
        movl    %eax, RECORD_GUARANTEED_BYTES(\from)
        movq    RECORD_STACK_BASE(\to), %rax
        movq    %rax, %gs:TEB_STACK_BASE
        movq    RECORD_STACK_LIMIT(\to), %rax
        movq    %rax, %gs:TEB_STACK_LIMIT
        movq    RECORD_DEALLOCATION_STACK(\to), %rax
        movq    %rax, %gs:TEB_DEALLOCATION_STACK
        movq    RECORD_EXCEPTION_LIST(\to), %rax
        movq    %rax, %gs:TEB_EXCEPTION_LIST
        movl    RECORD_GUARANTEED_BYTES(\to), %eax
        movl    %eax, %gs:TEB_GUARANTEED_BYTES
.endm

/* A thread that is a fiber of the system may resume ours from several stacks. Where it is not the one that it was on the
 * last time, goes to UNUSUAL_STACK and comes back; by rax. */
.macro CHECK_STACK record
        movq    %gs:TEB_STACK_BASE, %rax
        cmpq    %rax, RECORD_STACK_BASE(\record)
        jne     6f
7:
.endm

.macro UNUSUAL_STACK record
6:
        movq    %rax, RECORD_STACK_BASE(\record)
        movq    %gs:TEB_DEALLOCATION_STACK, %rax
        movq    %rax, RECORD_DEALLOCATION_STACK(\record)
        jmp     7b
.endm

/* Loads the registers from the other stack, where they lie in the same way, and leaves with the result in eax. rdx stays
 * `to`, for the routine that is called in interrupted fibers. */
.macro RESTORE_REGISTERS_AND_LEAVE
        movl    %r8d, %eax
        movq    FRAME_RIP(%rsp), %rcx
        movq    FRAME_RBP(%rsp), %rbp
        movq    FRAME_RBX(%rsp), %rbx
        movq    FRAME_RDI(%rsp), %rdi
        movq    FRAME_RSI(%rsp), %rsi
        movq    FRAME_R12(%rsp), %r12
        movq    FRAME_R13(%rsp), %r13
        movq    FRAME_R14(%rsp), %r14
        movq    FRAME_R15(%rsp), %r15
        movaps  FRAME_XMM+0x00(%rsp), %xmm6
        movaps  FRAME_XMM+0x10(%rsp), %xmm7
        movaps  FRAME_XMM+0x20(%rsp), %xmm8
        movaps  FRAME_XMM+0x30(%rsp), %xmm9
        movaps  FRAME_XMM+0x40(%rsp), %xmm10
        movaps  FRAME_XMM+0x50(%rsp), %xmm11
        movaps  FRAME_XMM+0x60(%rsp), %xmm12
        movaps  FRAME_XMM+0x70(%rsp), %xmm13
        movaps  FRAME_XMM+0x80(%rsp), %xmm14
        movaps  FRAME_XMM+0x90(%rsp), %xmm15
        addq    $FRAME_SIZE, %rsp
        jmp     *%rcx
.endm

/* A function that other files of the library call. */
.macro FUNCTION name
        .globl  \name
        .def    \name; .scl 2; .type 32; .endef
        .p2align 6                              /* a cache line */
        .seh_proc \name
\name:
.endm

        .text

/* int coir__win64_switch_in(struct coir__context *from, struct coir__context *to, int result);
 *                           rcx                         rdx                       r8d
 * From a resumer into a fiber: links the fiber to the resumer's frame. */
FUNCTION coir__win64_switch_in
        SAVE_REGISTERS
        movq    CONTEXT_RECORD(%rcx), %r9
        movq    CONTEXT_RECORD(%rdx), %r10
        CHECK_STACK %r9
        movq    %rsp, CONTEXT_SAVED(%rcx)
        movq    %rsp, RECORD_LINK(%r10)
        movq    CONTEXT_SAVED(%rdx), %rsp
        CHANGE_STACK_DATA %r9, %r10
        RESTORE_REGISTERS_AND_LEAVE
        UNUSUAL_STACK %r9
        .seh_endproc

/* int coir__win64_switch_out(struct coir__context *from, struct coir__context *to, int result);
 *                            rcx                         rdx                       r8d
 * From a fiber to its resumer: links the fiber to the end. */
FUNCTION coir__win64_switch_out
        SAVE_REGISTERS
        movq    CONTEXT_RECORD(%rcx), %r9
        movq    CONTEXT_RECORD(%rdx), %r10
        leaq    coir__win64_end_frame(%rip), %rax
        movq    %rsp, CONTEXT_SAVED(%rcx)
        movq    %rax, RECORD_LINK(%r9)
        movq    CONTEXT_SAVED(%rdx), %rsp
        CHANGE_STACK_DATA %r9, %r10
        RESTORE_REGISTERS_AND_LEAVE
        .seh_endproc

/* int coir__win64_switch_over(struct coir__context *from, struct coir__context *to, int result);
 *                             rcx                         rdx                       r8d
 * From a fiber to another, which takes its place: hands the link on, and links the first to the end. */
FUNCTION coir__win64_switch_over
        SAVE_REGISTERS
        movq    CONTEXT_RECORD(%rcx), %r9
        movq    CONTEXT_RECORD(%rdx), %r10
        movq    RECORD_LINK(%r9), %r11          /* the resumer's frame */
        leaq    coir__win64_end_frame(%rip), %rax
        movq    %rsp, CONTEXT_SAVED(%rcx)
        movq    %rax, RECORD_LINK(%r9)
        movq    %r11, RECORD_LINK(%r10)
        movq    CONTEXT_SAVED(%rdx), %rsp
        CHANGE_STACK_DATA %r9, %r10
        RESTORE_REGISTERS_AND_LEAVE
        .seh_endproc

/* int coir__win64_switch_across(struct coir__context *from, struct coir__context *to, int result);
 *                               rcx                         rdx                       r8d
 * From a fiber to another, each of which keeps its resumer: leaves the links alone. */
FUNCTION coir__win64_switch_across
        SAVE_REGISTERS
        movq    CONTEXT_RECORD(%rcx), %r9
        movq    CONTEXT_RECORD(%rdx), %r10
        movq    %rsp, CONTEXT_SAVED(%rcx)
        movq    CONTEXT_SAVED(%rdx), %rsp
        CHANGE_STACK_DATA %r9, %r10
        RESTORE_REGISTERS_AND_LEAVE
        .seh_endproc

/* void coir__win64_trampoline(void);        rbx: the fiber's first function, rbp: its record, rsp: record - 32
 *
 * Where a new fiber starts: the first switch into it jumps here. It is also where unwinders leave a fiber, so its unwind
 * codes do not describe a frame of its own but that of the resumer, on another stack. An unwinder undoes them from the
 * last to the first:
 *
 *   - the frame register: rsp becomes rbp, the address of the link;
 *   - rsp was saved at 0 from there: it becomes what the link holds, the address of the resumer's frame;
 *   - that much was allocated for xmm6 to xmm15, which are not restored: no exception passes here;
 *   - the registers were pushed, in the order in which the frame has them; and above is the return address.
 *
 * The link must lie on the fiber's own stack: the system takes its address for the place of this frame, and calls the
 * handler only if that is between StackLimit and StackBase. The handler does what the system's own first function of a
 * thread would do, of which this stack has none. */
FUNCTION coir__win64_trampoline
        .seh_pushreg %rbp
        .seh_pushreg %rbx
        .seh_pushreg %rdi
        .seh_pushreg %rsi
        .seh_pushreg %r12
        .seh_pushreg %r13
        .seh_pushreg %r14
        .seh_pushreg %r15
        .seh_stackalloc FRAME_R15
        .seh_savereg %rsp, 0
        .seh_setframe %rbp, 0
        .seh_handler coir__win64_handler, @except
        .seh_endprologue
        call    *%rbx
        .globl  coir__win64_first_return
coir__win64_first_return:                       /* where walks of a single stack end */
        nop                                     /* or the return address would be taken for the start of an epilogue */
        ud2                                     /* it never returns */
        .seh_endproc

/* void coir__win64_interrupted(void);       rdx: the fiber's context, rsp: as after the call that suspended it
 *
 * Where a suspended fiber continues that is to end. Its last switch has restored all registers and would have jumped to
 * the original pc; so by pushing that, this becomes a function that was called from there, on top of the frames that the
 * fiber has, and a walk or an unwinding goes on through them. */
FUNCTION coir__win64_interrupted
        movq    CONTEXT_RECORD(%rdx), %rax
        pushq   RECORD_ORIGINAL_PC(%rax)
        subq    $40, %rsp                       /* 32 bytes for who is called, and alignment */
        .seh_stackalloc 40
        .seh_endprologue
        call    *RECORD_FUNCTION(%rax)
        nop
        ud2
        .seh_endproc

/* A frame like those that the switches leave, of nobody: its return address is 0, where unwinders stop. */
        .section .rdata, "dr"
        .p2align 4
        .globl  coir__win64_end_frame
coir__win64_end_frame:
        .fill   FRAME_SIZE / 8, 8, 0
