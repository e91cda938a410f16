/* SPDX-License-Identifier: MIT */
/* coir/fiber.h - fibers: functions that can be suspended in the middle and continued later.
 *
 * A fiber is a function that runs on a stack of its own. coir_resume continues it until it yields or ends, coir_yield
 * suspends it and hands a value to whoever resumed it:
 *
 *     static void *count(void *arg)
 *     {
 *         for (intptr_t n = 1; n <= 3; n++)
 *             coir_yield((void *)n, NULL);
 *         return NULL;
 *     }
 *
 *     coir_fiber *f;
 *     void *v;
 *     coir_create(&f, count, NULL, NULL);
 *     while (coir_resume(f, NULL, &v) > 0)
 *         printf("%d\n", (int)(intptr_t)v);
 *     coir_destroy(f);
 *
 * Rules for all that follows:
 *
 * Threads. A fiber belongs to the thread that created it: until it has ended, only that thread may resume, switch to,
 * cancel or destroy it; from another the call returns COIR_ETHREAD and changes nothing. With COIR_MOVABLE any thread
 * may, while the fiber is new or suspended, and it then belongs to that thread. A fiber that has ended gives
 * COIR_EDEAD to all threads, and any may destroy it. All calls happen, and return, on the calling thread. When a
 * thread ends, fibers that it leaves behind are not unwound: a suspended one stays so for ever, and one that was
 * running is DONE. Any thread that has joined it may then destroy them, which unwinds the frames of those that were
 * suspended and runs what they have deferred. The functions that ask about a fiber (state, name, data) may be called by
 * any thread, if the program sees to it that the fiber is not destroyed or run meanwhile.
 *
 * Errors. Where several apply, the one that names the fiber's or the caller's situation comes before COIR_EINVAL for a
 * value: COIR_ENOTFIBER first, then COIR_ECANCELED, COIR_EDEAD, COIR_ETHREAD, COIR_EBUSY.
 *
 * What a switch keeps. The callee-saved registers of the platform's ABI (x86-64: System V ABI, AMD64 supplement, table
 * 3.4, "preserved across function calls"; on Windows those that Microsoft's "x64 calling convention" calls
 * nonvolatile), but the floating-point control words only with COIR_KEEP_FPENV. The signal mask is the thread's:
 * assembly does not touch it. On the ucontext backend the system keeps the signal mask, the floating-point control
 * words and exception flags for each fiber, whatever the options say, and a new one starts with its creator's; on
 * Windows Fibers it keeps the floating-point control words (wine does not). C++'s record of caught and flying
 * exceptions is the fiber's on all backends (coir/exceptions.h).
 *
 * Fibers of others. The fiber of a generator (coir/gen.h), of a task or of an executor (coir/exec.h) is continued and
 * ended by its owner alone: coir_resume, coir_switch, coir_cancel and coir_destroy of it are COIR_EBUSY. A fiber that
 * is nested in a task may wait as the task can; until that is over it, and those that wait for it, are COIR_EBUSY too.
 *
 * Signals. A handler runs on the stack of the fiber that it broke into, unless the thread has an alternate one
 * (sigaltstack); the smallest stack has room for it. It may call no function of this library but coir_self, since it
 * may have broken into any of them.
 *
 * longjmp inside one fiber is fine, out of one is not. fork, exit, pthread_exit and ExitThread may be called in a
 * fiber. What exit calls (atexit) runs on the fiber's stack then, and must not suspend it. In the child of a fork the
 * fibers of the thread that forked go on; those of other threads are left behind, as if their threads had ended
 * (destroy only those that were not in use at that moment).
 *
 * pthread_exit and pthread_cancel leave the fiber and its resumers, which are DONE then. They can be destroyed once
 * the thread has ended; a destroy before that may be COIR_EBUSY. All that pthread_cleanup_push has noted runs. With
 * glibc the C++ destructors and cleanup attributes of all their frames run on the assembly backend, of the innermost
 * fiber's on ucontext; with musl none do. But for glibc with the assembly, coir_self() may still be the fiber while
 * the thread is ending: suspend nothing there.
 *
 * Of this library only coir_exec_run and what runs an executor is a cancellation point, while it waits. Between
 * pthread_cleanup_push and its pop a fiber must neither suspend nor be destroyed: the list that they keep is the
 * thread's. coir_defer is the fiber's.
 *
 * ExitThread, and what calls it, ends the thread without unwinding: the fiber that called it and its resumers are DONE
 * then, and can be destroyed once the thread has ended. On Windows Fibers the system releases the stack of the fiber
 * in place of the thread's own, which is lost; what the fiber has deferred runs on another stack.
 *
 * Windows. On the Windows Fibers backend each fiber is one of the system's, with its own fiber-local storage
 * (FlsAlloc). Its callbacks are called after the fiber has ended: by coir_destroy, or before that when another fiber
 * of the thread ends (on that one's stack) or the thread does; they had better not use coir. A thread becomes a fiber
 * of the system with its first coir_create and is made an ordinary one at its end, unless it was a fiber before; until
 * then it must not be converted back (ConvertFiberToThread). A program may have system fibers of its own, made with
 * FIBER_FLAG_FLOAT_SWITCH, and use coir from any of them by turns; but from inside of a fiber of coir, SwitchToFiber
 * must not be called, nor may a system fiber that waits in coir_resume be deleted. On the assembly backend a fiber
 * shares the thread's fiber-local storage and its GetCurrentFiber; StackBase, StackLimit, the stack guarantee and what
 * else the thread's environment block says of the stack are the fiber's. On both, exceptions that find no handler in a
 * fiber go to the unhandled exception filter, as a thread's do. GetLastError is the thread's, as errno is.
 *
 * What is called while a thread of Windows ends (DllMain, TLS callbacks) had better not use fibers: a coir_create
 * there may leave memory behind. Fibers of a thread that was ended by TerminateThread can never be destroyed. The DLL,
 * once loaded, stays until the process ends, and so does a DLL that contains the static library.
 *
 * Debuggers and unwinders. On the assembly backend a walk of the stack (gdb's bt, backtrace, libunwind;
 * RtlVirtualUnwind and what is built on it on Windows) goes from inside a fiber through its resumers to main. On the
 * ucontext and Windows Fibers backends it ends at the fiber's first function. RtlCaptureStackBackTrace ends there on
 * all. */

#ifndef COIR_FIBER_H
#define COIR_FIBER_H

#include <stddef.h>

#include <coir/api.h>
#include <coir/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A fiber. Made by coir_create, freed by coir_destroy. */
typedef struct coir_fiber coir_fiber;

/* What a fiber runs. `arg` is coir_create's; what it returns goes to the resumer, with COIR_DONE. It runs inside
 * frames of the library and must return to them or end by coir_exit: a C++ exception that would leave it ends the
 * program. */
typedef void *coir_fn(void *arg);

/* What coir_resume and coir_cancel return, besides the errors. */
enum coir_result {
    COIR_DONE = 0,    /* the fiber has ended */
    COIR_YIELDED = 1, /* it has yielded */
    COIR_SWITCHED = 2 /* another fiber, that had taken its place by coir_switch, has yielded or ended. Which of them is
                         for the program to know: by the value, or by coir_fiber_state */
};

/* Flags for coir_options. */
#define COIR_KEEP_FPENV 1u /* the fiber has rounding mode, precision and exception masks of its own (on x86-64 the
                              control bits of MXCSR and the x87 control word); it starts with those of its creator.
                              Without the flag it shares those of whoever resumes it. Costs a few nanoseconds a switch,
                              in every fiber of the process once one has asked for it */
#define COIR_MOVABLE 2u    /* any thread may resume, switch to, cancel or destroy the fiber while it is new or suspended:
                              it then moves there, until it is next suspended. Handing it over is the program's
                              affair: what the last thread did with the fiber must happen before what the next one does
                              (a mutex, a queue); two threads at once are undefined. Across a suspension the fiber's code
                              must not keep addresses of thread-local variables, that of errno among them, which
                              compilers do by themselves (coir/tls.h has the cure), nor the value of pthread_self, nor a
                              lock that belongs to its thread. Fibers that it has created stay with the thread in which
                              it did. A generator moves in the same way with coir_gen_next. Not for tasks, which stay
                              with their executor: COIR_ENOTSUP there. Its switches cost a few nanoseconds more */
#define COIR_NO_GUARD 4u   /* no guard under the stack: one that overflows then writes into other memory unseen. Saves
                              two mappings a fiber on Linux before 6.13; nothing there after. Has no effect on Windows,
                              where stacks grow by their guards */
#define COIR_NO_UNWIND 8u  /* coir_destroy and coir_exit drop the fiber's frames without unwinding them: no destructor
                              and no cleanup attribute in them runs */

/* How to make a fiber. Start from all zeros: zero means the default. */
typedef struct coir_options {
    const char *name;  /* for reports and debuggers; copied. NULL: none */
    size_t stack_size; /* bytes, without the guard. 0: coir_stack_default(). Less than coir_stack_min() is raised to it;
                          then to the next of four sizes for each power of two, in pages: coir_stack_bounds tells. The
                          library takes a little at its top: up to 2.5 KiB, on ucontext a ucontext_t more */
    void *stack;       /* the caller's own memory for the stack, aligned to 16 bytes, of exactly stack_size bytes, which
                          must be given and at least coir_stack_min(); all of it readable and writable. It gets no guard
                          and must stay until the fiber is destroyed. Not on the Windows Fibers backend: COIR_ENOTSUP.
                          NULL: the library's own */
    void *data;        /* the first value of coir_fiber_data */
    unsigned flags;    /* COIR_KEEP_FPENV and so on, joined by | */
    unsigned reserved_flags;
    void *reserved[3]; /* must be zero */
} coir_options;

/* Makes a fiber that will run fn(arg), and stores it in *out. Nothing runs before the first coir_resume. `opt` may be
 * NULL for all defaults; it is not needed after the call. The caller owns the fiber and frees it with coir_destroy.
 *
 * COIR_EINVAL: `out` or `fn` is NULL, a flag is unknown, a reserved member is not zero, or `stack` is misaligned or
 * too small. COIR_ENOMEM, COIR_EMAPS: no memory, or no mapping, for it. COIR_ENOTSUP: `stack`, or an allocator that
 * has stacks of its own (coir_set_allocator), on the Windows Fibers backend; or COIR_BACKEND in the environment names
 * a backend that cannot be had. On error *out is as it was. */
COIR_API int coir_create(coir_fiber **out, coir_fn *fn, void *arg, const coir_options *opt);

/* Runs `f` on its own stack until it yields or ends; the caller, which may be a fiber itself to any depth, waits
 * meanwhile. `value` is what the coir_yield, in which `f` stands, hands out through its second argument; the first
 * resume has no yield to receive it, so there it must be NULL.
 *
 * COIR_YIELDED: `f` yielded, *result is what it gave. COIR_DONE: its function returned, or it called coir_exit;
 * *result is what it returned. COIR_SWITCHED: another fiber, in f's place, yielded or ended, and *result is what that
 * one gave. `result` may be NULL; on error *result is not touched.
 *
 * COIR_EINVAL: `f` is NULL, or a first resume with a value. COIR_EDEAD: it has ended. COIR_EBUSY: it runs, or waits
 * for a fiber that it resumed. COIR_ETHREAD: it belongs to another thread. It never fails for want of memory, but for
 * a movable fiber in a thread that has not used fibers before (COIR_ENOMEM). */
COIR_API int coir_resume(coir_fiber *f, void *value, void **result);

/* Suspends the current fiber and makes the coir_resume that runs it return COIR_YIELDED with `value`. Control comes
 * back when the fiber is resumed: then COIR_OK, and *result is the value of that resume; or COIR_ECANCELED, when it
 * was, or had earlier been, continued by coir_cancel, and *result is the value all the same, NULL from coir_cancel
 * itself. `result` may be NULL.
 *
 * At once, without suspending (*result is then not touched): COIR_ENOTFIBER outside of any fiber, and in a task's own;
 * COIR_ECANCELED in a deferred function or in the destructor of a key, since the fiber is ending; COIR_EINVAL in a
 * generator's own; COIR_EBUSY in what an executor calls that this fiber runs (coir_exec_post). */
COIR_API int coir_yield(void *value, void **result);

/* Suspends the current fiber and continues `to`, new or suspended, in its place: `to` inherits the resumer, and what
 * it yields or returns goes there. The resumer, which still waits for the first fiber of that place, gets
 * COIR_SWITCHED if it hears from another. `value` and what the call returns later are as with coir_resume and
 * coir_yield: COIR_OK, or COIR_ECANCELED, when somebody resumes or switches to the fiber that made the call.
 *
 * At once, as coir_yield: COIR_ENOTFIBER, COIR_ECANCELED (a fiber that was cancelled, but has not returned yet, may
 * still switch), COIR_EINVAL, COIR_EBUSY; and for the sake of `to`: COIR_EINVAL, COIR_EDEAD, COIR_EBUSY (also for a
 * switch to oneself) and COIR_ETHREAD as with coir_resume. */
COIR_API int coir_switch(coir_fiber *to, void *value, void **result);

/* Asks the processor to fetch what a resume of `f`, or a switch to it, will touch: its record, and the top of its
 * stack as it was left. It only is a hint: it has no other effect, cannot fail, and does not wait for the memory of
 * the stack. A scheduler that resumes more fibers than the processor's caches hold calls it for the fiber that it will
 * resume some four places later. Where all fibers fit in the caches it costs a nanosecond for nothing; so it does for
 * one that is not suspended. `f` is NULL or one of this thread's. Tasks of an executor need none of this: it does the
 * same for them. */
COIR_API void coir_prefetch(const coir_fiber *f);

/* Asks `f` to end: resumes it so that its coir_yield (or coir_switch) returns COIR_ECANCELED. The fiber is expected to
 * clean up and return, and may resume and switch to others meanwhile; if it yields all the same, it is suspended as
 * usual, and each later yield again returns COIR_ECANCELED when it is resumed. A fiber that was never resumed ends at
 * once, without running.
 *
 * Returns what coir_resume would: COIR_YIELDED, COIR_DONE (*result is NULL for a fiber that never ran) or
 * COIR_SWITCHED; errors as with coir_resume. */
COIR_API int coir_cancel(coir_fiber *f, void **result);

/* Frees `f`. If it is suspended in the middle, or was left behind there by a thread that has ended, it first ends, on
 * its stack and with coir_self() being `f`: its frames are unwound, so that C++ destructors and cleanup attributes in
 * them run (coir/exceptions.h says which, and what stops it); then its deferred functions and the destructors of its
 * keys. With COIR_NO_UNWIND frames are dropped instead, and so they are where nothing can unwind them. C code that
 * wants to clean up on COIR_ECANCELED needs coir_cancel before. NULL does nothing and is COIR_OK.
 *
 * COIR_EBUSY: it runs, or waits for a fiber that it resumed, or the thread is ending and was left through it.
 * COIR_ETHREAD: it has not ended and belongs to another thread that has not ended. COIR_ENOMEM: it was left behind by
 * a thread that has ended, or is movable, and this thread, or a stack, could not be prepared to end it. After an error
 * `f` is as it was; after COIR_OK it is gone. */
COIR_API int coir_destroy(coir_fiber *f);

/* Ends the current fiber, from any depth of calls: its frames are unwound as by coir_destroy, its deferred functions
 * run, then its resumer's coir_resume returns COIR_DONE with `result`. Does not return but for an error:
 * COIR_ENOTFIBER outside of any fiber, COIR_ECANCELED where the fiber is ending already, COIR_EBUSY in what an
 * executor calls that this fiber runs. */
COIR_API int coir_exit(void *result);

/* Notes fn(arg) to be run when the current fiber ends, in whatever way: on return, coir_exit or coir_destroy. What is
 * noted last runs first. Deferred functions run on the fiber's stack after its last frame is gone, so `arg` must not
 * point to a local variable of the fiber, and no exception may leave them. They may resume other fibers and defer
 * more; suspending in one gives COIR_ECANCELED at once. COIR_ENOTFIBER; COIR_EINVAL: `fn` is NULL; COIR_ECANCELED: in
 * the destructor of a key, which comes after all deferred functions; COIR_ENOMEM. */
COIR_API int coir_defer(void (*fn)(void *arg), void *arg);

/* Takes back what coir_defer noted last with this same `fn` and `arg` in the current fiber, and calls it now, as an
 * ordinary call, if `run` is not 0, as pthread_cleanup_pop does. An entry is gone when its function is called.
 * COIR_ENOTFIBER; COIR_EINVAL: there is no such entry. */
COIR_API int coir_undefer(void (*fn)(void *arg), void *arg, int run);

/* The fiber that is running: the innermost of a chain of resumes; NULL outside of any fiber. */
COIR_API coir_fiber *coir_self(void);

/* What coir_fiber_state tells. */
enum coir_state {
    COIR_STATE_NEW = 0,       /* never resumed */
    COIR_STATE_SUSPENDED = 1, /* in coir_yield, or left by coir_switch */
    COIR_STATE_RUNNING = 2,   /* the current fiber of its thread */
    COIR_STATE_RESUMING = 3,  /* has resumed another fiber and waits for it */
    COIR_STATE_DONE = 4,      /* has ended; it cannot be resumed, only asked about and destroyed */
    COIR_STATE_WAITING = 5    /* the innermost fiber of a task that waits, or that is ready to go on (coir/exec.h) */
};

/* The state of `f`. COIR_EINVAL: `f` is NULL. */
COIR_API int coir_fiber_state(const coir_fiber *f);

/* The name that the options gave, valid until the fiber is destroyed; "" if there was none, NULL for NULL. */
COIR_API const char *coir_fiber_name(const coir_fiber *f);

/* A pointer for the program's own use, NULL for NULL. set_data: COIR_EINVAL: `f` is NULL. */
COIR_API void *coir_fiber_data(const coir_fiber *f);
COIR_API int coir_fiber_set_data(coir_fiber *f, void *data);

/* A function that is told of every change of fiber in the process, for collectors, profilers and language runtimes
 * that keep state for each fiber. It is called on the side that leaves, on the stack of `from`, just before the
 * change; NULL stands for the thread itself. coir_self() is `to` already, and `from` has ended if its state says so.
 * It must not create, resume, suspend or destroy fibers, nor trim the pool. Creating a fiber, and ending one that
 * never ran, change to no fiber; destroying a suspended one changes to it and back. NULL takes the function away.
 * Without one, a switch costs one comparison for this and all else that may be asked for together.
 *
 * Call it when no other thread is inside a function of this library: it is not synchronised with them. It picks the
 * backend as coir_backend_name does. COIR_ENOTSUP: none can be had. */
typedef void coir_switch_hook(coir_fiber *from, coir_fiber *to, void *context);
COIR_API int coir_set_switch_hook(coir_switch_hook *hook, void *context);

#ifdef __cplusplus
}
#endif

#endif
