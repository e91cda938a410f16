/* SPDX-License-Identifier: MIT */
/* The pool of stacks: what is used again, and what goes back to the system. */

#include "t.h"

#define KIB 1024u

static void *yield_once(void *arg)
{
    coir_yield(arg, NULL);
    return arg;
}

static void *low_of(coir_fiber *f)
{
    void *low = NULL;
    ck_assert_int_eq(coir_stack_bounds(f, &low, NULL), COIR_OK);
    return low;
}

static void run(coir_fiber *f)
{
    while (coir_resume(f, NULL, NULL) > 0)
        ;
    coir_destroy(f);
}

/* There the system makes each stack anew. */
#define SKIP_WITHOUT_POOL             \
    if (t_backend_is("winfiber"))     \
    return

START_TEST(the_stack_used_last_is_used_next)
{
    SKIP_WITHOUT_POOL;
    coir_fiber *f = t_create(yield_once, NULL), *g = t_create(yield_once, NULL);
    void *low_f = low_of(f), *low_g = low_of(g);
    ck_assert_ptr_ne(low_f, low_g);
    run(f);
    run(g);
    f = t_create(yield_once, NULL);
    g = t_create(yield_once, NULL);
    ck_assert_ptr_eq(low_of(f), low_g);
    ck_assert_ptr_eq(low_of(g), low_f);
    coir_destroy(f); /* also those of fibers that never ran */
    f = t_create(yield_once, NULL);
    ck_assert_ptr_eq(low_of(f), low_g);
    run(f);
    run(g);
}
END_TEST

START_TEST(stacks_of_another_size_or_guard_are_others)
{
    SKIP_WITHOUT_POOL;
    coir_options small = {.stack_size = 32 * KIB}, bare = {.flags = COIR_NO_GUARD};
    coir_fiber *f = t_create(yield_once, NULL), *g, *h;
    void *low = low_of(f);
    run(f);
    ck_assert_int_eq(coir_create(&g, yield_once, NULL, &small), COIR_OK);
    ck_assert_int_eq(coir_create(&h, yield_once, NULL, &bare), COIR_OK);
    ck_assert_ptr_ne(low_of(g), low);
    ck_assert_ptr_ne(low_of(h), low);
    f = t_create(yield_once, NULL);
    ck_assert_ptr_eq(low_of(f), low);
    run(f);
    run(g);
    run(h);
}
END_TEST

static void *low_of_current(void *arg)
{
    *(void **)arg = low_of(coir_self());
    return NULL;
}

static void *create_from_inside(void *arg)
{
    void *inner_low = NULL, *own = low_of(coir_self());
    coir_fiber *f = t_create(low_of_current, &inner_low);
    (void)arg;
    coir_resume(f, NULL, NULL);
    coir_destroy(f);
    ck_assert_ptr_ne(inner_low, own);
    /* The fiber that just ended stood on its stack; the next one may take it, since nobody does any more. */
    void *next_low = NULL;
    f = t_create(low_of_current, &next_low);
    coir_resume(f, NULL, NULL);
    ck_assert_ptr_eq(next_low, inner_low);
    coir_destroy(f);
    return NULL;
}

START_TEST(a_stack_is_not_used_again_while_anyone_stands_on_it)
{
    coir_fiber *f = t_create(create_from_inside, NULL);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
}
END_TEST

enum { MANY = 20000 };
static coir_fiber *fibers[MANY];

static int many(void)
{
    return t_instrumented() ? 400 : MANY;
}

static void create_many(const coir_options *opt)
{
    for (int i = 0; i < many(); i++) {
        ck_assert_int_eq(coir_create(&fibers[i], yield_once, NULL, opt), COIR_OK);
        ck_assert_int_eq(coir_resume(fibers[i], NULL, NULL), COIR_YIELDED);
    }
}

START_TEST(a_suspended_fiber_costs_a_page_and_a_little)
{
    if (t_instrumented()) /* it would count the tool's memory too */
        return;
    run(t_create(yield_once, NULL));
    long before = t_resident_kib(), mapped = t_mappings();
    create_many(NULL);
    ck_assert_int_le((t_resident_kib() - before) * 1024 / MANY, t_backend_is("asm") ? 4608 : 8704);
    if (t_guards_are_free())
        ck_assert_int_le(t_mappings() - mapped, 100);
    for (int i = 0; i < MANY; i++)
        run(fibers[i]);
}
END_TEST

static void *use_200_kib(void *arg)
{
    volatile char frame[200 * KIB];
    for (size_t i = 0; i < sizeof frame; i += 1024)
        frame[i] = 1;
    coir_yield(NULL, NULL);
    return frame[0] ? arg : NULL;
}

START_TEST(memory_beyond_the_pool_goes_back_by_itself)
{
    enum { COUNT = 1000 };
    if (t_instrumented())
        return;
    run(t_create(yield_once, NULL));
    long before = t_resident_kib();
    for (int i = 0; i < COUNT; i++) {
        fibers[i] = t_create(use_200_kib, NULL);
        coir_resume(fibers[i], NULL, NULL);
    }
    ck_assert_int_ge(t_resident_kib() - before, COUNT * 200);
    for (int i = 0; i < COUNT; i++)
        run(fibers[i]);
    ck_assert_int_le(t_resident_kib() - before, 256 * 220); /* what a pool keeps */
    coir_pool_trim(10);
    ck_assert_int_le(t_resident_kib() - before, 10 * 220 + 1024);
    coir_pool_trim(0);
    ck_assert_int_le(t_resident_kib() - before, 1024);
}
END_TEST

START_TEST(trim_unmaps_what_holds_no_stack_in_use)
{
    coir_options opt = {.stack_size = 64 * KIB};
    coir_pool_trim(0);
    long before = t_mappings();
    create_many(&opt);
    ck_assert_int_eq(coir_pool_trim(0), COIR_OK); /* nothing to be had: all in use */
    for (int i = 0; i < many(); i++)
        ck_assert_int_eq(coir_resume(fibers[i], NULL, NULL), COIR_DONE);
    for (int i = 0; i < many(); i++)
        coir_destroy(fibers[i]);
    coir_pool_trim(0);
    if (!t_instrumented()) /* a tool has mappings of its own */
        ck_assert_int_le(t_mappings() - before, 8);
    create_many(&opt); /* and it all works again */
    for (int i = 0; i < many(); i++)
        run(fibers[i]);
}
END_TEST

static void *leave_a_pool(void *arg)
{
    create_many(NULL);
    for (int i = 0; i < many(); i++)
        run(fibers[i]);
    return arg;
}

START_TEST(a_threads_pool_goes_back_when_the_thread_ends)
{
    if (t_instrumented())
        return;
    t_on_thread(leave_a_pool, NULL); /* what the system needs for so many, it keeps */
    coir_pool_trim(0);
    long before = t_resident_kib();
    for (int i = 0; i < 2; i++) {
        t_on_thread(leave_a_pool, NULL);
    }
    coir_pool_trim(0);
    ck_assert_int_le(t_resident_kib() - before, 2048);
}
END_TEST

START_TEST(trim_without_fibers_does_nothing)
{
    ck_assert_int_eq(coir_pool_trim(0), COIR_OK);
    ck_assert_int_eq(coir_pool_trim(SIZE_MAX), COIR_OK);
}
END_TEST

T_MAIN(the_stack_used_last_is_used_next, stacks_of_another_size_or_guard_are_others,
       a_stack_is_not_used_again_while_anyone_stands_on_it, a_suspended_fiber_costs_a_page_and_a_little,
       memory_beyond_the_pool_goes_back_by_itself, trim_unmaps_what_holds_no_stack_in_use,
       a_threads_pool_goes_back_when_the_thread_ends, trim_without_fibers_does_nothing)
