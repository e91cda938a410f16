/* SPDX-License-Identifier: MIT */
/* Generators: items, ends, errors, misuse, and generators that wait inside of tasks. */

#include "t.h"

#include <string.h>

#include "events.h"
#include "one_executor.h"

static coir_gen *make(size_t item_size, coir_gen_fn *fn, void *arg)
{
    coir_gen *g = NULL;

    ck_assert_int_eq(coir_gen_create(&g, item_size, fn, arg, NULL), COIR_OK);
    ck_assert_ptr_nonnull(g);
    return g;
}

static coir_gen *make_ints(coir_gen_fn *fn, void *arg)
{
    return make(sizeof(int), fn, arg);
}

static void expect_item(coir_gen *g, int expected)
{
    int item = -1;
    ck_assert_int_eq(coir_gen_next(g, &item), 1);
    ck_assert_int_eq(item, expected);
}

/* Twice, since an end is given again by every later call. */
static void expect_end(coir_gen *g, int code)
{
    int item = 99;
    ck_assert_int_eq(coir_gen_next(g, &item), code);
    ck_assert_int_eq(coir_gen_next(g, &item), code);
    ck_assert_int_eq(coir_gen_next(g, NULL), code);
    ck_assert_int_eq(item, 99);
}

static void destroy(coir_gen *g)
{
    ck_assert_int_eq(coir_gen_destroy(g), COIR_OK);
}

static int give(coir_gen *g, int item)
{
    return coir_gen_yield(g, &item);
}

static void *run_to_the_end(coir_fiber *f)
{
    void *result = NULL;
    ck_assert_int_eq(coir_resume(f, NULL, &result), COIR_DONE);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    return result;
}

/* ---- items and ends ---- */

/* 1, 2, 3 and so on, without end. */
static int count(coir_gen *g, void *arg)
{
    (void)arg;
    for (int n = 1;; n++) {
        int error = coir_gen_yield(g, &n);
        if (error != COIR_OK)
            return error;
    }
}

/* 1, 2, ... up to the number that `most` is. */
static int count_to(coir_gen *g, void *most)
{
    for (int n = 1; n <= T_NUMBER(most); n++)
        ck_assert_int_eq(coir_gen_yield(g, &n), COIR_OK);
    return 0;
}

static int note_and_end(coir_gen *g, void *text)
{
    (void)g;
    event(text);
    return 0;
}

START_TEST(nothing_runs_before_the_first_next)
{
    coir_gen *g = make_ints(note_and_end, "ran");
    ck_assert_str_eq(events, "");
    expect_end(g, 0);
    ck_assert_str_eq(events, "ran");
    destroy(g);
}
END_TEST

START_TEST(an_endless_generator_gives_as_many_items_as_are_asked_for)
{
    coir_gen *g = make_ints(count, NULL);
    for (int n = 1; n <= 1000; n++)
        expect_item(g, n);
    destroy(g);
}
END_TEST

START_TEST(a_generator_that_has_ended_gives_0_again_and_again)
{
    coir_gen *g = make_ints(count_to, T_VALUE(3)), *empty = make_ints(count_to, T_VALUE(0));
    expect_item(g, 1);
    expect_item(g, 2);
    expect_item(g, 3);
    expect_end(g, 0);
    expect_end(empty, 0);
    destroy(g);
    destroy(empty);
}
END_TEST

static int give_one_and_return(coir_gen *g, void *code)
{
    ck_assert_int_eq(give(g, 1), COIR_OK);
    return T_NUMBER(code);
}

START_TEST(a_negative_code_is_given_again_and_again)
{
    static const int codes[] = {COIR_EINVAL, COIR_EBUSY, COIR_ETHREAD, COIR_ECANCELED, -1001, -0x7fffffff - 1};
    for (int i = 0; i < (int)(sizeof codes / sizeof codes[0]); i++) {
        coir_gen *g = make_ints(give_one_and_return, T_VALUE(codes[i]));
        expect_item(g, 1);
        expect_end(g, codes[i]);
        destroy(g);
    }
}
END_TEST

START_TEST(a_positive_number_counts_as_0)
{
    static const int codes[] = {1, 2, 0x7fffffff};
    for (int i = 0; i < 3; i++) {
        coir_gen *g = make_ints(give_one_and_return, T_VALUE(codes[i]));
        expect_item(g, 1);
        expect_end(g, 0);
        destroy(g);
    }
}
END_TEST

static void exit_at_depth(int depth)
{
    if (depth > 0)
        exit_at_depth(depth - 1);
    else
        coir_exit(T_VALUE(-5));
}

static int give_one_and_exit(coir_gen *g, void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_defer(note, "d"), COIR_OK);
    ck_assert_int_eq(give(g, 1), COIR_OK);
    exit_at_depth(10);
    ck_abort_msg("coir_exit has returned");
    return -1006;
}

START_TEST(coir_exit_counts_as_0)
{
    coir_gen *g = make_ints(give_one_and_exit, NULL);
    expect_item(g, 1);
    ck_assert_str_eq(events, "");
    expect_end(g, 0);
    ck_assert_str_eq(events, "d");
    destroy(g);
    ck_assert_str_eq(events, "d");
}
END_TEST

/* ---- sizes of items ---- */

enum { LARGEST = 100000 };

static size_t size;
static unsigned char source[LARGEST], target[LARGEST + 2];

/* Changes its variable after each item: what the caller has is a copy. */
static int give_bytes(coir_gen *g, void *most)
{
    for (int n = 1; n <= T_NUMBER(most); n++) {
        memset(source, n, size);
        ck_assert_int_eq(coir_gen_yield(g, source), COIR_OK);
        memset(source, 0xee, sizeof source);
    }
    return 0;
}

static bool holds(const unsigned char *bytes, size_t length, unsigned char expected)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != expected)
            return false;
    return true;
}

static void take_bytes(coir_gen *g, int n)
{
    memset(target, 0x77, sizeof target);
    ck_assert_int_eq(coir_gen_next(g, target + 1), 1);
    ck_assert(holds(target, 1, 0x77));
    ck_assert(holds(target + 1, size, (unsigned char)n));
    ck_assert(holds(target + 1 + size, 1, 0x77));
}

START_TEST(items_of_every_size_are_copied_whole_and_nothing_beside_them)
{
    static const size_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 32, 33, 63, 64, 65, 100, 4096, LARGEST};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size = sizes[i];
        coir_gen *g = make(size, give_bytes, T_VALUE(3));
        for (int n = 1; n <= 3; n++)
            take_bytes(g, n);
        memset(target, 0x77, sizeof target);
        ck_assert_int_eq(coir_gen_next(g, target), 0);
        ck_assert(holds(target, sizeof target, 0x77));
        destroy(g);
    }
}
END_TEST

START_TEST(next_with_null_drops_an_item)
{
    coir_gen *g = make_ints(count_to, T_VALUE(4));
    expect_item(g, 1);
    ck_assert_int_eq(coir_gen_next(g, NULL), 1);
    expect_item(g, 3);
    ck_assert_int_eq(coir_gen_next(g, NULL), 1);
    ck_assert_int_eq(coir_gen_next(g, NULL), 0);
    destroy(g);
}
END_TEST

/* ---- making one ---- */

START_TEST(create_refuses_bad_arguments_and_touches_nothing)
{
    coir_gen *g = T_VALUE(99);
    coir_options opt = {.flags = 0x80000000u};
    int reserved;

    ck_assert_int_eq(coir_gen_create(NULL, 4, count, NULL, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_gen_create(&g, 4, NULL, NULL, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_gen_create(&g, 0, count, NULL, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_gen_create(&g, 4, count, NULL, &opt), COIR_EINVAL);
    opt.flags = 0;
    opt.reserved[1] = &reserved;
    ck_assert_int_eq(coir_gen_create(&g, 4, count, NULL, &opt), COIR_EINVAL);
    opt.reserved[1] = NULL;
    opt.reserved_flags = 1;
    ck_assert_int_eq(coir_gen_create(&g, 4, count, NULL, &opt), COIR_EINVAL);
    opt.reserved_flags = 0;
    opt.stack_size = SIZE_MAX;
    ck_assert_int_eq(coir_gen_create(&g, 4, count, NULL, &opt), COIR_ENOMEM);
    ck_assert_ptr_eq(g, T_VALUE(99));
}
END_TEST

START_TEST(create_without_a_backend_is_not_supported)
{
    coir_gen *g = T_VALUE(99);
    t_setenv("COIR_BACKEND", "quantum");
    ck_assert_int_eq(coir_gen_create(&g, 4, count, NULL, NULL), COIR_ENOTSUP);
    ck_assert_ptr_eq(g, T_VALUE(99));
}
END_TEST

static int look_at_own_fiber(coir_gen *g, void *data)
{
    ck_assert_str_eq(coir_fiber_name(coir_self()), "numbers");
    ck_assert_ptr_eq(coir_fiber_data(coir_self()), data);
    ck_assert_int_eq(coir_fiber_state(coir_self()), COIR_STATE_RUNNING);
    return give(g, 1);
}

START_TEST(options_are_those_of_its_fiber)
{
    char name[] = "numbers";
    coir_options opt = {.name = name, .data = events};
    coir_gen *g;

    ck_assert_int_eq(coir_gen_create(&g, sizeof(int), look_at_own_fiber, events, &opt), COIR_OK);
    memset(&opt, 0xff, sizeof opt);
    name[0] = 'N';
    expect_item(g, 1);
    expect_end(g, 0);
    destroy(g);
}
END_TEST

static int run_on_given_stack(coir_gen *g, void *stack)
{
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0); /* AddressSanitizer may have locals elsewhere */
    ck_assert(frame > (uintptr_t)stack && frame < (uintptr_t)stack + coir_stack_min());
    return give(g, 1);
}

START_TEST(it_can_run_on_the_callers_own_stack)
{
    coir_gen *g;
    coir_options opt = {.stack_size = coir_stack_min()};

    if (t_backend_is("winfiber"))
        T_SKIP("Windows Fibers have stacks of their own only");
    opt.stack = t_aligned_allocate(16, opt.stack_size);
    ck_assert_int_eq(coir_gen_create(&g, sizeof(int), run_on_given_stack, opt.stack, &opt), COIR_OK);
    expect_item(g, 1);
    expect_end(g, 0);
    destroy(g);
    t_aligned_release(opt.stack);
}
END_TEST

/* ---- errors of next and yield ---- */

START_TEST(null_is_not_a_generator)
{
    int item = 99;
    ck_assert_int_eq(coir_gen_next(NULL, &item), COIR_EINVAL);
    ck_assert_int_eq(coir_gen_next(NULL, NULL), COIR_EINVAL);
    ck_assert_int_eq(item, 99);
    ck_assert_int_eq(coir_gen_destroy(NULL), COIR_OK);
}
END_TEST

static int yield_wrongly(coir_gen *g, void *arg)
{
    int item = 1;
    (void)arg;
    ck_assert_int_eq(coir_gen_yield(g, NULL), COIR_EINVAL);
    ck_assert_int_eq(coir_gen_yield(NULL, &item), COIR_EINVAL);
    return give(g, 2);
}

START_TEST(yield_refuses_null)
{
    coir_gen *g = make_ints(yield_wrongly, NULL);
    expect_item(g, 2);
    expect_end(g, 0);
    destroy(g);
}
END_TEST

static void *yield_elsewhere(void *g)
{
    int item = 1;
    ck_assert_int_eq(coir_gen_yield(g, &item), COIR_ENOTFIBER);
    return NULL;
}

START_TEST(yield_belongs_to_the_generators_own_fiber)
{
    coir_gen *g = make_ints(count, NULL);
    yield_elsewhere(g);
    run_to_the_end(t_create(yield_elsewhere, g));
    t_on_thread(yield_elsewhere, g);
    expect_item(g, 1);
    yield_elsewhere(g);
    run_to_the_end(t_create(yield_elsewhere, g));
    t_on_thread(yield_elsewhere, g);
    expect_item(g, 2);
    destroy(g);
}
END_TEST

static int resume_a_fiber_that_yields(coir_gen *g, void *arg)
{
    (void)arg;
    run_to_the_end(t_create(yield_elsewhere, g));
    return give(g, 1);
}

START_TEST(yield_in_a_fiber_that_the_generator_resumed_is_refused)
{
    coir_gen *g = make_ints(resume_a_fiber_that_yields, NULL);
    expect_item(g, 1);
    expect_end(g, 0);
    destroy(g);
}
END_TEST

static int yield_for_another(coir_gen *g, void *outer)
{
    yield_elsewhere(outer);
    return give(g, 5);
}

static int take_from_one_that_yields_for_this(coir_gen *g, void *arg)
{
    coir_gen *inner = make_ints(yield_for_another, g);
    (void)arg;
    expect_item(inner, 5);
    yield_elsewhere(inner); /* this one is not the inner one either */
    destroy(inner);
    return give(g, 6);
}

START_TEST(yield_for_another_generator_is_refused)
{
    coir_gen *g = make_ints(take_from_one_that_yields_for_this, NULL);
    expect_item(g, 6);
    expect_end(g, 0);
    destroy(g);
}
END_TEST

static coir_gen *ending;

static void use_while_ending(void *arg)
{
    int item = 1;
    (void)arg;
    ck_assert_int_eq(coir_gen_yield(ending, &item), COIR_ECANCELED);
    ck_assert_int_eq(coir_gen_next(ending, &item), COIR_EBUSY);
    ck_assert_int_eq(coir_gen_destroy(ending), COIR_EBUSY);
    ck_assert_int_eq(item, 1);
    event("x");
}

static coir_key noisy;

static int give_one_with_a_noisy_end(coir_gen *g, void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_local_set(noisy, &noisy), COIR_OK);
    ck_assert_int_eq(coir_defer(use_while_ending, NULL), COIR_OK);
    return give(g, 1);
}

START_TEST(a_generator_that_is_ending_neither_yields_nor_runs)
{
    ck_assert_int_eq(coir_key_create(&noisy, use_while_ending), COIR_OK);
    ending = make_ints(give_one_with_a_noisy_end, NULL);
    expect_item(ending, 1);
    ck_assert_str_eq(events, "");
    expect_end(ending, 0);
    ck_assert_str_eq(events, "xx");
    destroy(ending);

    ending = make_ints(give_one_with_a_noisy_end, NULL);
    expect_item(ending, 1);
    destroy(ending);
    ck_assert_str_eq(events, "xxxx");
}
END_TEST

static int use_oneself(coir_gen *g, void *arg)
{
    int item = 99;
    (void)arg;
    ck_assert_int_eq(coir_gen_next(g, &item), COIR_EBUSY);
    ck_assert_int_eq(coir_gen_destroy(g), COIR_EBUSY);
    ck_assert_int_eq(item, 99);
    return give(g, 1);
}

START_TEST(a_generator_cannot_use_itself)
{
    coir_gen *g = make_ints(use_oneself, NULL);
    expect_item(g, 1);
    expect_end(g, 0);
    destroy(g);
}
END_TEST

static void *use_a_busy_one(void *g)
{
    int item = 99;
    ck_assert_int_eq(coir_gen_next(g, &item), COIR_EBUSY);
    ck_assert_int_eq(coir_gen_destroy(g), COIR_EBUSY);
    ck_assert_int_eq(item, 99);
    return NULL;
}

static int use_the_outer_one(coir_gen *g, void *outer)
{
    use_a_busy_one(outer);
    run_to_the_end(t_create(use_a_busy_one, outer));
    return give(g, 7);
}

static int pass_one_on(coir_gen *g, void *arg)
{
    coir_gen *inner = make_ints(use_the_outer_one, g);
    (void)arg;
    run_to_the_end(t_create(use_a_busy_one, g));
    expect_item(inner, 7);
    destroy(inner);
    return give(g, 8);
}

START_TEST(a_generator_that_waits_for_another_fiber_is_busy)
{
    coir_gen *g = make_ints(pass_one_on, NULL);
    expect_item(g, 8);
    expect_end(g, 0);
    destroy(g);
}
END_TEST

/* ---- its fiber ---- */

static coir_fiber *its_fiber;

static int show_fiber_and_count_to_2(coir_gen *g, void *arg)
{
    (void)arg;
    its_fiber = coir_self();
    ck_assert_int_eq(give(g, 1), COIR_OK);
    return give(g, 2);
}

static void *switch_to_its_fiber(void *result)
{
    ck_assert_int_eq(coir_switch(its_fiber, NULL, &result), COIR_EBUSY);
    ck_assert_int_eq(coir_switch(its_fiber, "value", &result), COIR_EBUSY);
    return result;
}

static void misuse_its_fiber(void)
{
    void *result = T_VALUE(99);
    ck_assert_int_eq(coir_fiber_state(its_fiber), COIR_STATE_SUSPENDED);
    ck_assert_int_eq(coir_resume(its_fiber, NULL, &result), COIR_EBUSY);
    ck_assert_int_eq(coir_resume(its_fiber, "value", &result), COIR_EBUSY);
    ck_assert_int_eq(coir_cancel(its_fiber, &result), COIR_EBUSY);
    ck_assert_int_eq(coir_destroy(its_fiber), COIR_EBUSY);
    ck_assert_int_eq(T_NUMBER(result), 99);
    ck_assert_int_eq(T_NUMBER(run_to_the_end(t_create(switch_to_its_fiber, result))), 99);
}

START_TEST(its_fiber_cannot_be_used_but_asked_about)
{
    coir_gen *g = make_ints(show_fiber_and_count_to_2, NULL);
    expect_item(g, 1);
    ck_assert_ptr_null(coir_self());
    ck_assert_str_eq(coir_fiber_name(its_fiber), "");
    misuse_its_fiber();
    expect_item(g, 2);
    misuse_its_fiber();
    expect_end(g, 0);
    ck_assert_int_eq(coir_fiber_state(its_fiber), COIR_STATE_DONE);
    destroy(g);
}
END_TEST

START_TEST(its_fiber_cannot_be_used_once_it_has_ended_either)
{
    void *result = T_VALUE(99);
    coir_gen *g = make_ints(show_fiber_and_count_to_2, NULL);
    while (coir_gen_next(g, NULL) == 1)
        ;
    ck_assert_int_lt(coir_resume(its_fiber, NULL, &result), 0);
    ck_assert_int_lt(coir_cancel(its_fiber, &result), 0);
    ck_assert_int_lt(coir_destroy(its_fiber), 0);
    ck_assert_int_eq(T_NUMBER(result), 99);
    expect_end(g, 0);
    destroy(g);
}
END_TEST

static void *misuse_on_another_thread(void *arg)
{
    ck_assert_int_eq(coir_resume(its_fiber, NULL, NULL), COIR_ETHREAD);
    ck_assert_int_eq(coir_cancel(its_fiber, NULL), COIR_ETHREAD);
    ck_assert_int_eq(coir_destroy(its_fiber), COIR_ETHREAD);
    return arg;
}

START_TEST(its_fiber_cannot_be_used_by_another_thread)
{
    coir_gen *g = make_ints(show_fiber_and_count_to_2, NULL);
    expect_item(g, 1);
    t_on_thread(misuse_on_another_thread, NULL);
    expect_item(g, 2);
    destroy(g);
}
END_TEST

static void *do_nothing(void *arg)
{
    return arg;
}

static int suspend_as_a_plain_fiber(coir_gen *g, void *arg)
{
    coir_fiber *other = t_create(do_nothing, NULL);
    void *result = T_VALUE(99);
    (void)arg;
    ck_assert_int_eq(coir_yield(T_VALUE(5), &result), COIR_EINVAL);
    ck_assert_int_eq(coir_switch(other, NULL, &result), COIR_EINVAL);
    ck_assert_int_eq(coir_switch(NULL, NULL, &result), COIR_EINVAL);
    ck_assert_int_eq(T_NUMBER(result), 99);
    ck_assert_int_eq(coir_fiber_state(other), COIR_STATE_NEW);
    run_to_the_end(other);
    return give(g, 1);
}

START_TEST(plain_yield_and_switch_in_a_generator_are_refused)
{
    coir_gen *g = make_ints(suspend_as_a_plain_fiber, NULL);
    expect_item(g, 1);
    expect_end(g, 0);
    destroy(g);
}
END_TEST

static void *yield_1_and_return_2(void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_yield(T_VALUE(1), NULL), COIR_OK);
    return T_VALUE(2);
}

/* A plain fiber inside of a generator is as anywhere. */
static int give_what_a_fiber_yields(coir_gen *g, void *arg)
{
    coir_fiber *f = t_create(yield_1_and_return_2, NULL);
    void *value;
    (void)arg;
    ck_assert_int_eq(coir_resume(f, NULL, &value), COIR_YIELDED);
    ck_assert_int_eq(give(g, T_NUMBER(value)), COIR_OK);
    ck_assert_int_eq(coir_resume(f, NULL, &value), COIR_DONE);
    ck_assert_int_eq(give(g, T_NUMBER(value)), COIR_OK);
    return coir_destroy(f);
}

START_TEST(a_generator_may_run_plain_fibers)
{
    coir_gen *g = make_ints(give_what_a_fiber_yields, NULL);
    expect_item(g, 1);
    expect_item(g, 2);
    expect_end(g, 0);
    destroy(g);
}
END_TEST

static void *give_3_items_by_turns(void *g)
{
    for (int n = 0; n < 3; n++) {
        int item = 0;
        ck_assert_int_eq(coir_gen_next(g, &item), 1);
        coir_yield(T_VALUE(item), NULL);
    }
    return NULL;
}

START_TEST(fibers_share_a_generator)
{
    coir_gen *g = make_ints(count, NULL);
    coir_fiber *a = t_create(give_3_items_by_turns, g), *b = t_create(give_3_items_by_turns, g);
    for (int n = 1; n <= 6; n += 2) {
        void *result;
        ck_assert_int_eq(coir_resume(a, NULL, &result), COIR_YIELDED);
        ck_assert_int_eq(T_NUMBER(result), n);
        ck_assert_int_eq(coir_resume(b, NULL, &result), COIR_YIELDED);
        ck_assert_int_eq(T_NUMBER(result), n + 1);
    }
    run_to_the_end(a);
    run_to_the_end(b);
    expect_item(g, 7);
    destroy(g);
}
END_TEST

static coir_key quiet;

static int set_and_give_local(coir_gen *g, void *value)
{
    ck_assert_ptr_null(coir_local_get(quiet));
    ck_assert_int_eq(coir_local_set(quiet, value), COIR_OK);
    ck_assert_int_eq(give(g, 1), COIR_OK);
    ck_assert_ptr_eq(coir_local_get(quiet), value);
    return 0;
}

static void *set_local_beside_a_generator(void *g)
{
    ck_assert_int_eq(coir_local_set(quiet, "outer"), COIR_OK);
    expect_item(g, 1);
    ck_assert_str_eq(coir_local_get(quiet), "outer");
    expect_end(g, 0);
    ck_assert_str_eq(coir_local_get(quiet), "outer");
    return NULL;
}

START_TEST(outside_of_tasks_a_generator_has_local_values_of_its_own)
{
    coir_gen *g = make_ints(set_and_give_local, "inner");
    ck_assert_int_eq(coir_key_create(&quiet, NULL), COIR_OK);
    run_to_the_end(t_create(set_local_beside_a_generator, g));
    destroy(g);
}
END_TEST

/* ---- destroy ---- */

/* Defers a letter before each of three items. */
static int defer_before_each(coir_gen *g, void *arg)
{
    static char *letters[] = {"a", "b", "c"};
    (void)arg;
    for (int n = 0; n < 3; n++) {
        ck_assert_int_eq(coir_defer(note, letters[n]), COIR_OK);
        ck_assert_int_eq(give(g, n + 1), COIR_OK);
    }
    return 0;
}

START_TEST(destroy_at_every_point_runs_what_was_deferred)
{
    static const char *expected[] = {"", "a", "ba", "cba", "cba", "cba"};
    for (int steps = 0; steps < 6; steps++) {
        coir_gen *g = make_ints(defer_before_each, NULL);
        events[0] = '\0';
        for (int n = 1; n <= steps; n++)
            ck_assert_int_eq(coir_gen_next(g, NULL), n <= 3);
        ck_assert_str_eq(events, steps > 3 ? "cba" : "");
        destroy(g);
        ck_assert_str_eq(events, expected[steps]);
    }
}
END_TEST

static int note_the_return_of_yield(coir_gen *g, void *arg)
{
    (void)arg;
    int error = give(g, 1);
    event("returned");
    return error;
}

START_TEST(yield_does_not_return_in_a_generator_that_is_destroyed)
{
    coir_gen *g = make_ints(note_the_return_of_yield, NULL);
    expect_item(g, 1);
    destroy(g);
    ck_assert_str_eq(events, "");
}
END_TEST

static void destroy_inner(void *inner)
{
    destroy(inner);
    event("o");
}

static int defer_i_and_count(coir_gen *g, void *arg)
{
    ck_assert_int_eq(coir_defer(note, "i"), COIR_OK);
    return count(g, arg);
}

static int own_a_generator(coir_gen *g, void *arg)
{
    coir_gen *inner = make_ints(defer_i_and_count, NULL);
    int item;
    (void)arg;
    ck_assert_int_eq(coir_defer(destroy_inner, inner), COIR_OK);
    while (coir_gen_next(inner, &item) == 1 && give(g, -item) == COIR_OK)
        ;
    return 0;
}

START_TEST(a_generator_that_owns_another_destroys_it_when_it_is_destroyed)
{
    coir_gen *g = make_ints(own_a_generator, NULL);
    for (int n = 1; n <= 10; n++)
        expect_item(g, -n);
    destroy(g);
    ck_assert_str_eq(events, "io");
}
END_TEST

/* ---- generators of generators ---- */

typedef struct {
    coir_gen *from;
    int prime;
} sieve;

static int drop_multiples(coir_gen *g, void *arg)
{
    sieve *s = arg;
    int n;
    while (coir_gen_next(s->from, &n) == 1)
        if (n % s->prime != 0)
            ck_assert_int_eq(give(g, n), COIR_OK);
    return 0;
}

START_TEST(a_chain_of_generators_sieves_the_primes)
{
    enum { MOST = 30 };
    static const int primes[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73,
                                 79, 83, 89, 97, 101, 103, 107, 109, 113};
    static sieve sieves[MOST];
    coir_gen *chain[MOST + 1] = {make_ints(count, NULL)};

    expect_item(chain[0], 1);
    for (int i = 0; i < MOST; i++) {
        expect_item(chain[i], primes[i]);
        sieves[i] = (sieve){chain[i], primes[i]};
        chain[i + 1] = make_ints(drop_multiples, &sieves[i]);
    }
    for (int i = MOST; i >= 0; i--)
        destroy(chain[i]);
}
END_TEST

/* Numbers `depth` down to 1, each level with a generator for the rest. */
static int recurse(coir_gen *g, void *depth)
{
    coir_gen *rest;
    int item, result;
    if (depth == NULL)
        return -1077;
    ck_assert_int_eq(give(g, T_NUMBER(depth)), COIR_OK);
    rest = make_ints(recurse, T_VALUE(T_NUMBER(depth) - 1));
    while ((result = coir_gen_next(rest, &item)) == 1)
        ck_assert_int_eq(give(g, item), COIR_OK);
    destroy(rest);
    return result;
}

START_TEST(generators_recurse_and_pass_an_error_up)
{
    int depth = t_instrumented() ? 30 : 200;
    coir_gen *g = make_ints(recurse, T_VALUE(depth));
    for (int n = depth; n >= 1; n--)
        expect_item(g, n);
    expect_end(g, -1077);
    destroy(g);
}
END_TEST

static int use_the_first_of_the_chain(coir_gen *g, void *depth)
{
    static coir_gen *first;
    coir_gen *next;
    int item = 99;
    if (first == NULL)
        first = g;
    ck_assert_int_eq(coir_gen_next(first, &item), COIR_EBUSY);
    if (depth == NULL)
        return give(g, 1);
    next = make_ints(use_the_first_of_the_chain, T_VALUE(T_NUMBER(depth) - 1));
    expect_item(next, 1);
    destroy(next);
    ck_assert_int_eq(item, 99);
    return give(g, 1);
}

START_TEST(the_first_of_a_chain_is_busy_for_all_of_it)
{
    coir_gen *g = make_ints(use_the_first_of_the_chain, T_VALUE(20));
    expect_item(g, 1);
    destroy(g);
}
END_TEST

START_TEST(many_generators_take_turns)
{
    enum { MOST = 1000 };
    static coir_gen *all[MOST];
    int most = t_instrumented() ? 100 : MOST;
    for (int i = 0; i < most; i++)
        all[i] = make_ints(count, NULL);
    for (int n = 1; n <= 10; n++)
        for (int i = 0; i < most; i++)
            expect_item(all[i], n);
    for (int i = 0; i < most; i++)
        destroy(all[i]);
}
END_TEST

/* ---- threads ---- */

static void *use_a_foreign_generator(void *g)
{
    int item = 99;
    ck_assert_int_eq(coir_gen_next(g, &item), COIR_ETHREAD);
    ck_assert_int_eq(coir_gen_next(g, NULL), COIR_ETHREAD);
    ck_assert_int_eq(coir_gen_destroy(g), COIR_ETHREAD);
    ck_assert_int_eq(item, 99);
    return NULL;
}

static void *use_a_foreign_generator_from_a_fiber(void *g)
{
    return run_to_the_end(t_create(use_a_foreign_generator, g));
}

START_TEST(another_threads_generator_cannot_be_used)
{
    coir_gen *g = make_ints(count, NULL);
    t_on_thread(use_a_foreign_generator, g); /* new */
    t_on_thread(use_a_foreign_generator_from_a_fiber, g);
    expect_item(g, 1);
    t_on_thread(use_a_foreign_generator, g); /* suspended */
    t_on_thread(use_a_foreign_generator_from_a_fiber, g);
    expect_item(g, 2);
    destroy(g);
}
END_TEST

static int let_a_thread_use_it(coir_gen *g, void *arg)
{
    (void)arg;
    t_on_thread(use_a_foreign_generator, g); /* running: a foreign thread's is COIR_ETHREAD before COIR_EBUSY */
    return give(g, 1);
}

START_TEST(a_running_generator_is_another_threads_first_and_busy_second)
{
    coir_gen *g = make_ints(let_a_thread_use_it, NULL);
    expect_item(g, 1);
    destroy(g);
}
END_TEST

static void *destroy_an_ended_one(void *g)
{
    ck_assert_int_eq(coir_gen_destroy(g), COIR_OK);
    return NULL;
}

START_TEST(any_thread_may_destroy_a_generator_that_has_ended)
{
    coir_gen *g = make_ints(count_to, T_VALUE(1));
    expect_item(g, 1);
    expect_end(g, 0);
    t_on_thread(destroy_an_ended_one, g);
}
END_TEST

static void *leave_new_one(void *arg)
{
    *(coir_gen **)arg = make_ints(defer_i_and_count, NULL);
    return NULL;
}

static void *leave_suspended_one(void *arg)
{
    leave_new_one(arg);
    expect_item(*(coir_gen **)arg, 1);
    return NULL;
}

START_TEST(a_generator_left_by_a_thread_that_has_ended_can_be_destroyed)
{
    coir_gen *g;
    int item = 99;
    t_on_thread(leave_new_one, &g);
    ck_assert_int_eq(coir_gen_next(g, &item), COIR_ETHREAD);
    destroy(g);
    ck_assert_str_eq(events, "");
    t_on_thread(leave_suspended_one, &g);
    ck_assert_int_eq(coir_gen_next(g, &item), COIR_ETHREAD);
    ck_assert_int_eq(item, 99);
    destroy(g);
    ck_assert_str_eq(events, "i");
}
END_TEST

/* ---- in tasks ---- */

static void begin(uint64_t seed)
{
    const coir_exec_options opt = {.seed = seed, .flags = COIR_VIRTUAL_CLOCK};
    ck_assert_int_eq(coir_exec_create(&executor, &opt), COIR_OK);
}

static void finish(void)
{
    ck_assert_int_eq(coir_exec_run(executor), COIR_OK);
    ck_assert_int_eq(coir_exec_destroy(executor), COIR_OK);
}

/* One number each second. */
static int count_seconds(coir_gen *g, void *most)
{
    its_fiber = coir_self();
    for (int n = 1; n <= T_NUMBER(most); n++) {
        ck_assert_int_eq(coir_sleep(COIR_SECOND), COIR_OK);
        ck_assert_int_eq(give(g, n), COIR_OK);
    }
    return -1009;
}

static void *note_all_items(void *g)
{
    int n, result;
    while ((result = coir_gen_next(g, &n)) == 1)
        event(n == 1 ? "1" : n == 2 ? "2" : "3");
    return T_VALUE(result);
}

static void *tick(void *arg)
{
    for (int n = 0; n < 7; n++) {
        ck_assert_int_eq(coir_sleep(450 * COIR_MILLISECOND), COIR_OK);
        event(".");
    }
    return arg;
}

START_TEST(other_tasks_run_while_a_generator_sleeps)
{
    coir_gen *g = make_ints(count_seconds, T_VALUE(3));
    coir_task *t;
    void *result;

    begin(0);
    t = spawn(note_all_items, g);
    start(tick, NULL);
    ck_assert_int_eq(coir_await(t, &result), COIR_OK);
    ck_assert_int_eq(T_NUMBER(result), -1009);
    finish();
    ck_assert_str_eq(events, "..1..2..3.");
    destroy(g);
}
END_TEST

static int sleep_or_give_the_error(coir_gen *g, void *arg)
{
    (void)arg;
    return give(g, coir_sleep(1));
}

START_TEST(a_generator_outside_of_a_task_cannot_wait)
{
    coir_gen *g = make_ints(sleep_or_give_the_error, NULL);
    expect_item(g, COIR_ENOTTASK);
    expect_end(g, 0);
    destroy(g);
}
END_TEST

/* A chain in a task: root, a generator, another, a plain fiber, and one in that, which receives. */
static coir_chan *line;
static coir_gen *outer_gen, *inner_gen;
static coir_fiber *chain[4];

static void *receive_one(void *arg)
{
    int item = 0;
    (void)arg;
    chain[3] = coir_self();
    ck_assert_int_eq(coir_chan_recv(line, &item), COIR_OK);
    return T_VALUE(item);
}

static void *run_receive_one(void *arg)
{
    (void)arg;
    chain[2] = coir_self();
    return run_to_the_end(t_create(receive_one, NULL));
}

static int give_what_fibers_receive(coir_gen *g, void *arg)
{
    (void)arg;
    chain[1] = coir_self();
    return give(g, T_NUMBER(run_to_the_end(t_create(run_receive_one, NULL))));
}

static int pass_items_on(coir_gen *g, void *arg)
{
    int item;
    (void)arg;
    chain[0] = coir_self();
    while (coir_gen_next(inner_gen, &item) == 1)
        ck_assert_int_eq(give(g, item), COIR_OK);
    return 0;
}

static void *take_42(void *arg)
{
    ck_assert_ptr_eq(coir_self(), coir_task_fiber(coir_task_self()));
    expect_item(outer_gen, 42);
    expect_end(outer_gen, 0);
    return arg;
}

static void *switch_to_chain(void *arg)
{
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(coir_switch(chain[i], NULL, NULL), COIR_EBUSY);
    return arg;
}

static void use_busy_fiber(coir_fiber *f)
{
    void *result = T_VALUE(99);
    ck_assert_int_eq(coir_resume(f, NULL, &result), COIR_EBUSY);
    ck_assert_int_eq(coir_cancel(f, &result), COIR_EBUSY);
    ck_assert_int_eq(coir_destroy(f), COIR_EBUSY);
    ck_assert_int_eq(T_NUMBER(result), 99);
}

static void *use_busy_chain(void *t)
{
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(coir_fiber_state(chain[i]), i < 3 ? COIR_STATE_RESUMING : COIR_STATE_WAITING);
        use_busy_fiber(chain[i]);
    }
    ck_assert_int_eq(coir_fiber_state(coir_task_fiber(t)), COIR_STATE_RESUMING);
    use_busy_fiber(coir_task_fiber(t));
    use_a_busy_one(outer_gen);
    use_a_busy_one(inner_gen);
    run_to_the_end(t_create(switch_to_chain, NULL));
    return NULL;
}

static void *watch_and_send(void *t)
{
    int item = 42;
    ck_assert_int_eq(coir_task_state(t), COIR_TASK_WAITING);
    use_busy_chain(t);
    ck_assert_int_eq(coir_chan_send(line, &item), COIR_OK);
    ck_assert_int_eq(coir_task_state(t), COIR_TASK_READY); /* and busy all the same until its turn */
    use_busy_chain(t);
    return NULL;
}

static void make_chain(void)
{
    ck_assert_int_eq(coir_chan_create(&line, sizeof(int), 0), COIR_OK);
    outer_gen = make_ints(pass_items_on, NULL);
    inner_gen = make_ints(give_what_fibers_receive, NULL);
}

static void destroy_chain(void)
{
    destroy(outer_gen);
    destroy(inner_gen);
    ck_assert_int_eq(coir_chan_destroy(line), COIR_OK);
}

START_TEST(a_whole_chain_waits_as_one_and_is_busy_for_all_others)
{
    coir_task *t;

    begin(0);
    make_chain();
    t = spawn(take_42, NULL);
    start(watch_and_send, t);
    finish();
    destroy_chain();
}
END_TEST

START_TEST(a_waiting_chain_is_busy_outside_of_tasks_too)
{
    coir_task *t;
    int item = 42;

    begin(0);
    make_chain();
    t = spawn(take_42, NULL);
    ck_assert_int_eq(coir_exec_run_once_until(executor, 0), COIR_TASKS_LEFT);
    use_busy_chain(t);
    ck_assert_int_eq(coir_chan_try_send(line, &item), COIR_OK);
    use_busy_chain(t);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    finish();
    destroy_chain();
}
END_TEST

START_TEST(a_second_task_that_calls_a_waiting_generator_gets_ebusy)
{
    coir_gen *g = make_ints(count_seconds, T_VALUE(2));
    coir_task *t;

    begin(0);
    t = spawn(note_all_items, g);
    start(use_a_busy_one, g);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    ck_assert_str_eq(events, "12");
    finish();
    destroy(g);
}
END_TEST

static int receive_and_give_the_result(coir_gen *g, void *arg)
{
    int item;
    (void)arg;
    int error = coir_chan_recv(line, &item);
    ck_assert_int_eq(give(g, 5), COIR_OK); /* handing out is not waiting: a cancelled task can */
    ck_assert_int_eq(coir_chan_recv(line, &item), COIR_ECANCELED);
    return error;
}

static void *take_5_though_cancelled(void *g)
{
    expect_item(g, 5);
    expect_end(g, COIR_ECANCELED);
    return NULL;
}

static void *cancel(void *t)
{
    ck_assert_int_eq(coir_task_cancel(t), COIR_OK);
    return NULL;
}

START_TEST(cancel_of_a_task_ends_the_wait_of_its_generator)
{
    coir_gen *g = make_ints(receive_and_give_the_result, NULL);
    coir_task *t;

    begin(0);
    ck_assert_int_eq(coir_chan_create(&line, sizeof(int), 0), COIR_OK);
    t = spawn(take_5_though_cancelled, g);
    start(cancel, t);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    finish();
    ck_assert_int_eq(coir_chan_destroy(line), COIR_OK);
    destroy(g);
}
END_TEST

static int clean_up_under_a_shield(coir_gen *g, void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_sleep(COIR_SECOND), COIR_ECANCELED);
    ck_assert_int_eq(coir_task_shield(1), 0);
    ck_assert_int_eq(coir_sleep(COIR_SECOND), COIR_OK);
    return give(g, 1);
}

static void *take_1_under_the_generators_shield(void *g)
{
    expect_item(g, 1);
    ck_assert_int_eq(coir_sleep(COIR_SECOND), COIR_OK); /* the shield is the task's */
    ck_assert_int_eq(coir_task_shield(0), 1);
    ck_assert_int_eq(coir_sleep(COIR_SECOND), COIR_ECANCELED);
    ck_assert(coir_now() == 2 * COIR_SECOND);
    return NULL;
}

START_TEST(a_shield_that_a_generator_raises_is_its_tasks)
{
    coir_gen *g = make_ints(clean_up_under_a_shield, NULL);
    coir_task *t;

    begin(0);
    t = spawn(take_1_under_the_generators_shield, g);
    start(cancel, t);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    finish();
    destroy(g);
}
END_TEST

static coir_mutex *mutex;

static int lock_and_give(coir_gen *g, void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_mutex_lock(mutex), COIR_OK);
    ck_assert_int_eq(give(g, 1), COIR_OK);
    ck_assert_int_eq(coir_mutex_lock(mutex), COIR_EDEADLK);
    return 0;
}

static void *unlock_for_a_generator(void *g)
{
    expect_item(g, 1);
    ck_assert_int_eq(coir_mutex_lock(mutex), COIR_EDEADLK);
    expect_end(g, 0);
    ck_assert_int_eq(coir_sleep(COIR_SECOND), COIR_OK);
    event("u");
    ck_assert_int_eq(coir_mutex_unlock(mutex), COIR_OK);
    return NULL;
}

static void *lock_and_unlock(void *text)
{
    event(text);
    ck_assert_int_eq(coir_mutex_lock(mutex), COIR_OK);
    event("l");
    ck_assert_int_eq(coir_mutex_unlock(mutex), COIR_OK);
    return NULL;
}

START_TEST(a_generator_locks_for_its_task)
{
    coir_gen *g = make_ints(lock_and_give, NULL);

    begin(0);
    ck_assert_int_eq(coir_mutex_create(&mutex), COIR_OK);
    start(unlock_for_a_generator, g);
    start(lock_and_unlock, "w");
    finish();
    ck_assert_str_eq(events, "wul");
    ck_assert_int_eq(coir_mutex_destroy(mutex), COIR_OK);
    destroy(g);
}
END_TEST

static int lock_for_the_taker(coir_gen *g, void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_mutex_lock(mutex), COIR_OK); /* waits */
    return give(g, 1);
}

static void *take_from_a_locker(void *g)
{
    expect_item(g, 1);
    ck_assert_int_eq(coir_mutex_unlock(mutex), COIR_OK);
    return NULL;
}

static void *hold_for_a_second(void *arg)
{
    ck_assert_int_eq(coir_mutex_lock(mutex), COIR_OK);
    ck_assert_int_eq(coir_sleep(COIR_SECOND), COIR_OK);
    ck_assert_int_eq(coir_fiber_state(chain[0]), COIR_STATE_WAITING);
    ck_assert_int_eq(coir_mutex_unlock(mutex), COIR_OK);
    ck_assert_int_eq(coir_fiber_state(chain[0]), COIR_STATE_WAITING);
    return arg;
}

static int show_fiber_and_lock(coir_gen *g, void *arg)
{
    chain[0] = coir_self();
    return lock_for_the_taker(g, arg);
}

START_TEST(a_generator_waits_for_a_lock)
{
    coir_gen *g = make_ints(show_fiber_and_lock, NULL);

    begin(0);
    ck_assert_int_eq(coir_mutex_create(&mutex), COIR_OK);
    start(hold_for_a_second, NULL);
    start(take_from_a_locker, g);
    finish();
    ck_assert_int_eq(coir_mutex_destroy(mutex), COIR_OK);
    destroy(g);
}
END_TEST

static void sleep_while_ending(void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_sleep(1), COIR_ECANCELED);
    ck_assert_int_eq(coir_task_yield(), COIR_ECANCELED);
    event("e");
}

static int defer_a_sleep(coir_gen *g, void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_defer(sleep_while_ending, NULL), COIR_OK);
    return give(g, 1);
}

static void *end_and_destroy_them(void *arg)
{
    coir_gen *ends = make_ints(defer_a_sleep, NULL), *destroyed = make_ints(defer_a_sleep, NULL);
    expect_item(ends, 1);
    expect_end(ends, 0);
    expect_item(destroyed, 1);
    destroy(destroyed);
    destroy(ends);
    ck_assert_int_eq(coir_sleep(1), COIR_OK); /* the task is not ending */
    return arg;
}

START_TEST(what_a_generator_defers_cannot_wait)
{
    begin(0);
    start(end_and_destroy_them, NULL);
    finish();
    ck_assert_str_eq(events, "ee");
}
END_TEST

static int know_the_task(coir_gen *g, void *t)
{
    ck_assert_ptr_eq(coir_task_self(), t);
    ck_assert_ptr_eq(coir_exec_current(), executor);
    ck_assert_ptr_ne(coir_self(), coir_task_fiber(t));
    ck_assert_int_eq(coir_fiber_state(coir_task_fiber(t)), COIR_STATE_RESUMING);
    ck_assert_str_eq(coir_local_get(quiet), "task's");
    ck_assert_int_eq(coir_local_set(quiet, "generator's"), COIR_OK);
    ck_assert_int_eq(coir_task_yield(), COIR_OK);
    return give(g, 1);
}

static void *ask_in_a_generator(void *arg)
{
    coir_gen *g = make_ints(know_the_task, coir_task_self());
    ck_assert_int_eq(coir_local_set(quiet, "task's"), COIR_OK);
    expect_item(g, 1);
    expect_end(g, 0);
    destroy(g);
    ck_assert_str_eq(coir_local_get(quiet), "generator's"); /* all that runs in a task has the task's values */
    return arg;
}

START_TEST(a_generator_in_a_task_is_part_of_the_task)
{
    ck_assert_int_eq(coir_key_create(&quiet, NULL), COIR_OK);
    begin(0);
    start(ask_in_a_generator, NULL);
    finish();
}
END_TEST

static void *take_1_item(void *g)
{
    int item = 0;
    ck_assert_int_eq(coir_gen_next(g, &item), 1);
    return T_VALUE(item);
}

START_TEST(tasks_and_what_is_outside_of_them_share_a_generator)
{
    coir_gen *g = make_ints(count, NULL);
    void *result;

    expect_item(g, 1);
    begin(0);
    ck_assert_int_eq(coir_await(spawn(take_1_item, g), &result), COIR_OK);
    ck_assert_int_eq(T_NUMBER(result), 2);
    expect_item(g, 3);
    ck_assert_int_eq(coir_await(spawn(take_1_item, g), &result), COIR_OK);
    ck_assert_int_eq(T_NUMBER(result), 4);
    finish();
    expect_item(g, 5);
    destroy(g);
}
END_TEST

/* Generator in task in group. */
static int add_seconds(void *sum)
{
    coir_gen *g = make_ints(count_seconds, T_VALUE(3));
    int n, result;
    while ((result = coir_gen_next(g, &n)) == 1)
        *(int *)sum += n;
    destroy(g);
    return result;
}

static int add_and_succeed(void *sum)
{
    ck_assert_int_eq(add_seconds(sum), -1009);
    return 0;
}

static void *run_a_group(void *sum)
{
    coir_group *group;
    ck_assert_int_eq(coir_group_create(&group, NULL), COIR_OK);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(coir_group_spawn(group, add_and_succeed, sum, NULL), COIR_OK);
    ck_assert_int_eq(coir_group_wait(group), COIR_OK);
    ck_assert(coir_now() == 3 * COIR_SECOND);
    ck_assert_int_eq(coir_group_spawn(group, add_seconds, sum, NULL), COIR_OK);
    ck_assert_int_eq(coir_group_wait(group), -1009);
    ck_assert_int_eq(coir_group_destroy(group), COIR_OK);
    return NULL;
}

START_TEST(a_generator_waits_in_a_task_of_a_group)
{
    int sum = 0;

    begin(0);
    start(run_a_group, &sum);
    finish();
    ck_assert_int_eq(sum, 66);
}
END_TEST

/* Two levels of plain fibers, the inner of which both waits and yields. */
static void *sleep_and_yield(void *arg)
{
    chain[1] = coir_self();
    for (int n = 1; n <= 3; n++) {
        ck_assert_int_eq(coir_sleep(COIR_SECOND), COIR_OK);
        ck_assert_int_eq(coir_yield(T_VALUE(n), NULL), COIR_OK);
    }
    return arg;
}

static void *pass_values_on(void *arg)
{
    coir_fiber *inner = t_create(sleep_and_yield, arg);
    void *value;
    chain[0] = coir_self();
    while (coir_resume(inner, NULL, &value) == COIR_YIELDED) {
        ck_assert_int_eq(coir_task_yield(), COIR_OK);
        ck_assert_int_eq(coir_yield(value, NULL), COIR_OK);
    }
    coir_destroy(inner);
    return value;
}

static void *take_1_2_3(void *arg)
{
    coir_fiber *f = t_create(pass_values_on, T_VALUE(4));
    void *value;
    for (int n = 1; n <= 3; n++) {
        ck_assert_int_eq(coir_resume(f, NULL, &value), COIR_YIELDED);
        ck_assert_int_eq(T_NUMBER(value), n);
        ck_assert(coir_now() == n * COIR_SECOND);
    }
    ck_assert_int_eq(T_NUMBER(run_to_the_end(f)), 4);
    return arg;
}

static void *watch_nested_fibers(void *t)
{
    for (int n = 0; n < 3; n++) {
        ck_assert_int_eq(coir_sleep(n == 0 ? COIR_SECOND / 2 : COIR_SECOND), COIR_OK);
        ck_assert_int_eq(coir_fiber_state(coir_task_fiber(t)), COIR_STATE_RESUMING);
        ck_assert_int_eq(coir_fiber_state(chain[0]), COIR_STATE_RESUMING);
        ck_assert_int_eq(coir_fiber_state(chain[1]), COIR_STATE_WAITING);
        use_busy_fiber(chain[0]);
        use_busy_fiber(chain[1]);
    }
    return NULL;
}

START_TEST(two_levels_of_plain_fibers_wait_and_yield)
{
    coir_task *t;

    begin(0);
    t = spawn(take_1_2_3, NULL);
    start(watch_nested_fibers, t);
    ck_assert_int_eq(coir_await(t, NULL), COIR_OK);
    finish();
}
END_TEST

/* A thread that ends while a task of its waits in a generator. */
static int defer_i_and_sleep(coir_gen *g, void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_defer(note, "i"), COIR_OK);
    return give(g, coir_sleep(COIR_SECOND));
}

static void *defer_r_and_take(void *g)
{
    ck_assert_int_eq(coir_defer(note, "r"), COIR_OK);
    return take_1_item(g);
}

static void *leave_a_waiting_generator(void *arg)
{
    coir_gen *g = make_ints(defer_i_and_sleep, NULL);
    begin(0);
    start(defer_r_and_take, g);
    ck_assert_int_eq(coir_exec_run_once_until(executor, 0), COIR_TASKS_LEFT);
    *(coir_gen **)arg = g;
    return NULL;
}

START_TEST(a_generator_left_waiting_in_a_task_is_destroyed_after_the_executor)
{
    coir_gen *g;
    t_on_thread(leave_a_waiting_generator, &g);
    ck_assert_int_eq(coir_exec_destroy(executor), COIR_OK);
    destroy(g);
    ck_assert_uint_eq(strlen(events), 2u);
    ck_assert(strchr(events, 'r') != NULL && strchr(events, 'i') != NULL);
}
END_TEST

/* ---- the same in every order ---- */

enum { TAKERS = 3, ITEMS = 12 };

static int taken[ITEMS + 1], total;

/* Gives 1 to ITEMS, waiting in some way before each. */
static int wait_and_give(coir_gen *g, void *arg)
{
    (void)arg;
    for (int n = 1; n <= ITEMS; n++) {
        ck_assert_int_eq(n % 3 == 0 ? coir_sleep(n) : coir_task_yield(), COIR_OK);
        ck_assert_int_eq(give(g, n), COIR_OK);
    }
    return 0;
}

/* One of several takers: while another's call is under way the generator is busy. */
static void *take_what_is_there(void *g)
{
    int item = 0, last = 0, result;
    while ((result = coir_gen_next(g, &item)) != 0) {
        if (result == COIR_EBUSY) {
            ck_assert_int_eq(coir_sleep(1), COIR_OK);
            continue;
        }
        ck_assert_int_eq(result, 1);
        ck_assert_int_gt(item, last);
        last = item;
        taken[item]++;
        total++;
    }
    return NULL;
}

START_TEST(in_every_order_each_item_goes_to_one_of_the_takers)
{
    uint64_t seeds = t_instrumented() ? 30 : 1000;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        coir_gen *g = make_ints(wait_and_give, NULL);
        begin(seed);
        memset(taken, 0, sizeof taken);
        total = 0;
        for (int i = 0; i < TAKERS; i++)
            start(take_what_is_there, g);
        finish();
        for (int n = 1; n <= ITEMS; n++)
            ck_assert_int_eq(taken[n], 1);
        ck_assert_int_eq(total, ITEMS);
        expect_end(g, 0);
        destroy(g);
    }
}
END_TEST

static int receive_and_give(coir_gen *g, void *arg)
{
    int item;
    (void)arg;
    while (coir_chan_recv(line, &item) == COIR_OK)
        ck_assert_int_eq(give(g, item), COIR_OK);
    return 0;
}

static int double_them(coir_gen *g, void *from)
{
    int item;
    while (coir_gen_next(from, &item) == 1) {
        ck_assert_int_eq(coir_task_yield(), COIR_OK);
        ck_assert_int_eq(give(g, 2 * item), COIR_OK);
    }
    return 0;
}

static void *sum_up(void *arg)
{
    coir_gen *from = make_ints(receive_and_give, NULL), *g = make_ints(double_them, from);
    int item, last = 0;
    (void)arg;
    while (coir_gen_next(g, &item) == 1) {
        ck_assert_int_gt(item, last);
        last = item;
        total += item;
    }
    expect_end(g, 0);
    destroy(g);
    destroy(from);
    return NULL;
}

static void *send_all_and_close(void *arg)
{
    for (int n = 1; n <= ITEMS; n++)
        ck_assert_int_eq(coir_chan_send(line, &n), COIR_OK);
    ck_assert_int_eq(coir_chan_close(line), COIR_OK);
    return arg;
}

START_TEST(in_every_order_chains_of_generators_receive_all_that_is_sent)
{
    uint64_t seeds = t_instrumented() ? 30 : 1000;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        begin(seed);
        ck_assert_int_eq(coir_chan_create(&line, sizeof(int), (size_t)(seed % 3)), COIR_OK);
        total = 0;
        for (int i = 0; i < TAKERS; i++)
            start(sum_up, NULL);
        start(send_all_and_close, NULL);
        finish();
        ck_assert_int_eq(total, ITEMS * (ITEMS + 1));
        ck_assert_int_eq(coir_chan_destroy(line), COIR_OK);
    }
}
END_TEST

T_MAIN(nothing_runs_before_the_first_next, an_endless_generator_gives_as_many_items_as_are_asked_for,
       a_generator_that_has_ended_gives_0_again_and_again, a_negative_code_is_given_again_and_again,
       a_positive_number_counts_as_0, coir_exit_counts_as_0,
       items_of_every_size_are_copied_whole_and_nothing_beside_them, next_with_null_drops_an_item,
       create_refuses_bad_arguments_and_touches_nothing, create_without_a_backend_is_not_supported,
       options_are_those_of_its_fiber, it_can_run_on_the_callers_own_stack, null_is_not_a_generator, yield_refuses_null,
       yield_belongs_to_the_generators_own_fiber, yield_in_a_fiber_that_the_generator_resumed_is_refused,
       yield_for_another_generator_is_refused, a_generator_that_is_ending_neither_yields_nor_runs,
       a_generator_cannot_use_itself, a_generator_that_waits_for_another_fiber_is_busy,
       its_fiber_cannot_be_used_but_asked_about, its_fiber_cannot_be_used_once_it_has_ended_either,
       its_fiber_cannot_be_used_by_another_thread, plain_yield_and_switch_in_a_generator_are_refused,
       a_generator_may_run_plain_fibers, fibers_share_a_generator,
       outside_of_tasks_a_generator_has_local_values_of_its_own, destroy_at_every_point_runs_what_was_deferred,
       yield_does_not_return_in_a_generator_that_is_destroyed,
       a_generator_that_owns_another_destroys_it_when_it_is_destroyed, a_chain_of_generators_sieves_the_primes,
       generators_recurse_and_pass_an_error_up, the_first_of_a_chain_is_busy_for_all_of_it, many_generators_take_turns,
       another_threads_generator_cannot_be_used, a_running_generator_is_another_threads_first_and_busy_second,
       any_thread_may_destroy_a_generator_that_has_ended, a_generator_left_by_a_thread_that_has_ended_can_be_destroyed,
       other_tasks_run_while_a_generator_sleeps, a_generator_outside_of_a_task_cannot_wait,
       a_whole_chain_waits_as_one_and_is_busy_for_all_others, a_waiting_chain_is_busy_outside_of_tasks_too,
       a_second_task_that_calls_a_waiting_generator_gets_ebusy, cancel_of_a_task_ends_the_wait_of_its_generator,
       a_shield_that_a_generator_raises_is_its_tasks, a_generator_locks_for_its_task, a_generator_waits_for_a_lock,
       what_a_generator_defers_cannot_wait, a_generator_in_a_task_is_part_of_the_task,
       tasks_and_what_is_outside_of_them_share_a_generator, a_generator_waits_in_a_task_of_a_group,
       two_levels_of_plain_fibers_wait_and_yield, a_generator_left_waiting_in_a_task_is_destroyed_after_the_executor,
       in_every_order_each_item_goes_to_one_of_the_takers, in_every_order_chains_of_generators_receive_all_that_is_sent)
