/* SPDX-License-Identifier: MIT */
/* What a switch keeps: callee-saved registers, and floating-point control where it was asked for. */

#include "t.h"

#include <fenv.h>
#include <string.h>

#if defined(__x86_64__)

/* Loads six values into the callee-saved registers, resumes or yields, and stores what is in them then. */
int call_with_registers(int (*fn)(void *, void *, void *), void *a, uint64_t in[6], uint64_t out[6]);

__asm__(".text\n"
        ".globl call_with_registers\n"
        ".type call_with_registers, @function\n"
        "call_with_registers:\n"
        "    pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15\n"
        "    pushq %rcx\n"
        "    movq %rdi, %rax; movq %rsi, %rdi; xorl %esi, %esi\n"
        "    movq (%rdx), %rbp; movq 8(%rdx), %rbx; movq 16(%rdx), %r12\n"
        "    movq 24(%rdx), %r13; movq 32(%rdx), %r14; movq 40(%rdx), %r15\n"
        "    xorl %edx, %edx\n"
        "    callq *%rax\n"
        "    popq %rcx\n"
        "    movq %rbp, (%rcx); movq %rbx, 8(%rcx); movq %r12, 16(%rcx)\n"
        "    movq %r13, 24(%rcx); movq %r14, 32(%rcx); movq %r15, 40(%rcx)\n"
        "    popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp\n"
        "    ret\n"
        ".size call_with_registers, . - call_with_registers\n"
        ".section .note.GNU-stack, \"\", @progbits\n"
        ".text\n");

static void fill(uint64_t words[6], uint64_t seed)
{
    for (uint64_t i = 0; i < 6; i++)
        words[i] = (seed + i + 1) * 0x9e3779b97f4a7c15u;
}

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
        uint64_t in[6], out[6];
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
        uint64_t in[6], out[6];
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
        uint64_t in[6], out[6];
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
        uint64_t in[6], out[6];
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

#define REGISTER_CASES \
    callee_saved_registers_survive_on_both_sides, callee_saved_registers_survive_a_symmetric_switch,

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
    if (t_backend_is("asm"))
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

T_MAIN(
    REGISTER_CASES with_the_option_a_fiber_has_its_own_floating_point_control, such_a_fiber_starts_with_its_creators_control,
    without_the_option_assembly_shares_the_resumers_control, control_follows_a_symmetric_switch,
    control_is_the_resumers_again_after_destroy)
