/* SPDX-License-Identifier: MIT */
/* t.h - the names that tests are written with: those of libcheck (START_TEST, ck_assert_...), and T_MAIN.
 *
 * With libcheck each case runs in a child process, and a failed assertion ends that child. Without it (--without-check, or
 * where there is no fork) the same names lead to t_run.c's own runner: `program --count` says how many cases there are,
 * `program N` runs the N-th, so that run.sh can give each a process of its own. A failed assertion prints and exits there,
 * rather than to jump out of a fiber, which no stack would survive. */

#ifndef T_H
#define T_H

#include <coir.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef T_WITH_CHECK

#include <check.h>

typedef const TTest *t_case;

#else

typedef struct {
    const char *name;
    void (*fn)(int i);
} t_case;

#define START_TEST(test)                                 \
    static void test##_fn(int _i);                       \
    static const t_case test = {#test, test##_fn};       \
    static void test##_fn(int _i)                        \
    {                                                    \
        (void)_i;
#define END_TEST }

void t_fail(const char *file, int line, const char *what);

#define ck_abort_msg(message) t_fail(__FILE__, __LINE__, message)
#define ck_assert_msg(condition, message) ((condition) ? (void)0 : t_fail(__FILE__, __LINE__, message))
#define ck_assert(condition) ck_assert_msg(condition, #condition)
#define ck_assert_int_eq(a, b) ck_assert((a) == (b))
#define ck_assert_int_ne(a, b) ck_assert((a) != (b))
#define ck_assert_int_gt(a, b) ck_assert((a) > (b))
#define ck_assert_int_ge(a, b) ck_assert((a) >= (b))
#define ck_assert_int_lt(a, b) ck_assert((a) < (b))
#define ck_assert_int_le(a, b) ck_assert((a) <= (b))
#define ck_assert_uint_ne(a, b) ck_assert((a) != (b))
#define ck_assert_uint_eq(a, b) ck_assert((a) == (b))
#define ck_assert_uint_ge(a, b) ck_assert((a) >= (b))
#define ck_assert_uint_le(a, b) ck_assert((a) <= (b))
#define ck_assert_uint_lt(a, b) ck_assert((a) < (b))
#define ck_assert_uint_gt(a, b) ck_assert((a) > (b))
#define ck_assert_ptr_eq(a, b) ck_assert((a) == (b))
#define ck_assert_ptr_ne(a, b) ck_assert((a) != (b))
#define ck_assert_ptr_null(a) ck_assert((a) == NULL)
#define ck_assert_ptr_nonnull(a) ck_assert((a) != NULL)
#define ck_assert_str_eq(a, b) ck_assert(strcmp((a), (b)) == 0)

#include <string.h>

#endif

int t_run(const char *file, const t_case *cases, int count, int argc, char **argv);

/* The main function of a test program: its cases, in order. */
#define T_MAIN(...)                                                                          \
    int main(int argc, char **argv)                                                          \
    {                                                                                        \
        const t_case cases[] = {__VA_ARGS__};                                                \
        return t_run(__FILE__, cases, (int)(sizeof cases / sizeof cases[0]), argc, argv);    \
    }

/* True where this run's backend has that name. */
bool t_backend_is(const char *name);

/* True under valgrind or a sanitizer, which make some things slow or different; the tests then do less of the same. */
bool t_instrumented(void);

/* True where guards take no mappings (Linux 6.13 and later); elsewhere there can be some 32,700 of them. */
bool t_guards_are_free(void);

/* A fiber with default options, asserted to exist. */
coir_fiber *t_create(coir_fn *fn, void *arg);

/* Runs fn(arg) in a child process: the signal that killed it, or 0 if it returned, or -1 if it exited otherwise. */
int t_signal_of(void (*fn)(void *arg), void *arg);

/* Integers as values. */
#define T_VALUE(n) ((void *)(intptr_t)(n))
#define T_NUMBER(p) ((int)(intptr_t)(p))

#endif
