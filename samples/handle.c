/* SPDX-License-Identifier: MIT */
/* Coroutines behind an opaque handle, as a library would give them to its users: make one, which runs to its first
 * suspension; resume it as often as you like; destroy it in the middle. What it deferred runs then. */
#include <coir.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the library's side: a handle is a pointer to nobody knows what ---- */

static void say_goodbye(void *arg)
{
    (void)arg;
    puts("cleanup");
}

static void *count_up(void *arg)
{
    coir_defer(say_goodbye, NULL);
    for (int n = *(int *)arg;; n++) {
        printf("%d\n", n);
        if (coir_yield(NULL, NULL) != COIR_OK)
            return NULL;
    }
}

static void *counter_start(int from)
{
    coir_fiber *f;

    if (coir_create(&f, count_up, &from, NULL) != COIR_OK)
        return NULL;
    coir_resume(f, NULL, NULL); /* `from` is read before the first yield, so it need not live longer */
    return f;
}

static void counter_resume(void *handle)
{
    coir_resume(handle, NULL, NULL);
}

static void counter_destroy(void *handle)
{
    coir_destroy(handle);
}

/* ---- the user's side ---- */

int main(void)
{
    void *handle = counter_start(4);

    if (handle == NULL)
        return 1;
    counter_resume(handle);
    counter_resume(handle);
    counter_destroy(handle);
    return 0;
}
