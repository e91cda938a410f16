/* SPDX-License-Identifier: MIT */
/* A great many fibers at once: that they can be, work, take few mappings and little memory, and give it back. */

#include "t.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many: a million, where memory and the system have room for it. */
#define MANY 1000000
#define BYTES_EACH 5300 /* a page, its place in page tables, and the records */
#define FEW 2000

static double status_kilobytes(const char *name)
{
    char line[256];
    double value = -1;
    FILE *status = fopen("/proc/self/status", "r");
    size_t length = strlen(name);

    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, name, length) == 0 && line[length] == ':')
            value = strtod(line + length + 1, NULL);
    if (status != NULL)
        fclose(status);
    return value;
}

static double available_kilobytes(void)
{
    char line[256];
    double value = 1e9; /* who does not tell, is trusted */
    FILE *info = fopen("/proc/meminfo", "r");

    while (info != NULL && fgets(line, sizeof line, info) != NULL)
        if (strncmp(line, "MemAvailable:", 13) == 0)
            value = strtod(line + 13, NULL);
    if (info != NULL)
        fclose(info);
    return value;
}

static long mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    long lines = 0;
    int c;

    while (maps != NULL && (c = getc(maps)) != EOF)
        lines += c == '\n';
    if (maps != NULL)
        fclose(maps);
    return lines;
}

/* Checkers and emulators are slow, kernels and systems without guards that take no mapping allow some 30,000: there it is
 * the same with fewer. */
static long how_many(void)
{
    long count = MANY;

    if (t_instrumented() || t_is_wine() || getenv("LD_PRELOAD") != NULL || t_backend_is("winfiber"))
        count = FEW;
    while (count > 1000 && (double)count * BYTES_EACH / 1024 > available_kilobytes() / 2)
        count /= 10;
    return count;
}

static coir_fiber **fibers;
static long count;
static long sum;

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

static void make_all(void)
{
    for (long i = 0; i < count; i++)
        ck_assert_int_eq(coir_create(&fibers[i], add_number, (void *)(intptr_t)i, NULL), COIR_OK);
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

/* A page for the stack and 200 bytes for the records; half a KiB of page tables, since each stack has 256 KiB of addresses.
 * Only where the kernel has guards that take no mapping, and contexts are small. */
static void check_costs(double resident, double tables, long maps)
{
    if (count < 100000 || resident < 0 || mappings() - maps > count)
        return;
    ck_assert_int_lt(mappings() - maps, 100);
    if (!t_backend_is("asm"))
        return;
    ck_assert((status_kilobytes("VmRSS") - resident) / (double)count <= 4.3);
    ck_assert((status_kilobytes("VmPTE") - tables) / (double)count <= 0.55);
}

/* A pool keeps up to 256 stacks, each with a page or two that have been used. */
#define WATERMARK (256 * 8)

START_TEST(a_million_guarded_fibers_live_at_once_cost_a_page_each_and_give_it_back)
{
    coir_fiber *first = warm_up();
    double resident, tables;
    long maps;

    count = how_many();
    allocate_array();
    resident = status_kilobytes("VmRSS");
    tables = status_kilobytes("VmPTE");
    maps = mappings();
    make_all();
    resume_all(COIR_YIELDED);
    ck_assert(sum == count * (count - 1) / 2);
    check_costs(resident, tables, maps);
    resume_all(COIR_DONE);
    ck_assert(sum == 0);
    destroy_all();
    if (resident > 0 && !t_instrumented())
        ck_assert(status_kilobytes("VmRSS") <= resident * 1.05 + WATERMARK);
    cool_down(first);
    free(fibers);
}
END_TEST

START_TEST(memory_goes_back_when_fibers_end_in_any_order_and_the_pool_is_trimmed)
{
    coir_fiber *first = warm_up();
    double resident;

    count = how_many() / 10;
    allocate_array();
    resident = status_kilobytes("VmRSS");
    make_all();
    resume_all(COIR_YIELDED);
    mix();
    resume_all(COIR_DONE);
    destroy_all();
    ck_assert_int_eq(coir_pool_trim(0), COIR_OK);
    if (resident > 0 && !t_instrumented())
        ck_assert(status_kilobytes("VmRSS") <= resident * 1.05 + 512);
    cool_down(first);
    free(fibers);
}
END_TEST

T_MAIN(a_million_guarded_fibers_live_at_once_cost_a_page_each_and_give_it_back,
       memory_goes_back_when_fibers_end_in_any_order_and_the_pool_is_trimmed)
