/* SPDX-License-Identifier: MIT */
/* results.c - what has been measured. */

#include "results.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"

static struct result results[MOST_QUESTIONS][MOST_COUNTS][MOST_CONTENDERS];

struct result *result_of(const struct question *question, long count, const struct contender *contender)
{
    size_t i = 0;

    while (question->counts[i] != count)
        i++;
    return &results[question - questions][i][contender - contenders];
}

void result_add(struct result *result, const double figures[MOST_FIGURES])
{
    result->figures = realloc(result->figures, (result->rounds + 1) * sizeof *result->figures);
    if (result->figures == NULL)
        output_die("out of memory");
    memcpy(result->figures[result->rounds], figures, sizeof *result->figures);
    result->rounds++;
}

void result_refuse(const struct question *question, long count, const struct contender *contender,
                   enum result_state state, const char *why)
{
    for (const long *more = question->counts; *more != 0; more++) {
        struct result *result;
        if (*more < count)
            continue;
        result = result_of(question, *more, contender);
        if (result->state == RESULT_LEFT_OUT)
            continue;
        result->state = state;
        snprintf(result->why, sizeof result->why, "%s", why);
    }
}

bool result_has_figures(const struct result *result)
{
    return result->state == RESULT_WANTED && result->rounds > 0;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

struct summary result_summary(const struct result *result, size_t figure)
{
    size_t rounds = result->rounds;
    double *sorted = malloc(rounds * sizeof *sorted);
    struct summary summary;

    if (sorted == NULL)
        output_die("out of memory");
    for (size_t i = 0; i < rounds; i++)
        sorted[i] = result->figures[i][figure];
    qsort(sorted, rounds, sizeof *sorted, compare);
    summary.min = sorted[0];
    summary.median = (sorted[(rounds - 1) / 2] + sorted[rounds / 2]) / 2;
    summary.max = sorted[rounds - 1];
    free(sorted);
    return summary;
}
