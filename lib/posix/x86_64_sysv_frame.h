/* SPDX-License-Identifier: MIT */
/* x86_64_sysv_frame.h - macros of the assembly: the frame that a side leaves on its stack, as x86_64_sysv.h draws it, is
 * pushed and popped in the same way wherever stacks are changed. */

#ifndef COIR__X86_64_SYSV_FRAME_H
#define COIR__X86_64_SYSV_FRAME_H

/* Pushes the registers. Every line tells unwinders where the caller's value now is. */
.macro SAVE_REGISTERS
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbp, 0
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r12, 0
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r13, 0
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r14, 0
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r15, 0
.endm

/* Pops them from the other stack, where they lie in the same way, and leaves: the result is in eax. After the last pop the
 * return address is in rcx only. */
.macro RESTORE_REGISTERS_AND_LEAVE
        popq    %r15
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r15
        popq    %r14
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r14
        popq    %r13
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r13
        popq    %r12
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r12
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        popq    %rbp
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbp
        popq    %rcx
        .cfi_adjust_cfa_offset -8
        .cfi_register %rip, %rcx
        notrack jmp *%rcx
.endm

#endif
