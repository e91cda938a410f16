/* SPDX-License-Identifier: MIT */
/* work.c - calls of the program's own functions on threads of libuv's pool. */

#include <config.h>

#include "job.h"

struct work {
    struct coir_uv__job job; /* first: the request's data points to both */
    coir_fn *fn;
    void *arg;
    void *result;
};

static void on_thread(uv_work_t *request)
{
    struct work *work = request->data;

    work->result = work->fn(work->arg);
}

static void on_done(uv_work_t *request, int status)
{
    coir_uv__job_end(request->data, status);
}

int coir_uv_work_until(coir_fn *fn, void *arg, int64_t deadline, void **result)
{
    struct work work = {.fn = fn, .arg = arg};
    uv_loop_t *loop;
    int error = coir_uv__job_begin(&work.job, "waits for work on another thread", fn != NULL, deadline, &loop);

    if (error != COIR_OK)
        return error;
    error = uv_queue_work(loop, &work.job.request.work, on_thread, on_done);
    error = coir_uv__job_wait(&work.job, error, deadline);
    if (error == COIR_OK && result != NULL)
        *result = work.result;
    return error;
}

int coir_uv_work(coir_fn *fn, void *arg, void **result)
{
    return coir_uv_work_until(fn, arg, COIR_FOREVER, result);
}
