/* SPDX-License-Identifier: MIT */
/* os.h - what the benchmarks want of the system: os_posix.c, os_win32.c. */

#ifndef BENCH_OS_H
#define BENCH_OS_H

#include <stdbool.h>
#include <stddef.h>

/* Monotonic time in nanoseconds. */
double os_now(void);

/* Memory of this process: bytes, and a number of mappings. */
struct os_memory {
    double resident, mapped, tables, mappings;
};

/* False where the system does not tell. */
bool os_memory(struct os_memory *out);

/* Pins this process, and those it starts, to one processor: its number, or -1 if that cannot be done. */
int os_pin(void);

/* Is standard error a terminal? */
bool os_is_watched(void);

/* From now on the first interrupt from the keyboard (Ctrl-C) does not end this process, but the one that os_run waits
 * for, and the second does; and has there been one? */
void os_catch_interrupt(void);
bool os_is_interrupted(void);

/* What processor this is, as the system calls it, and the system: for a person to read. */
void os_describe(char *out, size_t size);

/* Makes a folder unless it is there. */
void os_make_folder(const char *path);

/* Can this file be run; or is there a command of this name, which has no slash? */
bool os_is_program(const char *name);

/* Runs a program with these arguments, the last NULL, and with this environment variable unless it is NULL
 * ("NAME=VALUE"), for at most that many seconds; the first `size - 1` bytes of its standard output go to `out`, what it
 * says on standard error is lost. False if it could not be started, or was killed, by us or anybody. We kill it when
 * the time is over or there is an interrupt; on a system like Linux together with its group of processes. */
bool os_run(const char *const *arguments, const char *environment, double seconds, char *out, size_t size);

#endif
