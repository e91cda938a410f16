/* SPDX-License-Identifier: MIT */
/* A great many fibers at once: that they can be, work, take few mappings and little memory, and give it back. */

#include "t.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many: a million, where memory and the system have room for it. Checkers are slow, and systems without guards that
 * take no mapping end near 30,000: there it is the same with fewer. */
#define MANY 1000000
#define FEW 2000

/* The value of a line "NAME: 123 kB", or of a file that holds nothing but a number of bytes for NULL, in KiB; -1 if there
 * is none. */
static double read_kilobytes(const char *path, const char *name)
{
    char line[256];
    double value = -1;
    FILE *file = fopen(path, "r");
    size_t length = name != NULL ? strlen(name) : 0;

    while (file != NULL && value < 0 && fgets(line, sizeof line, file) != NULL) {
        if (name == NULL)
            value = strtod(line, NULL) > 0 ? strtod(line, NULL) / 1024 : 1e18; /* "max" */
        else if (strncmp(line, name, length) == 0 && line[length] == ':')
            value = strtod(line + length + 1, NULL);
    }
    if (file != NULL)
        fclose(file);
    return value;
}

/* What is to be had: of the machine, and in a container of that. */
static double available_kilobytes(void)
{
    double machine = read_kilobytes("/proc/meminfo", "MemAvailable");
    double container = read_kilobytes("/sys/fs/cgroup/memory.max", NULL);

    return container >= 0 && container < machine ? container : machine;
}

/* A page for the stack, and less than 1200 bytes of page tables and records. Where the system does not tell how much
 * memory there is, it may be little. */
static long how_many(void)
{
    double each = ((double)t_page_size() + 1200) / 1024;
    long count = t_few() ? MANY / 10 : MANY;

    if (t_instrumented() || !t_guards_are_free() || t_backend_is("winfiber"))
        return FEW;
    while (count > FEW && (double)count * each > available_kilobytes() / 2)
        count /= 10;
    return count < FEW ? FEW : count;
}

static coir_fiber **fibers;
static long count;
static long sum;
static bool was_scarce;

static void *add_number(void *number)
{
    sum += (long)(intptr_t)number;
    coir_yield(NULL, NULL);
    sum -= (long)(intptr_t)number;
    return number;
}

/* Touched, so that it does not count as the fibers'. */
static void allocate_array(void)
{
    fibers = malloc((size_t)count * sizeof *fibers);
    ck_assert_ptr_nonnull(fibers);
    memset(fibers, 1, (size_t)count * sizeof *fibers);
}

/* As many as there is room for: address space may be scarce (ulimit -v, strict overcommit, small processors). */
static void make_all(void)
{
    for (long i = 0; i < count; i++) {
        int error = coir_create(&fibers[i], add_number, (void *)(intptr_t)i, NULL);
        if (error == COIR_OK)
            continue;
        ck_assert(error == COIR_ENOMEM || error == COIR_EMAPS);
        ck_assert_int_gt(i, 100);
        count = i;
        was_scarce = true;
    }
}

static void resume_all(int result)
{
    for (long i = 0; i < count; i++)
        if (coir_resume(fibers[i], NULL, NULL) != result)
            ck_abort_msg("one could not be resumed");
}

static void destroy_all(void)
{
    for (long i = 0; i < count; i++)
        coir_destroy(fibers[i]);
    free(fibers);
}

/* In an order that has nothing to do with the one in which they were made. */
static void mix(void)
{
    uint64_t random = 1;

    for (long i = count - 1; i > 0; i--) {
        long j;
        coir_fiber *f = fibers[i];
        random = random * 6364136223846793005u + 1442695040888963407u;
        j = (long)((random >> 33) % (uint64_t)(i + 1));
        fibers[i] = fibers[j];
        fibers[j] = f;
    }
}

/* What a thread's first fiber brings along is not to be counted. */
static coir_fiber *warm_up(void)
{
    coir_fiber *f = t_create(add_number, NULL);

    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_YIELDED);
    return f;
}

static void cool_down(coir_fiber *f)
{
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    coir_destroy(f);
}

static double table_kilobytes(void)
{
    return read_kilobytes("/proc/self/status", "VmPTE");
}

/* A page for the stack and 336 bytes for the records, which musl's malloc makes 360; half a KiB of page tables, since each stack
 * has 256 KiB of addresses. ucontext's own records make some stacks touch a second page. */
static void check_costs(long resident, double tables, long maps)
{
    double page = (double)t_page_size() / 1024;

    if (count < 100000)
        return;
    ck_assert_int_lt(t_mappings() - maps, 100);
    if (!t_backend_is("asm"))
        return;
    ck_assert((double)(t_resident_kib() - resident) / (double)count <= page + 0.36);
    if (page <= 4)
        ck_assert((table_kilobytes() - tables) / (double)count <= 0.55);
}

/* What stays: a pool keeps up to 256 stacks, with a page or two each that have been used; and the kernel counts what is
 * resident in several places, which it adds up roughly. */
#define POOLED (256 * 2 * (long)(t_page_size() / 1024))
#define ROUGHLY 4096

/* Where address space has run out, malloc takes it in pieces that it does not give back. */
static void check_back_to(long resident)
{
    if (!t_instrumented() && !was_scarce)
        ck_assert_int_le(t_resident_kib(), resident + resident / 20 + ROUGHLY);
}

START_TEST(a_million_guarded_fibers_live_at_once_cost_a_page_each_and_give_it_back)
{
    coir_fiber *first = warm_up();
    double tables;
    long resident, maps;

    count = how_many();
    allocate_array();
    resident = t_resident_kib();
    tables = table_kilobytes();
    maps = t_mappings();
    make_all();
    resume_all(COIR_YIELDED);
    ck_assert(sum == count * (count - 1) / 2);
    check_costs(resident, tables, maps);
    resume_all(COIR_DONE);
    ck_assert(sum == 0);
    destroy_all();
    check_back_to(resident + POOLED);
    cool_down(first);
}
END_TEST

START_TEST(memory_goes_back_when_fibers_end_in_any_order_and_the_pool_is_trimmed)
{
    coir_fiber *first = warm_up();
    long resident;

    count = how_many() / 10;
    allocate_array();
    resident = t_resident_kib();
    make_all();
    resume_all(COIR_YIELDED);
    mix();
    resume_all(COIR_DONE);
    destroy_all();
    ck_assert_int_eq(coir_pool_trim(0), COIR_OK);
    check_back_to(resident);
    cool_down(first);
}
END_TEST

T_MAIN(a_million_guarded_fibers_live_at_once_cost_a_page_each_and_give_it_back,
       memory_goes_back_when_fibers_end_in_any_order_and_the_pool_is_trimmed)
