/* SPDX-License-Identifier: MIT */
/* A computation that does not start until its value is asked for, and then runs once. One whose value nobody asks for
 * never runs. */
#include <coir.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct lazy {
    coir_fiber *computation;
    void *value; /* once the computation has ended */
};

/* Gives the result of a call, or ends the program if that is an error. */
static int check(const char *call, int result)
{
    if (result >= 0)
        return result;
    fprintf(stderr, "lazy: %s: %s\n", call, coir_strerror(result));
    exit(1);
}

static struct lazy lazy_start(coir_fn *fn, void *arg)
{
    struct lazy lazy = {0};

    check("coir_create", coir_create(&lazy.computation, fn, arg, NULL)); /* nothing runs yet */
    return lazy;
}

static void *lazy_get(struct lazy *lazy)
{
    if (coir_fiber_state(lazy->computation) == COIR_STATE_NEW)
        check("coir_resume", coir_resume(lazy->computation, NULL, &lazy->value));
    return lazy->value;
}

static void lazy_end(struct lazy *lazy)
{
    check("coir_destroy", coir_destroy(lazy->computation));
}

static void *seven(void *arg)
{
    printf("%s: I compute\n", (const char *)arg);
    return (void *)(intptr_t)7;
}

int main(void)
{
    struct lazy first = lazy_start(seven, "first");
    struct lazy second = lazy_start(seven, "second");

    puts("main: nothing has run");
    printf("main: first is %d\n", (int)(intptr_t)lazy_get(&first));
    printf("main: first is still %d\n", (int)(intptr_t)lazy_get(&first));
    puts("main: nobody has asked for second");
    lazy_end(&second);
    lazy_end(&first);
    return 0;
}
