/* SPDX-License-Identifier: MIT */
/* x86_64_win64.h - the layout of stacks that backend_x86_64_win64.c writes and switch_x86_64_win64.S reads. Both include
 * it, so it holds nothing but numbers.
 *
 * A suspended side's stack, as the switches leave it. `saved` of its context points to the lowest byte, which is 16-byte
 * aligned:
 *
 *     240 |  ...                    the caller's frame; first the 32 bytes that the ABI has it leave to who is called
 *     232 |  return address
 *     224 |  rbp
 *     216 |  rbx
 *     208 |  rdi
 *     200 |  rsi
 *     192 |  r12
 *     184 |  r13
 *     176 |  r14
 *     168 |  r15
 *     160 |  (unused)
 *       0 |  xmm6 to xmm15          <- saved
 *
 * The top of a fiber's stack. `record` of its context points to the link:
 *
 *     top |
 *         |  original pc            record + 56       of a fiber that is to be interrupted
 *         |  function               record + 48       what it is to call
 *         |  GuaranteedStackBytes   record + 40  -.
 *         |  ExceptionList          record + 32   |   what the thread's environment block (TEB) says
 *         |  DeallocationStack      record + 24   |   of this stack while it is the current one
 *         |  StackLimit             record + 16   |
 *         |  StackBase              record +  8  -'
 *         |  link                   record            16-byte aligned
 *         |  32 bytes for who is called
 *         |                         record - 32: the stack pointer in the trampoline, 16-byte aligned
 *         |  return address into the trampoline
 *         |  frame of the fiber's first function
 *         v
 *
 * While the fiber runs, the link holds what `saved` of its resumer's context does; so a walk of the stack goes on from
 * the fiber's end into whoever waits for it. While it is suspended, the link leads to a static frame that ends. A
 * thread's own side has a record as well, without a link, on the heap. */

#ifndef COIR__X86_64_WIN64_H
#define COIR__X86_64_WIN64_H

#define FRAME_XMM 0
#define FRAME_R15 168
#define FRAME_R14 176
#define FRAME_R13 184
#define FRAME_R12 192
#define FRAME_RSI 200
#define FRAME_RDI 208
#define FRAME_RBX 216
#define FRAME_RBP 224
#define FRAME_RIP 232
#define FRAME_SIZE 240

#define RECORD_LINK 0
#define RECORD_STACK_BASE 8
#define RECORD_STACK_LIMIT 16
#define RECORD_DEALLOCATION_STACK 24
#define RECORD_EXCEPTION_LIST 32
#define RECORD_GUARANTEED_BYTES 40
#define RECORD_FUNCTION 48
#define RECORD_ORIGINAL_PC 56
#define RECORD_SIZE 64

#define TRAMPOLINE_BELOW_RECORD 32

/* Fields of the TEB. The first three are those of NT_TIB in <winnt.h>. DeallocationStack and GuaranteedStackBytes are in
 * no header; they have had these places since the first 64-bit Windows, and Microsoft publishes them with the symbols of
 * ntdll. */
#define TEB_EXCEPTION_LIST 0x00
#define TEB_STACK_BASE 0x08
#define TEB_STACK_LIMIT 0x10
#define TEB_DEALLOCATION_STACK 0x1478
#define TEB_GUARANTEED_BYTES 0x1748

#define CONTEXT_SAVED 0
#define CONTEXT_RECORD 8

#endif
