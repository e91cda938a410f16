/* SPDX-License-Identifier: MIT */
/* run.c - a loop, an executor and a first task, all in one. */

#include <config.h>

#include "loop.h"

struct first_task {
    coir_fn *fn;
    void *arg;
    void *result;
};

static void *run_first(void *arg)
{
    struct first_task *first = arg;

    first->result = first->fn(first->arg);
    return NULL;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* Closes what was left open; threads that work for the loop are waited for. */
static void close_loop(uv_loop_t *loop)
{
    uv_walk(loop, close_handle, NULL);
    while (uv_loop_close(loop) == UV_EBUSY)
        uv_run(loop, UV_RUN_DEFAULT);
    coir_release(loop, sizeof *loop);
}

/* Ends the tasks that are left, by cancellation, and frees the executor. One that cannot be ended so keeps it. */
static int end(coir_exec *e)
{
    struct coir_uv__loop *loop = coir_exec_poller(e)->context;

    while (coir_exec_holds(e) > 0)
        coir_exec_release(e);
    coir_exec_cancel(e);
    while (coir_exec_run(e) == COIR_TASKS_LEFT)
        continue; /* one of them has stopped it */
    if (coir_exec_tasks(e) > 0)
        return COIR_EBUSY;
    while (loop->objects != NULL)
        coir_uv__object_destroy(loop->objects);
    return coir_uv_exec_destroy(e);
}

static int run(uv_loop_t *loop, struct first_task *first, const coir_exec_options *opt)
{
    coir_exec *e;
    int result = coir_uv_exec_create(&e, loop, opt);

    if (result == COIR_OK) {
        result = coir_spawn(NULL, e, run_first, first, NULL);
        if (result == COIR_OK)
            result = coir_exec_run(e);
        if (end(e) != COIR_OK)
            return result; /* with the loop, which tasks still wait for */
    }
    close_loop(loop);
    return result;
}

int coir_uv_run(coir_fn *fn, void *arg, const coir_exec_options *opt, void **result)
{
    struct first_task first = {fn, arg, NULL};
    uv_loop_t *loop;
    int error;

    if (fn == NULL)
        return COIR_EINVAL;
    loop = coir_allocate(sizeof *loop);
    if (loop == NULL)
        return COIR_ENOMEM;
    error = uv_loop_init(loop);
    if (error != 0) {
        coir_release(loop, sizeof *loop);
        return coir_uv__error(error);
    }
    error = run(loop, &first, opt);
    if (error >= 0 && result != NULL)
        *result = first.result;
    return error;
}
