/* SPDX-License-Identifier: MIT */
/* coir_tasks.c - this library, tasks on an executor: yielding, spawning, channels, timers. */

#include <coir.h>

#include <stdint.h>
#include <stdlib.h>

#include "coir_contender.h"

/* A figure that is not to be had because a call of the library failed. */
static double refuse(int error)
{
    return contender_failed(coir_strerror(error));
}

/* Spawns a task that nobody awaits. */
static int start(coir_exec *e, coir_fn *fn, void *arg)
{
    return coir_spawn(NULL, e, fn, arg, NULL);
}

/* ---- tasks that yield by turns ---- */

static double started;
static double took;

static void *take_turns(void *turns)
{
    coir_task_yield(); /* until all have started */
    for (long i = *(long *)turns; i > 0; i--)
        coir_task_yield();
    return NULL;
}

/* The first of the tasks: when it has had its last turn, so have the others. */
static void *time_turns(void *turns)
{
    coir_task_yield();
    started = contender_now();
    for (long i = *(long *)turns; i > 0; i--)
        coir_task_yield();
    took = contender_now() - started;
    return NULL;
}

double coir_task_yields(long times, long count)
{
    long turns = contender_rounds(times, count);
    coir_exec *e;
    int error = coir_exec_create(&e, NULL);

    for (long i = 0; i < count && error == COIR_OK; i++)
        error = start(e, i == 0 ? time_turns : take_turns, &turns);
    if (error == COIR_OK)
        error = coir_exec_run(e);
    if (error == COIR_OK)
        error = coir_exec_destroy(e);
    if (error != COIR_OK)
        return refuse(error);
    return took / (double)(turns * count) * (double)times;
}

/* ---- spawn, run, await ---- */

static void *nothing(void *arg)
{
    return arg;
}

static double spawn_and_await(coir_exec *e, long times)
{
    double start = contender_now();

    for (long i = 0; i < times; i++) {
        coir_task *t;
        if (coir_spawn(&t, e, nothing, NULL, NULL) != COIR_OK || coir_await(t, NULL) != COIR_OK)
            return -1;
    }
    return contender_now() - start;
}

static void *parent(void *times)
{
    took = spawn_and_await(NULL, *(long *)times);
    return NULL;
}

double coir_spawns(long times, long count)
{
    coir_exec *e;

    (void)count;
    if (coir_exec_create(&e, NULL) != COIR_OK || coir_spawn(NULL, e, parent, &times, NULL) != COIR_OK ||
        coir_exec_run(e) != COIR_OK || coir_exec_destroy(e) != COIR_OK)
        return -1;
    return took;
}

/* Each await runs the executor. */
double coir_spawns_from_outside(long times, long count)
{
    coir_exec *e;
    double figure;

    (void)count;
    if (coir_exec_create(&e, NULL) != COIR_OK)
        return -1;
    figure = spawn_and_await(e, times);
    return coir_exec_destroy(e) == COIR_OK ? figure : -1;
}

/* ---- channels ---- */

static coir_chan *channel;

static void *send_items(void *items)
{
    for (uint64_t i = 1; i <= *(uint64_t *)items; i++)
        coir_chan_send(channel, &i);
    coir_chan_close(channel);
    return NULL;
}

static void *receive_items(void *sum)
{
    uint64_t item;

    while (coir_chan_recv(channel, &item) == COIR_OK)
        *(uint64_t *)sum += item;
    return NULL;
}

static double pass_items(uint64_t items, size_t capacity)
{
    coir_exec *e;
    uint64_t sum = 0;
    double start;

    if (coir_exec_create(&e, NULL) != COIR_OK || coir_chan_create(&channel, sizeof items, capacity) != COIR_OK ||
        coir_spawn(NULL, e, receive_items, &sum, NULL) != COIR_OK ||
        coir_spawn(NULL, e, send_items, &items, NULL) != COIR_OK)
        return -1;
    start = contender_now();
    if (coir_exec_run(e) != COIR_OK)
        return -1;
    started = contender_now() - start;
    coir_chan_destroy(channel);
    coir_exec_destroy(e);
    return sum != items * (items + 1) / 2 ? -1 : started;
}

double coir_channel(long times, long count)
{
    (void)count;
    return pass_items((uint64_t)times, 0);
}

double coir_channel_16(long times, long count)
{
    (void)count;
    return pass_items((uint64_t)times, 16);
}

/* ---- timers ---- */

static coir_task *sleeper;
static long waking;

/* Parks with a deadline that never comes: each wait sets a timer, and each wake takes it back. */
static void *park(void *times)
{
    for (long i = 0; i < *(long *)times; i++)
        coir_task_park_until(coir_now() + 1000000000 + i % 7919);
    waking = 0;
    return NULL;
}

static void *wake(void *times)
{
    double start = contender_now();

    (void)times;
    while (waking) {
        coir_task_wake(sleeper);
        coir_task_yield();
    }
    took = contender_now() - start;
    coir_exec_cancel(coir_exec_current());
    return NULL;
}

static void *sleep_long(void *arg)
{
    coir_sleep((int64_t)3600 * 1000000000 + (int64_t)(uintptr_t)arg);
    return NULL;
}

/* With `count` timers set that stay. */
double coir_timers(long times, long count)
{
    coir_exec *e;
    int error = coir_exec_create(&e, NULL);

    waking = 1;
    for (long i = 1; i < count && error == COIR_OK; i++)
        error = start(e, sleep_long, (void *)(uintptr_t)(i * 7919 % count));
    if (error == COIR_OK)
        error = coir_spawn(&sleeper, e, park, &times, NULL);
    if (error == COIR_OK)
        error = start(e, wake, NULL);
    if (error == COIR_OK)
        error = coir_exec_run(e);
    if (error != COIR_OK)
        return refuse(error);
    coir_await(sleeper, NULL);
    return coir_exec_destroy(e) == COIR_OK ? took : -1;
}
