/* SPDX-License-Identifier: MIT */
/* switch.c - what a switch costs: one fiber that yields in a loop, resumed in a loop; time of a round trip, halved. */

#include <coir.h>

#include <stdlib.h>
#ifdef BENCH_UCONTEXT
#include <ucontext.h>
#endif
#ifdef _WIN32
#include <windows.h>
#endif

#include "bench.h"
#include "fibers.h"
#ifndef _WIN32
#include "libco_style.h"
#endif

#define FAST_TRIPS 20000000
#define SLOW_TRIPS 1000000
#define STACK_SIZE 65536

static double measure_coir(void)
{
    return fibers_round_trip(FAST_TRIPS) / 2;
}

#ifdef BENCH_UCONTEXT

static double measure_coir_ucontext(void)
{
    return fibers_round_trip(SLOW_TRIPS) / 2;
}

#endif

static void *switch_over(void *other)
{
    for (;;)
        if (coir_switch(*(coir_fiber **)other, NULL, NULL) != COIR_OK)
            return NULL;
}

/* Two fibers that switch to one another; the first of them counts and yields at the end. */
static coir_fiber *first, *second;

static void *count_switches(void *trips)
{
    for (long i = 0; i < *(long *)trips; i++)
        coir_switch(second, NULL, NULL);
    return NULL;
}

static double measure_symmetric(void)
{
    long trips = FAST_TRIPS;
    double start;

    if (coir_create(&second, switch_over, &first, NULL) != COIR_OK ||
        coir_create(&first, count_switches, &trips, NULL) != COIR_OK)
        return -1;
    start = bench_now();
    coir_resume(first, NULL, NULL);
    return (bench_now() - start) / (double)trips / 2;
}

#ifndef _WIN32

static struct bare *main_side, fiber_side;

static void bare_loop(void)
{
    for (;;)
        bare_switch(main_side);
}

static double measure_libco_style(void)
{
    double start;

    if (!bare_available())
        return -1;
    main_side = bare_active();
    bare_prepare(&fiber_side, malloc(STACK_SIZE), STACK_SIZE, bare_loop);
    bare_switch(&fiber_side);
    start = bench_now();
    for (long i = 0; i < FAST_TRIPS; i++)
        bare_switch(&fiber_side);
    return (bench_now() - start) / FAST_TRIPS / 2;
}

#endif

#ifdef BENCH_UCONTEXT

static ucontext_t main_context, fiber_context;

static void ucontext_loop(void)
{
    for (;;)
        swapcontext(&fiber_context, &main_context);
}

static double measure_ucontext(void)
{
    double start;

    getcontext(&fiber_context);
    fiber_context.uc_stack.ss_sp = malloc(STACK_SIZE);
    fiber_context.uc_stack.ss_size = STACK_SIZE;
    makecontext(&fiber_context, ucontext_loop, 0);
    start = bench_now();
    for (long i = 0; i < SLOW_TRIPS; i++)
        swapcontext(&main_context, &fiber_context);
    return (bench_now() - start) / SLOW_TRIPS / 2;
}

#endif

#ifdef _WIN32

static void *main_fiber;

static void CALLBACK system_fiber_loop(void *arg)
{
    (void)arg;
    for (;;)
        SwitchToFiber(main_fiber);
}

static double measure_system_fiber(void)
{
    void *fiber;
    double start;

    main_fiber = ConvertThreadToFiberEx(NULL, FIBER_FLAG_FLOAT_SWITCH);
    fiber = CreateFiberEx(8192, STACK_SIZE, FIBER_FLAG_FLOAT_SWITCH, system_fiber_loop, NULL);
    if (main_fiber == NULL || fiber == NULL)
        return -1;
    SwitchToFiber(fiber);
    start = bench_now();
    for (long i = 0; i < FAST_TRIPS; i++)
        SwitchToFiber(fiber);
    return (bench_now() - start) / FAST_TRIPS / 2;
}

#endif

int main(int argc, char **argv)
{
    static const struct bench_contender contenders[] = {
#ifdef _WIN32
        {"bare SwitchToFiber", NULL, measure_system_fiber},
        {"coir winfiber", "winfiber", measure_coir},
#else
        {"libco-style, no checks", NULL, measure_libco_style},
#endif
        {"coir asm", "asm", measure_coir},
        {"coir asm, coir_switch", "asm", measure_symmetric},
#ifdef BENCH_UCONTEXT
        {"coir ucontext", "ucontext", measure_coir_ucontext},
        {"bare ucontext", NULL, measure_ucontext},
#endif
    };

    return bench_run(argc, argv, "one switch", contenders, sizeof contenders / sizeof contenders[0]);
}
