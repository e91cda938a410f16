/* SPDX-License-Identifier: MIT */
/* exec.c - an executor and a loop that run each other. */

#include <config.h>

#include <signal.h>
#include <string.h>

#include "loop.h"

/* ---- who is here ---- */

static int wait_for_events(void *context, int64_t deadline);

/* The tie of an executor, or NULL. */
static struct coir_uv__loop *tie_of(const coir_exec *e)
{
    const coir_poller *poller = coir_exec_poller(e);

    return poller != NULL && poller->wait == wait_for_events ? poller->context : NULL;
}

int coir_uv__here_for(const void *result, struct coir_uv__loop **out)
{
    const coir_exec *e = coir_exec_current();

    if (e == NULL)
        return COIR_ENOTTASK;
    *out = tie_of(e);
    return *out != NULL && result != NULL ? COIR_OK : COIR_EINVAL;
}

int coir_uv__may_wait_for(const void *result, struct coir_uv__loop **out)
{
    int error = coir_may_wait();

    return error == COIR_OK ? coir_uv__here_for(result, out) : error;
}

int coir_uv__check(const struct coir_uv__loop *loop)
{
    return coir_exec_tasks(loop->exec) >= 0 ? COIR_OK : COIR_ETHREAD;
}

int coir_uv__may_wait_in(const struct coir_uv__loop *loop)
{
    int error = coir_may_wait();

    if (error != COIR_OK)
        return error;
    if (coir_exec_current() == loop->exec)
        return COIR_OK;
    error = coir_uv__check(loop);
    return error == COIR_OK ? COIR_EINVAL : error;
}

/* ---- the timer ---- */

/* libuv looks at its timers before it waits. If this one is due by then it must not go on to wait, for nothing else may
 * ever happen. And, with UV_RUN_ONCE, after everything else: then the loop must not end before the next look at the
 * executor. */
static void on_timer(uv_timer_t *timer)
{
    struct coir_uv__loop *loop = timer->data;

    loop->armed_for = COIR_FOREVER;
    if (loop->runs_loop)
        uv_stop(loop->loop);
    else
        uv_ref((uv_handle_t *)&loop->wake);
}

/* In whole milliseconds, rounded up: a timer that is early would be set again and again. */
static uint64_t milliseconds_until(const struct coir_uv__loop *loop, int64_t deadline)
{
    int64_t now = coir_exec_now(loop->exec);
    uint64_t distance = deadline > now ? (uint64_t)deadline - (uint64_t)now : 0;

    return distance / (uint64_t)COIR_MILLISECOND + (distance % (uint64_t)COIR_MILLISECOND != 0);
}

/* The loop's time is up to date, for timers count from it. */
static void arm(struct coir_uv__loop *loop, int64_t deadline)
{
    if (deadline == loop->armed_for)
        return;
    loop->armed_for = deadline;
    if (deadline == COIR_FOREVER) {
        uv_timer_stop(&loop->timer);
        return;
    }
    uv_timer_start(&loop->timer, on_timer, milliseconds_until(loop, deadline), 0);
}

/* ---- the executor leads ---- */

/* Takes back what the loop was told while it led. The handle `wake` keeps it alive whenever the executor leads: a loop
 * in which nothing is alive does not wait; and should the loop lead next, it must get as far as to look at the
 * executor. */
static void take_back(struct coir_uv__loop *loop)
{
    loop->lent = false;
    uv_idle_stop(&loop->idle);
    uv_unref((uv_handle_t *)&loop->timer);
    uv_ref((uv_handle_t *)&loop->wake);
}

static void run_loop(struct coir_uv__loop *loop, uv_run_mode mode)
{
    loop->runs_loop = true;
    uv_run(loop->loop, mode);
    loop->runs_loop = false;
}

/* One iteration. */
static int wait_for_events(void *context, int64_t deadline)
{
    struct coir_uv__loop *loop = context;

    if (loop->runs_tasks)
        return COIR_OK;
    if (loop->lent)
        take_back(loop);
    if (loop->chances != NULL || (deadline != COIR_FOREVER && deadline <= coir_exec_now(loop->exec))) {
        run_loop(loop, UV_RUN_NOWAIT);
        return COIR_OK;
    }
    uv_update_time(loop->loop); /* tasks have run since libuv has looked at the clock, from which it counts */
    arm(loop, deadline);
    run_loop(loop, UV_RUN_ONCE);
    return COIR_OK;
}

static void wake(void *context)
{
    struct coir_uv__loop *loop = context;

    uv_async_send(&loop->wake);
}

static int is_active(void *context)
{
    struct coir_uv__loop *loop = context;
    int alive;

    if (loop->lent && !loop->runs_tasks)
        take_back(loop);
    uv_unref((uv_handle_t *)&loop->wake);
    alive = uv_loop_alive(loop->loop);
    uv_ref((uv_handle_t *)&loop->wake);
    return alive || loop->chances != NULL;
}

static void on_wake(uv_async_t *async)
{
    (void)async; /* that the loop has woken is all that was wanted */
}

/* ---- the loop leads ---- */

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

static void keep_alive(uv_handle_t *handle, bool on)
{
    if (on)
        uv_ref(handle);
    else
        uv_unref(handle);
}

/* How long the loop may sleep, and whether it is to live on for what it does not know of. */
static void lend(struct coir_uv__loop *loop)
{
    int64_t next = coir_exec_next_deadline(loop->exec);

    loop->lent = true;
    if (next == 0 || loop->chances != NULL)
        uv_idle_start(&loop->idle, on_idle);
    else
        uv_idle_stop(&loop->idle);
    arm(loop, next);
    uv_ref((uv_handle_t *)&loop->timer);
    keep_alive((uv_handle_t *)&loop->wake, coir_exec_holds(loop->exec) > 0);
}

/* So many that it costs little to begin, and so few that the caches hold what they use. Measured: 8 to 32 are alike. */
#define BATCH 16

void coir_uv__end_of_callback(struct coir_uv__loop *loop)
{
    if (++loop->batch < BATCH || loop->runs_tasks)
        return;
    loop->batch = 0;
    loop->runs_tasks = true;
    loop->in_batch = true;
    if (loop->runs_loop)
        coir_exec_run_ready(loop->exec);
    else
        coir_exec_run_once_until(loop->exec, 0);
    loop->in_batch = false;
    loop->runs_tasks = false;
}

static bool has_work(const struct coir_uv__loop *loop)
{
    int64_t next = coir_exec_next_deadline(loop->exec);

    return next != COIR_FOREVER && next <= coir_exec_now(loop->exec);
}

/* Where the loop is run in one of the executor's tasks, which is wrong, the executor refuses. */
static void run_turn(struct coir_uv__loop *loop)
{
    if (loop->runs_loop || loop->exec == NULL)
        return;
    if (has_work(loop)) {
        loop->runs_tasks = true;
        coir_exec_run_once_until(loop->exec, 0);
        loop->runs_tasks = false;
        uv_update_time(loop->loop);
    }
    lend(loop);
}

/* May the loop wait? Callbacks that libuv has called before it does (of timers, say) may have given the executor something
 * to do, have taken its last reason to run, or have been the last thing that could happen. */
static bool may_sleep(struct coir_uv__loop *loop)
{
    int holds = coir_exec_holds(loop->exec);

    if (coir_exec_next_deadline(loop->exec) == 0 || (holds == 0 && coir_exec_tasks(loop->exec) == 0))
        return false;
    return holds > 0 || loop->armed_for != COIR_FOREVER || is_active(loop);
}

static void before_sleep(uv_prepare_t *prepare)
{
    struct coir_uv__loop *loop = prepare->data;

    if (!loop->runs_loop)
        run_turn(loop);
    else if (!may_sleep(loop))
        uv_stop(loop->loop); /* it looks for what has happened, and comes back */
}

static void after_sleep(uv_check_t *check)
{
    struct coir_uv__loop *loop = check->data;

    coir_uv__end_chances(loop);
    run_turn(loop);
}

int coir_uv_exec_attend(coir_exec *e)
{
    struct coir_uv__loop *loop = tie_of(e);
    int error;

    if (loop == NULL)
        return COIR_EINVAL;
    error = coir_uv__check(loop);
    if (error != COIR_OK)
        return error;
    uv_ref((uv_handle_t *)&loop->wake);
    uv_async_send(&loop->wake); /* so that it does not sleep before */
    return COIR_OK;
}

/* ---- making and destroying ---- */

void coir_uv__drop(struct coir_uv__loop *loop)
{
    if (--loop->references > 0)
        return;
    coir_release(loop, sizeof *loop);
}

static void on_closed(uv_handle_t *handle)
{
    coir_uv__drop(handle->data);
}

static void close_handle(struct coir_uv__loop *loop, uv_handle_t *handle)
{
    loop->references++;
    uv_close(handle, on_closed);
}

/* Of these only the first can fail to be initialised, since only it takes something of the system. */
static int open_handles(struct coir_uv__loop *loop)
{
    int error = uv_async_init(loop->loop, &loop->wake, on_wake);

    if (error != 0)
        return coir_uv__error(error);
    uv_timer_init(loop->loop, &loop->timer);
    uv_prepare_init(loop->loop, &loop->before);
    uv_check_init(loop->loop, &loop->after);
    uv_idle_init(loop->loop, &loop->idle);
    loop->wake.data = loop->timer.data = loop->before.data = loop->after.data = loop->idle.data = loop;
    uv_prepare_start(&loop->before, before_sleep);
    uv_check_start(&loop->after, after_sleep);
    uv_unref((uv_handle_t *)&loop->timer);
    uv_unref((uv_handle_t *)&loop->before);
    uv_unref((uv_handle_t *)&loop->after);
    return COIR_OK;
}

static void close_handles(struct coir_uv__loop *loop)
{
    close_handle(loop, (uv_handle_t *)&loop->wake);
    close_handle(loop, (uv_handle_t *)&loop->timer);
    close_handle(loop, (uv_handle_t *)&loop->before);
    close_handle(loop, (uv_handle_t *)&loop->after);
    close_handle(loop, (uv_handle_t *)&loop->idle);
}

static void ignore_broken_pipes(void)
{
#ifdef SIGPIPE
    struct sigaction action;

    if (sigaction(SIGPIPE, NULL, &action) != 0 || (action.sa_flags & SA_SIGINFO) || action.sa_handler != SIG_DFL)
        return;
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
#endif
}

int coir_uv_exec_create(coir_exec **out, uv_loop_t *uv_loop, const coir_exec_options *opt)
{
    coir_poller poller = {wait_for_events, wake, is_active, NULL};
    coir_exec_options options = {0};
    struct coir_uv__loop *loop;
    int error;

    if (opt != NULL)
        options = *opt;
    if (out == NULL || uv_loop == NULL || options.poller != NULL || (options.flags & COIR_VIRTUAL_CLOCK))
        return COIR_EINVAL;
    loop = coir_allocate(sizeof *loop);
    if (loop == NULL)
        return COIR_ENOMEM;
    memset(loop, 0, sizeof *loop);
    loop->loop = uv_loop;
    loop->armed_for = COIR_FOREVER;
    loop->references = 1;
    poller.context = loop;
    options.poller = &poller;
    error = coir_exec_create(&loop->exec, &options);
    if (error != COIR_OK) {
        coir_uv__drop(loop);
        return error;
    }
    error = open_handles(loop);
    if (error != COIR_OK) {
        coir_exec_destroy(loop->exec);
        coir_uv__drop(loop);
        return error;
    }
    ignore_broken_pipes();
    *out = loop->exec;
    return COIR_OK;
}

int coir_uv_exec_destroy(coir_exec *e)
{
    struct coir_uv__loop *loop = tie_of(e);
    int error;

    if (e == NULL)
        return COIR_OK;
    if (loop == NULL)
        return COIR_EINVAL;
    error = coir_uv__check(loop);
    if (error != COIR_OK)
        return error;
    if (loop->objects != NULL)
        return COIR_EBUSY;
    error = coir_exec_destroy(e);
    if (error != COIR_OK)
        return error;
    loop->exec = NULL;
    if (loop->spare != NULL) {
        coir_uv__lookup_release(loop->spare);
        loop->spare = NULL;
    }
    close_handles(loop);
    coir_uv__drop(loop);
    return COIR_OK;
}

uv_loop_t *coir_uv_loop(const coir_exec *e)
{
    const struct coir_uv__loop *loop = tie_of(e != NULL ? e : coir_exec_current());

    return loop != NULL ? loop->loop : NULL;
}
