/* SPDX-License-Identifier: MIT */
/* executors.h - for programs in which a case may have several executors. */

#ifndef EXECUTORS_H
#define EXECUTORS_H

#include "events.h"
#include "t.h"

/* A task with a handle; and one without. */
static inline coir_task *spawn(coir_exec *e, coir_fn *fn, void *arg)
{
    coir_task *t = NULL;

    ck_assert_int_eq(coir_spawn(&t, e, fn, arg, NULL), COIR_OK);
    ck_assert_ptr_nonnull(t);
    return t;
}

static inline void spawn_detached(coir_exec *e, coir_fn *fn, void *arg)
{
    ck_assert_int_eq(coir_spawn(NULL, e, fn, arg, NULL), COIR_OK);
}

/* Tasks that wait, and then note that they went on. */
static inline void *park(void *text)
{
    ck_assert_int_eq(coir_task_park(), COIR_OK);
    event(text);
    return text;
}

static inline void *sleep_100(void *text)
{
    ck_assert_int_eq(coir_sleep(100), COIR_OK);
    event(text);
    return text;
}

/* For reports that are to be counted only. */
static inline void drop_line(const char *line, void *context)
{
    (void)line;
    ++*(int *)context;
}

#endif
