/* SPDX-License-Identifier: MIT */
/* t_run.c - runs the cases of a test program, by libcheck or by itself, and prints TAP either way. */

#define _GNU_SOURCE
#include "t.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

bool t_backend_is(const char *name)
{
    const char *actual = coir_backend_name();

    return actual != NULL && strcmp(actual, name) == 0;
}

bool t_instrumented(void)
{
    return getenv("T_INSTRUMENTED") != NULL;
}

bool t_guards_are_free(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    /* 102: MADV_GUARD_INSTALL; 22: MADV_POPULATE_READ, which a true guard refuses. */
    bool are_free = memory != MAP_FAILED && madvise(memory, page, 102) == 0 && madvise(memory, page, 22) != 0;

    munmap(memory, page);
    return are_free;
}

coir_fiber *t_create(coir_fn *fn, void *arg)
{
    coir_fiber *f = NULL;

    ck_assert_int_eq(coir_create(&f, fn, arg, NULL), COIR_OK);
    ck_assert_ptr_nonnull(f);
    return f;
}

int t_signal_of(void (*fn)(void *arg), void *arg)
{
    int status = 0;
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child == 0) {
        const struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGSEGV, SIG_DFL); /* a sanitizer may have its own handler */
        signal(SIGBUS, SIG_DFL);
        fn(arg);
        _exit(0);
    }
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status))
        return WTERMSIG(status);
    return WEXITSTATUS(status) == 0 ? 0 : -1;
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
    _exit(1);
}

int t_run(const char *file, const t_case *cases, int count, int argc, char **argv)
{
    int only = argc > 1 ? atoi(argv[1]) : 0;

    (void)file;
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
