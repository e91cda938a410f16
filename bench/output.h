/* SPDX-License-Identifier: MIT */
/* output.h - what a run leaves: a head, tables, rows, and progress for who waits. Plots are in plot.h. */

#ifndef BENCH_OUTPUT_H
#define BENCH_OUTPUT_H

#include <stddef.h>
#include <stdio.h>

#include "questions.h"

/* output.c */

/* Says why the process cannot go on, and ends it. */
_Noreturn void output_die(const char *why);

/* What was printed must have arrived; dies if it has not. */
void output_end(void);

/* Opens a file of the folder of results to write it anew, and closes it; dies if anything went wrong. */
FILE *output_open(const char *name);
void output_close(FILE *file, const char *name);

/* Removes a file of that folder, if it is there. */
void output_remove(const char *name);

/* 1,000,000 */
const char *output_count(long count, char text[32]);

/* machine.c: where, when and how this was measured */

/* Notes it. `processor` is the one that all is pinned to, or negative. */
void machine_note(int processor);

/* Prints it, and writes it to machine.txt. */
void machine_print(void);

/* In one line. */
const char *machine_line(void);

/* table.c */

/* All answers to a question with that count, if there are any. */
void table_print(const struct question *question, long count);

/* rows.c: each measurement, as it comes, to rows.tsv */

void rows_open(void);
void rows_write(const struct question *question, long count, const struct contender *contender, size_t round,
                const double figures[MOST_FIGURES]);
void rows_close(void);

/* progress.c: a line on a terminal that is written over */

/* Says what is measured next. `left` is how much there is to do, `work` how much of it this is, both in milliseconds of
 * a machine on which all takes as long as expected. */
void progress_show(const struct question *question, long count, const struct contender *contender, size_t round,
                   double left);

/* So much of it has been done. */
void progress_add(double work);

/* Takes the line away. */
void progress_clear(void);

#endif
