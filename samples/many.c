/* SPDX-License-Identifier: MIT */
/* many [COUNT [STACK_SIZE]]: creates COUNT fibers (a million), runs each to a suspension, resumes all of them in turn to
 * their end, and destroys them. Says what that took. */
#include <coir.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* A figure of /proc/self/status in KiB, such as "VmRSS:"; negative where the system has no such file. */
static double status_kib(const char *name)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    double kib = -1;

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            kib = strtod(line + strlen(name), NULL);
    if (file != NULL)
        fclose(file);
    return kib;
}

/* The number of this process's mappings; negative where the system does not tell. */
static long mappings(void)
{
    FILE *file = fopen("/proc/self/maps", "r");
    long lines = 0;

    if (file == NULL)
        return -1;
    for (int c = getc(file); c != EOF; c = getc(file))
        lines += c == '\n';
    fclose(file);
    return lines;
}

/* Adds its number to the sum that the argument points to, sleeps, and adds it again. */
static void *add_twice(void *arg)
{
    uint64_t *sum = arg;
    void *number;

    coir_yield(NULL, &number);
    *sum += (uintptr_t)number;
    coir_yield(NULL, &number);
    *sum += (uintptr_t)number;
    return NULL;
}

/* A dot for every tenth of the work. */
static void show_progress(size_t done, size_t count)
{
    if (count >= 10 && done % (count / 10) == 0) {
        fputc('.', stderr);
        fflush(stderr);
    }
}

static void start_line(const char *what)
{
    fprintf(stderr, "%-8s ", what);
}

static void end_line(double start, size_t count)
{
    double took = seconds() - start;

    fprintf(stderr, " %.2f s, %.0f ns each\n", took, took * 1e9 / (double)count);
}

static int create_all(coir_fiber **fibers, size_t count, size_t stack_size, uint64_t *sum)
{
    coir_options options = {0};
    double start = seconds();

    options.stack_size = stack_size;
    start_line("create");
    for (size_t i = 0; i < count; i++) {
        int error = coir_create(&fibers[i], add_twice, sum, &options);
        if (error != COIR_OK) {
            fprintf(stderr, "\nfiber %zu: %s\n", i, coir_strerror(error));
            return error;
        }
        coir_resume(fibers[i], NULL, NULL);
        show_progress(i + 1, count);
    }
    end_line(start, count);
    return COIR_OK;
}

static void resume_all(coir_fiber **fibers, size_t count)
{
    double start = seconds();

    start_line("resume");
    for (size_t i = 0; i < count; i++) {
        coir_resume(fibers[i], (void *)(uintptr_t)i, NULL);
        show_progress(i + 1, count);
    }
    end_line(start, count);
    start = seconds();
    start_line("finish");
    for (size_t i = 0; i < count; i++) {
        coir_resume(fibers[i], (void *)(uintptr_t)i, NULL);
        show_progress(i + 1, count);
    }
    end_line(start, count);
}

static void destroy_all(coir_fiber **fibers, size_t count)
{
    double start = seconds();

    start_line("destroy");
    for (size_t i = 0; i < count; i++) {
        coir_destroy(fibers[i]);
        show_progress(i + 1, count);
    }
    end_line(start, count);
}

static void show_memory(size_t count, double resident, double tables)
{
    if (resident < 0)
        return;
    fprintf(stderr, "memory   %.0f bytes a fiber resident, %.0f of page tables; %ld mappings in all\n",
            (status_kib("VmRSS:") - resident) * 1024 / (double)count,
            (status_kib("VmPTE:") - tables) * 1024 / (double)count, mappings());
}

static size_t number(const char *text)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);

    if (*end != '\0' || end == text || *text == '-' || value == 0 || value > SIZE_MAX / sizeof(void *)) {
        fprintf(stderr, "many: %s is no number to work with\nusage: many [COUNT [STACK_SIZE]]\n", text);
        exit(2);
    }
    return (size_t)value;
}

int main(int argc, char **argv)
{
    size_t count = argc > 1 ? number(argv[1]) : 1000000;
    size_t stack_size = argc > 2 ? number(argv[2]) : 0;
    coir_fiber **fibers = calloc(count, sizeof *fibers);
    double resident, tables;
    uint64_t sum = 0;

    if (fibers == NULL) {
        fprintf(stderr, "many: no memory for %zu pointers\n", count);
        return 1;
    }
    memset(fibers, 0xff, count * sizeof *fibers); /* so that they are not counted with the fibers' memory */
    resident = status_kib("VmRSS:");
    tables = status_kib("VmPTE:");
    if (create_all(fibers, count, stack_size, &sum) != COIR_OK)
        return 1;
    show_memory(count, resident, tables);
    resume_all(fibers, count);
    destroy_all(fibers, count);
    coir_pool_trim(0);
    free(fibers);

    if (sum != (uint64_t)count * (count - 1)) {
        fprintf(stderr, "many: the sum is wrong\n");
        return 1;
    }
    printf("%zu fibers took two turns each\n", count);
    return 0;
}
