/* SPDX-License-Identifier: MIT */
/* libco_style_switch.h - the least that a switch of stacks behind a C interface can do: one shared routine that saves
 * and loads registers and jumps, called through a pointer; a thread-local active side; no checks, no values, no
 * states. What libco does. */

#ifndef BENCH_LIBCO_STYLE_SWITCH_H
#define BENCH_LIBCO_STYLE_SWITCH_H

#include <stdbool.h>
#include <stddef.h>

/* The saved stack pointer, and six registers. */
struct bare {
    void *saved[7];
};

/* Is there one for this processor? */
bool bare_available(void);

struct bare *bare_active(void);
void bare_switch(struct bare *to);

/* Makes a side at the low end of `memory` and its stack of the rest; it starts in `entry`, which never returns. */
struct bare *bare_prepare(void *memory, size_t size, void (*entry)(void));

#endif
