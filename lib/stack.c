/* SPDX-License-Identifier: MIT */
/* stack.c - a fiber's stack: which source it comes from, and what can be asked about it. */

#include <config.h>

#include <stdatomic.h>

#include <coir/stack.h>

#include "allocator.h"
#include "fiber.h"
#include "pages.h"
#include "thread.h"
#include "tools.h"

#define DEFAULT_SIZE ((size_t)256 * 1024)
#define WORK_SIZE 4096 /* what the smallest stack has besides a signal's frame and the backend's overhead */

/* Tops of neighbouring stacks lie this far apart within their page, so that they do not meet in the same cache sets. No
 * further in all than half a page: the rest must hold the frames of a shallow fiber, or it would cost a second page. */
#define COLOUR_STEP 128
#define COLOURS 16

/* So many records of fibers are a megabyte, for which it is worth to go through all that malloc has. */
#define MANY_HANDLES 4096

/* More than any address space has, and small enough that sums of sizes do not overflow. */
#define LARGEST_SIZE (SIZE_MAX / 4)

static size_t round_up(size_t size, size_t unit)
{
    return (size + unit - 1) / unit * unit;
}

static size_t compute_smallest_size(void)
{
    size_t overhead = coir__backend_choose() == COIR_OK ? coir__backend()->overhead : 0;

    return round_up(coir__signal_frame_size() + WORK_SIZE + overhead, coir__page_size());
}

/* Kept, since asking the system takes longer than the rest of a coir_create. */
static size_t smallest_size(void)
{
    static _Atomic size_t min;
    size_t size = atomic_load_explicit(&min, memory_order_relaxed);

    if (size == 0) {
        size = compute_smallest_size();
        if (coir__backend() != NULL)
            min = size;
    }
    return size;
}

/* The smallest stacks have no bytes to give away. */
static uint16_t colour_of(const struct coir__slot *slot)
{
    size_t colour = coir__slot_number(slot) % COLOURS * COLOUR_STEP;
    size_t spare = coir__slot_size(slot) - smallest_size();

    return (uint16_t)(colour < spare ? colour : spare & ~(size_t)15);
}

size_t coir_stack_min(void)
{
    return smallest_size();
}

size_t coir_stack_default(void)
{
    return smallest_size() > DEFAULT_SIZE ? smallest_size() : DEFAULT_SIZE;
}

static int take_callers(const coir_options *opt, struct coir__stack *out)
{
    if ((uintptr_t)opt->stack % 16 != 0 || opt->stack_size < smallest_size() || opt->stack_size > LARGEST_SIZE)
        return COIR_EINVAL;
    out->source = COIR__STACK_CALLER;
    out->colour = 0;
    out->low = opt->stack;
    out->size = opt->stack_size;
    return COIR_OK;
}

static int take_from_allocator(size_t size, struct coir__stack *out)
{
    coir__exceptions_look(); /* as coir__pool_take */
    size = round_up(size, coir__page_size());
    out->low = coir__allocate_stack(size);
    if (out->low == NULL)
        return COIR_ENOMEM;
    out->source = COIR__STACK_ALLOCATOR;
    out->colour = 0;
    out->size = size;
    return COIR_OK;
}

static int take_from_pool(struct coir__thread *thread, size_t size, const coir_options *opt, struct coir__stack *out)
{
    bool guarded = !(opt->flags & COIR_NO_GUARD) || coir__pages_guard_size(false) != 0;
    unsigned kind = coir__slab_kind(size, guarded);
    int error = coir__pool_take(&thread->pool, kind, &out->slot);

    if (error != COIR_OK)
        return error;
    out->source = COIR__STACK_POOL;
    out->asked = opt->stack_size;
    out->unguarded = opt->flags & COIR_NO_GUARD;
    out->colour = colour_of(out->slot);
    out->low = coir__slot_low(out->slot);
    out->size = coir__slot_size(out->slot);
    return COIR_OK;
}

static int take_from_backend(size_t size, struct coir__stack *out)
{
    int error = coir__backend()->make_stack(size, out);

    if (error != COIR_OK)
        return error;
    coir__exceptions_look(); /* as coir__pool_take */
    out->source = COIR__STACK_BACKEND;
    out->colour = 0;
    return COIR_OK;
}

static int take(struct coir__thread *thread, const coir_options *opt, struct coir__stack *out)
{
    size_t size = opt->stack_size != 0 ? opt->stack_size : DEFAULT_SIZE;

    bool makes_stacks = coir__backend()->make_stack != NULL;

    if (opt->stack != NULL)
        return makes_stacks ? COIR_ENOTSUP : take_callers(opt, out);
    if (size > LARGEST_SIZE)
        return COIR_ENOMEM;
    if (size < smallest_size())
        size = smallest_size();
    if (makes_stacks)
        return take_from_backend(size, out);
    if (coir__allocates_stacks())
        return take_from_allocator(size, out);
    return take_from_pool(thread, size, opt, out);
}

int coir__stack_take(struct coir__thread *thread, const coir_options *opt, struct coir__stack *out)
{
    int error = take(thread, opt, out);

    if (error == COIR_OK)
        coir__tools_stack_begin(out);
    return error;
}

void coir__stack_give(struct coir__thread *thread, struct coir__stack *stack)
{
    struct coir__stack given = *stack; /* what is called below may put another in its place */

    coir__tools_stack_end(&given);
    stack->source = COIR__STACK_NONE;
    if (coir__stack_is_own(&given))
        coir__pool_give(&thread->pool, given.slot);
    else if (given.source == COIR__STACK_ALLOCATOR)
        coir__release_stack(given.low, given.size);
    else if (given.source == COIR__STACK_BACKEND)
        coir__backend()->delete_stack(&given);
}

static int renew_in_backend(struct coir__stack *stack)
{
    struct coir__stack renewed = *stack;
    int error = coir__backend()->make_stack(stack->size, &renewed);

    if (error != COIR_OK)
        return error;
    coir__backend()->delete_stack(stack);
    *stack = renewed;
    return COIR_OK;
}

int coir__stack_renew(struct coir__stack *stack)
{
    if (stack->source == COIR__STACK_BACKEND)
        return renew_in_backend(stack);
    if (!coir__stack_is_own(stack))
        return COIR_OK;
    coir__pages_discard(stack->low, stack->size);
    return coir__pages_open(stack->low, stack->size);
}

/* The stack of `f`, or of the current fiber for NULL. */
static int find_stack(const coir_fiber *f, const struct coir__stack **out)
{
    if (f == NULL)
        f = coir_self();
    if (f == NULL)
        return COIR_ENOTFIBER;
    if (f->stack.source == COIR__STACK_NONE || coir__cut_short(f))
        return COIR_EDEAD;
    *out = &f->stack;
    return COIR_OK;
}

int coir_stack_bounds(const coir_fiber *f, void **low, size_t *size)
{
    const struct coir__stack *stack;
    int error = find_stack(f, &stack);

    if (error != COIR_OK)
        return error;
    if (low != NULL)
        *low = stack->low;
    if (size != NULL)
        *size = stack->size;
    return COIR_OK;
}

int coir_stack_used(const coir_fiber *f, size_t *used)
{
    const struct coir__stack *stack;
    int error = find_stack(f, &stack);
    size_t page = coir__page_size();
    size_t head; /* of a page that is only partly the stack's */
    ptrdiff_t absent;

    if (error != COIR_OK)
        return error;
    if (used == NULL)
        return COIR_EINVAL;
    head = (page - (uintptr_t)stack->low % page) % page;
    absent = coir__pages_absent(stack->low + head, (stack->size - head) / page);
    if (absent < 0)
        return COIR_ENOTSUP;
    *used = absent == 0 ? stack->size : stack->size - head - (size_t)absent * page;
    return COIR_OK;
}

int coir_pool_trim(size_t keep)
{
    struct coir__thread *thread = coir__thread_now();

    if (thread != &coir__no_thread) {
        coir__thread_reclaim(thread);
        coir__pool_trim(&thread->pool, keep);
        coir__handles_trim(&thread->handles, keep);
        if (thread->released >= MANY_HANDLES) {
            thread->released = 0;
            coir__allocator_trim();
        }
    }
    coir__slab_trim();
    return COIR_OK;
}
