/* SPDX-License-Identifier: MIT */
/* registers.h - a call with values of the test's choice in the callee-saved registers. Included by one file of a
 * program, where there is assembly for the processor: T_HAS_REGISTERS says so then. */

#ifndef T_REGISTERS_H
#define T_REGISTERS_H

#include <stdint.h>

#if defined(__x86_64__)

#define T_HAS_REGISTERS

/* int call_with_registers(fn, a, in, out): loads `in` into the callee-saved registers, calls fn(a, NULL, NULL), and
 * stores what is in them then. */
#ifdef _WIN32

enum { WORDS = 8 + 2 * 10 }; /* rbp rbx rdi rsi r12-r15, then xmm6-xmm15 */

__asm__(".text\n"
        ".globl call_with_registers\n"
        ".def call_with_registers; .scl 2; .type 32; .endef\n"
        ".seh_proc call_with_registers\n"
        "call_with_registers:\n"
        "    pushq %rbp\n .seh_pushreg %rbp\n pushq %rbx\n .seh_pushreg %rbx\n"
        "    pushq %rdi\n .seh_pushreg %rdi\n pushq %rsi\n .seh_pushreg %rsi\n"
        "    pushq %r12\n .seh_pushreg %r12\n pushq %r13\n .seh_pushreg %r13\n"
        "    pushq %r14\n .seh_pushreg %r14\n pushq %r15\n .seh_pushreg %r15\n"
        "    subq $0xd8, %rsp\n .seh_stackalloc 0xd8\n"
        ".irp n, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
        "    movaps %xmm\\n, 0x20 + (\\n - 6) * 16(%rsp)\n .seh_savexmm %xmm\\n, 0x20 + (\\n - 6) * 16\n"
        ".endr\n"
        ".seh_endprologue\n"
        "    movq %r9, 0xc8(%rsp)\n"
        "    movq %rcx, %rax; movq %rdx, %rcx; xorl %edx, %edx\n"
        "    movq (%r8), %rbp; movq 8(%r8), %rbx; movq 16(%r8), %rdi; movq 24(%r8), %rsi\n"
        "    movq 32(%r8), %r12; movq 40(%r8), %r13; movq 48(%r8), %r14; movq 56(%r8), %r15\n"
        ".irp n, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
        "    movups 64 + (\\n - 6) * 16(%r8), %xmm\\n\n"
        ".endr\n"
        "    xorl %r8d, %r8d\n"
        "    callq *%rax\n"
        "    movq 0xc8(%rsp), %r9\n"
        "    movq %rbp, (%r9); movq %rbx, 8(%r9); movq %rdi, 16(%r9); movq %rsi, 24(%r9)\n"
        "    movq %r12, 32(%r9); movq %r13, 40(%r9); movq %r14, 48(%r9); movq %r15, 56(%r9)\n"
        ".irp n, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
        "    movups %xmm\\n, 64 + (\\n - 6) * 16(%r9)\n"
        "    movaps 0x20 + (\\n - 6) * 16(%rsp), %xmm\\n\n"
        ".endr\n"
        "    addq $0xd8, %rsp\n"
        "    popq %r15; popq %r14; popq %r13; popq %r12; popq %rsi; popq %rdi; popq %rbx; popq %rbp\n"
        "    ret\n"
        ".seh_endproc\n");

#else

enum { WORDS = 6 };

__asm__(".text\n"
        ".globl call_with_registers\n"
        ".type call_with_registers, @function\n"
        "call_with_registers:\n"
        "    pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15\n"
        "    pushq %rcx\n"
        "    movq %rdi, %rax; movq %rsi, %rdi; xorl %esi, %esi\n"
        "    movq (%rdx), %rbp; movq 8(%rdx), %rbx; movq 16(%rdx), %r12\n"
        "    movq 24(%rdx), %r13; movq 32(%rdx), %r14; movq 40(%rdx), %r15\n"
        "    xorl %edx, %edx\n"
        "    callq *%rax\n"
        "    popq %rcx\n"
        "    movq %rbp, (%rcx); movq %rbx, 8(%rcx); movq %r12, 16(%rcx)\n"
        "    movq %r13, 24(%rcx); movq %r14, 32(%rcx); movq %r15, 40(%rcx)\n"
        "    popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp\n"
        "    ret\n"
        ".size call_with_registers, . - call_with_registers\n"
        ".section .note.GNU-stack, \"\", @progbits\n"
        ".text\n");

#endif

int call_with_registers(int (*fn)(void *, void *, void *), void *a, uint64_t in[WORDS], uint64_t out[WORDS]);

static void fill(uint64_t words[WORDS], uint64_t seed)
{
    for (uint64_t i = 0; i < WORDS; i++)
        words[i] = (seed * WORDS + i + 1) * 0x9e3779b97f4a7c15u;
}

#endif

#endif
