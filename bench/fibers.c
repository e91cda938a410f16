/* SPDX-License-Identifier: MIT */
#include "fibers.h"

#include <coir.h>

#include <stddef.h>

#include "bench.h"

static void *yield_for_ever(void *arg)
{
    while (coir_yield(arg, &arg) == COIR_OK)
        ;
    return NULL;
}

double fibers_round_trip(long trips)
{
    coir_fiber *f;
    double start;

    if (coir_create(&f, yield_for_ever, NULL, NULL) != COIR_OK)
        return -1;
    coir_resume(f, NULL, NULL);
    start = bench_now();
    for (long i = 0; i < trips; i++)
        coir_resume(f, NULL, NULL);
    return (bench_now() - start) / (double)trips;
}

static void *nothing(void *arg)
{
    return arg;
}

static int create_run_destroy(long times)
{
    for (long i = 0; i < times; i++) {
        coir_fiber *f;
        if (coir_create(&f, nothing, NULL, NULL) != COIR_OK)
            return -1;
        coir_resume(f, NULL, NULL);
        coir_destroy(f);
    }
    return 0;
}

double fibers_create_run_destroy(long times)
{
    double start;

    if (create_run_destroy(times / 50) != 0)
        return -1;
    start = bench_now();
    create_run_destroy(times);
    return (bench_now() - start) / (double)times;
}
