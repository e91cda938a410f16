/* SPDX-License-Identifier: MIT */
/* A function that takes two naps before it returns: it suspends itself, and its caller wakes it up when it likes. */
#include <coir.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct numbers {
    intptr_t x, y;
};

static void *print_in_parts(void *arg)
{
    const struct numbers *n = arg;

    puts("1) [print_in_parts] Hello there! Im taking a nap.");
    coir_yield(NULL, NULL);
    puts("3) [print_in_parts] Why did you wake me up? Im going back to sleep.");
    coir_yield(NULL, NULL);
    puts("5) [print_in_parts] Fine, here you go.");
    return (void *)(n->x + n->y);
}

static void async_main(void)
{
    struct numbers n = {1, 2};
    coir_fiber *sleeper;
    void *sum;

    if (coir_create(&sleeper, print_in_parts, &n, NULL) != COIR_OK)
        abort();
    coir_resume(sleeper, NULL, NULL);
    puts("2) [async_main] Wake up!");
    coir_resume(sleeper, NULL, NULL);
    puts("4) [async_main] Grab a brush and put a little (makeup)!");
    coir_resume(sleeper, NULL, &sum);
    printf("6) [async_main] print_in_parts(1,2) == %d\n", (int)(intptr_t)sum);
    coir_destroy(sleeper);
}

int main(void)
{
    async_main();
    return 0;
}
