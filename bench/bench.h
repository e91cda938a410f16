/* SPDX-License-Identifier: MIT */
/* bench.h - runs contenders by turns and compares their medians.
 *
 * Each measurement is made in a process of its own, so that contenders do not meet in caches, pools or the choice of a
 * backend; all are pinned to one processor, and every round runs each contender once. Figures of one run may be compared
 * with one another, not with those of another machine or day. */

#ifndef BENCH_H
#define BENCH_H

struct bench_contender {
    const char *name;
    const char *backend;   /* what COIR_BACKEND is set to for it, or NULL */
    double (*measure)(void); /* nanoseconds for one of what the table's title says; negative: not to be had here */
};

/* Measures all of them in 7 rounds and prints a table with ratios to the first that is to be had.
 * Takes main's arguments, which it gives itself, and returns an exit status for it. */
int bench_run(int argc, char **argv, const char *title, const struct bench_contender *contenders, int count);

/* Monotonic time in nanoseconds. */
double bench_now(void);

/* Runs a command (in a shell, but on Windows) and reads the number that it prints: that, or a negative one if there is
 * none. For contenders that are programs of their own. */
double bench_run_command(const char *command);

#endif
