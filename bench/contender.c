/* SPDX-License-Identifier: MIT */
#include "contender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os.h"

#define LEAST_TIMES 100

const char *contender_variant;

static const char *failure = "it failed";

double contender_now(void)
{
    return os_now();
}

double contender_failed(const char *why)
{
    failure = why;
    return -1;
}

static int fail(void)
{
    printf("- %s\n", failure);
    return 1;
}

static int print_figure(double figure)
{
    if (figure < 0)
        return fail();
    printf("%.17g\n", figure);
    return 0;
}

/* A run that was too short tells how many times would last long enough; it may mislead, so it is not trusted with more
 * than tenfold. */
static long more_times(long times, double took, double wanted)
{
    double factor = took > 0 ? wanted / took * 1.1 : 10;

    if (factor > 10)
        factor = 10;
    return (long)((double)times * factor) + 1;
}

static double repeat(const struct contender_answer *answer, long count, double wanted)
{
    long times = count > LEAST_TIMES ? count : LEAST_TIMES;

    for (;;) {
        double took = answer->function(times, count);
        if (took < 0)
            return took;
        if (took >= wanted)
            return took / (double)times;
        times = more_times(times, took, wanted);
    }
}

static int measure_memory(const struct contender_answer *answer, long count)
{
    struct os_memory before, after;
    double made;

    if (!os_memory(&before)) {
        contender_failed("this system does not tell");
        return fail();
    }
    made = answer->function(count, count);
    if (made < 0 || !os_memory(&after))
        return fail();
    printf("%.0f %.0f %.0f %.0f\n", (after.resident - before.resident) / made, (after.mapped - before.mapped) / made,
           (after.tables - before.tables) / made, after.mappings - before.mappings);
    return 0;
}

static const struct contender_answer *find_answer(const char *question)
{
    for (const struct contender_answer *answer = contender_answers; answer->question != NULL; answer++)
        if (strcmp(answer->question, question) == 0 &&
            (answer->variant == NULL || strcmp(answer->variant, contender_variant) == 0))
            return answer;
    return NULL;
}

int main(int argc, char **argv)
{
    const struct contender_answer *answer;
    long count;

    if (argc != 5) {
        fprintf(stderr, "usage: %s VARIANT QUESTION COUNT MILLISECONDS\n", argv[0]);
        return 2;
    }
    contender_variant = argv[1];
    answer = find_answer(argv[2]);
    count = atol(argv[3]);
    if (answer == NULL || count < 1) {
        contender_failed("no such question");
        return fail();
    }
    if (answer->kind == CONTENDER_MEMORY)
        return measure_memory(answer, count);
    if (answer->kind == CONTENDER_ONCE) {
        double took = answer->function(count, count);
        return print_figure(took < 0 ? took : took / (double)count);
    }
    return print_figure(repeat(answer, count, atof(argv[4]) * 1e6));
}
