/* SPDX-License-Identifier: MIT */
/* Executors: how they run and stop, posts, pollers, deadlocks, seeds, clocks, nesting, threads, and their end. */

#include "t.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "executors.h"

static void *note_twice(void *text)
{
    event(text);
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    event(text);
    return text;
}

static coir_exec *make(const coir_exec_options *opt)
{
    coir_exec *e = NULL;

    ck_assert_int_eq(coir_exec_create(&e, opt), COIR_OK);
    ck_assert_ptr_nonnull(e);
    return e;
}

static coir_exec *make_virtual(void)
{
    const coir_exec_options opt = {.flags = COIR_VIRTUAL_CLOCK};

    return make(&opt);
}

static coir_task *spawn_named(coir_exec *e, coir_fn *fn, void *arg, const char *name)
{
    const coir_options opt = {.name = name};
    coir_task *t = NULL;

    ck_assert_int_eq(coir_spawn(&t, e, fn, arg, &opt), COIR_OK);
    return t;
}

static void destroy(coir_exec *e)
{
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}

static void run_and_destroy(coir_exec *e)
{
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    destroy(e);
}

/* ---- making one ---- */

START_TEST(an_executor_without_tasks_has_nothing_to_run)
{
    coir_exec *e = make(NULL);
    ck_assert_int_eq(coir_exec_tasks(e), 0);
    ck_assert_int_eq(coir_exec_next_deadline(e), COIR_FOREVER);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_OK);
    ck_assert_int_eq(coir_exec_run_once_until(e, COIR_FOREVER), COIR_OK);
    destroy(e);
    ck_assert_int_eq(coir_exec_destroy(NULL), COIR_OK);
}
END_TEST

static int64_t standing_clock(void *context)
{
    return *(int64_t *)context;
}

static int return_zero(void *context, int64_t deadline)
{
    (void)deadline;
    return *(int *)context * 0;
}

static void do_nothing(void *context)
{
    (void)context;
}

static int is_never_active(void *context)
{
    return *(int *)context * 0;
}

static int poller_number = 1;
static const coir_poller plain_poller = {return_zero, do_nothing, is_never_active, &poller_number};

static int create_error(const coir_exec_options *opt)
{
    coir_exec *e = T_VALUE(99);
    int error = coir_exec_create(&e, opt);

    ck_assert_ptr_eq(e, T_VALUE(99));
    return error;
}

START_TEST(unknown_flags_and_reserved_members_are_invalid)
{
    int64_t now = 0;
    coir_exec_options flag = {.flags = 2}, high = {.flags = 1u << 31}, both = {.flags = COIR_VIRTUAL_CLOCK | 4};
    coir_exec_options reserved_flags = {.reserved_flags = 1};
    coir_exec_options clocks = {.flags = COIR_VIRTUAL_CLOCK, .clock = standing_clock, .clock_context = &now};
    ck_assert_int_eq(coir_exec_create(NULL, NULL), COIR_EINVAL);
    ck_assert_int_eq(create_error(&flag), COIR_EINVAL);
    ck_assert_int_eq(create_error(&high), COIR_EINVAL);
    ck_assert_int_eq(create_error(&both), COIR_EINVAL);
    ck_assert_int_eq(create_error(&reserved_flags), COIR_EINVAL);
    ck_assert_int_eq(create_error(&clocks), COIR_EINVAL);
    for (int i = 0; i < 4; i++) {
        coir_exec_options reserved = {0};
        reserved.reserved[i] = &now;
        ck_assert_int_eq(create_error(&reserved), COIR_EINVAL);
    }
}
END_TEST

START_TEST(a_poller_needs_all_its_functions)
{
    coir_poller poller = plain_poller;
    const coir_exec_options opt = {.poller = &poller};
    poller.wait = NULL;
    ck_assert_int_eq(create_error(&opt), COIR_EINVAL);
    poller = plain_poller;
    poller.wake = NULL;
    ck_assert_int_eq(create_error(&opt), COIR_EINVAL);
    poller = plain_poller;
    poller.active = NULL;
    ck_assert_int_eq(create_error(&opt), COIR_EINVAL);
    poller = plain_poller;
    destroy(make(&opt));
}
END_TEST

START_TEST(options_and_poller_are_not_needed_after_the_call)
{
    int64_t now = 77;
    coir_poller poller = plain_poller;
    coir_exec_options opt = {.clock = standing_clock, .clock_context = &now, .poller = &poller};
    coir_exec *e = make(&opt);
    memset(&poller, 0, sizeof poller);
    memset(&opt, 0xff, sizeof opt);
    ck_assert_int_eq(coir_exec_now(e), 77);
    spawn_detached(e, note_twice, "a");
    run_and_destroy(e);
    ck_assert_str_eq(events, "aa");
}
END_TEST

START_TEST(options_of_all_zeros_are_the_defaults)
{
    const coir_exec_options opt = {0};
    coir_exec *e = make(&opt);
    spawn_detached(e, note_and_return, "a");
    run_and_destroy(e);
    ck_assert_str_eq(events, "a");
}
END_TEST

START_TEST(an_executor_without_a_backend_is_not_supported)
{
    t_setenv("COIR_BACKEND", "quantum");
    ck_assert_int_eq(create_error(NULL), COIR_ENOTSUP);
    t_setenv("COIR_BACKEND", NULL);
}
END_TEST

START_TEST(null_is_no_executor)
{
    ck_assert_int_eq(coir_exec_run(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_exec_run_once_until(NULL, 0), COIR_EINVAL);
    ck_assert_int_eq(coir_exec_stop(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_exec_next_deadline(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_exec_now(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_exec_tasks(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_exec_cancel(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_exec_post(NULL, note, "a"), COIR_EINVAL);
    ck_assert_int_eq(coir_exec_hold(NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_exec_release(NULL), COIR_EINVAL);
}
END_TEST

static bool hook_saw_the_executor;

static void look_for_the_executor(coir_fiber *from, coir_fiber *to, void *context)
{
    const char *left = coir_fiber_name(from), *entered = coir_fiber_name(to);

    (void)context;
    if ((left != NULL && strcmp(left, "coir_exec") == 0) || (entered != NULL && strcmp(entered, "coir_exec") == 0))
        hook_saw_the_executor = true;
}

START_TEST(switch_hooks_see_the_executors_own_fiber)
{
    coir_exec *e = make_virtual();
    ck_assert_int_eq(coir_set_switch_hook(look_for_the_executor, NULL), COIR_OK);
    spawn_detached(e, sleep_100, "a");
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_set_switch_hook(NULL, NULL), COIR_OK);
    destroy(e);
    ck_assert(hook_saw_the_executor);
}
END_TEST

static coir_task *neighbours[2];
static int direct_changes;

static void count_direct_changes(coir_fiber *from, coir_fiber *to, void *context)
{
    const coir_fiber *first = coir_task_fiber(neighbours[0]), *second = coir_task_fiber(neighbours[1]);

    direct_changes += (from == first && to == second) || (from == second && to == first);
    (void)context;
}

static void *yield_50_times(void *arg)
{
    for (int i = 0; i < 50; i++)
        coir_task_yield();
    return arg;
}

START_TEST(a_task_that_suspends_goes_straight_on_with_the_next)
{
    coir_exec *e = make(NULL);
    neighbours[0] = spawn(e, yield_50_times, NULL);
    neighbours[1] = spawn(e, yield_50_times, NULL);
    ck_assert_int_eq(coir_set_switch_hook(count_direct_changes, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_set_switch_hook(NULL, NULL), COIR_OK);
    ck_assert_int_gt(direct_changes, 80); /* of about 100 */
    ck_assert_int_eq(coir_await_all(neighbours, 2, NULL), COIR_OK);
    destroy(e);
}
END_TEST

/* ---- memory ---- */

static struct {
    long outstanding;
    long allowed; /* so many more; negative: no limit */
} memory = {0, -1};

static void *allocate(size_t size, void *context)
{
    (void)context;
    if (memory.allowed == 0)
        return NULL;
    memory.allowed -= memory.allowed > 0;
    memory.outstanding++;
    return malloc(size);
}

static void release(void *block, size_t size, void *context)
{
    (void)context;
    (void)size;
    memory.outstanding--;
    free(block);
}

static void count_memory(void)
{
    const coir_allocator counting = {.allocate = allocate, .release = release};

    ck_assert_int_eq(coir_set_allocator(&counting), COIR_OK);
}

static coir_exec *create_with_ever_more_memory(void)
{
    for (memory.allowed = 0; memory.allowed < 100; memory.allowed++) {
        coir_exec *e = T_VALUE(99);
        long allowed = memory.allowed;
        int error = coir_exec_create(&e, NULL);
        memory.allowed = allowed;
        if (error == COIR_OK)
            return e;
        ck_assert_int_eq(error, COIR_ENOMEM);
        ck_assert_ptr_eq(e, T_VALUE(99));
    }
    return NULL;
}

static void spawn_with_ever_more_memory(coir_exec *e)
{
    coir_task *t = T_VALUE(99);
    int error = COIR_ENOMEM;

    for (long allowed = 0; error != COIR_OK && allowed < 100; allowed++) {
        ck_assert_int_eq(error, COIR_ENOMEM);
        ck_assert_ptr_eq(t, T_VALUE(99));
        ck_assert_int_eq(coir_exec_tasks(e), 0);
        memory.allowed = allowed;
        error = coir_spawn(&t, e, note_and_return, "spawned", NULL);
    }
    ck_assert_int_eq(error, COIR_OK);
    ck_assert_int_eq(coir_task_detach(t), COIR_OK);
}

static void post_with_ever_more_memory(coir_exec *e)
{
    int error = COIR_ENOMEM;

    for (long allowed = 0; error != COIR_OK && allowed < 100; allowed++) {
        ck_assert_int_eq(error, COIR_ENOMEM);
        memory.allowed = allowed;
        error = coir_exec_post(e, note, "posted ");
    }
    ck_assert_int_eq(error, COIR_OK);
}

START_TEST(want_of_memory_is_reported_and_changes_nothing)
{
    coir_exec *e;
    count_memory();
    e = create_with_ever_more_memory();
    ck_assert_ptr_nonnull(e);
    spawn_with_ever_more_memory(e);
    post_with_ever_more_memory(e);
    memory.allowed = -1;
    run_and_destroy(e);
    ck_assert_str_eq(events, "posted spawned");
}
END_TEST

static void *sleep_in_a_fiber(void *arg)
{
    ck_assert_int_eq(coir_sleep(5), COIR_OK);
    return arg;
}

static void *wait_in_every_way(void *others)
{
    coir_task *const *t = others;
    coir_fiber *inner = t_create(sleep_in_a_fiber, NULL);
    size_t which;
    memory.allowed = 0;
    ck_assert_int_eq(coir_sleep(10), COIR_OK);
    ck_assert_int_eq(coir_sleep_until(20), COIR_OK);
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    ck_assert_int_eq(coir_task_park_until(coir_now() + 10), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_resume(inner, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(coir_await_until(t[0], coir_now() + 10, NULL), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_await_any(t, 3, &which), COIR_OK);
    ck_assert_int_eq(coir_await(t[0], NULL), COIR_OK);
    ck_assert_int_eq(coir_await_all(t + 1, 2, NULL), COIR_OK);
    ck_assert_int_eq(coir_destroy(inner), COIR_OK);
    return NULL;
}

START_TEST(no_call_that_waits_needs_memory)
{
    coir_exec *e;
    coir_task *others[3];
    count_memory();
    e = make_virtual();
    spawn_detached(e, wait_in_every_way, others);
    for (int i = 0; i < 3; i++)
        others[i] = spawn(e, sleep_100, ".");
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    memory.allowed = -1;
    destroy(e);
    ck_assert_str_eq(events, "...");
}
END_TEST

START_TEST(detached_tasks_and_posts_leave_no_memory_behind)
{
    coir_exec *e;
    long outstanding = 0;
    count_memory();
    e = make_virtual();
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 30; i++) {
            spawn_detached(e, sleep_100, "");
            ck_assert_int_eq(coir_exec_post(e, note, ""), COIR_OK);
        }
        ck_assert_int_eq(coir_exec_run(e), COIR_OK);
        if (round == 1)
            outstanding = memory.outstanding;
    }
    ck_assert_int_le(memory.outstanding, outstanding);
    destroy(e);
}
END_TEST

/* ---- running ---- */

START_TEST(tasks_run_in_the_order_in_which_they_were_spawned)
{
    coir_exec *e = make(NULL);
    spawn_detached(e, note_twice, "a");
    spawn_detached(e, note_twice, "b");
    spawn_detached(e, note_twice, "c");
    ck_assert_str_eq(events, ""); /* they start when their turn comes */
    ck_assert_int_eq(coir_exec_tasks(e), 3);
    run_and_destroy(e);
    ck_assert_str_eq(events, "abcabc");
}
END_TEST

static void *spawn_in_a_task(void *arg)
{
    event("(");
    spawn_detached(NULL, note_and_return, "child");
    event(")");
    return arg;
}

START_TEST(run_goes_on_until_the_tasks_of_tasks_have_ended)
{
    coir_exec *e = make(NULL);
    spawn_detached(e, spawn_in_a_task, NULL);
    spawn_detached(e, spawn_in_a_task, NULL);
    run_and_destroy(e);
    ck_assert_str_eq(events, "()()childchild");
}
END_TEST

START_TEST(an_executor_runs_again_and_again)
{
    coir_exec *e = make(NULL);
    for (int i = 0; i < 3; i++) {
        spawn_detached(e, note_twice, "a");
        ck_assert_int_eq(coir_exec_run(e), COIR_OK);
        ck_assert_int_eq(coir_exec_tasks(e), 0);
    }
    destroy(e);
    ck_assert_str_eq(events, "aaaaaa");
}
END_TEST

static coir_exec *running; /* the executor of the case, where a task needs it */

static void *run_it_again(void *arg)
{
    ck_assert_int_eq(coir_exec_run(running), COIR_EBUSY);
    ck_assert_int_eq(coir_exec_run_once_until(running, 0), COIR_EBUSY);
    ck_assert_int_eq(coir_exec_destroy(running), COIR_EBUSY);
    event("refused ");
    return arg;
}

static void post_run_it_again(void *arg)
{
    run_it_again(arg);
}

START_TEST(an_executor_that_runs_is_not_run_again)
{
    running = make(NULL);
    spawn_detached(running, run_it_again, NULL);
    ck_assert_int_eq(coir_exec_post(running, post_run_it_again, NULL), COIR_OK);
    run_and_destroy(running);
    ck_assert_str_eq(events, "refused refused ");
}
END_TEST

static coir_fiber *runner;

static void *misuse_the_runner(void *arg)
{
    ck_assert_int_eq(coir_resume(runner, NULL, NULL), COIR_EBUSY);
    ck_assert_int_eq(coir_cancel(runner, NULL), COIR_EBUSY);
    ck_assert_int_eq(coir_destroy(runner), COIR_EBUSY);
    ck_assert_int_eq(coir_fiber_state(runner), COIR_STATE_RESUMING);
    ck_assert_ptr_eq(coir_self(), coir_task_fiber(coir_task_self()));
    event("task ");
    return arg;
}

static void *run_in_a_fiber(void *arg)
{
    ck_assert_ptr_null(coir_exec_current());
    ck_assert_int_eq(coir_exec_run(running), COIR_OK);
    ck_assert_ptr_eq(coir_self(), runner);
    ck_assert_int_eq(coir_fiber_state(runner), COIR_STATE_RUNNING);
    coir_yield(NULL, NULL);
    return arg;
}

START_TEST(a_fiber_may_run_an_executor)
{
    running = make_virtual();
    runner = t_create(run_in_a_fiber, NULL);
    spawn_detached(running, misuse_the_runner, NULL);
    spawn_detached(running, sleep_100, "sleeper");
    ck_assert_int_eq(coir_resume(runner, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(coir_resume(runner, NULL, NULL), COIR_DONE);
    coir_destroy(runner);
    destroy(running);
    ck_assert_str_eq(events, "task sleeper");
}
END_TEST

static void suspend_the_runner(void *arg)
{
    coir_fiber *f = t_create(note_and_return, "not run");
    void *result = T_VALUE(99);
    ck_assert_ptr_eq(coir_self(), runner);
    ck_assert_int_eq(coir_yield(NULL, &result), COIR_EBUSY);
    ck_assert_int_eq(coir_switch(f, NULL, &result), COIR_EBUSY);
    ck_assert_int_eq(T_NUMBER(result), 99);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    event("refused");
    (void)arg;
}

START_TEST(a_posted_function_cannot_suspend_the_fiber_that_runs_the_executor)
{
    running = make(NULL);
    runner = t_create(run_in_a_fiber, NULL);
    coir_exec_post(running, suspend_the_runner, NULL);
    ck_assert_int_eq(coir_resume(runner, NULL, NULL), COIR_YIELDED);
    ck_assert_str_eq(events, "refused");
    ck_assert_int_eq(coir_resume(runner, NULL, NULL), COIR_DONE);
    coir_destroy(runner);
    destroy(running);
}
END_TEST

static void resume_a_fiber_in_a_post(void *f)
{
    ck_assert_ptr_null(coir_self());
    ck_assert_int_eq(coir_yield(NULL, NULL), COIR_ENOTFIBER);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    event("resumed");
}

START_TEST(a_posted_function_may_resume_fibers)
{
    coir_exec *e = make(NULL);
    coir_fiber *f = t_create(note_and_return, "fiber ");
    coir_exec_post(e, resume_a_fiber_in_a_post, f);
    run_and_destroy(e);
    ck_assert_str_eq(events, "fiber resumed");
    coir_destroy(f);
}
END_TEST

/* ---- turns ---- */

START_TEST(in_a_turn_each_ready_task_runs_once)
{
    coir_exec *e = make(NULL);
    spawn_detached(e, note_twice, "a");
    spawn_detached(e, note_twice, "b");
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_str_eq(events, "ab");
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_OK);
    ck_assert_str_eq(events, "abab");
    destroy(e);
}
END_TEST

START_TEST(tasks_spawned_in_a_turn_run_in_the_next)
{
    coir_exec *e = make(NULL);
    spawn_detached(e, spawn_in_a_task, NULL);
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_str_eq(events, "()");
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_OK);
    ck_assert_str_eq(events, "()child");
    destroy(e);
}
END_TEST

static coir_task *parked, *other_task; /* tasks that a case is about, where others need them */

static void *wake_the_parked_one(void *text)
{
    event(text);
    ck_assert_int_eq(coir_task_wake(parked), COIR_OK);
    return NULL;
}

START_TEST(what_a_task_of_the_turn_makes_ready_waits_for_the_next)
{
    coir_exec *e = make(NULL);
    parked = spawn(e, park, "parked ");
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    spawn_detached(e, wake_the_parked_one, "waker ");
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_str_eq(events, "waker ");
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_OK);
    ck_assert_str_eq(events, "waker parked ");
    destroy(e);
}
END_TEST

static void spawn_in_a_post(void *text)
{
    event("post ");
    spawn_detached(NULL, note_and_return, text); /* NULL: the one that runs */
}

START_TEST(what_posts_make_ready_is_part_of_the_turn)
{
    coir_exec *e = make(NULL);
    spawn_detached(e, note_and_return, "first ");
    ck_assert_int_eq(coir_exec_post(e, spawn_in_a_post, "second "), COIR_OK);
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_OK);
    ck_assert_str_eq(events, "post first second ");
    destroy(e);
}
END_TEST

START_TEST(what_timers_make_ready_is_part_of_the_turn)
{
    int64_t now = 1000;
    const coir_exec_options opt = {.clock = standing_clock, .clock_context = &now};
    coir_exec *e = make(&opt);
    spawn_detached(e, sleep_100, "slept");
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_str_eq(events, "");
    now = 1100;
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_OK);
    ck_assert_str_eq(events, "slept");
    destroy(e);
}
END_TEST

START_TEST(a_turn_with_nothing_ready_waits_for_a_timer)
{
    coir_exec *e = make_virtual();
    spawn_detached(e, sleep_100, "slept");
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT); /* it goes to sleep */
    ck_assert_int_eq(coir_exec_run_once_until(e, 100), COIR_OK);
    ck_assert_str_eq(events, "slept");
    ck_assert_int_eq(coir_exec_now(e), 100);
    destroy(e);
}
END_TEST

START_TEST(a_turn_does_not_wait_beyond_its_deadline)
{
    coir_exec *e = make_virtual();
    spawn_detached(e, sleep_100, "slept");
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT); /* 0 does not wait */
    ck_assert_int_eq(coir_exec_now(e), 0);
    ck_assert_int_eq(coir_exec_run_once_until(e, 99), COIR_TASKS_LEFT);
    ck_assert_int_le(coir_exec_now(e), 99);
    ck_assert_str_eq(events, "");
    ck_assert_int_eq(coir_exec_run_once_until(e, COIR_FOREVER), COIR_OK);
    ck_assert_int_eq(coir_exec_now(e), 100);
    ck_assert_str_eq(events, "slept");
    destroy(e);
}
END_TEST

START_TEST(a_turn_that_has_run_something_does_not_wait)
{
    coir_exec *e = make_virtual();
    spawn_detached(e, sleep_100, "slept");
    ck_assert_int_eq(coir_exec_run_once_until(e, COIR_FOREVER), COIR_TASKS_LEFT);
    ck_assert_str_eq(events, "");
    ck_assert_int_eq(coir_exec_now(e), 0);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    destroy(e);
}
END_TEST

START_TEST(an_executor_can_live_in_somebody_elses_loop)
{
    int64_t now = 5;
    const coir_exec_options opt = {.clock = standing_clock, .clock_context = &now};
    coir_exec *e = make(&opt);
    int turns = 0;
    spawn_detached(e, sleep_100, "a");
    spawn_detached(e, note_twice, "b");
    while (coir_exec_run_once_until(e, 0) == COIR_TASKS_LEFT) {
        int64_t next = coir_exec_next_deadline(e);
        ck_assert_int_lt(++turns, 10);
        if (next > now)
            now = next;
    }
    ck_assert_str_eq(events, "bba");
    ck_assert_int_eq(now, 105);
    destroy(e);
}
END_TEST

/* ---- stopping ---- */

static void *stop_and_yield(void *text)
{
    ck_assert_int_eq(coir_exec_stop(coir_exec_current()), COIR_OK);
    event(text); /* it returns when the task suspends, not before */
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    event(text);
    return NULL;
}

START_TEST(stop_makes_run_return_when_the_task_suspends)
{
    coir_exec *e = make(NULL);
    spawn_detached(e, stop_and_yield, "a");
    spawn_detached(e, note_and_return, "b");
    ck_assert_int_eq(coir_exec_run(e), COIR_TASKS_LEFT);
    ck_assert_str_eq(events, "a");
    ck_assert_int_eq(coir_exec_tasks(e), 2);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK); /* it was for one run */
    ck_assert_str_eq(events, "aba");
    destroy(e);
}
END_TEST

START_TEST(stop_makes_a_turn_return_when_the_task_suspends)
{
    coir_exec *e = make(NULL);
    spawn_detached(e, stop_and_yield, "a");
    spawn_detached(e, note_and_return, "b");
    ck_assert_int_eq(coir_exec_run_once_until(e, COIR_FOREVER), COIR_TASKS_LEFT);
    ck_assert_str_eq(events, "a");
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_OK);
    ck_assert_str_eq(events, "aba");
    destroy(e);
}
END_TEST

static void *stop_and_end(void *text)
{
    ck_assert_int_eq(coir_exec_stop(coir_exec_current()), COIR_OK);
    ck_assert_int_eq(coir_exec_stop(coir_exec_current()), COIR_OK); /* twice is as once */
    event(text);
    return NULL;
}

START_TEST(stop_makes_run_return_when_the_task_ends)
{
    coir_exec *e = make(NULL);
    spawn_detached(e, stop_and_end, "a");
    spawn_detached(e, note_and_return, "b");
    ck_assert_int_eq(coir_exec_run(e), COIR_TASKS_LEFT);
    ck_assert_str_eq(events, "a");
    run_and_destroy(e);
    ck_assert_str_eq(events, "ab");
}
END_TEST

START_TEST(a_stop_with_no_task_left_is_ok)
{
    coir_exec *e = make(NULL);
    spawn_detached(e, stop_and_end, "a");
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_exec_stop(e), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    destroy(e);
}
END_TEST

static void *stop_in_a_fiber_of_a_task(void *arg)
{
    coir_fiber *inner = t_create(stop_and_yield, arg);
    ck_assert_int_eq(coir_resume(inner, NULL, NULL), COIR_DONE);
    coir_destroy(inner);
    return NULL;
}

START_TEST(a_fiber_of_a_task_may_stop_the_executor)
{
    coir_exec *e = make(NULL);
    spawn_detached(e, stop_in_a_fiber_of_a_task, "a");
    spawn_detached(e, note_and_return, "b");
    ck_assert_int_eq(coir_exec_run(e), COIR_TASKS_LEFT);
    ck_assert_str_eq(events, "a");
    run_and_destroy(e);
    ck_assert_str_eq(events, "aba");
}
END_TEST

static void stop_in_a_post(void *text)
{
    event(text);
    ck_assert_int_eq(coir_exec_stop(coir_exec_current()), COIR_OK);
}

START_TEST(stop_makes_run_return_when_the_posted_function_returns)
{
    coir_exec *e = make(NULL);
    spawn_detached(e, note_and_return, "task");
    coir_exec_post(e, stop_in_a_post, "1");
    coir_exec_post(e, note, "2");
    ck_assert_int_eq(coir_exec_run(e), COIR_TASKS_LEFT);
    ck_assert_str_eq(events, "1");
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_str_eq(events, "12task");
    destroy(e);
}
END_TEST

START_TEST(a_stop_before_the_run_makes_the_next_return_at_once)
{
    coir_exec *e = make(NULL);
    void *result = T_VALUE(99);
    coir_task *t = spawn(e, note_and_return, "a");
    ck_assert_int_eq(coir_exec_stop(e), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_exec_stop(e), COIR_OK);
    ck_assert_int_eq(coir_exec_run_once_until(e, COIR_FOREVER), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_exec_stop(e), COIR_OK);
    ck_assert_int_eq(coir_await(t, &result), COIR_EAGAIN);
    ck_assert_int_eq(T_NUMBER(result), 99);
    ck_assert_str_eq(events, "");
    ck_assert_int_eq(coir_await(t, &result), COIR_OK);
    ck_assert_str_eq(events, "a");
    destroy(e);
}
END_TEST

START_TEST(a_stop_ends_an_await_outside_of_tasks)
{
    coir_exec *e = make(NULL);
    void *result = T_VALUE(99);
    coir_task *t;
    spawn_detached(e, stop_and_yield, "s");
    t = spawn(e, note_twice, "a");
    ck_assert_int_eq(coir_await(t, &result), COIR_EAGAIN);
    ck_assert_int_eq(T_NUMBER(result), 99);
    ck_assert_str_eq(events, "s");
    ck_assert_int_eq(coir_await(t, &result), COIR_OK); /* it was not freed */
    ck_assert_str_eq(result, "a");
    ck_assert_str_eq(events, "sasa");
    run_and_destroy(e);
}
END_TEST

static void *post_a_stop(void *e)
{
    ck_assert_int_eq(coir_exec_post(e, stop_in_a_post, "stop"), COIR_OK);
    return NULL;
}

START_TEST(another_thread_stops_an_executor_by_a_post)
{
    coir_exec *e = make(NULL);
    coir_task *t = spawn(e, park, "woken");
    t_thread *thread;
    ck_assert_int_eq(coir_exec_hold(e), COIR_OK);
    thread = t_thread_start(post_a_stop, e);
    ck_assert_int_eq(coir_exec_run(e), COIR_TASKS_LEFT);
    t_thread_join(thread);
    ck_assert_str_eq(events, "stop");
    ck_assert_int_eq(coir_exec_release(e), COIR_OK);
    ck_assert_int_eq(coir_task_wake(t), COIR_OK);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    destroy(e);
}
END_TEST

/* ---- questions ---- */

static void *note_next_deadline(void *expected)
{
    ck_assert_int_eq(coir_exec_next_deadline(coir_exec_current()), *(int64_t *)expected);
    return NULL;
}

START_TEST(next_deadline_is_now_or_the_earliest_timer_or_never)
{
    int64_t forever = COIR_FOREVER, now = 1000;
    const coir_exec_options opt = {.clock = standing_clock, .clock_context = &now};
    coir_exec *e = make(&opt);
    coir_task *sleeper;
    spawn_detached(e, note_next_deadline, &forever); /* a task that runs is not one that is ready */
    ck_assert_int_eq(coir_exec_next_deadline(e), 0);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_exec_next_deadline(e), COIR_FOREVER);
    sleeper = spawn(e, sleep_100, "a");
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_exec_next_deadline(e), 1100);
    now = 1050;
    spawn_detached(e, sleep_100, "b");
    ck_assert_int_eq(coir_exec_next_deadline(e), 0);
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_exec_next_deadline(e), 1100);
    now = 1100;
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_exec_next_deadline(e), 1150);
    coir_exec_post(e, note, "p");
    ck_assert_int_eq(coir_exec_next_deadline(e), 0);
    now = 1150;
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_OK);
    ck_assert_int_eq(coir_exec_next_deadline(e), COIR_FOREVER);
    ck_assert_int_eq(coir_await(sleeper, NULL), COIR_OK);
    destroy(e);
    ck_assert_str_eq(events, "apb");
}
END_TEST

static void *sleep_or_be_cancelled(void *text)
{
    if (coir_sleep(100) == COIR_ECANCELED)
        event("cancelled ");
    else
        event(text);
    return NULL;
}

START_TEST(the_timer_of_a_wait_that_was_cancelled_is_gone)
{
    coir_exec *e = make_virtual();
    coir_task *t = spawn(e, sleep_or_be_cancelled, "slept ");
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_exec_next_deadline(e), 100);
    ck_assert_int_eq(coir_task_cancel(t), COIR_OK);
    ck_assert_int_eq(coir_exec_next_deadline(e), 0);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_next_deadline(e), COIR_FOREVER);
    ck_assert_int_eq(coir_exec_now(e), 0);
    ck_assert_str_eq(events, "cancelled ");
    destroy(e);
}
END_TEST

static void *count_the_tasks(void *e)
{
    ck_assert_int_eq(coir_exec_tasks(e), 2); /* it counts until it has ended */
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    ck_assert_int_eq(coir_exec_tasks(e), 1);
    return NULL;
}

START_TEST(tasks_are_counted_until_they_end)
{
    coir_exec *e = make(NULL);
    coir_task *t = spawn(e, note_and_return, "a");
    ck_assert_int_eq(coir_exec_tasks(e), 1);
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_OK);
    ck_assert_int_eq(coir_exec_tasks(e), 0); /* whether it is awaited or not */
    spawn_detached(e, count_the_tasks, e);
    spawn_detached(e, note_and_return, "b");
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    destroy(e);
}
END_TEST

static void *wait_in_vain(void *wait)
{
    int error = T_NUMBER(wait) == 0 ? coir_task_park() : T_NUMBER(wait) == 1 ? coir_sleep(100) : coir_task_yield();
    ck_assert_int_eq(error, COIR_ECANCELED);
    event("c");
    return NULL;
}

static void *cancel_all(void *e)
{
    ck_assert_int_eq(coir_exec_cancel(e), COIR_OK);
    ck_assert_int_eq(coir_task_yield(), COIR_ECANCELED); /* itself with the others */
    event("all");
    return NULL;
}

START_TEST(an_executor_cancels_all_its_tasks)
{
    coir_exec *e = make_virtual();
    spawn_detached(e, wait_in_vain, T_VALUE(0));
    spawn_detached(e, wait_in_vain, T_VALUE(1));
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    spawn_detached(e, wait_in_vain, T_VALUE(2)); /* one that has not started starts all the same */
    ck_assert_int_eq(coir_exec_cancel(e), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_str_eq(events, "ccc");
    ck_assert_int_eq(coir_exec_now(e), 0);
    spawn_detached(e, note_twice, "."); /* those that come later are not concerned */
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    spawn_detached(e, cancel_all, e);
    spawn_detached(e, wait_in_vain, T_VALUE(0));
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_str_eq(events, "ccc..allc");
    ck_assert_int_eq(coir_exec_cancel(e), COIR_OK); /* none is no error */
    destroy(e);
}
END_TEST

static void *yield_and_park(void *text)
{
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    ck_assert_int_eq(coir_task_park(), COIR_ECANCELED);
    event(text);
    return NULL;
}

static void *park_in_vain(void *text)
{
    ck_assert_int_eq(coir_task_park(), COIR_ECANCELED);
    event(text);
    return NULL;
}

START_TEST(tasks_are_cancelled_in_the_order_in_which_they_were_spawned)
{
    coir_exec *e = make(NULL);
    spawn_detached(e, yield_and_park, "a");
    spawn_detached(e, park_in_vain, "b");
    spawn_detached(e, yield_and_park, "c");
    spawn_detached(e, park_in_vain, "d");
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT); /* they parked as b, d, a, c */
    ck_assert_int_eq(coir_exec_cancel(e), COIR_OK);
    run_and_destroy(e);
    ck_assert_str_eq(events, "abcd");
}
END_TEST

static void *check_current(void *e)
{
    ck_assert_ptr_eq(coir_exec_current(), e);
    event("t");
    return NULL;
}

static void *check_current_in_a_fiber(void *e)
{
    coir_fiber *inner = t_create(check_current, e);
    ck_assert_int_eq(coir_resume(inner, NULL, NULL), COIR_DONE);
    coir_destroy(inner);
    return NULL;
}

static void post_check_current(void *e)
{
    check_current(e);
}

START_TEST(the_executor_that_runs_is_the_current_one)
{
    coir_exec *e = make(NULL);
    coir_exec *other = make(NULL);
    ck_assert_ptr_null(coir_exec_current());
    spawn_detached(e, check_current, e);
    spawn_detached(e, check_current_in_a_fiber, e);
    coir_exec_post(e, post_check_current, e);
    ck_assert_ptr_null(coir_exec_current());
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_ptr_null(coir_exec_current());
    ck_assert_str_eq(events, "ttt");
    destroy(other);
    destroy(e);
}
END_TEST

/* ---- posts ---- */

static void *post_both(void *e)
{
    ck_assert_int_eq(coir_exec_post(e, note, "2"), COIR_OK);
    ck_assert_int_eq(coir_exec_post(e, note, "3"), COIR_OK);
    event("posted ");
    return NULL;
}

START_TEST(posted_functions_are_called_once_in_their_order)
{
    coir_exec *e = make(NULL);
    ck_assert_int_eq(coir_exec_post(e, note, "1"), COIR_OK);
    spawn_detached(e, post_both, e);
    ck_assert_str_eq(events, ""); /* not in the call */
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_str_eq(events, "1posted 23");
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_str_eq(events, "1posted 23");
    ck_assert_int_eq(coir_exec_post(e, NULL, NULL), COIR_EINVAL);
    destroy(e);
}
END_TEST

static void post_another(void *e)
{
    event("1");
    ck_assert_int_eq(coir_exec_post(e, note, "2"), COIR_OK);
}

START_TEST(what_a_posted_function_posts_is_called_in_the_next_turn)
{
    coir_exec *e = make(NULL);
    coir_task *t = spawn(e, park, "woken");
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    coir_exec_post(e, post_another, e);
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_str_eq(events, "1");
    ck_assert_int_eq(coir_exec_next_deadline(e), 0);
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_str_eq(events, "12");
    coir_exec_post(e, post_another, e); /* a whole run calls both */
    coir_task_wake(t);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_str_eq(events, "121woken2");
    coir_await(t, NULL);
    destroy(e);
}
END_TEST

START_TEST(run_does_not_end_before_all_posted_functions_were_called)
{
    coir_exec *e = make(NULL);
    coir_exec_post(e, post_another, e);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK); /* without any task */
    ck_assert_str_eq(events, "12");
    destroy(e);
}
END_TEST

static void *wait_then_note(void *arg)
{
    ck_assert_int_eq(coir_task_park(), COIR_OK);
    event("woken ");
    return arg;
}

START_TEST(whatever_runs_the_executor_calls_posted_functions)
{
    coir_exec *e = make_virtual();
    coir_task *t = spawn(e, sleep_100, "slept ");
    coir_exec_post(e, note, "await ");
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    coir_exec_post(e, note, "turn ");
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_OK);
    coir_exec_post(e, note, "run ");
    run_and_destroy(e);
    ck_assert_str_eq(events, "await slept turn run ");
}
END_TEST

static void do_all_that_does_not_wait(void *e)
{
    coir_task *t = spawn(NULL, note_and_return, "spawned ");
    ck_assert_ptr_null(coir_task_self());
    ck_assert_int_eq(coir_task_wake(parked), COIR_OK);
    ck_assert_int_eq(coir_task_cancel(other_task), COIR_OK);
    ck_assert_int_eq(coir_task_detach(t), COIR_OK);
    ck_assert_int_eq(coir_exec_hold(e), COIR_OK);
    ck_assert_int_eq(coir_exec_release(e), COIR_OK);
    ck_assert_int_eq(coir_exec_tasks(e), 3);
    ck_assert_int_eq(coir_exec_post(e, note, "posted "), COIR_OK);
    ck_assert_int_eq(coir_now(), 0);
}

START_TEST(a_posted_function_may_do_all_that_does_not_wait)
{
    coir_exec *e = make_virtual();
    parked = spawn(e, wait_then_note, NULL);
    other_task = spawn(e, sleep_or_be_cancelled, "slept ");
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    coir_exec_post(e, do_all_that_does_not_wait, e);
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_OK);
    ck_assert_str_eq(events, "spawned woken cancelled ");
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_str_eq(events, "spawned woken cancelled posted ");
    destroy(e);
}
END_TEST

static void try_to_wait(void *t)
{
    void *result = T_VALUE(99);
    size_t which = 99;
    coir_task *tasks[1] = {t};
    ck_assert_int_eq(coir_task_yield(), COIR_ENOTTASK);
    ck_assert_int_eq(coir_task_park(), COIR_ENOTTASK);
    ck_assert_int_eq(coir_task_park_until(0), COIR_ENOTTASK);
    ck_assert_int_eq(coir_sleep(0), COIR_ENOTTASK);
    ck_assert_int_eq(coir_sleep_until(0), COIR_ENOTTASK);
    ck_assert_int_eq(coir_task_shield(1), COIR_ENOTTASK);
    ck_assert_int_eq(coir_await(t, &result), COIR_EBUSY);
    ck_assert_int_eq(coir_await_until(t, 0, &result), COIR_EBUSY);
    ck_assert_int_eq(coir_await_all(tasks, 1, &result), COIR_EBUSY);
    ck_assert_int_eq(coir_await_any(tasks, 1, &which), COIR_EBUSY);
    ck_assert_int_eq(T_NUMBER(result), 99);
    ck_assert_uint_eq(which, 99);
    event("refused ");
}

START_TEST(a_posted_function_cannot_wait)
{
    coir_exec *e = make(NULL);
    coir_task *t = spawn(e, note_and_return, "a");
    coir_exec_post(e, try_to_wait, t);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_str_eq(events, "refused a");
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    destroy(e);
}
END_TEST

static void release_in_a_post(void *e)
{
    event("released");
    ck_assert_int_eq(coir_exec_release(e), COIR_OK);
}

static void *post_a_release(void *e)
{
    ck_assert_int_eq(coir_exec_post(e, release_in_a_post, e), COIR_OK);
    return NULL;
}

START_TEST(a_post_from_another_thread_wakes_an_executor_without_tasks)
{
    coir_exec *e = make(NULL);
    t_thread *thread;
    ck_assert_int_eq(coir_exec_hold(e), COIR_OK);
    thread = t_thread_start(post_a_release, e);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_str_eq(events, "released");
    t_thread_join(thread);
    destroy(e);
}
END_TEST

START_TEST(a_turn_waits_for_a_post)
{
    coir_exec *e = make(NULL);
    t_thread *thread;
    int turns = 0;
    ck_assert_int_eq(coir_exec_hold(e), COIR_OK);
    thread = t_thread_start(post_a_release, e);
    while (events[0] == '\0' && turns++ < 100)
        ck_assert_int_eq(coir_exec_run_once_until(e, COIR_FOREVER), COIR_OK);
    ck_assert_str_eq(events, "released");
    t_thread_join(thread);
    destroy(e);
}
END_TEST

static void cancel_in_a_post(void *t)
{
    ck_assert_int_eq(coir_task_cancel(t), COIR_OK);
}

static void *post_a_cancel(void *e)
{
    ck_assert_int_eq(coir_exec_post(e, cancel_in_a_post, parked), COIR_OK);
    return NULL;
}

static void *sleep_for_an_hour(void *arg)
{
    ck_assert_int_eq(coir_sleep(3600 * COIR_SECOND), COIR_ECANCELED);
    return arg;
}

START_TEST(a_post_from_another_thread_wakes_an_executor_that_sleeps)
{
    coir_exec *e = make(NULL);
    int rounds = t_instrumented() ? 5 : 50;
    for (int i = 0; i < rounds; i++) {
        t_thread *thread;
        parked = spawn(e, sleep_for_an_hour, NULL);
        thread = t_thread_start(post_a_cancel, e);
        ck_assert_int_eq(coir_await(parked, NULL), COIR_OK);
        t_thread_join(thread);
    }
    run_and_destroy(e);
}
END_TEST

enum { PEERS = 4, MOST_POSTS = 1000 };

static struct peer {
    coir_exec *e;
    int called;
    struct post {
        struct peer *peer;
        int order;
    } posts[MOST_POSTS];
} peers[PEERS];

static int posts_of_each(void)
{
    return t_instrumented() ? 50 : MOST_POSTS;
}

static void take_from_peer(void *place)
{
    struct post *post = place;

    post->order = ++post->peer->called;
    if (post->order == posts_of_each())
        coir_exec_release(post->peer->e);
}

static void *post_many(void *arg)
{
    struct peer *p = arg;

    for (int i = 0; i < posts_of_each(); i++) {
        p->posts[i].peer = p;
        if (coir_exec_post(p->e, take_from_peer, &p->posts[i]) != COIR_OK)
            return T_VALUE(1);
    }
    return NULL;
}

static int places_out_of_order(void)
{
    int wrong = 0;

    for (int n = 0; n < PEERS; n++)
        for (int i = 0; i < posts_of_each(); i++)
            wrong += peers[n].posts[i].order != i + 1;
    return wrong;
}

START_TEST(the_posts_of_each_thread_are_called_in_their_order)
{
    coir_exec *e = make(NULL);
    t_thread *threads[PEERS];
    for (int i = 0; i < PEERS; i++) {
        peers[i].e = e;
        ck_assert_int_eq(coir_exec_hold(e), COIR_OK);
        threads[i] = t_thread_start(post_many, &peers[i]);
    }
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    for (int i = 0; i < PEERS; i++)
        ck_assert_ptr_null(t_thread_join(threads[i]));
    ck_assert_int_eq(places_out_of_order(), 0);
    destroy(e);
}
END_TEST

/* Two executors in two threads that post to each other by turns; each sleeps while the other has the ball. */
static struct side {
    coir_exec *e;
    struct side *other;
    int left;
} sides[2];

static void catch_and_throw(void *arg)
{
    struct side *side = arg;

    ck_assert_ptr_eq(coir_exec_current(), side->e);
    side->left--;
    if (side->left > 0 || side == &sides[0]) /* the other side keeps the last ball */
        ck_assert_int_eq(coir_exec_post(side->other->e, catch_and_throw, side->other), COIR_OK);
    if (side->left == 0)
        ck_assert_int_eq(coir_exec_release(side->e), COIR_OK);
}

static atomic_int sides_ready;

static void *play(void *arg)
{
    struct side *side = arg;

    side->e = make(NULL);
    ck_assert_int_eq(coir_exec_hold(side->e), COIR_OK);
    atomic_fetch_add(&sides_ready, 1);
    return T_VALUE(coir_exec_run(side->e));
}

START_TEST(executors_in_two_threads_post_to_each_other)
{
    int rounds = t_instrumented() ? 20 : 1000;
    t_thread *threads[2];
    for (int i = 0; i < 2; i++) {
        sides[i].other = &sides[1 - i];
        sides[i].left = rounds;
        threads[i] = t_thread_start(play, &sides[i]);
    }
    while (atomic_load(&sides_ready) < 2)
        ;
    ck_assert_int_eq(coir_exec_post(sides[0].e, catch_and_throw, &sides[0]), COIR_OK);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(T_NUMBER(t_thread_join(threads[i])), COIR_OK);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(sides[i].left, 0);
        destroy(sides[i].e); /* its thread has ended */
    }
}
END_TEST

/* ---- who gets a look in while tasks are busy ---- */

static int steps, steps_at_post, steps_until_called;
static bool called;

static void note_the_step(void *arg)
{
    (void)arg;
    called = true;
    steps_until_called = steps - steps_at_post;
}

static void *post_at_step_10_and_go_on(void *e)
{
    while (!called && steps < 100000) {
        if (++steps == 10) {
            steps_at_post = steps;
            coir_exec_post(e, note_the_step, NULL);
        }
        coir_task_yield();
    }
    return NULL;
}

START_TEST(a_posted_function_waits_for_at_most_128_steps)
{
    coir_exec *e = make(NULL);
    spawn_detached(e, post_at_step_10_and_go_on, e);
    run_and_destroy(e);
    ck_assert(called);
    ck_assert_int_le(steps_until_called, 128);
}
END_TEST

START_TEST(a_posted_function_waits_for_at_most_a_round_of_a_long_queue)
{
    coir_exec *e = make(NULL);
    const coir_options small = {.stack_size = 65536};
    enum { LONG = 300 };
    for (int i = 0; i < LONG; i++)
        ck_assert_int_eq(coir_spawn(NULL, e, post_at_step_10_and_go_on, e, &small), COIR_OK);
    run_and_destroy(e);
    ck_assert(called);
    ck_assert_int_le(steps_until_called, LONG);
}
END_TEST

static int64_t moving_time;

static void *note_the_step_after_sleep(void *arg)
{
    ck_assert_int_eq(coir_sleep_until(1000), COIR_OK);
    note_the_step(NULL);
    return arg;
}

static void *move_the_clock_at_step_10_and_go_on(void *arg)
{
    while (!called && steps < 100000) {
        if (++steps == 10) {
            steps_at_post = steps;
            moving_time = 1000;
        }
        coir_task_yield();
    }
    return arg;
}

START_TEST(a_timer_waits_for_at_most_128_steps)
{
    const coir_exec_options opt = {.clock = standing_clock, .clock_context = &moving_time};
    coir_exec *e = make(&opt);
    spawn_detached(e, note_the_step_after_sleep, NULL);
    spawn_detached(e, move_the_clock_at_step_10_and_go_on, NULL);
    run_and_destroy(e);
    ck_assert(called);
    ck_assert_int_le(steps_until_called, 128 + 1); /* and its task's own turn */
}
END_TEST

/* ---- holding ---- */

START_TEST(each_hold_needs_a_release)
{
    coir_exec *e = make(NULL);
    ck_assert_int_eq(coir_exec_release(e), COIR_EINVAL);
    ck_assert_int_eq(coir_exec_hold(e), COIR_OK);
    ck_assert_int_eq(coir_exec_hold(e), COIR_OK);
    ck_assert_int_eq(coir_exec_release(e), COIR_OK);
    ck_assert_int_eq(coir_exec_post(e, release_in_a_post, e), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK); /* one hold was left until then */
    ck_assert_str_eq(events, "released");
    ck_assert_int_eq(coir_exec_release(e), COIR_EINVAL);
    destroy(e);
}
END_TEST

static void *sleep_and_release(void *e)
{
    ck_assert_int_eq(coir_sleep(100), COIR_OK);
    ck_assert_int_eq(coir_exec_release(e), COIR_OK);
    return NULL;
}

START_TEST(a_hold_does_not_stop_a_virtual_clock)
{
    coir_exec *e = make_virtual();
    ck_assert_int_eq(coir_exec_hold(e), COIR_OK);
    spawn_detached(e, sleep_and_release, e);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_exec_now(e), 100);
    destroy(e);
}
END_TEST

START_TEST(a_turn_of_a_held_executor_without_tasks_is_ok)
{
    coir_exec *e = make(NULL);
    ck_assert_int_eq(coir_exec_hold(e), COIR_OK);
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_OK);
    ck_assert_int_eq(coir_exec_next_deadline(e), COIR_FOREVER);
    ck_assert_int_eq(coir_exec_release(e), COIR_OK);
    destroy(e);
}
END_TEST

START_TEST(a_held_executor_is_not_destroyed)
{
    coir_exec *e = make(NULL);
    ck_assert_int_eq(coir_exec_hold(e), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_EBUSY);
    ck_assert_int_eq(coir_exec_release(e), COIR_OK);
    destroy(e);
}
END_TEST

static void wake_and_release(void *e)
{
    ck_assert_int_eq(coir_task_wake(parked), COIR_OK);
    ck_assert_int_eq(coir_exec_release(e), COIR_OK);
}

static void *post_a_wake(void *e)
{
    ck_assert_int_eq(coir_exec_post(e, wake_and_release, e), COIR_OK);
    return NULL;
}

START_TEST(waiting_for_a_post_from_outside_is_no_deadlock_under_a_hold)
{
    coir_exec *e = make(NULL);
    t_thread *thread;
    parked = spawn(e, park, "woken");
    ck_assert_int_eq(coir_exec_hold(e), COIR_OK);
    thread = t_thread_start(post_a_wake, e);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_str_eq(events, "woken");
    t_thread_join(thread);
    ck_assert_int_eq(coir_await(parked, NULL), COIR_OK);
    destroy(e);
}
END_TEST

/* ---- pollers ---- */

/* A poller in whose time nothing takes any: its `wait` moves the clock to the deadline. */
static struct {
    coir_exec *e;
    int waits;      /* calls of `wait` */
    int true_waits; /* those whose deadline had not passed */
    int true_deadlines_kept;
    int64_t true_deadlines[8];
    int is_active, stands_still, result;
    atomic_int wakes;
    void (*during)(void); /* called in each true wait */
} fake;

static int64_t fake_time = 1000;

static void note_true_wait(int64_t deadline)
{
    if (fake.true_waits < 8)
        fake.true_deadlines[fake.true_waits] = deadline;
    fake.true_waits++;
    ck_assert_int_lt(fake.true_waits, 1000);
    if (fake.during != NULL)
        fake.during();
    if (fake.stands_still > 0)
        fake.stands_still--; /* returns too early, which is no harm */
    else if (deadline != COIR_FOREVER)
        fake_time = deadline;
}

static int fake_wait(void *context, int64_t deadline)
{
    ck_assert_ptr_eq(context, &fake);
    ck_assert_ptr_eq(coir_exec_current(), fake.e);
    ck_assert_ptr_null(coir_task_self());
    ck_assert_int_eq(coir_now(), fake_time);
    fake.waits++;
    if (coir_exec_next_deadline(fake.e) == 0)
        ck_assert_int_le(deadline, fake_time);
    if (deadline > fake_time)
        note_true_wait(deadline);
    return fake.result;
}

static void fake_wake(void *context)
{
    ck_assert_ptr_eq(context, &fake);
    atomic_fetch_add(&fake.wakes, 1);
}

static int fake_active(void *context)
{
    ck_assert_ptr_eq(context, &fake);
    return fake.is_active;
}

static coir_exec *make_with_poller(void)
{
    const coir_poller poller = {fake_wait, fake_wake, fake_active, &fake};
    const coir_exec_options opt = {.poller = &poller, .clock = standing_clock, .clock_context = &fake_time};

    fake.e = make(&opt);
    return fake.e;
}

START_TEST(a_poller_waits_until_the_earliest_timer)
{
    coir_exec *e = make_with_poller();
    spawn_detached(e, sleep_100, "a");
    spawn_detached(e, note_twice, "b");
    run_and_destroy(e);
    ck_assert_str_eq(events, "bba");
    ck_assert_int_eq(fake.true_waits, 1);
    ck_assert_int_eq(fake.true_deadlines[0], 1100);
    ck_assert_int_eq(fake_time, 1100);
}
END_TEST

START_TEST(a_poller_that_returns_early_is_asked_again)
{
    coir_exec *e = make_with_poller();
    fake.stands_still = 3;
    spawn_detached(e, sleep_100, "a");
    run_and_destroy(e);
    ck_assert_str_eq(events, "a");
    ck_assert_int_eq(fake.true_waits, 4);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(fake.true_deadlines[i], 1100);
}
END_TEST

static void *yield_1280_times(void *arg)
{
    for (int i = 0; i < 1280; i++)
        coir_task_yield();
    return arg;
}

START_TEST(a_poller_is_asked_while_tasks_are_busy)
{
    coir_exec *e = make_with_poller();
    spawn_detached(e, yield_1280_times, NULL);
    run_and_destroy(e);
    ck_assert_int_ge(fake.waits, 10);
    ck_assert_int_eq(fake.true_waits, 0);
}
END_TEST

static void wake_the_parked(void)
{
    ck_assert_int_eq(coir_task_wake(parked), COIR_OK);
    fake.is_active = 0;
}

START_TEST(while_a_poller_is_active_tasks_wait_without_a_deadline)
{
    coir_exec *e = make_with_poller();
    fake.is_active = 1;
    fake.during = wake_the_parked;
    parked = spawn(e, park, "woken");
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_str_eq(events, "woken");
    ck_assert_int_eq(fake.true_waits, 1);
    ck_assert_int_eq(fake.true_deadlines[0], COIR_FOREVER);
    coir_await(parked, NULL);
    destroy(e);
}
END_TEST

START_TEST(a_poller_that_is_not_active_is_not_asked_to_wait_for_ever)
{
    const coir_poller poller = {fake_wait, fake_wake, fake_active, &fake};
    int lines = 0;
    const coir_exec_options opt = {.poller = &poller, .clock = standing_clock, .clock_context = &fake_time,
                                   .report = drop_line, .report_context = &lines};
    coir_exec *e = fake.e = make(&opt);
    parked = spawn(e, park, "woken");
    ck_assert_int_eq(coir_exec_run(e), COIR_EDEADLK);
    ck_assert_int_eq(fake.true_waits, 0);
    ck_assert_int_gt(lines, 0);
    ck_assert_int_eq(coir_task_wake(parked), COIR_OK);
    ck_assert_int_eq(coir_await(parked, NULL), COIR_OK);
    destroy(e);
}
END_TEST

START_TEST(an_active_poller_does_not_keep_an_executor_without_tasks)
{
    coir_exec *e = make_with_poller();
    fake.is_active = 1;
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    spawn_detached(e, note_and_return, "a");
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(fake.true_waits, 0);
    destroy(e);
}
END_TEST

static void post_from_a_thread(void)
{
    int before = atomic_load(&fake.wakes);
    t_on_thread(post_a_release, fake.e);
    ck_assert_int_gt(atomic_load(&fake.wakes), before);
}

START_TEST(a_post_wakes_the_poller_of_a_held_executor)
{
    coir_exec *e = make_with_poller();
    fake.during = post_from_a_thread;
    ck_assert_int_eq(coir_exec_hold(e), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_str_eq(events, "released");
    ck_assert_int_eq(fake.true_waits, 1);
    ck_assert_int_eq(fake.true_deadlines[0], COIR_FOREVER);
    destroy(e);
}
END_TEST

static void spawn_and_post_while_waiting(void)
{
    spawn_detached(NULL, note_and_return, "spawned ");
    ck_assert_int_eq(coir_exec_post(fake.e, note, "posted "), COIR_OK);
    fake.during = NULL;
}

START_TEST(a_poller_may_spawn_and_post)
{
    coir_exec *e = make_with_poller();
    fake.during = spawn_and_post_while_waiting;
    fake.stands_still = 1;
    spawn_detached(e, sleep_100, "slept ");
    run_and_destroy(e);
    ck_assert_ptr_nonnull(strstr(events, "spawned "));
    ck_assert_ptr_nonnull(strstr(events, "posted "));
    ck_assert_ptr_nonnull(strstr(events, "slept "));
    ck_assert_str_eq(events + strlen(events) - strlen("slept "), "slept ");
}
END_TEST

static void *run_ready_in_a_task(void *text)
{
    ck_assert_int_eq(coir_exec_run_ready(fake.e), COIR_EBUSY);
    event(text);
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    event(text);
    return text;
}

static void run_ready_while_waiting(void)
{
    fake.during = NULL;
    ck_assert_int_eq(coir_exec_run_ready(fake.e), COIR_OK); /* there are none */
    spawn_detached(fake.e, run_ready_in_a_task, "a");
    spawn_detached(fake.e, run_ready_in_a_task, "b");
    ck_assert_str_eq(events, "");
    ck_assert_int_eq(coir_exec_run_ready(fake.e), COIR_OK);
    ck_assert_str_eq(events, "ab");
    ck_assert_int_eq(coir_exec_run_ready(fake.e), COIR_OK);
    ck_assert_str_eq(events, "abab");
    spawn_detached(fake.e, run_ready_in_a_task, "c");
    ck_assert_int_eq(coir_exec_stop(fake.e), COIR_OK);
    ck_assert_int_eq(coir_exec_run_ready(fake.e), COIR_OK); /* nothing runs once it is stopped */
    ck_assert_str_eq(events, "abab");
}

START_TEST(a_poller_may_run_what_is_ready_in_the_midst_of_its_wait)
{
    coir_exec *e = make_with_poller();
    fake.during = run_ready_while_waiting;
    ck_assert_int_eq(coir_exec_run_ready(e), COIR_EBUSY);
    ck_assert_int_eq(coir_exec_run_ready(NULL), COIR_EINVAL);
    spawn_detached(e, sleep_100, "slept");
    ck_assert_int_eq(coir_exec_run(e), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_exec_run_ready(e), COIR_EBUSY);
    run_and_destroy(e);
    ck_assert_str_eq(events, "ababcsleptc");
}
END_TEST

START_TEST(run_returns_a_negative_code_of_the_pollers)
{
    coir_exec *e = make_with_poller();
    fake.result = -1234;
    spawn_detached(e, sleep_100, "slept");
    ck_assert_int_eq(coir_exec_run(e), -1234);
    ck_assert_str_eq(events, "");
    ck_assert_int_eq(coir_exec_tasks(e), 1);
    ck_assert_int_eq(coir_exec_run_once_until(e, COIR_FOREVER), -1234);
    fake.result = 0;
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_str_eq(events, "slept");
    destroy(e);
}
END_TEST

static void misuse_the_executor(void)
{
    ck_assert_int_eq(coir_exec_run(fake.e), COIR_EBUSY);
    ck_assert_int_eq(coir_exec_run_once_until(fake.e, 0), COIR_EBUSY);
    ck_assert_int_eq(coir_exec_destroy(fake.e), COIR_EBUSY);
    ck_assert_int_eq(coir_task_yield(), COIR_ENOTTASK);
    event("refused ");
}

START_TEST(a_poller_cannot_run_or_destroy_its_executor)
{
    coir_exec *e = make_with_poller();
    fake.during = misuse_the_executor;
    spawn_detached(e, sleep_100, "slept");
    run_and_destroy(e);
    ck_assert_str_eq(events, "refused slept");
}
END_TEST

static void stop_while_waiting(void)
{
    ck_assert_int_eq(coir_exec_stop(fake.e), COIR_OK);
    fake.during = NULL;
}

START_TEST(a_poller_may_stop_its_executor)
{
    coir_exec *e = make_with_poller();
    fake.during = stop_while_waiting;
    fake.stands_still = 1;
    spawn_detached(e, sleep_100, "slept");
    ck_assert_int_eq(coir_exec_run(e), COIR_TASKS_LEFT);
    ck_assert_int_eq(fake_time, 1000);
    run_and_destroy(e);
    ck_assert_str_eq(events, "slept");
}
END_TEST

static void check_the_stack(void)
{
    char here;
    void *low;
    size_t size;
    ck_assert_ptr_eq(coir_self(), runner);
    ck_assert_int_eq(coir_stack_bounds(runner, &low, &size), COIR_OK);
    ck_assert(t_instrumented() || (uintptr_t)&here - (uintptr_t)low < size);
    event("looked ");
}

START_TEST(a_poller_is_called_on_the_stack_that_called_run)
{
    running = make_with_poller();
    fake.during = check_the_stack;
    runner = t_create(run_in_a_fiber, NULL);
    spawn_detached(running, sleep_100, "slept");
    ck_assert_int_eq(coir_resume(runner, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(coir_resume(runner, NULL, NULL), COIR_DONE);
    ck_assert_str_eq(events, "looked slept");
    coir_destroy(runner);
    destroy(running);
}
END_TEST

START_TEST(a_poller_waits_no_longer_than_the_turn)
{
    coir_exec *e = make_with_poller();
    spawn_detached(e, sleep_100, "slept");
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_int_eq(fake.true_waits, 0);
    ck_assert_int_eq(coir_exec_run_once_until(e, 1060), COIR_TASKS_LEFT);
    ck_assert_int_eq(fake.true_waits, 1);
    ck_assert_int_eq(fake.true_deadlines[0], 1060);
    ck_assert_str_eq(events, "");
    ck_assert_int_eq(coir_exec_run_once_until(e, 2000), COIR_OK);
    ck_assert_int_eq(fake.true_waits, 2);
    ck_assert_int_eq(fake.true_deadlines[1], 1100);
    ck_assert_str_eq(events, "slept");
    destroy(e);
}
END_TEST

START_TEST(what_a_poller_makes_ready_is_part_of_the_turn)
{
    coir_exec *e = make_with_poller();
    fake.is_active = 1;
    fake.during = wake_the_parked;
    parked = spawn(e, park, "woken");
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_exec_run_once_until(e, 5000), COIR_OK);
    ck_assert_str_eq(events, "woken");
    coir_await(parked, NULL);
    destroy(e);
}
END_TEST

/* ---- deadlocks ---- */

enum { LINES = 128 };

static char report[LINES][256];
static int report_lines;

static void take_line(const char *line, void *context)
{
    ck_assert_ptr_eq(context, report);
    ck_assert_ptr_null(strchr(line, '\n'));
    if (report_lines < LINES)
        snprintf(report[report_lines], sizeof report[0], "%s", line);
    report_lines++;
}

/* The line that has both texts. */
static const char *line_with(const char *one, const char *other)
{
    for (int i = 0; i < report_lines && i < LINES; i++)
        if (strstr(report[i], one) != NULL && strstr(report[i], other) != NULL)
            return report[i];
    return NULL;
}

static coir_exec *make_reporting(void)
{
    const coir_exec_options opt = {.flags = COIR_VIRTUAL_CLOCK, .report = take_line, .report_context = report};

    return make(&opt);
}

static void *await_it(void *t)
{
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    event("awaited ");
    return NULL;
}

START_TEST(a_deadlock_is_reported_with_each_task_and_what_it_waits_for)
{
    coir_exec *e = make_reporting();
    coir_task *alpha = spawn_named(e, park, "woken ", "alpha");
    coir_task *beta = spawn_named(e, await_it, alpha, "beta");
    spawn_detached(e, note_and_return, "ended ");
    ck_assert_int_eq(coir_exec_run(e), COIR_EDEADLK);
    ck_assert_str_eq(events, "ended ");
    ck_assert_ptr_nonnull(line_with("alpha", "park"));
    ck_assert_ptr_nonnull(line_with("beta", "alpha"));
    ck_assert_int_eq(coir_exec_tasks(e), 2); /* the tasks are as they were */
    ck_assert_int_eq(coir_task_state(alpha), COIR_TASK_WAITING);
    ck_assert_int_eq(coir_task_state(beta), COIR_TASK_WAITING);
    ck_assert_int_eq(coir_task_wake(alpha), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_str_eq(events, "ended woken awaited ");
    ck_assert_int_eq(coir_await(beta, NULL), COIR_OK);
    destroy(e);
}
END_TEST

START_TEST(each_run_into_a_deadlock_is_reported)
{
    coir_exec *e = make_reporting();
    coir_task *t = spawn_named(e, park, "woken", "alpha");
    ck_assert_int_eq(coir_exec_run(e), COIR_EDEADLK);
    ck_assert_ptr_nonnull(line_with("alpha", ""));
    report_lines = 0;
    ck_assert_int_eq(coir_exec_run(e), COIR_EDEADLK);
    ck_assert_ptr_nonnull(line_with("alpha", ""));
    report_lines = 0;
    ck_assert_int_eq(coir_await(t, NULL), COIR_EDEADLK);
    ck_assert_ptr_nonnull(line_with("alpha", ""));
    ck_assert_int_eq(coir_task_wake(t), COIR_OK);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    destroy(e);
}
END_TEST

START_TEST(a_turn_finds_a_deadlock_only_when_it_may_wait_for_ever)
{
    coir_exec *e = make_reporting();
    coir_task *t = spawn_named(e, park, "woken", "alpha");
    ck_assert_int_eq(coir_exec_run_once_until(e, COIR_FOREVER), COIR_TASKS_LEFT); /* it parks */
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_exec_run_once_until(e, 5), COIR_TASKS_LEFT);
    ck_assert_int_eq(report_lines, 0);
    ck_assert_int_eq(coir_exec_run_once_until(e, COIR_FOREVER), COIR_EDEADLK);
    ck_assert_ptr_nonnull(line_with("alpha", ""));
    ck_assert_int_eq(coir_task_wake(t), COIR_OK);
    ck_assert_int_eq(coir_exec_run_once_until(e, COIR_FOREVER), COIR_OK);
    coir_await(t, NULL);
    destroy(e);
}
END_TEST

static void *await_the_other(void *tasks)
{
    coir_task **both = tasks, *mine = coir_task_self();
    int error = coir_await(both[0] == mine ? both[1] : both[0], NULL);
    ck_assert(error == COIR_ECANCELED || error == COIR_OK);
    event(error == COIR_OK ? "ok " : "cancelled ");
    return NULL;
}

START_TEST(tasks_that_await_each_other_are_in_a_deadlock)
{
    coir_exec *e = make_reporting();
    coir_task *both[2];
    both[0] = spawn_named(e, await_the_other, both, "hen");
    both[1] = spawn_named(e, await_the_other, both, "egg");
    ck_assert_int_eq(coir_exec_run(e), COIR_EDEADLK);
    ck_assert_ptr_nonnull(line_with("hen", "egg"));
    ck_assert_int_eq(coir_task_cancel(both[0]), COIR_OK); /* the program may cancel some and run on */
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_str_eq(events, "cancelled ok ");
    ck_assert_int_eq(coir_await(both[1], NULL), COIR_OK);
    destroy(e);
}
END_TEST

static void *park_or_end(void *arg)
{
    coir_task_park();
    return arg;
}

static void *sleep_for_ever(void *arg)
{
    ck_assert_int_eq(coir_sleep(COIR_FOREVER), COIR_ECANCELED);
    return arg;
}

START_TEST(tasks_without_a_name_are_reported_too)
{
    coir_exec *e = make_reporting();
    for (int i = 0; i < 3; i++)
        spawn_detached(e, park_or_end, NULL);
    spawn_detached(e, sleep_for_ever, NULL);
    ck_assert_int_eq(coir_exec_run(e), COIR_EDEADLK);
    ck_assert_int_ge(report_lines, 4);
    coir_exec_cancel(e);
    run_and_destroy(e);
}
END_TEST

START_TEST(many_tasks_and_long_names_are_reported_whole)
{
    coir_exec *e = make_reporting();
    char name[2000];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    for (int i = 0; i < 100; i++)
        coir_task_detach(spawn_named(e, park_or_end, NULL, i == 0 ? name : "short"));
    ck_assert_int_eq(coir_exec_run(e), COIR_EDEADLK);
    ck_assert_int_ge(report_lines, 100);
    ck_assert_ptr_nonnull(line_with("nnnnnnnnnnnnnnnn", ""));
    coir_exec_cancel(e);
    run_and_destroy(e);
}
END_TEST

START_TEST(a_timer_or_a_post_is_no_deadlock)
{
    coir_exec *e = make_reporting();
    parked = spawn(e, park, "woken ");
    spawn_detached(e, sleep_100, "slept ");
    ck_assert_int_eq(coir_exec_hold(e), COIR_OK);
    ck_assert_int_eq(coir_exec_post(e, wake_and_release, e), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(report_lines, 0);
    ck_assert_str_eq(events, "woken slept ");
    coir_await(parked, NULL);
    destroy(e);
}
END_TEST

START_TEST(a_deadlock_without_a_report_function_goes_to_standard_error)
{
    coir_exec *e = make(NULL);
    spawn_detached(e, park_or_end, NULL);
    ck_assert_int_eq(coir_exec_run(e), COIR_EDEADLK);
    coir_exec_cancel(e);
    run_and_destroy(e);
}
END_TEST

/* ---- seeds ---- */

static void *take_four_turns(void *name)
{
    for (int i = 0; i < 4; i++) {
        event(name);
        coir_task_yield();
    }
    return NULL;
}

static coir_exec *make_seeded(uint64_t seed)
{
    const coir_exec_options opt = {.seed = seed, .flags = COIR_VIRTUAL_CLOCK};

    return make(&opt);
}

/* Six tasks take four turns each: who had them, in order. */
static void run_six(uint64_t seed, char *out)
{
    static char names[6][2] = {"a", "b", "c", "d", "e", "f"};
    coir_exec *e = make_seeded(seed);

    events[0] = '\0';
    for (int i = 0; i < 6; i++)
        spawn_detached(e, take_four_turns, names[i]);
    run_and_destroy(e);
    strcpy(out, events);
}

START_TEST(without_a_seed_tasks_take_turns_in_order)
{
    char order[64];
    run_six(0, order);
    ck_assert_str_eq(order, "abcdefabcdefabcdefabcdef");
}
END_TEST

START_TEST(the_same_seed_gives_the_same_order)
{
    char first[64], again[64];
    for (uint64_t seed = 1; seed <= 10; seed++) {
        run_six(seed, first);
        ck_assert_uint_eq(strlen(first), 24);
        run_six(seed, again);
        ck_assert_str_eq(first, again);
    }
}
END_TEST

START_TEST(different_seeds_give_different_orders)
{
    static char orders[21][64];
    orders[0][0] = '\0';
    run_six(0, orders[0]);
    for (int i = 1; i <= 20; i++) {
        run_six(i == 20 ? UINT64_MAX : (uint64_t)i, orders[i]);
        for (int k = 0; k < i; k++)
            ck_assert_int_ne(strcmp(orders[i], orders[k]), 0);
    }
}
END_TEST

START_TEST(under_some_seed_each_task_is_first)
{
    char order[64], firsts[256] = {0};
    for (uint64_t seed = 1; seed <= 200; seed++) {
        run_six(seed, order);
        firsts[(unsigned char)order[0]] = 1;
    }
    for (int name = 'a'; name <= 'f'; name++)
        ck_assert_int_eq(firsts[name], 1);
}
END_TEST

START_TEST(under_a_seed_a_turn_still_runs_each_ready_task_once)
{
    static char names[6][2] = {"a", "b", "c", "d", "e", "f"};
    coir_exec *e = make_seeded(12345);
    for (int i = 0; i < 6; i++)
        spawn_detached(e, take_four_turns, names[i]);
    for (int i = 0; i < 4; i++) {
        events[0] = '\0';
        ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
        ck_assert_uint_eq(strlen(events), 6);
        for (int k = 0; k < 6; k++)
            ck_assert_ptr_nonnull(strchr(events, names[k][0]));
    }
    run_and_destroy(e);
}
END_TEST

/* A table, and a flag that says that it is filled. The planted mistake: the flag is raised by another task than the one
 * that fills the table; by one that was spawned later, and so usually runs later. */
static struct {
    bool filled, flag, wrong;
} table;

static void *fill_the_table(void *arg)
{
    table.filled = true;
    event("f");
    return arg;
}

static void *raise_the_flag(void *arg)
{
    table.flag = true;
    event("r");
    return arg;
}

static void *use_the_table(void *arg)
{
    if (table.flag && !table.filled)
        table.wrong = true;
    event(table.flag ? "u" : ".");
    return arg;
}

static int use_before_ready(uint64_t seed)
{
    coir_exec *e = make_seeded(seed);

    memset(&table, 0, sizeof table);
    events[0] = '\0';
    spawn_detached(e, fill_the_table, NULL);
    spawn_detached(e, raise_the_flag, NULL);
    spawn_detached(e, use_the_table, NULL);
    run_and_destroy(e);
    return table.wrong;
}

/* Two deposits to one account, under a lock that is taken some time after it was seen free. */
static struct {
    int locked, balance;
} account;

static void *deposit(void *late)
{
    int before;

    if (late != NULL)
        coir_task_yield();
    while (account.locked)
        coir_task_yield();
    coir_task_yield(); /* the planted mistake */
    account.locked = 1;
    before = account.balance;
    event(late != NULL ? "L" : "E");
    coir_task_yield();
    account.balance = before + 1;
    account.locked = 0;
    event(late != NULL ? "l" : "e");
    return NULL;
}

static int lost_update(uint64_t seed)
{
    coir_exec *e = make_seeded(seed);

    memset(&account, 0, sizeof account);
    events[0] = '\0';
    spawn_detached(e, deposit, NULL);
    spawn_detached(e, deposit, T_VALUE(1));
    run_and_destroy(e);
    return account.balance != 2;
}

static uint64_t find_seed(int (*fails)(uint64_t seed))
{
    for (uint64_t seed = 1; seed <= 1000; seed++)
        if (fails(seed))
            return seed;
    return 0;
}

static void check_that_seeds_find(int (*fails)(uint64_t seed))
{
    char order[sizeof events];
    uint64_t seed;

    ck_assert(!fails(0)); /* nobody sees it in the usual order */
    seed = find_seed(fails);
    ck_assert_uint_ne(seed, 0);
    strcpy(order, events);
    for (int i = 0; i < 10; i++) {
        ck_assert(fails(seed)); /* that order again, from the seed alone */
        ck_assert_str_eq(events, order);
    }
}

START_TEST(trying_seeds_finds_a_use_before_it_is_ready)
{
    check_that_seeds_find(use_before_ready);
}
END_TEST

START_TEST(trying_seeds_finds_a_lost_update)
{
    check_that_seeds_find(lost_update);
}
END_TEST

/* ---- clocks ---- */

static void *look_at_the_virtual_clock(void *arg)
{
    int64_t before = coir_now();
    for (int i = 0; i < 100; i++)
        coir_task_yield();
    ck_assert_int_eq(coir_now(), before); /* it stands still while any task is ready */
    ck_assert_int_eq(coir_sleep(1000 * 3600 * COIR_SECOND), COIR_OK);
    ck_assert_int_eq(coir_now(), before + 1000 * 3600 * COIR_SECOND);
    event(arg);
    return NULL;
}

START_TEST(a_virtual_clock_begins_at_zero_and_jumps_to_the_next_timer)
{
    coir_exec *e = make_virtual();
    ck_assert_int_eq(coir_exec_now(e), 0);
    spawn_detached(e, look_at_the_virtual_clock, "a");
    spawn_detached(e, sleep_100, "b");
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_str_eq(events, "ba");
    ck_assert_int_eq(coir_exec_now(e), 1000 * 3600 * COIR_SECOND);
    destroy(e);
}
END_TEST

START_TEST(each_executor_has_a_virtual_clock_of_its_own)
{
    coir_exec *a = make_virtual(), *b = make_virtual();
    spawn_detached(a, sleep_100, "a");
    ck_assert_int_eq(coir_exec_run(a), COIR_OK);
    ck_assert_int_eq(coir_exec_now(a), 100);
    ck_assert_int_eq(coir_exec_now(b), 0);
    destroy(a);
    destroy(b);
}
END_TEST

START_TEST(without_a_clock_an_executor_has_the_systems)
{
    coir_exec *e = make(NULL);
    int64_t before = coir_now(), time = coir_exec_now(e), after = coir_now();
    ck_assert_int_le(before, time);
    ck_assert_int_le(time, after);
    destroy(e);
}
END_TEST

static void *leap(void *clock)
{
    ck_assert_int_eq(coir_now(), *(int64_t *)clock);
    *(int64_t *)clock += 1000 * COIR_SECOND;
    ck_assert_int_eq(coir_now(), *(int64_t *)clock);
    return NULL;
}

static void *sleep_for_1000_seconds(void *text)
{
    ck_assert_int_eq(coir_sleep(1000 * COIR_SECOND), COIR_OK);
    event(text);
    return NULL;
}

START_TEST(a_clock_of_ones_own_may_leap)
{
    int64_t now = 5;
    const coir_exec_options opt = {.clock = standing_clock, .clock_context = &now};
    coir_exec *e = make(&opt);
    spawn_detached(e, sleep_for_1000_seconds, "slept");
    spawn_detached(e, leap, &now);
    run_and_destroy(e);
    ck_assert_str_eq(events, "slept");
}
END_TEST

/* A microsecond passes between any two looks: an executor that waits sleeps and asks again. */
static int64_t ticking_clock(void *ticks)
{
    return ++*(int64_t *)ticks * COIR_MICROSECOND;
}

START_TEST(an_executor_waits_until_a_clock_of_ones_own_says_so)
{
    int64_t ticks = 0;
    const coir_exec_options opt = {.clock = ticking_clock, .clock_context = &ticks};
    coir_exec *e = make(&opt);
    for (int i = 0; i < 10; i++)
        spawn_detached(e, sleep_100, ".");
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_str_eq(events, "..........");
    ck_assert_int_ge(coir_exec_now(e), 100);
    destroy(e);
}
END_TEST

/* ---- one in another ---- */

static void *in_the_inner(void *expected)
{
    coir_exec **both = expected;
    ck_assert_ptr_eq(coir_exec_current(), both[1]);
    ck_assert_ptr_ne(coir_task_self(), parked);
    ck_assert_int_eq(coir_sleep(50), COIR_OK);
    ck_assert_int_eq(coir_now(), 50);
    ck_assert_int_eq(coir_exec_run(both[0]), COIR_EBUSY);
    ck_assert_int_eq(coir_exec_destroy(both[0]), COIR_EBUSY);
    spawn_detached(both[0], note_and_return, "outer's ");
    spawn_detached(NULL, note_and_return, "inner's ");
    return NULL;
}

static void *run_the_inner(void *executors)
{
    coir_exec **both = executors;
    ck_assert_int_eq(coir_sleep(7), COIR_OK);
    spawn_detached(both[1], in_the_inner, both);
    ck_assert_int_eq(coir_exec_run(both[1]), COIR_OK);
    event("run ");
    ck_assert_ptr_eq(coir_exec_current(), both[0]);
    ck_assert_ptr_eq(coir_task_self(), parked);
    ck_assert_ptr_eq(coir_self(), coir_task_fiber(parked));
    ck_assert_int_eq(coir_now(), 7);
    ck_assert_int_eq(coir_sleep(3), COIR_OK);
    ck_assert_int_eq(coir_now(), 10);
    return NULL;
}

START_TEST(a_task_may_run_another_executor)
{
    coir_exec *both[2] = {make_virtual(), make_virtual()};
    parked = spawn(both[0], run_the_inner, both);
    spawn_detached(both[0], note_and_return, "neighbour ");
    ck_assert_int_eq(coir_await(parked, NULL), COIR_OK);
    ck_assert_str_eq(events, "neighbour inner's run outer's ");
    destroy(both[1]);
    destroy(both[0]);
}
END_TEST

static void look_around_in_the_inner(void *inner)
{
    ck_assert_ptr_eq(coir_exec_current(), inner);
    ck_assert_ptr_null(coir_task_self()); /* outside of any task */
    ck_assert_int_eq(coir_task_yield(), COIR_ENOTTASK);
    event("looked ");
}

static void *post_to_and_run(void *inner)
{
    coir_exec_post(inner, look_around_in_the_inner, inner);
    ck_assert_int_eq(coir_exec_run(inner), COIR_OK);
    return NULL;
}

START_TEST(what_an_inner_executor_calls_is_outside_of_the_outer_task)
{
    coir_exec *outer = make(NULL), *inner = make(NULL);
    spawn_detached(outer, post_to_and_run, inner);
    run_and_destroy(outer);
    destroy(inner);
    ck_assert_str_eq(events, "looked ");
}
END_TEST

static void *wake_the_outer(void *arg)
{
    ck_assert_int_eq(coir_task_wake(parked), COIR_OK);
    ck_assert_int_eq(coir_task_cancel(other_task), COIR_OK);
    event("woke ");
    return arg;
}

static void *run_inner_in_a_fiber(void *inner)
{
    spawn_detached(inner, wake_the_outer, NULL);
    ck_assert_int_eq(coir_exec_run(inner), COIR_OK);
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    event("back ");
    return NULL;
}

static void *run_inner_in_a_fiber_of_the_task(void *inner)
{
    coir_fiber *f = t_create(run_inner_in_a_fiber, inner);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
    return NULL;
}

START_TEST(an_inner_task_wakes_and_cancels_tasks_of_the_outer)
{
    coir_exec *outer = make_virtual(), *inner = make_virtual();
    parked = spawn(outer, park, "woken ");
    other_task = spawn(outer, sleep_or_be_cancelled, "slept ");
    spawn_detached(outer, run_inner_in_a_fiber_of_the_task, inner);
    ck_assert_int_eq(coir_exec_run(outer), COIR_OK);
    ck_assert_str_eq(events, "woke woken cancelled back ");
    coir_await(parked, NULL);
    coir_await(other_task, NULL);
    destroy(outer);
    destroy(inner);
}
END_TEST

static void *run_into_an_inner_deadlock(void *inner)
{
    ck_assert_int_eq(coir_exec_run(inner), COIR_EDEADLK); /* though the outer one has tasks that are ready */
    event("deadlock ");
    coir_exec_cancel(inner);
    ck_assert_int_eq(coir_exec_run(inner), COIR_OK);
    return NULL;
}

START_TEST(an_inner_executor_has_deadlocks_of_its_own)
{
    coir_exec *outer = make_virtual(), *inner = make_reporting();
    spawn_detached(inner, park_or_end, NULL);
    spawn_detached(outer, run_into_an_inner_deadlock, inner);
    spawn_detached(outer, note_and_return, "neighbour");
    run_and_destroy(outer);
    destroy(inner);
    ck_assert_str_eq(events, "deadlock neighbour");
}
END_TEST

static void *stop_both(void *executors)
{
    coir_exec **both = executors;
    ck_assert_int_eq(coir_exec_stop(both[0]), COIR_OK);
    ck_assert_int_eq(coir_task_yield(), COIR_OK); /* the inner one goes on */
    event("inner ");
    return NULL;
}

static void *run_one_that_stops_this(void *executors)
{
    coir_exec **both = executors;
    spawn_detached(both[1], stop_both, both);
    ck_assert_int_eq(coir_exec_run(both[1]), COIR_OK);
    event("outer ");
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    event("end ");
    return NULL;
}

START_TEST(an_inner_task_may_stop_the_outer_executor)
{
    coir_exec *both[2] = {make(NULL), make(NULL)};
    spawn_detached(both[0], run_one_that_stops_this, both);
    ck_assert_int_eq(coir_exec_run(both[0]), COIR_TASKS_LEFT);
    ck_assert_str_eq(events, "inner outer ");
    ck_assert_int_eq(coir_exec_run(both[0]), COIR_OK);
    ck_assert_str_eq(events, "inner outer end ");
    destroy(both[0]);
    destroy(both[1]);
}
END_TEST

START_TEST(a_task_may_await_a_task_of_another_executor)
{
    coir_exec *a = make_virtual(), *b = make_virtual();
    coir_task *theirs = spawn(b, sleep_100, "slept ");
    spawn_detached(a, await_it, theirs);
    ck_assert_int_eq(coir_exec_run_once_until(a, 0), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_await(theirs, NULL), COIR_EBUSY); /* somebody else does */
    ck_assert_int_eq(coir_exec_run(b), COIR_OK);
    ck_assert_int_eq(coir_exec_run(a), COIR_OK);
    ck_assert_str_eq(events, "slept awaited ");
    destroy(b);
    destroy(a);
}
END_TEST

/* ---- destruction ---- */

START_TEST(an_executor_with_tasks_or_posts_is_not_destroyed)
{
    coir_exec *e = make_virtual();
    coir_task *t = spawn(e, sleep_100, "");
    ck_assert_int_eq(coir_exec_destroy(e), COIR_EBUSY); /* not started */
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_EBUSY); /* waits */
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    coir_exec_post(e, note, "called");
    ck_assert_int_eq(coir_exec_destroy(e), COIR_EBUSY);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_str_eq(events, "called");
    ck_assert_int_eq(coir_task_state(t), COIR_TASK_DONE);
    destroy(e); /* t, which nobody awaited, is freed with it */
}
END_TEST

static void *destroy_another(void *other)
{
    destroy(other);
    event("destroyed");
    return NULL;
}

START_TEST(an_executor_with_a_group_is_not_destroyed)
{
    coir_exec *e = make(NULL);
    coir_group *g;
    ck_assert_int_eq(coir_group_create(&g, e), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_EBUSY);
    ck_assert_int_eq(coir_group_destroy(g), COIR_OK);
    destroy(e);
}
END_TEST

START_TEST(a_task_may_destroy_another_executor)
{
    coir_exec *e = make(NULL), *other = make(NULL);
    spawn(other, note_and_return, "ended "); /* never awaited */
    ck_assert_int_eq(coir_exec_run(other), COIR_OK);
    spawn_detached(e, destroy_another, other);
    run_and_destroy(e);
    ck_assert_str_eq(events, "ended destroyed");
}
END_TEST

/* ---- threads ---- */

static coir_task *foreign;

static void *try_everything(void *arg)
{
    coir_exec *e = arg;
    void *result = T_VALUE(99);
    coir_task *t = T_VALUE(99);
    size_t which = 99;
    ck_assert_int_eq(coir_exec_run(e), COIR_ETHREAD);
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_ETHREAD);
    ck_assert_int_eq(coir_exec_stop(e), COIR_ETHREAD);
    ck_assert_int_eq(coir_exec_next_deadline(e), COIR_ETHREAD);
    ck_assert_int_eq(coir_exec_now(e), COIR_ETHREAD);
    ck_assert_int_eq(coir_exec_tasks(e), COIR_ETHREAD);
    ck_assert_int_eq(coir_exec_cancel(e), COIR_ETHREAD);
    ck_assert_int_eq(coir_exec_hold(e), COIR_ETHREAD);
    ck_assert_int_eq(coir_exec_release(e), COIR_ETHREAD);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_ETHREAD);
    ck_assert_int_eq(coir_spawn(&t, e, note_and_return, "no", NULL), COIR_ETHREAD);
    ck_assert_int_eq(coir_await(foreign, &result), COIR_ETHREAD);
    ck_assert_int_eq(coir_await_until(foreign, 0, &result), COIR_ETHREAD);
    ck_assert_int_eq(coir_await_all(&foreign, 1, &result), COIR_ETHREAD);
    ck_assert_int_eq(coir_await_all_until(&foreign, 1, 0, &result), COIR_ETHREAD);
    ck_assert_int_eq(coir_await_any(&foreign, 1, &which), COIR_ETHREAD);
    ck_assert_int_eq(coir_await_any_until(&foreign, 1, 0, &which), COIR_ETHREAD);
    ck_assert_int_eq(coir_task_wake(foreign), COIR_ETHREAD);
    ck_assert_int_eq(coir_task_cancel(foreign), COIR_ETHREAD);
    ck_assert_int_eq(coir_task_detach(foreign), COIR_ETHREAD);
    ck_assert_int_eq(T_NUMBER(result), 99);
    ck_assert_ptr_eq(t, T_VALUE(99));
    ck_assert_uint_eq(which, 99);
    return NULL;
}

static void *try_everything_in_a_task(void *e)
{
    coir_exec *own = make(NULL);
    spawn_detached(own, try_everything, e);
    run_and_destroy(own);
    return NULL;
}

START_TEST(another_threads_executor_and_tasks_cannot_be_used)
{
    coir_exec *e = make_virtual();
    foreign = spawn(e, sleep_100, "slept");
    for (int turn = 0; turn < 2; turn++) { /* not started, and asleep */
        t_on_thread(try_everything, e);
        t_on_thread(try_everything_in_a_task, e);
        ck_assert_int_eq(coir_exec_tasks(e), 1);
        if (turn == 0)
            ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    }
    ck_assert_int_eq(coir_exec_release(e), COIR_EINVAL); /* no hold came through */
    ck_assert_int_eq(coir_exec_run(e), COIR_OK); /* nor a stop, nor a cancel */
    ck_assert_str_eq(events, "slept");
    ck_assert_int_eq(coir_await(foreign, NULL), COIR_OK);
    destroy(e);
}
END_TEST

static void *look_from_another_thread(void *arg)
{
    ck_assert_ptr_null(coir_exec_current());
    ck_assert_ptr_null(coir_task_self());
    ck_assert_int_eq(coir_task_yield(), COIR_ENOTTASK);
    ck_assert_int_eq(coir_spawn(NULL, NULL, note_and_return, "no", NULL), COIR_ENOTTASK);
    return arg;
}

static void *start_a_thread(void *arg)
{
    t_on_thread(look_from_another_thread, NULL);
    return arg;
}

START_TEST(the_current_executor_is_the_threads)
{
    coir_exec *e = make(NULL);
    spawn_detached(e, start_a_thread, NULL);
    run_and_destroy(e);
}
END_TEST

static void *sleep_its_number(void *number)
{
    int64_t sum = 0;
    for (int i = 1; i <= 10; i++) {
        coir_sleep(T_NUMBER(number) * i);
        sum += T_NUMBER(number) * i;
        if (coir_now() != sum)
            return T_VALUE(-1);
    }
    return number;
}

static int run_an_executor(void)
{
    enum { TASKS = 20 };
    coir_exec *e = make_virtual();
    coir_task *tasks[TASKS];
    void *results[TASKS];
    int wrong = 0;

    for (int i = 0; i < TASKS; i++)
        tasks[i] = spawn(e, sleep_its_number, T_VALUE(i + 1));
    wrong += coir_await_all(tasks, TASKS, results) != COIR_OK;
    for (int i = 0; i < TASKS; i++)
        wrong += T_NUMBER(results[i]) != i + 1;
    wrong += coir_exec_now(e) != 55 * TASKS;
    run_and_destroy(e);
    return wrong;
}

static void *run_executors(void *rounds)
{
    int wrong = 0;

    for (int i = 0; i < T_NUMBER(rounds); i++)
        wrong += run_an_executor();
    return T_VALUE(wrong);
}

START_TEST(several_threads_run_an_executor_each)
{
    t_thread *threads[4];
    int rounds = t_instrumented() ? 2 : 20;
    for (int i = 0; i < 4; i++)
        threads[i] = t_thread_start(run_executors, T_VALUE(rounds));
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(T_NUMBER(t_thread_join(threads[i])), 0);
}
END_TEST

/* ---- what a thread leaves behind ---- */

static coir_exec *left;

static void *leave_nothing_but_it(void *arg)
{
    left = make(NULL);
    spawn_detached(left, note_and_return, "a");
    coir_exec_run(left);
    return arg;
}

START_TEST(an_executor_left_by_an_ended_thread_can_be_destroyed)
{
    t_on_thread(leave_nothing_but_it, NULL);
    destroy(left);
}
END_TEST

static void *defer_and_park(void *text)
{
    ck_assert_int_eq(coir_defer(note, text), COIR_OK);
    coir_task_park();
    event("ran on ");
    return NULL;
}

static void *defer_and_sleep(void *text)
{
    ck_assert_int_eq(coir_defer(note, text), COIR_OK);
    coir_sleep(1000);
    event("ran on ");
    return NULL;
}

static void *defer_and_yield(void *text)
{
    ck_assert_int_eq(coir_defer(note, text), COIR_OK);
    coir_task_yield();
    event("ran on ");
    return NULL;
}

static void *await_deferred(void *t)
{
    ck_assert_int_eq(coir_defer(note, "a"), COIR_OK);
    coir_await(t, NULL);
    event("ran on ");
    return NULL;
}

static void *leave_tasks(void *arg)
{
    coir_task *t;
    left = make_virtual();
    spawn(left, note_and_return, "done "); /* to be freed */
    t = spawn(left, defer_and_park, "p");
    spawn_detached(left, defer_and_sleep, "s");
    spawn_detached(left, defer_and_yield, "y");
    spawn_detached(left, await_deferred, t);
    ck_assert_int_eq(coir_exec_run_once_until(left, 0), COIR_TASKS_LEFT);
    spawn_detached(left, note_and_return, "never started");
    foreign = t;
    ck_assert_int_eq(coir_exec_post(left, note, "never called"), COIR_OK);
    return arg;
}

static void check_destroyed_with_deferred(const char *letters)
{
    events[0] = '\0';
    destroy(left);
    ck_assert_uint_eq(strlen(events), strlen(letters));
    for (const char *c = letters; *c != '\0'; c++)
        ck_assert_ptr_nonnull(strchr(events, *c));
}

START_TEST(tasks_left_by_an_ended_thread_are_destroyed_with_their_executor)
{
    t_on_thread(leave_tasks, NULL);
    ck_assert_str_eq(events, "done ");
    check_destroyed_with_deferred("psya");
}
END_TEST

START_TEST(an_executor_left_by_an_ended_thread_cannot_be_used)
{
    t_on_thread(leave_tasks, NULL);
    ck_assert_int_eq(coir_exec_run(left), COIR_ETHREAD);
    ck_assert_int_eq(coir_exec_run_once_until(left, 0), COIR_ETHREAD);
    ck_assert_int_eq(coir_exec_stop(left), COIR_ETHREAD);
    ck_assert_int_eq(coir_exec_cancel(left), COIR_ETHREAD);
    ck_assert_int_eq(coir_exec_tasks(left), COIR_ETHREAD);
    ck_assert_int_eq(coir_spawn(NULL, left, note_and_return, "no", NULL), COIR_ETHREAD);
    ck_assert_int_eq(coir_await(foreign, NULL), COIR_ETHREAD);
    ck_assert_int_eq(coir_task_wake(foreign), COIR_ETHREAD);
    ck_assert_int_eq(coir_exec_post(left, note, "never called either"), COIR_OK);
    check_destroyed_with_deferred("psya");
}
END_TEST

static void *destroy_the_left_one(void *arg)
{
    check_destroyed_with_deferred("psya");
    return arg;
}

START_TEST(a_task_may_destroy_an_executor_left_by_an_ended_thread)
{
    coir_exec *e = make(NULL);
    t_on_thread(leave_tasks, NULL);
    t_on_thread(run_executors, T_VALUE(1)); /* its record may lie where the first one's was */
    spawn_detached(e, destroy_the_left_one, NULL);
    run_and_destroy(e);
}
END_TEST

static void *defer_and_exit_the_thread(void *arg)
{
    ck_assert_int_eq(coir_defer(note, "x"), COIR_OK);
    t_thread_exit(arg);
    return NULL;
}

static void *run_into_thread_exit(void *arg)
{
    left = make_virtual();
    spawn_detached(left, defer_and_park, "p");
    spawn_detached(left, defer_and_exit_the_thread, arg);
    spawn_detached(left, note_and_return, "never started");
    coir_exec_run(left);
    event("not reached");
    return NULL;
}

START_TEST(a_thread_may_end_in_a_task)
{
    if (t_under("tsan"))
        T_SKIP("ThreadSanitizer's runtime ends the process at pthread_exit in a fiber");
    ck_assert_int_eq(T_NUMBER(t_on_thread(run_into_thread_exit, T_VALUE(42))), 42);
    ck_assert_str_eq(events, "");
    check_destroyed_with_deferred("px");
}
END_TEST

static coir_group *left_group;

static int sleep_in_a_group(void *text)
{
    ck_assert_int_eq(coir_defer(note, text), COIR_OK);
    return coir_sleep(1000);
}

static void *leave_a_group(void *arg)
{
    left = make_virtual();
    ck_assert_int_eq(coir_group_create(&left_group, left), COIR_OK);
    ck_assert_int_eq(coir_group_spawn(left_group, sleep_in_a_group, "deferred", NULL), COIR_OK);
    coir_exec_run_once_until(left, 0);
    ck_assert_int_eq(coir_group_destroy(left_group), COIR_EBUSY);
    return arg;
}

START_TEST(a_group_left_by_an_ended_thread_is_destroyed_before_its_executor)
{
    t_on_thread(leave_a_group, NULL);
    ck_assert_int_eq(coir_exec_destroy(left), COIR_EBUSY); /* but its tasks are gone now */
    ck_assert_str_eq(events, "deferred");
    ck_assert_int_eq(coir_group_destroy(left_group), COIR_OK);
    destroy(left);
    ck_assert_str_eq(events, "deferred");
}
END_TEST

static coir_fiber *left_inner;

static void *sleep_in_a_left_fiber(void *text)
{
    ck_assert_int_eq(coir_defer(note, text), COIR_OK);
    coir_sleep(1000);
    event("ran on ");
    return NULL;
}

static void *resume_one_that_is_left(void *text)
{
    ck_assert_int_eq(coir_defer(note, text), COIR_OK);
    left_inner = t_create(sleep_in_a_left_fiber, "inner ");
    coir_resume(left_inner, NULL, NULL);
    event("ran on ");
    return NULL;
}

static void *leave_a_nested_wait(void *arg)
{
    left = make_virtual();
    spawn_detached(left, resume_one_that_is_left, "root ");
    coir_exec_run_once_until(left, 0);
    return arg;
}

START_TEST(a_fiber_that_waited_in_a_left_task_can_be_destroyed)
{
    t_on_thread(leave_a_nested_wait, NULL);
    destroy(left);
    ck_assert_str_eq(events, "root "); /* the other one is still the program's */
    ck_assert_int_eq(coir_destroy(left_inner), COIR_OK);
    ck_assert_str_eq(events, "root inner ");
}
END_TEST

static void sleep_on(void *e)
{
    if (coir_exec_run(e) != COIR_OK || strcmp(events, "slept") != 0 || coir_exec_now(e) != 100)
        t_exit(3);
    if (coir_exec_post(e, note, "posted") != COIR_OK || coir_exec_run(e) != COIR_OK || coir_exec_destroy(e) != COIR_OK)
        t_exit(4);
}

START_TEST(in_the_child_of_a_fork_the_executor_goes_on)
{
    coir_exec *e = make_virtual();
    spawn_detached(e, sleep_100, "slept");
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_int_eq(t_run_in_child(sleep_on, e), 0);
    run_and_destroy(e);
    ck_assert_str_eq(events, "slept");
}
END_TEST

static void sleep_on_in_a_task(void *e)
{
    if (coir_sleep(100) != COIR_OK || coir_exec_now(e) != 100 || strcmp(events, "slept") != 0)
        t_exit(3);
    t_exit(7);
}

static void *fork_in_a_task(void *e)
{
    ck_assert_int_eq(t_run_in_child(sleep_on_in_a_task, e), 7);
    ck_assert_int_eq(coir_sleep(200), COIR_OK);
    return NULL;
}

START_TEST(a_task_may_fork)
{
    coir_exec *e = make_virtual();
    spawn_detached(e, sleep_100, "slept");
    spawn_detached(e, fork_in_a_task, e);
    run_and_destroy(e);
    ck_assert_str_eq(events, "slept");
}
END_TEST

/* A stop in the middle of an await ends that, or nothing: it is not kept for the next call. */
static void *stop_and_return(void *e)
{
    coir_exec_stop(e);
    return NULL;
}

static void *note_run(void *ran)
{
    *(bool *)ran = true;
    return NULL;
}

START_TEST(a_stop_does_not_outlive_the_call_that_it_stopped)
{
    bool ran = false;
    coir_task *t;
    coir_exec *e;
    ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(&t, e, stop_and_return, e, NULL), COIR_OK);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(NULL, e, note_run, &ran, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert(ran);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}
END_TEST

/* A clock of the test's own that goes on by one each time it is asked. */
static int64_t next_number(void *number)
{
    return ++*(int64_t *)number;
}

static void *yield_until_cancelled(void *arg)
{
    while (coir_task_yield() == COIR_OK)
        ;
    return arg;
}

static void *park_for_ever(void *arg)
{
    coir_task_park();
    return arg;
}

START_TEST(a_deadline_outside_of_tasks_comes_though_others_are_ready_all_the_time)
{
    int64_t number = 0;
    const coir_exec_options opt = {.clock = next_number, .clock_context = &number};
    coir_task *waiting;
    coir_exec *e;
    ck_assert_int_eq(coir_exec_create(&e, &opt), COIR_OK);
    ck_assert_int_eq(coir_spawn(NULL, e, yield_until_cancelled, NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_spawn(&waiting, e, park_for_ever, NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_await_until(waiting, 50, NULL), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_exec_cancel(e), COIR_OK);
    ck_assert_int_eq(coir_await(waiting, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}
END_TEST

T_MAIN(a_stop_does_not_outlive_the_call_that_it_stopped,
       a_deadline_outside_of_tasks_comes_though_others_are_ready_all_the_time, an_executor_without_tasks_has_nothing_to_run, unknown_flags_and_reserved_members_are_invalid,
       a_poller_needs_all_its_functions, options_and_poller_are_not_needed_after_the_call,
       options_of_all_zeros_are_the_defaults, an_executor_without_a_backend_is_not_supported, null_is_no_executor,
       switch_hooks_see_the_executors_own_fiber, a_task_that_suspends_goes_straight_on_with_the_next,
       want_of_memory_is_reported_and_changes_nothing, no_call_that_waits_needs_memory,
       detached_tasks_and_posts_leave_no_memory_behind, tasks_run_in_the_order_in_which_they_were_spawned,
       run_goes_on_until_the_tasks_of_tasks_have_ended, an_executor_runs_again_and_again,
       an_executor_that_runs_is_not_run_again, a_fiber_may_run_an_executor,
       a_posted_function_cannot_suspend_the_fiber_that_runs_the_executor, a_posted_function_may_resume_fibers,
       in_a_turn_each_ready_task_runs_once, tasks_spawned_in_a_turn_run_in_the_next,
       what_a_task_of_the_turn_makes_ready_waits_for_the_next, what_posts_make_ready_is_part_of_the_turn,
       what_timers_make_ready_is_part_of_the_turn, a_turn_with_nothing_ready_waits_for_a_timer,
       a_turn_does_not_wait_beyond_its_deadline, a_turn_that_has_run_something_does_not_wait,
       an_executor_can_live_in_somebody_elses_loop, stop_makes_run_return_when_the_task_suspends,
       stop_makes_a_turn_return_when_the_task_suspends, stop_makes_run_return_when_the_task_ends,
       a_stop_with_no_task_left_is_ok, a_fiber_of_a_task_may_stop_the_executor,
       stop_makes_run_return_when_the_posted_function_returns, a_stop_before_the_run_makes_the_next_return_at_once,
       a_stop_ends_an_await_outside_of_tasks, another_thread_stops_an_executor_by_a_post,
       next_deadline_is_now_or_the_earliest_timer_or_never, the_timer_of_a_wait_that_was_cancelled_is_gone,
       tasks_are_counted_until_they_end, an_executor_cancels_all_its_tasks,
       tasks_are_cancelled_in_the_order_in_which_they_were_spawned, the_executor_that_runs_is_the_current_one,
       posted_functions_are_called_once_in_their_order, what_a_posted_function_posts_is_called_in_the_next_turn,
       run_does_not_end_before_all_posted_functions_were_called, whatever_runs_the_executor_calls_posted_functions,
       a_posted_function_may_do_all_that_does_not_wait, a_posted_function_cannot_wait,
       a_post_from_another_thread_wakes_an_executor_without_tasks, a_turn_waits_for_a_post,
       a_post_from_another_thread_wakes_an_executor_that_sleeps, the_posts_of_each_thread_are_called_in_their_order,
       executors_in_two_threads_post_to_each_other, a_posted_function_waits_for_at_most_128_steps,
       a_posted_function_waits_for_at_most_a_round_of_a_long_queue, a_timer_waits_for_at_most_128_steps,
       each_hold_needs_a_release, a_hold_does_not_stop_a_virtual_clock, a_turn_of_a_held_executor_without_tasks_is_ok,
       a_held_executor_is_not_destroyed, waiting_for_a_post_from_outside_is_no_deadlock_under_a_hold,
       a_poller_waits_until_the_earliest_timer, a_poller_that_returns_early_is_asked_again,
       a_poller_is_asked_while_tasks_are_busy, while_a_poller_is_active_tasks_wait_without_a_deadline,
       a_poller_that_is_not_active_is_not_asked_to_wait_for_ever,
       an_active_poller_does_not_keep_an_executor_without_tasks, a_post_wakes_the_poller_of_a_held_executor,
       a_poller_may_spawn_and_post, a_poller_may_run_what_is_ready_in_the_midst_of_its_wait, run_returns_a_negative_code_of_the_pollers,
       a_poller_cannot_run_or_destroy_its_executor, a_poller_may_stop_its_executor,
       a_poller_is_called_on_the_stack_that_called_run, a_poller_waits_no_longer_than_the_turn,
       what_a_poller_makes_ready_is_part_of_the_turn, a_deadlock_is_reported_with_each_task_and_what_it_waits_for,
       each_run_into_a_deadlock_is_reported, a_turn_finds_a_deadlock_only_when_it_may_wait_for_ever,
       tasks_that_await_each_other_are_in_a_deadlock, tasks_without_a_name_are_reported_too,
       many_tasks_and_long_names_are_reported_whole, a_timer_or_a_post_is_no_deadlock,
       a_deadlock_without_a_report_function_goes_to_standard_error, without_a_seed_tasks_take_turns_in_order,
       the_same_seed_gives_the_same_order, different_seeds_give_different_orders, under_some_seed_each_task_is_first,
       under_a_seed_a_turn_still_runs_each_ready_task_once, trying_seeds_finds_a_use_before_it_is_ready,
       trying_seeds_finds_a_lost_update, a_virtual_clock_begins_at_zero_and_jumps_to_the_next_timer,
       each_executor_has_a_virtual_clock_of_its_own, without_a_clock_an_executor_has_the_systems,
       a_clock_of_ones_own_may_leap, an_executor_waits_until_a_clock_of_ones_own_says_so,
       a_task_may_run_another_executor, what_an_inner_executor_calls_is_outside_of_the_outer_task,
       an_inner_task_wakes_and_cancels_tasks_of_the_outer, an_inner_executor_has_deadlocks_of_its_own,
       an_inner_task_may_stop_the_outer_executor, a_task_may_await_a_task_of_another_executor,
       an_executor_with_tasks_or_posts_is_not_destroyed, an_executor_with_a_group_is_not_destroyed,
       a_task_may_destroy_another_executor, another_threads_executor_and_tasks_cannot_be_used,
       the_current_executor_is_the_threads, several_threads_run_an_executor_each,
       an_executor_left_by_an_ended_thread_can_be_destroyed,
       tasks_left_by_an_ended_thread_are_destroyed_with_their_executor,
       an_executor_left_by_an_ended_thread_cannot_be_used, a_task_may_destroy_an_executor_left_by_an_ended_thread,
       a_thread_may_end_in_a_task, a_group_left_by_an_ended_thread_is_destroyed_before_its_executor,
       a_fiber_that_waited_in_a_left_task_can_be_destroyed, in_the_child_of_a_fork_the_executor_goes_on,
       a_task_may_fork)
