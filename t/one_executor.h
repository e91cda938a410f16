/* SPDX-License-Identifier: MIT */
/* one_executor.h - for programs in which each case has one executor, whose time is virtual. */

#ifndef ONE_EXECUTOR_H
#define ONE_EXECUTOR_H

#include "t.h"

#include <string.h>

static coir_exec *executor;
static char reported[4096]; /* what it had to report */

static inline void keep_report(const char *text, void *context)
{
    (void)context;
    if (strlen(reported) + strlen(text) < sizeof reported)
        strcat(reported, text);
}

static inline coir_exec *make_executor(uint64_t seed)
{
    const coir_exec_options opt = {.seed = seed, .report = keep_report, .flags = COIR_VIRTUAL_CLOCK};
    coir_exec *e = NULL;
    ck_assert_int_eq(coir_exec_create(&e, &opt), COIR_OK);
    return e;
}

/* A task with a handle; and one without. */
static inline coir_task *spawn(coir_fn *fn, void *arg)
{
    coir_task *t = NULL;
    ck_assert_int_eq(coir_spawn(&t, executor, fn, arg, NULL), COIR_OK);
    return t;
}

static inline void start(coir_fn *fn, void *arg)
{
    ck_assert_int_eq(coir_spawn(NULL, executor, fn, arg, NULL), COIR_OK);
}

/* Lets all tasks run that are ready now. */
static inline void turn(void)
{
    ck_assert_int_ge(coir_exec_run_once_until(executor, 0), COIR_OK);
}

static inline void *sleep_until_then(void *when)
{
    ck_assert_int_eq(coir_sleep_until(*(int64_t *)when), COIR_OK);
    return NULL;
}

/* Lets the executor run until that time has come. */
static inline void run_until(int64_t when)
{
    ck_assert_int_eq(coir_await(spawn(sleep_until_then, &when), NULL), COIR_OK);
}

/* Random numbers of the case's own, and how many seeds it tries. */
static uint32_t random_state;

static inline int random_below(int bound)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (int)((random_state >> 16) % (uint32_t)bound);
}

static inline uint64_t seeds(void)
{
    return t_instrumented() ? 25 : 1000;
}

#endif
