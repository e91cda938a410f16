/* SPDX-License-Identifier: MIT */
/* windows_fiber.c - the fibers of Windows: CreateFiberEx, SwitchToFiber. Needs no package but the compiler for
 * Windows.
 *
 * Stacks are of 64 KiB, reserved, with the system's guard page; the system commits the first pages. Any variant.
 *
 * The floating-point state is switched too (FIBER_FLAG_FLOAT_SWITCH), as it has to be unless a program knows all its
 * code. A fiber does not return, which would end the thread: its last act is to switch back. */

#include <windows.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "peer.h"

#define STACK_SIZE 65536

static void *main_fiber;

static bool prepare(void)
{
    if (main_fiber == NULL)
        main_fiber = ConvertThreadToFiberEx(NULL, FIBER_FLAG_FLOAT_SWITCH);
    if (main_fiber == NULL)
        contender_failed("ConvertThreadToFiberEx");
    return main_fiber != NULL;
}

static void *make_fiber(void(CALLBACK *entry)(void *))
{
    void *fiber = CreateFiberEx(0, STACK_SIZE, FIBER_FLAG_FLOAT_SWITCH, entry, NULL);

    if (fiber == NULL)
        contender_failed("CreateFiberEx");
    return fiber;
}

/* ---- switches ---- */

static void CALLBACK yield_for_ever(void *unused)
{
    (void)unused;
    for (;;)
        SwitchToFiber(main_fiber);
}

static void **fibers;

/* Makes `count` fibers that have yielded once; false if that cannot be. */
static bool make_fibers(long count)
{
    if (fibers != NULL)
        return true;
    if (!prepare())
        return false;
    fibers = calloc((size_t)count, sizeof *fibers);
    for (long i = 0; i < count; i++) {
        fibers[i] = make_fiber(yield_for_ever);
        if (fibers[i] == NULL)
            return false;
        SwitchToFiber(fibers[i]);
    }
    return true;
}

static double one_switch(long times, long count)
{
    long rounds = contender_rounds(times, count);
    double start;

    if (!make_fibers(count))
        return -1;
    start = contender_now();
    for (long r = 0; r < rounds; r++)
        for (long i = 0; i < count; i++)
            SwitchToFiber(fibers[i]);
    return (contender_now() - start) / (double)(rounds * count) * (double)times / 2;
}

static double memory(long times, long count)
{
    (void)times;
    return make_fibers(count) ? (double)count : -1;
}

/* ---- generator ---- */

static uint64_t *item;

static void CALLBACK count_up(void *unused)
{
    (void)unused;
    for (uint64_t n = 1;; n++) {
        item = &n;
        SwitchToFiber(main_fiber);
    }
}

static double generator(long times, long count)
{
    static void *fiber;
    uint64_t sum = 0;
    double start;

    (void)count;
    if (fiber == NULL && (!prepare() || (fiber = make_fiber(count_up)) == NULL))
        return -1;
    start = contender_now();
    for (long i = 0; i < times; i++) {
        SwitchToFiber(fiber);
        sum += *item;
    }
    return sum == 0 ? -1 : contender_now() - start;
}

/* ---- create, run, destroy ---- */

static double create(long times, long count)
{
    double start;

    (void)count;
    if (!prepare())
        return -1;
    start = contender_now();
    for (long i = 0; i < times; i++) {
        void *fiber = make_fiber(yield_for_ever);
        if (fiber == NULL)
            return -1;
        SwitchToFiber(fiber);
        DeleteFiber(fiber);
    }
    return contender_now() - start;
}

static double create_cold(long times, long count)
{
    double start;

    (void)times;
    if (!prepare())
        return -1;
    fibers = calloc((size_t)count, sizeof *fibers);
    start = contender_now();
    for (long i = 0; i < count; i++)
        if ((fibers[i] = make_fiber(yield_for_ever)) == NULL)
            return -1;
    for (long i = 0; i < count; i++)
        SwitchToFiber(fibers[i]);
    for (long i = 0; i < count; i++)
        DeleteFiber(fibers[i]);
    return contender_now() - start;
}

const struct contender_answer contender_answers[] = {
    {NULL, "switch", CONTENDER_REPEATED, one_switch},
    {NULL, "robin", CONTENDER_REPEATED, one_switch},
    {NULL, "generator", CONTENDER_REPEATED, generator},
    {NULL, "create", CONTENDER_REPEATED, create},
    {NULL, "create_cold", CONTENDER_ONCE, create_cold},
    {NULL, "memory", CONTENDER_MEMORY, memory},
    {NULL, NULL, CONTENDER_ONCE, NULL},
};
