/* SPDX-License-Identifier: MIT */
/* options.h - what the command line asks for. */

#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "questions.h"

struct options {
    bool is_quick;        /* leaves out, too, what takes long to start */
    bool is_list;         /* lists, and measures nothing */
    size_t rounds;
    long milliseconds;    /* that one measurement lasts at least */
    long most;            /* counts above this are left out */
    const char *programs; /* the folder of the contenders */
    const char *out;      /* the folder of the results */
};

extern struct options options;

/* Fills `options` in; ends the process if there is nothing else to do, or an error. */
void options_read(int argc, char **argv);

bool options_want(const struct question *question);

#endif
