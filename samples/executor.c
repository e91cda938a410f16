/* SPDX-License-Identifier: MIT */
/* executor: three tasks take turns at printing four letters each.
 * executor YIELDS: two tasks yield YIELDS times each. Says how long that took. */
#include <coir.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Gives the result of a call, or ends the program if that is an error. */
static int check(const char *call, int result)
{
    if (result >= 0)
        return result;
    fprintf(stderr, "executor: %s: %s\n", call, coir_strerror(result));
    exit(1);
}

static void *print_letters(void *arg)
{
    for (char letter = 'A'; letter <= 'D'; letter++) {
        printf("%s %c\n", (const char *)arg, letter);
        check("coir_task_yield", coir_task_yield());
    }
    return NULL;
}

static void *yield_often(void *arg)
{
    const uint64_t *yields = arg;

    for (uint64_t n = *yields; n > 0; n--)
        check("coir_task_yield", coir_task_yield());
    return NULL;
}

static void show_turns(coir_exec *e)
{
    static char *const names[] = {"1", "2", "3"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        check("coir_spawn", coir_spawn(NULL, e, print_letters, names[i], NULL));
    check("coir_exec_run", coir_exec_run(e));
}

static void measure(coir_exec *e, uint64_t yields)
{
    int64_t start = coir_now();
    double took;

    for (int i = 0; i < 2; i++)
        check("coir_spawn", coir_spawn(NULL, e, yield_often, &yields, NULL));
    check("coir_exec_run", coir_exec_run(e));
    took = (double)(coir_now() - start);
    printf("2 tasks, %.0f yields each: %.3f s, %.2f ns per yield\n", (double)yields, took / 1e9,
           took / (2 * (double)yields));
}

static uint64_t number(const char *text)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || value == 0 || value > INT64_MAX) {
        fprintf(stderr, "executor: %s is no number to work with\nusage: executor [YIELDS]\n", text);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    uint64_t yields = argc > 1 ? number(argv[1]) : 0;
    coir_exec *e;

    if (argc > 2) {
        fprintf(stderr, "usage: executor [YIELDS]\n");
        return 2;
    }
    check("coir_exec_create", coir_exec_create(&e, NULL));
    if (yields == 0)
        show_turns(e);
    else
        measure(e, yields);
    check("coir_exec_destroy", coir_exec_destroy(e));
    return 0;
}
