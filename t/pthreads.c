/* SPDX-License-Identifier: MIT */
/* What only POSIX has: threads that leave their frames by unwinding, keys of thread-specific data in order, fork, and
 * locked memory. */

#include "t.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static char events[64];

static void event(void *text)
{
    strcat(events, text);
}

static void *yield_twice(void *arg)
{
    coir_yield(T_VALUE(1), NULL);
    coir_yield(T_VALUE(2), NULL);
    return arg;
}

static void *defer_and_yield(void *arg)
{
    coir_defer(event, arg);
    coir_yield(NULL, NULL);
    event("ran on");
    return NULL;
}

/* ---- pthread_exit ---- */

static coir_fiber *exiting_inner, *exiting_outer;

static void *exit_the_thread(void *arg)
{
    coir_defer(event, "inner ");
    pthread_exit(arg);
}

static void *resume_the_exiting(void *arg)
{
    coir_defer(event, "outer ");
    exiting_inner = t_create(exit_the_thread, arg);
    coir_resume(exiting_inner, NULL, NULL);
    event("not reached");
    return NULL;
}

static void *run_into_exit(void *arg)
{
    exiting_outer = t_create(resume_the_exiting, arg);
    coir_resume(exiting_outer, NULL, NULL);
    event("not reached");
    return NULL;
}

/* Does pthread_exit unwind the stack, so that the library can tell that a fiber is left? */
static bool exit_unwinds(void)
{
#ifdef __GLIBC__
    return t_backend_is("asm");
#else
    return false;
#endif
}

/* What runs while pthread_exit leaves: a cleanup handler of the thread's own frame. */
static void look_while_leaving(void *arg)
{
    (void)arg;
    if (exit_unwinds()) {
        ck_assert_ptr_null(coir_self());
        ck_assert_int_eq(coir_yield(NULL, NULL), COIR_ENOTFIBER);
        ck_assert_int_eq(coir_fiber_state(exiting_inner), COIR_STATE_DONE);
        ck_assert_int_eq(coir_resume(exiting_inner, NULL, NULL), COIR_EDEAD);
    }
    ck_assert_int_eq(coir_destroy(exiting_inner), COIR_EBUSY); /* we still stand on its stack */
    ck_assert_int_eq(coir_destroy(exiting_outer), COIR_EBUSY);
    event("looked ");
}

static void *run_into_exit_with_cleanup(void *arg)
{
    pthread_cleanup_push(look_while_leaving, NULL);
    run_into_exit(arg);
    pthread_cleanup_pop(0);
    return NULL;
}

START_TEST(while_pthread_exit_leaves_them_fibers_are_done_but_cannot_be_destroyed)
{
    t_on_thread(run_into_exit_with_cleanup, NULL);
    ck_assert_str_eq(events, "looked ");
    ck_assert_int_eq(coir_destroy(exiting_inner), COIR_OK);
    ck_assert_int_eq(coir_destroy(exiting_outer), COIR_OK);
    ck_assert_str_eq(events, "looked inner outer ");
}
END_TEST

/* Also one of a key that is older than the thread's first fiber, after pthread_exit in a fiber. */
static pthread_key_t early_key;

static void look_after_exit(void *arg)
{
    (void)arg;
    ck_assert_ptr_null(coir_self());
    ck_assert_int_eq(coir_yield(NULL, NULL), COIR_ENOTFIBER);
    /* The stack that the thread ends on cannot be given away under its feet; where there is none, it can. */
    ck_assert_int_eq(coir_destroy(exiting_outer), COIR_OK);
    if (coir_destroy(exiting_inner) == COIR_OK)
        exiting_inner = NULL;
}

static void *set_early_key_and_exit(void *arg)
{
    pthread_setspecific(early_key, &early_key);
    return run_into_exit(arg);
}

START_TEST(an_older_keys_destructor_is_outside_of_the_fibers)
{
    ck_assert_int_eq(pthread_key_create(&early_key, look_after_exit), 0);
    t_on_thread(set_early_key_and_exit, NULL);
    ck_assert_int_eq(coir_destroy(exiting_inner), COIR_OK);
    ck_assert_str_eq(events, "outer inner ");
}
END_TEST

/* ---- pthread_exit in a task ---- */

static coir_exec *left_executor;

static void look_from_below(void *arg)
{
    (void)arg;
    if (exit_unwinds()) {
        ck_assert_ptr_null(coir_self());
        ck_assert_ptr_null(coir_task_self());
        ck_assert_int_eq(coir_sleep(0), COIR_ENOTTASK);
    }
    event("looked ");
}

static void *defer_and_sleep(void *arg)
{
    coir_defer(event, arg);
    coir_sleep(COIR_FOREVER);
    event("slept on");
    return NULL;
}

static void *run_tasks_into_exit(void *arg)
{
    coir_exec_create(&left_executor, NULL);
    coir_spawn(NULL, left_executor, defer_and_sleep, "sleeper ", NULL);
    coir_spawn(NULL, left_executor, exit_the_thread, NULL, NULL);
    coir_spawn(NULL, left_executor, defer_and_sleep, "not started ", NULL);
    pthread_cleanup_push(look_from_below, NULL);
    coir_exec_run(left_executor);
    pthread_cleanup_pop(0);
    event("ran on");
    return arg;
}

START_TEST(pthread_exit_in_a_task_leaves_the_executor_to_others)
{
    t_on_thread(run_tasks_into_exit, NULL);
    ck_assert_str_eq(events, "looked ");
    ck_assert_int_eq(coir_exec_run(left_executor), COIR_ETHREAD);
    ck_assert_int_eq(coir_exec_destroy(left_executor), COIR_OK);
    ck_assert_str_eq(events, "looked sleeper inner ");
}
END_TEST

/* ---- fork ---- */

/* Both processes go on with the executor, each with a wake-up event of its own. */
static void post_nothing(void *arg)
{
    (void)arg;
}

static void *post_to(void *e)
{
    coir_exec_post(e, post_nothing, NULL);
    return NULL;
}

static void wake_task(void *t)
{
    coir_task_wake(t);
}

static void *wake_from_thread(void *t)
{
    coir_exec_post(left_executor, wake_task, t);
    return NULL;
}

static void *fork_and_park(void *child)
{
    pthread_t thread;
    *(pid_t *)child = fork();
    coir_exec_hold(left_executor);
    pthread_create(&thread, NULL, wake_from_thread, coir_task_self());
    if (coir_task_park() != COIR_OK)
        _exit(1);
    coir_exec_release(left_executor);
    pthread_join(thread, NULL);
    return NULL;
}

START_TEST(after_a_fork_in_a_task_both_executors_can_be_woken)
{
    pid_t child = -1;
    int status = -1;
    coir_exec_create(&left_executor, NULL);
    t_on_thread(post_to, left_executor);
    coir_spawn(NULL, left_executor, fork_and_park, &child, NULL);
    coir_spawn(NULL, left_executor, defer_and_sleep, "", NULL);
    while (coir_exec_tasks(left_executor) > 1)
        coir_exec_run_once_until(left_executor, COIR_FOREVER);
    coir_exec_cancel(left_executor);
    status = coir_exec_run(left_executor);
    if (coir_exec_destroy(left_executor) != COIR_OK)
        status = 1;
    if (child == 0)
        _exit(status);
    ck_assert_int_eq(status, COIR_OK);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

static coir_fiber *foreign;
static pthread_barrier_t barrier;

static void *hold_a_fiber(void *arg)
{
    foreign = t_create(defer_and_yield, "deferred");
    coir_resume(foreign, NULL, NULL);
    pthread_barrier_wait(&barrier); /* it is there */
    pthread_barrier_wait(&barrier); /* the child was tried */
    coir_destroy(foreign);
    return arg;
}

/* What happens in the child: its exit status. */
static int use_fibers_in_child(coir_fiber *sibling)
{
    coir_fiber *f = NULL;
    if (coir_resume(sibling, NULL, NULL) != COIR_YIELDED || coir_resume(sibling, NULL, NULL) != COIR_DONE)
        return 1;
    if (coir_destroy(sibling) != COIR_OK)
        return 2;
    if (coir_create(&f, yield_twice, NULL, NULL) != COIR_OK || coir_resume(f, NULL, NULL) != COIR_YIELDED)
        return 3;
    if (coir_resume(foreign, NULL, NULL) != COIR_ETHREAD)
        return 4;
    if (coir_destroy(foreign) != COIR_OK || strcmp(events, "deferred") != 0)
        return 5;
    return coir_yield(T_VALUE(7), NULL) == COIR_OK ? 0 : 6;
}

static void *fork_inside(void *sibling)
{
    pid_t child = fork();
    if (child == 0)
        return T_VALUE(use_fibers_in_child(sibling));
    coir_yield(T_VALUE(child), NULL);
    return NULL;
}

START_TEST(fork_in_a_fiber_leaves_both_processes_with_working_fibers)
{
    pthread_t thread;
    void *result;
    int status;
    pid_t self = getpid();
    coir_fiber *sibling = t_create(yield_twice, NULL);
    coir_fiber *f = t_create(fork_inside, sibling);

    coir_resume(sibling, NULL, NULL);
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, hold_a_fiber, NULL);
    pthread_barrier_wait(&barrier);

    ck_assert_int_eq(coir_resume(f, NULL, &result), COIR_YIELDED);
    if (getpid() != self) { /* the child yielded 7; let it return its status */
        int yielded = T_NUMBER(result);
        if (coir_resume(f, NULL, &result) != COIR_DONE)
            _exit(7);
        _exit(yielded == 7 ? T_NUMBER(result) : 8);
    }
    ck_assert_int_eq(waitpid(T_NUMBER(result), &status, 0), T_NUMBER(result));
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(coir_resume(sibling, NULL, NULL), COIR_YIELDED);
    coir_destroy(sibling);
    coir_destroy(f);
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
}
END_TEST

/* Forks while other threads create and destroy, so that the lock may be held at any moment: no child may hang. */
static _Atomic int stop;

static void *churn(void *arg)
{
    while (!stop) {
        coir_fiber *fibers[40];
        for (int i = 0; i < 40; i++)
            fibers[i] = t_create(yield_twice, NULL);
        for (int i = 0; i < 40; i++)
            coir_destroy(fibers[i]);
        coir_pool_trim(0);
    }
    return arg;
}

START_TEST(a_fork_while_other_threads_are_busy_leaves_a_working_child)
{
    pthread_t threads[2];
    if (t_instrumented()) /* what the other threads were about to store is lost to the child, as the tool would say */
        return;
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, churn, NULL);
    for (int i = 0; i < 30; i++) {
        int status = -1;
        pid_t child = fork();
        if (child == 0) {
            coir_fiber *fibers[100];
            for (int k = 0; k < 100; k++)
                if (coir_create(&fibers[k], yield_twice, NULL, NULL) != COIR_OK)
                    _exit(1);
            coir_pool_trim(0);
            _exit(0);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
    }
    stop = 1;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

/* The fork that meets another thread's first use of the library: its child must not wait for a lock that nobody holds. */
static void *use_first(void *arg)
{
    pthread_barrier_wait(&barrier);
    coir_destroy(t_create(yield_twice, NULL));
    return arg;
}

static void fork_while_another_thread_starts(void *arg)
{
    pthread_t thread;
    pid_t child;
    int status = -1;
    (void)arg;
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, use_first, NULL);
    pthread_barrier_wait(&barrier);
    child = fork();
    if (child == 0) {
        coir_fiber *f = NULL;
        alarm(60); /* a child that hangs is killed by this; one that works never waits */
        _exit(coir_create(&f, yield_twice, NULL, NULL) == COIR_OK ? 0 : 1);
    }
    waitpid(child, &status, 0);
    pthread_join(thread, NULL);
    if (status != 0)
        _exit(1);
}

START_TEST(a_fork_during_another_threads_first_use_leaves_a_working_child)
{
    if (t_instrumented()) /* it would report what the thread in the middle of its work leaves to the child */
        return;
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(t_run_in_child(fork_while_another_thread_starts, NULL), 0);
}
END_TEST

/* ---- locked memory ---- */

/* Uses 64 KiB of its stack, and, if it is asked to, locks a page there, as programs do that keep secrets. */
static void *use_stack(void *locks)
{
    void *low;
    size_t size;

    t_recurse(65536);
    coir_stack_bounds(NULL, &low, &size);
    if (locks != NULL)
        *(int *)locks = mlock((char *)low + size - 2 * t_page_size(), t_page_size());
    coir_yield(NULL, NULL);
    return NULL;
}

START_TEST(a_locked_page_of_one_stack_does_not_keep_the_memory_of_others)
{
    enum { COUNT = 600, LOCKS = 300, STAYS = 450 }; /* whoever stays keeps the mapping around both */
    static coir_fiber *fibers[COUNT];
    int locked = -1;
    long resident = t_resident_kib();
    for (int i = 0; i < COUNT; i++) {
        fibers[i] = t_create(use_stack, i == LOCKS ? &locked : NULL);
        coir_resume(fibers[i], NULL, NULL);
    }
    for (int i = 0; i < COUNT; i++) {
        if (i == STAYS)
            continue;
        ck_assert_int_eq(coir_resume(fibers[i], NULL, NULL), COIR_DONE);
        coir_destroy(fibers[i]);
    }
    coir_pool_trim(0);
    if (locked == 0 && !t_instrumented())
        ck_assert_int_le(t_resident_kib() - resident, 2048);
    coir_resume(fibers[STAYS], NULL, NULL);
    coir_destroy(fibers[STAYS]);
}
END_TEST

T_MAIN(while_pthread_exit_leaves_them_fibers_are_done_but_cannot_be_destroyed,
       an_older_keys_destructor_is_outside_of_the_fibers, pthread_exit_in_a_task_leaves_the_executor_to_others,
       after_a_fork_in_a_task_both_executors_can_be_woken, fork_in_a_fiber_leaves_both_processes_with_working_fibers,
       a_fork_while_other_threads_are_busy_leaves_a_working_child,
       a_fork_during_another_threads_first_use_leaves_a_working_child,
       a_locked_page_of_one_stack_does_not_keep_the_memory_of_others)
