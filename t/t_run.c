/* SPDX-License-Identifier: MIT */
/* t_run.c - runs the cases of a test program, by libcheck or by itself, and prints TAP either way. */

#include "t.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool t_backend_is(const char *name)
{
    const char *actual = coir_backend_name();

    return actual != NULL && strcmp(actual, name) == 0;
}

bool t_instrumented(void)
{
    return getenv("T_INSTRUMENTED") != NULL;
}

bool t_few(void)
{
    const char *few = getenv("T_FEW");

    return few != NULL && strcmp(few, "1") == 0;
}

bool t_under(const char *tool)
{
    const char *instrumented = getenv("T_INSTRUMENTED");

    return instrumented != NULL && strcmp(instrumented, tool) == 0;
}

const char *t_find(const char *text, const char *what)
{
    const char *found = strstr(text, what);

    if (found == NULL)
        fprintf(stderr, "no \"%s\" in:\n%s", what, text);
    ck_assert_ptr_nonnull(found);
    return found;
}

coir_fiber *t_create(coir_fn *fn, void *arg)
{
    coir_fiber *f = NULL;

    ck_assert_int_eq(coir_create(&f, fn, arg, NULL), COIR_OK);
    ck_assert_ptr_nonnull(f);
    return f;
}

__attribute__((noinline)) size_t t_recurse(size_t bytes)
{
    char frame[1024];
    memset(frame, 1, sizeof frame);
    __asm__ volatile("" : : "r"(frame) : "memory"); /* the compiler must believe that it is needed */
    size_t below = bytes < sizeof frame ? 0 : t_recurse(bytes - sizeof frame);
    __asm__ volatile("" : : "r"(frame) : "memory");
    return below + (unsigned char)frame[1023];
}

/* Not from malloc, which t/faults.c makes fail. */
t_thread *t_thread_take(void)
{
    static t_thread threads[8];
    int i = 0;

    while (i < 8 && threads[i].used)
        i++;
    ck_assert_int_lt(i, 8);
    threads[i].used = true;
    return &threads[i];
}

void *t_on_thread(void *(*fn)(void *arg), void *arg)
{
    return t_thread_join(t_thread_start(fn, arg));
}

#ifdef T_WITH_CHECK

int t_run(const char *file, const t_case *cases, int count, int argc, char **argv)
{
    SRunner *runner;
    Suite *suite;
    TCase *group;
    int failed;

    if (argc > 1 && strcmp(argv[1], "--count") == 0) {
        puts("all");
        return 0;
    }
    t_start(argv[0], 0);
    suite = suite_create(file);
    group = tcase_create("cases");
    tcase_set_timeout(group, 120);
    for (int i = 0; i < count; i++)
        if (argc < 2 || atoi(argv[1]) == i + 1)
            tcase_add_test(group, cases[i]);
    suite_add_tcase(suite, group);
    runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}

#else

static const char *current_name;
static int current_number;

void t_fail(const char *file, int line, const char *what)
{
    printf("not ok %d - %s: %s:%d: %s\n", current_number, current_name, file, line, what);
    fflush(stdout);
    t_exit(1);
}

void t_skip(const char *reason)
{
    printf("ok %d - %s # SKIP %s\n", current_number, current_name, reason);
    fflush(stdout);
    t_exit(0);
}

int t_run(const char *file, const t_case *cases, int count, int argc, char **argv)
{
    int only = argc > 1 ? atoi(argv[1]) : 0;

    (void)file;
    t_start(argv[0], only);
    if (argc > 1 && strcmp(argv[1], "--count") == 0) {
        printf("%d\n", count);
        return 0;
    }
    printf("1..%d\n", only != 0 ? 1 : count);
    for (int i = 0; i < count; i++) {
        if (only != 0 && only != i + 1)
            continue;
        current_name = cases[i].name;
        current_number = only != 0 ? 1 : i + 1;
        fflush(stdout);
        cases[i].fn(0);
        printf("ok %d - %s\n", current_number, current_name);
    }
    return 0;
}

#endif
