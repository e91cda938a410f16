/* SPDX-License-Identifier: MIT */
/* crash.c (POSIX) - faults are signals. A fiber whose stack has overflown has none to handle a signal on, so that is
 * done on an alternate one, which each thread needs for itself.
 *
 * Which signal and which si_code say that a guard was touched depends on the system and on the kind of guard (Linux:
 * SEGV_MAPERR or SEGV_ACCERR), so only the address is looked at. */

#include <config.h>

#include <errno.h>
#include <signal.h>
#include <stddef.h>

#include <coir/error.h>

#include "crash.h"
#include "pages.h"
#include "thread.h"
#include "walk.h"

#define ALTERNATE_SIZE ((size_t)64 * 1024)
#define ROOM_TO_WALK ((size_t)32 * 1024)

static const int signals[2] = {SIGSEGV, SIGBUS};
static struct sigaction before[2];
static const struct sigaction default_action = {.sa_handler = SIG_DFL};

/* ---- alternate stacks ---- */

static bool has_alternate(void)
{
    stack_t stack;

    return sigaltstack(NULL, &stack) == 0 && !(stack.ss_flags & SS_DISABLE);
}

int coir__crash_enter_thread(struct coir__thread *thread)
{
    stack_t stack = {.ss_size = ALTERNATE_SIZE};

    if (has_alternate())
        return COIR_OK;
    stack.ss_sp = coir__pages_reserve(ALTERNATE_SIZE);
    if (stack.ss_sp == NULL)
        return COIR_ENOMEM;
    if (sigaltstack(&stack, NULL) != 0) {
        coir__pages_release(stack.ss_sp, ALTERNATE_SIZE);
        return COIR_ENOMEM;
    }
    thread->alternate_stack = stack.ss_sp;
    return COIR_OK;
}

/* The program may have put another in its place. Or the thread may be ending in a handler that stands on it: then it
 * cannot be taken away (EPERM), and stays. */
void coir__crash_leave_thread(struct coir__thread *thread)
{
    const stack_t none = {.ss_flags = SS_DISABLE, .ss_size = ALTERNATE_SIZE};
    stack_t stack;

    if (thread->alternate_stack == NULL)
        return;
    if (sigaltstack(NULL, &stack) == 0 && stack.ss_sp == thread->alternate_stack && sigaltstack(&none, NULL) != 0)
        return;
    coir__pages_release(thread->alternate_stack, ALTERNATE_SIZE);
    thread->alternate_stack = NULL;
}

/* ---- the handler ---- */

/* How much there is of the stack that the handler runs on: an alternate one, or, where the thread has none, the rest
 * of the fiber's. */
static size_t room(const coir_fiber *f)
{
    volatile char here = 0;
    stack_t stack;

    if (sigaltstack(NULL, &stack) == 0 && (stack.ss_flags & SS_ONSTACK))
        return stack.ss_size;
    return (uintptr_t)&here - (uintptr_t)f->stack.low;
}

static void report(siginfo_t *info, void *context)
{
    struct coir__thread *thread = coir__thread_here();
    struct coir__fault fault = {.thread = thread, .address = (uintptr_t)info->si_addr, .state = context};

    fault.has_room = room(thread->current) >= ROOM_TO_WALK;
    coir__crash_report(&fault);
}

/* The instruction runs again when the handler returns, and faults again. But a signal that somebody sent has to be
 * sent again, which waits until then too. */
static void take_default(int signal, bool was_sent)
{
    sigaction(signal, &default_action, NULL);
    if (was_sent)
        raise(signal);
}

/* Calls a handler of the program's as the system would have. The mask is the interrupted code's again when this one
 * returns. */
static void call(const struct sigaction *action, int signal, siginfo_t *info, void *context)
{
    sigset_t mask = action->sa_mask, itself;

    sigemptyset(&itself);
    sigaddset(&itself, signal);
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
    if ((action->sa_flags & SA_NODEFER) && !sigismember(&mask, signal))
        pthread_sigmask(SIG_UNBLOCK, &itself, NULL);
    if (action->sa_flags & SA_SIGINFO)
        action->sa_sigaction(signal, info, context);
    else
        action->sa_handler(signal);
}

static bool is_handler(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) || (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

/* Signals that a process sent have codes up to 0 (POSIX, <signal.h>). */
static void on_signal(int signal, siginfo_t *info, void *context)
{
    struct sigaction *next = &before[signal == SIGBUS];
    struct sigaction action = *next;
    bool was_sent = info->si_code <= 0;
    int error = errno;

    if (!was_sent)
        report(info, context);
    errno = error;
    if (is_handler(&action)) {
        if (action.sa_flags & (int)SA_RESETHAND)
            *next = default_action;
        call(&action, signal, info, context);
    } else if (!was_sent || action.sa_handler != SIG_IGN) { /* a fault cannot be ignored */
        take_default(signal, was_sent);
    }
}

int coir__crash_install(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    sigemptyset(&action.sa_mask);
    if (sigaction(signals[0], &action, &before[0]) != 0)
        return COIR_ENOTSUP;
    if (sigaction(signals[1], &action, &before[1]) == 0)
        return COIR_OK;
    sigaction(signals[0], &before[0], NULL);
    return COIR_ENOTSUP;
}
