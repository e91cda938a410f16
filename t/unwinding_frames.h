/* SPDX-License-Identifier: MIT */
/* unwinding_frames.h - C functions of t/unwinding_frames.c, which is compiled in several ways; each calls inner(arg),
 * and has a variable with a cleanup attribute. */

#ifndef UNWINDING_FRAMES_H
#define UNWINDING_FRAMES_H

typedef void frame_fn(void (*inner)(void *arg), void *arg);

frame_fn frame_with_exceptions;      /* -fexceptions */
frame_fn frame_without_exceptions;   /* -fno-exceptions, which is C's default */
frame_fn frame_without_pointer;      /* -fexceptions -fomit-frame-pointer */
frame_fn frame_with_pointer;         /* -fexceptions -fno-omit-frame-pointer */
frame_fn frame_without_tables;       /* no unwind tables at all */

/* What their cleanups call, with the last letter of the way: e, n, o, p, t. */
void note_cleanup(char letter);

#endif
