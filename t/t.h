/* SPDX-License-Identifier: MIT */
/* t.h - the names that tests are written with: those of libcheck (START_TEST, ck_assert_...), and T_MAIN.
 *
 * With libcheck each case runs in a child process, and a failed assertion ends that child. Without it
 * (--without-check, or where there is no fork) the same names lead to t_run.c's own runner: `program --count` says
 * how many cases there are, `program N` runs the N-th, so that run.sh can give each a process of its own. A failed
 * assertion prints and exits there, rather than to jump out of a fiber, which no stack would survive. */

#ifndef T_H
#define T_H

#include <coir.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef T_WITH_CHECK

#include <check.h>

typedef const TTest *t_case;

/* Leaves a case that this system cannot run, with a reason. libcheck knows only passed and failed: there it has
 * passed. */
#define T_SKIP(reason) return

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
void t_skip(const char *reason);

#define T_SKIP(reason) t_skip(reason)

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

/* Can this build of the library unwind the frames of fibers? */
static inline bool t_unwinds(void)
{
#ifdef T_UNWINDS
    return true;
#else
    return false;
#endif
}

/* True under valgrind or a sanitizer, which make some things slow or different; the tests then do less of the same. */
bool t_instrumented(void);

/* True where T_FEW=1 says that this is not the first build that is tested: what takes long may do less of the same. */
bool t_few(void);

/* Is that tool, of the names that T_INSTRUMENTED may have, what the tests run under? */
bool t_under(const char *tool);

/* A fiber with default options, asserted to exist. */
coir_fiber *t_create(coir_fn *fn, void *arg);

/* Uses so many bytes of the stack, and a little more, in frames of about 1 KiB: the number of frames. */
size_t t_recurse(size_t bytes);

/* Where `what` stands in a text, asserted to. */
const char *t_find(const char *text, const char *what);

/* Integers as values. */
#define T_VALUE(n) ((void *)(intptr_t)(n))
#define T_NUMBER(p) ((int)(intptr_t)(p))

/* ---- the system: t_posix.c, t_win32.c ---- */

/* Runs fn(arg) in a child process and tells how that ended: its exit status, 0 if fn returned, or one of these.
 * Where there is no fork the child runs the same case from its start, with earlier calls of this function answered
 * as they were. */
enum {
    T_FAULT = -1, /* touched memory that is not there */
    T_ABORT = -2, /* called abort, as std::terminate does */
    T_KILLED = -3 /* ended in some other violent way */
};
int t_run_in_child(void (*fn)(void *arg), void *arg);

/* The same, and takes what the child writes to standard error, as much as fits. Once in a case: the calls before it that
 * a child finds answered have nothing to be heard. */
int t_listen_to_child(void (*fn)(void *arg), void *arg, char *heard, size_t size);

/* What fn(fd, arg) writes to the file descriptor that it is given; up to some 60 KB. */
void t_listen(void (*fn)(int fd, void *arg), void *arg, char *heard, size_t size);

/* Runs this case again in a new process of this program, with a variable of the environment set: how that ended. Only
 * where each case has its own process. */
int t_run_again(const char *name, const char *value);

/* Ends the process at once. */
void t_exit(int status);

/* Threads. A thread ends by returning, or by t_thread_exit from any depth; its value must fit 31 bits. */
typedef struct {
    bool used;
    uintptr_t system; /* what the system knows it by */
    void *(*fn)(void *arg);
    void *arg;
} t_thread;
t_thread *t_thread_start(void *(*fn)(void *arg), void *arg);
void *t_thread_join(t_thread *thread);
void t_thread_exit(void *value);

/* For t_thread_start: one that is not used. t_thread_join marks it so. */
t_thread *t_thread_take(void);

/* Starts and joins one. */
void *t_on_thread(void *(*fn)(void *arg), void *arg);

/* A key for values that are destroyed when their thread ends, and this thread's value. */
typedef struct {
    unsigned long number;
} t_thread_key;
t_thread_key t_thread_key_create(void (*destroy)(void *value));
void t_thread_key_set(t_thread_key key, void *value);

/* A mutex with one condition: who waits gives the mutex up until another wakes all that wait. */
typedef struct t_monitor t_monitor;
t_monitor *t_monitor_create(void);
void t_monitor_destroy(t_monitor *m);
void t_monitor_enter(t_monitor *m);
void t_monitor_leave(t_monitor *m);
void t_monitor_wait(t_monitor *m);
void t_monitor_wake(t_monitor *m);

/* Readable and writable pages; at `address`, or anywhere for 0. */
size_t t_page_size(void);
void *t_map(uintptr_t address, size_t size);
void t_unmap(void *memory, size_t size);

/* Memory of any alignment. */
void *t_aligned_allocate(size_t alignment, size_t size);
void t_aligned_release(void *memory);

/* Loads a shared object of the build tree, of that name without what the system adds to it: NULL if there is none; and
 * finds a function of it. Nobody else sees its names. */
void *t_library_open(const char *name);
void *t_library_symbol(void *library, const char *name);

/* Sets a variable of the environment, or removes it for NULL. */
void t_setenv(const char *name, const char *value);

/* The memory of this process that is resident, in KiB; and how many mappings it has. */
long t_resident_kib(void);
long t_mappings(void);

/* True where guards take no mappings (Linux 6.13 and later); elsewhere there can be some 32,700 of them. */
bool t_guards_are_free(void);

/* True where the system is wine, which has limits of its own. */
bool t_is_wine(void);

/* Leaves a case that needs stacks which become memory as they are used. */
#define T_SKIP_WHERE_STACKS_ARE_WHOLE                                                                 \
    if (t_is_wine() && t_backend_is("winfiber"))                                                      \
    T_SKIP("wine commits the stacks of native fibers whole, and an overflow of one ends the process")

/* What t_run does before anything else. */
void t_start(const char *program, int only);

#ifdef __cplusplus
}
#endif

#endif
