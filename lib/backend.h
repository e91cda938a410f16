/* SPDX-License-Identifier: MIT */
/* backend.h - the seam to the machine: what a backend supplies so that stacks can be changed.
 *
 * A backend is one file in lib/posix or lib/win32 (or a pair, C and assembly) that defines one struct coir__backend, and
 * a row in configure.ac that puts its name into COIR_BACKENDS. It knows contexts, not fibers: no states, no errors of
 * use, no values. Those live once, in fiber.c and switch.c. */

#ifndef COIR__BACKEND_H
#define COIR__BACKEND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "exceptions.h"
#include "likely.h"

struct coir__registers;
struct coir__stack;

/* A side that is not running: what is needed to continue it. What the two words mean is the backend's affair. */
struct coir__context {
    void *saved;  /* where its registers lie, on its own stack; stale while it runs */
    void *record; /* a place that stays the same for the life of a fiber, if the backend needs one */
};

/* Saves here in `from`, continues there in `to`, and makes the call that had left `to` return `result`. The caller does
 * all its work before: nothing may need to be done after, so that the call can be a tail call. */
typedef int coir__switch_fn(struct coir__context *from, struct coir__context *to, int result);

/* The same instructions for each direction, in copies: one routine shared by all is two to four times slower when many
 * fibers take turns, since the processor predicts by instruction address. */
struct coir__switches {
    coir__switch_fn *in;   /* from a resumer into a fiber */
    coir__switch_fn *out;  /* from a fiber to its resumer */
    coir__switch_fn *over; /* from a fiber to another, which takes its place under the same resumer */
    coir__switch_fn *across; /* from a fiber to another, and neither's relation to its resumer changes: between tasks. Or
                                to itself: a task that yields may be the only one */
    bool entries; /* the public functions that this build has in assembly (entry.h) do the same */
};

/* Floating-point control: as much of it as the ABI calls callee-saved, in whatever form the backend likes. */
struct coir__fpenv {
    unsigned word[2];
};

struct coir__backend {
    const char *name; /* what COIR_BACKEND and coir_backend_name call it */
    size_t overhead;  /* bytes of a fiber's stack that prepare and one switch take, at most */

    /* Can it be used in this process, as it is now? Asked once, before anything else. */
    bool (*available)(void);

    /* Makes the calling thread able to switch, `root` being its own context: COIR_OK or an error. And undoes that when
     * the thread ends; `current` is the context it ends in, which is not `root` if it is left in the middle of a fiber.
     * Both NULL where there is nothing to do. */
    int (*enter_thread)(struct coir__context *root);
    void (*leave_thread)(struct coir__context *root, struct coir__context *current);

    /* Where the system has no contexts but those that come with a stack: makes one of at least `size` usable bytes and
     * fills in `low`, `size` and `object` of the stack: COIR_OK or COIR_ENOMEM. And deletes it, with nobody standing on
     * it. Both NULL where any memory can be a stack. */
    int (*make_stack)(size_t size, struct coir__stack *out);
    void (*delete_stack)(struct coir__stack *stack);

    /* Makes a context that will call `entry` at the top of a stack, aligned as the ABI wants. `entry` never returns. A
     * stack of the pool is as its last context left it, or as coir__pages_open did. */
    void (*prepare)(struct coir__context *context, const struct coir__stack *stack, void (*entry)(void));

    /* Makes a suspended context continue in `function`, on top of the frames it has, instead of where it stands.
     * `function` never returns. This is where the unwinding of those frames starts from. */
    void (*interrupt)(struct coir__context *context, void (*function)(void));

    struct coir__switches switches;

    /* Lets a walk of a fiber's stack go on into `resumer`, which is suspended there whenever the fiber runs, although it
     * did not switch into it. NULL where walks end at the fiber's first function. */
    void (*link)(struct coir__context *context, const struct coir__context *resumer);

    /* Fills in the registers of a suspended side that has started, as they will be when it continues, in the form that this
     * system's walker of stacks wants (registers.h). NULL in a build without a walker. */
    void (*registers)(const struct coir__context *context, struct coir__registers *out);
    const char *end_of_walks; /* the return address of the call of `entry`, where a walk of a fiber's stack is to end; or
                                 NULL */

    /* Reads the running side's floating-point control, and loads another. Both NULL where the switch itself keeps it for
     * every context. */
    void (*fpenv_read)(struct coir__fpenv *out);
    void (*fpenv_load)(const struct coir__fpenv *fpenv);
};

/* Picks the backend unless one is picked: COIR_OK or COIR_ENOTSUP. */
int coir__backend_choose(void);

/* The backend in use. Picked before the first fiber exists; NULL until then. */
extern _Atomic(const struct coir__backend *) coir__backend_chosen;

static inline const struct coir__backend *coir__backend(void)
{
    return atomic_load_explicit(&coir__backend_chosen, memory_order_acquire);
}

/* The routines of the backend in use. Relaxed, since who has fibers has chosen a backend before. */
struct coir__route {
    _Atomic(coir__switch_fn *) in, out, over, across;
};
extern struct coir__route coir__route;

/* careful.c: are changes of fiber to take the routines below, or the backend's? Under the lock; a change of backend, or of
 * what was asked for. */
void coir__careful_choose(const struct coir__backend *backend);

/* careful.c: the routines that do more. */
coir__switch_fn coir__careful_in, coir__careful_out, coir__careful_over, coir__careful_across;

/* The ways that every change of fiber takes. `watched` is what the current thread's record has under that name: while that is
 * empty, which is the usual case, nothing is to be done but to change stacks. */
static inline int coir__route_in(const struct coir__exceptions *watched, struct coir__context *from,
                                 struct coir__context *to, int result)
{
    if (coir__unlikely(!coir__exceptions_empty(watched)))
        return coir__careful_in(from, to, result);
    return atomic_load_explicit(&coir__route.in, memory_order_relaxed)(from, to, result);
}

static inline int coir__route_out(const struct coir__exceptions *watched, struct coir__context *from,
                                  struct coir__context *to, int result)
{
    if (coir__unlikely(!coir__exceptions_empty(watched)))
        return coir__careful_out(from, to, result);
    return atomic_load_explicit(&coir__route.out, memory_order_relaxed)(from, to, result);
}

static inline int coir__route_over(const struct coir__exceptions *watched, struct coir__context *from,
                                   struct coir__context *to, int result)
{
    if (coir__unlikely(!coir__exceptions_empty(watched)))
        return coir__careful_over(from, to, result);
    return atomic_load_explicit(&coir__route.over, memory_order_relaxed)(from, to, result);
}

static inline int coir__route_across(const struct coir__exceptions *watched, struct coir__context *from,
                                     struct coir__context *to, int result)
{
    if (coir__unlikely(!coir__exceptions_empty(watched)))
        return coir__careful_across(from, to, result);
    return atomic_load_explicit(&coir__route.across, memory_order_relaxed)(from, to, result);
}

#endif
