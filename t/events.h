/* SPDX-License-Identifier: MIT */
/* events.h - a line of words for what has happened in a case, to be compared with what should have. */

#ifndef EVENTS_H
#define EVENTS_H

#include "t.h"

#include <string.h>

static char events[1024];

static inline void event(const char *text)
{
    ck_assert_uint_lt(strlen(events) + strlen(text), sizeof events);
    strcat(events, text);
}

/* The same for coir_defer, coir_exec_post and the like. */
static inline void note(void *text)
{
    event(text);
}

/* A task that does nothing else. */
static inline void *note_and_return(void *text)
{
    event(text);
    return text;
}

#endif
