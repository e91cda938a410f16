/* SPDX-License-Identifier: MIT */
/* Tasks: spawning, awaiting, parking, cancelling, detaching; and the fibers that run in them. */

#include "t.h"

#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "executors.h"

static void check_events(const char *expected)
{
    ck_assert_str_eq(events, expected);
    events[0] = '\0';
}

static coir_exec *make(void)
{
    const coir_exec_options opt = {.flags = COIR_VIRTUAL_CLOCK};
    coir_exec *e = NULL;

    ck_assert_int_eq(coir_exec_create(&e, &opt), COIR_OK);
    return e;
}

/* Runs fn(arg) as the only task of an executor that is gone afterwards. */
static void run_task(coir_fn *fn, void *arg)
{
    coir_exec *e = make();

    spawn_detached(e, fn, arg);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}

static void run_and_destroy(coir_exec *e)
{
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}

static void turn(coir_exec *e)
{
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
}

static void *return_argument(void *arg)
{
    return arg;
}

static void *sleep_200(void *text)
{
    ck_assert_int_eq(coir_sleep(200), COIR_OK);
    event(text);
    return text;
}

static void *yield_once(void *text)
{
    event(text);
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    event(text);
    return text;
}

static void *park_until_cancelled(void *text)
{
    ck_assert_int_eq(coir_task_park(), COIR_ECANCELED);
    event(text);
    return text;
}

static coir_task *target; /* the task that a case is about, where others need it */

/* ---- spawn ---- */

static int spawn_error(coir_exec *e, coir_fn *fn, const coir_options *opt)
{
    coir_task *t = T_VALUE(99);
    int error = coir_spawn(&t, e, fn, NULL, opt);

    ck_assert_ptr_eq(t, T_VALUE(99));
    ck_assert_int_eq(coir_spawn(NULL, e, fn, NULL, opt), error);
    return error;
}

START_TEST(spawn_checks_what_it_is_given)
{
    static char stack[64];
    const coir_options flag = {.flags = 1u << 30}, movable = {.flags = COIR_MOVABLE}, more = {.reserved_flags = 1};
    const coir_options stack_without_size = {.stack = stack};
    coir_exec *e = make();
    ck_assert_int_eq(spawn_error(e, NULL, NULL), COIR_EINVAL);
    ck_assert_int_eq(spawn_error(e, return_argument, &flag), COIR_EINVAL);
    ck_assert_int_eq(spawn_error(e, return_argument, &more), COIR_EINVAL);
    ck_assert_int_eq(spawn_error(e, return_argument, &movable), COIR_ENOTSUP);
    ck_assert_int_lt(spawn_error(e, return_argument, &stack_without_size), 0);
    for (int i = 0; i < 3; i++) {
        coir_options reserved = {0};
        reserved.reserved[i] = stack;
        ck_assert_int_eq(spawn_error(e, return_argument, &reserved), COIR_EINVAL);
    }
    ck_assert_int_eq(coir_exec_tasks(e), 0);
    run_and_destroy(e);
}
END_TEST

static void *spawn_without_an_executor(void *arg)
{
    ck_assert_int_eq(spawn_error(NULL, return_argument, NULL), COIR_ENOTTASK);
    return arg;
}

START_TEST(spawn_needs_an_executor)
{
    coir_exec *e = make();
    coir_fiber *f = t_create(spawn_without_an_executor, NULL);
    spawn_without_an_executor(NULL);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
    run_and_destroy(e);
}
END_TEST

START_TEST(a_task_has_a_name_and_data)
{
    char name[] = "fetcher";
    coir_options opt = {.name = name, .data = T_VALUE(7)};
    coir_exec *e = make();
    coir_task *t, *plain = spawn(e, return_argument, NULL);
    ck_assert_int_eq(coir_spawn(&t, e, return_argument, NULL, &opt), COIR_OK);
    memset(name, 'x', sizeof name - 1); /* it was copied */
    memset(&opt, 0xff, sizeof opt);
    ck_assert_str_eq(coir_fiber_name(coir_task_fiber(t)), "fetcher");
    ck_assert_ptr_eq(coir_fiber_data(coir_task_fiber(t)), T_VALUE(7));
    ck_assert_str_eq(coir_fiber_name(coir_task_fiber(plain)), "");
    ck_assert_ptr_null(coir_fiber_data(coir_task_fiber(plain)));
    ck_assert_int_eq(coir_fiber_set_data(coir_task_fiber(t), T_VALUE(8)), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_ptr_eq(coir_fiber_data(coir_task_fiber(t)), T_VALUE(8)); /* as long as the task */
    ck_assert_int_eq(coir_await_all((coir_task *[]){t, plain}, 2, NULL), COIR_OK);
    run_and_destroy(e);
}
END_TEST

static void *return_the_frames_address(void *arg)
{
    char here[8];
    *(uintptr_t *)arg = (uintptr_t)here;
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    return arg;
}

START_TEST(a_task_may_run_on_the_callers_stack)
{
    size_t size = coir_stack_default();
    coir_options opt = {.stack_size = size};
    coir_exec *e = make();
    uintptr_t frame = 0;
    coir_task *t;
    if (t_backend_is("winfiber"))
        T_SKIP("native fibers have stacks of the system's");
    opt.stack = t_aligned_allocate(4096, size);
    ck_assert_int_eq(coir_spawn(&t, e, return_the_frames_address, &frame, &opt), COIR_OK);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    ck_assert(t_instrumented() || frame - (uintptr_t)opt.stack < size);
    t_aligned_release(opt.stack);
    run_and_destroy(e);
}
END_TEST

static void spawn_in_a_deferred_function(void *text)
{
    spawn_detached(NULL, note_and_return, text);
}

static void *spawn_in_a_nested_fiber(void *text)
{
    spawn_detached(NULL, note_and_return, text);
    return NULL;
}

static void *spawn_in_every_place(void *arg)
{
    coir_fiber *f = t_create(spawn_in_a_nested_fiber, "2");
    spawn_detached(NULL, note_and_return, "1");
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
    ck_assert_int_eq(coir_defer(spawn_in_a_deferred_function, "3"), COIR_OK);
    event("0");
    return arg;
}

START_TEST(a_task_spawns_into_its_executor_from_everywhere)
{
    run_task(spawn_in_every_place, NULL);
    check_events("0123");
}
END_TEST

/* ---- await ---- */

static void *await_and_return(void *t)
{
    void *result = NULL;
    ck_assert_int_eq(coir_await(t, &result), COIR_OK);
    event("awaited ");
    return result;
}

START_TEST(await_gives_what_the_task_returned)
{
    coir_exec *e = make();
    void *result = NULL;
    coir_task *child = spawn(e, sleep_100, "child ");
    coir_task *parent = spawn(e, await_and_return, child);
    ck_assert_int_eq(coir_await(parent, &result), COIR_OK);
    ck_assert_str_eq(result, "child ");
    check_events("child awaited ");
    ck_assert_int_eq(coir_await(spawn(e, note_and_return, "dropped"), NULL), COIR_OK);
    run_and_destroy(e);
}
END_TEST

START_TEST(await_outside_of_tasks_runs_the_executor_until_then)
{
    coir_exec *e = make();
    coir_task *t;
    spawn_detached(e, sleep_200, "later ");
    spawn_detached(e, note_and_return, "before ");
    t = spawn(e, sleep_100, "awaited ");
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    check_events("before awaited ");
    ck_assert_int_eq(coir_exec_tasks(e), 1);
    ck_assert_int_eq(coir_exec_now(e), 100);
    ck_assert_ptr_null(coir_exec_current());
    run_and_destroy(e);
    check_events("later ");
}
END_TEST

static void *await_in_a_fiber(void *t)
{
    void *result = NULL;
    ck_assert_int_eq(coir_await(t, &result), COIR_OK);
    ck_assert_int_eq(coir_fiber_state(coir_self()), COIR_STATE_RUNNING);
    return result;
}

START_TEST(a_fiber_outside_of_tasks_may_await)
{
    coir_exec *e = make();
    void *result = NULL;
    coir_fiber *f = t_create(await_in_a_fiber, spawn(e, sleep_100, "slept"));
    ck_assert_int_eq(coir_resume(f, NULL, &result), COIR_DONE);
    ck_assert_str_eq(result, "slept");
    coir_destroy(f);
    run_and_destroy(e);
}
END_TEST

static void *await_one_that_has_ended(void *t)
{
    spawn_detached(NULL, note_and_return, "other ");
    ck_assert_int_eq(coir_task_state(t), COIR_TASK_DONE);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    event("at once ");
    return NULL;
}

START_TEST(await_outside_of_tasks_runs_nothing_after_that)
{
    coir_exec *e = make();
    coir_task *t = spawn(e, yield_once, "awaited ");
    spawn_detached(e, yield_once, "other ");
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    check_events("awaited other awaited ");
    run_and_destroy(e);
    check_events("other ");
}
END_TEST

START_TEST(await_of_a_task_that_has_ended_does_not_wait)
{
    coir_exec *e = make();
    void *result = NULL;
    coir_task *first = spawn(e, note_and_return, "a ");
    coir_task *second = spawn(e, return_argument, T_VALUE(5));
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    spawn_detached(e, await_one_that_has_ended, first);
    ck_assert_int_eq(coir_await_until(second, INT64_MIN, &result), COIR_OK);
    ck_assert_int_eq(T_NUMBER(result), 5);
    check_events("a ");
    run_and_destroy(e);
    check_events("at once other ");
}
END_TEST

static coir_task *detached_one;

static void *await_badly(void *arg)
{
    void *result = T_VALUE(99);
    ck_assert_int_eq(coir_await(NULL, &result), COIR_EINVAL);
    ck_assert_int_eq(coir_await_until(NULL, COIR_FOREVER, &result), COIR_EINVAL);
    ck_assert_int_eq(coir_await(detached_one, &result), COIR_EINVAL);
    ck_assert_int_eq(coir_await_until(detached_one, 0, &result), COIR_EINVAL);
    ck_assert_int_eq(T_NUMBER(result), 99);
    event("refused ");
    return arg;
}

START_TEST(what_is_null_or_detached_cannot_be_awaited)
{
    coir_exec *e = make();
    detached_one = spawn(e, park, "woken");
    ck_assert_int_eq(coir_task_detach(detached_one), COIR_OK);
    await_badly(NULL);
    ck_assert_int_eq(coir_await(spawn(e, await_badly, NULL), NULL), COIR_OK);
    coir_task_wake(detached_one);
    run_and_destroy(e);
    check_events("refused refused woken");
}
END_TEST

static void *await_oneself(void *arg)
{
    void *result = T_VALUE(99);
    coir_task *self = coir_task_self();
    coir_task *const one[1] = {self};
    size_t which = 99;
    ck_assert_int_eq(coir_await(self, &result), COIR_EDEADLK);
    ck_assert_int_eq(coir_await_until(self, COIR_FOREVER, &result), COIR_EDEADLK);
    ck_assert_int_eq(coir_await_all(one, 1, &result), COIR_EDEADLK);
    ck_assert_int_eq(coir_await_any(one, 1, &which), COIR_EDEADLK);
    ck_assert_int_eq(T_NUMBER(result), 99);
    ck_assert_uint_eq(which, 99);
    event("refused ");
    return arg;
}

static void *await_oneself_everywhere(void *arg)
{
    coir_fiber *f = t_create(await_oneself, NULL);
    await_oneself(arg);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
    return arg;
}

START_TEST(a_task_cannot_await_itself)
{
    coir_exec *e = make();
    coir_task *t = spawn(e, await_oneself_everywhere, NULL);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    run_and_destroy(e);
    check_events("refused refused ");
}
END_TEST

static void *await_what_another_awaits(void *t)
{
    void *result = T_VALUE(99);
    size_t which = 99;
    coir_task *const one[1] = {t};
    ck_assert_int_eq(coir_await(t, &result), COIR_EBUSY);
    ck_assert_int_eq(coir_await_until(t, COIR_FOREVER, &result), COIR_EBUSY);
    ck_assert_int_eq(coir_await_until(t, 0, &result), COIR_EBUSY);
    ck_assert_int_eq(coir_await_all(one, 1, &result), COIR_EBUSY);
    ck_assert_int_eq(coir_await_any(one, 1, &which), COIR_EBUSY);
    ck_assert_int_eq(coir_task_detach(t), COIR_EBUSY);
    ck_assert_int_eq(T_NUMBER(result), 99);
    ck_assert_uint_eq(which, 99);
    event("busy ");
    return NULL;
}

START_TEST(only_one_can_await_a_task)
{
    coir_exec *e = make();
    void *result = NULL;
    coir_task *child = spawn(e, sleep_100, "child ");
    coir_task *parent = spawn(e, await_and_return, child);
    spawn_detached(e, await_what_another_awaits, child);
    turn(e);
    await_what_another_awaits(child);
    ck_assert_int_eq(coir_await(parent, &result), COIR_OK);
    ck_assert_str_eq(result, "child ");
    run_and_destroy(e);
    check_events("busy busy child awaited ");
}
END_TEST

static void *await_until_cancelled(void *t)
{
    void *result = T_VALUE(99);
    ck_assert_int_eq(coir_await(t, &result), COIR_ECANCELED);
    ck_assert_int_eq(T_NUMBER(result), 99);
    event("cancelled ");
    return NULL;
}

START_TEST(a_task_whose_awaiter_was_cancelled_can_be_awaited_by_another)
{
    coir_exec *e = make();
    coir_task *child = spawn(e, sleep_100, "child ");
    coir_task *parent = spawn(e, await_until_cancelled, child);
    turn(e);
    ck_assert_int_eq(coir_task_cancel(parent), COIR_OK);
    ck_assert_int_eq(coir_await(parent, NULL), COIR_OK);
    ck_assert_int_eq(coir_await(spawn(e, await_and_return, child), NULL), COIR_OK);
    run_and_destroy(e);
    check_events("cancelled child awaited ");
}
END_TEST

static void *await_until_deadlines(void *t)
{
    void *result = T_VALUE(99);
    spawn_detached(NULL, note_and_return, "neighbour ");
    ck_assert_int_eq(coir_await_until(t, coir_now(), &result), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_await_until(t, INT64_MIN, &result), COIR_ETIMEDOUT);
    event("at once ");
    ck_assert_int_eq(coir_await_until(t, 50, &result), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_now(), 50);
    event("timed out ");
    ck_assert_int_eq(T_NUMBER(result), 99);
    ck_assert_int_eq(coir_await_until(t, 150, &result), COIR_OK);
    ck_assert_int_eq(coir_now(), 100);
    ck_assert_str_eq(result, "child ");
    return NULL;
}

START_TEST(await_has_a_deadline)
{
    coir_exec *e = make();
    coir_task *child = spawn(e, sleep_100, "child ");
    spawn_detached(e, await_until_deadlines, child);
    run_and_destroy(e);
    check_events("at once neighbour timed out child ");
}
END_TEST

START_TEST(await_outside_of_tasks_has_a_deadline)
{
    coir_exec *e = make();
    void *result = T_VALUE(99);
    coir_task *child = spawn(e, sleep_100, "child ");
    ck_assert_int_eq(coir_await_until(child, 50, &result), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_exec_now(e), 50);
    ck_assert_int_eq(coir_await_until(child, 50, &result), COIR_ETIMEDOUT);
    ck_assert_int_eq(T_NUMBER(result), 99);
    ck_assert_int_eq(coir_await_until(child, 150, &result), COIR_OK);
    ck_assert_str_eq(result, "child ");
    run_and_destroy(e);
}
END_TEST

START_TEST(await_outside_of_tasks_meets_deadlocks)
{
    int lines = 0;
    const coir_exec_options opt = {.flags = COIR_VIRTUAL_CLOCK, .report = drop_line, .report_context = &lines};
    void *result = T_VALUE(99);
    size_t which = 99;
    coir_exec *e;
    coir_task *t;
    ck_assert_int_eq(coir_exec_create(&e, &opt), COIR_OK);
    t = spawn(e, park, "woken");
    ck_assert_int_eq(coir_await(t, &result), COIR_EDEADLK);
    ck_assert_int_gt(lines, 0);
    ck_assert_int_eq(coir_await_all(&t, 1, &result), COIR_EDEADLK);
    ck_assert_int_eq(coir_await_any(&t, 1, &which), COIR_EDEADLK);
    ck_assert_int_eq(T_NUMBER(result), 99);
    ck_assert_uint_eq(which, 99);
    ck_assert_int_eq(coir_task_wake(t), COIR_OK);
    ck_assert_int_eq(coir_await(t, &result), COIR_OK);
    ck_assert_str_eq(result, "woken");
    run_and_destroy(e);
}
END_TEST

static void *be_cancelled_with_a_result(void *arg)
{
    ck_assert_int_eq(coir_sleep(100), COIR_ECANCELED);
    return arg;
}

START_TEST(the_result_of_a_cancelled_task_is_what_it_returned)
{
    coir_exec *e = make();
    void *result = NULL;
    coir_task *t = spawn(e, be_cancelled_with_a_result, T_VALUE(7));
    ck_assert_int_eq(coir_task_cancel(t), COIR_OK);
    ck_assert_int_eq(coir_await(t, &result), COIR_OK);
    ck_assert_int_eq(T_NUMBER(result), 7);
    run_and_destroy(e);
}
END_TEST

static void exit_from_depth(int depth)
{
    if (depth > 0)
        exit_from_depth(depth - 1);
    else
        coir_exit(T_VALUE(11));
    event("not reached");
}

static void *exit_in_a_task(void *arg)
{
    coir_task_yield();
    ck_assert_int_eq(coir_defer(note, "deferred "), COIR_OK);
    exit_from_depth(3);
    return arg;
}

START_TEST(a_task_may_end_by_coir_exit)
{
    coir_exec *e = make();
    void *result = NULL;
    ck_assert_int_eq(coir_await(spawn(e, exit_in_a_task, NULL), &result), COIR_OK);
    ck_assert_int_eq(T_NUMBER(result), 11);
    run_and_destroy(e);
    check_events("deferred ");
}
END_TEST

START_TEST(an_awaiter_goes_to_the_end_of_the_queue)
{
    coir_exec *e = make();
    coir_task *child = spawn(e, sleep_100, "child ");
    spawn_detached(e, await_and_return, child);
    spawn_detached(e, sleep_100, "neighbour ");
    run_and_destroy(e);
    check_events("child neighbour awaited ");
}
END_TEST

static void *spawn_a_child_and_await(void *depth)
{
    int left = T_NUMBER(depth);
    const coir_options small = {.stack_size = 32768};
    coir_task *child;
    void *result;
    if (left == 0)
        return T_VALUE(0);
    if (coir_spawn(&child, NULL, spawn_a_child_and_await, T_VALUE(left - 1), &small) != COIR_OK)
        return T_VALUE(-1000000);
    if (coir_await(child, &result) != COIR_OK)
        return T_VALUE(-1000000);
    return T_VALUE(T_NUMBER(result) + 1);
}

START_TEST(a_long_chain_of_awaits_comes_to_its_end)
{
    coir_exec *e = make();
    int depth = t_instrumented() || t_is_wine() ? 100 : 1000; /* in wine stacks may be memory from the start */
    void *result = NULL;
    ck_assert_int_eq(coir_await(spawn(e, spawn_a_child_and_await, T_VALUE(depth)), &result), COIR_OK);
    ck_assert_int_eq(T_NUMBER(result), depth);
    run_and_destroy(e);
}
END_TEST

/* ---- await_all ---- */

static void *await_three(void *tasks)
{
    void *results[3] = {NULL, NULL, NULL};
    ck_assert_int_eq(coir_await_all(tasks, 3, results), COIR_OK);
    event(results[0]);
    event(results[1]);
    event(results[2]);
    return NULL;
}

START_TEST(await_all_gives_all_results)
{
    coir_exec *e = make();
    coir_task *tasks[3] = {spawn(e, sleep_200, "a"), spawn(e, note_and_return, "b"), spawn(e, sleep_100, "c")};
    void *results[3];
    spawn_detached(e, await_three, tasks);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    check_events("bcaabc");
    for (int i = 0; i < 3; i++)
        tasks[i] = spawn(e, i == 1 ? sleep_200 : sleep_100, i == 0 ? "x" : i == 1 ? "y" : "z");
    ck_assert_int_eq(coir_await_all(tasks, 3, results), COIR_OK); /* outside of tasks */
    check_events("xzy");
    ck_assert_str_eq(results[0], "x");
    ck_assert_str_eq(results[1], "y");
    ck_assert_str_eq(results[2], "z");
    tasks[0] = spawn(e, note_and_return, "d");
    tasks[1] = spawn(e, sleep_100, "e");
    ck_assert_int_eq(coir_await_all(tasks, 2, NULL), COIR_OK); /* nobody wants the results */
    run_and_destroy(e);
}
END_TEST

static void *await_none(void *arg)
{
    spawn_detached(NULL, note_and_return, "later ");
    ck_assert_int_eq(coir_await_all(NULL, 0, NULL), COIR_OK);
    ck_assert_int_eq(coir_await_all_until(NULL, 0, 0, NULL), COIR_OK);
    event("at once ");
    return arg;
}

START_TEST(await_all_of_none_is_ok_at_once)
{
    ck_assert_int_eq(coir_await_all(NULL, 0, NULL), COIR_OK); /* without an executor, too */
    ck_assert_int_eq(coir_await_all_until(NULL, 0, 0, NULL), COIR_OK);
    run_task(await_none, NULL);
    check_events("at once later ");
}
END_TEST

static int await_all_error(coir_task *first, coir_task *second)
{
    coir_task *const tasks[2] = {first, second};
    void *results[2] = {T_VALUE(99), T_VALUE(99)};
    int error = coir_await_all(tasks, 2, results);

    ck_assert_int_eq(coir_await_all_until(tasks, 2, COIR_FOREVER, results), error);
    ck_assert_int_eq(T_NUMBER(results[0]), 99);
    ck_assert_int_eq(T_NUMBER(results[1]), 99);
    return error;
}

static void *await_all_badly(void *good)
{
    ck_assert_int_eq(await_all_error(good, NULL), COIR_EINVAL);
    ck_assert_int_eq(await_all_error(NULL, good), COIR_EINVAL);
    ck_assert_int_eq(await_all_error(good, detached_one), COIR_EINVAL);
    ck_assert_int_eq(await_all_error(good, good), COIR_EBUSY);
    ck_assert_int_eq(coir_await_all(NULL, 2, NULL), COIR_EINVAL);
    if (coir_task_self() != NULL)
        ck_assert_int_eq(await_all_error(good, coir_task_self()), COIR_EDEADLK);
    event("refused ");
    return NULL;
}

START_TEST(await_all_checks_each_task)
{
    coir_exec *e = make();
    coir_task *t, *good = spawn(e, sleep_100, "good ");
    detached_one = spawn(e, sleep_200, "detached");
    coir_task_detach(detached_one);
    await_all_badly(good);
    t = spawn(e, await_all_badly, good);
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    ck_assert_int_eq(coir_await(good, NULL), COIR_OK); /* nobody awaits it */
    run_and_destroy(e);
    check_events("refused refused good detached");
}
END_TEST

static void *await_all_when_one_is_busy(void *tasks)
{
    coir_task **t = tasks;
    ck_assert_int_eq(await_all_error(t[0], t[1]), COIR_EBUSY);
    ck_assert_int_eq(await_all_error(t[1], t[0]), COIR_EBUSY);
    return NULL;
}

static void *await_all_of_several(void *tasks)
{
    void *results[2] = {NULL, NULL};
    ck_assert_int_eq(coir_await_all_until(tasks, 2, 50, results), COIR_ETIMEDOUT);
    return NULL;
}

START_TEST(outside_of_tasks_await_all_is_for_one_executor)
{
    coir_exec *e = make(), *other = make();
    coir_task *tasks[2] = {spawn(e, sleep_100, ""), spawn(other, sleep_100, "")};
    size_t which;
    ck_assert_int_eq(await_all_error(tasks[0], tasks[1]), COIR_EINVAL);
    ck_assert_int_eq(coir_await(spawn(e, await_all_of_several, tasks), NULL), COIR_OK); /* in a task it is for any */
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(await_all_error(tasks[0], tasks[1]), COIR_EINVAL);
    ck_assert_int_eq(coir_await_any(tasks, 2, &which), COIR_OK); /* what has ended needs nobody to run */
    ck_assert_uint_eq(which, 0);
    ck_assert_int_eq(coir_exec_run(other), COIR_OK);
    ck_assert_int_eq(coir_await_all(tasks, 2, NULL), COIR_OK);
    run_and_destroy(other);
    run_and_destroy(e);
}
END_TEST

START_TEST(await_all_is_busy_if_another_awaits_one)
{
    coir_exec *e = make();
    coir_task *tasks[2] = {spawn(e, sleep_100, "a"), spawn(e, sleep_100, "b")};
    spawn_detached(e, await_and_return, tasks[1]);
    spawn_detached(e, await_all_when_one_is_busy, tasks);
    turn(e);
    await_all_when_one_is_busy(tasks);
    ck_assert_int_eq(coir_await(tasks[0], NULL), COIR_OK);
    run_and_destroy(e);
}
END_TEST

static void *await_all_until_deadlines(void *tasks)
{
    coir_task *const *t = tasks;
    void *results[2] = {T_VALUE(99), T_VALUE(99)};
    ck_assert_int_eq(coir_await_all_until(t, 2, 0, results), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_await_all_until(t, 2, 150, results), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_now(), 150);
    ck_assert_int_eq(T_NUMBER(results[0]), 99); /* though that one has ended */
    ck_assert_int_eq(coir_task_state(t[0]), COIR_TASK_DONE);
    ck_assert_int_eq(coir_await_all_until(t, 2, 250, results), COIR_OK);
    ck_assert_int_eq(coir_now(), 200);
    event(results[0]);
    event(results[1]);
    return NULL;
}

START_TEST(await_all_has_a_deadline)
{
    coir_exec *e = make();
    coir_task *tasks[2] = {spawn(e, sleep_100, "a"), spawn(e, sleep_200, "b")};
    spawn_detached(e, await_all_until_deadlines, tasks);
    run_and_destroy(e);
    check_events("abab");
}
END_TEST

START_TEST(await_all_outside_of_tasks_has_a_deadline)
{
    coir_exec *e = make();
    coir_task *tasks[2] = {spawn(e, sleep_100, "a"), spawn(e, sleep_200, "b")};
    void *results[2] = {T_VALUE(99), T_VALUE(99)};
    ck_assert_int_eq(coir_await_all_until(tasks, 2, 150, results), COIR_ETIMEDOUT);
    ck_assert_int_eq(T_NUMBER(results[0]), 99);
    ck_assert_int_eq(T_NUMBER(results[1]), 99);
    ck_assert_int_eq(coir_exec_stop(e), COIR_OK);
    ck_assert_int_eq(coir_await_all(tasks, 2, results), COIR_EAGAIN);
    ck_assert_int_eq(T_NUMBER(results[0]), 99);
    ck_assert_int_eq(coir_await_all_until(tasks, 2, 250, results), COIR_OK);
    ck_assert_str_eq(results[0], "a");
    ck_assert_str_eq(results[1], "b");
    run_and_destroy(e);
}
END_TEST

static void *await_all_until_cancelled(void *tasks)
{
    void *results[2] = {T_VALUE(99), T_VALUE(99)};
    ck_assert_int_eq(coir_await_all(tasks, 2, results), COIR_ECANCELED);
    ck_assert_int_eq(T_NUMBER(results[0]), 99);
    ck_assert_int_eq(T_NUMBER(results[1]), 99);
    event("cancelled ");
    return NULL;
}

START_TEST(a_cancelled_await_all_frees_none)
{
    coir_exec *e = make();
    coir_task *tasks[2] = {spawn(e, note_and_return, "a "), spawn(e, sleep_100, "b ")};
    coir_task *parent = spawn(e, await_all_until_cancelled, tasks);
    turn(e);
    coir_task_cancel(parent);
    ck_assert_int_eq(coir_await(parent, NULL), COIR_OK);
    ck_assert_int_eq(coir_await(tasks[0], NULL), COIR_OK);
    ck_assert_int_eq(coir_await(tasks[1], NULL), COIR_OK);
    run_and_destroy(e);
    check_events("a cancelled b ");
}
END_TEST

START_TEST(await_all_of_tasks_that_have_ended_does_not_wait)
{
    coir_exec *e = make();
    coir_task *tasks[2] = {spawn(e, note_and_return, "a"), spawn(e, note_and_return, "b")};
    void *results[2];
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    spawn_detached(e, note_and_return, "not yet");
    ck_assert_int_eq(coir_await_all_until(tasks, 2, INT64_MIN, results), COIR_OK);
    ck_assert_str_eq(results[1], "b");
    check_events("ab");
    run_and_destroy(e);
}
END_TEST

/* ---- await_any ---- */

static void *await_any_then_all(void *tasks)
{
    coir_task *const *t = tasks;
    size_t which = 99;
    void *results[3];
    ck_assert_int_eq(coir_await_any(t, 3, &which), COIR_OK);
    ck_assert_uint_eq(which, 1);
    ck_assert_int_eq(coir_now(), 100);
    ck_assert_int_eq(coir_await_any(t, 3, &which), COIR_OK); /* none was freed: at once again */
    ck_assert_uint_eq(which, 1);
    ck_assert_int_eq(coir_now(), 100);
    ck_assert_int_eq(coir_await_all(t, 3, results), COIR_OK);
    event(results[1]);
    return NULL;
}

START_TEST(await_any_tells_which_has_ended_and_frees_none)
{
    coir_exec *e = make();
    coir_task *tasks[3] = {spawn(e, sleep_200, "a"), spawn(e, sleep_100, "b"), spawn(e, sleep_200, "c")};
    spawn_detached(e, await_any_then_all, tasks);
    run_and_destroy(e);
    check_events("bacb");
}
END_TEST

START_TEST(await_any_tells_the_first_in_the_array)
{
    coir_exec *e = make();
    coir_task *tasks[3] = {spawn(e, sleep_200, "a"), spawn(e, note_and_return, "b"), spawn(e, note_and_return, "c")};
    coir_task *const swapped[2] = {tasks[2], tasks[1]};
    size_t which = 99;
    turn(e);
    ck_assert_int_eq(coir_await_any(tasks, 3, &which), COIR_OK);
    ck_assert_uint_eq(which, 1);
    ck_assert_int_eq(coir_await_any_until(swapped, 2, 0, &which), COIR_OK);
    ck_assert_uint_eq(which, 0);
    ck_assert_int_eq(coir_await_all(tasks, 3, NULL), COIR_OK);
    run_and_destroy(e);
}
END_TEST

START_TEST(await_any_outside_of_tasks_runs_until_one_has_ended)
{
    coir_exec *e = make();
    coir_task *tasks[2] = {spawn(e, sleep_200, "a"), spawn(e, sleep_100, "b")};
    size_t which = 99;
    ck_assert_int_eq(coir_await_any_until(tasks, 2, 50, &which), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_exec_stop(e), COIR_OK);
    ck_assert_int_eq(coir_await_any(tasks, 2, &which), COIR_EAGAIN);
    ck_assert_uint_eq(which, 99);
    ck_assert_int_eq(coir_await_any(tasks, 2, &which), COIR_OK);
    ck_assert_uint_eq(which, 1);
    check_events("b");
    ck_assert_int_eq(coir_await(tasks[1], NULL), COIR_OK);
    ck_assert_int_eq(coir_await(tasks[0], NULL), COIR_OK);
    run_and_destroy(e);
}
END_TEST

static int await_any_error(coir_task *first, coir_task *second)
{
    coir_task *const tasks[2] = {first, second};
    size_t which = 99;
    int error = coir_await_any(tasks, 2, &which);

    ck_assert_int_eq(coir_await_any_until(tasks, 2, COIR_FOREVER, &which), error);
    ck_assert_uint_eq(which, 99);
    return error;
}

static void *await_any_badly(void *good)
{
    coir_task *const one[1] = {good};
    size_t which = 99;
    ck_assert_int_eq(coir_await_any(one, 0, &which), COIR_EINVAL);
    ck_assert_int_eq(coir_await_any(NULL, 0, &which), COIR_EINVAL);
    ck_assert_int_eq(coir_await_any(NULL, 1, &which), COIR_EINVAL);
    ck_assert_int_eq(coir_await_any(one, 1, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_await_any_until(one, 0, 100, &which), COIR_EINVAL);
    ck_assert_int_eq(coir_await_any_until(one, 1, 100, NULL), COIR_EINVAL);
    ck_assert_uint_eq(which, 99);
    ck_assert_int_eq(await_any_error(good, NULL), COIR_EINVAL);
    ck_assert_int_eq(await_any_error(NULL, good), COIR_EINVAL);
    ck_assert_int_eq(await_any_error(good, detached_one), COIR_EINVAL);
    if (coir_task_self() != NULL)
        ck_assert_int_eq(await_any_error(good, coir_task_self()), COIR_EDEADLK);
    event("refused ");
    return NULL;
}

START_TEST(await_any_checks_what_it_is_given)
{
    coir_exec *e = make();
    coir_task *t, *good = spawn(e, sleep_100, "good ");
    detached_one = spawn(e, sleep_200, "detached");
    coir_task_detach(detached_one);
    await_any_badly(good);
    t = spawn(e, await_any_badly, good);
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    ck_assert_int_eq(coir_await(good, NULL), COIR_OK);
    run_and_destroy(e);
    check_events("refused refused good detached");
}
END_TEST

static void *await_any_of_two(void *tasks)
{
    size_t which = 99;
    ck_assert_int_eq(coir_await_any(tasks, 2, &which), COIR_OK);
    ck_assert_uint_eq(which, 0);
    event("any ");
    return NULL;
}

static void *await_any_when_one_is_busy(void *tasks)
{
    coir_task **t = tasks;
    ck_assert_int_eq(await_any_error(t[0], t[1]), COIR_EBUSY);
    ck_assert_int_eq(coir_await(t[1], NULL), COIR_EBUSY);
    ck_assert_int_eq(coir_task_detach(t[1]), COIR_EBUSY);
    event("busy ");
    return NULL;
}

START_TEST(while_one_awaits_any_others_cannot_await_them)
{
    coir_exec *e = make();
    coir_task *tasks[2] = {spawn(e, sleep_100, "a "), spawn(e, sleep_200, "b ")};
    coir_task *waiter = spawn(e, await_any_of_two, tasks);
    spawn_detached(e, await_any_when_one_is_busy, tasks);
    ck_assert_int_eq(coir_await(waiter, NULL), COIR_OK);
    check_events("busy a any ");
    ck_assert_int_eq(coir_await(tasks[1], NULL), COIR_OK); /* and then they can */
    ck_assert_int_eq(coir_await(tasks[0], NULL), COIR_OK);
    run_and_destroy(e);
}
END_TEST

static void *await_any_until_deadline_and_cancel(void *tasks)
{
    size_t which = 99;
    ck_assert_int_eq(coir_await_any_until(tasks, 2, coir_now(), &which), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_await_any_until(tasks, 2, 50, &which), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_now(), 50);
    event("timed out ");
    ck_assert_int_eq(coir_await_any(tasks, 2, &which), COIR_ECANCELED);
    ck_assert_uint_eq(which, 99);
    event("cancelled ");
    return NULL;
}

static void *cancel_at_60(void *t)
{
    ck_assert_int_eq(coir_sleep_until(60), COIR_OK);
    ck_assert_int_eq(coir_task_cancel(t), COIR_OK);
    return NULL;
}

START_TEST(await_any_has_a_deadline_and_can_be_cancelled)
{
    coir_exec *e = make();
    coir_task *tasks[2] = {spawn(e, sleep_100, "a "), spawn(e, sleep_200, "b ")};
    coir_task *waiter = spawn(e, await_any_until_deadline_and_cancel, tasks);
    spawn_detached(e, cancel_at_60, waiter);
    ck_assert_int_eq(coir_await(waiter, NULL), COIR_OK);
    ck_assert_int_eq(coir_await_all(tasks, 2, NULL), COIR_OK);
    run_and_destroy(e);
    check_events("timed out cancelled a b ");
}
END_TEST

/* ---- yield ---- */

static void *yield_twice(void *text)
{
    for (int i = 0; i < 2; i++) {
        event(text);
        ck_assert_int_eq(coir_task_yield(), COIR_OK);
    }
    event(text);
    return NULL;
}

START_TEST(a_task_that_yields_goes_to_the_back_of_the_queue)
{
    coir_exec *e = make();
    spawn_detached(e, yield_twice, "a");
    spawn_detached(e, yield_twice, "b");
    spawn_detached(e, note_and_return, "c");
    run_and_destroy(e);
    check_events("abcabab");
}
END_TEST

static void *wait_outside_of_tasks(void *arg)
{
    ck_assert_int_eq(coir_task_yield(), COIR_ENOTTASK);
    ck_assert_int_eq(coir_task_park(), COIR_ENOTTASK);
    ck_assert_int_eq(coir_task_park_until(COIR_FOREVER), COIR_ENOTTASK);
    ck_assert_int_eq(coir_task_park_until(0), COIR_ENOTTASK);
    ck_assert_int_eq(coir_sleep(100), COIR_ENOTTASK);
    ck_assert_int_eq(coir_sleep_until(0), COIR_ENOTTASK);
    ck_assert_int_eq(coir_task_shield(1), COIR_ENOTTASK);
    ck_assert_int_eq(coir_task_shield(0), COIR_ENOTTASK);
    ck_assert_ptr_null(coir_task_self());
    ck_assert_ptr_null(coir_exec_current());
    return arg;
}

START_TEST(calls_that_wait_belong_into_tasks)
{
    coir_exec *e;
    coir_fiber *f;
    wait_outside_of_tasks(NULL); /* before the thread's first fiber */
    e = make();
    f = t_create(wait_outside_of_tasks, NULL);
    wait_outside_of_tasks(NULL);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
    run_and_destroy(e);
    wait_outside_of_tasks(NULL);
}
END_TEST

/* ---- park and wake ---- */

static void *wake_it(void *t)
{
    ck_assert_int_eq(coir_task_wake(t), COIR_OK);
    event("woke ");
    return NULL;
}

static void *wake_it_twice(void *t)
{
    ck_assert_int_eq(coir_task_wake(t), COIR_OK);
    ck_assert_int_eq(coir_task_wake(t), COIR_OK);
    event("woke ");
    return NULL;
}

static void *park_twice(void *arg)
{
    event("parks ");
    ck_assert_int_eq(coir_task_park(), COIR_OK);
    event("again ");
    ck_assert_int_eq(coir_task_park_until(100), COIR_ETIMEDOUT);
    event("timed out ");
    return arg;
}

START_TEST(a_park_waits_for_a_wake)
{
    coir_exec *e = make();
    coir_task *t = spawn(e, park_twice, NULL);
    spawn_detached(e, wake_it, t);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    run_and_destroy(e);
    check_events("parks woke again timed out ");
}
END_TEST

static void *park_after_wakes(void *arg)
{
    ck_assert_int_eq(coir_task_yield(), COIR_OK); /* meanwhile it is woken twice */
    event("parks ");
    ck_assert_int_eq(coir_task_park(), COIR_OK); /* returns at once */
    event("at once ");
    ck_assert_int_eq(coir_task_park_until(100), COIR_ETIMEDOUT); /* more than one count as one */
    event("timed out ");
    return arg;
}

START_TEST(a_wake_before_the_park_is_remembered_once)
{
    coir_exec *e = make();
    coir_task *t = spawn(e, park_after_wakes, NULL);
    spawn_detached(e, wake_it_twice, t);
    spawn_detached(e, yield_twice, ".");
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    run_and_destroy(e);
    check_events("woke .parks at once ..timed out ");
}
END_TEST

START_TEST(a_wake_of_a_task_that_has_not_started_is_remembered)
{
    coir_exec *e = make();
    coir_task *t = spawn(e, park, "woken");
    ck_assert_int_eq(coir_task_wake(t), COIR_OK);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    run_and_destroy(e);
    check_events("woken");
}
END_TEST

static void *wake_oneself_and_park(void *arg)
{
    ck_assert_int_eq(coir_task_wake(coir_task_self()), COIR_OK);
    ck_assert_int_eq(coir_task_park(), COIR_OK);
    ck_assert_int_eq(coir_task_park_until(0), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_task_wake(coir_task_self()), COIR_OK);
    ck_assert_int_eq(coir_task_park_until(0), COIR_OK);
    ck_assert_int_eq(coir_task_park_until(INT64_MIN), COIR_ETIMEDOUT);
    event("done");
    return arg;
}

START_TEST(a_task_may_wake_itself)
{
    run_task(wake_oneself_and_park, NULL);
    check_events("done");
}
END_TEST

static coir_task *child_of_waiter;

static void *wait_in_other_ways_then_park(void *arg)
{
    ck_assert_int_eq(coir_sleep(10), COIR_OK);
    ck_assert_int_eq(coir_now(), 10); /* no wake ended it */
    ck_assert_int_eq(coir_await(child_of_waiter, NULL), COIR_OK);
    ck_assert_int_eq(coir_now(), 100);
    ck_assert_int_eq(coir_task_park_until(0), COIR_OK); /* but it was kept for this */
    ck_assert_int_eq(coir_task_park_until(0), COIR_ETIMEDOUT);
    event("done");
    return arg;
}

START_TEST(a_wake_ends_no_other_wait_but_is_kept_for_the_next_park)
{
    coir_exec *e = make();
    coir_task *t;
    child_of_waiter = spawn(e, sleep_100, "");
    t = spawn(e, wait_in_other_ways_then_park, NULL);
    turn(e);
    ck_assert_int_eq(coir_task_wake(t), COIR_OK); /* it sleeps */
    ck_assert_int_eq(coir_exec_next_deadline(e), 10);
    ck_assert_int_eq(coir_exec_run_once_until(e, 10), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_task_wake(t), COIR_OK); /* it awaits */
    ck_assert_int_eq(coir_task_state(t), COIR_TASK_WAITING);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    run_and_destroy(e);
    check_events("done");
}
END_TEST

START_TEST(a_woken_task_goes_to_the_end_of_the_queue)
{
    coir_exec *e = make();
    coir_task *t = spawn(e, park, "woken ");
    turn(e);
    spawn_detached(e, note_and_return, "first ");
    ck_assert_int_eq(coir_task_state(t), COIR_TASK_WAITING);
    ck_assert_int_eq(coir_task_wake(t), COIR_OK);
    ck_assert_int_eq(coir_task_state(t), COIR_TASK_READY);
    spawn_detached(e, note_and_return, "last ");
    run_and_destroy(e); /* t was never awaited */
    check_events("first woken last ");
}
END_TEST

START_TEST(an_ended_task_cannot_be_woken_or_cancelled)
{
    coir_exec *e = make();
    coir_task *t = spawn(e, return_argument, NULL);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_task_wake(t), COIR_EDEAD);
    ck_assert_int_eq(coir_task_cancel(t), COIR_EDEAD);
    ck_assert_int_eq(coir_task_wake(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_task_cancel(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    run_and_destroy(e);
}
END_TEST

static void *park_until_50(void *arg)
{
    ck_assert_int_eq(coir_task_park_until(50), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_now(), 50);
    event("timed out ");
    ck_assert_int_eq(coir_task_park_until(70), COIR_OK);
    ck_assert_int_eq(coir_now(), 60);
    event("woken ");
    ck_assert_int_eq(coir_sleep(1000), COIR_OK); /* the old deadline is gone */
    ck_assert_int_eq(coir_now(), 1060);
    return arg;
}

static void *wake_at_60(void *t)
{
    ck_assert_int_eq(coir_sleep_until(60), COIR_OK);
    ck_assert_int_eq(coir_task_wake(t), COIR_OK);
    return NULL;
}

START_TEST(a_park_has_a_deadline)
{
    coir_exec *e = make();
    coir_task *t = spawn(e, park_until_50, NULL);
    spawn_detached(e, wake_at_60, t);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    run_and_destroy(e);
    check_events("timed out woken ");
}
END_TEST

/* A wake and a deadline at the same time: whichever comes first, the wake is not lost. */
static void *count_the_wakes(void *count)
{
    *(int *)count += coir_task_park_until(60) == COIR_OK;
    *(int *)count += coir_task_park_until(100) == COIR_OK;
    return NULL;
}

static void *wake_the_target_at_60(void *arg)
{
    ck_assert_int_eq(coir_sleep_until(60), COIR_OK);
    ck_assert_int_eq(coir_task_wake(target), COIR_OK);
    return arg;
}

START_TEST(a_wake_at_the_deadline_is_not_lost)
{
    for (int order = 0; order < 2; order++) { /* of the two timers */
        coir_exec *e = make();
        int wakes = 0;
        if (order == 0)
            spawn_detached(e, wake_the_target_at_60, NULL);
        target = spawn(e, count_the_wakes, &wakes);
        if (order == 1)
            spawn_detached(e, wake_the_target_at_60, NULL);
        ck_assert_int_eq(coir_await(target, NULL), COIR_OK);
        ck_assert_int_eq(wakes, 1);
        run_and_destroy(e);
    }
}
END_TEST

static void *park_in_a_fiber(void *text)
{
    ck_assert_int_eq(coir_task_park(), COIR_OK);
    event(text);
    return NULL;
}

static void *resume_it(void *f)
{
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    return NULL;
}

START_TEST(a_wake_reaches_a_park_in_a_nested_fiber)
{
    coir_exec *e = make();
    coir_task *t = spawn(e, resume_it, t_create(park_in_a_fiber, "woken"));
    turn(e);
    ck_assert_int_eq(coir_task_wake(t), COIR_OK); /* from outside of tasks */
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    run_and_destroy(e);
    check_events("woken");
}
END_TEST

/* ---- cancel ---- */

static void *start_cancelled(void *text)
{
    event(text);
    ck_assert_int_eq(coir_sleep(100), COIR_ECANCELED);
    event("cancelled ");
    return NULL;
}

START_TEST(a_cancelled_task_starts_all_the_same)
{
    coir_exec *e = make();
    coir_task *t = spawn(e, start_cancelled, "started ");
    ck_assert_int_eq(coir_task_cancel(t), COIR_OK);
    ck_assert_int_eq(coir_task_state(t), COIR_TASK_READY);
    check_events("");
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_now(e), 0);
    run_and_destroy(e);
    check_events("started cancelled ");
}
END_TEST

static void *sleep_until_cancelled(void *text)
{
    ck_assert_int_eq(coir_sleep(100), COIR_ECANCELED);
    event(text);
    return NULL;
}

static void *sleep_until_time_or_cancelled(void *text)
{
    ck_assert_int_eq(coir_sleep_until(100), COIR_ECANCELED);
    event(text);
    return NULL;
}

static void *park_until_time_or_cancelled(void *text)
{
    ck_assert_int_eq(coir_task_park_until(100), COIR_ECANCELED);
    event(text);
    return NULL;
}

static void *be_cancelled_in_a_fiber(void *text)
{
    coir_fiber *f = t_create(sleep_until_cancelled, text);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
    ck_assert_int_eq(coir_task_yield(), COIR_ECANCELED); /* the task was cancelled, not just that call */
    return NULL;
}

START_TEST(a_cancel_ends_every_kind_of_wait)
{
    static coir_fn *const ways[] = {sleep_until_cancelled, sleep_until_time_or_cancelled, park_until_cancelled,
                                    park_until_time_or_cancelled, be_cancelled_in_a_fiber};
    coir_exec *e = make();
    coir_task *tasks[5];
    for (int i = 0; i < 5; i++)
        tasks[i] = spawn(e, ways[i], "c");
    turn(e);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(coir_task_state(tasks[i]), COIR_TASK_WAITING);
        ck_assert_int_eq(coir_task_cancel(tasks[i]), COIR_OK);
        ck_assert_int_eq(coir_task_state(tasks[i]), COIR_TASK_READY);
        ck_assert_int_eq(coir_task_cancel(tasks[i]), COIR_OK); /* twice is the same as once */
    }
    ck_assert_int_eq(coir_await_all(tasks, 5, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_now(e), 0);
    run_and_destroy(e);
    check_events("ccccc");
}
END_TEST

START_TEST(a_cancelled_task_goes_to_the_end_of_the_queue)
{
    coir_exec *e = make();
    coir_task *t = spawn(e, park_until_cancelled, "cancelled ");
    turn(e);
    spawn_detached(e, note_and_return, "first ");
    coir_task_cancel(t);
    spawn_detached(e, note_and_return, "last ");
    run_and_destroy(e);
    check_events("first cancelled last ");
}
END_TEST

static coir_task *ended_one, *living_one;

static void wait_in_every_way_when_cancelled(void)
{
    void *result = T_VALUE(99);
    size_t which = 99;
    coir_task *const both[2] = {ended_one, living_one};
    ck_assert_int_eq(coir_task_wake(coir_task_self()), COIR_OK);
    ck_assert_int_eq(coir_task_park(), COIR_ECANCELED);
    ck_assert_int_eq(coir_task_park_until(0), COIR_ECANCELED);
    ck_assert_int_eq(coir_task_yield(), COIR_ECANCELED);
    ck_assert_int_eq(coir_sleep(5), COIR_ECANCELED);
    ck_assert_int_eq(coir_sleep(-5), COIR_ECANCELED);
    ck_assert_int_eq(coir_sleep_until(0), COIR_ECANCELED);
    ck_assert_int_eq(coir_await(living_one, &result), COIR_ECANCELED);
    ck_assert_int_eq(coir_await_until(living_one, 0, &result), COIR_ECANCELED);
    ck_assert_int_eq(coir_await(ended_one, &result), COIR_ECANCELED);
    ck_assert_int_eq(coir_await_all(both, 2, &result), COIR_ECANCELED);
    ck_assert_int_eq(coir_await_any(both, 2, &which), COIR_ECANCELED);
    ck_assert_int_eq(T_NUMBER(result), 99);
    ck_assert_uint_eq(which, 99);
}

static void *cancel_oneself(void *arg)
{
    spawn_detached(NULL, note_and_return, "neighbour ");
    ck_assert_int_eq(coir_task_cancel(coir_task_self()), COIR_OK);
    event("still runs ");
    wait_in_every_way_when_cancelled();
    wait_in_every_way_when_cancelled();
    event("ends ");
    return arg;
}

START_TEST(after_a_cancel_every_wait_is_refused_at_once)
{
    coir_exec *e = make();
    coir_task *t;
    ended_one = spawn(e, return_argument, NULL);
    living_one = spawn(e, sleep_100, "");
    turn(e);
    t = spawn(e, cancel_oneself, NULL);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    ck_assert_int_eq(coir_await(ended_one, NULL), COIR_OK); /* nothing was freed */
    ck_assert_int_eq(coir_await(living_one, NULL), COIR_OK);
    run_and_destroy(e);
    check_events("still runs ends neighbour ");
}
END_TEST

static void *cancel_the_target(void *arg)
{
    ck_assert_int_eq(coir_task_state(target), COIR_TASK_READY);
    ck_assert_int_eq(coir_task_cancel(target), COIR_OK);
    return arg;
}

static void *cancel_the_target_at_100(void *arg)
{
    ck_assert_int_eq(coir_sleep_until(100), COIR_OK);
    return cancel_the_target(arg);
}

static void wait_no_more(void)
{
    ck_assert_int_eq(coir_task_yield(), COIR_ECANCELED);
    event("ok, then cancelled ");
}

static void *finish_a_sleep(void *arg)
{
    ck_assert_int_eq(coir_sleep_until(100), COIR_OK);
    wait_no_more();
    return arg;
}

START_TEST(a_sleep_that_was_over_before_the_cancel_is_ok)
{
    coir_exec *e = make();
    spawn_detached(e, cancel_the_target_at_100, NULL); /* its timer is set first, so it runs first */
    target = spawn(e, finish_a_sleep, NULL);
    ck_assert_int_eq(coir_await(target, NULL), COIR_OK);
    run_and_destroy(e);
    check_events("ok, then cancelled ");
}
END_TEST

static void *finish_a_park(void *arg)
{
    ck_assert_int_eq(coir_task_park(), COIR_OK);
    wait_no_more();
    return arg;
}

START_TEST(a_park_that_was_over_before_the_cancel_is_ok)
{
    coir_exec *e = make();
    target = spawn(e, finish_a_park, NULL);
    turn(e);
    ck_assert_int_eq(coir_task_wake(target), COIR_OK);
    ck_assert_int_eq(coir_task_cancel(target), COIR_OK);
    ck_assert_int_eq(coir_await(target, NULL), COIR_OK);
    run_and_destroy(e);
    check_events("ok, then cancelled ");
}
END_TEST

static void *finish_an_await(void *t)
{
    void *result = NULL;
    ck_assert_int_eq(coir_await(t, &result), COIR_OK);
    ck_assert_str_eq(result, "child ");
    wait_no_more();
    return NULL;
}

START_TEST(an_await_that_was_over_before_the_cancel_is_ok)
{
    coir_exec *e = make();
    coir_task *child = spawn(e, park, "child ");
    target = spawn(e, finish_an_await, child);
    turn(e);
    coir_task_wake(child);
    spawn_detached(e, cancel_the_target, NULL); /* after the child has ended, before its parent goes on */
    ck_assert_int_eq(coir_await(target, NULL), COIR_OK);
    run_and_destroy(e);
    check_events("child ok, then cancelled ");
}
END_TEST

static void *be_cancelled_after_a_yield(void *arg)
{
    int error = coir_task_yield();
    ck_assert(error == COIR_OK || error == COIR_ECANCELED);
    wait_no_more();
    return arg;
}

START_TEST(a_task_that_has_yielded_can_be_cancelled)
{
    coir_exec *e = make();
    target = spawn(e, be_cancelled_after_a_yield, NULL);
    spawn_detached(e, cancel_the_target, NULL);
    ck_assert_int_eq(coir_await(target, NULL), COIR_OK);
    run_and_destroy(e);
    check_events("ok, then cancelled ");
}
END_TEST

static void *yield_to_the_resumer(void *arg)
{
    void *value = NULL;
    ck_assert_int_eq(coir_task_yield(), COIR_ECANCELED);
    ck_assert_int_eq(coir_yield("up", &value), COIR_OK); /* that is between fibers, and the fiber is not cancelled */
    ck_assert_str_eq(value, "down");
    return arg;
}

static void *cancel_oneself_above_a_fiber(void *arg)
{
    coir_fiber *f = t_create(yield_to_the_resumer, NULL);
    void *value = NULL;
    ck_assert_int_eq(coir_task_cancel(coir_task_self()), COIR_OK);
    ck_assert_int_eq(coir_resume(f, NULL, &value), COIR_YIELDED);
    ck_assert_str_eq(value, "up");
    ck_assert_int_eq(coir_resume(f, "down", NULL), COIR_DONE);
    coir_destroy(f);
    event("done");
    return arg;
}

START_TEST(the_cancel_of_a_task_does_not_cancel_its_fibers)
{
    run_task(cancel_oneself_above_a_fiber, NULL);
    check_events("done");
}
END_TEST

/* ---- shield ---- */

static void *clean_up_under_a_shield(void *arg)
{
    ck_assert_int_eq(coir_sleep(100), COIR_ECANCELED);
    ck_assert_int_eq(coir_task_shield(1), 0);
    ck_assert_int_eq(coir_sleep(30), COIR_OK);
    ck_assert_int_eq(coir_now(), 30);
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    ck_assert_int_eq(coir_task_park_until(40), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_task_shield(0), 1);
    ck_assert_int_eq(coir_sleep(1), COIR_ECANCELED);
    event("cleaned up ");
    return arg;
}

START_TEST(a_cancelled_task_may_wait_under_a_shield)
{
    coir_exec *e = make();
    coir_task *t = spawn(e, clean_up_under_a_shield, NULL);
    turn(e);
    coir_task_cancel(t);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    run_and_destroy(e);
    check_events("cleaned up ");
}
END_TEST

static void *wait_under_a_shield(void *arg)
{
    ck_assert_int_eq(coir_task_shield(1), 0);
    ck_assert_int_eq(coir_sleep(100), COIR_OK); /* meanwhile it is cancelled */
    ck_assert_int_eq(coir_now(), 100);
    ck_assert_int_eq(coir_task_shield(0), 1);
    ck_assert_int_eq(coir_task_yield(), COIR_ECANCELED); /* it was kept for this */
    event("kept ");
    return arg;
}

START_TEST(a_cancel_under_a_shield_is_kept)
{
    coir_exec *e = make();
    coir_task *t = spawn(e, wait_under_a_shield, NULL);
    turn(e);
    ck_assert_int_eq(coir_task_cancel(t), COIR_OK);
    ck_assert_int_eq(coir_task_state(t), COIR_TASK_WAITING);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    run_and_destroy(e);
    check_events("kept ");
}
END_TEST

static void *nest_shields(void *arg)
{
    int first = coir_task_shield(5), second = coir_task_shield(1);
    ck_assert_int_eq(first, 0);
    ck_assert_int_eq(second, 1);
    ck_assert_int_eq(coir_task_cancel(coir_task_self()), COIR_OK);
    ck_assert_int_eq(coir_task_shield(second), 1);
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    ck_assert_int_eq(coir_task_shield(first), 1);
    ck_assert_int_eq(coir_task_yield(), COIR_ECANCELED);
    ck_assert_int_eq(coir_task_shield(-1), 0); /* anything but 0 is on */
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    ck_assert_int_eq(coir_task_shield(0), 1);
    ck_assert_int_eq(coir_task_shield(0), 0);
    return arg;
}

START_TEST(shields_nest_by_what_they_return)
{
    run_task(nest_shields, NULL);
}
END_TEST

static void *turn_the_shield_on(void *arg)
{
    ck_assert_int_eq(coir_task_shield(1), 0);
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    return arg;
}

static void *use_a_fibers_shield(void *arg)
{
    coir_fiber *f = t_create(turn_the_shield_on, NULL);
    coir_task_cancel(coir_task_self());
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    ck_assert_int_eq(coir_task_shield(0), 1);
    return arg;
}

static void *have_no_shield(void *arg)
{
    ck_assert_int_eq(coir_task_shield(1), 0);
    return arg;
}

START_TEST(a_shield_is_the_tasks)
{
    coir_exec *e = make();
    spawn_detached(e, use_a_fibers_shield, NULL);
    spawn_detached(e, have_no_shield, NULL);
    spawn_detached(e, have_no_shield, NULL);
    run_and_destroy(e);
}
END_TEST

/* ---- detach ---- */

START_TEST(a_task_can_be_detached_in_every_state)
{
    coir_exec *e = make();
    coir_task *fresh, *sleeper = spawn(e, sleep_100, "sleeper "), *yielder = spawn(e, yield_twice, "y ");
    coir_task *done = spawn(e, note_and_return, "done ");
    turn(e);
    fresh = spawn(e, note_and_return, "fresh ");
    ck_assert_int_eq(coir_task_state(done), COIR_TASK_DONE);
    ck_assert_int_eq(coir_task_detach(done), COIR_OK); /* it is gone at once */
    ck_assert_int_eq(coir_task_detach(sleeper), COIR_OK);
    ck_assert_int_eq(coir_task_detach(yielder), COIR_OK);
    ck_assert_int_eq(coir_task_detach(fresh), COIR_OK);
    ck_assert_int_eq(coir_task_detach(fresh), COIR_EINVAL);
    ck_assert_int_eq(coir_task_detach(NULL), COIR_EINVAL);
    run_and_destroy(e);
    check_events("y done y fresh y sleeper ");
}
END_TEST

static void *detach_oneself(void *arg)
{
    ck_assert_int_eq(coir_task_detach(coir_task_self()), COIR_OK);
    ck_assert_int_eq(coir_task_detach(coir_task_self()), COIR_EINVAL);
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    event("went on ");
    return arg;
}

static void *be_detached_from_the_start(void *arg)
{
    ck_assert_int_eq(coir_task_detach(coir_task_self()), COIR_EINVAL);
    return arg;
}

START_TEST(a_task_may_detach_itself)
{
    coir_exec *e = make();
    spawn(e, detach_oneself, NULL);
    spawn_detached(e, be_detached_from_the_start, NULL);
    run_and_destroy(e);
    check_events("went on ");
}
END_TEST

static void detach_when_ending(void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_task_detach(coir_task_self()), COIR_OK);
    event("detached");
}

static void *defer_a_detach(void *arg)
{
    ck_assert_int_eq(coir_defer(detach_when_ending, NULL), COIR_OK);
    return arg;
}

START_TEST(a_task_may_detach_itself_when_it_is_ending)
{
    coir_exec *e = make();
    spawn(e, defer_a_detach, NULL);
    run_and_destroy(e);
    check_events("detached");
}
END_TEST

START_TEST(a_detached_task_can_be_woken_and_cancelled)
{
    coir_exec *e = make();
    coir_task *one = spawn(e, park, "woken "), *other = spawn(e, park_until_cancelled, "cancelled ");
    coir_task_detach(one);
    turn(e);
    coir_task_detach(other);
    ck_assert_int_eq(coir_task_state(one), COIR_TASK_WAITING);
    ck_assert_int_eq(coir_task_wake(one), COIR_OK);
    ck_assert_int_eq(coir_task_cancel(other), COIR_OK);
    run_and_destroy(e);
    check_events("woken cancelled ");
}
END_TEST

static void *await_until_70(void *t)
{
    ck_assert_int_eq(coir_await_until(t, 70, NULL), COIR_ETIMEDOUT);
    return NULL;
}

START_TEST(a_task_can_be_detached_once_nobody_awaits_it)
{
    coir_exec *e = make();
    coir_task *t = spawn(e, sleep_100, "slept");
    spawn_detached(e, await_until_70, t);
    turn(e);
    ck_assert_int_eq(coir_task_detach(t), COIR_EBUSY);
    ck_assert_int_eq(coir_exec_run_once_until(e, 70), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_task_detach(t), COIR_OK);
    run_and_destroy(e);
    check_events("slept");
}
END_TEST

/* ---- the task and its fiber ---- */

static void check_self_when_ending(void *text)
{
    ck_assert_ptr_eq(coir_task_self(), target);
    ck_assert_ptr_eq(coir_self(), coir_task_fiber(target));
    event(text);
}

static void *check_self_in_a_fiber(void *arg)
{
    ck_assert_ptr_eq(coir_task_self(), target);
    ck_assert_ptr_ne(coir_self(), coir_task_fiber(target));
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    ck_assert_ptr_eq(coir_task_self(), target);
    ck_assert_ptr_ne(coir_self(), coir_task_fiber(target));
    return arg;
}

static void *check_self(void *arg)
{
    coir_fiber *f = t_create(check_self_in_a_fiber, NULL);
    coir_key key;
    ck_assert_ptr_eq(coir_task_self(), target);
    ck_assert_ptr_eq(coir_self(), coir_task_fiber(target));
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
    ck_assert_ptr_eq(coir_task_self(), target);
    ck_assert_int_eq(coir_key_create(&key, check_self_when_ending), COIR_OK);
    ck_assert_int_eq(coir_local_set(key, "key "), COIR_OK);
    ck_assert_int_eq(coir_defer(check_self_when_ending, "deferred "), COIR_OK);
    return arg;
}

START_TEST(a_task_knows_itself)
{
    coir_exec *e = make();
    target = spawn(e, check_self, NULL);
    spawn_detached(e, yield_twice, "");
    ck_assert_ptr_null(coir_task_self());
    ck_assert_int_eq(coir_await(target, NULL), COIR_OK);
    ck_assert_ptr_null(coir_task_self());
    run_and_destroy(e);
    check_events("deferred key ");
}
END_TEST

static void *check_own_state(void *arg)
{
    ck_assert_int_eq(coir_task_state(coir_task_self()), COIR_TASK_RUNNING);
    ck_assert_int_eq(coir_fiber_state(coir_self()), COIR_STATE_RUNNING);
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    ck_assert_int_eq(coir_sleep(100), COIR_OK);
    return arg;
}

static void check_states(coir_task *t, int task_state, int fiber_state)
{
    ck_assert_int_eq(coir_task_state(t), task_state);
    ck_assert_int_eq(coir_fiber_state(coir_task_fiber(t)), fiber_state);
}

START_TEST(the_states_of_a_task_and_its_fiber)
{
    coir_exec *e = make();
    coir_task *t = spawn(e, check_own_state, NULL);
    ck_assert_int_eq(coir_task_state(NULL), COIR_EINVAL);
    check_states(t, COIR_TASK_READY, COIR_STATE_NEW);
    turn(e);
    check_states(t, COIR_TASK_READY, COIR_STATE_WAITING); /* "or that is ready to go on" */
    turn(e);
    check_states(t, COIR_TASK_WAITING, COIR_STATE_WAITING);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    check_states(t, COIR_TASK_DONE, COIR_STATE_DONE);
    coir_await(t, NULL);
    run_and_destroy(e);
}
END_TEST

/* `error` is for all but destroy, which is busy always. */
static void refuse(coir_fiber *f, int error)
{
    void *result = T_VALUE(99);
    int state = coir_fiber_state(f);

    ck_assert_int_eq(coir_resume(f, NULL, &result), error);
    ck_assert_int_eq(coir_resume(f, T_VALUE(1), &result), error);
    ck_assert_int_eq(coir_cancel(f, &result), error);
    ck_assert_int_eq(coir_destroy(f), COIR_EBUSY);
    ck_assert_int_eq(T_NUMBER(result), 99);
    ck_assert_int_eq(coir_fiber_state(f), state);
}

static void *refuse_a_switch(void *f)
{
    int error = coir_fiber_state(f) == COIR_STATE_DONE ? COIR_EDEAD : COIR_EBUSY;
    ck_assert_int_eq(coir_switch(f, NULL, NULL), error);
    return NULL;
}

/* From the thread itself, or a task; and from a fiber. */
static void refuse_everywhere(coir_fiber *f, int error)
{
    coir_fiber *switcher = t_create(refuse_a_switch, f);

    refuse(f, error);
    ck_assert_int_eq(coir_resume(switcher, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(coir_destroy(switcher), COIR_OK);
}

static void *misuse_ones_own_fiber(void *arg)
{
    void *result = T_VALUE(99);
    coir_fiber *f = t_create(return_argument, NULL);
    refuse_everywhere(coir_self(), COIR_EBUSY);
    ck_assert_int_eq(coir_yield(NULL, &result), COIR_ENOTFIBER);
    ck_assert_int_eq(coir_switch(f, NULL, &result), COIR_ENOTFIBER);
    ck_assert_int_eq(coir_switch(NULL, NULL, &result), COIR_ENOTFIBER);
    ck_assert_int_eq(T_NUMBER(result), 99);
    ck_assert_int_eq(coir_fiber_state(f), COIR_STATE_NEW);
    coir_destroy(f);
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    ck_assert_int_eq(coir_sleep(100), COIR_OK);
    return arg;
}

START_TEST(the_fiber_of_a_task_is_only_to_be_asked_about)
{
    coir_exec *e = make();
    coir_task *t = spawn(e, misuse_ones_own_fiber, NULL);
    coir_fiber *f = coir_task_fiber(t);
    void *low;
    size_t size, used;
    ck_assert_ptr_null(coir_task_fiber(NULL));
    ck_assert_ptr_nonnull(f);
    refuse_everywhere(f, COIR_EBUSY); /* not started */
    turn(e);
    refuse_everywhere(f, COIR_EBUSY); /* ready */
    turn(e);
    refuse_everywhere(f, COIR_EBUSY); /* asleep */
    ck_assert_int_eq(coir_stack_bounds(f, &low, &size), COIR_OK);
    ck_assert_uint_ge(size, coir_stack_min());
    int error = coir_stack_used(f, &used);
    ck_assert(error == COIR_OK || error == COIR_ENOTSUP); /* not every system tells */
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_ptr_eq(coir_task_fiber(t), f);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    run_and_destroy(e);
}
END_TEST

START_TEST(the_fiber_of_an_ended_task_is_dead)
{
    coir_exec *e = make();
    coir_task *t = spawn(e, return_argument, NULL);
    coir_fiber *f = coir_task_fiber(t);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_stack_bounds(f, NULL, NULL), COIR_EDEAD);
    refuse_everywhere(f, COIR_EDEAD);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    run_and_destroy(e);
}
END_TEST

/* ---- deferred functions and keys ---- */

static void wait_when_ending(void *text)
{
    void *result = T_VALUE(99);
    size_t which = 99;
    ck_assert_int_eq(coir_task_yield(), COIR_ECANCELED);
    ck_assert_int_eq(coir_task_park(), COIR_ECANCELED);
    ck_assert_int_eq(coir_task_park_until(0), COIR_ECANCELED);
    ck_assert_int_eq(coir_sleep(10), COIR_ECANCELED);
    ck_assert_int_eq(coir_sleep_until(-1), COIR_ECANCELED);
    ck_assert_int_eq(coir_await(living_one, &result), COIR_ECANCELED);
    ck_assert_int_eq(coir_await_until(living_one, 0, &result), COIR_ECANCELED);
    ck_assert_int_eq(coir_await_all(&living_one, 1, &result), COIR_ECANCELED);
    ck_assert_int_eq(coir_await_any(&living_one, 1, &which), COIR_ECANCELED);
    ck_assert_int_eq(T_NUMBER(result), 99);
    ck_assert_uint_eq(which, 99);
    event(text);
}

static void wait_when_ending_under_a_shield(void *text)
{
    coir_task_shield(1);
    wait_when_ending(text);
}

static void *wait_where_it_cannot(void *arg)
{
    coir_key key;
    ck_assert_int_eq(coir_key_create(&key, wait_when_ending), COIR_OK);
    ck_assert_int_eq(coir_local_set(key, "key "), COIR_OK);
    ck_assert_int_eq(coir_defer(wait_when_ending_under_a_shield, "shielded "), COIR_OK);
    ck_assert_int_eq(coir_defer(wait_when_ending, "deferred "), COIR_OK);
    return arg;
}

START_TEST(a_task_that_is_ending_cannot_wait)
{
    coir_exec *e = make();
    coir_task *t;
    living_one = spawn(e, sleep_100, "");
    t = spawn(e, wait_where_it_cannot, T_VALUE(4));
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    check_events("deferred shielded key ");
    ck_assert_int_eq(coir_await(living_one, NULL), COIR_OK);
    run_and_destroy(e);
}
END_TEST

static void await_nothing_when_ending(void *text)
{
    void *result = T_VALUE(99);
    size_t which = 99;
    ck_assert_int_eq(coir_await(NULL, &result), COIR_ECANCELED);
    ck_assert_int_eq(coir_await_until(NULL, 0, &result), COIR_ECANCELED);
    ck_assert_int_eq(coir_await_all(NULL, 1, &result), COIR_ECANCELED);
    ck_assert_int_eq(coir_await_any(NULL, 0, &which), COIR_ECANCELED);
    ck_assert_int_eq(T_NUMBER(result), 99);
    ck_assert_uint_eq(which, 99);
    event(text);
}

static void *defer_an_await_of_nothing(void *text)
{
    ck_assert_int_eq(coir_defer(await_nothing_when_ending, text), COIR_OK);
    return NULL;
}

START_TEST(that_a_task_is_ending_comes_before_errors_in_arguments)
{
    run_task(defer_an_await_of_nothing, "refused");
    check_events("refused");
}
END_TEST

static void *end_in_a_fiber(void *way)
{
    wait_where_it_cannot(NULL);
    if (T_NUMBER(way) != 0)
        coir_yield(NULL, NULL);
    return NULL;
}

static void *end_fibers_in_a_task(void *arg)
{
    coir_fiber *returns = t_create(end_in_a_fiber, T_VALUE(0)), *destroyed = t_create(end_in_a_fiber, T_VALUE(1));
    ck_assert_int_eq(coir_resume(returns, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(coir_resume(destroyed, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(coir_destroy(returns), COIR_OK);
    ck_assert_int_eq(coir_destroy(destroyed), COIR_OK);
    ck_assert_int_eq(coir_task_yield(), COIR_OK); /* the task is not ending */
    return arg;
}

START_TEST(a_nested_fiber_that_is_ending_cannot_wait)
{
    coir_exec *e = make();
    coir_task *t;
    living_one = spawn(e, sleep_100, "");
    t = spawn(e, end_fibers_in_a_task, NULL);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    ck_assert_ptr_nonnull(strstr(events, "deferred shielded "));
    ck_assert_int_eq(coir_await(living_one, NULL), COIR_OK);
    run_and_destroy(e);
}
END_TEST

static void await_when_ending(void *t)
{
    void *result = NULL;
    size_t which = 99;
    coir_task *const one[1] = {t};
    ck_assert_int_eq(coir_await_any(one, 1, &which), COIR_OK);
    ck_assert_uint_eq(which, 0);
    ck_assert_int_eq(coir_await(t, &result), COIR_OK);
    ck_assert_int_eq(T_NUMBER(result), 3);
    event("awaited ");
}

static void await_all_when_ending(void *t)
{
    coir_task *const one[1] = {t};
    void *result = NULL;
    ck_assert_int_eq(coir_await_all(one, 1, &result), COIR_OK);
    ck_assert_int_eq(T_NUMBER(result), 4);
    event("all ");
}

static void *defer_awaits(void *tasks)
{
    coir_task **t = tasks;
    ck_assert_int_eq(coir_defer(await_when_ending, t[0]), COIR_OK);
    ck_assert_int_eq(coir_defer(await_all_when_ending, t[1]), COIR_OK);
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    return NULL;
}

START_TEST(a_task_that_is_ending_may_await_what_has_ended)
{
    coir_exec *e = make();
    coir_task *tasks[2] = {spawn(e, return_argument, T_VALUE(3)), spawn(e, return_argument, T_VALUE(4))};
    spawn_detached(e, defer_awaits, tasks);
    run_and_destroy(e);
    check_events("all awaited ");
}
END_TEST

/* The same outside of tasks, where await would run the executor. */
static void *end_a_fiber_with_awaits(void *tasks)
{
    coir_task **t = tasks;
    coir_defer(await_when_ending, t[0]);
    return NULL;
}

START_TEST(an_ending_fiber_outside_of_tasks_may_await)
{
    coir_exec *e = make();
    coir_task *tasks[2] = {spawn(e, return_argument, T_VALUE(3)), NULL};
    coir_fiber *f = t_create(end_a_fiber_with_awaits, tasks);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
    run_and_destroy(e);
    check_events("awaited ");
}
END_TEST

static void do_what_does_not_wait(void *text)
{
    ck_assert_int_eq(coir_task_wake(living_one), COIR_OK);
    ck_assert_int_eq(coir_exec_post(coir_exec_current(), note, "posted "), COIR_OK);
    spawn_detached(NULL, note_and_return, "spawned ");
    event(text);
}

static void *defer_in_order(void *arg)
{
    ck_assert_int_eq(coir_defer(do_what_does_not_wait, "first "), COIR_OK);
    ck_assert_int_eq(coir_defer(note, "taken back "), COIR_OK);
    ck_assert_int_eq(coir_defer(note, "last "), COIR_OK);
    ck_assert_int_eq(coir_undefer(note, "taken back ", 0), COIR_OK);
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    event("returns ");
    return arg;
}

START_TEST(deferred_functions_of_a_task_run_when_it_ends)
{
    coir_exec *e = make();
    void *result = NULL;
    living_one = spawn(e, park, "woken ");
    ck_assert_int_eq(coir_await(spawn(e, defer_in_order, T_VALUE(6)), &result), COIR_OK);
    ck_assert_int_eq(T_NUMBER(result), 6);
    ck_assert_int_eq(strncmp(events, "returns last first ", 19), 0);
    run_and_destroy(e);
    ck_assert_ptr_nonnull(strstr(events, "woken spawned "));
    ck_assert_ptr_nonnull(strstr(events, "posted "));
}
END_TEST

static void yield_and_switch_when_ending(void *f)
{
    void *result = T_VALUE(99);
    ck_assert_int_eq(coir_yield(NULL, &result), COIR_ENOTFIBER);
    ck_assert_int_eq(coir_switch(f, NULL, &result), COIR_ENOTFIBER);
    ck_assert_int_eq(T_NUMBER(result), 99);
    event("refused");
}

static void *defer_a_yield_and_a_switch(void *f)
{
    ck_assert_int_eq(coir_defer(yield_and_switch_when_ending, f), COIR_OK);
    return NULL;
}

START_TEST(a_tasks_own_fiber_cannot_yield_when_it_is_ending_either)
{
    coir_fiber *f = t_create(return_argument, NULL);
    run_task(defer_a_yield_and_a_switch, f);
    coir_destroy(f);
    check_events("refused");
}
END_TEST

static coir_key key;

static void *keep_ones_value(void *value)
{
    ck_assert_ptr_null(coir_local_get(key));
    ck_assert_int_eq(coir_local_set(key, value), COIR_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(i == 0 ? coir_task_yield() : coir_sleep(10), COIR_OK);
        ck_assert_ptr_eq(coir_local_get(key), value);
    }
    return NULL;
}

START_TEST(each_task_has_values_of_its_own)
{
    coir_exec *e = make();
    ck_assert_int_eq(coir_key_create(&key, note), COIR_OK);
    spawn_detached(e, keep_ones_value, "a");
    spawn_detached(e, keep_ones_value, "b");
    run_and_destroy(e);
    check_events("ab");
}
END_TEST

static void *use_the_tasks_value(void *arg)
{
    ck_assert_ptr_nonnull(coir_local_get(key));
    ck_assert_str_eq(coir_local_get(key), "root's ");
    ck_assert_int_eq(coir_local_set(key, "nested's "), COIR_OK);
    return arg;
}

static void *set_a_value_above_a_fiber(void *arg)
{
    coir_fiber *f = t_create(use_the_tasks_value, NULL);
    ck_assert_int_eq(coir_local_set(key, "root's "), COIR_OK);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    check_events(""); /* the task has not ended */
    coir_destroy(f);
    ck_assert_str_eq(coir_local_get(key), "nested's ");
    return arg;
}

START_TEST(a_fiber_nested_in_a_task_uses_the_tasks_values)
{
    ck_assert_int_eq(coir_key_create(&key, note), COIR_OK);
    run_task(set_a_value_above_a_fiber, NULL);
    check_events("nested's ");
}
END_TEST

/* ---- fibers that run in tasks ---- */

static coir_fiber *middle, *inner;

static void *wait_inside(void *text)
{
    ck_assert_int_eq(coir_sleep(100), COIR_OK);
    ck_assert_ptr_eq(coir_self(), inner);
    ck_assert_int_eq(coir_fiber_state(inner), COIR_STATE_RUNNING);
    ck_assert_int_eq(coir_fiber_state(middle), COIR_STATE_RESUMING);
    event(text);
    return text;
}

static void *resume_inside(void *text)
{
    void *result = NULL;
    inner = t_create(wait_inside, text);
    ck_assert_int_eq(coir_resume(inner, NULL, &result), COIR_DONE);
    ck_assert_ptr_eq(coir_self(), middle);
    return result;
}

static void *wait_through_fibers(void *text)
{
    void *result = NULL;
    middle = t_create(resume_inside, text);
    ck_assert_int_eq(coir_resume(middle, NULL, &result), COIR_DONE);
    ck_assert_ptr_eq(coir_self(), coir_task_fiber(coir_task_self()));
    coir_destroy(inner);
    coir_destroy(middle);
    return result;
}

static void check_the_chain(void)
{
    ck_assert_int_eq(coir_fiber_state(inner), COIR_STATE_WAITING);
    ck_assert_int_eq(coir_fiber_state(middle), COIR_STATE_RESUMING);
    ck_assert_int_eq(coir_fiber_state(coir_task_fiber(target)), COIR_STATE_RESUMING);
    refuse_everywhere(inner, COIR_EBUSY);
    refuse_everywhere(middle, COIR_EBUSY);
    refuse_everywhere(coir_task_fiber(target), COIR_EBUSY);
}

static void post_check_the_chain(void *text)
{
    check_the_chain();
    event(text);
}

static void *check_the_chain_in_a_task(void *text)
{
    check_the_chain();
    event(text);
    return NULL;
}

START_TEST(a_nested_fiber_waits_with_all_between_it_and_the_task)
{
    coir_exec *e = make();
    void *result = NULL;
    target = spawn(e, wait_through_fibers, "inner ");
    spawn_detached(e, check_the_chain_in_a_task, "task ");
    turn(e);
    check_the_chain();
    ck_assert_int_eq(coir_task_state(target), COIR_TASK_WAITING);
    coir_exec_post(e, post_check_the_chain, "post ");
    ck_assert_int_eq(coir_await(target, &result), COIR_OK);
    ck_assert_str_eq(result, "inner ");
    run_and_destroy(e);
    check_events("task post inner ");
}
END_TEST

static void *yield_in_between(void *arg)
{
    void *value = NULL;
    ck_assert_int_eq(coir_sleep(10), COIR_OK);
    ck_assert_int_eq(coir_yield(T_VALUE(1), &value), COIR_OK);
    ck_assert_int_eq(T_NUMBER(value), 11);
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    ck_assert_int_eq(coir_yield(T_VALUE(2), &value), COIR_OK);
    ck_assert_int_eq(T_NUMBER(value), 12);
    ck_assert_int_eq(coir_sleep(10), COIR_OK);
    return arg;
}

static void *talk_with_a_fiber(void *arg)
{
    coir_fiber *f = t_create(yield_in_between, T_VALUE(3));
    void *value = NULL;
    ck_assert_int_eq(coir_resume(f, NULL, &value), COIR_YIELDED);
    ck_assert_int_eq(T_NUMBER(value), 1);
    ck_assert_int_eq(coir_fiber_state(f), COIR_STATE_SUSPENDED);
    ck_assert_int_eq(coir_now(), 10);
    ck_assert_int_eq(coir_sleep(5), COIR_OK);
    ck_assert_int_eq(coir_resume(f, T_VALUE(11), &value), COIR_YIELDED);
    ck_assert_int_eq(T_NUMBER(value), 2);
    ck_assert_int_eq(coir_resume(f, T_VALUE(12), &value), COIR_DONE);
    ck_assert_int_eq(T_NUMBER(value), 3);
    ck_assert_int_eq(coir_now(), 25);
    coir_destroy(f);
    event("done");
    return arg;
}

START_TEST(a_nested_fiber_yields_to_its_resumer_and_waits_by_turns)
{
    coir_exec *e = make();
    spawn_detached(e, talk_with_a_fiber, NULL);
    spawn_detached(e, yield_twice, "");
    run_and_destroy(e);
    check_events("done");
}
END_TEST

static void *serve_two(void *arg)
{
    ck_assert_int_eq(coir_sleep(10), COIR_OK);
    *(coir_task **)arg = coir_task_self();
    ck_assert_int_eq(coir_yield(NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_sleep(10), COIR_OK);
    *(coir_task **)arg = coir_task_self();
    return arg;
}

static coir_task *served;

static void *resume_for_oneself(void *f)
{
    int result = coir_resume(f, NULL, NULL);
    ck_assert_int_ge(result, 0);
    ck_assert_ptr_eq(served, coir_task_self());
    return T_VALUE(result);
}

START_TEST(a_fiber_may_be_resumed_by_one_task_and_then_by_another)
{
    coir_exec *e = make();
    coir_fiber *f = t_create(serve_two, &served);
    void *result;
    ck_assert_int_eq(coir_await(spawn(e, resume_for_oneself, f), &result), COIR_OK);
    ck_assert_int_eq(T_NUMBER(result), COIR_YIELDED);
    ck_assert_int_eq(coir_await(spawn(e, resume_for_oneself, f), &result), COIR_OK);
    ck_assert_int_eq(T_NUMBER(result), COIR_DONE);
    ck_assert_int_eq(coir_exec_now(e), 20);
    coir_destroy(f);
    run_and_destroy(e);
}
END_TEST

static void *wait_in_anothers_place(void *arg)
{
    ck_assert_int_eq(coir_sleep(10), COIR_OK);
    event("waited ");
    return arg;
}

static void *switch_to_the_inner(void *arg)
{
    ck_assert_int_eq(coir_switch(inner, NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_sleep(10), COIR_OK);
    event("back ");
    return arg;
}

static void *resume_one_that_switches(void *arg)
{
    coir_fiber *first = t_create(switch_to_the_inner, NULL);
    void *result = NULL;
    inner = t_create(wait_in_anothers_place, T_VALUE(8));
    ck_assert_int_eq(coir_resume(first, NULL, &result), COIR_SWITCHED);
    ck_assert_int_eq(T_NUMBER(result), 8);
    ck_assert_int_eq(coir_fiber_state(inner), COIR_STATE_DONE);
    ck_assert_int_eq(coir_fiber_state(first), COIR_STATE_SUSPENDED);
    ck_assert_int_eq(coir_resume(first, NULL, NULL), COIR_DONE);
    coir_destroy(first);
    coir_destroy(inner);
    return arg;
}

START_TEST(a_fiber_that_took_anothers_place_may_wait)
{
    run_task(resume_one_that_switches, NULL);
    check_events("waited back ");
}
END_TEST

static void *wait_when_cancelled(void *arg)
{
    ck_assert_int_eq(coir_yield(NULL, NULL), COIR_ECANCELED);
    ck_assert_int_eq(coir_sleep(10), COIR_OK); /* the fiber was cancelled, not the task */
    event("cleaned up ");
    return arg;
}

static void *cancel_a_fiber(void *arg)
{
    coir_fiber *f = t_create(wait_when_cancelled, T_VALUE(5));
    void *result = NULL;
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(coir_cancel(f, &result), COIR_DONE);
    ck_assert_int_eq(T_NUMBER(result), 5);
    ck_assert_int_eq(coir_now(), 10);
    coir_destroy(f);
    return arg;
}

START_TEST(a_fiber_that_was_cancelled_may_wait_in_a_task)
{
    run_task(cancel_a_fiber, NULL);
    check_events("cleaned up ");
}
END_TEST

static void *exit_after_waiting(void *arg)
{
    ck_assert_int_eq(coir_sleep(10), COIR_OK);
    coir_exit(T_VALUE(2));
    return arg;
}

static void *resume_one_that_exits(void *arg)
{
    coir_fiber *f = t_create(exit_after_waiting, NULL);
    void *result = NULL;
    ck_assert_int_eq(coir_resume(f, NULL, &result), COIR_DONE);
    ck_assert_int_eq(T_NUMBER(result), 2);
    coir_destroy(f);
    event("task goes on");
    return arg;
}

START_TEST(coir_exit_in_a_nested_fiber_ends_that_fiber)
{
    run_task(resume_one_that_exits, NULL);
    check_events("task goes on");
}
END_TEST

static coir_gen *gen;

static int count_slowly(coir_gen *g, void *arg)
{
    for (int n = 1; n <= 3; n++) {
        int error = coir_sleep(10);
        if (error == COIR_OK)
            error = coir_gen_yield(g, &n);
        if (error != COIR_OK)
            return error;
    }
    (void)arg;
    return 0;
}

static void *sum_the_items(void *arg)
{
    int item = 0, sum = 0, result;
    while ((result = coir_gen_next(gen, &item)) == 1)
        sum += item;
    ck_assert_int_eq(result, T_NUMBER(arg));
    return T_VALUE(sum);
}

static void *misuse_the_generator(void *arg)
{
    int item = 99;
    ck_assert_int_eq(coir_gen_next(gen, &item), COIR_EBUSY);
    ck_assert_int_eq(coir_gen_destroy(gen), COIR_EBUSY);
    ck_assert_int_eq(item, 99);
    event("busy ");
    return arg;
}

START_TEST(a_generator_may_wait_in_a_task)
{
    coir_exec *e = make();
    void *sum = NULL;
    coir_task *t;
    ck_assert_int_eq(coir_gen_create(&gen, sizeof(int), count_slowly, NULL, NULL), COIR_OK);
    t = spawn(e, sum_the_items, T_VALUE(0));
    spawn_detached(e, misuse_the_generator, NULL);
    turn(e);
    misuse_the_generator(NULL);
    ck_assert_int_eq(coir_await(t, &sum), COIR_OK);
    ck_assert_int_eq(T_NUMBER(sum), 6);
    ck_assert_int_eq(coir_exec_now(e), 30);
    ck_assert_int_eq(coir_gen_destroy(gen), COIR_OK);
    run_and_destroy(e);
    check_events("busy busy ");
}
END_TEST

START_TEST(a_cancelled_task_ends_the_wait_of_its_generator)
{
    coir_exec *e = make();
    void *sum = T_VALUE(99);
    coir_task *t;
    ck_assert_int_eq(coir_gen_create(&gen, sizeof(int), count_slowly, NULL, NULL), COIR_OK);
    t = spawn(e, sum_the_items, T_VALUE(COIR_ECANCELED));
    turn(e);
    coir_task_cancel(t);
    ck_assert_int_eq(coir_await(t, &sum), COIR_OK);
    ck_assert_int_eq(T_NUMBER(sum), 0);
    ck_assert_int_eq(coir_gen_destroy(gen), COIR_OK);
    run_and_destroy(e);
}
END_TEST

/* ---- many ---- */

enum { MOST_TASKS = 10000 };

static int many(void)
{
    if (t_instrumented())
        return 300;
    return t_is_wine() && t_backend_is("winfiber") ? 200 : MOST_TASKS; /* where stacks are memory from the start */
}

static int waits_that_failed;

static void *wait_in_turn(void *number)
{
    for (int i = 0; i < 3; i++)
        waits_that_failed += coir_task_yield() != COIR_OK;
    waits_that_failed += coir_sleep(T_NUMBER(number) % 7) != COIR_OK;
    return number;
}

START_TEST(ten_thousand_tasks_take_turns)
{
    static coir_task *tasks[MOST_TASKS];
    static void *results[MOST_TASKS];
    const coir_options small = {.stack_size = 32768};
    coir_exec *e = make();
    int n = many(), wrong = 0;
    for (int i = 0; i < n; i++)
        wrong += coir_spawn(&tasks[i], e, wait_in_turn, T_VALUE(i), &small) != COIR_OK;
    ck_assert_int_eq(wrong, 0);
    ck_assert_int_eq(coir_exec_tasks(e), n);
    ck_assert_int_eq(coir_await_all(tasks, (size_t)n, results), COIR_OK);
    for (int i = 0; i < n; i++)
        wrong += T_NUMBER(results[i]) != i;
    ck_assert_int_eq(wrong + waits_that_failed, 0);
    ck_assert_int_eq(coir_exec_tasks(e), 0);
    run_and_destroy(e);
}
END_TEST

static void *spawn_the_next(void *left)
{
    if (T_NUMBER(left) > 0)
        waits_that_failed += coir_spawn(NULL, NULL, spawn_the_next, T_VALUE(T_NUMBER(left) - 1), NULL) != COIR_OK;
    else
        event("last");
    return NULL;
}

START_TEST(each_task_may_spawn_the_next_for_a_long_time)
{
    run_task(spawn_the_next, T_VALUE(t_instrumented() ? 1000 : 100000));
    ck_assert_int_eq(waits_that_failed, 0);
    check_events("last");
}
END_TEST

T_MAIN(spawn_checks_what_it_is_given, spawn_needs_an_executor, a_task_has_a_name_and_data,
       a_task_may_run_on_the_callers_stack, a_task_spawns_into_its_executor_from_everywhere,
       await_gives_what_the_task_returned, await_outside_of_tasks_runs_the_executor_until_then,
       a_fiber_outside_of_tasks_may_await, await_outside_of_tasks_runs_nothing_after_that,
       await_of_a_task_that_has_ended_does_not_wait, what_is_null_or_detached_cannot_be_awaited,
       a_task_cannot_await_itself, only_one_can_await_a_task,
       a_task_whose_awaiter_was_cancelled_can_be_awaited_by_another, await_has_a_deadline,
       await_outside_of_tasks_has_a_deadline, await_outside_of_tasks_meets_deadlocks,
       the_result_of_a_cancelled_task_is_what_it_returned, a_task_may_end_by_coir_exit,
       an_awaiter_goes_to_the_end_of_the_queue, a_long_chain_of_awaits_comes_to_its_end, await_all_gives_all_results,
       await_all_of_none_is_ok_at_once, await_all_checks_each_task, outside_of_tasks_await_all_is_for_one_executor,
       await_all_is_busy_if_another_awaits_one, await_all_has_a_deadline, await_all_outside_of_tasks_has_a_deadline,
       a_cancelled_await_all_frees_none, await_all_of_tasks_that_have_ended_does_not_wait,
       await_any_tells_which_has_ended_and_frees_none, await_any_tells_the_first_in_the_array,
       await_any_outside_of_tasks_runs_until_one_has_ended, await_any_checks_what_it_is_given,
       while_one_awaits_any_others_cannot_await_them, await_any_has_a_deadline_and_can_be_cancelled,
       a_task_that_yields_goes_to_the_back_of_the_queue, calls_that_wait_belong_into_tasks, a_park_waits_for_a_wake,
       a_wake_before_the_park_is_remembered_once, a_wake_of_a_task_that_has_not_started_is_remembered,
       a_task_may_wake_itself, a_wake_ends_no_other_wait_but_is_kept_for_the_next_park,
       a_woken_task_goes_to_the_end_of_the_queue, an_ended_task_cannot_be_woken_or_cancelled, a_park_has_a_deadline,
       a_wake_at_the_deadline_is_not_lost, a_wake_reaches_a_park_in_a_nested_fiber,
       a_cancelled_task_starts_all_the_same, a_cancel_ends_every_kind_of_wait,
       a_cancelled_task_goes_to_the_end_of_the_queue, after_a_cancel_every_wait_is_refused_at_once,
       a_sleep_that_was_over_before_the_cancel_is_ok, a_park_that_was_over_before_the_cancel_is_ok,
       an_await_that_was_over_before_the_cancel_is_ok, a_task_that_has_yielded_can_be_cancelled,
       the_cancel_of_a_task_does_not_cancel_its_fibers, a_cancelled_task_may_wait_under_a_shield,
       a_cancel_under_a_shield_is_kept, shields_nest_by_what_they_return, a_shield_is_the_tasks,
       a_task_can_be_detached_in_every_state, a_task_may_detach_itself, a_task_may_detach_itself_when_it_is_ending,
       a_detached_task_can_be_woken_and_cancelled, a_task_can_be_detached_once_nobody_awaits_it, a_task_knows_itself,
       the_states_of_a_task_and_its_fiber, the_fiber_of_a_task_is_only_to_be_asked_about,
       the_fiber_of_an_ended_task_is_dead, a_task_that_is_ending_cannot_wait,
       that_a_task_is_ending_comes_before_errors_in_arguments, a_nested_fiber_that_is_ending_cannot_wait,
       a_task_that_is_ending_may_await_what_has_ended, an_ending_fiber_outside_of_tasks_may_await,
       deferred_functions_of_a_task_run_when_it_ends, a_tasks_own_fiber_cannot_yield_when_it_is_ending_either,
       each_task_has_values_of_its_own, a_fiber_nested_in_a_task_uses_the_tasks_values,
       a_nested_fiber_waits_with_all_between_it_and_the_task, a_nested_fiber_yields_to_its_resumer_and_waits_by_turns,
       a_fiber_may_be_resumed_by_one_task_and_then_by_another, a_fiber_that_took_anothers_place_may_wait,
       a_fiber_that_was_cancelled_may_wait_in_a_task, coir_exit_in_a_nested_fiber_ends_that_fiber,
       a_generator_may_wait_in_a_task, a_cancelled_task_ends_the_wait_of_its_generator, ten_thousand_tasks_take_turns,
       each_task_may_spawn_the_next_for_a_long_time)
