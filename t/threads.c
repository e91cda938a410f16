/* SPDX-License-Identifier: MIT */
/* Fibers and threads: whose they are, and what is left when a thread ends. */

#include "t.h"

#include <stdlib.h>
#include <string.h>

static void *yield_twice(void *arg)
{
    coir_yield(T_VALUE(1), NULL);
    coir_yield(T_VALUE(2), NULL);
    return arg;
}

static void *try_everything(void *arg)
{
    coir_fiber *f = arg;
    void *result = T_VALUE(99);
    ck_assert_int_eq(coir_resume(f, NULL, &result), COIR_ETHREAD);
    ck_assert_int_eq(coir_cancel(f, &result), COIR_ETHREAD);
    ck_assert_int_eq(coir_destroy(f), COIR_ETHREAD);
    ck_assert_int_eq(T_NUMBER(result), 99);
    return NULL;
}

static void *switch_to_it(void *f)
{
    ck_assert_int_eq(coir_switch(f, NULL, NULL), COIR_ETHREAD);
    return NULL;
}

static void *try_from_a_fiber(void *f)
{
    coir_fiber *own = t_create(switch_to_it, f);
    try_everything(f);
    ck_assert_int_eq(coir_resume(own, NULL, NULL), COIR_DONE);
    coir_destroy(own);
    return NULL;
}

START_TEST(another_threads_fiber_cannot_be_used)
{
    coir_fiber *f = t_create(yield_twice, NULL);
    t_on_thread(try_everything, f); /* new */
    t_on_thread(try_from_a_fiber, f);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_YIELDED);
    t_on_thread(try_everything, f); /* suspended */
    t_on_thread(try_from_a_fiber, f);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
}
END_TEST

static void *resume_is_dead_then_destroy(void *f)
{
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_EDEAD);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    return NULL;
}

START_TEST(a_finished_fiber_can_be_destroyed_by_any_thread)
{
    coir_fiber *f = t_create(yield_twice, NULL), *g = t_create(yield_twice, NULL);
    while (coir_resume(f, NULL, NULL) > 0)
        ;
    t_on_thread(resume_is_dead_then_destroy, f);
    while (coir_resume(g, NULL, NULL) > 0) /* our pool and our last stack are still ours */
        ;
    coir_destroy(g);
}
END_TEST

static void *run_many(void *arg)
{
    enum { MOST = 500 };
    int count = t_instrumented() ? 40 : MOST;
    coir_fiber *fibers[MOST];
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < count; i++)
            fibers[i] = t_create(yield_twice, NULL);
        for (int turn = 0; turn < 3; turn++)
            for (int i = 0; i < count; i++)
                ck_assert_int_eq(coir_resume(fibers[i], NULL, NULL), turn < 2 ? COIR_YIELDED : COIR_DONE);
        for (int i = 0; i < count; i++)
            ck_assert_int_eq(coir_destroy(fibers[i]), COIR_OK);
        coir_pool_trim(10);
    }
    return arg;
}

START_TEST(threads_run_their_own_fibers_side_by_side)
{
    t_thread *threads[4];
    for (int i = 0; i < 4; i++)
        threads[i] = t_thread_start(run_many, NULL);
    for (int i = 0; i < 4; i++)
        t_thread_join(threads[i]);
}
END_TEST

/* ---- what a thread leaves behind ---- */

static char events[64];

static void event(void *text)
{
    strcat(events, text);
}

static void *defer_and_yield(void *arg)
{
    coir_defer(event, arg);
    coir_yield(NULL, NULL);
    event("ran on");
    return NULL;
}

static coir_fiber *left_new, *left_suspended, *left_done;

static void *leave_three(void *arg)
{
    left_new = t_create(yield_twice, NULL);
    left_suspended = t_create(defer_and_yield, "deferred");
    coir_resume(left_suspended, NULL, NULL);
    left_done = t_create(yield_twice, NULL);
    while (coir_resume(left_done, NULL, NULL) > 0)
        ;
    return arg;
}

static void check_left(void)
{
    ck_assert_int_eq(coir_fiber_state(left_new), COIR_STATE_NEW);
    ck_assert_int_eq(coir_fiber_state(left_suspended), COIR_STATE_SUSPENDED);
    ck_assert_int_eq(coir_fiber_state(left_done), COIR_STATE_DONE);
    ck_assert_int_eq(coir_resume(left_new, NULL, NULL), COIR_ETHREAD);
    ck_assert_int_eq(coir_resume(left_suspended, NULL, NULL), COIR_ETHREAD);
    ck_assert_int_eq(coir_cancel(left_suspended, NULL), COIR_ETHREAD);
    ck_assert_int_eq(coir_resume(left_done, NULL, NULL), COIR_EDEAD);
    ck_assert_str_eq(events, "");
}

static void destroy_left(void)
{
    ck_assert_int_eq(coir_destroy(left_new), COIR_OK);
    ck_assert_int_eq(coir_destroy(left_done), COIR_OK);
    ck_assert_int_eq(coir_destroy(left_suspended), COIR_OK);
    ck_assert_str_eq(events, "deferred");
}

START_TEST(fibers_left_by_a_thread_can_be_destroyed_by_any)
{
    t_on_thread(leave_three, NULL); /* this thread has never had a fiber */
    check_left();
    destroy_left();
}
END_TEST

static void *destroy_left_from_fiber(void *arg)
{
    destroy_left();
    return arg;
}

START_TEST(also_from_inside_a_fiber_and_after_new_threads_came)
{
    t_on_thread(leave_three, NULL);
    t_on_thread(run_many, NULL); /* its record may lie where the first one's was */
    check_left();
    coir_fiber *f = t_create(destroy_left_from_fiber, NULL);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
}
END_TEST

static coir_fiber *exiting_inner, *exiting_outer;

static void *exit_the_thread(void *arg)
{
    coir_defer(event, "inner ");
    t_thread_exit(arg);
    return NULL;
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

START_TEST(a_thread_can_end_in_a_nested_fiber)
{
    if (t_under("tsan"))
        T_SKIP("ThreadSanitizer's runtime ends the process at pthread_exit in a fiber");
    ck_assert_int_eq(T_NUMBER(t_on_thread(run_into_exit, T_VALUE(42))), 42);
    ck_assert_int_eq(coir_fiber_state(exiting_inner), COIR_STATE_DONE);
    ck_assert_int_eq(coir_fiber_state(exiting_outer), COIR_STATE_DONE);
    ck_assert_int_eq(coir_resume(exiting_inner, NULL, NULL), COIR_EDEAD);
    ck_assert_int_eq(coir_stack_bounds(exiting_inner, NULL, NULL), COIR_EDEAD);
    ck_assert_str_eq(events, "");
    ck_assert_int_eq(coir_destroy(exiting_inner), COIR_OK);
    ck_assert_int_eq(coir_destroy(exiting_outer), COIR_OK);
    ck_assert_str_eq(events, "inner outer ");
}
END_TEST

/* Where a fiber waits for a value may be gone when it is destroyed: on a stack of a thread that has ended, say. */
static coir_fiber *waiting;

static void *yield_into(void *place)
{
    coir_yield(NULL, place);
    return NULL;
}

static void *leave_one_waiting(void *place)
{
    waiting = t_create(yield_into, place);
    coir_resume(waiting, NULL, NULL);
    return NULL;
}

START_TEST(destroy_does_not_write_where_a_value_was_wanted)
{
    void *place = T_VALUE(99);
    leave_one_waiting(&place);
    coir_destroy(waiting);
    ck_assert_int_eq(T_NUMBER(place), 99);
    t_on_thread(leave_one_waiting, &place);
    ck_assert_int_eq(coir_destroy(waiting), COIR_OK);
    ck_assert_int_eq(T_NUMBER(place), 99);
}
END_TEST

/* A destructor of thread-specific data that uses fibers: on POSIX after the library has said goodbye to the thread, on
 * Windows before. */
static t_thread_key late_key;

static void use_fibers_late(void *arg)
{
    coir_fiber *f = t_create(yield_twice, NULL);
    (void)arg;
    while (coir_resume(f, NULL, NULL) > 0)
        ;
    coir_destroy(f);
    event("late ");
}

static void *set_late_key(void *arg)
{
    coir_destroy(t_create(yield_twice, NULL)); /* the library's key is older than this one: its destructor runs first */
    t_thread_key_set(late_key, &late_key);
    return arg;
}

START_TEST(fibers_work_in_destructors_of_thread_specific_data)
{
    ck_assert_int_eq(coir_destroy(t_create(yield_twice, NULL)), COIR_OK);
    late_key = t_thread_key_create(use_fibers_late);
    t_on_thread(set_late_key, NULL);
    ck_assert_str_eq(events, "late ");
}
END_TEST

static void *exit_the_process(void *arg)
{
    exit(T_NUMBER(arg));
    return NULL;
}

static void run_into_process_exit(void *arg)
{
    coir_resume(t_create(exit_the_process, arg), NULL, NULL);
}

START_TEST(exit_in_a_fiber_ends_the_process)
{
    ck_assert_int_eq(t_run_in_child(run_into_process_exit, T_VALUE(0)), 0);
    ck_assert_int_eq(t_run_in_child(run_into_process_exit, T_VALUE(5)), 5);
}
END_TEST

T_MAIN(another_threads_fiber_cannot_be_used, a_finished_fiber_can_be_destroyed_by_any_thread,
       threads_run_their_own_fibers_side_by_side, fibers_left_by_a_thread_can_be_destroyed_by_any,
       also_from_inside_a_fiber_and_after_new_threads_came, a_thread_can_end_in_a_nested_fiber,
       destroy_does_not_write_where_a_value_was_wanted, fibers_work_in_destructors_of_thread_specific_data,
       exit_in_a_fiber_ends_the_process)
