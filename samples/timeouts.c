/* SPDX-License-Identifier: MIT */
/* Deadlines: a receive that gives up, a task that takes too long and is cancelled, one that is in time, and one
 * deadline for several steps. The executor has a virtual clock, so the times are exact and the program waits for
 * none of them. */
#include <coir.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Gives the result of a call, or ends the program if that is an error. */
static int check(const char *call, int result)
{
    if (result >= 0)
        return result;
    fprintf(stderr, "timeouts: %s: %s\n", call, coir_strerror(result));
    exit(1);
}

static int64_t in_milliseconds(int64_t milliseconds)
{
    return coir_now() + milliseconds * COIR_MILLISECOND;
}

static void say(const char *who, const char *what)
{
    printf("%4d ms  %s: %s\n", (int)(coir_now() / COIR_MILLISECOND), who, what);
}

/* Works for as many milliseconds as the argument says, and tells whether it came to its end. */
static void *work(void *arg)
{
    int result = coir_sleep((intptr_t)arg * COIR_MILLISECOND);

    say("work", result == COIR_OK ? "done" : coir_strerror(result));
    return (void *)(intptr_t)result;
}

static coir_task *start_work(intptr_t milliseconds)
{
    coir_task *t;

    check("coir_spawn", coir_spawn(&t, NULL, work, (void *)milliseconds, NULL));
    return t;
}

/* Nobody sends. */
static void receive(void)
{
    coir_chan *c;
    int item, result;

    check("coir_chan_create", coir_chan_create(&c, sizeof item, 0));
    result = coir_chan_recv_until(c, &item, in_milliseconds(100));
    say("receive", coir_strerror(result));
    check("coir_chan_destroy", coir_chan_destroy(c));
}

/* The task would take an hour. Its handle is good after the deadline: cancelled, it ends, and is awaited again. */
static void await_too_long(void)
{
    coir_task *t = start_work(3600 * 1000);
    int result = coir_await_until(t, in_milliseconds(250), NULL);
    void *worked;

    say("await", coir_strerror(result));
    check("coir_task_cancel", coir_task_cancel(t));
    check("coir_await", coir_await(t, &worked));
    say("await", coir_errname((int)(intptr_t)worked));
}

static void await_in_time(void)
{
    coir_task *t = start_work(80);

    check("coir_await_until", coir_await_until(t, in_milliseconds(250), NULL));
    say("await", "in time");
}

/* As many steps of 40 ms as there is time for. Each is given the deadline as it is. */
static int step_until(int64_t deadline)
{
    for (int step = 1; step <= 5; step++) {
        coir_task *t = start_work(40);
        int result = coir_await_until(t, deadline, NULL);

        if (result != COIR_OK) {
            check("coir_task_cancel", coir_task_cancel(t));
            check("coir_await", coir_await(t, NULL));
            return result;
        }
    }
    return COIR_OK;
}

static void *show(void *arg)
{
    receive();
    await_too_long();
    await_in_time();
    say("steps", coir_strerror(step_until(in_milliseconds(100))));
    return arg;
}

int main(void)
{
    coir_exec_options options = {0};
    coir_exec *e;

    options.flags = COIR_VIRTUAL_CLOCK;
    check("coir_exec_create", coir_exec_create(&e, &options));
    check("coir_spawn", coir_spawn(NULL, e, show, NULL, NULL));
    check("coir_exec_run", coir_exec_run(e));
    check("coir_exec_destroy", coir_exec_destroy(e));
    return 0;
}
