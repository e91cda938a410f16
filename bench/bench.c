/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "bench.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 7
#define MOST_CONTENDERS 16

double bench_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* To the last processor that we may use: the first has most of the system's own work. */
static void pin(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return;
    for (size_t cpu = CPU_SETSIZE; cpu-- > 0;) {
        if (CPU_ISSET(cpu, &set)) {
            CPU_ZERO(&set);
            CPU_SET(cpu, &set);
            sched_setaffinity(0, sizeof set, &set);
            return;
        }
    }
}

/* Says what is going on, to a person only: on a terminal, in a line that is written over. */
static void show_progress(int round, const char *name)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%-50s\rround %d of %d: %s", "", round, ROUNDS, name);
}

/* Runs one measurement in a child: its figure, or a negative number if it had none. */
static double measure(const struct bench_contender *contender)
{
    int ends[2];
    double figure = -1;
    pid_t child;

    if (pipe(ends) != 0)
        return -1;
    child = fork();
    if (child == 0) {
        if (contender->backend != NULL)
            setenv("COIR_BACKEND", contender->backend, 1);
        figure = contender->measure();
        _exit(write(ends[1], &figure, sizeof figure) == sizeof figure ? 0 : 1);
    }
    close(ends[1]);
    if (child < 0 || read(ends[0], &figure, sizeof figure) != sizeof figure)
        figure = -1;
    close(ends[0]);
    waitpid(child, NULL, 0);
    return figure;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int bench_run(const char *title, const struct bench_contender *contenders, int count)
{
    static double figures[MOST_CONTENDERS][ROUNDS];
    double reference;

    pin();
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < count; i++) {
            show_progress(round + 1, contenders[i].name);
            figures[i][round] = measure(&contenders[i]);
        }
    }
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%-50s\r", "");

    printf("%s: ns, %d rounds\n%-24s %9s %9s %9s %9s\n", title, ROUNDS, "", "min", "median", "max", "ratio");
    for (int i = 0; i < count; i++)
        qsort(figures[i], ROUNDS, sizeof(double), compare);
    reference = 0;
    for (int i = count - 1; i >= 0; i--)
        if (figures[i][0] >= 0)
            reference = figures[i][ROUNDS / 2];
    for (int i = 0; i < count; i++) {
        double median = figures[i][ROUNDS / 2];
        if (figures[i][0] < 0)
            printf("%-24s %9s\n", contenders[i].name, "absent");
        else
            printf("%-24s %9.2f %9.2f %9.2f %9.2f\n", contenders[i].name, figures[i][0], median,
                   figures[i][ROUNDS - 1], median / reference);
    }
    return 0;
}
