/* SPDX-License-Identifier: MIT */
/* stack.h - a fiber's stack: where one comes from and goes to, on any platform. */

#ifndef COIR__STACK_H
#define COIR__STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <coir/fiber.h>

struct coir__slot;
struct coir__thread;

enum coir__stack_source {
    COIR__STACK_NONE,      /* there is no stack */
    COIR__STACK_POOL,      /* from the thread's pool: `slot` says which */
    /* These are given back as soon as can be, since somebody is to be told: */
    COIR__STACK_DROPPED,   /* from the pool, with frames left on it: memory checkers */
    COIR__STACK_CALLER,    /* the caller's own memory */
    COIR__STACK_ALLOCATOR, /* from the program's allocator */
    COIR__STACK_BACKEND    /* made by the backend, which knows it as `object` */
};

struct coir__stack {
    char *low; /* the usable bytes, without the guard */
    size_t size;
    union {
        struct coir__slot *slot;
        void *object;
    };
    size_t asked;      /* the stack_size of the options that a pool's stack was taken for */
    uint8_t source;    /* enum coir__stack_source */
    uint8_t unguarded; /* COIR_NO_GUARD or 0, as the options asked for a pool's */
    uint16_t colour;   /* bytes at its top that stay unused, so that the tops of many stacks do not meet in the same
                          cache sets */
    uint32_t notice;   /* what memory checkers know it by */
    void *tool;        /* what a sanitizer that follows switches knows the fiber on it by */
};

/* Most programs ask for the same stack again and again, so the one that was used last serves an equal request without
 * another look: does it? It is then no longer the old owner's. */
static inline bool coir__stack_reuse(struct coir__stack *last, const struct coir_options *opt, struct coir__stack *out)
{
    if (last->source != COIR__STACK_POOL || last->asked != opt->stack_size || opt->stack != NULL ||
        last->unguarded != (opt->flags & COIR_NO_GUARD))
        return false;
    *out = *last;
    last->source = COIR__STACK_NONE;
    return true;
}

/* Is it one of the library's own, from pages.h? */
static inline bool coir__stack_is_own(const struct coir__stack *stack)
{
    return stack->source == COIR__STACK_POOL || stack->source == COIR__STACK_DROPPED;
}

/* Where its first frame begins, to be aligned. */
static inline char *coir__stack_top(const struct coir__stack *stack)
{
    return stack->low + stack->size - stack->colour;
}

/* Finds a stack as the options ask: COIR_OK, COIR_EINVAL, COIR_ENOMEM, COIR_EMAPS or COIR_ENOTSUP. */
int coir__stack_take(struct coir__thread *thread, const struct coir_options *opt, struct coir__stack *out);

/* Gives it back to where it came from, with nobody standing on it, and forgets it. */
void coir__stack_give(struct coir__thread *thread, struct coir__stack *stack);

/* Makes it as if it had never been used, since nobody will go on with the frames on it: COIR_OK or COIR_ENOMEM. The
 * caller's or the allocator's memory stays as it is. */
int coir__stack_renew(struct coir__stack *stack);

#endif
