/* SPDX-License-Identifier: MIT */
/* coir/debug.h - to see where fibers are: backtraces, and a report when one crashes.
 *
 * A backtrace is a list of addresses in code, the innermost first: where the fiber stands, and for each function above
 * it the address that its call returns to. It goes through the resumers: after the fiber's first function come the
 * frames of whoever resumed it, to the thread's own first function, on every backend. What the library puts at the
 * seams (the trampoline in assembly, the system's first function of a context, its own first function on a fiber's
 * stack) is left out where it can be told; its function that changes the stack, which some backends have as a frame,
 * is not.
 *
 * POSIX: libunwind walks; it needs unwind tables or frame pointers, and compilers for x86-64 make the tables unless
 * told otherwise. A library that was configured with --without-libunwind, or where there was none that walks from a
 * ucontext_t, returns COIR_ENOTSUP. 64-bit Windows: RtlVirtualUnwind; 32-bit: COIR_ENOTSUP. */

#ifndef COIR_DEBUG_H
#define COIR_DEBUG_H

#include <coir/api.h>
#include <coir/error.h>
#include <coir/exec.h>
#include <coir/fiber.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Stores up to `max` addresses of f's backtrace in `frames` and returns how many, from 1.
 *
 * NULL, or the current fiber: from the caller of this function, through all resumers. Outside of any fiber NULL is the
 * thread's own backtrace. A fiber that waits for another, which it has resumed: from that call, through its resumers.
 * A suspended fiber: its own frames only. One that was never resumed: one address, that of its function. A fiber of a
 * task that waits: its frames, and those of the fibers around it to the task's first function.
 *
 * It may be called by any thread on the terms of coir_fiber_state; a fiber that runs in another thread, or waits there
 * for one that it has resumed, is COIR_ETHREAD. It allocates nothing, and takes up to 8 KiB of the caller's stack
 * (with libunwind 1.6, 6.6 KiB for the first one of a process and 4 KiB for others). In the handler of a signal it
 * begins there and goes on through the code that was interrupted.
 *
 * COIR_EINVAL: `frames` is NULL or `max` is not positive. COIR_EDEAD: `f` has ended. COIR_ETHREAD. COIR_ENOTSUP: there
 * is no walker in this build. */
COIR_API int coir_backtrace(const coir_fiber *f, void **frames, int max);

/* The same of a task: from the innermost fiber that runs in it, where it waits, through the fibers that are nested in
 * it, to its first function; of the running task, through whoever runs its executor. COIR_EINVAL also for `t` NULL;
 * COIR_EDEAD: the task has ended. The rest as coir_backtrace. */
COIR_API int coir_task_backtrace(const coir_task *t, void **frames, int max);

/* Writes the backtrace to the file descriptor `fd`, a line for each frame with its number, address, function and
 * offset, and module, as far as they are known:
 *
 *     fiber "reader" (0x55d0c2a1b2c0), suspended
 *       #0  0x000055d0c0a01234  read_line+0x54  (/usr/bin/program+0x1234)
 *       #1  0x000055d0c0a01380  reader+0x20  (/usr/bin/program+0x1380)
 *
 * with a line for each fiber on the way, for each executor that runs a task, "executor (address)", and for the thread,
 * "thread, resuming" or "thread, running"; the states are those of coir_fiber_state. Functions are known by name from
 * symbol tables; addr2line -e MODULE OFFSET tells the source line. It allocates nothing of its own (libunwind maps the
 * files that the names are in, for a moment), uses neither stdio nor locale, and takes up to 16 KiB of the caller's
 * stack. On Windows `fd` is one of the C runtime's, and a line has module and offset only.
 *
 * COIR_OK, or as coir_backtrace, and then nothing is written. What write(2) does not take is lost. */
COIR_API int coir_backtrace_print(const coir_fiber *f, int fd);
COIR_API int coir_task_backtrace_print(const coir_task *t, int fd);

/* From now on a fault inside of a fiber is reported to standard error (file descriptor 2) before it takes its course.
 * For an overflow of its stack, which is a fault in its guard:
 *
 *     coir: stack overflow in fiber "parser" (0x55d0c2a1b2c0)
 *       stack of 262144 bytes at 0x7f0c1a201000, used 262144; fault at 0x7f0c1a200ff8
 *       give it more with coir_options.stack_size
 *       created by main+0x41  (/usr/bin/program+0x1191)
 *       and its backtrace through its resumers, printed as above; of a fiber with more than 32 frames those in the midst
 *       are left out, and their number told
 *
 * and for any other bad access "fault at ADDRESS in fiber NAME", how much of the stack was left, and the same rest. A
 * stack without a guard of the library's own (COIR_NO_GUARD on POSIX, the caller's memory, an allocator's) has no
 * overflows that could be told from other faults. "created by" is what the call of coir_create, coir_spawn or the like
 * returns to. Faults outside of fibers are not reported, nor are signals that were sent. Then the handler that was
 * there before is called, or the default action taken with the faulting instruction run again, so that a core dump
 * shows the frame that faulted. Nothing is installed without this call. Call it early: handlers that are installed
 * later come first, and may call this one.
 *
 * What is in doubt comes last: to walk the stack of a program that has damaged it, and to ask the dynamic linker for
 * names in the handler of a signal, may fault or wait for ever in turn. A fault in the handler ends the process as if
 * there were none; what had been written by then is written.
 *
 * POSIX: handlers for SIGSEGV and SIGBUS on an alternate signal stack (sigaltstack(2)), which is made for the calling
 * thread and for each thread that makes its first fiber afterwards, unless it has one, and goes with the thread; 64
 * KiB. A thread whose own alternate stack is smaller than 32 KiB gets the report without a backtrace. Windows:
 * SetUnhandledExceptionFilter; EXCEPTION_STACK_OVERFLOW is the overflow, and is reported by a thread that is started
 * for it, since too little may be left of the stack. On the Windows Fibers backend under wine there is no such
 * exception (seen with 8.0).
 *
 * COIR_OK, also if it was installed before. COIR_ENOMEM: no memory for the alternate stack or the library's record of
 * the thread; coir_create and the like give it too in threads that come later. COIR_ENOTSUP: the system refuses the
 * handlers. */
COIR_API int coir_crash_handler_install(void);

#ifdef __cplusplus
}
#endif

#endif
