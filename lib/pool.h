/* SPDX-License-Identifier: MIT */
/* pool.h - a thread's stacks that wait to be used again, last in first out, warm from their last use.
 *
 * A pool takes stacks from the slabs and gives them back in batches, so that the lock is rarely taken. */

#ifndef COIR__POOL_H
#define COIR__POOL_H

#include "slab.h"

struct coir__pool {
    struct {
        struct coir__slot *first;
        size_t count;
    } kinds[COIR__SLAB_KINDS];
};

/* A stack of that kind, COIR__SLAB_KINDS included: COIR_OK, COIR_ENOMEM or COIR_EMAPS. */
int coir__pool_take(struct coir__pool *pool, unsigned kind, struct coir__slot **out);
void coir__pool_give(struct coir__pool *pool, struct coir__slot *slot);

/* Gives all but `keep` stacks of each kind back to the slabs. */
void coir__pool_trim(struct coir__pool *pool, size_t keep);

#endif
