/* SPDX-License-Identifier: MIT */
/* pool.c - a thread's stacks that wait to be used again. */

#include <config.h>

#include <coir/error.h>

#include "exceptions.h"
#include "pool.h"

/* How many stacks of a kind a pool holds before it gives half of them back; coir/stack.h states it. And how many it
 * takes from the slabs at a time. */
#define MOST 256
#define BATCH 16

int coir__pool_take(struct coir__pool *pool, unsigned kind, struct coir__slot **out)
{
    struct coir__slot *slot;

    if (kind >= COIR__SLAB_KINDS)
        return COIR_ENOMEM;
    if (pool->kinds[kind].first == NULL) {
        int error;

        coir__exceptions_look(); /* here since it is seldom enough, and yet before many fibers are made */
        error = coir__slab_take(kind, BATCH, &pool->kinds[kind].first, &pool->kinds[kind].count);
        if (error != COIR_OK)
            return error;
    }
    slot = pool->kinds[kind].first;
    pool->kinds[kind].first = slot->next;
    pool->kinds[kind].count--;
    *out = slot;
    return COIR_OK;
}

/* Gives back all stacks of a kind but the `keep` that were used last. */
static void shrink(struct coir__pool *pool, unsigned kind, size_t keep)
{
    struct coir__slot **link = &pool->kinds[kind].first;
    struct coir__slot *rest;

    if (pool->kinds[kind].count <= keep)
        return;
    for (size_t i = 0; i < keep; i++)
        link = &(*link)->next;
    rest = *link;
    *link = NULL;
    pool->kinds[kind].count = keep;
    coir__slab_give(rest);
}

void coir__pool_give(struct coir__pool *pool, struct coir__slot *slot)
{
    unsigned kind = coir__slot_kind(slot);

    slot->next = pool->kinds[kind].first;
    pool->kinds[kind].first = slot;
    if (++pool->kinds[kind].count > MOST)
        shrink(pool, kind, MOST / 2);
}

void coir__pool_trim(struct coir__pool *pool, size_t keep)
{
    for (unsigned kind = 0; kind < COIR__SLAB_KINDS; kind++)
        shrink(pool, kind, keep);
}
