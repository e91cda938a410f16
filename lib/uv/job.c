/* SPDX-License-Identifier: MIT */
/* job.c - waiting for a thread of libuv's pool. */

#include <config.h>

#include "job.h"

static void give_up(coir_wait *wait, int code)
{
    struct coir_uv__job *job = (struct coir_uv__job *)wait;

    job->given_up = code;
    uv_cancel(&job->request.any); /* its callback comes in either case */
}

int coir_uv__job_begin(struct coir_uv__job *job, const char *what, bool valid, int64_t deadline, uv_loop_t **out)
{
    struct coir_uv__loop *loop;
    int error = coir_uv__may_wait_for(job, &loop);

    if (error != COIR_OK)
        return error;
    if (!valid)
        return COIR_EINVAL;
    if (coir_uv__is_past(deadline))
        return COIR_ETIMEDOUT;
    job->wait = (coir_wait){.what = what, .give_up = give_up};
    job->given_up = COIR_OK;
    job->request.any.data = job;
    *out = loop->loop;
    return COIR_OK;
}

int coir_uv__job_wait(struct coir_uv__job *job, int uv, int64_t deadline)
{
    if (uv < 0)
        return coir_uv__error(uv);
    uv = coir_wait_for_until(&job->wait, deadline);
    if (uv == UV_ECANCELED && job->given_up != COIR_OK)
        return job->given_up;
    return coir_uv__error(uv);
}

void coir_uv__job_end(struct coir_uv__job *job, int uv)
{
    coir_wait_end(&job->wait, uv);
}
