/* SPDX-License-Identifier: MIT */
/* gen.h - what a generator is inside. */

#ifndef COIR__GEN_H
#define COIR__GEN_H

#include <stddef.h>

#include <coir/gen.h>

struct coir_gen {
    coir_fiber *fiber;
    void *item;       /* where the caller wants the next item */
    size_t item_size;
    int code;         /* what every coir_gen_next gives once it has ended */
    coir_gen_fn *fn;
    void *arg;
    void *unwanted;   /* takes items that nobody wants */
};

#endif
