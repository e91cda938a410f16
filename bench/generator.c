/* SPDX-License-Identifier: MIT */
/* generator.c - what an item of a generator costs, beside a fiber that is resumed and yields. */

#include <coir.h>

#include <stdint.h>

#include "bench.h"
#include "fibers.h"

#define FAST_ITEMS 20000000
#define SLOW_ITEMS 500000

static double measure_round_trip(void)
{
    return fibers_round_trip(FAST_ITEMS);
}

/* A fiber that hands out numbers as a generator does, but in place of the pointer. */
static void *numbers(void *arg)
{
    uintptr_t n = 1;

    while (coir_yield((void *)n, NULL) == COIR_OK)
        n++;
    return arg;
}

static double measure_numbers(void)
{
    coir_fiber *f;
    uintptr_t sum = 0;
    double start;

    if (coir_create(&f, numbers, NULL, NULL) != COIR_OK)
        return -1;
    start = bench_now();
    for (long i = 0; i < FAST_ITEMS; i++) {
        void *n;
        coir_resume(f, NULL, &n);
        sum += (uintptr_t)n;
    }
    return sum == 0 ? -1 : (bench_now() - start) / FAST_ITEMS;
}

static int items_of_8(coir_gen *g, void *arg)
{
    uint64_t n = 1;

    (void)arg;
    while (coir_gen_yield(g, &n) == COIR_OK)
        n++;
    return 0;
}

static double take_8(long items)
{
    coir_gen *g;
    uint64_t item, sum = 0;
    double start;

    if (coir_gen_create(&g, sizeof item, items_of_8, NULL, NULL) != COIR_OK)
        return -1;
    start = bench_now();
    for (long i = 0; i < items && coir_gen_next(g, &item) > 0; i++)
        sum += item;
    return sum == 0 ? -1 : (bench_now() - start) / (double)items;
}

static double measure_8(void)
{
    return take_8(FAST_ITEMS);
}

static int items_of_4(coir_gen *g, void *arg)
{
    uint32_t n = 1;

    (void)arg;
    while (coir_gen_yield(g, &n) == COIR_OK)
        n++;
    return 0;
}

static double measure_4(void)
{
    coir_gen *g;
    uint32_t item, sum = 0;
    double start;

    if (coir_gen_create(&g, sizeof item, items_of_4, NULL, NULL) != COIR_OK)
        return -1;
    start = bench_now();
    for (long i = 0; i < FAST_ITEMS && coir_gen_next(g, &item) > 0; i++)
        sum += item;
    return sum == 0 ? -1 : (bench_now() - start) / FAST_ITEMS;
}

#ifdef BENCH_UCONTEXT

static double measure_slow_round_trip(void)
{
    return fibers_round_trip(SLOW_ITEMS);
}

static double measure_slow_8(void)
{
    return take_8(SLOW_ITEMS);
}

#endif

int main(int argc, char **argv)
{
    static const struct bench_contender contenders[] = {
        {"asm, resume + yield", "asm", measure_round_trip},
        {"asm, with a number", "asm", measure_numbers},
        {"asm, item of 8 bytes", "asm", measure_8},
        {"asm, item of 4 bytes", "asm", measure_4},
#ifdef _WIN32
        {"winfiber, resume + yield", "winfiber", measure_round_trip},
        {"winfiber, item of 8", "winfiber", measure_8},
#endif
#ifdef BENCH_UCONTEXT
        {"ucontext, resume + yield", "ucontext", measure_slow_round_trip},
        {"ucontext, item of 8", "ucontext", measure_slow_8},
#endif
    };

    return bench_run(argc, argv, "one item of a generator", contenders, sizeof contenders / sizeof contenders[0]);
}
