/* SPDX-License-Identifier: MIT */
/* job.h - what a thread of libuv's pool does for a task, with memory that is the task's: files, and work. It lies on
 * the stack of the call that waits. A call that is given up takes it back from the pool's queue, or else waits on, since
 * a thread works on it. */

#ifndef COIR_UV__JOB_H
#define COIR_UV__JOB_H

#include "loop.h"

struct coir_uv__job {
    coir_wait wait;
    int given_up; /* the code with which; COIR_OK: it was not */
    union {
        uv_req_t any;
        uv_fs_t fs;
        uv_work_t work;
    } request;
};

/* job.c: prepares it, if the caller may wait and its arguments are valid: COIR_OK, COIR_ETIMEDOUT if it is late already,
 * or why not. */
int coir_uv__job_begin(struct coir_uv__job *job, const char *what, bool valid, int64_t deadline, uv_loop_t **loop);

/* job.c: waits for what libuv has taken: `uv` is what it said. Returns what coir_uv__job_end said, as an error of
 * libuv's or COIR_OK; or why it was given up, if it was taken back. */
int coir_uv__job_wait(struct coir_uv__job *job, int uv, int64_t deadline);

/* job.c: from libuv's callback: it is through, with an error of libuv's or 0. */
void coir_uv__job_end(struct coir_uv__job *job, int uv);

#endif
