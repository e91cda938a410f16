/* SPDX-License-Identifier: MIT */
/* bench_os.h - what bench.c wants of the system: bench_posix.c, bench_win32.c. */

#ifndef BENCH_OS_H
#define BENCH_OS_H

#include <stdbool.h>

/* The argument with which a program measures one contender, whose number follows, and prints the figure. */
#define BENCH_MEASURE "--measure"

/* Pins this process, and those it starts, to one processor. */
void bench_pin(void);

/* Is standard error a terminal? */
bool bench_is_watched(void);

/* Runs this program again to measure one contender, with COIR_BACKEND set unless it is NULL: the figure, or a negative
 * number if there is none. */
double bench_measure_apart(const char *program, int contender, const char *backend);

#endif
