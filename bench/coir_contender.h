/* SPDX-License-Identifier: MIT */
/* coir_contender.h - what tasks, channels and timers answer: functions of contender.h, in coir_tasks.c. */

#ifndef COIR_CONTENDER_H
#define COIR_CONTENDER_H

#include "contender.h"

double coir_task_yields(long times, long count);
double coir_spawns(long times, long count);
double coir_spawns_from_outside(long times, long count);
double coir_channel(long times, long count);
double coir_channel_16(long times, long count);
double coir_timers(long times, long count);

#endif
