/* SPDX-License-Identifier: MIT */
/* A frame with a cleanup attribute. It is compiled several times, with different flags: FRAME is its name then, and
 * LETTER what it notes. */

#include "unwinding_frames.h"

static void clean_up(const char *letter)
{
    note_cleanup(*letter);
}

void FRAME(void (*inner)(void *arg), void *arg)
{
    __attribute__((cleanup(clean_up))) const char letter = LETTER;

    inner(arg);
    __asm__ volatile("" : : "r"(&letter) : "memory"); /* no jump instead of the call */
}
