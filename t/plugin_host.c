/* SPDX-License-Identifier: MIT */
/* A program in C that loads a plugin in C++ after fibers have been in use: the plugin brings the runtime whose record
 * of exceptions is kept for each fiber. */

#include "t.h"

#include <stdatomic.h>

#include "plugin.h"

static const struct plugin *plugin;

/* False if there is none: the build has no shared objects. */
static bool load_plugin(void)
{
    const struct plugin *(*functions)(void);
    void *library = t_library_open("plugin");

    if (library == NULL)
        return false;
    *(void **)&functions = t_library_symbol(library, "plugin_functions");
    ck_assert(functions != NULL);
    plugin = functions();
    return true;
}

#define SKIP_WITHOUT_PLUGIN                    \
    if (!load_plugin())                        \
    T_SKIP("this build has no shared objects")

static void assert_record(int in_hand, int in_flight)
{
    ck_assert_int_eq(plugin->in_hand(), in_hand);
    ck_assert_int_eq(plugin->in_flight(), in_flight);
}

static void suspend(void *arg)
{
    (void)arg;
    ck_assert_int_eq(coir_yield(NULL, NULL), COIR_OK);
}

/* Is suspended at once, then in a handler, then in a destructor. */
static void *use_plugin(void *number)
{
    suspend(NULL);
    assert_record(0, 0);
    ck_assert_int_eq(plugin->call_in_handler(T_NUMBER(number), suspend, NULL), T_NUMBER(number));
    assert_record(0, 0);
    ck_assert_int_eq(plugin->call_while_one_flies(T_NUMBER(number), suspend, NULL), T_NUMBER(number));
    assert_record(0, 0);
    return number;
}

static void expect_yield(void *f)
{
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_YIELDED);
}

static coir_fiber *start(int number)
{
    coir_fiber *f = t_create(use_plugin, T_VALUE(number));

    expect_yield(f);
    return f;
}

static void finish(coir_fiber *f, int number)
{
    void *result;

    ck_assert_int_eq(coir_resume(f, NULL, &result), COIR_DONE);
    ck_assert_int_eq(T_NUMBER(result), number);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
}

/* Two fibers that stand in handlers and destructors by turns, resumed from outside of any and from inside. */
static void take_turns(coir_fiber *one, int number_of_one, coir_fiber *two, int number_of_two)
{
    expect_yield(one);
    assert_record(0, 0);
    ck_assert_int_eq(plugin->call_in_handler(77, expect_yield, two), 77);
    ck_assert_int_eq(plugin->call_while_one_flies(78, expect_yield, one), 78);
    assert_record(0, 0);
    expect_yield(two);
    assert_record(0, 0);
    finish(one, number_of_one);
    assert_record(0, 0);
    finish(two, number_of_two);
}

START_TEST(a_fiber_that_is_there_already_keeps_its_record_from_then_on)
{
    coir_fiber *one = start(1), *two = start(2);

    SKIP_WITHOUT_PLUGIN;
    ck_assert_int_eq(coir_exceptions_attach(NULL), COIR_OK);
    take_turns(one, 1, two, 2);
    take_turns(start(3), 3, start(4), 4);
    coir_fiber *suspended = start(5);
    expect_yield(suspended);
    take_turns(start(6), 6, start(7), 7);
    expect_yield(suspended);
    finish(suspended, 5);
}
END_TEST

START_TEST(the_plugin_can_name_its_runtime)
{
    coir_fiber *one = start(1);

    SKIP_WITHOUT_PLUGIN;
    ck_assert_int_eq(coir_exceptions_attach(plugin->get_globals), COIR_OK);
    take_turns(one, 1, start(2), 2);
}
END_TEST

static void *take_turns_on_thread(void *arg)
{
    take_turns(start(11), 11, start(12), 12);
    return arg;
}

START_TEST(threads_have_records_for_each_fiber_too)
{
    coir_fiber *one = start(1);

    SKIP_WITHOUT_PLUGIN;
    ck_assert_int_eq(coir_exceptions_attach(NULL), COIR_OK);
    expect_yield(one);
    t_on_thread(take_turns_on_thread, NULL);
    assert_record(0, 0);
    t_thread *thread = t_thread_start(take_turns_on_thread, NULL);
    take_turns(start(3), 3, start(4), 4);
    t_thread_join(thread);
    expect_yield(one);
    finish(one, 1);
}
END_TEST

START_TEST(a_thread_that_uses_fibers_for_the_first_time_finds_the_runtime_by_itself)
{
    coir_destroy(start(1));
    SKIP_WITHOUT_PLUGIN;
    t_on_thread(take_turns_on_thread, NULL);
}
END_TEST

/* A thread that has fibers before there is a runtime; it goes on when there is. */
static atomic_int stage;

static void wait_for_stage(int wanted)
{
    while (atomic_load(&stage) < wanted) {
    }
}

static void *use_fibers_before_and_after(void *arg)
{
    coir_fiber *one = start(21), *two = start(22);

    atomic_store(&stage, 1);
    wait_for_stage(2);
    take_turns(one, 21, two, 22);
    return arg;
}

START_TEST(a_thread_that_has_fibers_already_gets_the_runtime_too)
{
    t_thread *thread = t_thread_start(use_fibers_before_and_after, NULL);

    wait_for_stage(1);
    if (!load_plugin())
        t_exit(0); /* the thread would wait for ever */
    ck_assert_int_eq(coir_exceptions_attach(NULL), COIR_OK);
    atomic_store(&stage, 2);
    t_thread_join(thread);
}
END_TEST

/* ---- what coir_exceptions_attach returns ---- */

static void *get_other_record(void)
{
    static _Thread_local long words[4];
    return words;
}

START_TEST(there_is_a_runtime_when_the_plugin_is_loaded_and_then_no_other)
{
    if (!t_instrumented()) /* a sanitizer may bring one */
        ck_assert_int_eq(coir_exceptions_attach(NULL), COIR_ENOTSUP);
    SKIP_WITHOUT_PLUGIN;
    ck_assert_int_eq(coir_exceptions_attach(NULL), COIR_OK);
    ck_assert_int_eq(coir_exceptions_attach(get_other_record), COIR_EBUSY);
    ck_assert_int_eq(coir_exceptions_attach(plugin->get_globals), COIR_OK);
    ck_assert_int_eq(coir_exceptions_attach(NULL), COIR_OK);
}
END_TEST

START_TEST(a_runtime_that_was_named_before_stays)
{
    if (t_instrumented())
        T_SKIP("a sanitizer may bring a C++ runtime");
    ck_assert_int_eq(coir_exceptions_attach(get_other_record), COIR_OK);
    SKIP_WITHOUT_PLUGIN;
    ck_assert_int_eq(coir_exceptions_attach(plugin->get_globals), COIR_EBUSY);
    ck_assert_int_eq(coir_exceptions_attach(NULL), COIR_OK);
    ck_assert_int_eq(coir_exceptions_attach(get_other_record), COIR_OK);
}
END_TEST

T_MAIN(a_fiber_that_is_there_already_keeps_its_record_from_then_on, the_plugin_can_name_its_runtime,
       threads_have_records_for_each_fiber_too,
       a_thread_that_uses_fibers_for_the_first_time_finds_the_runtime_by_itself,
       a_thread_that_has_fibers_already_gets_the_runtime_too,
       there_is_a_runtime_when_the_plugin_is_loaded_and_then_no_other, a_runtime_that_was_named_before_stays)
