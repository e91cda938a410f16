/* SPDX-License-Identifier: MIT */
/* programs.h - the programs of the contenders: whether they are there, and what they answer. */

#ifndef BENCH_PROGRAMS_H
#define BENCH_PROGRAMS_H

#include <stdbool.h>

#include "questions.h"

/* Looks for all of them. */
void programs_find(void);

bool program_is_there(const struct contender *contender);

/* Why it is not there. */
const char *program_absence(const struct contender *contender);

enum program_answer {
    PROGRAM_FIGURES, /* as many as the question has units */
    PROGRAM_UNKNOWN, /* it does not know the question */
    PROGRAM_REFUSED  /* it gave a reason, or it failed */
};

/* Runs it once. `figures` is filled in, or `why` is set, which stays until the next call. */
enum program_answer program_ask(const struct contender *contender, const struct question *question, long count,
                                double figures[MOST_FIGURES], const char **why);

#endif
