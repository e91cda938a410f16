/* SPDX-License-Identifier: MIT */
/* The public functions that are in assembly do what the C functions do that they stand for: random sequences of calls
 * are made twice, once as they come, and once with a hook, for which all go through the C functions. Each call's code
 * and value must be the same. What chance seldom comes by has cases of its own, in which the outcome is said. Where
 * nothing is in assembly, hook and no hook are compared. */

#include "t.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIBERS 5
#define GENERATORS 4
#define TASKS 5
#define MOST_EVENTS 4000

static intptr_t events[2][MOST_EVENTS];
static int lengths[2];
static int run;
static uint64_t random_state;

static void note(intptr_t event)
{
    if (lengths[run] < MOST_EVENTS)
        events[run][lengths[run]++] = event;
}

static bool is_full(void)
{
    return lengths[run] >= MOST_EVENTS;
}

static unsigned draw(unsigned below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((random_state >> 33) % below);
}

static void do_nothing(coir_fiber *from, coir_fiber *to, void *context)
{
    (void)from, (void)to, (void)context;
}

/* ---- what may be called: every outcome is noted, mistakes too ---- */

static coir_fiber *fibers[FIBERS];
static coir_gen *gens[GENERATORS];
static coir_task *tasks[TASKS]; /* NULL where the case has none */

/* What a call handed out: one of the small numbers that are handed in, or nothing. */
static void note_result(int code, void *result)
{
    note(code);
    note((intptr_t)result);
}

static void *draw_value(void)
{
    return (void *)(intptr_t)draw(100);
}

static void call_resume(void)
{
    void *result = NULL;
    coir_fiber *f = draw(20) != 0 ? fibers[draw(FIBERS)] : NULL;
    bool wants = draw(3) != 0;
    int code = coir_resume(f, draw(2) != 0 ? draw_value() : NULL, wants ? &result : NULL);

    note_result(code, result);
}

static void call_yield(void)
{
    void *result = NULL;
    bool wants = draw(3) != 0;
    int code = coir_yield(draw_value(), wants ? &result : NULL);

    note_result(code, result);
}

static void call_switch(void)
{
    void *result = NULL;
    coir_fiber *f = draw(20) != 0 ? fibers[draw(FIBERS)] : NULL;
    int code = coir_switch(f, draw(2) != 0 ? draw_value() : NULL, draw(3) != 0 ? &result : NULL);

    note_result(code, result);
}

static void call_cancel(void)
{
    void *result = NULL;
    coir_fiber *f = draw(20) != 0 ? fibers[draw(FIBERS)] : NULL;
    int code = coir_cancel(f, draw(3) != 0 ? &result : NULL);

    note_result(code, result);
}

/* Items of each size that is copied in its own way. */
#define MOST_ITEM 264
static const size_t sizes[GENERATORS] = {8, 4, 12, MOST_ITEM};

static void call_next(void)
{
    unsigned which = draw(GENERATORS);
    unsigned char item[MOST_ITEM] = {0};
    int code = coir_gen_next(draw(20) != 0 ? gens[which] : NULL, draw(4) != 0 ? item : NULL);
    uint32_t sum = 0;

    for (size_t i = 0; i < sizeof item; i++)
        sum = sum * 31 + item[i];
    note(code);
    note((intptr_t)(sum & 0x7fffffff));
}

static void call_gen_yield(void)
{
    unsigned char item[MOST_ITEM];
    unsigned which = draw(GENERATORS);

    for (size_t i = 0; i < sizeof item; i++)
        item[i] = (unsigned char)draw(256);
    note(coir_gen_yield(draw(20) != 0 ? gens[which] : NULL, draw(20) != 0 ? item : NULL));
}

/* What is ready when another task yields brings the code of its own wait with it. */
static void call_for_tasks(void)
{
    coir_task *t = tasks[draw(TASKS)];

    switch (draw(8)) {
    case 0:
    case 1: note(coir_task_park_until(coir_now() + (int64_t)draw(9))); break;
    case 2: note(coir_task_wake(t)); break;
    case 3: note(draw(6) == 0 ? coir_task_cancel(t) : 0); break;
    case 4: note(coir_task_shield(draw(3) != 0)); break;
    default:
        note(coir_task_yield());
        note(coir_task_yield());
        break;
    }
}

static void call_defer(void);
static void renew(void);

static void call_anything(void)
{
    switch (draw(16)) {
    case 0:
    case 1:
    case 2: call_resume(); break;
    case 3:
    case 4: call_yield(); break;
    case 5: call_switch(); break;
    case 6: call_cancel(); break;
    case 7:
    case 8: call_next(); break;
    case 9: call_gen_yield(); break;
    case 10: call_defer(); break;
    case 11: renew(); break;
    case 12:
    case 13: call_for_tasks(); break;
    default: note(coir_task_yield()); break;
    }
}

/* Deferred: the fiber ends, and may suspend no more. */
static void call_at_the_end(void *number)
{
    note((intptr_t)number);
    call_gen_yield();
    call_yield();
    note(coir_task_yield());
    if (!is_full())
        call_anything();
}

static void call_defer(void)
{
    note(coir_defer(call_at_the_end, draw_value()));
}

static void *live(void *number)
{
    note((intptr_t)number);
    for (unsigned calls = draw(60); calls > 0 && !is_full(); calls--)
        call_anything();
    return number;
}

static int generate(coir_gen *g, void *number)
{
    (void)g;
    note((intptr_t)number);
    for (unsigned calls = draw(60); calls > 0 && !is_full(); calls--)
        draw(2) != 0 ? call_gen_yield() : call_anything();
    return draw(3) == 0 ? -2000 - (int)draw(5) : 0;
}

/* ---- fibers and generators, called from outside of any ---- */

static void make_fiber(unsigned i)
{
    fibers[i] = t_create(live, T_VALUE(1000 + i));
}

static coir_gen *make_generator(size_t item_size, coir_gen_fn *fn, void *arg)
{
    coir_gen *g = NULL;

    ck_assert_int_eq(coir_gen_create(&g, item_size, fn, arg, NULL), COIR_OK);
    return g;
}

static void make_gen(unsigned i)
{
    gens[i] = make_generator(sizes[i], generate, T_VALUE(2000 + i));
}

static void make_all(void)
{
    for (unsigned i = 0; i < FIBERS; i++)
        make_fiber(i);
    for (unsigned i = 0; i < GENERATORS; i++)
        make_gen(i);
}

/* What ends now may call what is still there. */
static void destroy_all(void)
{
    for (int i = 0; i < FIBERS; i++) {
        ck_assert_int_eq(coir_destroy(fibers[i]), COIR_OK);
        fibers[i] = NULL;
    }
    for (int i = 0; i < GENERATORS; i++) {
        ck_assert_int_eq(coir_gen_destroy(gens[i]), COIR_OK);
        gens[i] = NULL;
    }
}

/* Replaces a fiber or a generator by a new one, if it can be destroyed. */
static void renew(void)
{
    unsigned i = draw(FIBERS + GENERATORS);
    bool is_fiber = i < FIBERS;
    int code = COIR_EINVAL;

    if (!is_fiber)
        i -= FIBERS;
    if (is_fiber ? fibers[i] != NULL : gens[i] != NULL)
        code = is_fiber ? coir_destroy(fibers[i]) : coir_gen_destroy(gens[i]);
    note(code);
    if (code == COIR_OK)
        is_fiber ? make_fiber(i) : make_gen(i);
}

static void play_fibers(void)
{
    make_all();
    for (int i = 0; i < 300 && !is_full(); i++)
        call_anything();
    destroy_all();
}

/* ---- the same in tasks ---- */

static void *live_in_task(void *number)
{
    for (int i = 0; i < 100 && !is_full(); i++) {
        note((intptr_t)number);
        call_anything();
        if (draw(2) != 0)
            note(coir_task_yield());
    }
    return number;
}

static coir_exec *make_executor(coir_clock *clock)
{
    coir_exec_options opt = {.clock = clock, .flags = clock == NULL ? COIR_VIRTUAL_CLOCK : 0};
    coir_exec *e = NULL;

    ck_assert_int_eq(coir_exec_create(&e, &opt), COIR_OK);
    return e;
}

static coir_task *spawn(coir_exec *e, coir_fn *fn, void *arg)
{
    coir_task *t = NULL;

    ck_assert_int_eq(coir_spawn(&t, e, fn, arg, NULL), COIR_OK);
    return t;
}

static void *await(coir_task *t)
{
    void *result = NULL;

    ck_assert_int_eq(coir_await(t, &result), COIR_OK);
    return result;
}

static void play_tasks(void)
{
    coir_exec *e = make_executor(NULL);

    make_all();
    for (int i = 0; i < TASKS; i++)
        tasks[i] = spawn(e, live_in_task, T_VALUE(3000 + i));
    note(coir_exec_run(e));
    for (int i = 0; i < TASKS; i++) {
        note((intptr_t)await(tasks[i]));
        tasks[i] = NULL;
    }
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
    destroy_all();
}

/* ---- comparing ---- */

static void play_twice(void (*play)(void), uint64_t seed, coir_switch_hook *second_hook)
{
    for (run = 0; run < 2; run++) {
        lengths[run] = 0;
        random_state = seed;
        ck_assert_int_eq(coir_set_switch_hook(run == 1 ? second_hook : NULL, NULL), COIR_OK);
        play();
        ck_assert_int_eq(coir_set_switch_hook(NULL, NULL), COIR_OK);
    }
    ck_assert_int_eq(lengths[0], lengths[1]);
    ck_assert_int_eq(memcmp(events[0], events[1], (size_t)lengths[0] * sizeof events[0][0]), 0);
}

static uint64_t seeds(void)
{
    return t_instrumented() ? 20 : 200;
}

static void play_all_seeds(void (*play)(void), coir_switch_hook *second_hook)
{
    int total = 0;

    for (uint64_t seed = 1; seed <= seeds(); seed++) {
        play_twice(play, seed, second_hook);
        total += lengths[0];
    }
    ck_assert_int_gt(total, (int)seeds() * 500); /* or it shows little */
}

START_TEST(fibers_and_generators_do_the_same_through_the_c_functions)
{
    play_all_seeds(play_fibers, do_nothing);
}
END_TEST

START_TEST(tasks_do_the_same_through_the_c_functions)
{
    play_all_seeds(play_tasks, do_nothing);
}
END_TEST

/* The hook comes and goes in the middle. */
static unsigned switches;

static void count_and_leave(coir_fiber *from, coir_fiber *to, void *context)
{
    (void)from, (void)to, (void)context;
    if (++switches % 3 == 0)
        coir_set_switch_hook(NULL, NULL);
}

static void play_with_hooks_that_come_and_go(void)
{
    make_all();
    for (int i = 0; i < 300 && !is_full(); i++) {
        if (run == 1 && i % 2 == 0)
            coir_set_switch_hook(count_and_leave, NULL);
        call_anything();
    }
    destroy_all();
}

START_TEST(they_take_turns_in_the_life_of_a_fiber)
{
    switches = 0;
    play_all_seeds(play_with_hooks_that_come_and_go, NULL);
    ck_assert_int_gt((int)switches, (int)seeds());
}
END_TEST

/* ---- what must not suspend: each deferred function and each posted one notes that it was called ---- */

static int calls;

static void yield_seven_when_ending(void *g)
{
    uint64_t seven = 7;

    calls++;
    ck_assert_int_eq(coir_gen_yield(g, &seven), COIR_ECANCELED);
}

static int yield_one_and_end(coir_gen *g, void *arg)
{
    uint64_t one = 1;

    (void)arg;
    ck_assert_int_eq(coir_defer(yield_seven_when_ending, g), COIR_OK);
    ck_assert_int_eq(coir_gen_yield(g, &one), COIR_OK);
    return 0;
}

static void let_generators_end(void)
{
    uint64_t item = 0;
    coir_gen *returns = make_generator(sizeof item, yield_one_and_end, NULL);
    coir_gen *is_destroyed = make_generator(sizeof item, yield_one_and_end, NULL);

    calls = 0;
    ck_assert_int_eq(coir_gen_next(is_destroyed, &item), 1);
    ck_assert_int_eq(coir_gen_next(returns, &item), 1);
    ck_assert_int_eq(coir_gen_next(returns, &item), 0);
    ck_assert_int_eq((int)item, 1);
    ck_assert_int_eq(coir_gen_destroy(returns), COIR_OK);
    ck_assert_int_eq(coir_gen_destroy(is_destroyed), COIR_OK);
    ck_assert_int_eq(calls, 2);
}

START_TEST(a_generator_that_ends_cannot_yield)
{
    play_twice(let_generators_end, 0, do_nothing);
}
END_TEST

static void yield_when_ending(void *arg)
{
    (void)arg;
    calls++;
    ck_assert_int_eq(coir_yield(NULL, NULL), COIR_ECANCELED);
}

static void *yield_and_end(void *arg)
{
    ck_assert_int_eq(coir_defer(yield_when_ending, NULL), COIR_OK);
    ck_assert_int_eq(coir_yield(NULL, NULL), COIR_OK);
    return arg;
}

static void let_fibers_end(void)
{
    coir_fiber *returns = t_create(yield_and_end, NULL), *is_destroyed = t_create(yield_and_end, NULL);

    calls = 0;
    ck_assert_int_eq(coir_resume(is_destroyed, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(coir_resume(returns, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(coir_resume(returns, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(coir_destroy(returns), COIR_OK);
    ck_assert_int_eq(coir_destroy(is_destroyed), COIR_OK);
    ck_assert_int_eq(calls, 2);
}

START_TEST(a_fiber_that_ends_cannot_yield)
{
    play_twice(let_fibers_end, 0, do_nothing);
}
END_TEST

static void task_yield_when_ending(void *arg)
{
    (void)arg;
    calls++;
    ck_assert_int_eq(coir_task_yield(), COIR_ECANCELED);
}

/* It has yielded last, so nothing else stands against its doing so again. */
static void *task_yield_and_end(void *arg)
{
    ck_assert_int_eq(coir_defer(task_yield_when_ending, NULL), COIR_OK);
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    return arg;
}

static void let_tasks_end(void)
{
    coir_exec *e = make_executor(NULL);
    coir_task *a = spawn(e, task_yield_and_end, NULL), *b = spawn(e, task_yield_and_end, NULL);

    calls = 0;
    await(a);
    await(b);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
    ck_assert_int_eq(calls, 2);
}

START_TEST(a_task_that_ends_cannot_yield)
{
    play_twice(let_tasks_end, 0, do_nothing);
}
END_TEST

static void yield_seven_when_posted(void *g)
{
    uint64_t seven = 7;

    calls++;
    ck_assert_int_eq(coir_gen_yield(g, &seven), COIR_EBUSY);
}

static int run_executor_and_yield_one(coir_gen *g, void *e)
{
    uint64_t one = 1;

    ck_assert_int_eq(coir_exec_post(e, yield_seven_when_posted, g), COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_gen_yield(g, &one), COIR_OK);
    return 0;
}

static void run_executor_in_generator(void)
{
    coir_exec *e = make_executor(NULL);
    uint64_t item = 0;
    coir_gen *g = make_generator(sizeof item, run_executor_and_yield_one, e);

    calls = 0;
    ck_assert_int_eq(coir_gen_next(g, &item), 1);
    ck_assert_int_eq((int)item, 1);
    ck_assert_int_eq(calls, 1);
    ck_assert_int_eq(coir_gen_next(g, &item), 0);
    ck_assert_int_eq(coir_gen_destroy(g), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}

START_TEST(what_is_posted_cannot_yield_for_the_generator_that_runs_the_executor)
{
    play_twice(run_executor_in_generator, 0, do_nothing);
}
END_TEST

/* ---- items ---- */

#define LARGE_ITEM 65544 /* 8 in its lowest 16 bits, as 264 has in its lowest 8 */

static unsigned char given[LARGE_ITEM], got[LARGE_ITEM + 1];

static int give_once(coir_gen *g, void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_gen_yield(g, given), COIR_OK);
    return 0;
}

/* The byte behind the item stays. */
static void take_item(size_t size)
{
    coir_gen *g = make_generator(size, give_once, NULL);

    memset(got, 0xff, sizeof got);
    ck_assert_int_eq(coir_gen_next(g, got), 1);
    ck_assert_int_eq(memcmp(got, given, size), 0);
    ck_assert_int_eq(got[size], 0xff);
    ck_assert_int_eq(coir_gen_next(g, got), 0);
    ck_assert_int_eq(coir_gen_destroy(g), COIR_OK);
}

static void take_items(void)
{
    static const size_t item_sizes[] = {1, 4, 7, 8, 9, 12, 16, 260, 264, LARGE_ITEM};

    for (size_t i = 0; i < sizeof given; i++)
        given[i] = (unsigned char)(i % 251 + 1);
    for (size_t i = 0; i < sizeof item_sizes / sizeof item_sizes[0]; i++)
        take_item(item_sizes[i]);
}

START_TEST(items_of_all_sizes_are_copied_whole)
{
    play_twice(take_items, 0, do_nothing);
}
END_TEST

/* ---- codes ---- */

static void *yield_before_and_after_a_cancel(void *arg)
{
    ck_assert_int_eq(coir_yield(NULL, NULL), COIR_OK);
    ck_assert_int_eq(coir_yield(NULL, NULL), COIR_ECANCELED);
    ck_assert_int_eq(coir_yield(NULL, NULL), COIR_ECANCELED);
    return arg;
}

static void resume_what_was_cancelled(void)
{
    coir_fiber *f = t_create(yield_before_and_after_a_cancel, NULL);

    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(coir_cancel(f, NULL), COIR_YIELDED);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
}

START_TEST(a_resume_does_not_hide_that_a_fiber_was_cancelled)
{
    play_twice(resume_what_was_cancelled, 0, do_nothing);
}
END_TEST

static bool is_reached;

static void *park_until(void *deadline)
{
    int code = coir_task_park_until(*(const int64_t *)deadline);

    is_reached = true;
    return T_VALUE(code);
}

/* Yields once, so that the next yield is made like the last one; cancels; yields to the task that this made ready. */
static void *cancel_and_yield(void *t)
{
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    ck_assert_int_eq(coir_task_cancel(t), COIR_OK);
    ck_assert(!is_reached);
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    ck_assert(is_reached);
    return NULL;
}

static void cancel_a_parked_task(void)
{
    int64_t deadline = COIR_FOREVER;
    coir_exec *e = make_executor(NULL);
    coir_task *parked = spawn(e, park_until, &deadline);
    coir_task *other = spawn(e, cancel_and_yield, parked);

    is_reached = false;
    await(other);
    ck_assert_int_eq(T_NUMBER(await(parked)), COIR_ECANCELED);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}

START_TEST(a_cancel_reaches_a_task_through_the_yield_of_another)
{
    play_twice(cancel_a_parked_task, 0, do_nothing);
}
END_TEST

/* A clock that goes on whenever it is looked at: time passes while a task yields and yields. */
static int64_t ticks;

static int64_t tick(void *context)
{
    (void)context;
    return ++ticks;
}

static void *yield_until_reached(void *arg)
{
    for (int i = 0; i < 10000 && !is_reached; i++)
        ck_assert_int_eq(coir_task_yield(), COIR_OK);
    return arg;
}

static void let_a_parked_task_time_out(void)
{
    int64_t deadline = 5;
    coir_exec *e = make_executor(tick);
    coir_task *parked = spawn(e, park_until, &deadline);
    coir_task *other = spawn(e, yield_until_reached, NULL);

    ticks = 0;
    is_reached = false;
    await(other);
    ck_assert(is_reached);
    ck_assert_int_eq(T_NUMBER(await(parked)), COIR_ETIMEDOUT);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}

START_TEST(a_timeout_reaches_a_task_through_the_yield_of_another)
{
    play_twice(let_a_parked_task_time_out, 0, do_nothing);
}
END_TEST

T_MAIN(fibers_and_generators_do_the_same_through_the_c_functions, tasks_do_the_same_through_the_c_functions,
       they_take_turns_in_the_life_of_a_fiber, a_generator_that_ends_cannot_yield, a_fiber_that_ends_cannot_yield,
       a_task_that_ends_cannot_yield, what_is_posted_cannot_yield_for_the_generator_that_runs_the_executor,
       items_of_all_sizes_are_copied_whole, a_resume_does_not_hide_that_a_fiber_was_cancelled,
       a_cancel_reaches_a_task_through_the_yield_of_another, a_timeout_reaches_a_task_through_the_yield_of_another)
