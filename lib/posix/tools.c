/* SPDX-License-Identifier: MIT */
/* tools.c (POSIX) - valgrind, and the sanitizers of gcc and clang. Valgrind's header turns each notice into a few
 * instructions that do nothing outside of it; a sanitizer's functions are there if the program was built with it. So the
 * library that is installed serves all. */

#include <config.h>

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "likely.h"
#include "os.h"
#include "tools.h"

#ifdef HAVE_VALGRIND_MEMCHECK_H
#include <valgrind/memcheck.h>
#else
#define VALGRIND_STACK_REGISTER(low, high) ((void)(low), (void)(high), 0u)
#define VALGRIND_STACK_DEREGISTER(number) ((void)(number))
#define VALGRIND_MAKE_MEM_UNDEFINED(low, size) ((void)(low), (void)(size))
#endif

#define IF_THERE __attribute__((weak))

/* As sanitizer/common_interface_defs.h, asan_interface.h, lsan_interface.h and tsan_interface.h have them. */
extern void __sanitizer_start_switch_fiber(void **fake_stack_save, const void *bottom, size_t size) IF_THERE;
extern void __sanitizer_finish_switch_fiber(void *fake_stack_save, const void **bottom_old, size_t *size_old) IF_THERE;
extern void __asan_unpoison_memory_region(void const volatile *low, size_t size) IF_THERE;
extern void __asan_handle_no_return(void) IF_THERE;
extern void *__asan_addr_is_in_fake_stack(void *fake_stack, void *address, void **begin, void **end) IF_THERE;
extern void __lsan_register_root_region(const void *low, size_t size) IF_THERE;
extern void __lsan_unregister_root_region(const void *low, size_t size) IF_THERE;
extern void *__tsan_get_current_fiber(void) IF_THERE;
extern void *__tsan_create_fiber(unsigned flags) IF_THERE;
extern void __tsan_destroy_fiber(void *fiber) IF_THERE;
extern void __tsan_switch_to_fiber(void *fiber, unsigned flags) IF_THERE;
extern void __tsan_acquire(void *address) IF_THERE;
extern void __tsan_release(void *address) IF_THERE;

bool coir__tools_follow;

static bool is_there_asan(void)
{
    return __sanitizer_start_switch_fiber != NULL && __sanitizer_finish_switch_fiber != NULL;
}

static bool is_there_tsan(void)
{
    return __tsan_create_fiber != NULL && __tsan_switch_to_fiber != NULL;
}

/* ---- what AddressSanitizer's leak checker does not see ----
 *
 * With detect_stack_use_after_return locals lie in a place of the sanitizer's own, the fake stack, which each fiber has
 * one of. The leak checker looks into those of the running sides only, and of a thread that runs a fiber it takes the
 * fiber's stack for the thread's. So when the process exits, all that sides which are left hold is copied to where it looks. */

/* A side that AddressSanitizer is told of. */
struct side {
    struct side *next;
    struct side *previous;
    void *fake;        /* its fake stack, while it is left */
    const char *low;   /* its stack, as far as known */
    size_t size;
    const char *lowest; /* of its frames, while it is left; or NULL */
};

struct copy {
    struct copy *next;
    void *words[];
};

/* Under the lock. */
static struct side *sides;
static struct side *unused; /* linked by `next`; kept, since they are few and none of the program's memory */
static struct copy *copies;

/* More than any switch pushes on the stack that it leaves. */
#define BELOW_DEPARTURE 2048

/* Where the frames of a side begin that is left, of which one is at `frame`; the switch's own are below. Never below the
 * stack. */
static const char *lowest_of(const char *frame, const char *low)
{
    return frame - low > BELOW_DEPARTURE ? frame - BELOW_DEPARTURE : low;
}

static struct side *take_unused(void)
{
    struct side *side;

    coir__lock();
    side = unused;
    if (side != NULL)
        unused = side->next;
    coir__unlock();
    return side;
}

static struct side *add_side(const char *low, size_t size)
{
    struct side *side = take_unused();

    if (side == NULL)
        side = calloc(1, sizeof *side);
    if (side == NULL)
        abort(); /* as the sanitizer itself would have */
    *side = (struct side){.low = low, .size = size};
    coir__lock();
    side->next = sides;
    if (sides != NULL)
        sides->previous = side;
    sides = side;
    coir__unlock();
    return side;
}

static void remove_side(struct side *side)
{
    if (side == NULL)
        return;
    coir__lock();
    if (side->previous != NULL)
        side->previous->next = side->next;
    else
        sides = side->next;
    if (side->next != NULL)
        side->next->previous = side->previous;
    side->next = unused;
    unused = side;
    coir__unlock();
}

/* Word by word, for memcpy is the sanitizer's, which would find fault with what lies between locals. A frame on a fake
 * stack is known by its address, which its function needs for its end. */
__attribute__((no_sanitize_address)) static void copy_words(const char *low, const char *high, void *fake)
{
    void *const volatile *word = (void *const volatile *)(((uintptr_t)low + sizeof *word - 1) & ~(sizeof *word - 1));
    size_t count = (size_t)(high - (const char *)word) / sizeof *word;
    struct copy *copy = malloc(sizeof *copy + count * sizeof *word);

    if (copy == NULL)
        return;
    copy->next = copies;
    copies = copy;
    for (size_t i = 0; i < count; i++) {
        void *begin, *end;
        copy->words[i] = word[i];
        if (fake != NULL && __asan_addr_is_in_fake_stack(fake, copy->words[i], &begin, &end) != NULL)
            copy_words(begin, end, NULL);
    }
}

static void copy_what_is_left(void)
{
    coir__lock();
    for (const struct side *side = sides; side != NULL; side = side->next)
        if (side->lowest != NULL && side->size != 0)
            copy_words(side->lowest, side->low + side->size, side->fake);
    coir__unlock();
}

/* By atexit, since the leak checker's own turn comes before the destructors of libraries. */
void coir__tools_start(void)
{
    coir__tools_follow = is_there_asan() || is_there_tsan();
    if (is_there_asan() && __lsan_register_root_region != NULL && __asan_addr_is_in_fake_stack != NULL)
        atexit(copy_what_is_left);
}

/* A stack that was used once must not be used again before the tool has heard of its end. */
static void follow(struct coir__stack *stack)
{
    stack->tool = is_there_asan() ? add_side(stack->low, stack->size) : NULL;
    if (stack->source == COIR__STACK_POOL)
        stack->source = COIR__STACK_DROPPED;
}

static void unfollow(struct coir__stack *stack)
{
    if (is_there_asan())
        remove_side(stack->tool);
    else if (stack->tool != NULL && __tsan_destroy_fiber != NULL)
        __tsan_destroy_fiber(stack->tool);
    stack->tool = NULL;
}

/* LeakSanitizer looks for pointers in a thread's own stack only. */
static void begin_root_region(struct coir__stack *stack)
{
    if (__lsan_register_root_region == NULL)
        return;
    __lsan_register_root_region(stack->low, stack->size);
    stack->notice = 1;
}

/* What is only pointed to from here on is lost. */
static void end_root_region(struct coir__stack *stack)
{
    if (__lsan_unregister_root_region == NULL || stack->notice == 0)
        return;
    __lsan_unregister_root_region(stack->low, stack->size);
    stack->notice = 0;
}

void coir__tools_stack_begin(struct coir__stack *stack)
{
    stack->notice = (uint32_t)VALGRIND_STACK_REGISTER(stack->low, stack->low + stack->size);
    begin_root_region(stack);
    if (coir__tools_follow)
        follow(stack);
}

/* To valgrind what lay below the last frame is ordinary memory again. */
void coir__tools_stack_forget(const struct coir__stack *stack)
{
    (void)VALGRIND_MAKE_MEM_UNDEFINED(stack->low, stack->size);
    if (__asan_unpoison_memory_region != NULL)
        __asan_unpoison_memory_region(stack->low, stack->size);
}

void coir__tools_stack_end(struct coir__stack *stack)
{
    end_root_region(stack);
    VALGRIND_STACK_DEREGISTER(stack->notice);
    coir__tools_stack_forget(stack);
    if (coir__tools_follow)
        unfollow(stack);
}

/* As a throw does; the runtime's own functions that unwind are called from here, where nobody intercepts them. */
void coir__tools_unwind(void)
{
    if (__asan_handle_no_return != NULL)
        __asan_handle_no_return();
}

void coir__tools_publish(void *address)
{
    if (__tsan_release != NULL)
        __tsan_release(address);
}

void coir__tools_observe(void *address)
{
    if (__tsan_acquire != NULL)
        __tsan_acquire(address);
}

/* In ThreadSanitizer a thread starts as a fiber too, which has a name while it is left. Another one is made when it is first
 * needed, since there cannot be many, and gcc's take most of a megabyte each. */
COIR__UNNOTED static void switch_tsan(struct coir__stack *from, struct coir__stack *to)
{
    if (from->tool == NULL)
        from->tool = __tsan_get_current_fiber();
    if (to->tool == NULL)
        to->tool = __tsan_create_fiber(0);
    __tsan_switch_to_fiber(to->tool, 0);
}

/* The switch's own frames are to come: they hold what registers held. */
static void leave_asan(struct coir__stack *from, const struct coir__stack *to)
{
    const char *here = __builtin_frame_address(0);
    struct side *side = from->tool;

    if (side == NULL)
        from->tool = side = add_side(from->low, from->size);
    coir__lock();
    __sanitizer_start_switch_fiber(&side->fake, to->low, to->size);
    side->lowest = here;
    if (side->size != 0)
        side->lowest = lowest_of(here, side->low);
    coir__unlock();
}

COIR__UNNOTED void coir__tools_leave(struct coir__stack *from, struct coir__stack *to)
{
    if (is_there_asan())
        leave_asan(from, to);
    else
        switch_tsan(from, to);
}

COIR__UNNOTED void coir__tools_leave_for_good(struct coir__stack *from, struct coir__stack *to)
{
    end_root_region(from);
    if (is_there_asan())
        __sanitizer_start_switch_fiber(NULL, to->low, to->size);
    else
        switch_tsan(from, to);
}

/* The bounds of a thread's own stack. */
static void learn_bounds(struct coir__stack *stack, const void *low, size_t size)
{
    struct side *side = stack->tool;

    stack->low = (char *)low;
    stack->size = size;
    coir__lock();
    side->low = low;
    side->size = size;
    side->lowest = lowest_of(side->lowest, side->low);
    coir__unlock();
}

void coir__tools_arrive(struct coir__stack *here, struct coir__stack *left)
{
    struct side *side = here->tool;
    const void *low;
    size_t size;

    if (!is_there_asan())
        return;
    coir__lock();
    side->lowest = NULL;
    coir__unlock();
    __sanitizer_finish_switch_fiber(side->fake, &low, &size);
    side->fake = NULL; /* if the thread ends in this fiber, the sanitizer takes it with the thread */
    if (left != NULL && (left->low != low || left->size != size))
        learn_bounds(left, low, size);
}

void coir__tools_thread_end(struct coir__stack *stack)
{
    if (coir__tools_follow && is_there_asan())
        unfollow(stack);
}
