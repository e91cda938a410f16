/* SPDX-License-Identifier: MIT */
/* contender.h - a program that takes part in a benchmark: coir, or a peer of it.
 *
 *     PROGRAM VARIANT QUESTION COUNT MILLISECONDS
 *
 * does what QUESTION names with COUNT fibers (or tasks, or timers), often enough to last MILLISECONDS, and prints one
 * line: the figure; or, of memory, four; or "-" and why there is none. A program is started anew for each figure, so that
 * contenders meet neither in caches nor in pools. The questions are listed in questions.c, with what one of each is.
 *
 * A contender in C or C++ defines contender_answers and links to contender.c, which has its main. */

#ifndef CONTENDER_H
#define CONTENDER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How a figure is made of an answer's function. */
enum contender_kind {
    /* The function does it `times` times, which is never less than `count`, with `count` fibers, and returns how many
     * nanoseconds that took, without making them. It is called with ever larger numbers until it takes long enough; what
     * it makes it may keep from call to call. */
    CONTENDER_REPEATED,

    /* As before, but called once, with times equal to count: what it measures is only there the first time. */
    CONTENDER_ONCE,

    /* The function makes `count` suspended fibers, each of which has run up to a yield, and returns how many there now
     * are. Memory is measured around it: per fiber, bytes that are resident, mapped, and of page tables; and how many
     * mappings there are more, in all. */
    CONTENDER_MEMORY
};

struct contender_answer {
    const char *variant; /* as the driver gives it, or NULL: any */
    const char *question;
    enum contender_kind kind;
    double (*function)(long times, long count); /* negative: it failed, and contender_failed may tell why */
};

/* What the program can do; the last has no question. */
extern const struct contender_answer contender_answers[];

/* The variant that is asked for. */
extern const char *contender_variant;

/* Monotonic time in nanoseconds. */
double contender_now(void);

/* Notes why there is no figure, and returns a negative number. */
double contender_failed(const char *why);

/* So many rounds of `count` are at least so many times. */
static inline long contender_rounds(long times, long count)
{
    return (times + count - 1) / count;
}

#ifdef __cplusplus
}
#endif

#endif
