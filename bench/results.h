/* SPDX-License-Identifier: MIT */
/* results.h - what has been measured: for each question, count and contender the figures of all rounds, or why there
 * are none. */

#ifndef BENCH_RESULTS_H
#define BENCH_RESULTS_H

#include <stddef.h>

#include "questions.h"

enum result_state {
    RESULT_WANTED,  /* figures are there, or may come */
    RESULT_REFUSED, /* there are none, and a table says why */
    RESULT_LEFT_OUT /* there are none, and a table does not mention it */
};

struct result {
    enum result_state state;
    char why[64];
    size_t rounds;
    double (*figures)[MOST_FIGURES]; /* one row for each round */
};

struct result *result_of(const struct question *question, long count, const struct contender *contender);

void result_add(struct result *result, const double figures[MOST_FIGURES]);

/* From this count on there will be no figures. Those that there are no longer count. */
void result_refuse(const struct question *question, long count, const struct contender *contender,
                   enum result_state state, const char *why);

bool result_has_figures(const struct result *result);

struct summary {
    double min, median, max;
};

/* Of a result that has figures. */
struct summary result_summary(const struct result *result, size_t figure);

#endif
