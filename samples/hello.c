/* SPDX-License-Identifier: MIT */
/* The first program: a fiber that hands out numbers, and main that takes them. */
#include <coir.h>
#include <stdint.h>
#include <stdio.h>

static void *count(void *arg)
{
    for (intptr_t n = 1; n <= (intptr_t)arg; n++)
        coir_yield((void *)n, NULL); /* main gets n, and continues */
    return NULL;
}

int main(void)
{
    coir_fiber *counter;
    void *n;

    int error = coir_create(&counter, count, (void *)3, NULL);
    if (error != COIR_OK) {
        fprintf(stderr, "coir_create: %s\n", coir_strerror(error));
        return 1;
    }
    while (coir_resume(counter, NULL, &n) == COIR_YIELDED)
        printf("hello %d\n", (int)(intptr_t)n);
    coir_destroy(counter);
    return 0;
}
