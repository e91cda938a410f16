/* SPDX-License-Identifier: MIT */
/* x86_64_sysv.h - the layout of stacks that backend_x86_64_sysv.c writes and switch_x86_64_sysv.S reads. Both include
 * it, so it holds nothing but numbers.
 *
 * A suspended side's stack, as the switches leave it. `saved` of its context points to the lowest word:
 *
 *      56 |  ...                    the caller's frame
 *      48 |  return address   -.
 *      40 |  rbp              -'    together a frame record, as frame-pointer unwinders know it
 *      32 |  rbx
 *      24 |  r12
 *      16 |  r13
 *       8 |  r14
 *       0 |  r15              <- saved
 *
 * The top of a fiber's stack. `record` of its context points to the link:
 *
 *     top |
 *         |  pc of the stub           record + 8
 *         |  link                     record        16-byte aligned
 *         |  160 bytes, of which libunwind reads a few (see the trampoline)
 *         |                           record - 160: the stack pointer in the trampoline, 16-byte aligned
 *         |  return address into the trampoline
 *         |  frame of the fiber's first function
 *         v
 *
 * While the fiber runs, the link holds the address of its resumer's frame record; so unwinders that follow frames go
 * on from the fiber's end into whoever waits for it. While it is suspended, the link leads to a static record that
 * ends. */

#ifndef COIR__X86_64_SYSV_H
#define COIR__X86_64_SYSV_H

#define FRAME_R15 0
#define FRAME_R14 8
#define FRAME_R13 16
#define FRAME_R12 24
#define FRAME_RBX 32
#define FRAME_RBP 40
#define FRAME_RIP 48
#define FRAME_SIZE 56

/* libunwind's quick walk takes the trampoline for a signal's frame as the kernel writes one, in which, counted from the
 * stack pointer, the interrupted rbp is at 0x78, rsp at 0xa0 and rip at 0xa8 (Gtrace.c and x86_64/Gos-linux.c of libunwind
 * 1.6.2). So the record, whose words mean just that, lies there. */
#define RECORD_ABOVE_TRAMPOLINE 0xa0

#define CONTEXT_SAVED 0
#define CONTEXT_RECORD 8

#endif
