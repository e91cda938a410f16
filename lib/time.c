/* SPDX-License-Identifier: MIT */
/* time.c - the time, and sleep. */

#include <config.h>

#include <coir/time.h>

#include "exec.h"
#include "task.h"
#include "thread.h"

int64_t coir_now(void)
{
    const coir_exec *e = coir__thread_now()->exec;

    return coir__exec_now(e);
}

/* The time has come. */
static void give_up_sleep(coir_task *task, int code)
{
    coir__ready(task, code == COIR_ETIMEDOUT ? COIR_OK : code);
}

static const struct coir__wait sleeps = {"sleeps", false, NULL, give_up_sleep};

static int sleep_until(struct coir__caller caller, int64_t time, int64_t now)
{
    if (time <= now)
        return coir_task_yield();
    return coir__suspend(caller, &sleeps, NULL, time);
}

int coir_sleep_until(int64_t time)
{
    struct coir__caller caller;

    return coir__may_wait(&caller) ? sleep_until(caller, time, coir__exec_now(caller.exec)) : coir__why_not_wait();
}

int coir_sleep(int64_t duration)
{
    struct coir__caller caller;
    int64_t now;

    if (!coir__may_wait(&caller))
        return coir__why_not_wait();
    now = coir__exec_now(caller.exec);
    if (duration <= 0)
        return coir_task_yield();
    return sleep_until(caller, now > COIR_FOREVER - duration ? COIR_FOREVER : now + duration, now);
}
