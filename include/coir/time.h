/* SPDX-License-Identifier: MIT */
/* coir/time.h - time: nanoseconds, deadlines, sleep.
 *
 * Times are absolute nanoseconds of a monotonic clock, in an int64_t. A call that may wait has a twin whose name ends
 * in _until and that takes a deadline: when that time has come and the call could not do its work, it returns
 * COIR_ETIMEDOUT and has changed nothing. Absolute times, since they pass through layers of calls unchanged: a function
 * with a deadline hands it on to all that it calls. A deadline that has passed already makes the call try once, without
 * waiting. */

#ifndef COIR_TIME_H
#define COIR_TIME_H

#include <stdint.h>

#include <coir/api.h>
#include <coir/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The deadline that never comes. */
#define COIR_FOREVER INT64_MAX

/* Nanoseconds in larger units: coir_now() + 20 * COIR_MILLISECOND. */
#define COIR_MICROSECOND INT64_C(1000)
#define COIR_MILLISECOND INT64_C(1000000)
#define COIR_SECOND INT64_C(1000000000)

/* The time. Inside a task, and in what an executor calls, it is that executor's clock (coir_exec_options); elsewhere
 * the system's monotonic clock, which all executors have that were not given another: CLOCK_MONOTONIC of
 * clock_gettime(2), QueryPerformanceCounter on Windows. Where the zero lies is the system's affair. */
COIR_API int64_t coir_now(void);

/* Suspends the current task until coir_now() is at least `time`, or for `duration` nanoseconds. Control comes back on
 * the same thread, after other tasks had their turn: also when the time has come already, which makes it a
 * coir_task_yield. COIR_OK; COIR_ECANCELED: the task was cancelled, and the time may not have come.
 * At once: COIR_ENOTTASK outside of a task. It never fails for want of memory. */
COIR_API int coir_sleep_until(int64_t time);
COIR_API int coir_sleep(int64_t duration);

#ifdef __cplusplus
}
#endif

#endif
