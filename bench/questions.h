/* SPDX-License-Identifier: MIT */
/* questions.h - what is asked, and of whom: two tables, in questions.c. */

#ifndef BENCH_QUESTIONS_H
#define BENCH_QUESTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum { MOST_QUESTIONS = 16, MOST_CONTENDERS = 40, MOST_COUNTS = 6, MOST_FIGURES = 4 };

enum question_plot { PLOT_NONE, PLOT_BARS, PLOT_LINES };

struct question {
    const char *name;             /* in the protocol of contender.h; NULL ends the table */
    const char *title;            /* what is measured */
    const char *noun;             /* what there are `count` of, or NULL if nobody needs to be told */
    const char *const *units;     /* one for each figure of an answer, and NULL */
    const char *axis;             /* of its plot: what the figures are */
    enum question_plot plot;
    long counts[MOST_COUNTS + 1]; /* growing, and 0 */
};

extern const struct question questions[];

/* Answers that are the same each time need no rounds. */
bool question_is_memory(const struct question *question);

struct contender {
    const char *label;       /* for people; NULL ends the table */
    const char *program;     /* in the folder of the contenders */
    const char *variant;
    const char *environment; /* "NAME=VALUE", or NULL */
    const char *runner;      /* a command that runs the program, or NULL */
    const char *package;     /* what Debian calls what it needs, or NULL */
    const char *only;        /* the one question that it is asked, or NULL: all */
    bool is_slow;            /* to start */
};

/* The first is what the others are compared with. */
extern const struct contender contenders[];

/* Is it this library, in some way? */
bool contender_is_coir(const struct contender *contender);

/* What must be said about this contender's answer to this question, or NULL. */
const char *contender_note(const struct contender *contender, const struct question *question);

#endif
