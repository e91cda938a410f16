/* SPDX-License-Identifier: MIT */
/* Mutex, condition variable, semaphore: who is served, and what timeouts and cancels leave behind. */

#include "t.h"

#include <string.h>

#include "one_executor.h"

enum { NOT_YET = 77 };

static coir_mutex *m;
static coir_cond *c;
static coir_sem *s;

static void make_all(void)
{
    ck_assert_int_eq(coir_mutex_create(&m), COIR_OK);
    ck_assert_int_eq(coir_cond_create(&c), COIR_OK);
    ck_assert_int_eq(coir_sem_create(&s, 0), COIR_OK);
}

static void destroy_all(void)
{
    ck_assert_int_eq(coir_mutex_destroy(m), COIR_OK);
    ck_assert_int_eq(coir_cond_destroy(c), COIR_OK);
    ck_assert_int_eq(coir_sem_destroy(s), COIR_OK);
}

static void begin(uint64_t seed)
{
    executor = make_executor(seed);
    make_all();
}

static void finish(void)
{
    ck_assert_int_eq(coir_exec_run(executor), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(executor), COIR_OK);
    destroy_all();
}

/* Runs fn as a task, with those that are there already, and waits for it. */
static void in_a_task(coir_fn *fn)
{
    ck_assert_int_eq(coir_await(spawn(fn, NULL), NULL), COIR_OK);
}

static void lock(void)
{
    ck_assert_int_eq(coir_mutex_lock(m), COIR_OK);
}

static void unlock(void)
{
    ck_assert_int_eq(coir_mutex_unlock(m), COIR_OK);
}

static void cancel(coir_task *t)
{
    ck_assert_int_eq(coir_task_cancel(t), COIR_OK);
}

/* One wait of a task for a lock, a signal or a permit. */
typedef struct {
    int64_t deadline;
    int64_t hold; /* how long it then holds the mutex */
    int result;
    int64_t when; /* it had its result, */
    int order;    /* and as the how manieth of all */
    coir_task *task;
} operation;

static int operations_done;

static void note_result(operation *o, int result)
{
    o->result = result;
    o->when = coir_now();
    o->order = ++operations_done;
}

static void *do_lock(void *arg)
{
    operation *o = arg;
    note_result(o, o->deadline == COIR_FOREVER ? coir_mutex_lock(m) : coir_mutex_lock_until(m, o->deadline));
    if (o->result == COIR_OK && o->hold > 0)
        ck_assert_int_eq(coir_sleep(o->hold), COIR_OK);
    ck_assert_int_eq(coir_mutex_unlock(m), o->result == COIR_OK ? COIR_OK : COIR_ENOTHELD);
    return NULL;
}

/* Whatever comes of the wait, the task holds the mutex then. */
static void *do_cond_wait(void *arg)
{
    operation *o = arg;
    lock();
    note_result(o, o->deadline == COIR_FOREVER ? coir_cond_wait(c, m) : coir_cond_wait_until(c, m, o->deadline));
    ck_assert_int_eq(coir_mutex_try_lock(m), COIR_EDEADLK);
    if (o->hold > 0)
        ck_assert_int_eq(coir_sleep(o->hold), COIR_OK);
    unlock();
    return NULL;
}

static void *do_sem_wait(void *arg)
{
    operation *o = arg;
    note_result(o, o->deadline == COIR_FOREVER ? coir_sem_wait(s) : coir_sem_wait_until(s, o->deadline));
    return NULL;
}

static void prepare(operation *o, int64_t deadline)
{
    memset(o, 0, sizeof *o);
    o->result = NOT_YET;
    o->deadline = deadline;
}

static void begin_wait(operation *o, coir_fn *fn, int64_t deadline)
{
    prepare(o, deadline);
    o->task = spawn(fn, o);
}

/* Lets it come to its wait. */
static void wait_goes_on(operation *o, coir_fn *fn, int64_t deadline)
{
    begin_wait(o, fn, deadline);
    turn();
    ck_assert_int_eq(o->result, NOT_YET);
    ck_assert_int_eq(coir_task_state(o->task), COIR_TASK_WAITING);
}

static void expect_result(operation *o, int result)
{
    ck_assert_int_eq(coir_await(o->task, NULL), COIR_OK);
    ck_assert_int_eq(o->result, result);
}

/* A task that holds the mutex from now until that time. */
static void *hold_until_then(void *when)
{
    lock();
    ck_assert_int_eq(coir_sleep_until(*(int64_t *)when), COIR_OK);
    unlock();
    return NULL;
}

static void hold_mutex_until(int64_t *when)
{
    start(hold_until_then, when);
    turn();
}

/* ---- making and destroying ---- */

START_TEST(creators_refuse_bad_arguments_and_touch_nothing)
{
    coir_sem *sem = T_VALUE(99);
    ck_assert_int_eq(coir_mutex_create(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_cond_create(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_sem_create(NULL, 1), COIR_EINVAL);
    ck_assert_int_eq(coir_sem_create(&sem, COIR_SEM_MAX + 1u), COIR_EINVAL);
    ck_assert_int_eq(coir_sem_create(&sem, 0xffffffffu), COIR_EINVAL);
    ck_assert_ptr_eq(sem, T_VALUE(99));
}
END_TEST

START_TEST(without_a_backend_they_are_not_supported)
{
    t_setenv("COIR_BACKEND", "quantum");
    m = T_VALUE(1);
    c = T_VALUE(2);
    s = T_VALUE(3);
    ck_assert_int_eq(coir_mutex_create(&m), COIR_ENOTSUP);
    ck_assert_int_eq(coir_cond_create(&c), COIR_ENOTSUP);
    ck_assert_int_eq(coir_sem_create(&s, 1), COIR_ENOTSUP);
    ck_assert_ptr_eq(m, T_VALUE(1));
    ck_assert_ptr_eq(c, T_VALUE(2));
    ck_assert_ptr_eq(s, T_VALUE(3));
}
END_TEST

START_TEST(destroyers_do_nothing_with_null)
{
    ck_assert_int_eq(coir_mutex_destroy(NULL), COIR_OK);
    ck_assert_int_eq(coir_cond_destroy(NULL), COIR_OK);
    ck_assert_int_eq(coir_sem_destroy(NULL), COIR_OK);
    make_all();
    destroy_all();
}
END_TEST

/* ---- mutex ---- */

static void *lock_and_unlock_twice(void *arg)
{
    for (int i = 0; i < 2; i++) {
        lock();
        ck_assert_int_eq(coir_task_yield(), COIR_OK);
        unlock();
        ck_assert_int_eq(coir_mutex_try_lock(m), COIR_OK);
        unlock();
        ck_assert_int_eq(coir_mutex_lock_until(m, -1), COIR_OK);
        unlock();
    }
    return arg;
}

START_TEST(a_free_mutex_is_taken_at_once)
{
    begin(0);
    in_a_task(lock_and_unlock_twice);
    finish();
}
END_TEST

static void *lock_again(void *arg)
{
    lock();
    ck_assert_int_eq(coir_mutex_lock(m), COIR_EDEADLK);
    ck_assert_int_eq(coir_mutex_lock_until(m, -1), COIR_EDEADLK);
    ck_assert_int_eq(coir_mutex_lock_until(m, 1000), COIR_EDEADLK);
    ck_assert_int_eq(coir_mutex_try_lock(m), COIR_EDEADLK);
    unlock(); /* once is enough */
    ck_assert_int_eq(coir_mutex_unlock(m), COIR_ENOTHELD);
    ck_assert(coir_now() == 0);
    return arg;
}

START_TEST(a_task_that_holds_a_mutex_cannot_take_it_again)
{
    begin(0);
    in_a_task(lock_again);
    finish();
}
END_TEST

static void *try_held_mutex(void *arg)
{
    ck_assert_int_eq(coir_mutex_try_lock(m), COIR_EAGAIN);
    ck_assert_int_eq(coir_mutex_lock_until(m, -1), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_mutex_lock_until(m, INT64_MIN), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_mutex_lock_until(m, coir_now()), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_mutex_unlock(m), COIR_ENOTHELD);
    return arg;
}

START_TEST(a_held_mutex_is_not_taken_and_not_given_up_by_others)
{
    int64_t then = 100;
    begin(0);
    hold_mutex_until(&then);
    in_a_task(try_held_mutex);
    run_until(50);
    in_a_task(try_held_mutex);
    run_until(101);
    in_a_task(lock_and_unlock_twice);
    finish();
}
END_TEST

START_TEST(a_mutex_is_given_to_who_waits_longest)
{
    int64_t then = 100;
    operation o[5];
    begin(0);
    hold_mutex_until(&then);
    for (int i = 0; i < 5; i++) {
        wait_goes_on(&o[i], do_lock, COIR_FOREVER);
        o[i].hold = i; /* with a wait while they hold it, and without */
    }
    operations_done = 0;
    for (int i = 0; i < 5; i++) {
        expect_result(&o[i], COIR_OK);
        ck_assert_int_eq(o[i].order, i + 1);
    }
    ck_assert(o[0].when == 100);
    ck_assert(o[4].when == 100 + 1 + 2 + 3);
    finish();
}
END_TEST

static void *unlock_and_try_again(void *waiting)
{
    operation *o = waiting;
    lock();
    ck_assert_int_eq(coir_sleep(10), COIR_OK);
    unlock();
    ck_assert_int_eq(o->result, NOT_YET); /* this task went straight on, */
    ck_assert_int_eq(coir_task_state(o->task), COIR_TASK_READY);
    ck_assert_int_eq(coir_mutex_try_lock(m), COIR_EAGAIN); /* and the mutex is the other's already */
    ck_assert_int_eq(coir_mutex_unlock(m), COIR_ENOTHELD);
    lock();
    ck_assert_int_eq(o->result, COIR_OK);
    unlock();
    return NULL;
}

START_TEST(unlock_gives_the_mutex_away_and_does_not_wait)
{
    operation o;
    begin(0);
    start(unlock_and_try_again, &o);
    wait_goes_on(&o, do_lock, COIR_FOREVER);
    expect_result(&o, COIR_OK);
    finish();
}
END_TEST

START_TEST(a_lock_that_times_out_leaves_the_mutex_to_the_next)
{
    int64_t then = 100;
    operation o[3];
    begin(0);
    hold_mutex_until(&then);
    wait_goes_on(&o[0], do_lock, 60);
    wait_goes_on(&o[1], do_lock, COIR_FOREVER);
    wait_goes_on(&o[2], do_lock, 50);
    expect_result(&o[2], COIR_ETIMEDOUT);
    ck_assert(o[2].when == 50);
    expect_result(&o[0], COIR_ETIMEDOUT);
    ck_assert(o[0].when == 60);
    expect_result(&o[1], COIR_OK);
    ck_assert(o[1].when == 100);
    finish();
}
END_TEST

START_TEST(a_mutex_that_comes_before_the_deadline_is_in_time)
{
    int64_t then = 99;
    operation o;
    begin(0);
    hold_mutex_until(&then);
    wait_goes_on(&o, do_lock, 100);
    o.hold = 50; /* the deadline passes meanwhile */
    expect_result(&o, COIR_OK);
    ck_assert(o.when == 99);
    finish();
}
END_TEST

START_TEST(a_lock_that_is_cancelled_leaves_the_mutex_to_the_next)
{
    int64_t then = 100;
    operation o[3];
    begin(0);
    hold_mutex_until(&then);
    wait_goes_on(&o[0], do_lock, COIR_FOREVER);
    wait_goes_on(&o[1], do_lock, COIR_FOREVER);
    wait_goes_on(&o[2], do_lock, 1000);
    cancel(o[0].task);
    cancel(o[2].task);
    expect_result(&o[0], COIR_ECANCELED);
    expect_result(&o[2], COIR_ECANCELED);
    ck_assert(o[2].when == 0);
    expect_result(&o[1], COIR_OK);
    ck_assert(o[1].when == 100);
    finish();
}
END_TEST

static void *unlock_and_cancel(void *waiting)
{
    operation *o = waiting;
    lock();
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    unlock(); /* gives it to the other, */
    cancel(o->task);
    return NULL;
}

static void *lock_then_wait_in_vain(void *arg)
{
    note_result(arg, coir_mutex_lock(m));
    ck_assert_int_eq(coir_mutex_lock(m), COIR_ECANCELED);
    ck_assert_int_eq(coir_sleep(1), COIR_ECANCELED);
    unlock(); /* does not wait: it works */
    return NULL;
}

START_TEST(a_cancel_does_not_take_back_a_mutex_that_was_given)
{
    operation o;
    begin(0);
    start(unlock_and_cancel, &o);
    begin_wait(&o, lock_then_wait_in_vain, COIR_FOREVER);
    expect_result(&o, COIR_OK);
    in_a_task(lock_and_unlock_twice);
    finish();
}
END_TEST

static void *lock_when_cancelled(void *arg)
{
    cancel(coir_task_self());
    ck_assert_int_eq(coir_mutex_lock(m), COIR_ECANCELED); /* though it is free */
    ck_assert_int_eq(coir_mutex_lock_until(m, 0), COIR_ECANCELED);
    ck_assert_int_eq(coir_mutex_unlock(m), COIR_ENOTHELD);
    ck_assert_int_eq(coir_mutex_try_lock(m), COIR_OK); /* never waits */
    unlock();
    return arg;
}

START_TEST(a_cancelled_task_can_only_try_to_lock)
{
    begin(0);
    in_a_task(lock_when_cancelled);
    in_a_task(lock_and_unlock_twice);
    finish();
}
END_TEST

static void *lock_under_a_shield(void *arg)
{
    ck_assert_int_eq(coir_task_shield(1), 0);
    do_lock(arg);
    ck_assert_int_eq(coir_task_shield(0), 1);
    ck_assert_int_eq(coir_mutex_lock(m), COIR_ECANCELED);
    return NULL;
}

START_TEST(under_a_shield_a_lock_waits_on)
{
    int64_t then = 100;
    operation o;
    begin(0);
    hold_mutex_until(&then);
    wait_goes_on(&o, lock_under_a_shield, COIR_FOREVER);
    cancel(o.task);
    run_until(99);
    ck_assert_int_eq(o.result, NOT_YET);
    expect_result(&o, COIR_OK);
    ck_assert(o.when == 100);
    finish();
}
END_TEST

static void *lock_in_nested(void *arg)
{
    ck_assert_int_eq(coir_mutex_unlock(m), COIR_OK); /* what the task locked */
    lock();
    return arg;
}

static void *lock_for_nested(void *arg)
{
    coir_fiber *f = t_create(lock_in_nested, NULL);
    lock();
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
    ck_assert_int_eq(coir_mutex_lock(m), COIR_EDEADLK); /* that fiber has ended, the task holds the mutex */
    unlock();
    return arg;
}

START_TEST(a_nested_fiber_locks_and_unlocks_for_its_task)
{
    begin(0);
    in_a_task(lock_for_nested);
    finish();
}
END_TEST

static void *lock_for_ever(void *arg)
{
    lock();
    return arg;
}

static void *be_no_holder(void *arg)
{
    ck_assert_int_eq(coir_mutex_try_lock(m), COIR_EAGAIN);
    ck_assert_int_eq(coir_mutex_unlock(m), COIR_ENOTHELD);
    return arg;
}

START_TEST(a_task_that_ends_keeps_the_mutex_it_holds)
{
    operation o;
    begin(0);
    in_a_task(lock_for_ever);
    for (int i = 0; i < 5; i++)
        in_a_task(be_no_holder); /* also a task that got the memory of the one that has ended */
    wait_goes_on(&o, do_lock, COIR_FOREVER);
    ck_assert_int_eq(coir_exec_run(executor), COIR_EDEADLK);
    ck_assert_int_eq(coir_mutex_destroy(m), COIR_EBUSY);
    cancel(o.task);
    expect_result(&o, COIR_ECANCELED);
    finish(); /* destroys the mutex, for which nobody waits now */
}
END_TEST

START_TEST(a_mutex_that_is_held_or_waited_for_is_not_destroyed)
{
    int64_t then = 100;
    operation o;
    begin(0);
    hold_mutex_until(&then);
    ck_assert_int_eq(coir_mutex_destroy(m), COIR_EBUSY);
    wait_goes_on(&o, do_lock, COIR_FOREVER);
    o.hold = 50;
    ck_assert_int_eq(coir_mutex_destroy(m), COIR_EBUSY);
    run_until(110);
    ck_assert_int_eq(coir_mutex_destroy(m), COIR_EBUSY);
    expect_result(&o, COIR_OK);
    finish();
}
END_TEST

/* ---- condition variable ---- */

static void signal_one(void)
{
    ck_assert_int_eq(coir_cond_signal(c), COIR_OK);
}

static void signal_all(void)
{
    ck_assert_int_eq(coir_cond_broadcast(c), COIR_OK);
}

static void *lock_and_signal(void *arg)
{
    lock(); /* the one who waits has given it up */
    signal_one();
    ck_assert_int_eq(coir_sleep(10), COIR_OK);
    unlock();
    return arg;
}

START_TEST(wait_gives_the_mutex_up_and_takes_it_again)
{
    operation o;
    begin(0);
    wait_goes_on(&o, do_cond_wait, COIR_FOREVER);
    start(lock_and_signal, NULL);
    turn();
    ck_assert_int_eq(o.result, NOT_YET);
    expect_result(&o, COIR_OK);
    ck_assert(o.when == 10); /* when the mutex was free */
    finish();
}
END_TEST

START_TEST(a_signal_wakes_who_waits_longest)
{
    operation o[3];
    begin(0);
    for (int i = 0; i < 3; i++)
        wait_goes_on(&o[i], do_cond_wait, COIR_FOREVER);
    for (int i = 0; i < 3; i++) {
        signal_one();
        turn();
        for (int k = 0; k < 3; k++)
            ck_assert_int_eq(o[k].result, k <= i ? COIR_OK : NOT_YET);
    }
    for (int i = 0; i < 3; i++)
        expect_result(&o[i], COIR_OK);
    finish();
}
END_TEST

START_TEST(a_broadcast_wakes_all_in_their_order)
{
    operation o[5], late;
    begin(0);
    for (int i = 0; i < 5; i++)
        wait_goes_on(&o[i], do_cond_wait, i % 2 == 0 ? COIR_FOREVER : 1000);
    operations_done = 0;
    signal_all();
    wait_goes_on(&late, do_cond_wait, COIR_FOREVER);
    for (int i = 0; i < 5; i++) {
        expect_result(&o[i], COIR_OK);
        ck_assert_int_eq(o[i].order, i + 1);
    }
    ck_assert_int_eq(late.result, NOT_YET); /* it came after the broadcast */
    turn();
    signal_all();
    expect_result(&late, COIR_OK);
    finish();
}
END_TEST

START_TEST(as_many_signals_as_tasks_wake_as_many)
{
    operation o[4];
    begin(0);
    for (int i = 0; i < 4; i++)
        wait_goes_on(&o[i], do_cond_wait, COIR_FOREVER);
    for (int i = 0; i < 3; i++)
        signal_one(); /* before any of them runs */
    for (int i = 0; i < 3; i++)
        expect_result(&o[i], COIR_OK);
    turn();
    ck_assert_int_eq(o[3].result, NOT_YET);
    signal_one();
    expect_result(&o[3], COIR_OK);
    finish();
}
END_TEST

START_TEST(a_signal_that_nobody_waits_for_is_forgotten)
{
    operation o;
    begin(0);
    signal_one();
    signal_all();
    begin_wait(&o, do_cond_wait, 100);
    expect_result(&o, COIR_ETIMEDOUT);
    finish();
}
END_TEST

static void *signal_without_the_mutex(void *broadcast)
{
    if (broadcast != NULL)
        signal_all();
    else
        signal_one();
    return NULL;
}

static void signal_when_posted(void *arg)
{
    signal_without_the_mutex(arg);
}

START_TEST(a_signal_needs_neither_a_task_nor_the_mutex)
{
    operation o[4];
    int64_t then = 100;
    begin(0);
    for (int i = 0; i < 4; i++)
        wait_goes_on(&o[i], do_cond_wait, COIR_FOREVER);
    hold_mutex_until(&then); /* somebody else holds it */
    ck_assert_int_eq(coir_exec_post(executor, signal_when_posted, NULL), COIR_OK);
    turn();
    start(signal_without_the_mutex, NULL);
    turn();
    signal_one();
    ck_assert_int_eq(coir_exec_post(executor, signal_when_posted, T_VALUE(1)), COIR_OK);
    run_until(99);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(o[i].result, NOT_YET);
    for (int i = 0; i < 4; i++) {
        expect_result(&o[i], COIR_OK);
        ck_assert(o[i].when == 100);
    }
    finish();
}
END_TEST

START_TEST(who_is_signalled_takes_the_mutex_behind_those_who_wait_for_it)
{
    int64_t then = 100;
    operation signalled, waiting;
    begin(0);
    wait_goes_on(&signalled, do_cond_wait, COIR_FOREVER);
    hold_mutex_until(&then);
    wait_goes_on(&waiting, do_lock, COIR_FOREVER);
    waiting.hold = 10;
    signal_one();
    expect_result(&waiting, COIR_OK);
    expect_result(&signalled, COIR_OK);
    ck_assert(waiting.when == 100);
    ck_assert(signalled.when == 110);
    finish();
}
END_TEST

static void *wait_with_past_deadline(void *locker)
{
    operation *o = locker;
    lock();
    begin_wait(o, do_lock, COIR_FOREVER);
    ck_assert_int_eq(coir_sleep(10), COIR_OK);
    ck_assert_int_eq(coir_cond_wait_until(c, m, 10), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_cond_wait_until(c, m, 0), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_cond_wait_until(c, m, INT64_MIN), COIR_ETIMEDOUT);
    ck_assert_int_eq(o->result, NOT_YET); /* the mutex was never given up */
    ck_assert_int_eq(coir_task_state(o->task), COIR_TASK_WAITING);
    unlock();
    return NULL;
}

START_TEST(a_deadline_that_has_passed_does_not_give_the_mutex_up)
{
    operation o;
    coir_task *t;
    begin(0);
    t = spawn(wait_with_past_deadline, &o);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    expect_result(&o, COIR_OK);
    finish();
}
END_TEST

START_TEST(a_wait_that_times_out_has_the_mutex_again)
{
    operation o[2];
    begin(0);
    wait_goes_on(&o[0], do_cond_wait, 100);
    wait_goes_on(&o[1], do_cond_wait, 50);
    expect_result(&o[1], COIR_ETIMEDOUT);
    ck_assert(o[1].when == 50);
    expect_result(&o[0], COIR_ETIMEDOUT);
    ck_assert(o[0].when == 100);
    finish();
}
END_TEST

START_TEST(a_wait_that_times_out_waits_for_the_mutex_beyond_its_deadline)
{
    int64_t then = 100;
    operation o, behind;
    begin(0);
    wait_goes_on(&o, do_cond_wait, 50);
    o.hold = 5;
    hold_mutex_until(&then);
    run_until(60);
    ck_assert_int_eq(o.result, NOT_YET);
    wait_goes_on(&behind, do_lock, COIR_FOREVER);
    expect_result(&o, COIR_ETIMEDOUT);
    ck_assert(o.when == 100);
    expect_result(&behind, COIR_OK);
    ck_assert(behind.when == 105);
    finish();
}
END_TEST

START_TEST(a_wait_that_is_cancelled_has_the_mutex_again)
{
    operation o[2];
    begin(0);
    wait_goes_on(&o[0], do_cond_wait, COIR_FOREVER);
    wait_goes_on(&o[1], do_cond_wait, 1000);
    cancel(o[1].task);
    expect_result(&o[1], COIR_ECANCELED);
    cancel(o[0].task);
    expect_result(&o[0], COIR_ECANCELED);
    ck_assert(o[1].when == 0);
    finish();
}
END_TEST

START_TEST(a_wait_that_is_cancelled_waits_for_the_mutex_beyond_the_cancel)
{
    int64_t then = 100;
    operation o, behind;
    begin(0);
    wait_goes_on(&o, do_cond_wait, COIR_FOREVER);
    hold_mutex_until(&then);
    cancel(o.task);
    run_until(50);
    cancel(o.task); /* twice is the same as once */
    ck_assert_int_eq(o.result, NOT_YET);
    wait_goes_on(&behind, do_lock, COIR_FOREVER);
    expect_result(&o, COIR_ECANCELED);
    ck_assert(o.when == 100);
    expect_result(&behind, COIR_OK);
    finish();
}
END_TEST

static void *wait_when_cancelled(void *locker)
{
    operation *o = locker;
    lock();
    begin_wait(o, do_lock, COIR_FOREVER);
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    cancel(coir_task_self());
    ck_assert_int_eq(coir_cond_wait(c, m), COIR_ECANCELED);
    ck_assert_int_eq(coir_cond_wait_until(c, m, 1000), COIR_ECANCELED);
    ck_assert_int_eq(coir_cond_wait_until(c, m, 0), COIR_ECANCELED);
    ck_assert_int_eq(o->result, NOT_YET);
    unlock();
    return NULL;
}

START_TEST(a_cancelled_task_does_not_wait_and_keeps_the_mutex)
{
    operation o;
    begin(0);
    ck_assert_int_eq(coir_await(spawn(wait_when_cancelled, &o), NULL), COIR_OK);
    expect_result(&o, COIR_OK);
    finish();
}
END_TEST

static void *cond_wait_under_a_shield(void *arg)
{
    ck_assert_int_eq(coir_task_shield(1), 0);
    do_cond_wait(arg);
    ck_assert_int_eq(coir_task_shield(0), 1);
    ck_assert_int_eq(coir_sleep(1), COIR_ECANCELED);
    return NULL;
}

START_TEST(under_a_shield_a_wait_goes_on)
{
    operation o;
    begin(0);
    wait_goes_on(&o, cond_wait_under_a_shield, COIR_FOREVER);
    cancel(o.task);
    run_until(10);
    ck_assert_int_eq(o.result, NOT_YET);
    signal_one();
    expect_result(&o, COIR_OK);
    finish();
}
END_TEST

/* A signal that was given is not lost to what happens while its task waits for the mutex. */
START_TEST(a_deadline_after_the_signal_changes_nothing)
{
    int64_t then = 100;
    operation o;
    begin(0);
    wait_goes_on(&o, do_cond_wait, 50);
    hold_mutex_until(&then);
    signal_one();
    expect_result(&o, COIR_OK);
    ck_assert(o.when == 100);
    finish();
}
END_TEST

static void *cond_wait_then_sleep(void *arg)
{
    do_cond_wait(arg);
    ck_assert_int_eq(coir_sleep(1), COIR_ECANCELED);
    return NULL;
}

START_TEST(a_cancel_after_the_signal_is_for_the_next_wait)
{
    for (int held = 0; held <= 1; held++) {
        int64_t then = 100;
        operation o;
        begin(0);
        wait_goes_on(&o, cond_wait_then_sleep, COIR_FOREVER);
        if (held)
            hold_mutex_until(&then);
        signal_one();
        cancel(o.task);
        expect_result(&o, COIR_OK);
        ck_assert(o.when == (held ? 100 : 0));
        finish();
    }
}
END_TEST

START_TEST(who_timed_out_or_was_cancelled_takes_no_signal)
{
    int64_t then = 100;
    operation timed_out, cancelled, waiting;
    begin(0);
    wait_goes_on(&timed_out, do_cond_wait, 50);
    wait_goes_on(&cancelled, do_cond_wait, COIR_FOREVER);
    wait_goes_on(&waiting, do_cond_wait, COIR_FOREVER);
    hold_mutex_until(&then);
    cancel(cancelled.task);
    run_until(60);
    signal_one(); /* the first two still wait, but for the mutex */
    expect_result(&timed_out, COIR_ETIMEDOUT);
    expect_result(&cancelled, COIR_ECANCELED);
    expect_result(&waiting, COIR_OK);
    ck_assert(waiting.when == 100);
    finish();
}
END_TEST

START_TEST(a_condition_variable_at_which_a_task_waits_is_not_destroyed)
{
    operation o[2];
    begin(0);
    wait_goes_on(&o[0], do_cond_wait, COIR_FOREVER);
    wait_goes_on(&o[1], do_cond_wait, 1000);
    ck_assert_int_eq(coir_cond_destroy(c), COIR_EBUSY);
    signal_one();
    ck_assert_int_eq(coir_cond_destroy(c), COIR_EBUSY);
    signal_one();
    expect_result(&o[0], COIR_OK);
    expect_result(&o[1], COIR_OK);
    finish();
}
END_TEST

START_TEST(a_condition_variable_can_be_destroyed_when_all_are_woken)
{
    int64_t then = 100;
    operation o[3];
    begin(0);
    for (int i = 0; i < 3; i++)
        wait_goes_on(&o[i], do_cond_wait, 1000);
    hold_mutex_until(&then);
    signal_all();
    ck_assert_int_eq(coir_cond_destroy(c), COIR_OK); /* they wait for the mutex now */
    ck_assert_int_eq(coir_cond_create(&c), COIR_OK);
    for (int i = 0; i < 3; i++)
        expect_result(&o[i], COIR_OK);
    finish();
}
END_TEST

static void *cond_wait_nested(void *arg)
{
    ck_assert_int_eq(coir_cond_wait(c, m), COIR_OK); /* with the mutex that the task holds */
    return arg;
}

static void *lock_and_wait_in_nested(void *arg)
{
    coir_fiber *f = t_create(cond_wait_nested, NULL);
    lock();
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
    unlock();
    return arg;
}

START_TEST(a_nested_fiber_waits_with_the_mutex_of_its_task)
{
    begin(0);
    start(lock_and_wait_in_nested, NULL);
    turn();
    in_a_task(lock_and_signal);
    finish();
}
END_TEST

/* ---- semaphore ---- */

static void post(void)
{
    ck_assert_int_eq(coir_sem_post(s), COIR_OK);
}

START_TEST(a_semaphore_counts_its_permits)
{
    ck_assert_int_eq(coir_sem_create(&s, 3), COIR_OK);
    for (int n = 3; n > 0; n--) {
        ck_assert_int_eq(coir_sem_count(s), n);
        ck_assert_int_eq(coir_sem_try_wait(s), COIR_OK);
    }
    ck_assert_int_eq(coir_sem_try_wait(s), COIR_EAGAIN);
    ck_assert_int_eq(coir_sem_count(s), 0);
    for (int n = 1; n <= 10; n++) {
        post();
        ck_assert_int_eq(coir_sem_count(s), n);
    }
    ck_assert_int_eq(coir_sem_destroy(s), COIR_OK);
}
END_TEST

START_TEST(a_semaphore_holds_no_more_than_the_largest_count)
{
    ck_assert_int_eq(coir_sem_create(&s, COIR_SEM_MAX - 1), COIR_OK);
    post();
    ck_assert_int_eq(coir_sem_post(s), COIR_EAGAIN);
    ck_assert_int_eq(coir_sem_count(s), (int)COIR_SEM_MAX);
    ck_assert_int_eq(coir_sem_try_wait(s), COIR_OK);
    post();
    ck_assert_int_eq(coir_sem_destroy(s), COIR_OK);
    ck_assert_int_eq(coir_sem_create(&s, COIR_SEM_MAX), COIR_OK);
    ck_assert_int_eq(coir_sem_post(s), COIR_EAGAIN);
    ck_assert_int_eq(coir_sem_destroy(s), COIR_OK);
}
END_TEST

static void *take_two_without_a_wait(void *arg)
{
    ck_assert_int_eq(coir_sem_wait(s), COIR_OK);
    ck_assert_int_eq(coir_sem_wait_until(s, -1), COIR_OK);
    ck_assert_int_eq(coir_sem_wait_until(s, -1), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_sem_wait_until(s, INT64_MIN), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_sem_wait_until(s, coir_now()), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_sem_try_wait(s), COIR_EAGAIN);
    *(int *)arg = 2;
    return NULL;
}

static void *note_2_not_yet(void *arg)
{
    (void)arg;
    return T_VALUE(*(int *)arg);
}

START_TEST(a_permit_that_is_there_is_taken_at_once)
{
    int taken = 0;
    coir_task *other;
    void *result;
    begin(0);
    post();
    post();
    start(take_two_without_a_wait, &taken);
    other = spawn(note_2_not_yet, &taken); /* runs as soon as the first suspends: when it has ended */
    ck_assert_int_eq(coir_await(other, &result), COIR_OK);
    ck_assert_int_eq(T_NUMBER(result), 2);
    ck_assert_int_eq(coir_sem_count(s), 0);
    finish();
}
END_TEST

START_TEST(a_permit_goes_to_who_waits_longest)
{
    operation o[5];
    begin(0);
    for (int i = 0; i < 5; i++)
        wait_goes_on(&o[i], do_sem_wait, i % 2 == 0 ? COIR_FOREVER : 1000);
    operations_done = 0;
    for (int i = 0; i < 5; i++) {
        post();
        ck_assert_int_eq(coir_sem_count(s), 0);
        ck_assert_int_eq(coir_sem_try_wait(s), COIR_EAGAIN); /* it was given away */
    }
    for (int i = 0; i < 5; i++) {
        expect_result(&o[i], COIR_OK);
        ck_assert_int_eq(o[i].order, i + 1);
    }
    post();
    ck_assert_int_eq(coir_sem_count(s), 1);
    finish();
}
END_TEST

static void *post_and_go_on(void *waiting)
{
    operation *o = waiting;
    post();
    ck_assert_int_eq(o->result, NOT_YET);
    ck_assert_int_eq(coir_task_state(o->task), COIR_TASK_READY);
    return NULL;
}

START_TEST(post_does_not_wait)
{
    operation o;
    begin(0);
    wait_goes_on(&o, do_sem_wait, COIR_FOREVER);
    start(post_and_go_on, &o);
    expect_result(&o, COIR_OK);
    finish();
}
END_TEST

static void post_when_posted(void *arg)
{
    (void)arg;
    post();
}

START_TEST(a_posted_function_may_post)
{
    operation o;
    begin(0);
    wait_goes_on(&o, do_sem_wait, COIR_FOREVER);
    ck_assert_int_eq(coir_exec_post(executor, post_when_posted, NULL), COIR_OK);
    expect_result(&o, COIR_OK);
    finish();
}
END_TEST

START_TEST(a_wait_for_a_permit_that_times_out_takes_none)
{
    operation o[3];
    begin(0);
    wait_goes_on(&o[0], do_sem_wait, 100);
    wait_goes_on(&o[1], do_sem_wait, COIR_FOREVER);
    wait_goes_on(&o[2], do_sem_wait, 50);
    expect_result(&o[2], COIR_ETIMEDOUT);
    ck_assert(o[2].when == 50);
    expect_result(&o[0], COIR_ETIMEDOUT);
    ck_assert(o[0].when == 100);
    post();
    expect_result(&o[1], COIR_OK);
    ck_assert_int_eq(coir_sem_count(s), 0);
    finish();
}
END_TEST

START_TEST(a_permit_that_comes_before_the_deadline_is_in_time)
{
    operation o;
    begin(0);
    wait_goes_on(&o, do_sem_wait, 100);
    run_until(99);
    post();
    run_until(200);
    expect_result(&o, COIR_OK);
    ck_assert(o.when == 99);
    finish();
}
END_TEST

START_TEST(a_wait_for_a_permit_that_is_cancelled_takes_none)
{
    operation o[3];
    begin(0);
    wait_goes_on(&o[0], do_sem_wait, COIR_FOREVER);
    wait_goes_on(&o[1], do_sem_wait, COIR_FOREVER);
    wait_goes_on(&o[2], do_sem_wait, 1000);
    cancel(o[0].task);
    cancel(o[2].task);
    post();
    expect_result(&o[0], COIR_ECANCELED);
    expect_result(&o[1], COIR_OK);
    expect_result(&o[2], COIR_ECANCELED);
    ck_assert_int_eq(coir_sem_count(s), 0);
    finish();
}
END_TEST

static void *sem_wait_then_sleep(void *arg)
{
    do_sem_wait(arg);
    ck_assert_int_eq(coir_sleep(1), COIR_ECANCELED);
    return NULL;
}

START_TEST(a_cancel_does_not_take_back_a_permit)
{
    operation o;
    begin(0);
    wait_goes_on(&o, sem_wait_then_sleep, 1000);
    post();
    cancel(o.task);
    expect_result(&o, COIR_OK);
    ck_assert_int_eq(coir_sem_count(s), 0);
    finish();
}
END_TEST

static void *sem_wait_when_cancelled(void *arg)
{
    cancel(coir_task_self());
    ck_assert_int_eq(coir_sem_wait(s), COIR_ECANCELED); /* though there is one */
    ck_assert_int_eq(coir_sem_wait_until(s, 0), COIR_ECANCELED);
    ck_assert_int_eq(coir_sem_count(s), 1);
    ck_assert_int_eq(coir_sem_try_wait(s), COIR_OK);
    post();
    return arg;
}

START_TEST(a_cancelled_task_can_only_try_to_take_a_permit)
{
    begin(0);
    post();
    in_a_task(sem_wait_when_cancelled);
    ck_assert_int_eq(coir_sem_count(s), 1);
    finish();
}
END_TEST

static void *sem_wait_under_a_shield(void *arg)
{
    ck_assert_int_eq(coir_task_shield(1), 0);
    do_sem_wait(arg);
    ck_assert_int_eq(coir_task_shield(0), 1);
    ck_assert_int_eq(coir_sem_wait(s), COIR_ECANCELED);
    return NULL;
}

START_TEST(under_a_shield_a_wait_for_a_permit_goes_on)
{
    operation o;
    begin(0);
    wait_goes_on(&o, sem_wait_under_a_shield, COIR_FOREVER);
    cancel(o.task);
    turn();
    ck_assert_int_eq(o.result, NOT_YET);
    post();
    expect_result(&o, COIR_OK);
    finish();
}
END_TEST

START_TEST(a_semaphore_at_which_a_task_waits_is_not_destroyed)
{
    operation o;
    begin(0);
    wait_goes_on(&o, do_sem_wait, COIR_FOREVER);
    ck_assert_int_eq(coir_sem_destroy(s), COIR_EBUSY);
    post();
    ck_assert_int_eq(coir_sem_destroy(s), COIR_OK); /* the wait is over, though the task has not run */
    expect_result(&o, COIR_OK);
    ck_assert_int_eq(coir_sem_create(&s, 0), COIR_OK);
    finish();
}
END_TEST

/* ---- calls in the wrong place, with wrong arguments ---- */

static void *use_outside_of_a_task(void *arg)
{
    ck_assert_int_eq(coir_mutex_lock(m), COIR_ENOTTASK);
    ck_assert_int_eq(coir_mutex_lock_until(m, 0), COIR_ENOTTASK);
    ck_assert_int_eq(coir_mutex_try_lock(m), COIR_ENOTTASK);
    ck_assert_int_eq(coir_mutex_unlock(m), COIR_ENOTTASK);
    ck_assert_int_eq(coir_cond_wait(c, m), COIR_ENOTTASK);
    ck_assert_int_eq(coir_cond_wait_until(c, m, 0), COIR_ENOTTASK);
    ck_assert_int_eq(coir_sem_wait(s), COIR_ENOTTASK);
    ck_assert_int_eq(coir_sem_wait_until(s, 0), COIR_ENOTTASK);
    ck_assert_int_eq(coir_mutex_lock(NULL), COIR_ENOTTASK); /* comes before COIR_EINVAL */
    ck_assert_int_eq(coir_cond_wait(NULL, NULL), COIR_ENOTTASK);
    ck_assert_int_eq(coir_sem_wait(NULL), COIR_ENOTTASK);
    ck_assert_int_eq(coir_cond_signal(c), COIR_OK);
    ck_assert_int_eq(coir_cond_broadcast(c), COIR_OK);
    post();
    ck_assert_int_eq(coir_sem_count(s), 1);
    ck_assert_int_eq(coir_sem_try_wait(s), COIR_OK);
    return arg;
}

static void use_when_posted(void *arg)
{
    use_outside_of_a_task(arg);
}

START_TEST(outside_of_tasks_nothing_waits)
{
    coir_fiber *f = t_create(use_outside_of_a_task, NULL);
    begin(0);
    use_outside_of_a_task(NULL);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(coir_exec_post(executor, use_when_posted, NULL), COIR_OK);
    coir_destroy(f);
    finish();
}
END_TEST

static void *use_wrongly(void *arg)
{
    ck_assert_int_eq(coir_mutex_lock(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_mutex_lock_until(NULL, 0), COIR_EINVAL);
    ck_assert_int_eq(coir_mutex_try_lock(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_mutex_unlock(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_cond_wait(c, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_cond_wait_until(c, NULL, 0), COIR_EINVAL);
    ck_assert_int_eq(coir_cond_wait(NULL, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_sem_wait(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_sem_wait_until(NULL, 0), COIR_EINVAL);
    lock();
    ck_assert_int_eq(coir_cond_wait(NULL, m), COIR_EINVAL);
    ck_assert_int_eq(coir_cond_wait_until(NULL, m, 0), COIR_EINVAL);
    ck_assert_int_eq(coir_mutex_try_lock(m), COIR_EDEADLK); /* it was not given up */
    unlock();
    return arg;
}

START_TEST(null_is_refused)
{
    begin(0);
    in_a_task(use_wrongly);
    ck_assert_int_eq(coir_cond_signal(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_cond_broadcast(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_sem_try_wait(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_sem_post(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_sem_count(NULL), COIR_EINVAL);
    finish();
}
END_TEST

static void *wait_without_the_mutex(void *arg)
{
    ck_assert_int_eq(coir_cond_wait(c, m), COIR_ENOTHELD);
    ck_assert_int_eq(coir_cond_wait_until(c, m, 0), COIR_ENOTHELD);
    ck_assert_int_eq(coir_cond_wait_until(c, m, 1000), COIR_ENOTHELD);
    ck_assert(coir_now() == 0);
    return arg;
}

START_TEST(a_wait_needs_the_mutex)
{
    int64_t then = 100;
    begin(0);
    in_a_task(wait_without_the_mutex); /* it is free, */
    hold_mutex_until(&then);
    in_a_task(wait_without_the_mutex); /* and it is another's */
    finish();
}
END_TEST

static int ends;

static void wait_while_ending(void *arg)
{
    (void)arg;
    ends++;
    ck_assert_int_eq(coir_mutex_lock(m), COIR_ECANCELED); /* though it is free */
    ck_assert_int_eq(coir_mutex_lock_until(m, 0), COIR_ECANCELED);
    ck_assert_int_eq(coir_sem_wait(s), COIR_ECANCELED); /* though there is a permit */
    ck_assert_int_eq(coir_sem_wait_until(s, 0), COIR_ECANCELED);
    ck_assert_int_eq(coir_mutex_lock(NULL), COIR_ECANCELED); /* comes before COIR_EINVAL */
    ck_assert_int_eq(coir_cond_wait(NULL, NULL), COIR_ECANCELED);
    ck_assert_int_eq(coir_sem_wait(NULL), COIR_ECANCELED);
    ck_assert_int_eq(coir_sem_try_wait(s), COIR_OK);
    post();
    ck_assert_int_eq(coir_mutex_try_lock(m), COIR_OK);
    ck_assert_int_eq(coir_cond_wait(c, m), COIR_ECANCELED);
    ck_assert_int_eq(coir_cond_wait_until(c, m, 0), COIR_ECANCELED);
    ck_assert_int_eq(coir_mutex_try_lock(m), COIR_EDEADLK); /* still held */
    unlock();
    signal_all();
}

static void *end_with_waits(void *arg)
{
    coir_key key;
    ck_assert_int_eq(coir_key_create(&key, wait_while_ending), COIR_OK);
    ck_assert_int_eq(coir_local_set(key, &ends), COIR_OK);
    ck_assert_int_eq(coir_defer(wait_while_ending, NULL), COIR_OK);
    return arg;
}

START_TEST(in_deferred_functions_and_destructors_of_keys_nothing_waits)
{
    begin(0);
    post();
    in_a_task(end_with_waits);
    ck_assert_int_eq(ends, 2);
    finish();
}
END_TEST

static void unlock_in_the_end(void *arg)
{
    (void)arg;
    unlock();
}

static void *lock_and_defer_unlock(void *arg)
{
    lock();
    ck_assert_int_eq(coir_defer(unlock_in_the_end, NULL), COIR_OK);
    ck_assert_int_eq(coir_sleep(100), COIR_OK);
    coir_exit(arg);
    return NULL;
}

START_TEST(a_deferred_function_may_unlock)
{
    operation o;
    begin(0);
    start(lock_and_defer_unlock, NULL);
    turn();
    wait_goes_on(&o, do_lock, COIR_FOREVER);
    expect_result(&o, COIR_OK);
    ck_assert(o.when == 100);
    finish();
}
END_TEST

/* ---- executors and threads ---- */

START_TEST(tasks_of_two_executors_share_them)
{
    coir_exec *first, *other;
    operation locking, waiting, taking;
    begin(0);
    first = executor;
    wait_goes_on(&waiting, do_cond_wait, COIR_FOREVER);
    wait_goes_on(&taking, do_sem_wait, COIR_FOREVER);
    start(lock_and_signal, NULL); /* then holds the mutex until 10 */
    turn();
    executor = other = make_executor(0);
    wait_goes_on(&locking, do_lock, COIR_FOREVER);
    in_a_task(try_held_mutex);
    post();
    executor = first;
    expect_result(&waiting, COIR_OK);
    expect_result(&taking, COIR_OK);
    ck_assert_int_eq(coir_task_state(locking.task), COIR_TASK_READY); /* the mutex is its own now */
    executor = other;
    expect_result(&locking, COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(other), COIR_OK);
    executor = first;
    finish();
}
END_TEST

static void *use_foreign_ones(void *arg)
{
    ck_assert_int_eq(coir_mutex_destroy(m), COIR_ETHREAD);
    ck_assert_int_eq(coir_cond_signal(c), COIR_ETHREAD);
    ck_assert_int_eq(coir_cond_broadcast(c), COIR_ETHREAD);
    ck_assert_int_eq(coir_cond_destroy(c), COIR_ETHREAD);
    ck_assert_int_eq(coir_sem_try_wait(s), COIR_ETHREAD);
    ck_assert_int_eq(coir_sem_post(s), COIR_ETHREAD);
    ck_assert_int_eq(coir_sem_count(s), COIR_ETHREAD);
    ck_assert_int_eq(coir_sem_destroy(s), COIR_ETHREAD);
    return arg;
}

static void *use_foreign_ones_in_a_task(void *arg)
{
    coir_mutex *own;
    ck_assert_int_eq(coir_mutex_create(&own), COIR_OK);
    ck_assert_int_eq(coir_mutex_lock(own), COIR_OK);
    ck_assert_int_eq(coir_mutex_lock(m), COIR_ETHREAD);
    ck_assert_int_eq(coir_mutex_lock_until(m, 0), COIR_ETHREAD);
    ck_assert_int_eq(coir_mutex_try_lock(m), COIR_ETHREAD);
    ck_assert_int_eq(coir_mutex_unlock(m), COIR_ETHREAD);
    ck_assert_int_eq(coir_cond_wait(c, m), COIR_ETHREAD);
    ck_assert_int_eq(coir_cond_wait(c, own), COIR_ETHREAD);
    ck_assert_int_eq(coir_cond_wait_until(c, own, 0), COIR_ETHREAD);
    ck_assert_int_eq(coir_sem_wait(s), COIR_ETHREAD);
    ck_assert_int_eq(coir_sem_wait_until(s, 0), COIR_ETHREAD);
    ck_assert_int_eq(coir_mutex_unlock(own), COIR_OK);
    ck_assert_int_eq(coir_mutex_destroy(own), COIR_OK);
    return use_foreign_ones(arg);
}

static void *run_a_task_with_foreign_ones(void *arg)
{
    coir_exec *own = make_executor(0);
    ck_assert_int_eq(coir_spawn(NULL, own, use_foreign_ones_in_a_task, arg, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_run(own), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(own), COIR_OK);
    return arg;
}

START_TEST(another_threads_cannot_be_used)
{
    operation o;
    begin(0);
    wait_goes_on(&o, do_cond_wait, COIR_FOREVER);
    t_on_thread(use_foreign_ones, NULL);
    t_on_thread(run_a_task_with_foreign_ones, NULL);
    ck_assert_int_eq(coir_sem_count(s), 0);
    turn();
    ck_assert_int_eq(o.result, NOT_YET);
    signal_one();
    expect_result(&o, COIR_OK);
    finish();
}
END_TEST

static void *leave_them(void *arg)
{
    executor = make_executor(0);
    make_all();
    in_a_task(lock_for_ever);
    ck_assert_int_eq(coir_exec_destroy(executor), COIR_OK);
    return arg;
}

START_TEST(those_left_by_a_thread_that_has_ended_can_only_be_destroyed)
{
    t_on_thread(leave_them, NULL);
    ck_assert_int_eq(coir_cond_signal(c), COIR_ETHREAD);
    ck_assert_int_eq(coir_sem_post(s), COIR_ETHREAD);
    destroy_all();
}
END_TEST

static void *leave_waiting_tasks(void *arg)
{
    static operation o[4];
    static int64_t then = 100;
    begin(0);
    wait_goes_on(&o[0], do_cond_wait, COIR_FOREVER);
    wait_goes_on(&o[1], do_cond_wait, 1000);
    hold_mutex_until(&then);
    wait_goes_on(&o[2], do_lock, COIR_FOREVER);
    wait_goes_on(&o[3], do_sem_wait, 1000);
    return arg;
}

START_TEST(those_left_with_tasks_that_wait_can_be_destroyed_before_the_executor)
{
    t_on_thread(leave_waiting_tasks, NULL);
    destroy_all();
    ck_assert_int_eq(coir_exec_destroy(executor), COIR_OK);
}
END_TEST

static void *wait_for_condition(void *arg)
{
    ck_assert_int_eq(coir_mutex_lock(m), COIR_OK);
    ck_assert_int_eq(coir_cond_wait_until(c, m, 50), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_mutex_unlock(m), COIR_OK);
    return arg;
}

START_TEST(a_mutex_that_a_waiter_for_a_condition_wants_back_is_busy)
{
    coir_task *t;
    begin(0);
    t = spawn(wait_for_condition, NULL);
    ck_assert_int_eq(coir_exec_run_once_until(executor, 0), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_task_state(t), COIR_TASK_WAITING);
    ck_assert_int_eq(coir_mutex_destroy(m), COIR_EBUSY);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    finish();
}
END_TEST

/* ---- deadlock ---- */

static void start_named(const char *name, coir_fn *fn, operation *o)
{
    const coir_options opt = {.name = name};
    prepare(o, COIR_FOREVER);
    ck_assert_int_eq(coir_spawn(&o->task, executor, fn, o, &opt), COIR_OK);
    turn();
}

START_TEST(tasks_that_wait_for_ever_are_reported_and_can_be_helped)
{
    operation o[3];
    begin(0);
    start_named("waiter", do_cond_wait, &o[0]);
    in_a_task(lock_for_ever);
    start_named("locker", do_lock, &o[1]);
    start_named("taker", do_sem_wait, &o[2]);
    ck_assert_int_eq(coir_exec_run(executor), COIR_EDEADLK);
    ck_assert_ptr_nonnull(strstr(reported, "waiter"));
    ck_assert_ptr_nonnull(strstr(reported, "locker"));
    ck_assert_ptr_nonnull(strstr(reported, "taker"));
    ck_assert_int_eq(coir_exec_tasks(executor), 3);
    post();
    expect_result(&o[2], COIR_OK);
    cancel(o[1].task);
    expect_result(&o[1], COIR_ECANCELED);
    /* The one at the condition variable needs the mutex, which nobody will give up: it is left, with its executor. */
    ck_assert_int_eq(coir_exec_run(executor), COIR_EDEADLK);
    ck_assert_int_eq(coir_exec_destroy(executor), COIR_EBUSY);
}
END_TEST

/* ---- the same in every order ---- */

enum { WORKERS = 5, STEPS = 8 };

static coir_task *workers[WORKERS];
static int inside, most_inside;

/* Stays inside for a while, in one of several ways. */
static void stay_inside(void)
{
    inside++;
    if (inside > most_inside)
        most_inside = inside;
    if (random_below(2) == 0)
        coir_sleep(random_below(4));
    else
        coir_task_yield();
    inside--;
}

static int lock_somehow(void)
{
    int kind = random_below(4);
    return kind == 0 ? coir_mutex_lock(m) : kind == 1 ? coir_mutex_try_lock(m)
                                                      : coir_mutex_lock_until(m, coir_now() + random_below(6));
}

static void *lock_often(void *arg)
{
    int result = COIR_OK;
    for (int step = 0; step < STEPS && result != COIR_ECANCELED; step++) {
        result = lock_somehow();
        if (result == COIR_OK) {
            stay_inside();
            unlock();
        } else {
            ck_assert_int_eq(coir_mutex_unlock(m), COIR_ENOTHELD);
        }
    }
    return arg;
}

static int take_somehow(void)
{
    int kind = random_below(4);
    return kind == 0 ? coir_sem_wait(s) : kind == 1 ? coir_sem_try_wait(s)
                                                    : coir_sem_wait_until(s, coir_now() + random_below(6));
}

static void *take_often(void *arg)
{
    int result = COIR_OK;
    for (int step = 0; step < STEPS && result != COIR_ECANCELED; step++) {
        result = take_somehow();
        if (result == COIR_OK) {
            stay_inside();
            post();
        }
    }
    return arg;
}

static void *cancel_some(void *arg)
{
    for (int i = 0; i < 3; i++) {
        coir_sleep(random_below(8));
        coir_task_cancel(workers[random_below(WORKERS)]);
    }
    return arg;
}

static void run_disturbed_workers(coir_fn *fn, uint64_t seed)
{
    random_state = (uint32_t)seed;
    inside = most_inside = 0;
    for (int i = 0; i < WORKERS; i++)
        workers[i] = spawn(fn, NULL);
    ck_assert_int_eq(coir_await(spawn(cancel_some, NULL), NULL), COIR_OK); /* before the handles it uses are void */
    ck_assert_int_eq(coir_await_all(workers, WORKERS, NULL), COIR_OK);
}

START_TEST(in_every_order_one_task_holds_the_mutex_and_in_the_end_none)
{
    for (uint64_t seed = 1; seed <= seeds(); seed++) {
        begin(seed);
        run_disturbed_workers(lock_often, seed);
        ck_assert_int_le(most_inside, 1);
        in_a_task(lock_and_unlock_twice);
        finish();
    }
}
END_TEST

START_TEST(in_every_order_no_permit_is_lost_or_made)
{
    for (uint64_t seed = 1; seed <= seeds(); seed++) {
        begin(seed);
        for (int i = 0; i < 2; i++)
            post();
        run_disturbed_workers(take_often, seed);
        ck_assert_int_le(most_inside, 2);
        ck_assert_int_eq(coir_sem_count(s), 2);
        finish();
    }
}
END_TEST

/* A buffer with room for two between producers and consumers, who tell of each change to one task only. A signal that
 * is lost ends in a deadlock. */
enum { PRODUCERS = 2, EACH = 10, CONSUMERS = 3, ROOM = 2 };

static coir_cond *not_full;
static int buffer[ROOM], held, consumed[PRODUCERS * EACH], producing;

static void put(int item)
{
    lock();
    while (held == ROOM)
        ck_assert_int_eq(coir_cond_wait(not_full, m), COIR_OK);
    buffer[held++] = item;
    signal_one();
    unlock();
}

static void *produce(void *number)
{
    for (int n = 0; n < EACH; n++) {
        put(T_NUMBER(number) * EACH + n);
        if (random_below(3) == 0)
            ck_assert_int_eq(coir_sleep(random_below(3)), COIR_OK);
    }
    if (--producing == 0)
        signal_all();
    return NULL;
}

static int wait_for_an_item(void)
{
    int result = COIR_OK;
    while (held == 0 && producing > 0 && result != COIR_ECANCELED)
        result = random_below(2) == 0 ? coir_cond_wait(c, m) : coir_cond_wait_until(c, m, coir_now() + random_below(4));
    return held > 0;
}

static void *consume(void *arg)
{
    for (;;) {
        if (coir_mutex_lock(m) != COIR_OK)
            return arg;
        if (!wait_for_an_item()) {
            unlock();
            return arg;
        }
        consumed[buffer[--held]]++;
        ck_assert_int_eq(coir_cond_signal(not_full), COIR_OK);
        unlock();
        if (coir_task_yield() != COIR_OK)
            return arg;
    }
}

/* Never the last one. */
static void *cancel_consumers(void *consumers)
{
    coir_task **t = consumers;
    for (int i = 0; i < CONSUMERS - 1; i++) {
        coir_sleep(random_below(10));
        coir_task_cancel(t[i]);
    }
    return NULL;
}

static void run_buffer(uint64_t seed)
{
    coir_task *consumers[CONSUMERS];
    random_state = (uint32_t)seed;
    held = 0;
    producing = PRODUCERS;
    memset(consumed, 0, sizeof consumed);
    for (int i = 0; i < CONSUMERS; i++)
        consumers[i] = spawn(consume, NULL);
    for (int i = 0; i < PRODUCERS; i++)
        start(produce, T_VALUE(i));
    ck_assert_int_eq(coir_await(spawn(cancel_consumers, consumers), NULL), COIR_OK);
    ck_assert_int_eq(coir_await_all(consumers, CONSUMERS, NULL), COIR_OK);
}

START_TEST(in_every_order_no_signal_is_lost)
{
    for (uint64_t seed = 1; seed <= seeds(); seed++) {
        begin(seed);
        ck_assert_int_eq(coir_cond_create(&not_full), COIR_OK);
        run_buffer(seed);
        for (int i = 0; i < PRODUCERS * EACH; i++)
            ck_assert_int_eq(consumed[i], 1);
        ck_assert_int_eq(held, 0);
        finish();
        ck_assert_int_eq(coir_cond_destroy(not_full), COIR_OK);
    }
}
END_TEST

static void *hold_and_end(void *arg)
{
    ck_assert_int_eq(coir_mutex_lock(m), COIR_OK);
    coir_cond_broadcast(c);
    return arg;
}

static void *wait_in_vain(void *arg)
{
    ck_assert_int_eq(coir_mutex_lock(m), COIR_OK);
    ck_assert_int_eq(coir_cond_wait(c, m), COIR_ECANCELED);
    ck_assert_int_eq(coir_mutex_unlock(m), COIR_ENOTHELD);
    return arg;
}

START_TEST(who_waits_for_a_condition_with_a_mutex_that_is_lost_can_be_cancelled)
{
    begin(0);
    for (int i = 0; i < 2; i++) {
        start(wait_in_vain, NULL);
        ck_assert_int_eq(coir_exec_run_once_until(executor, 0), COIR_TASKS_LEFT);
    }
    start(hold_and_end, NULL);
    ck_assert_int_eq(coir_exec_run(executor), COIR_EDEADLK);
    ck_assert_int_eq(coir_exec_cancel(executor), COIR_OK);
    finish();
}
END_TEST

T_MAIN(who_waits_for_a_condition_with_a_mutex_that_is_lost_can_be_cancelled, creators_refuse_bad_arguments_and_touch_nothing, without_a_backend_they_are_not_supported,
       destroyers_do_nothing_with_null, a_free_mutex_is_taken_at_once, a_task_that_holds_a_mutex_cannot_take_it_again,
       a_held_mutex_is_not_taken_and_not_given_up_by_others, a_mutex_is_given_to_who_waits_longest,
       unlock_gives_the_mutex_away_and_does_not_wait, a_lock_that_times_out_leaves_the_mutex_to_the_next,
       a_mutex_that_comes_before_the_deadline_is_in_time, a_lock_that_is_cancelled_leaves_the_mutex_to_the_next,
       a_cancel_does_not_take_back_a_mutex_that_was_given, a_cancelled_task_can_only_try_to_lock,
       under_a_shield_a_lock_waits_on, a_nested_fiber_locks_and_unlocks_for_its_task,
       a_task_that_ends_keeps_the_mutex_it_holds, a_mutex_that_is_held_or_waited_for_is_not_destroyed,
       wait_gives_the_mutex_up_and_takes_it_again, a_signal_wakes_who_waits_longest,
       a_broadcast_wakes_all_in_their_order, as_many_signals_as_tasks_wake_as_many,
       a_signal_that_nobody_waits_for_is_forgotten, a_signal_needs_neither_a_task_nor_the_mutex,
       who_is_signalled_takes_the_mutex_behind_those_who_wait_for_it,
       a_deadline_that_has_passed_does_not_give_the_mutex_up, a_wait_that_times_out_has_the_mutex_again,
       a_wait_that_times_out_waits_for_the_mutex_beyond_its_deadline, a_wait_that_is_cancelled_has_the_mutex_again,
       a_wait_that_is_cancelled_waits_for_the_mutex_beyond_the_cancel,
       a_cancelled_task_does_not_wait_and_keeps_the_mutex, under_a_shield_a_wait_goes_on,
       a_deadline_after_the_signal_changes_nothing, a_cancel_after_the_signal_is_for_the_next_wait,
       who_timed_out_or_was_cancelled_takes_no_signal, a_condition_variable_at_which_a_task_waits_is_not_destroyed,
       a_condition_variable_can_be_destroyed_when_all_are_woken, a_nested_fiber_waits_with_the_mutex_of_its_task,
       a_semaphore_counts_its_permits, a_semaphore_holds_no_more_than_the_largest_count,
       a_permit_that_is_there_is_taken_at_once, a_permit_goes_to_who_waits_longest, post_does_not_wait,
       a_posted_function_may_post, a_wait_for_a_permit_that_times_out_takes_none,
       a_permit_that_comes_before_the_deadline_is_in_time, a_wait_for_a_permit_that_is_cancelled_takes_none,
       a_cancel_does_not_take_back_a_permit, a_cancelled_task_can_only_try_to_take_a_permit,
       under_a_shield_a_wait_for_a_permit_goes_on, a_semaphore_at_which_a_task_waits_is_not_destroyed,
       outside_of_tasks_nothing_waits, null_is_refused, a_wait_needs_the_mutex,
       in_deferred_functions_and_destructors_of_keys_nothing_waits, a_deferred_function_may_unlock,
       tasks_of_two_executors_share_them, another_threads_cannot_be_used,
       those_left_by_a_thread_that_has_ended_can_only_be_destroyed,
       those_left_with_tasks_that_wait_can_be_destroyed_before_the_executor,
       a_mutex_that_a_waiter_for_a_condition_wants_back_is_busy,
       tasks_that_wait_for_ever_are_reported_and_can_be_helped,
       in_every_order_one_task_holds_the_mutex_and_in_the_end_none, in_every_order_no_permit_is_lost_or_made,
       in_every_order_no_signal_is_lost)
