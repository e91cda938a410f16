/* SPDX-License-Identifier: MIT */
/* coir.c - this library, fibers and generators. What tasks do is in coir_tasks.c.
 *
 * Variants: "plain", with nothing done that a user would not do at first; "prefetch", where who resumes many fibers asks
 * for them some places ahead; "switch", by coir_switch from fiber to fiber. The backend is the environment's. */

#include <coir.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "coir_contender.h"

static void *yield_for_ever(void *arg)
{
    while (coir_yield(arg, &arg) == COIR_OK)
        ;
    return NULL;
}

static coir_fiber **fibers;

/* Makes `count` fibers that have yielded once: how many there are. */
static long make_fibers(long count)
{
    if (fibers != NULL)
        return count;
    fibers = calloc((size_t)count, sizeof *fibers);
    for (long i = 0; i < count; i++) {
        int error = coir_create(&fibers[i], yield_for_ever, NULL, NULL);
        if (error != COIR_OK) {
            contender_failed(coir_strerror(error));
            return i;
        }
        coir_resume(fibers[i], NULL, NULL);
    }
    return count;
}

static double memory(long times, long count)
{
    (void)times;
    return make_fibers(count) < count ? -1 : (double)count;
}

static double one_switch(long times, long count)
{
    long rounds = contender_rounds(times, count);
    double start;

    if (make_fibers(count) < count)
        return -1;
    start = contender_now();
    for (long r = 0; r < rounds; r++)
        for (long i = 0; i < count; i++)
            coir_resume(fibers[i], NULL, NULL);
    return (contender_now() - start) / (double)(rounds * count) * (double)times / 2;
}

#define AHEAD 4

static double switch_with_prefetch(long times, long count)
{
    long rounds = contender_rounds(times, count);
    long ahead = AHEAD % count;
    double start;

    if (make_fibers(count) < count)
        return -1;
    start = contender_now();
    for (long r = 0; r < rounds; r++) {
        for (long i = 0; i < count; i++) {
            coir_prefetch(fibers[ahead]);
            if (++ahead == count)
                ahead = 0;
            coir_resume(fibers[i], NULL, NULL);
        }
    }
    return (contender_now() - start) / (double)(rounds * count) * (double)times / 2;
}

static coir_fiber *first, *second;

static void *switch_for_ever(void *unused)
{
    while (coir_switch(first, NULL, NULL) == COIR_OK)
        ;
    return unused;
}

static void *count_switches(void *times)
{
    for (;;) {
        for (long i = 0; i < *(long *)times; i += 2)
            coir_switch(second, NULL, NULL);
        if (coir_yield(NULL, NULL) != COIR_OK)
            return NULL;
    }
}

/* Two fibers that switch to one another; the first of them counts, and yields at the end. */
static double symmetric_switch(long times, long count)
{
    static long wanted;
    double start;

    (void)count;
    wanted = times;
    if (first == NULL && (coir_create(&second, switch_for_ever, NULL, NULL) != COIR_OK ||
                          coir_create(&first, count_switches, &wanted, NULL) != COIR_OK))
        return -1;
    start = contender_now();
    coir_resume(first, NULL, NULL);
    return contender_now() - start;
}

static int count_up(coir_gen *g, void *arg)
{
    uint64_t n = 1;

    (void)arg;
    while (coir_gen_yield(g, &n) == COIR_OK)
        n++;
    return 0;
}

static double generator(long times, long count)
{
    static coir_gen *g;
    uint64_t item, sum = 0;
    double start;

    (void)count;
    if (g == NULL && coir_gen_create(&g, sizeof item, count_up, NULL, NULL) != COIR_OK)
        return -1;
    start = contender_now();
    for (long i = 0; i < times && coir_gen_next(g, &item) > 0; i++)
        sum += item;
    return sum == 0 ? -1 : contender_now() - start;
}

static void *nothing(void *arg)
{
    return arg;
}

static double create(long times, long count)
{
    double start = contender_now();

    (void)count;
    for (long i = 0; i < times; i++) {
        coir_fiber *f;
        if (coir_create(&f, nothing, NULL, NULL) != COIR_OK)
            return -1;
        coir_resume(f, NULL, NULL);
        coir_destroy(f);
    }
    return contender_now() - start;
}

static double create_among(long times, long count)
{
    return make_fibers(count) < count ? -1 : create(times, count);
}

/* All at once, so that each stack is new address space. */
static double create_cold(long times, long count)
{
    double start;

    (void)times;
    fibers = calloc((size_t)count, sizeof *fibers);
    start = contender_now();
    for (long i = 0; i < count; i++)
        if (coir_create(&fibers[i], nothing, NULL, NULL) != COIR_OK)
            return -1;
    for (long i = 0; i < count; i++)
        coir_resume(fibers[i], NULL, NULL);
    for (long i = 0; i < count; i++)
        coir_destroy(fibers[i]);
    return contender_now() - start;
}

const struct contender_answer contender_answers[] = {
    {"switch", "switch", CONTENDER_REPEATED, symmetric_switch},
    {"plain", "switch", CONTENDER_REPEATED, one_switch},
    {"plain", "robin", CONTENDER_REPEATED, one_switch},
    {"prefetch", "robin", CONTENDER_REPEATED, switch_with_prefetch},
    {"plain", "generator", CONTENDER_REPEATED, generator},
    {"plain", "create", CONTENDER_REPEATED, create},
    {"plain", "create_among", CONTENDER_REPEATED, create_among},
    {"plain", "create_cold", CONTENDER_ONCE, create_cold},
    {"plain", "memory", CONTENDER_MEMORY, memory},
    {"plain", "yield", CONTENDER_REPEATED, coir_task_yields},
    {"plain", "spawn", CONTENDER_REPEATED, coir_spawns},
    {"outside", "spawn", CONTENDER_REPEATED, coir_spawns_from_outside},
    {"plain", "channel", CONTENDER_REPEATED, coir_channel},
    {"plain", "channel_16", CONTENDER_REPEATED, coir_channel_16},
    {"plain", "timer", CONTENDER_REPEATED, coir_timers},
    {NULL, NULL, CONTENDER_ONCE, NULL},
};
