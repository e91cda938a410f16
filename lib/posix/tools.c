/* SPDX-License-Identifier: MIT */
/* tools.c (POSIX) - valgrind, and the sanitizers of gcc and clang. Valgrind's header turns each notice into a few
 * instructions that do nothing outside of it; a sanitizer's functions are there if the program was built with it. So the
 * library that is installed serves all. */

#include <config.h>

#include <stddef.h>

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

void coir__tools_start(void)
{
    coir__tools_follow = is_there_asan() || is_there_tsan();
}

/* A stack that was used once must not be used again before the tool has heard of its end. */
static void follow(struct coir__stack *stack)
{
    stack->tool = is_there_tsan() ? __tsan_create_fiber(0) : NULL;
    if (stack->source == COIR__STACK_POOL)
        stack->source = COIR__STACK_DROPPED;
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

void coir__tools_stack_end(struct coir__stack *stack)
{
    end_root_region(stack);
    VALGRIND_STACK_DEREGISTER(stack->notice);
    (void)VALGRIND_MAKE_MEM_UNDEFINED(stack->low, stack->size); /* what lay below the last frame is ordinary memory again */
    if (__asan_unpoison_memory_region != NULL)
        __asan_unpoison_memory_region(stack->low, stack->size);
    if (coir__tools_follow && stack->tool != NULL && __tsan_destroy_fiber != NULL)
        __tsan_destroy_fiber(stack->tool);
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

/* In ThreadSanitizer a thread starts as a fiber too, which has a name while it is left. */
static void switch_tsan(struct coir__stack *from, const struct coir__stack *to)
{
    if (from->tool == NULL)
        from->tool = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to->tool, 0);
}

void coir__tools_leave(struct coir__stack *from, const struct coir__stack *to)
{
    if (is_there_asan())
        __sanitizer_start_switch_fiber(&from->tool, to->low, to->size);
    else
        switch_tsan(from, to);
}

void coir__tools_leave_for_good(struct coir__stack *from, const struct coir__stack *to)
{
    end_root_region(from);
    if (is_there_asan())
        __sanitizer_start_switch_fiber(NULL, to->low, to->size);
    else
        switch_tsan(from, to);
}

void coir__tools_arrive(struct coir__stack *here, struct coir__stack *left)
{
    const void *low;
    size_t size;

    if (!is_there_asan())
        return;
    __sanitizer_finish_switch_fiber(here->tool, &low, &size);
    if (left == NULL || (left->low == low && left->size == size))
        return;
    end_root_region(left);
    left->low = (char *)low;
    left->size = size;
    begin_root_region(left); /* LeakSanitizer takes the fiber's stack for the thread's, if exit is called there */
}

void coir__tools_thread_end(struct coir__stack *stack)
{
    end_root_region(stack);
}
