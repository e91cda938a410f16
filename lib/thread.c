/* SPDX-License-Identifier: MIT */
/* thread.c - the records of threads: made by a thread's first fiber, gone when the thread ends. */

#include <config.h>

#include <string.h>

#include "allocator.h"
#include "crash.h"
#include "likely.h"
#include "os.h"
#include "thread.h"
#include "tools.h"

struct coir__thread coir__no_thread = {
    .current = &coir__no_thread.root,
    .watched = &coir__no_exceptions,
    .exceptions = &coir__no_exceptions,
    .exec = &coir__no_exec,
    .root = {.special = COIR__ROOT},
    .handles = {.count = COIR__HANDLES_MOST}, /* so that it takes none */
};
struct coir__thread coir__thread_ended = {
    .current = &coir__thread_ended.root,
    .exec = &coir__no_exec,
    .ended = true,
    .root = {.special = COIR__ROOT},
};
struct coir__thread coir__thread_any = {
    .current = &coir__thread_any.root,
    .exec = &coir__no_exec,
    .root = {.special = COIR__ROOT},
};

/* All records, and how many there have been, under the lock. Serials of fibers are a thread's number and, below it, a count
 * of its own: enough for a trillion fibers in each of sixteen million threads. */
static struct coir__thread *threads;
static uint64_t thread_count;
static bool watch_always;
#define SERIALS_OF_A_THREAD ((uint64_t)1 << 40)

COIR__NOINLINE struct coir__thread *coir__thread_now(void)
{
    return coir__thread_here();
}

/* A record that is never empty. */
static const struct coir__exceptions never_empty = {NULL, 1};

static void watch(struct coir__thread *thread)
{
    atomic_store_explicit(&thread->watched, watch_always ? &never_empty : thread->exceptions, memory_order_relaxed);
}

bool coir__watches_always(struct coir__thread *thread)
{
    return coir__watched(thread) == &never_empty;
}

void coir__threads_watch(bool always)
{
    watch_always = always;
    for (struct coir__thread *thread = threads; thread != NULL; thread = thread->next)
        watch(thread);
}

static void list_thread(struct coir__thread *thread)
{
    coir__lock();
    watch(thread);
    thread->number = ++thread_count;
    thread->next_serial = thread->number * SERIALS_OF_A_THREAD;
    thread->next = threads;
    if (threads != NULL)
        threads->previous = thread;
    threads = thread;
    coir__unlock();
}

static void unlist_thread(struct coir__thread *thread)
{
    coir__lock();
    if (thread->previous != NULL)
        thread->previous->next = thread->next;
    else
        threads = thread->next;
    if (thread->next != NULL)
        thread->next->previous = thread->previous;
    coir__unlock();
}

bool coir__thread_lives(uint64_t number)
{
    const struct coir__thread *thread;
    bool lives;

    coir__lock();
    for (thread = threads; thread != NULL && thread->number != number; thread = thread->next)
        ;
    lives = thread != NULL && !thread->ended;
    coir__unlock();
    return lives;
}

static int enter_backend(struct coir__thread *thread)
{
    const struct coir__backend *backend = coir__backend();

    return backend->enter_thread != NULL ? backend->enter_thread(&thread->root.context) : COIR_OK;
}

static void leave_backend(struct coir__thread *thread)
{
    const struct coir__backend *backend = coir__backend();

    if (backend->leave_thread != NULL)
        backend->leave_thread(&thread->root.context, &thread->current->context);
}

/* Tells everybody of the record who has to know of it, if that can be done in whole. */
static int enter(struct coir__thread *thread)
{
    int error = enter_backend(thread);

    if (error != COIR_OK)
        return error;
    error = coir__crash_new_thread(thread);
    if (error == COIR_OK) {
        error = coir__os_set_thread(thread);
        if (error == COIR_OK)
            return COIR_OK;
        coir__crash_leave_thread(thread);
    }
    leave_backend(thread);
    return error;
}

/* Makes a record for the calling thread. */
static int make(struct coir__thread **out)
{
    struct coir__thread *thread = coir__allocate_aligned(sizeof *thread);
    int error;

    if (thread == NULL)
        return COIR_ENOMEM;
    memset(thread, 0, sizeof *thread);
    thread->current = &thread->root;
    thread->exec = &coir__no_exec;
    thread->root.special = COIR__ROOT;
    thread->root.life = COIR__STARTED;
    thread->root.owner = thread;
    coir__exceptions_enter(thread);
    error = enter(thread);
    if (error != COIR_OK) {
        coir__release_aligned(thread, sizeof *thread);
        return error;
    }
    list_thread(thread);
    *out = thread;
    return COIR_OK;
}

/* Before anything is allocated, so that the program can take such an allocator back. */
static int check_allocator(void)
{
    return coir__backend()->make_stack != NULL && coir__allocates_stacks() ? COIR_ENOTSUP : COIR_OK;
}

int coir__thread_make(struct coir__thread **out)
{
    int error = coir__backend_choose();

    if (error == COIR_OK)
        error = check_allocator();
    if (error == COIR_OK)
        error = coir__os_start();
    if (error == COIR_OK)
        error = make(out);
    if (error == COIR_OK)
        coir__allocator_freeze();
    return error;
}

int coir__thread_take_over(coir_fiber *f, struct coir__thread **thread)
{
    int error;

    if (f->owner != &coir__thread_any)
        return COIR_OK;
    error = coir__thread_enter(thread);
    if (error == COIR_OK)
        coir__thread_adopt(*thread, f);
    return error;
}

/* The thread ends in the middle of its current fiber, which other fibers wait for. */
static void cut_chain(struct coir__thread *thread)
{
    for (coir_fiber *f = thread->current; !(f->special & COIR__ROOT); f = f->resumer)
        f->life = COIR__CUT_SHORT;
}

/* Leaves the thread's fibers behind. The record is about to be released, and another may be made in its place, so nothing
 * may point to it. */
static void orphan_all(struct coir__thread *thread)
{
    for (coir_fiber *f = thread->fibers; f != NULL; f = f->next) {
        if (f->resumable_by != NULL)
            f->resumable_by = &coir__thread_ended;
        f->owner = &coir__thread_ended;
    }
}

void coir__thread_exit(struct coir__thread *thread)
{
    coir__tools_thread_end(&thread->root.stack);
    coir__thread_reclaim(thread);
    cut_chain(thread);
    orphan_all(thread);
    coir__pool_trim(&thread->pool, 0);
    coir__handles_trim(&thread->handles, 0);
    coir__crash_leave_thread(thread);
    leave_backend(thread);
    unlist_thread(thread);
    coir__os_set_thread(NULL);
    coir__release_aligned(thread, sizeof *thread);
}

/* The other threads' records, lists and pools stay as they are, memory that the child shares with its parent: a thread
 * may have been in the middle of changing them; and giving them back would mean to call the program's allocator, whose
 * own lock may be held by a thread that is no more. */
void coir__thread_forked(void)
{
    struct coir__thread *self = coir__thread_now();

    for (struct coir__thread *thread = threads; thread != NULL; thread = thread->next)
        thread->ended = thread != self;
}
