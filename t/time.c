/* SPDX-License-Identifier: MIT */
/* Time: whose clock coir_now is, sleeping, the order of timers, and the ends of the scale. */

#include "t.h"

#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "executors.h"

static coir_exec *make(void)
{
    const coir_exec_options opt = {.flags = COIR_VIRTUAL_CLOCK};
    coir_exec *e = NULL;

    ck_assert_int_eq(coir_exec_create(&e, &opt), COIR_OK);
    return e;
}

/* A clock that moves when the case says so. */
static int64_t hand;

static int64_t read_the_hand(void *context)
{
    return *(int64_t *)context;
}

static coir_exec *make_with_hand(void)
{
    const coir_exec_options opt = {.clock = read_the_hand, .clock_context = &hand};
    coir_exec *e = NULL;

    ck_assert_int_eq(coir_exec_create(&e, &opt), COIR_OK);
    return e;
}

static void run_and_destroy(coir_exec *e)
{
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}

static void run_task(coir_fn *fn, void *arg)
{
    coir_exec *e = make();

    spawn_detached(e, fn, arg);
    run_and_destroy(e);
}

/* ---- coir_now ---- */

START_TEST(units_are_nanoseconds)
{
    ck_assert_int_eq(COIR_MICROSECOND, 1000);
    ck_assert_int_eq(COIR_MILLISECOND, 1000 * COIR_MICROSECOND);
    ck_assert_int_eq(COIR_SECOND, 1000 * COIR_MILLISECOND);
    ck_assert_int_eq(COIR_FOREVER, INT64_MAX);
}
END_TEST

START_TEST(outside_of_executors_the_clock_is_the_systems)
{
    int64_t before = coir_now();
    for (int i = 0; i < 1000; i++) {
        int64_t now = coir_now();
        ck_assert_int_ge(now, before);
        before = now;
    }
    ck_assert_int_ge(before, 0);
}
END_TEST

static int64_t before_the_run;

static void *look_at_the_system_clock(void *arg)
{
    int64_t now = coir_now(), executors = coir_exec_now(coir_exec_current()), later = coir_now();
    ck_assert_int_ge(now, before_the_run);
    ck_assert_int_le(now, executors);
    ck_assert_int_le(executors, later);
    return arg;
}

START_TEST(an_executor_without_a_clock_of_its_own_has_the_systems)
{
    coir_exec *e = NULL;
    ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
    before_the_run = coir_now();
    spawn_detached(e, look_at_the_system_clock, NULL);
    run_and_destroy(e);
}
END_TEST

static void *look_at_the_hand(void *text)
{
    ck_assert_int_eq(coir_now(), hand);
    event(text);
    return NULL;
}

static void *look_in_a_fiber(void *arg)
{
    coir_fiber *f = t_create(look_at_the_hand, "fiber ");
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
    look_at_the_hand("task ");
    return arg;
}

static void look_in_a_post(void *text)
{
    look_at_the_hand(text);
}

static void *look_in_another_thread(void *arg)
{
    ck_assert_int_ge(coir_now(), before_the_run); /* the system's */
    event("thread ");
    return arg;
}

static void *look_beside_a_task(void *arg)
{
    t_on_thread(look_in_another_thread, NULL);
    return arg;
}

START_TEST(in_tasks_and_posts_the_clock_is_the_executors)
{
    coir_exec *e;
    before_the_run = coir_now();
    hand = 77; /* nothing that the system would say */
    e = make_with_hand();
    spawn_detached(e, look_in_a_fiber, NULL);
    spawn_detached(e, look_beside_a_task, NULL);
    coir_exec_post(e, look_in_a_post, "post ");
    ck_assert_int_ge(coir_now(), before_the_run);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_ge(coir_now(), before_the_run);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
    ck_assert_str_eq(events, "post fiber task thread ");
}
END_TEST

/* ---- sleeping ---- */

static void *sleep_and_look(void *arg)
{
    ck_assert_int_eq(coir_now(), 0);
    ck_assert_int_eq(coir_sleep(5 * COIR_SECOND), COIR_OK);
    ck_assert_int_eq(coir_now(), 5 * COIR_SECOND);
    ck_assert_int_eq(coir_sleep(1), COIR_OK);
    ck_assert_int_eq(coir_now(), 5 * COIR_SECOND + 1);
    ck_assert_int_eq(coir_sleep_until(60 * COIR_SECOND), COIR_OK);
    ck_assert_int_eq(coir_now(), 60 * COIR_SECOND);
    event("done");
    return arg;
}

START_TEST(a_task_sleeps_for_a_duration_or_until_a_time)
{
    run_task(sleep_and_look, NULL);
    ck_assert_str_eq(events, "done");
}
END_TEST

static void *sleep_a_little(void *arg)
{
    int64_t before = coir_now();
    ck_assert_int_eq(coir_sleep(2 * COIR_MILLISECOND), COIR_OK);
    ck_assert_int_ge(coir_now(), before + 2 * COIR_MILLISECOND);
    before = coir_now();
    ck_assert_int_eq(coir_sleep_until(before + COIR_MILLISECOND), COIR_OK);
    ck_assert_int_ge(coir_now(), before + COIR_MILLISECOND);
    return arg;
}

START_TEST(by_the_systems_clock_no_sleep_is_too_short)
{
    coir_exec *e = NULL;
    ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
    for (int i = 0; i < 3; i++)
        spawn_detached(e, sleep_a_little, NULL);
    run_and_destroy(e);
}
END_TEST

static void *sleep_outside_of_tasks(void *arg)
{
    ck_assert_int_eq(coir_sleep(5), COIR_ENOTTASK);
    ck_assert_int_eq(coir_sleep(-5), COIR_ENOTTASK);
    ck_assert_int_eq(coir_sleep(COIR_FOREVER), COIR_ENOTTASK);
    ck_assert_int_eq(coir_sleep_until(0), COIR_ENOTTASK);
    ck_assert_int_eq(coir_sleep_until(COIR_FOREVER), COIR_ENOTTASK);
    return arg;
}

START_TEST(only_tasks_sleep)
{
    coir_fiber *f;
    sleep_outside_of_tasks(NULL);
    f = t_create(sleep_outside_of_tasks, NULL);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
}
END_TEST

static const int64_t times_that_have_come[] = {0, -1, -COIR_SECOND, INT64_MIN + 1, INT64_MIN};

static void *sleep_until_times_that_have_come(void *arg)
{
    for (int i = 0; i < 5; i++) {
        spawn_detached(NULL, note_and_return, "o");
        event("[");
        ck_assert_int_eq(coir_sleep(times_that_have_come[i]), COIR_OK);
        event("]");
        spawn_detached(NULL, note_and_return, "o");
        event("(");
        ck_assert_int_eq(coir_sleep_until(times_that_have_come[i]), COIR_OK);
        event(")");
    }
    ck_assert_int_eq(coir_now(), 0);
    return arg;
}

START_TEST(a_sleep_until_a_time_that_has_come_is_a_yield)
{
    run_task(sleep_until_times_that_have_come, NULL);
    ck_assert_str_eq(events, "[o](o)[o](o)[o](o)[o](o)[o](o)");
}
END_TEST

static void *sleep_by_durations_below_zero(void *arg)
{
    ck_assert_int_eq(coir_sleep(INT64_MIN), COIR_OK);
    ck_assert_int_eq(coir_sleep(-1), COIR_OK);
    ck_assert_int_eq(coir_sleep_until(coir_now()), COIR_OK);
    ck_assert_int_eq(coir_now(), 1000);
    event("done");
    return arg;
}

START_TEST(a_negative_duration_does_not_wrap)
{
    coir_exec *e = make_with_hand();
    hand = 1000;
    spawn_detached(e, sleep_by_durations_below_zero, NULL);
    run_and_destroy(e);
    ck_assert_str_eq(events, "done");
}
END_TEST

/* ---- the far end of the scale ---- */

static int report_lines;

static void count_line(const char *line, void *context)
{
    (void)line;
    (void)context;
    report_lines++;
}

static coir_exec *make_counting_reports(void)
{
    const coir_exec_options opt = {.flags = COIR_VIRTUAL_CLOCK, .report = count_line};
    coir_exec *e = NULL;

    ck_assert_int_eq(coir_exec_create(&e, &opt), COIR_OK);
    return e;
}

static void *sleep_for_ever(void *arg)
{
    ck_assert_int_eq(coir_sleep(10), COIR_OK);
    switch (T_NUMBER(arg)) {
    case 0:
        ck_assert_int_eq(coir_sleep(COIR_FOREVER), COIR_ECANCELED);
        break;
    case 1:
        ck_assert_int_eq(coir_sleep_until(COIR_FOREVER), COIR_ECANCELED);
        break;
    case 2:
        ck_assert_int_eq(coir_task_park_until(COIR_FOREVER), COIR_ECANCELED);
        break;
    default:
        ck_assert_int_eq(coir_sleep(COIR_FOREVER - 1), COIR_ECANCELED); /* and 10 more are too many for the scale */
    }
    event("c");
    return NULL;
}

START_TEST(forever_never_comes)
{
    coir_exec *e = make_counting_reports();
    for (int i = 0; i < 4; i++)
        spawn_detached(e, sleep_for_ever, T_VALUE(i));
    ck_assert_int_eq(coir_exec_run(e), COIR_EDEADLK); /* no timer is set */
    ck_assert_int_gt(report_lines, 0);
    ck_assert_int_eq(coir_exec_now(e), 10);
    ck_assert_int_eq(coir_exec_next_deadline(e), COIR_FOREVER);
    ck_assert_str_eq(events, "");
    coir_exec_cancel(e);
    run_and_destroy(e);
    ck_assert_str_eq(events, "cccc");
}
END_TEST

static void *sleep_until_the_end_of_time(void *arg)
{
    ck_assert_int_eq(coir_sleep(COIR_FOREVER - 1), COIR_OK);
    ck_assert_int_eq(coir_now(), COIR_FOREVER - 1);
    event("end ");
    return arg;
}

static void *sleep_292_years(void *arg)
{
    ck_assert_int_eq(coir_sleep(INT64_C(292) * 365 * 24 * 3600 * COIR_SECOND), COIR_OK);
    event("292 years ");
    return arg;
}

START_TEST(the_last_time_before_forever_comes)
{
    coir_exec *e = make_counting_reports();
    spawn_detached(e, sleep_until_the_end_of_time, NULL);
    spawn_detached(e, sleep_292_years, NULL);
    run_and_destroy(e);
    ck_assert_str_eq(events, "292 years end ");
    ck_assert_int_eq(report_lines, 0);
}
END_TEST

static void *await_for_ever(void *t)
{
    ck_assert_int_eq(coir_await_until(t, COIR_FOREVER, NULL), COIR_OK);
    ck_assert_int_eq(coir_now(), COIR_SECOND);
    return NULL;
}

static void *sleep_a_second(void *arg)
{
    ck_assert_int_eq(coir_sleep(COIR_SECOND), COIR_OK);
    return arg;
}

START_TEST(forever_as_a_deadline_is_none)
{
    coir_exec *e = make();
    coir_task *t = spawn(e, sleep_a_second, NULL);
    spawn_detached(e, await_for_ever, t);
    run_and_destroy(e);
}
END_TEST

/* ---- the order of timers ---- */

static void *sleep_until_ones_letter(void *letter)
{
    const char *text = letter;
    ck_assert_int_eq(coir_sleep_until((text[0] - 'a' + 1) * 10), COIR_OK);
    ck_assert_int_eq(coir_now(), (text[0] - 'a' + 1) * 10);
    event(letter);
    return NULL;
}

START_TEST(timers_fire_in_the_order_of_their_deadlines)
{
    static char letters[] = "g\0c\0a\0h\0e\0b\0f\0d\0";
    coir_exec *e = make();
    for (size_t i = 0; i < sizeof letters - 2; i += 2)
        spawn_detached(e, sleep_until_ones_letter, &letters[i]);
    run_and_destroy(e);
    ck_assert_str_eq(events, "abcdefgh");
}
END_TEST

static void *sleep_until_100(void *text)
{
    ck_assert_int_eq(coir_sleep_until(100), COIR_OK);
    event(text);
    return NULL;
}

static void *sleep_twice_until_100(void *text)
{
    ck_assert_int_eq(coir_sleep(50), COIR_OK);
    ck_assert_int_eq(coir_sleep(50), COIR_OK);
    event(text);
    return NULL;
}

static void *park_until_100(void *text)
{
    ck_assert_int_eq(coir_task_park_until(100), COIR_ETIMEDOUT);
    event(text);
    return NULL;
}

static void *await_until_100(void *t)
{
    ck_assert_int_eq(coir_await_until(t, 100, NULL), COIR_ETIMEDOUT);
    event("await ");
    return NULL;
}

START_TEST(equal_deadlines_fire_in_the_order_in_which_they_were_set)
{
    coir_exec *e = make();
    coir_task *t = spawn(e, sleep_a_second, NULL);
    spawn_detached(e, sleep_twice_until_100, "last ");
    spawn_detached(e, park_until_100, "park ");
    spawn_detached(e, sleep_until_100, "sleep ");
    spawn_detached(e, await_until_100, t);
    spawn_detached(e, sleep_until_100, "again ");
    run_and_destroy(e); /* t was never awaited */
    ck_assert_str_eq(events, "park sleep await again last ");
}
END_TEST

static void *sleep_its_number(void *number)
{
    char letter[2] = {(char)('a' + T_NUMBER(number) / 10 - 1), '\0'};
    ck_assert_int_eq(coir_sleep_until(T_NUMBER(number)), COIR_OK);
    event(letter);
    return NULL;
}

START_TEST(timers_that_are_due_together_fire_in_order_too)
{
    static const int numbers[] = {80, 30, 60, 10, 50, 30, 70, 20, 40, 80};
    coir_exec *e = make_with_hand();
    for (int i = 0; i < 10; i++)
        spawn_detached(e, sleep_its_number, T_VALUE(numbers[i]));
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    hand = 1000; /* past them all */
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
    ck_assert_str_eq(events, "abccdefghh");
}
END_TEST

static int64_t ticks_of[3];

static void *tick(void *period)
{
    int64_t next = 0;
    while (next < 6000) {
        next += T_NUMBER(period) * 100;
        ck_assert_int_eq(coir_sleep_until(next), COIR_OK);
        ck_assert_int_eq(coir_now(), next);
        ticks_of[T_NUMBER(period) - 1]++;
    }
    return NULL;
}

START_TEST(periodic_tasks_keep_their_time)
{
    coir_exec *e = make();
    for (int period = 1; period <= 3; period++)
        spawn_detached(e, tick, T_VALUE(period));
    run_and_destroy(e);
    ck_assert_int_eq(ticks_of[0], 60);
    ck_assert_int_eq(ticks_of[1], 30);
    ck_assert_int_eq(ticks_of[2], 20);
}
END_TEST

/* ---- in fibers of tasks ---- */

static void *sleep_10_in_a_fiber(void *text)
{
    int64_t before = coir_now();
    coir_fiber *self = coir_self();
    ck_assert_int_eq(coir_sleep(10), COIR_OK);
    ck_assert_int_eq(coir_now(), before + 10);
    ck_assert_ptr_eq(coir_self(), self);
    event(text);
    return NULL;
}

static void *sleep_in_nested_fibers(void *depth)
{
    coir_fiber *f = T_NUMBER(depth) > 0 ? t_create(sleep_in_nested_fibers, T_VALUE(T_NUMBER(depth) - 1))
                                        : t_create(sleep_10_in_a_fiber, "i");
    ck_assert_int_eq(coir_sleep(1), COIR_OK);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(coir_sleep(1), COIR_OK);
    coir_destroy(f);
    return NULL;
}

START_TEST(nested_fibers_sleep_at_every_depth)
{
    coir_exec *e = make();
    for (int depth = 0; depth < 5; depth++)
        spawn_detached(e, sleep_in_nested_fibers, T_VALUE(depth));
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_exec_now(e), 5 + 10 + 5);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
    ck_assert_str_eq(events, "iiiii");
}
END_TEST

/* ---- cancelled sleepers ---- */

static void *sleep_until_cancelled_at_30(void *arg)
{
    ck_assert_int_eq(coir_sleep_until(100), COIR_ECANCELED);
    ck_assert_int_eq(coir_now(), 30); /* the time has not come */
    ck_assert_int_eq(coir_sleep_until(0), COIR_ECANCELED); /* not even a yield */
    event("cancelled ");
    return arg;
}

static void *cancel_at_30(void *t)
{
    ck_assert_int_eq(coir_sleep(30), COIR_OK);
    ck_assert_int_eq(coir_task_cancel(t), COIR_OK);
    return NULL;
}

START_TEST(a_sleeper_that_is_cancelled_wakes_at_once)
{
    coir_exec *e = make();
    coir_task *t = spawn(e, sleep_until_cancelled_at_30, NULL);
    spawn_detached(e, cancel_at_30, t);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    ck_assert_int_eq(coir_exec_next_deadline(e), COIR_FOREVER);
    run_and_destroy(e);
    ck_assert_str_eq(events, "cancelled ");
}
END_TEST

/* Many sleepers: each knows its deadline, and whether it is to be cancelled. What the tasks themselves find goes into
 * counters, since their stacks may be small. */
enum { MOST_SLEEPERS = 100000 };

static struct sleeper {
    coir_task *task;
    int64_t deadline;
    bool cancelled;
} sleepers[MOST_SLEEPERS];

static struct {
    int64_t deadline;
    const struct sleeper *sleeper;
    int woken, cancelled, wrong;
} last;

static void *sleep_in_a_crowd(void *arg)
{
    const struct sleeper *s = arg;
    int error = coir_sleep_until(s->deadline);

    if (error != (s->cancelled ? COIR_ECANCELED : COIR_OK))
        last.wrong++;
    if (s->cancelled) {
        last.cancelled++;
        return NULL;
    }
    if (coir_now() != s->deadline || s->deadline < last.deadline || (s->deadline == last.deadline && s < last.sleeper))
        last.wrong++;
    last.deadline = s->deadline;
    last.sleeper = s;
    last.woken++;
    return NULL;
}

/* Deadlines that go up and down, each several times. */
static void spawn_sleepers(coir_exec *e, int n)
{
    coir_options opt = {.stack_size = coir_stack_min()};

    if (!t_guards_are_free())
        opt.flags = COIR_NO_GUARD; /* each would take two mappings, and there are not so many */
    for (int i = 0; i < n; i++) {
        sleepers[i].deadline = 1 + (int64_t)i * 7919 % (n / 4);
        if (coir_spawn(&sleepers[i].task, e, sleep_in_a_crowd, &sleepers[i], &opt) != COIR_OK)
            last.wrong++;
    }
    ck_assert_int_eq(last.wrong, 0);
}

static void detach_sleepers(int n)
{
    for (int i = 0; i < n; i++)
        if (coir_task_detach(sleepers[i].task) != COIR_OK)
            last.wrong++;
}

START_TEST(cancelled_sleepers_leave_the_others_in_order)
{
    enum { SLEEPERS = 1000 };
    coir_exec *e = make();
    spawn_sleepers(e, SLEEPERS);
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    for (int i = 0; i < SLEEPERS; i++) {
        sleepers[i].cancelled = (unsigned)i * 2654435761u % 7 < 3;
        if (sleepers[i].cancelled)
            last.wrong += coir_task_cancel(sleepers[i].task) != COIR_OK;
    }
    detach_sleepers(SLEEPERS);
    run_and_destroy(e);
    ck_assert_int_eq(last.wrong, 0);
    ck_assert_int_gt(last.cancelled, 300);
    ck_assert_int_eq(last.woken + last.cancelled, SLEEPERS);
}
END_TEST

static int how_many_can_sleep(void)
{
    if (t_instrumented())
        return 400;
    if (t_is_wine() && t_backend_is("winfiber"))
        return 200; /* where stacks are memory from the start */
#ifdef _WIN32
    return 5000;
#else
    return MOST_SLEEPERS;
#endif
}

START_TEST(a_hundred_thousand_tasks_sleep_at_a_time)
{
    int n = how_many_can_sleep();
    coir_exec *e = make();
    spawn_sleepers(e, n);
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_int_eq(coir_exec_tasks(e), n);
    ck_assert_int_eq(coir_exec_next_deadline(e), 1);
    ck_assert_int_eq(coir_exec_now(e), 0);
    detach_sleepers(n);
    run_and_destroy(e);
    ck_assert_int_eq(last.wrong, 0);
    ck_assert_int_eq(last.woken, n);
}
END_TEST

T_MAIN(units_are_nanoseconds, outside_of_executors_the_clock_is_the_systems,
       an_executor_without_a_clock_of_its_own_has_the_systems, in_tasks_and_posts_the_clock_is_the_executors,
       a_task_sleeps_for_a_duration_or_until_a_time, by_the_systems_clock_no_sleep_is_too_short, only_tasks_sleep,
       a_sleep_until_a_time_that_has_come_is_a_yield, a_negative_duration_does_not_wrap, forever_never_comes,
       the_last_time_before_forever_comes, forever_as_a_deadline_is_none, timers_fire_in_the_order_of_their_deadlines,
       equal_deadlines_fire_in_the_order_in_which_they_were_set, timers_that_are_due_together_fire_in_order_too,
       periodic_tasks_keep_their_time, nested_fibers_sleep_at_every_depth, a_sleeper_that_is_cancelled_wakes_at_once,
       cancelled_sleepers_leave_the_others_in_order, a_hundred_thousand_tasks_sleep_at_a_time)
