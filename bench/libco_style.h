/* SPDX-License-Identifier: MIT */
/* libco_style.h - the least that a switch of stacks behind a C interface can do: one shared routine of pushes, pops and
 * a jump, called through a pointer; a thread-local active side; no checks, no values, no states. What libco does. */

#ifndef LIBCO_STYLE_H
#define LIBCO_STYLE_H

#include <stdbool.h>

/* Is there one for this processor? */
bool bare_available(void);

struct bare {
    void *saved;
};

struct bare *bare_active(void);
void bare_switch(struct bare *to);
/* Makes `side` start in `entry`, which never returns, at the top of the given stack. */
void bare_prepare(struct bare *side, void *stack, unsigned long size, void (*entry)(void));

#endif
