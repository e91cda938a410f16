/* SPDX-License-Identifier: MIT */
/* Generators without an end: one counts, another takes from it and hands out the squares. Whoever has had enough
 * destroys the generator. */
#include <coir.h>
#include <stdio.h>
#include <stdlib.h>

/* Gives the result of a call, or ends the program if that is an error. */
static int check(const char *call, int result)
{
    if (result >= 0)
        return result;
    fprintf(stderr, "iota: %s: %s\n", call, coir_strerror(result));
    exit(1);
}

static int iota(coir_gen *g, void *arg)
{
    for (int n = *(const int *)arg;; n++) {
        int error = coir_gen_yield(g, &n);
        if (error != COIR_OK)
            return error;
    }
}

static void destroy_generator(void *g)
{
    check("coir_gen_destroy", coir_gen_destroy(g));
}

/* A deferred function frees its own generator of numbers: when this one is destroyed in coir_gen_yield, that returns no
 * more. */
static int squares(coir_gen *g, void *arg)
{
    coir_gen *numbers;
    int n, error;

    check("coir_gen_create", coir_gen_create(&numbers, sizeof n, iota, arg, NULL));
    check("coir_defer", coir_defer(destroy_generator, numbers));
    while ((error = coir_gen_next(numbers, &n)) > 0) {
        n *= n;
        error = coir_gen_yield(g, &n);
        if (error != COIR_OK)
            break;
    }
    return error;
}

static void print_ten(const char *name, coir_gen_fn *fn, int from)
{
    coir_gen *g;
    int item;

    check("coir_gen_create", coir_gen_create(&g, sizeof item, fn, &from, NULL));
    printf("%s", name);
    for (int i = 0; i < 10 && check("coir_gen_next", coir_gen_next(g, &item)) > 0; i++)
        printf(" %d", item);
    printf("\n");
    check("coir_gen_destroy", coir_gen_destroy(g));
}

int main(void)
{
    print_ten("iota:   ", iota, 0);
    print_ten("squares:", squares, 1);
    return 0;
}
