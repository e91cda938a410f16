/* SPDX-License-Identifier: MIT */
/* What a switch keeps: callee-saved registers, and floating-point control where it was asked for. */

#include "registers.h"
#include "t.h"

#include <fenv.h>
#include <string.h>

#ifdef T_HAS_REGISTERS

static int do_yield(void *value, void *unused, void *unused_too)
{
    (void)unused, (void)unused_too;
    return coir_yield(value, NULL);
}

static int do_resume(void *f, void *value, void *unused)
{
    (void)unused;
    return coir_resume(f, value, NULL);
}

static coir_fiber *partner;

static int do_switch(void *unused, void *value, void *unused_too)
{
    (void)unused, (void)unused_too;
    return coir_switch(partner, value, NULL);
}

#define ROUNDS 1000

static void *yield_with_registers(void *arg)
{
    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t in[WORDS], out[WORDS];
        fill(in, i * 2);
        ck_assert_int_eq(call_with_registers(do_yield, NULL, in, out), COIR_OK);
        ck_assert(memcmp(in, out, sizeof in) == 0);
    }
    return arg;
}

START_TEST(callee_saved_registers_survive_on_both_sides)
{
    coir_fiber *f = t_create(yield_with_registers, NULL);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t in[WORDS], out[WORDS];
        fill(in, i * 2 + 1);
        ck_assert_int_eq(call_with_registers(do_resume, f, in, out), COIR_YIELDED);
        ck_assert(memcmp(in, out, sizeof in) == 0);
    }
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
}
END_TEST

static void *switch_with_registers(void *home)
{
    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t in[WORDS], out[WORDS];
        fill(in, i * 3 + 1);
        partner = home;
        ck_assert_int_eq(call_with_registers(do_switch, NULL, in, out), COIR_OK);
        ck_assert(memcmp(in, out, sizeof in) == 0);
    }
    coir_switch(home, NULL, NULL);
    return NULL;
}

static void *switch_back_with_registers(void *arg)
{
    coir_fiber *other = t_create(switch_with_registers, coir_self());
    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t in[WORDS], out[WORDS];
        fill(in, i * 3 + 2);
        partner = other;
        ck_assert_int_eq(call_with_registers(do_switch, NULL, in, out), COIR_OK);
        ck_assert(memcmp(in, out, sizeof in) == 0);
    }
    coir_destroy(other);
    return arg;
}

START_TEST(callee_saved_registers_survive_a_symmetric_switch)
{
    coir_fiber *f = t_create(switch_back_with_registers, NULL);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
}
END_TEST

/* Tasks that yield by turns, from nested fibers too. */
static int do_task_yield(void *unused, void *unused_too, void *unused_as_well)
{
    (void)unused, (void)unused_too, (void)unused_as_well;
    return coir_task_yield();
}

static void *yield_task_with_registers(void *number)
{
    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t in[WORDS], out[WORDS];
        fill(in, i * 3 + (uint64_t)T_NUMBER(number));
        ck_assert_int_eq(call_with_registers(do_task_yield, NULL, in, out), COIR_OK);
        ck_assert(memcmp(in, out, sizeof in) == 0);
    }
    return NULL;
}

static void *yield_from_a_nested_fiber(void *number)
{
    coir_fiber *f = t_create(yield_task_with_registers, number);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
    return NULL;
}

START_TEST(callee_saved_registers_survive_switches_between_tasks)
{
    coir_exec *e = NULL;
    ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(coir_spawn(NULL, e, i % 2 ? yield_task_with_registers : yield_from_a_nested_fiber, T_VALUE(i), NULL),
                         COIR_OK);
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}
END_TEST

/* A crowd in which everyone yields or switches to anyone, each time with other values in all registers. */
enum { CROWD = 8, SWITCHES = 10000 };
static coir_fiber *crowd[CROWD];
static uint64_t random_state = 1;
static int switches;

static unsigned next_random(void) /* Knuth's MMIX generator, its better half */
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33);
}

static void *wander(void *arg)
{
    while (switches < SWITCHES) {
        uint64_t in[WORDS], out[WORDS];
        fill(in, random_state);
        partner = crowd[next_random() % CROWD];
        switches++;
        if (partner == coir_self() || next_random() % 2 == 0)
            ck_assert_int_eq(call_with_registers(do_yield, NULL, in, out), COIR_OK);
        else
            ck_assert_int_eq(call_with_registers(do_switch, NULL, in, out), COIR_OK);
        ck_assert(memcmp(in, out, sizeof in) == 0);
    }
    for (;;) /* so that nobody switches to one that has ended */
        coir_yield(NULL, NULL);
    return arg;
}

START_TEST(callee_saved_registers_survive_ten_thousand_random_switches)
{
    for (int i = 0; i < CROWD; i++)
        crowd[i] = t_create(wander, NULL);
    while (switches < SWITCHES) {
        uint64_t in[WORDS], out[WORDS];
        fill(in, random_state);
        switches++;
        ck_assert_int_gt(call_with_registers(do_resume, crowd[next_random() % CROWD], in, out), 0);
        ck_assert(memcmp(in, out, sizeof in) == 0);
    }
    for (int i = 0; i < CROWD; i++)
        coir_destroy(crowd[i]);
}
END_TEST

#define REGISTER_CASES                                                                                  \
    callee_saved_registers_survive_on_both_sides, callee_saved_registers_survive_a_symmetric_switch,    \
        callee_saved_registers_survive_switches_between_tasks,                                              \
        callee_saved_registers_survive_ten_thousand_random_switches,

static unsigned control_words(void)
{
    uint16_t x87;
    uint32_t mxcsr;
    __asm__ volatile("fnstcw %0\n\tstmxcsr %1" : "=m"(x87), "=m"(mxcsr));
    return (unsigned)x87 << 16 | (mxcsr & 0xffc0u);
}

#else

#define REGISTER_CASES

static unsigned control_words(void)
{
    return (unsigned)fegetround();
}

#endif

/* Sets rounding downwards and expects it kept over each yield; whoever resumes uses others. */
static void *round_down(void *arg)
{
    unsigned before = control_words(), own;
    fesetround(FE_DOWNWARD);
    own = control_words();
    ck_assert_uint_ne(before, own);
    for (int i = 0; i < 3; i++) {
        coir_yield(NULL, NULL);
        ck_assert_uint_eq(control_words(), own);
    }
    return arg;
}

static coir_fiber *create_keeping(coir_fn *fn, void *arg)
{
    coir_options opt = {.flags = COIR_KEEP_FPENV};
    coir_fiber *f = NULL;
    ck_assert_int_eq(coir_create(&f, fn, arg, &opt), COIR_OK);
    return f;
}

START_TEST(with_the_option_a_fiber_has_its_own_floating_point_control)
{
    coir_fiber *f = create_keeping(round_down, NULL);
    for (int i = 0; i < 3; i++) {
        fesetround(i % 2 ? FE_UPWARD : FE_TONEAREST);
        unsigned mine = control_words();
        ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_YIELDED);
        ck_assert_uint_eq(control_words(), mine);
    }
    fesetround(FE_TOWARDZERO);
    unsigned mine = control_words();
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    ck_assert_uint_eq(control_words(), mine);
    coir_destroy(f);
    fesetround(FE_TONEAREST);
}
END_TEST

static void *report_control(void *arg)
{
    *(unsigned *)arg = control_words();
    return NULL;
}

START_TEST(such_a_fiber_starts_with_its_creators_control)
{
    unsigned seen = 0, at_creation;
    fesetround(FE_UPWARD);
    at_creation = control_words();
    coir_fiber *f = create_keeping(report_control, &seen);
    fesetround(FE_TONEAREST);
    coir_resume(f, NULL, NULL);
    ck_assert_uint_eq(seen, at_creation);
    coir_destroy(f);
}
END_TEST

static void *set_and_return(void *mode)
{
    fesetround(T_NUMBER(mode));
    return NULL;
}

START_TEST(without_the_option_assembly_shares_the_resumers_control)
{
    unsigned before = control_words();
    coir_fiber *f = t_create(set_and_return, T_VALUE(FE_DOWNWARD));
    coir_resume(f, NULL, NULL);
    if (t_backend_is("asm") || t_is_wine()) /* whose SwitchToFiber does not keep it */
        ck_assert_uint_ne(control_words(), before);
    else
        ck_assert_uint_eq(control_words(), before);
    fesetround(FE_TONEAREST);
    coir_destroy(f);
}
END_TEST

/* Fibers of both sorts in one place: each switch leaves one's control and takes up the other's. */
static coir_fiber *sharing;

static void *keep_and_switch(void *arg)
{
    fesetround(FE_DOWNWARD);
    coir_switch(sharing, NULL, NULL);
    ck_assert_int_eq(fegetround(), FE_DOWNWARD);
    return arg;
}

static void *share_and_switch_back(void *keeping)
{
    ck_assert_int_eq(fegetround(), FE_TONEAREST); /* the resumer's */
    coir_switch(keeping, NULL, NULL);
    return NULL;
}

START_TEST(control_follows_a_symmetric_switch)
{
    coir_fiber *f = create_keeping(keep_and_switch, NULL);
    sharing = t_create(share_and_switch_back, f);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(fegetround(), FE_TONEAREST);
    coir_destroy(f);
    coir_destroy(sharing);
}
END_TEST

static void *round_up_and_wait(void *arg)
{
    fesetround(FE_UPWARD);
    coir_yield(NULL, NULL);
    return arg;
}

START_TEST(control_is_the_resumers_again_after_destroy)
{
    coir_fiber *f = create_keeping(round_up_and_wait, NULL);
    coir_resume(f, NULL, NULL);
    ck_assert_int_eq(fegetround(), FE_TONEAREST);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    ck_assert_int_eq(fegetround(), FE_TONEAREST);
}
END_TEST

/* In a task, a fiber with control of its own resumes another one: each has its own, also when others had their turn. */
static void *keep_downward(void *arg)
{
    fesetround(FE_DOWNWARD);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(coir_task_yield(), COIR_OK);
        ck_assert_int_eq(fegetround(), FE_DOWNWARD);
        coir_yield(NULL, NULL);
        ck_assert_int_eq(fegetround(), FE_DOWNWARD);
    }
    return arg;
}

static void *keep_upward_around_it(void *inner)
{
    fesetround(FE_UPWARD);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(coir_resume(inner, NULL, NULL), COIR_YIELDED);
        ck_assert_int_eq(fegetround(), FE_UPWARD);
        ck_assert_int_eq(coir_task_yield(), COIR_OK);
        ck_assert_int_eq(fegetround(), FE_UPWARD);
    }
    return NULL;
}

static void *share_with_the_executor(void *arg)
{
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(fegetround(), FE_TONEAREST);
        ck_assert_int_eq(coir_task_yield(), COIR_OK);
    }
    return arg;
}

START_TEST(tasks_have_their_own_control_with_all_that_is_nested_in_them)
{
    coir_options opt = {.flags = COIR_KEEP_FPENV};
    coir_fiber *inner[2];
    coir_exec *e = NULL;
    ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
    for (int i = 0; i < 2; i++) {
        inner[i] = create_keeping(keep_downward, NULL);
        ck_assert_int_eq(coir_spawn(NULL, e, keep_upward_around_it, inner[i], &opt), COIR_OK);
        ck_assert_int_eq(coir_spawn(NULL, e, share_with_the_executor, NULL, NULL), COIR_OK);
    }
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_int_eq(fegetround(), FE_TONEAREST);
    for (int i = 0; i < 2; i++)
        coir_destroy(inner[i]);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}
END_TEST

T_MAIN(
    REGISTER_CASES with_the_option_a_fiber_has_its_own_floating_point_control, such_a_fiber_starts_with_its_creators_control,
    without_the_option_assembly_shares_the_resumers_control, control_follows_a_symmetric_switch,
    control_is_the_resumers_again_after_destroy, tasks_have_their_own_control_with_all_that_is_nested_in_them)
