/* SPDX-License-Identifier: MIT */
/* fibers.h - what fibers cost by themselves, as a measure for what is made of them. Times are in nanoseconds, negative
 * if no fiber can be had. */

#ifndef FIBERS_H
#define FIBERS_H

/* One coir_resume with the coir_yield that answers it: two switches. */
double fibers_round_trip(long trips);

/* One coir_create, a run to the end and a coir_destroy; the stack is the one that the last fiber used. */
double fibers_create_run_destroy(long times);

#endif
