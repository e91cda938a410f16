/* SPDX-License-Identifier: MIT */
/* scale.h - where in a picture a figure stands. */

#ifndef BENCH_SCALE_H
#define BENCH_SCALE_H

#include <stdbool.h>
#include <stddef.h>

struct scale {
    bool is_log;
    double from, to;  /* figures */
    double low, high; /* and where these two stand */
};

/* A scale from a round figure to another, with all that is between `least` and `most`. */
struct scale scale_around(bool is_log, double least, double most, double low, double high);

double scale_at(const struct scale *scale, double figure);

enum { MOST_TICKS = 40 };

/* The round figures on it: how many. */
size_t scale_ticks(const struct scale *scale, double ticks[MOST_TICKS]);

/* What stands at a tick. */
const char *scale_tick_text(double tick, char text[32]);

#endif
