/* SPDX-License-Identifier: MIT */
/* defer.c - functions that run when a fiber ends. */

#include <config.h>

#include "allocator.h"
#include "fiber.h"
#include "thread.h"

struct coir__deferred {
    struct coir__deferred *earlier;
    void (*fn)(void *arg);
    void *arg;
};

int coir_defer(void (*fn)(void *arg), void *arg)
{
    coir_fiber *f = coir__thread_now()->current;
    struct coir__deferred *entry;

    if (f->special & COIR__ROOT)
        return COIR_ENOTFIBER;
    if (f->special & COIR__DESTRUCTING)
        return COIR_ECANCELED;
    if (fn == NULL)
        return COIR_EINVAL;
    entry = coir__allocate(sizeof *entry);
    if (entry == NULL)
        return COIR_ENOMEM;
    entry->earlier = f->deferred;
    entry->fn = fn;
    entry->arg = arg;
    f->deferred = entry;
    return COIR_OK;
}

/* Takes an entry out of its list, which `link` points into, and calls it if asked. */
static void take(struct coir__deferred **link, bool run)
{
    struct coir__deferred *entry = *link;
    void (*fn)(void *) = entry->fn;
    void *arg = entry->arg;

    *link = entry->earlier;
    coir__release(entry, sizeof *entry);
    if (run)
        fn(arg);
}

int coir_undefer(void (*fn)(void *arg), void *arg, int run)
{
    coir_fiber *f = coir__thread_now()->current;

    if (f->special & COIR__ROOT)
        return COIR_ENOTFIBER;
    for (struct coir__deferred **link = &f->deferred; *link != NULL; link = &(*link)->earlier) {
        if ((*link)->fn == fn && (*link)->arg == arg) {
            take(link, run != 0);
            return COIR_OK;
        }
    }
    return COIR_EINVAL;
}

void coir__deferred_run(coir_fiber *f)
{
    while (f->deferred != NULL)
        take(&f->deferred, true);
}
