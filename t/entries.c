/* SPDX-License-Identifier: MIT */
/* The public functions that are in assembly do what the C functions do that they stand for: random sequences of calls are
 * made twice, once as they come, and once with a hook, for which all go through the C functions. Each call's code and
 * value must be the same. Where nothing is in assembly, hook and no hook are compared. */

#include "t.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIBERS 5
#define GENERATORS 3
#define TASKS 4
#define MOST_EVENTS 4000
#define SEEDS 60

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

/* Items of each size that is copied in its own way. */
static const size_t sizes[GENERATORS] = {8, 4, 12};

static void call_next(void)
{
    unsigned which = draw(GENERATORS);
    unsigned char item[12] = {0};
    int code = coir_gen_next(draw(20) != 0 ? gens[which] : NULL, draw(4) != 0 ? item : NULL);

    note(code);
    for (size_t i = 0; i < sizeof item; i++)
        note(item[i]);
}

static void call_gen_yield(void)
{
    unsigned char item[12];
    unsigned which = draw(GENERATORS);

    for (size_t i = 0; i < sizeof item; i++)
        item[i] = (unsigned char)draw(256);
    note(coir_gen_yield(draw(20) != 0 ? gens[which] : NULL, draw(20) != 0 ? item : NULL));
}

static void call_anything(void)
{
    switch (draw(8)) {
    case 0:
    case 1: call_resume(); break;
    case 2:
    case 3: call_yield(); break;
    case 4: call_switch(); break;
    case 5: call_next(); break;
    case 6: call_gen_yield(); break;
    default: note(coir_task_yield()); break;
    }
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

static void make_all(void)
{
    for (int i = 0; i < FIBERS; i++)
        fibers[i] = t_create(live, (void *)(intptr_t)(1000 + i));
    for (int i = 0; i < GENERATORS; i++)
        ck_assert_int_eq(coir_gen_create(&gens[i], sizes[i], generate, (void *)(intptr_t)(2000 + i), NULL), COIR_OK);
}

static void destroy_all(void)
{
    for (int i = 0; i < FIBERS; i++)
        ck_assert_int_eq(coir_destroy(fibers[i]), COIR_OK);
    for (int i = 0; i < GENERATORS; i++)
        ck_assert_int_eq(coir_gen_destroy(gens[i]), COIR_OK);
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

static void play_tasks(void)
{
    coir_exec *e;

    make_all();
    ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
    for (int i = 0; i < TASKS; i++)
        ck_assert_int_eq(coir_spawn(NULL, e, live_in_task, (void *)(intptr_t)(3000 + i), NULL), COIR_OK);
    note(coir_exec_run(e));
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

START_TEST(fibers_and_generators_do_the_same_through_the_c_functions)
{
    int total = 0;

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        play_twice(play_fibers, seed, do_nothing);
        total += lengths[0];
    }
    ck_assert_int_gt(total, SEEDS * 100); /* or it shows little */
}
END_TEST

START_TEST(tasks_do_the_same_through_the_c_functions)
{
    int total = 0;

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        play_twice(play_tasks, seed, do_nothing);
        total += lengths[0];
    }
    ck_assert_int_gt(total, SEEDS * 100);
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
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        play_twice(play_with_hooks_that_come_and_go, seed, NULL);
    ck_assert_int_gt((int)switches, SEEDS);
}
END_TEST

T_MAIN(fibers_and_generators_do_the_same_through_the_c_functions, tasks_do_the_same_through_the_c_functions,
       they_take_turns_in_the_life_of_a_fiber)
