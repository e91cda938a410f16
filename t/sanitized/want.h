/* SPDX-License-Identifier: MIT */
/* want.h - for the programs that t/sanitizers.sh builds with a sanitizer: what must hold, or the program ends. */

#ifndef WANT_H
#define WANT_H

#include <stdio.h>
#include <stdlib.h>

#define WANT(condition)                                                                                               \
    do {                                                                                                              \
        if (!(condition)) {                                                                                           \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                   \
            _Exit(1);                                                                                                 \
        }                                                                                                             \
    } while (0)

#endif
