/* SPDX-License-Identifier: MIT */
/* peer.h - what the peers in C and C++ share. */

#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../contender.h"

/* Notes that something could not be done, and what errno says of it; a negative number. */
static inline double peer_failed(const char *what)
{
    static char text[160];

    snprintf(text, sizeof text, "%s: %s", what, strerror(errno));
    return contender_failed(text);
}

#endif
