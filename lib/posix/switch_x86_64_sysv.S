/* SPDX-License-Identifier: MIT */
/* switch_x86_64_sysv.S - changing stacks on x86-64 under the System V ABI, for ELF systems.
 *
 * x86_64_sysv.h draws the stacks. What the ABI asks to be preserved across a call (System V ABI, AMD64 supplement,
 * section 3.2.1 and table 3.4): rbx, rbp, r12 to r15, and the stack pointer. The floating-point control words are
 * preserved too, but by no instruction here: all sides share them, and fibers that want their own are served before the
 * switch.
 *
 * Each switch pushes the six registers below its return address, stores the stack pointer in `from`, takes that of
 * `to`, pops what another switch pushed there, and jumps to where that one was called from. It jumps instead of
 * returning because the processor predicts a `ret` from the stack of its own calls, which knows nothing of other
 * stacks: each `ret` after a change of stack is mispredicted. `notrack` tells processors with indirect branch tracking
 * that the target, the instruction after a call, bears no landing pad.
 *
 * The four switches are copies that differ in what they do to links. Copies, since one routine for all directions
 * makes the processor's predictions of its loads collide. */

#include "x86_64_sysv.h"
#include "x86_64_sysv_frame.h"

/* A function that other files of the library call, and nobody outside of it. */
.macro FUNCTION name
        .globl  \name
        .hidden \name
        .type   \name, @function
        .p2align 6                              /* a cache line: each switch fits one */
\name:
.endm

        .text

/* int coir__x86_64_switch_in(struct coir__context *from, struct coir__context *to, int result);
 *                            rdi                         rsi                       edx
 * From a resumer into a fiber: links the fiber to the resumer's frame record. */
FUNCTION coir__x86_64_switch_in
        .cfi_startproc
        endbr64                                 /* called through a pointer */
        SAVE_REGISTERS
        movq    %rsp, CONTEXT_SAVED(%rdi)
        movq    CONTEXT_RECORD(%rsi), %rcx
        leaq    FRAME_RBP(%rsp), %rax
        movq    %rax, (%rcx)                    /* the fiber's link: our frame record */
        movq    CONTEXT_SAVED(%rsi), %rsp
        movl    %edx, %eax
        RESTORE_REGISTERS_AND_LEAVE
        .cfi_endproc
        .size   coir__x86_64_switch_in, . - coir__x86_64_switch_in

/* int coir__x86_64_switch_out(struct coir__context *from, struct coir__context *to, int result);
 *                             rdi                         rsi                       edx
 * From a fiber to its resumer: links the fiber to the end. */
FUNCTION coir__x86_64_switch_out
        .cfi_startproc
        endbr64
        SAVE_REGISTERS
        movq    %rsp, CONTEXT_SAVED(%rdi)
        movq    CONTEXT_RECORD(%rdi), %rcx
        leaq    end_frame + FRAME_RBP(%rip), %rax
        movq    %rax, (%rcx)
        movq    CONTEXT_SAVED(%rsi), %rsp
        movl    %edx, %eax
        RESTORE_REGISTERS_AND_LEAVE
        .cfi_endproc
        .size   coir__x86_64_switch_out, . - coir__x86_64_switch_out

/* int coir__x86_64_switch_over(struct coir__context *from, struct coir__context *to, int result);
 *                              rdi                         rsi                       edx
 * From a fiber to another, which takes its place: hands the link on, and links the first to the end. */
FUNCTION coir__x86_64_switch_over
        .cfi_startproc
        endbr64
        SAVE_REGISTERS
        movq    %rsp, CONTEXT_SAVED(%rdi)
        movq    CONTEXT_RECORD(%rdi), %rcx
        movq    CONTEXT_RECORD(%rsi), %r8
        movq    (%rcx), %r9                     /* the resumer's frame record */
        leaq    end_frame + FRAME_RBP(%rip), %rax
        movq    %rax, (%rcx)
        movq    %r9, (%r8)
        movq    CONTEXT_SAVED(%rsi), %rsp
        movl    %edx, %eax
        RESTORE_REGISTERS_AND_LEAVE
        .cfi_endproc
        .size   coir__x86_64_switch_over, . - coir__x86_64_switch_over

/* int coir__x86_64_switch_across(struct coir__context *from, struct coir__context *to, int result);
 *                                rdi                         rsi                       edx
 * From a fiber to another, each of which keeps its resumer: leaves the links alone. */
FUNCTION coir__x86_64_switch_across
        .cfi_startproc
        endbr64
        SAVE_REGISTERS
        movq    %rsp, CONTEXT_SAVED(%rdi)
        movq    CONTEXT_SAVED(%rsi), %rsp
        movl    %edx, %eax
        RESTORE_REGISTERS_AND_LEAVE
        .cfi_endproc
        .size   coir__x86_64_switch_across, . - coir__x86_64_switch_across

/* void coir__x86_64_trampoline(void);       rbx: the fiber's first function, rbp: its record, rsp: record - 160
 *
 * Where a new fiber starts: the first switch into it jumps here. It is also where unwinders leave a fiber, so it tells
 * them that the frame above is not higher on this stack but on the resumer's:
 *
 *   - the canonical frame address (CFA) is what the link holds:  DW_CFA_def_cfa_expression, 3 bytes long:
 *         DW_OP_breg6 (rbp) + 0, DW_OP_deref
 *     so the stack pointer of the frame above is the address of the resumer's frame record;
 *   - the return address is in the word after the link:          DW_CFA_expression for register 16 (rip), 2 bytes:
 *         DW_OP_breg6 (rbp) + 8
 *     where prepare() put the pc of the stub below, which describes that frame record;
 *   - rbp is unchanged for whoever asks.
 *
 * `.cfi_signal_frame` because gdb takes a frame that lies lower than the one it called for a corrupt stack, unless it
 * is a signal's; and the resumer's stack may well lie lower. That mark has two consequences. Unwinders look up the
 * frame above by its exact pc instead of the pc before it: hence the stub, whose pc is right both ways. And libunwind's
 * quick walk takes the frame for one the kernel wrote, and reads rip, rsp and rbp from fixed places above the stack
 * pointer: hence the 160 bytes, which put the link and the stub's pc exactly where it looks for rsp and rip.
 *
 * The personality is asked when an exception looks for a handler, and refuses: an exception must not fly into the
 * resumer over the heads of the library. 0x1b: an address relative to itself, signed, 4 bytes. */
FUNCTION coir__x86_64_trampoline
        .cfi_startproc
        .cfi_signal_frame
        .cfi_personality 0x1b, coir__x86_64_personality
        .cfi_escape 0x0f, 3, 0x76, 0x00, 0x06
        .cfi_escape 0x10, 16, 2, 0x76, 0x08
        .cfi_same_value %rbp
        endbr64
        call    *%rbx
        .globl  coir__x86_64_first_return
        .hidden coir__x86_64_first_return
coir__x86_64_first_return:                      /* where walks of a single stack end */
        ud2                                     /* it never returns; and the return address must lie in this function */
        .cfi_endproc
        .size   coir__x86_64_trampoline, . - coir__x86_64_trampoline

/* Never executed. Describes a resumer that waits: the stack pointer is at its frame record, and the other registers
 * that switch_in pushed lie below. The pc that stands for it is the one after the first nop, so that the pc before it
 * is in this function too. */
        .type   resumed, @function
        .p2align 4
resumed:
        .cfi_startproc
        .cfi_def_cfa %rsp, 16
        .cfi_offset %rbp, -16
        .cfi_offset %rbx, -24
        .cfi_offset %r12, -32
        .cfi_offset %r13, -40
        .cfi_offset %r14, -48
        .cfi_offset %r15, -56
        nop
        .globl  coir__x86_64_resumed
        .hidden coir__x86_64_resumed
coir__x86_64_resumed:
        nop
        ud2
        .cfi_endproc
        .size   resumed, . - resumed

/* Never executed. What the end record's return address points to: a function whose own return address is undefined,
 * which is how unwinders are told that there is no frame above. */
        .type   bottom, @function
bottom:
        .cfi_startproc
        .cfi_undefined %rip
        nop
        nop
        ud2
        .cfi_endproc
        .size   bottom, . - bottom

/* void coir__x86_64_interrupted(void);      rbx: the function to call, rsp: the frame that was interrupted
 *
 * Where a suspended fiber continues that is to end. It calls the function on top of the frame that the fiber's last
 * switch pushed, which stays where it is, so that a walk or an unwinding goes on through it: the CFA is where that
 * frame ends, and the registers are in it. */
FUNCTION coir__x86_64_interrupted
        .cfi_startproc
        .cfi_def_cfa %rbp, FRAME_SIZE
        .cfi_offset %rip, FRAME_RIP - FRAME_SIZE
        .cfi_offset %rbp, FRAME_RBP - FRAME_SIZE
        .cfi_offset %rbx, FRAME_RBX - FRAME_SIZE
        .cfi_offset %r12, FRAME_R12 - FRAME_SIZE
        .cfi_offset %r13, FRAME_R13 - FRAME_SIZE
        .cfi_offset %r14, FRAME_R14 - FRAME_SIZE
        .cfi_offset %r15, FRAME_R15 - FRAME_SIZE
        endbr64
        andq    $-16, %rsp                      /* the ABI's alignment at a call */
        call    *%rbx
        ud2
        .cfi_endproc
        .size   coir__x86_64_interrupted, . - coir__x86_64_interrupted

/* A frame like those that the switches leave, of nobody: its rbp is 0, where frame-pointer unwinders stop, and its
 * return address is in bottom, where the others do. */
        .section .data.rel.ro, "aw"
        .type   end_frame, @object
        .p2align 3
        .globl  coir__x86_64_end_record
        .hidden coir__x86_64_end_record
end_frame:
        .quad   0, 0, 0, 0, 0
coir__x86_64_end_record:
        .quad   0
        .quad   bottom + 1
        .size   end_frame, . - end_frame

/* This file needs no executable stack. */
        .section .note.GNU-stack, "", @progbits

/* And it keeps to indirect branch tracking (bit 0), and to shadow stacks (bit 1) in that the library never picks these
 * routines while the process has one: backend_x86_64_sysv.c looks. GNU_PROPERTY_X86_FEATURE_1_AND, 0xc0000002, of the
 * x86-64 ABI; by hand, since <cet.h> would leave the note out unless the compiler was asked for -fcf-protection. */
        .section .note.gnu.property, "a"
        .p2align 3
        .long   4, 16, 5                        /* sizes of name and contents; NT_GNU_PROPERTY_TYPE_0 */
        .asciz  "GNU"
        .long   0xc0000002, 4, 3, 0
