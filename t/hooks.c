/* SPDX-License-Identifier: MIT */
/* The program's allocator and its switch hook. */

#include "t.h"

#include <stdlib.h>
#include <string.h>

/* ---- the allocator ---- */

static struct {
    long stacks, others;       /* outstanding */
    size_t stack_bytes, bytes; /* outstanding */
    int fail_stacks;
} used;

static void *allocate_stack(size_t size, void *context)
{
    ck_assert_ptr_eq(context, &used);
    if (used.fail_stacks)
        return NULL;
    used.stacks++;
    used.stack_bytes += size;
    return t_aligned_allocate(4096, size);
}

static void release_stack(void *stack, size_t size, void *context)
{
    char here;
    ck_assert_ptr_eq(context, &used);
    /* Never from the stack itself. */
    ck_assert(t_instrumented() || (uintptr_t)&here - (uintptr_t)stack >= size);
    used.stacks--;
    used.stack_bytes -= size;
    memset(stack, 0x55, size);
    t_aligned_release(stack);
}

static void *allocate(size_t size, void *context)
{
    ck_assert_ptr_eq(context, &used);
    used.others++;
    used.bytes += size;
    return malloc(size);
}

static void release(void *memory, size_t size, void *context)
{
    ck_assert_ptr_eq(context, &used);
    used.others--;
    used.bytes -= size;
    free(memory);
}

static const coir_allocator all = {allocate_stack, release_stack, allocate, release, &used, {NULL, NULL, NULL}};

static void deferred(void *arg)
{
    (void)arg;
}

static void *use_memory(void *arg)
{
    coir_key key;
    coir_key_create(&key, NULL);
    ck_assert_int_eq(coir_local_set(key, arg), COIR_OK);
    ck_assert_int_eq(coir_defer(deferred, NULL), COIR_OK);
    coir_yield(NULL, NULL);
    coir_key_delete(key);
    return arg;
}

START_TEST(all_memory_comes_from_the_programs_allocator_and_goes_back)
{
    coir_options opt = {.name = "named", .stack_size = 50000};
    coir_fiber *f;
    if (t_backend_is("winfiber")) /* see the case after the next */
        return;
    ck_assert_int_eq(coir_set_allocator(&all), COIR_OK);
    for (int turns = 0; turns < 4; turns++) {
        void *low;
        size_t size;
        ck_assert_int_eq(coir_create(&f, use_memory, NULL, &opt), COIR_OK);
        ck_assert_int_eq(used.stacks, 1);
        ck_assert_int_eq(coir_stack_bounds(f, &low, &size), COIR_OK);
        ck_assert_uint_eq(size, used.stack_bytes);
        ck_assert_uint_ge(size, 50000);
        for (int i = 0; i < turns; i++)
            coir_resume(f, NULL, NULL);
        coir_destroy(f);
        ck_assert_int_eq(used.stacks, 0); /* at once */
    }
    coir_pool_trim(0);
    ck_assert_int_le(used.others, 2); /* the thread's record, and the backend's for it */
}
END_TEST

START_TEST(a_stack_that_the_allocator_refuses_is_no_memory)
{
    coir_fiber *f = T_VALUE(99);
    if (t_backend_is("winfiber"))
        return;
    ck_assert_int_eq(coir_set_allocator(&all), COIR_OK);
    used.fail_stacks = 1;
    ck_assert_int_eq(coir_create(&f, use_memory, NULL, NULL), COIR_ENOMEM);
    ck_assert_ptr_eq(f, T_VALUE(99));
    used.fail_stacks = 0;
    ck_assert_int_eq(coir_create(&f, use_memory, NULL, NULL), COIR_OK);
    coir_destroy(f);
}
END_TEST

/* Where the system makes the stacks an allocator of stacks is refused, and one of other memory is not. */
START_TEST(stacks_of_the_programs_are_refused_where_the_system_makes_them)
{
    coir_fiber *f = T_VALUE(99);
    if (!t_backend_is("winfiber"))
        return;
    ck_assert_int_eq(coir_set_allocator(&all), COIR_OK);
    ck_assert_int_eq(coir_create(&f, use_memory, NULL, NULL), COIR_ENOTSUP);
    ck_assert_ptr_eq(f, T_VALUE(99));
    ck_assert_int_eq(used.stacks, 0);
    ck_assert_int_eq(coir_set_allocator(NULL), COIR_OK); /* the program can do without */
    ck_assert_int_eq(coir_create(&f, use_memory, NULL, NULL), COIR_OK);
    coir_destroy(f);
}
END_TEST

START_TEST(either_pair_can_be_left_out)
{
    coir_allocator half = all;
    if (t_backend_is("winfiber")) {
        half.stack_allocate = NULL;
        half.stack_release = NULL;
        ck_assert_int_eq(coir_set_allocator(&half), COIR_OK);
        coir_fiber *f = t_create(use_memory, NULL);
        ck_assert_int_gt(used.others, 0);
        coir_resume(f, NULL, NULL);
        coir_destroy(f);
        coir_pool_trim(0);
        ck_assert_int_eq(used.others, 1); /* the thread's record */
        return;
    }
    half.allocate = NULL;
    half.release = NULL;
    ck_assert_int_eq(coir_set_allocator(&half), COIR_OK);
    coir_fiber *f = t_create(use_memory, NULL);
    ck_assert_int_eq(used.stacks, 1);
    ck_assert_int_eq(used.others, 0);
    coir_resume(f, NULL, NULL);
    coir_destroy(f);
    ck_assert_int_eq(used.stacks, 0);
}
END_TEST

START_TEST(bad_allocators_are_refused)
{
    coir_allocator bad = all;
    bad.release = NULL;
    ck_assert_int_eq(coir_set_allocator(&bad), COIR_EINVAL);
    bad = all;
    bad.stack_allocate = NULL;
    ck_assert_int_eq(coir_set_allocator(&bad), COIR_EINVAL);
    bad = all;
    bad.reserved[2] = &bad;
    ck_assert_int_eq(coir_set_allocator(&bad), COIR_EINVAL);
    ck_assert_int_eq(coir_set_allocator(&all), COIR_OK);
    ck_assert_int_eq(coir_set_allocator(NULL), COIR_OK); /* back to the library's */
    coir_fiber *f = t_create(use_memory, NULL);
    ck_assert_int_eq(used.stacks, 0);
    ck_assert_int_eq(coir_set_allocator(&all), COIR_EBUSY);
    ck_assert_int_eq(coir_set_allocator(NULL), COIR_EBUSY);
    coir_destroy(f);
    ck_assert_int_eq(coir_set_allocator(&all), COIR_EBUSY);
}
END_TEST

/* ---- the switch hook ---- */

static char trace[256];
static coir_fiber *a, *b;

static char letter(coir_fiber *f)
{
    return f == NULL ? '.' : f == a ? 'a' : f == b ? 'b' : '?';
}

static void note_switch(coir_fiber *from, coir_fiber *to, void *context)
{
    char note[] = {letter(from), letter(to), ' ', '\0'};
    ck_assert_ptr_eq(context, trace);
    ck_assert_ptr_eq(coir_self(), to);
    strcat(trace, note);
}

static void *resume_b(void *arg)
{
    coir_resume(b, NULL, NULL);
    coir_yield(NULL, NULL);
    coir_switch(b, NULL, NULL);
    return arg;
}

static void *yield_twice(void *arg)
{
    coir_yield(NULL, NULL);
    coir_yield(NULL, NULL);
    return arg;
}

START_TEST(the_hook_sees_every_change_of_fiber)
{
    ck_assert_int_eq(coir_set_switch_hook(note_switch, trace), COIR_OK);
    a = t_create(resume_b, NULL);
    b = t_create(yield_twice, NULL);
    coir_resume(a, NULL, NULL);
    ck_assert_str_eq(trace, ".a ab ba a. ");
    trace[0] = '\0';
    ck_assert_int_eq(coir_resume(a, NULL, NULL), COIR_SWITCHED);
    ck_assert_str_eq(trace, ".a ab b. ");
    trace[0] = '\0';
    coir_resume(b, NULL, NULL);
    ck_assert_str_eq(trace, ".b b. ");
    trace[0] = '\0';
    coir_destroy(a);
    ck_assert_str_eq(trace, ".a a. ");
    trace[0] = '\0';
    coir_destroy(b);
    ck_assert_str_eq(trace, "");
}
END_TEST

START_TEST(the_hook_can_be_taken_away_and_set_while_fibers_are_suspended)
{
    a = t_create(yield_twice, NULL);
    coir_resume(a, NULL, NULL);
    ck_assert_int_eq(coir_set_switch_hook(note_switch, trace), COIR_OK);
    coir_resume(a, NULL, NULL);
    ck_assert_str_eq(trace, ".a a. ");
    ck_assert_int_eq(coir_set_switch_hook(NULL, NULL), COIR_OK);
    coir_resume(a, NULL, NULL);
    ck_assert_str_eq(trace, ".a a. ");
    coir_destroy(a);
}
END_TEST

/* A task and the executor's own fiber, which is the '?'. */
static coir_fiber *task_fiber(coir_exec *e, coir_fn *fn)
{
    coir_task *t = NULL;
    ck_assert_int_eq(coir_spawn(&t, e, fn, NULL, NULL), COIR_OK);
    return coir_task_fiber(t);
}

static void *yield_once(void *arg)
{
    coir_task_yield();
    return arg;
}

START_TEST(the_hook_sees_tasks_follow_one_another)
{
    coir_exec *e = NULL;
    ck_assert_int_eq(coir_exec_create(&e, NULL), COIR_OK);
    a = task_fiber(e, yield_once);
    b = task_fiber(e, yield_once);
    ck_assert_int_eq(coir_set_switch_hook(note_switch, trace), COIR_OK);
    ck_assert_int_eq(coir_exec_run_once_until(e, 0), COIR_TASKS_LEFT);
    ck_assert_str_eq(trace, ".? ?a ab b? ?. ");
    trace[0] = '\0';
    ck_assert_int_eq(coir_exec_run(e), COIR_OK);
    ck_assert_str_eq(trace, ".? ?a ab b? ?. ");
    trace[0] = '\0';
    coir_set_switch_hook(NULL, NULL);
    ck_assert_int_eq(coir_exec_destroy(e), COIR_OK);
}
END_TEST

T_MAIN(all_memory_comes_from_the_programs_allocator_and_goes_back, a_stack_that_the_allocator_refuses_is_no_memory,
       stacks_of_the_programs_are_refused_where_the_system_makes_them, either_pair_can_be_left_out, bad_allocators_are_refused, the_hook_sees_every_change_of_fiber,
       the_hook_can_be_taken_away_and_set_while_fibers_are_suspended, the_hook_sees_tasks_follow_one_another)
