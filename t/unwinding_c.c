/* SPDX-License-Identifier: MIT */
/* Forced unwinding of frames of C: which of them clean up depends on how they were compiled. There is no C++ here. */

#include "t.h"

#include <string.h>

#include "unwinding_frames.h"

/* The cleanups that have run, and what the fiber deferred. */
static char marks[64];

void note_cleanup(char letter)
{
    size_t length = strlen(marks);

    ck_assert_uint_lt(length, sizeof marks - 1);
    marks[length] = letter;
    marks[length + 1] = '\0';
}

static void note_deferred(void *letter)
{
    note_cleanup(*(char *)letter);
}

/* A chain of frames, the outermost first, and what the innermost calls. */
struct chain {
    frame_fn *frames[8];
    int next;
    bool exits;
};

static void call_next(void *arg)
{
    struct chain *chain = arg;
    frame_fn *frame = chain->frames[chain->next];

    if (frame != NULL) {
        chain->next++;
        frame(call_next, chain);
        note_cleanup('?');
    } else if (chain->exits) {
        coir_exit(T_VALUE(7));
    } else {
        coir_yield(NULL, NULL);
    }
}

static void *run_chain(void *chain)
{
    ck_assert_int_eq(coir_defer(note_deferred, "d"), COIR_OK);
    call_next(chain);
    return NULL;
}

/* Unwinds the frames in both ways: what has been noted then must be the same. */
static void assert_marks(struct chain chain, const char *expected)
{
    coir_fiber *f = t_create(run_chain, &chain);

    marks[0] = '\0';
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_YIELDED);
    ck_assert_str_eq(marks, "");
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    ck_assert_str_eq(marks, expected);

    void *result;
    chain.next = 0;
    chain.exits = true;
    marks[0] = '\0';
    f = t_create(run_chain, &chain);
    ck_assert_int_eq(coir_resume(f, NULL, &result), COIR_DONE);
    ck_assert_int_eq(T_NUMBER(result), 7);
    ck_assert_str_eq(marks, expected);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
}

START_TEST(cleanups_run_in_frames_with_exceptions)
{
    assert_marks((struct chain){.frames = {frame_with_exceptions}}, "ed");
    assert_marks((struct chain){.frames = {frame_with_exceptions, frame_with_exceptions}}, "eed");
}
END_TEST

START_TEST(cleanups_do_not_run_in_frames_without_exceptions_which_are_passed)
{
    assert_marks((struct chain){.frames = {frame_without_exceptions}}, "d");
    assert_marks((struct chain){.frames = {frame_with_exceptions, frame_without_exceptions, frame_with_exceptions}},
                 "eed");
}
END_TEST

START_TEST(frames_may_have_frame_pointers_or_not)
{
    assert_marks((struct chain){.frames = {frame_with_pointer, frame_without_pointer, frame_with_pointer,
                                           frame_without_pointer, frame_without_pointer}},
                 "oopopd");
}
END_TEST

#ifdef _WIN32
#define SKIP_WHERE_TABLES_ARE_A_MUST \
    T_SKIP("Windows takes a function without unwind data for one that has no frame, and loses its way")
#else
#define SKIP_WHERE_TABLES_ARE_A_MUST
#endif

START_TEST(a_frame_without_tables_ends_it)
{
    SKIP_WHERE_TABLES_ARE_A_MUST;
    assert_marks((struct chain){.frames = {frame_without_tables}}, "d");
    assert_marks((struct chain){.frames = {frame_with_exceptions, frame_without_tables, frame_with_pointer,
                                           frame_with_exceptions}},
                 "epd");
}
END_TEST

static void *destroy_a_chain(void *chain)
{
    ck_assert_int_eq(coir_destroy(chain), COIR_OK);
    return NULL;
}

START_TEST(a_fiber_unwinds_after_another_was_dropped_in_the_middle)
{
    SKIP_WHERE_TABLES_ARE_A_MUST;
    for (int i = 0; i < 100; i++) {
        struct chain chain = {.frames = {frame_with_exceptions, frame_without_tables, frame_with_exceptions}};
        coir_fiber *f = t_create(run_chain, &chain), *other = t_create(destroy_a_chain, f);
        marks[0] = '\0';
        ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_YIELDED);
        ck_assert_int_eq(coir_resume(other, NULL, NULL), COIR_DONE);
        coir_destroy(other);
        ck_assert_str_eq(marks, "ed");
        assert_marks((struct chain){.frames = {frame_with_exceptions, frame_without_pointer}}, "oed");
    }
}
END_TEST

START_TEST(without_unwinding_no_cleanup_runs)
{
    struct chain chain = {.frames = {frame_with_exceptions, frame_with_pointer}};
    const coir_options opt = {.flags = COIR_NO_UNWIND};
    coir_fiber *f = NULL;

    ck_assert_int_eq(coir_create(&f, run_chain, &chain, &opt), COIR_OK);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_YIELDED);
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    ck_assert_str_eq(marks, "d");
}
END_TEST

/* ---- the record of exceptions, with a runtime of the test's own: the layout is the ABI's ---- */

#define SKIP_WITH_A_RUNTIME \
    if (t_instrumented())   \
    T_SKIP("a sanitizer may bring a C++ runtime")

START_TEST(a_program_without_a_runtime_has_none_to_attach)
{
    SKIP_WITH_A_RUNTIME;
    ck_assert_int_eq(coir_exceptions_attach(NULL), COIR_ENOTSUP);
    coir_destroy(t_create(run_chain, NULL));
    ck_assert_int_eq(coir_exceptions_attach(NULL), COIR_ENOTSUP);
}
END_TEST

static struct {
    void *caught;
    unsigned uncaught;
} record;

static void *get_record(void)
{
    return &record;
}

static void *get_other_record(void)
{
    static long words[4];
    return words;
}

static void *use_record(void *arg)
{
    ck_assert_ptr_null(record.caught);
    ck_assert_uint_eq(record.uncaught, 0);
    record.caught = arg;
    record.uncaught = 3;
    coir_yield(NULL, NULL);
    ck_assert_ptr_eq(record.caught, arg);
    ck_assert_uint_eq(record.uncaught, 3);
    record.caught = NULL;
    record.uncaught = 0;
    coir_yield(NULL, NULL);
    ck_assert_ptr_null(record.caught);
    return NULL;
}

START_TEST(a_runtime_that_is_attached_has_a_record_for_each_fiber)
{
    SKIP_WITH_A_RUNTIME;
    coir_fiber *one = t_create(use_record, T_VALUE(1)), *two = t_create(use_record, T_VALUE(2));

    ck_assert_int_eq(coir_exceptions_attach(get_record), COIR_OK);
    ck_assert_int_eq(coir_exceptions_attach(get_other_record), COIR_EBUSY);
    ck_assert_int_eq(coir_exceptions_attach(get_record), COIR_OK);
    ck_assert_int_eq(coir_exceptions_attach(NULL), COIR_OK);
    ck_assert_int_eq(coir_resume(one, NULL, NULL), COIR_YIELDED);
    ck_assert_ptr_null(record.caught);
    record.caught = T_VALUE(9);
    ck_assert_int_eq(coir_resume(two, NULL, NULL), COIR_YIELDED);
    for (int i = 0; i < 2; i++) {
        ck_assert_ptr_eq(record.caught, T_VALUE(9));
        ck_assert_uint_eq(record.uncaught, 0);
        ck_assert_int_eq(coir_resume(one, NULL, NULL), i == 0 ? COIR_YIELDED : COIR_DONE);
        ck_assert_ptr_eq(record.caught, T_VALUE(9));
        ck_assert_int_eq(coir_resume(two, NULL, NULL), i == 0 ? COIR_YIELDED : COIR_DONE);
    }
    coir_destroy(one);
    coir_destroy(two);
}
END_TEST

T_MAIN(cleanups_run_in_frames_with_exceptions, cleanups_do_not_run_in_frames_without_exceptions_which_are_passed,
       frames_may_have_frame_pointers_or_not, a_frame_without_tables_ends_it,
       a_fiber_unwinds_after_another_was_dropped_in_the_middle, without_unwinding_no_cleanup_runs,
       a_program_without_a_runtime_has_none_to_attach, a_runtime_that_is_attached_has_a_record_for_each_fiber)
