/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "bench.h"
#include "bench_os.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

double bench_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* To the last processor that we may use: the first has most of the system's own work. */
void bench_pin(void)
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

bool bench_is_watched(void)
{
    return isatty(STDERR_FILENO);
}

double bench_run_command(const char *command)
{
    double figure = -1;
    FILE *child = popen(command, "r");

    if (child == NULL)
        return -1;
    if (fscanf(child, "%lf", &figure) != 1)
        figure = -1;
    pclose(child);
    return figure;
}

double bench_measure_apart(const char *program, int contender, const char *backend)
{
    char command[1024];

    if (backend != NULL)
        setenv("COIR_BACKEND", backend, 1);
    else
        unsetenv("COIR_BACKEND");
    snprintf(command, sizeof command, "'%s' " BENCH_MEASURE " %d", program, contender);
    return bench_run_command(command);
}
