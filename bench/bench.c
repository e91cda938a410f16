/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_os.h"

#define ROUNDS 7
#define MOST_CONTENDERS 16

/* Says what is going on, to a person only: on a terminal, in a line that is written over. */
static void show_progress(int round, const char *name)
{
    if (bench_is_watched())
        fprintf(stderr, "\r%-50s\rround %d of %d: %s", "", round, ROUNDS, name);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int bench_run(int argc, char **argv, const char *title, const struct bench_contender *contenders, int count)
{
    static double figures[MOST_CONTENDERS][ROUNDS];
    double reference;

    if (argc == 3 && strcmp(argv[1], BENCH_MEASURE) == 0) {
        printf("%.17g\n", contenders[atoi(argv[2])].measure());
        return 0;
    }
    bench_pin();
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < count; i++) {
            show_progress(round + 1, contenders[i].name);
            figures[i][round] = bench_measure_apart(argv[0], i, contenders[i].backend);
        }
    }
    if (bench_is_watched())
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
