/* SPDX-License-Identifier: MIT */
/* Groups: tasks that belong together, fail together, and are waited for together. */

#include "t.h"

#include <string.h>

#include "events.h"
#include "one_executor.h"

enum { NOT_YET = 77, FAILURE = -1001 };

static coir_group *g;

static coir_group *make_group(coir_exec *e)
{
    coir_group *made = NULL;
    ck_assert_int_eq(coir_group_create(&made, e), COIR_OK);
    ck_assert_ptr_nonnull(made);
    return made;
}

static void destroy(coir_group *group)
{
    ck_assert_int_eq(coir_group_destroy(group), COIR_OK);
}

/* An executor, and a group in it. */
static void begin(uint64_t seed)
{
    executor = make_executor(seed);
    g = make_group(executor);
}

static void run(void)
{
    ck_assert_int_eq(coir_exec_run(executor), COIR_OK);
}

static void finish(void)
{
    run();
    destroy(g);
    ck_assert_int_eq(coir_exec_destroy(executor), COIR_OK);
}

static void add(coir_group_fn *fn, void *arg)
{
    ck_assert_int_eq(coir_group_spawn(g, fn, arg, NULL), COIR_OK);
}

static void fail_with(int code)
{
    ck_assert_int_eq(coir_group_fail(g, code), COIR_OK);
}

/* A task that waits for the group, once. */
typedef struct {
    int64_t deadline;
    int result;
    int64_t when;
    coir_task *task;
} waiting;

static void *wait_once(void *arg)
{
    waiting *w = arg;
    w->result = w->deadline == COIR_FOREVER ? coir_group_wait(g) : coir_group_wait_until(g, w->deadline);
    w->when = coir_now();
    return NULL;
}

static void begin_wait(waiting *w, int64_t deadline)
{
    memset(w, 0, sizeof *w);
    w->deadline = deadline;
    w->result = NOT_YET;
    w->task = spawn(wait_once, w);
}

static void wait_goes_on(waiting *w, int64_t deadline)
{
    begin_wait(w, deadline);
    turn();
    ck_assert_int_eq(w->result, NOT_YET);
    ck_assert_int_eq(coir_task_state(w->task), COIR_TASK_WAITING);
}

static void expect_result(waiting *w, int result)
{
    ck_assert_int_eq(coir_await(w->task, NULL), COIR_OK);
    ck_assert_int_eq(w->result, result);
}

static void expect_wait(int result)
{
    waiting w;
    begin_wait(&w, COIR_FOREVER);
    expect_result(&w, result);
}

/* ---- what the group's tasks do ---- */

static int return_code(void *code)
{
    return T_NUMBER(code);
}

static int note_in_group(void *text)
{
    event(text);
    return 0;
}

/* Sleeps so long and succeeds; gives the error of the sleep. */
static int sleep_so_long(void *duration)
{
    return coir_sleep(T_NUMBER(duration));
}

static int sleep_10_and_return(void *code)
{
    int error = coir_sleep(10);
    return error != COIR_OK ? error : T_NUMBER(code);
}

/* Sleeps for ever; says so if it is cancelled. */
static int be_cancelled(void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_sleep_until(COIR_FOREVER - 1), COIR_ECANCELED);
    event("c");
    return COIR_ECANCELED;
}

/* The same, with a clean-up that takes 20. */
static int clean_up_for_20(void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_sleep_until(COIR_FOREVER - 1), COIR_ECANCELED);
    ck_assert_int_eq(coir_task_shield(1), 0);
    ck_assert_int_eq(coir_sleep(20), COIR_OK);
    event("u");
    return 0;
}

/* ---- making and destroying ---- */

START_TEST(create_refuses_bad_arguments_and_touches_nothing)
{
    g = T_VALUE(99);
    executor = make_executor(0);
    ck_assert_int_eq(coir_group_create(NULL, executor), COIR_EINVAL);
    ck_assert_int_eq(coir_group_create(&g, NULL), COIR_ENOTTASK);
    ck_assert_ptr_eq(g, T_VALUE(99));
    ck_assert_int_eq(coir_exec_destroy(executor), COIR_OK);
    ck_assert_int_eq(coir_group_destroy(NULL), COIR_OK);
}
END_TEST

static void *make_group_in_task(void *arg)
{
    g = make_group(NULL);
    ck_assert_int_eq(coir_group_spawn(g, return_code, T_VALUE(-1007), NULL), COIR_OK);
    ck_assert_int_eq(coir_group_wait(g), -1007);
    destroy(g);
    return arg;
}

static void make_group_when_posted(void *arg)
{
    (void)arg;
    g = make_group(NULL);
    add(note_in_group, "p");
}

START_TEST(a_group_may_be_made_in_the_executor_that_runs)
{
    executor = make_executor(0);
    spawn(make_group_in_task, NULL);
    run();
    ck_assert_int_eq(coir_exec_post(executor, make_group_when_posted, NULL), COIR_OK);
    run();
    ck_assert_str_eq(events, "p");
    finish();
}
END_TEST

START_TEST(an_empty_group_is_waited_for_at_once)
{
    begin(0);
    ck_assert_int_eq(coir_group_count(g), 0);
    ck_assert_int_eq(coir_group_wait(g), COIR_OK);
    ck_assert_int_eq(coir_group_wait_until(g, -1), COIR_OK);
    expect_wait(COIR_OK);
    finish();
}
END_TEST

START_TEST(a_group_with_tasks_is_not_destroyed)
{
    begin(0);
    add(sleep_so_long, T_VALUE(10));
    ck_assert_int_eq(coir_group_destroy(g), COIR_EBUSY); /* not started yet, */
    turn();
    ck_assert_int_eq(coir_group_destroy(g), COIR_EBUSY); /* and asleep */
    fail_with(FAILURE);
    ck_assert_int_eq(coir_group_destroy(g), COIR_EBUSY); /* cancelled, but not at its end */
    ck_assert_int_eq(coir_group_count(g), 1);
    run();
    ck_assert_int_eq(coir_group_count(g), 0);
    finish();
}
END_TEST

static int destroy_own_group(void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_group_destroy(g), COIR_EBUSY);
    return 0;
}

START_TEST(a_task_cannot_destroy_its_own_group)
{
    begin(0);
    add(destroy_own_group, NULL);
    finish();
}
END_TEST

START_TEST(a_group_is_destroyed_before_its_executor)
{
    begin(0);
    ck_assert_int_eq(coir_exec_destroy(executor), COIR_EBUSY);
    add(note_in_group, "n");
    run();
    ck_assert_int_eq(coir_exec_destroy(executor), COIR_EBUSY);
    ck_assert_int_eq(coir_group_wait(g), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(executor), COIR_EBUSY);
    finish();
}
END_TEST

START_TEST(a_group_that_nobody_waited_for_can_be_destroyed_when_its_tasks_have_ended)
{
    begin(0);
    add(return_code, T_VALUE(FAILURE));
    add(be_cancelled, NULL);
    run();
    ck_assert_str_eq(events, "c");
    finish();
}
END_TEST

/* ---- success ---- */

START_TEST(wait_lasts_until_all_tasks_have_ended)
{
    waiting w;
    begin(0);
    for (int n = 1; n <= 5; n++)
        add(sleep_so_long, T_VALUE(10 * n));
    wait_goes_on(&w, COIR_FOREVER);
    for (int n = 1; n <= 5; n++) {
        ck_assert_int_eq(coir_group_count(g), 6 - n);
        run_until(10 * n);
        turn();
        ck_assert_int_eq(coir_group_count(g), 5 - n);
    }
    expect_result(&w, COIR_OK);
    ck_assert(w.when == 50);
    ck_assert_int_eq(coir_group_wait(g), COIR_OK); /* and on every later call */
    expect_wait(COIR_OK);
    finish();
}
END_TEST

static int return_at_once(void *code)
{
    event("s");
    coir_exit(code);
    return FAILURE;
}

START_TEST(zero_and_above_and_coir_exit_are_success)
{
    begin(0);
    add(return_code, T_VALUE(0));
    add(return_code, T_VALUE(1));
    add(return_code, T_VALUE(0x7fffffff));
    add(return_at_once, T_VALUE(-1003));
    add(sleep_so_long, T_VALUE(10));
    expect_wait(COIR_OK);
    ck_assert_str_eq(events, "s");
    finish();
}
END_TEST

START_TEST(tasks_start_when_their_turn_comes_in_their_order)
{
    begin(0);
    add(note_in_group, "1");
    add(note_in_group, "2");
    add(note_in_group, "3");
    ck_assert_str_eq(events, "");
    ck_assert_int_eq(coir_group_wait(g), COIR_OK);
    ck_assert_str_eq(events, "123");
    finish();
}
END_TEST

START_TEST(a_group_may_be_used_again_after_a_wait)
{
    begin(0);
    for (int round = 0; round < 3; round++) {
        add(sleep_so_long, T_VALUE(10));
        add(sleep_so_long, T_VALUE(20));
        expect_wait(COIR_OK);
    }
    add(return_code, T_VALUE(FAILURE));
    expect_wait(FAILURE);
    finish();
}
END_TEST

static int look_at_own_fiber(void *data)
{
    coir_fiber *f = coir_task_fiber(coir_task_self());
    ck_assert_ptr_eq(f, coir_self());
    ck_assert_str_eq(coir_fiber_name(f), "member");
    ck_assert_ptr_eq(coir_fiber_data(f), data);
    ck_assert_ptr_eq(coir_exec_current(), executor);
    return -1008;
}

START_TEST(options_are_those_of_its_fiber)
{
    char name[] = "member";
    coir_options opt = {.name = name, .data = events};
    begin(0);
    ck_assert_int_eq(coir_group_spawn(g, look_at_own_fiber, events, &opt), COIR_OK);
    memset(&opt, 0xff, sizeof opt);
    name[0] = 'M';
    expect_wait(-1008);
    finish();
}
END_TEST

START_TEST(spawn_refuses_bad_arguments_and_adds_nothing)
{
    coir_options opt = {.flags = 0x80000000u};
    begin(0);
    ck_assert_int_eq(coir_group_spawn(NULL, note_in_group, "n", NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_group_spawn(g, NULL, "n", NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_group_spawn(g, note_in_group, "n", &opt), COIR_EINVAL);
    opt.flags = COIR_MOVABLE;
    ck_assert_int_eq(coir_group_spawn(g, note_in_group, "n", &opt), COIR_ENOTSUP);
    opt.flags = 0;
    opt.reserved_flags = 1;
    ck_assert_int_eq(coir_group_spawn(g, note_in_group, "n", &opt), COIR_EINVAL);
    opt.reserved_flags = 0;
    opt.stack_size = SIZE_MAX;
    ck_assert_int_eq(coir_group_spawn(g, note_in_group, "n", &opt), COIR_ENOMEM);
    ck_assert_int_eq(coir_group_count(g), 0);
    ck_assert_int_eq(coir_exec_tasks(executor), 0);
    expect_wait(COIR_OK);
    ck_assert_str_eq(events, "");
    finish();
}
END_TEST

START_TEST(null_is_not_a_group)
{
    begin(0);
    ck_assert_int_eq(coir_group_wait(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_group_wait_until(NULL, 0), COIR_EINVAL);
    ck_assert_int_eq(coir_group_count(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_group_fail(NULL, FAILURE), COIR_EINVAL);
    finish();
}
END_TEST

/* Each task starts two more, down to 1. */
static int start_two_more(void *depth)
{
    events[0]++;
    if (T_NUMBER(depth) > 1) {
        add(start_two_more, T_VALUE(T_NUMBER(depth) - 1));
        ck_assert_int_eq(coir_sleep(1), COIR_OK);
        add(start_two_more, T_VALUE(T_NUMBER(depth) - 1));
    }
    return 0;
}

START_TEST(tasks_of_the_group_start_more_and_all_are_waited_for)
{
    waiting w;
    begin(0);
    add(start_two_more, T_VALUE(6));
    begin_wait(&w, COIR_FOREVER);
    expect_result(&w, COIR_OK);
    ck_assert_int_eq(events[0], 63);
    ck_assert_int_eq(coir_group_count(g), 0);
    ck_assert(w.when == 5);
    finish();
}
END_TEST

static void start_another(void *text)
{
    add(note_in_group, text);
}

static int defer_a_start(void *text)
{
    ck_assert_int_eq(coir_defer(start_another, text), COIR_OK);
    event("t");
    return 0;
}

START_TEST(a_task_may_start_another_at_its_very_end)
{
    begin(0);
    add(defer_a_start, "d");
    expect_wait(COIR_OK);
    ck_assert_str_eq(events, "td");
    finish();
}
END_TEST

START_TEST(a_group_holds_many_tasks)
{
    int many = t_instrumented() ? 100 : 2000;
    begin(0);
    for (int i = 0; i < many; i++)
        add(sleep_so_long, T_VALUE(i % 17));
    ck_assert_int_eq(coir_group_count(g), many);
    expect_wait(COIR_OK);
    add(sleep_10_and_return, T_VALUE(FAILURE));
    for (int i = 0; i < many; i++)
        add(sleep_so_long, T_VALUE(1000));
    expect_wait(FAILURE);
    ck_assert(coir_exec_now(executor) < 1000);
    finish();
}
END_TEST

/* ---- failure ---- */

START_TEST(a_negative_code_fails_the_group_and_cancels_the_others)
{
    static const int codes[] = {COIR_EINVAL, COIR_ECANCELED, COIR_ETIMEDOUT, COIR_EDEADLK, FAILURE, -0x7fffffff - 1};
    for (int i = 0; i < 6; i++) {
        waiting w;
        events[0] = '\0';
        begin(0);
        add(be_cancelled, NULL);
        add(sleep_10_and_return, T_VALUE(codes[i]));
        add(be_cancelled, NULL);
        begin_wait(&w, COIR_FOREVER);
        expect_result(&w, codes[i]);
        ck_assert_str_eq(events, "cc");
        ck_assert(w.when == 10);
        ck_assert_int_eq(coir_group_wait(g), codes[i]); /* and on every later call */
        ck_assert_int_eq(coir_group_wait_until(g, -1), codes[i]);
        expect_wait(codes[i]);
        finish();
    }
}
END_TEST

START_TEST(the_first_failure_counts)
{
    begin(0);
    add(sleep_10_and_return, T_VALUE(-1003));
    add(sleep_10_and_return, T_VALUE(-1004));
    add(return_code, T_VALUE(-1005));
    add(return_code, T_VALUE(-1006)); /* has not started when the group fails, and starts all the same */
    expect_wait(-1005);
    fail_with(-1007);
    fail_with(-1008);
    expect_wait(-1005);
    finish();
}
END_TEST

START_TEST(fail_cancels_all_tasks)
{
    waiting w;
    begin(0);
    add(be_cancelled, NULL);
    add(be_cancelled, NULL);
    wait_goes_on(&w, COIR_FOREVER);
    fail_with(FAILURE); /* outside of tasks */
    fail_with(-1005);
    ck_assert_int_eq(coir_group_count(g), 2); /* it does not wait */
    ck_assert_int_eq(w.result, NOT_YET);
    expect_result(&w, FAILURE);
    ck_assert_str_eq(events, "cc");
    finish();
}
END_TEST

START_TEST(fail_needs_a_negative_code)
{
    begin(0);
    add(sleep_so_long, T_VALUE(10));
    ck_assert_int_eq(coir_group_fail(g, 0), COIR_EINVAL);
    ck_assert_int_eq(coir_group_fail(g, 1), COIR_EINVAL);
    ck_assert_int_eq(coir_group_fail(g, 0x7fffffff), COIR_EINVAL);
    expect_wait(COIR_OK);
    ck_assert_int_eq(coir_group_fail(g, 0), COIR_EINVAL);
    fail_with(FAILURE);
    ck_assert_int_eq(coir_group_fail(g, 0), COIR_EINVAL); /* also when it has failed */
    finish();
}
END_TEST

START_TEST(an_empty_group_can_fail)
{
    begin(0);
    fail_with(FAILURE);
    expect_wait(FAILURE);
    ck_assert_int_eq(coir_group_wait(g), FAILURE);
    finish();
}
END_TEST

START_TEST(a_group_can_fail_after_all_its_tasks_have_ended)
{
    begin(0);
    add(note_in_group, "n");
    expect_wait(COIR_OK);
    fail_with(FAILURE);
    expect_wait(FAILURE);
    finish();
}
END_TEST

static int note_cancel(void *text)
{
    ck_assert_int_eq(coir_sleep(1000), COIR_ECANCELED);
    event(text);
    return 0;
}

START_TEST(tasks_are_cancelled_in_the_order_in_which_they_were_spawned)
{
    begin(0);
    add(note_cancel, "1");
    add(sleep_so_long, T_VALUE(10));
    add(note_cancel, "2");
    run_until(20);
    add(note_cancel, "3"); /* after one of the middle has ended */
    turn();
    fail_with(FAILURE);
    expect_wait(FAILURE);
    ck_assert_str_eq(events, "123");
    finish();
}
END_TEST

static int fail_own_group(void *arg)
{
    (void)arg;
    fail_with(FAILURE);
    event("f");
    ck_assert_int_eq(coir_sleep(1), COIR_ECANCELED); /* with the others */
    return -1005;
}

START_TEST(a_task_may_fail_its_group_and_is_cancelled_too)
{
    begin(0);
    add(be_cancelled, NULL);
    add(fail_own_group, NULL);
    add(be_cancelled, NULL);
    expect_wait(FAILURE);
    ck_assert_str_eq(events, "fcc");
    finish();
}
END_TEST

static void fail_in_the_end(void *arg)
{
    (void)arg;
    fail_with(FAILURE);
}

static int defer_a_failure(void *arg)
{
    ck_assert_int_eq(coir_defer(fail_in_the_end, NULL), COIR_OK);
    coir_exit(arg);
    return 0;
}

START_TEST(a_deferred_function_may_fail_the_group)
{
    begin(0);
    add(be_cancelled, NULL);
    add(defer_a_failure, NULL);
    expect_wait(FAILURE);
    ck_assert_str_eq(events, "c");
    finish();
}
END_TEST

static void fail_when_posted(void *arg)
{
    (void)arg;
    fail_with(FAILURE);
}

START_TEST(a_posted_function_may_fail_the_group)
{
    begin(0);
    add(be_cancelled, NULL);
    ck_assert_int_eq(coir_exec_post(executor, fail_when_posted, NULL), COIR_OK);
    expect_wait(FAILURE);
    finish();
}
END_TEST

START_TEST(a_group_that_has_failed_starts_no_more)
{
    coir_options bad = {.reserved_flags = 1};
    begin(0);
    add(clean_up_for_20, NULL);
    turn();
    fail_with(FAILURE);
    ck_assert_int_eq(coir_group_spawn(g, note_in_group, "n", NULL), COIR_ECANCELED);
    ck_assert_int_eq(coir_group_count(g), 1);
    expect_wait(FAILURE);
    ck_assert_int_eq(coir_group_spawn(g, note_in_group, "n", NULL), COIR_ECANCELED);
    ck_assert_int_eq(coir_group_spawn(g, note_in_group, "n", &bad), COIR_ECANCELED); /* comes before COIR_EINVAL */
    ck_assert_int_eq(coir_group_count(g), 0);
    run();
    ck_assert_str_eq(events, "u");
    finish();
}
END_TEST

static int start_too_late(void *arg)
{
    (void)arg;
    fail_with(FAILURE);
    ck_assert_int_eq(coir_group_spawn(g, note_in_group, "n", NULL), COIR_ECANCELED);
    return 0;
}

START_TEST(a_task_of_a_failed_group_starts_no_more)
{
    begin(0);
    add(start_too_late, NULL);
    expect_wait(FAILURE);
    ck_assert_str_eq(events, "");
    finish();
}
END_TEST

START_TEST(a_failed_group_is_waited_for_until_its_tasks_have_cleaned_up)
{
    waiting w;
    begin(0);
    add(sleep_10_and_return, T_VALUE(FAILURE));
    add(clean_up_for_20, NULL);
    begin_wait(&w, COIR_FOREVER);
    expect_result(&w, FAILURE);
    ck_assert(w.when == 30);
    ck_assert_str_eq(events, "u");
    finish();
}
END_TEST

static int note_cancel_of_first_sleep(void *arg)
{
    (void)arg;
    event(coir_sleep(1) == COIR_ECANCELED ? "c" : "o");
    return 0;
}

START_TEST(a_task_that_had_not_started_when_the_group_failed_starts_all_the_same)
{
    begin(0);
    add(note_cancel_of_first_sleep, NULL);
    fail_with(FAILURE);
    expect_wait(FAILURE);
    ck_assert_str_eq(events, "c");
    finish();
}
END_TEST

static int cancel_oneself(void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_task_cancel(coir_task_self()), COIR_OK);
    return coir_sleep(1);
}

START_TEST(the_code_of_a_task_that_was_cancelled_fails_the_group)
{
    begin(0);
    add(be_cancelled, NULL);
    add(cancel_oneself, NULL);
    expect_wait(COIR_ECANCELED);
    ck_assert_str_eq(events, "c");
    finish();
}
END_TEST

START_TEST(a_task_that_ignores_its_cancel_succeeds)
{
    begin(0);
    add(note_cancel_of_first_sleep, NULL);
    turn();
    ck_assert_int_eq(coir_exec_cancel(executor), COIR_OK);
    expect_wait(COIR_OK);
    ck_assert_str_eq(events, "c");
    finish();
}
END_TEST

START_TEST(other_tasks_of_the_executor_are_not_cancelled)
{
    int64_t then = 100;
    coir_task *other;
    begin(0);
    other = spawn(sleep_until_then, &then);
    add(sleep_10_and_return, T_VALUE(FAILURE));
    expect_wait(FAILURE);
    ck_assert_int_eq(coir_task_state(other), COIR_TASK_WAITING);
    ck_assert_int_eq(coir_await(other, NULL), COIR_OK);
    finish();
}
END_TEST

/* ---- deadlines ---- */

START_TEST(a_wait_that_times_out_leaves_the_tasks_at_work)
{
    waiting w;
    begin(0);
    add(sleep_so_long, T_VALUE(100));
    begin_wait(&w, 40);
    expect_result(&w, COIR_ETIMEDOUT);
    ck_assert(w.when == 40);
    ck_assert_int_eq(coir_group_count(g), 1);
    add(sleep_so_long, T_VALUE(100)); /* the group has not failed */
    begin_wait(&w, 110);
    expect_result(&w, COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_group_count(g), 1);
    begin_wait(&w, 1000);
    expect_result(&w, COIR_OK);
    ck_assert(w.when == 140);
    finish();
}
END_TEST

START_TEST(a_deadline_that_has_passed_tries_once)
{
    waiting w;
    begin(0);
    add(sleep_so_long, T_VALUE(10));
    begin_wait(&w, 0);
    expect_result(&w, COIR_ETIMEDOUT);
    begin_wait(&w, INT64_MIN);
    expect_result(&w, COIR_ETIMEDOUT);
    ck_assert(w.when == 0);
    run_until(20);
    begin_wait(&w, 0);
    expect_result(&w, COIR_OK);
    finish();
}
END_TEST

START_TEST(after_a_timeout_the_caller_may_fail_the_group)
{
    waiting w;
    begin(0);
    add(clean_up_for_20, NULL);
    begin_wait(&w, 40);
    expect_result(&w, COIR_ETIMEDOUT);
    fail_with(COIR_ETIMEDOUT);
    begin_wait(&w, COIR_FOREVER);
    expect_result(&w, COIR_ETIMEDOUT); /* the group's own code now */
    ck_assert(w.when == 60);
    ck_assert_str_eq(events, "u");
    finish();
}
END_TEST

START_TEST(a_group_that_ends_before_the_deadline_is_in_time)
{
    waiting w;
    begin(0);
    add(sleep_so_long, T_VALUE(99));
    wait_goes_on(&w, 100);
    run_until(200);
    expect_result(&w, COIR_OK);
    ck_assert(w.when == 99);
    finish();
}
END_TEST

/* ---- cancellation of the one who waits ---- */

START_TEST(cancel_of_the_waiting_task_fails_the_group_and_it_waits_on)
{
    waiting w;
    begin(0);
    add(clean_up_for_20, NULL);
    wait_goes_on(&w, COIR_FOREVER);
    ck_assert_int_eq(coir_task_cancel(w.task), COIR_OK);
    turn();
    ck_assert_int_eq(w.result, NOT_YET);
    ck_assert_int_eq(coir_group_count(g), 1);
    ck_assert_int_eq(coir_group_spawn(g, note_in_group, "n", NULL), COIR_ECANCELED); /* it has failed */
    expect_result(&w, COIR_ECANCELED);
    ck_assert(w.when == 20);
    ck_assert_str_eq(events, "u");
    ck_assert_int_eq(coir_group_wait(g), COIR_ECANCELED);
    finish();
}
END_TEST

static void *wait_when_cancelled(void *arg)
{
    ck_assert_int_eq(coir_task_cancel(coir_task_self()), COIR_OK);
    wait_once(arg);
    ck_assert_int_eq(coir_sleep(1), COIR_ECANCELED);
    return NULL;
}

START_TEST(a_task_that_was_cancelled_before_fails_the_group_and_waits)
{
    waiting w = {.deadline = COIR_FOREVER, .result = NOT_YET};
    begin(0);
    add(clean_up_for_20, NULL);
    turn();
    w.task = spawn(wait_when_cancelled, &w);
    turn();
    ck_assert_int_eq(w.result, NOT_YET);
    expect_result(&w, COIR_ECANCELED);
    ck_assert(w.when == 20);
    ck_assert_str_eq(events, "u");
    finish();
}
END_TEST

START_TEST(a_cancel_after_the_first_failure_does_not_change_its_code)
{
    waiting w;
    begin(0);
    add(clean_up_for_20, NULL);
    wait_goes_on(&w, COIR_FOREVER);
    fail_with(FAILURE);
    turn();
    ck_assert_int_eq(coir_task_cancel(w.task), COIR_OK);
    expect_result(&w, FAILURE);
    ck_assert(w.when == 20);
    finish();
}
END_TEST

static void *wait_under_a_shield(void *arg)
{
    ck_assert_int_eq(coir_task_shield(1), 0);
    wait_once(arg);
    ck_assert_int_eq(coir_task_shield(0), 1);
    ck_assert_int_eq(coir_sleep(1), COIR_ECANCELED);
    return NULL;
}

START_TEST(under_a_shield_a_cancel_does_not_fail_the_group)
{
    waiting w = {.deadline = COIR_FOREVER, .result = NOT_YET};
    begin(0);
    add(sleep_so_long, T_VALUE(100));
    w.task = spawn(wait_under_a_shield, &w);
    turn();
    ck_assert_int_eq(coir_task_cancel(w.task), COIR_OK);
    expect_result(&w, COIR_OK);
    ck_assert(w.when == 100);
    finish();
}
END_TEST

static void *wait_then_sleep(void *arg)
{
    wait_once(arg);
    ck_assert_int_eq(coir_sleep(1), COIR_ECANCELED);
    return NULL;
}

static int cancel_and_end(void *t)
{
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    ck_assert_int_eq(coir_task_cancel(*(coir_task **)t), COIR_OK);
    return 0;
}

START_TEST(a_cancel_by_the_last_task_of_the_group_fails_it_too)
{
    waiting w = {.deadline = COIR_FOREVER, .result = NOT_YET};
    begin(0);
    add(cancel_and_end, &w.task);
    w.task = spawn(wait_then_sleep, &w);
    expect_result(&w, COIR_ECANCELED);
    finish();
}
END_TEST

/* A task that runs between the end of the group's last one and the turn of the one who waits. */
static void *cancel_when_all_have_ended(void *t)
{
    while (coir_group_count(g) > 0)
        ck_assert_int_eq(coir_task_yield(), COIR_OK);
    ck_assert_int_eq(coir_task_state(*(coir_task **)t), COIR_TASK_READY);
    ck_assert_int_eq(coir_task_cancel(*(coir_task **)t), COIR_OK);
    return NULL;
}

static int yield_twice(void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    return coir_task_yield();
}

START_TEST(a_cancel_after_the_last_task_has_ended_is_for_the_next_wait)
{
    waiting w = {.deadline = COIR_FOREVER, .result = NOT_YET};
    begin(0);
    w.task = spawn(wait_then_sleep, &w);
    add(yield_twice, NULL);
    spawn(cancel_when_all_have_ended, &w.task); /* stands behind the group's task in the queue */
    expect_result(&w, COIR_OK);
    finish();
}
END_TEST

/* ---- groups in groups ---- */

static coir_group *inner_group;

static int wait_for_inner_group(void *code)
{
    int result;
    inner_group = make_group(NULL);
    ck_assert_int_eq(coir_group_spawn(inner_group, be_cancelled, NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_group_spawn(inner_group, code != NULL ? sleep_10_and_return : clean_up_for_20, code, NULL),
                     COIR_OK);
    result = coir_group_wait(inner_group);
    destroy(inner_group);
    return result;
}

START_TEST(the_failure_of_an_inner_group_goes_up_with_its_code)
{
    begin(0);
    add(wait_for_inner_group, T_VALUE(FAILURE));
    add(be_cancelled, NULL);
    expect_wait(FAILURE);
    ck_assert_str_eq(events, "cc");
    finish();
}
END_TEST

START_TEST(the_failure_of_an_outer_group_goes_down_and_nothing_is_left)
{
    waiting w;
    begin(0);
    add(wait_for_inner_group, NULL);
    add(sleep_10_and_return, T_VALUE(FAILURE));
    begin_wait(&w, COIR_FOREVER);
    expect_result(&w, FAILURE);
    ck_assert(w.when == 30);
    ck_assert_str_eq(events, "cu");
    ck_assert_int_eq(coir_exec_tasks(executor), 0);
    finish();
}
END_TEST

static int wait_for_own_group(void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_group_wait(g), COIR_EDEADLK);
    ck_assert_int_eq(coir_group_wait_until(g, 1000), COIR_EDEADLK);
    ck_assert_int_eq(coir_group_wait_until(g, -1), COIR_EDEADLK);
    ck_assert(coir_now() == 0);
    return 0;
}

static void *wait_in_nested(void *arg)
{
    wait_for_own_group(NULL);
    return arg;
}

static int wait_for_own_group_in_nested(void *arg)
{
    coir_fiber *f = t_create(wait_in_nested, arg);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
    return 0;
}

START_TEST(a_task_cannot_wait_for_its_own_group)
{
    begin(0);
    add(wait_for_own_group, NULL);
    add(wait_for_own_group_in_nested, NULL);
    expect_wait(COIR_OK);
    finish();
}
END_TEST

static void *wait_with_nested_fiber(void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_group_wait(g), COIR_OK);
    ck_assert(coir_now() == 10);
    return NULL;
}

static void *run_nested_wait(void *arg)
{
    coir_fiber *f = t_create(wait_with_nested_fiber, arg);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
    return arg;
}

START_TEST(a_nested_fiber_waits_for_a_group)
{
    begin(0);
    add(sleep_so_long, T_VALUE(10));
    spawn(run_nested_wait, NULL);
    finish();
}
END_TEST

/* ---- outside of tasks ---- */

START_TEST(outside_of_tasks_wait_runs_the_executor)
{
    int64_t then = 100;
    coir_task *other;
    begin(0);
    other = spawn(sleep_until_then, &then);
    add(sleep_so_long, T_VALUE(10));
    add(sleep_so_long, T_VALUE(20));
    ck_assert_int_eq(coir_group_wait(g), COIR_OK);
    ck_assert(coir_exec_now(executor) == 20); /* and no longer than that */
    ck_assert_int_eq(coir_task_state(other), COIR_TASK_WAITING);
    add(sleep_10_and_return, T_VALUE(FAILURE));
    ck_assert_int_eq(coir_group_wait_until(g, 1000), FAILURE);
    ck_assert(coir_exec_now(executor) == 30);
    ck_assert_int_eq(coir_await(other, NULL), COIR_OK);
    finish();
}
END_TEST

static void *wait_in_a_plain_fiber(void *arg)
{
    ck_assert_int_eq(coir_group_wait(g), COIR_OK);
    return arg;
}

START_TEST(a_plain_fiber_outside_of_tasks_waits_likewise)
{
    coir_fiber *f = t_create(wait_in_a_plain_fiber, NULL);
    begin(0);
    add(sleep_so_long, T_VALUE(10));
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
    finish();
}
END_TEST

START_TEST(outside_of_tasks_a_wait_times_out)
{
    begin(0);
    add(sleep_so_long, T_VALUE(100));
    ck_assert_int_eq(coir_group_wait_until(g, -1), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_group_wait_until(g, 40), COIR_ETIMEDOUT);
    ck_assert(coir_exec_now(executor) == 40);
    ck_assert_int_eq(coir_group_count(g), 1);
    ck_assert_int_eq(coir_group_wait_until(g, 200), COIR_OK);
    ck_assert(coir_exec_now(executor) == 100);
    finish();
}
END_TEST

static int park(void *arg)
{
    *(coir_task **)arg = coir_task_self();
    return coir_task_park();
}

START_TEST(outside_of_tasks_a_wait_for_ever_is_a_deadlock)
{
    const coir_options opt = {.name = "parked"};
    coir_task *t = NULL;
    begin(0);
    ck_assert_int_eq(coir_group_spawn(g, park, &t, &opt), COIR_OK);
    ck_assert_int_eq(coir_group_wait(g), COIR_EDEADLK);
    ck_assert_ptr_nonnull(strstr(reported, "parked"));
    ck_assert_int_eq(coir_group_count(g), 1);
    ck_assert_int_eq(coir_task_wake(t), COIR_OK);
    ck_assert_int_eq(coir_group_wait(g), COIR_OK);
    finish();
}
END_TEST

static int stop_the_executor(void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_exec_stop(executor), COIR_OK);
    ck_assert_int_eq(coir_sleep(10), COIR_OK);
    return 0;
}

START_TEST(outside_of_tasks_stop_ends_a_wait)
{
    begin(0);
    add(stop_the_executor, NULL);
    ck_assert_int_eq(coir_group_wait(g), COIR_EAGAIN);
    ck_assert_int_eq(coir_group_count(g), 1);
    ck_assert_int_eq(coir_group_wait(g), COIR_OK);
    finish();
}
END_TEST

static void wait_when_posted(void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_group_count(g), 1);
    ck_assert_int_eq(coir_group_wait(g), COIR_EBUSY);
    ck_assert_int_eq(coir_group_wait_until(g, 100), COIR_EBUSY);
    event("p");
}

START_TEST(a_posted_function_cannot_wait)
{
    begin(0);
    add(sleep_so_long, T_VALUE(10));
    ck_assert_int_eq(coir_exec_post(executor, wait_when_posted, NULL), COIR_OK);
    expect_wait(COIR_OK);
    ck_assert_str_eq(events, "p");
    finish();
}
END_TEST

/* A task of one executor waits for a group of another of the same thread, which somebody else must run. */
START_TEST(a_task_of_another_executor_waits_for_the_group)
{
    waiting w;
    coir_exec *first, *other;
    begin(0);
    first = executor;
    add(sleep_so_long, T_VALUE(10));
    executor = other = make_executor(0);
    wait_goes_on(&w, COIR_FOREVER);
    ck_assert_int_eq(coir_exec_run(first), COIR_OK);
    expect_result(&w, COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(other), COIR_OK);
    executor = first;
    finish();
}
END_TEST

/* ---- in a fiber that is ending ---- */

static int ends;

static void wait_while_ending(void *arg)
{
    int expected = T_NUMBER(arg);
    ends++;
    ck_assert_int_eq(coir_group_wait(g), expected);
    ck_assert_int_eq(coir_group_wait_until(g, 0), expected);
    ck_assert_int_eq(coir_group_wait_until(g, 1000), expected);
}

static void *defer_a_wait(void *expected)
{
    coir_key key;
    ck_assert_int_eq(coir_key_create(&key, wait_while_ending), COIR_OK);
    ck_assert_int_eq(coir_local_set(key, expected), COIR_OK);
    ck_assert_int_eq(coir_defer(wait_while_ending, expected), COIR_OK);
    return NULL;
}

START_TEST(in_a_fiber_that_is_ending_only_what_has_ended_is_waited_for)
{
    begin(0);
    add(sleep_10_and_return, T_VALUE(FAILURE));
    ck_assert_int_eq(coir_await(spawn(defer_a_wait, T_VALUE(COIR_ECANCELED)), NULL), COIR_OK);
    ck_assert_int_eq(ends, 2);
    ck_assert_int_eq(coir_group_count(g), 1); /* it did not fail the group */
    add(sleep_so_long, T_VALUE(5));
    expect_wait(FAILURE);
    ck_assert_int_eq(coir_await(spawn(defer_a_wait, T_VALUE(FAILURE)), NULL), COIR_OK);
    ck_assert_int_eq(ends, 4);
    finish();
}
END_TEST

/* ---- threads ---- */

static void *use_a_foreign_group(void *arg)
{
    coir_group *made = T_VALUE(99);
    ck_assert_int_eq(coir_group_create(&made, executor), COIR_ETHREAD);
    ck_assert_ptr_eq(made, T_VALUE(99));
    ck_assert_int_eq(coir_group_spawn(g, note_in_group, "n", NULL), COIR_ETHREAD);
    ck_assert_int_eq(coir_group_spawn(g, NULL, NULL, NULL), COIR_ETHREAD); /* comes before COIR_EINVAL */
    ck_assert_int_eq(coir_group_fail(g, FAILURE), COIR_ETHREAD);
    ck_assert_int_eq(coir_group_fail(g, 1), COIR_ETHREAD);
    ck_assert_int_eq(coir_group_wait(g), COIR_ETHREAD);
    ck_assert_int_eq(coir_group_wait_until(g, 0), COIR_ETHREAD);
    ck_assert_int_eq(coir_group_count(g), COIR_ETHREAD);
    ck_assert_int_eq(coir_group_destroy(g), COIR_ETHREAD);
    return arg;
}

static void *run_a_task_with_a_foreign_group(void *arg)
{
    coir_exec *own = make_executor(0);
    ck_assert_int_eq(coir_spawn(NULL, own, use_a_foreign_group, arg, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_run(own), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(own), COIR_OK);
    return arg;
}

START_TEST(another_threads_group_cannot_be_used)
{
    begin(0);
    t_on_thread(use_a_foreign_group, NULL); /* also when it is empty */
    add(sleep_so_long, T_VALUE(10));
    t_on_thread(use_a_foreign_group, NULL);
    t_on_thread(run_a_task_with_a_foreign_group, NULL);
    ck_assert_int_eq(coir_group_count(g), 1);
    expect_wait(COIR_OK);
    ck_assert_str_eq(events, "");
    finish();
}
END_TEST

static void *leave_a_group(void *arg)
{
    begin(0);
    add(note_in_group, "n");
    run();
    return arg;
}

START_TEST(a_group_left_by_a_thread_that_has_ended_can_only_be_destroyed)
{
    t_on_thread(leave_a_group, NULL);
    ck_assert_int_eq(coir_group_fail(g, FAILURE), COIR_ETHREAD);
    ck_assert_int_eq(coir_group_wait(g), COIR_ETHREAD);
    destroy(g);
    ck_assert_int_eq(coir_exec_destroy(executor), COIR_OK);
}
END_TEST

static void note_in_the_end(void *text)
{
    event(text);
}

static int defer_and_sleep(void *text)
{
    ck_assert_int_eq(coir_defer(note_in_the_end, text), COIR_OK);
    return coir_sleep(1000);
}

static void *leave_a_group_at_work(void *arg)
{
    static waiting w;
    begin(0);
    add(defer_and_sleep, "d");
    wait_goes_on(&w, COIR_FOREVER);
    add(note_in_group, "n"); /* never starts */
    return arg;
}

START_TEST(a_group_left_at_work_is_destroyed_after_its_tasks_and_before_its_executor)
{
    t_on_thread(leave_a_group_at_work, NULL);
    ck_assert_int_eq(coir_group_destroy(g), COIR_EBUSY);
    ck_assert_str_eq(events, "");
    ck_assert_int_eq(coir_exec_destroy(executor), COIR_EBUSY); /* for the group; the tasks are gone by now */
    ck_assert_str_eq(events, "d");
    destroy(g);
    ck_assert_int_eq(coir_exec_destroy(executor), COIR_OK);
    ck_assert_str_eq(events, "d");
}
END_TEST

/* ---- the same in every order ---- */

enum { MEMBERS = 8 };

static int first_failure, started, ended;

static int end_with(int code)
{
    ended++;
    if (code < 0 && first_failure == 0)
        first_failure = code;
    return code;
}

static int fail_or_return(int code)
{
    if (random_below(3) > 0)
        return end_with(code);
    if (first_failure == 0)
        first_failure = code;
    fail_with(code);
    return end_with(0);
}

static int wait_somehow(void)
{
    return random_below(2) == 0 ? coir_task_yield() : coir_sleep(random_below(10));
}

static int live_at_random(void *number)
{
    int error = COIR_OK;
    started++;
    for (int steps = random_below(4); steps > 0 && error == COIR_OK; steps--)
        error = wait_somehow();
    if (error != COIR_OK && random_below(2) == 0) { /* cleans up */
        ck_assert_int_eq(coir_task_shield(1), 0);
        ck_assert_int_eq(wait_somehow(), COIR_OK);
    } else if (random_below(4) == 0 && started < 3 * MEMBERS) {
        int added = coir_group_spawn(g, live_at_random, number, NULL);
        ck_assert_int_eq(added, first_failure == 0 ? COIR_OK : COIR_ECANCELED);
    }
    return random_below(5) == 0 ? fail_or_return(T_NUMBER(number)) : end_with(error);
}

static void run_at_random(uint64_t seed)
{
    waiting w;
    random_state = (uint32_t)seed;
    first_failure = started = ended = 0;
    begin(seed);
    for (int i = 0; i < MEMBERS; i++)
        add(live_at_random, T_VALUE(FAILURE - i));
    begin_wait(&w, COIR_FOREVER);
    ck_assert_int_eq(coir_await(w.task, NULL), COIR_OK);
    ck_assert_int_eq(coir_group_count(g), 0);
    ck_assert_int_ge(started, MEMBERS);
    ck_assert_int_eq(started, ended);
    ck_assert_int_eq(w.result, first_failure);
    finish();
}

START_TEST(in_every_order_the_first_failure_counts_and_all_tasks_end)
{
    for (uint64_t seed = 1; seed <= seeds(); seed++)
        run_at_random(seed);
}
END_TEST

static void *cancel_the_group(void *t)
{
    coir_sleep(random_below(12));
    coir_task_cancel(t);
    return NULL;
}

START_TEST(in_every_order_a_cancelled_wait_outlasts_all_tasks)
{
    for (uint64_t seed = 1; seed <= seeds(); seed++) {
        waiting w;
        coir_task *canceller;
        random_state = (uint32_t)seed;
        started = ended = 0;
        begin(seed);
        for (int i = 0; i < MEMBERS; i++)
            add(i % 2 == 0 ? clean_up_for_20 : be_cancelled, NULL);
        begin_wait(&w, COIR_FOREVER);
        canceller = spawn(cancel_the_group, w.task);
        events[0] = '\0';
        expect_result(&w, COIR_ECANCELED);
        ck_assert_int_eq(coir_group_count(g), 0);
        ck_assert_uint_eq(strlen(events), (size_t)MEMBERS);
        ck_assert_int_eq(coir_await(canceller, NULL), COIR_OK);
        finish();
    }
}
END_TEST

T_MAIN(create_refuses_bad_arguments_and_touches_nothing, a_group_may_be_made_in_the_executor_that_runs,
       an_empty_group_is_waited_for_at_once, a_group_with_tasks_is_not_destroyed, a_task_cannot_destroy_its_own_group,
       a_group_is_destroyed_before_its_executor,
       a_group_that_nobody_waited_for_can_be_destroyed_when_its_tasks_have_ended, wait_lasts_until_all_tasks_have_ended,
       zero_and_above_and_coir_exit_are_success, tasks_start_when_their_turn_comes_in_their_order,
       a_group_may_be_used_again_after_a_wait, options_are_those_of_its_fiber,
       spawn_refuses_bad_arguments_and_adds_nothing, null_is_not_a_group,
       tasks_of_the_group_start_more_and_all_are_waited_for, a_task_may_start_another_at_its_very_end,
       a_group_holds_many_tasks, a_negative_code_fails_the_group_and_cancels_the_others, the_first_failure_counts,
       fail_cancels_all_tasks, fail_needs_a_negative_code, an_empty_group_can_fail,
       a_group_can_fail_after_all_its_tasks_have_ended, tasks_are_cancelled_in_the_order_in_which_they_were_spawned,
       a_task_may_fail_its_group_and_is_cancelled_too, a_deferred_function_may_fail_the_group,
       a_posted_function_may_fail_the_group, a_group_that_has_failed_starts_no_more,
       a_task_of_a_failed_group_starts_no_more, a_failed_group_is_waited_for_until_its_tasks_have_cleaned_up,
       a_task_that_had_not_started_when_the_group_failed_starts_all_the_same,
       the_code_of_a_task_that_was_cancelled_fails_the_group, a_task_that_ignores_its_cancel_succeeds,
       other_tasks_of_the_executor_are_not_cancelled, a_wait_that_times_out_leaves_the_tasks_at_work,
       a_deadline_that_has_passed_tries_once, after_a_timeout_the_caller_may_fail_the_group,
       a_group_that_ends_before_the_deadline_is_in_time, cancel_of_the_waiting_task_fails_the_group_and_it_waits_on,
       a_task_that_was_cancelled_before_fails_the_group_and_waits,
       a_cancel_after_the_first_failure_does_not_change_its_code, under_a_shield_a_cancel_does_not_fail_the_group,
       a_cancel_by_the_last_task_of_the_group_fails_it_too, a_cancel_after_the_last_task_has_ended_is_for_the_next_wait,
       the_failure_of_an_inner_group_goes_up_with_its_code, the_failure_of_an_outer_group_goes_down_and_nothing_is_left,
       a_task_cannot_wait_for_its_own_group, a_nested_fiber_waits_for_a_group, outside_of_tasks_wait_runs_the_executor,
       a_plain_fiber_outside_of_tasks_waits_likewise, outside_of_tasks_a_wait_times_out,
       outside_of_tasks_a_wait_for_ever_is_a_deadlock, outside_of_tasks_stop_ends_a_wait, a_posted_function_cannot_wait,
       a_task_of_another_executor_waits_for_the_group, in_a_fiber_that_is_ending_only_what_has_ended_is_waited_for,
       another_threads_group_cannot_be_used, a_group_left_by_a_thread_that_has_ended_can_only_be_destroyed,
       a_group_left_at_work_is_destroyed_after_its_tasks_and_before_its_executor,
       in_every_order_the_first_failure_counts_and_all_tasks_end, in_every_order_a_cancelled_wait_outlasts_all_tasks)
