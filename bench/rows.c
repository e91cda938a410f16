/* SPDX-License-Identifier: MIT */
/* rows.c - each measurement, as it comes, to rows.tsv, so that a run that is killed leaves what it has. */

#include "output.h"

#include <stdio.h>

static FILE *rows;

void rows_open(void)
{
    rows = output_open("rows.tsv");
    fprintf(rows, "question\tcount\tcontender\tround\tunit\tvalue\n");
}

void rows_write(const struct question *question, long count, const struct contender *contender, size_t round,
                const double figures[MOST_FIGURES])
{
    for (size_t i = 0; question->units[i] != NULL; i++)
        fprintf(rows, "%s\t%ld\t%s\t%zu\t%s\t%.10g\n", question->name, count, contender->label, round + 1,
                question->units[i], figures[i]);
    fflush(rows);
}

void rows_close(void)
{
    output_close(rows, "rows.tsv");
}
