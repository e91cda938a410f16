/* SPDX-License-Identifier: MIT */
/* Tasks in a group: download_all starts some and does not return before all have ended. When one fails, the others are
 * cancelled; they clean up first, and may even wait while they do. The first error comes out of coir_group_wait. */
#include <coir.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* A code of the program's own, beside those of coir. */
enum { NOT_FOUND = -404 };

struct download {
    const char *name;
    int milliseconds; /* how long it takes */
    int result;       /* and what comes of it then */
};

/* Gives the result of a call, or ends the program if that is an error. */
static int check(const char *call, int result)
{
    if (result >= 0)
        return result;
    fprintf(stderr, "structured: %s: %s\n", call, coir_strerror(result));
    exit(1);
}

static void say(const char *who, const char *what)
{
    printf("%4d ms  %s %s\n", (int)(coir_now() / COIR_MILLISECOND), who, what);
}

/* Takes 5 ms. Without the shield the sleep of a cancelled task would fail at once. */
static void remove_part(const struct download *d)
{
    int before = check("coir_task_shield", coir_task_shield(1));

    say(d->name, "is cancelled, and removes what it has");
    check("coir_sleep", coir_sleep(5 * COIR_MILLISECOND));
    say(d->name, "has removed it");
    check("coir_task_shield", coir_task_shield(before));
}

static int download(void *arg)
{
    const struct download *d = arg;
    int result = coir_sleep(d->milliseconds * COIR_MILLISECOND);

    if (result == COIR_ECANCELED) {
        remove_part(d);
        return result;
    }
    check("coir_sleep", result);
    say(d->name, d->result == COIR_OK ? "is complete" : "is not there");
    return d->result;
}

static int download_all(struct download *downloads, size_t count)
{
    coir_group *g;
    int result;

    check("coir_group_create", coir_group_create(&g, NULL));
    for (size_t i = 0; i < count; i++)
        check("coir_group_spawn", coir_group_spawn(g, download, &downloads[i], NULL));
    result = coir_group_wait(g);
    check("coir_group_destroy", coir_group_destroy(g));
    return result;
}

static void *show(void *arg)
{
    struct download good[] = {{"one", 20, COIR_OK}, {"two", 10, COIR_OK}};
    struct download bad[] = {{"three", 10, COIR_OK}, {"four", 20, NOT_FOUND}, {"five", 60000, COIR_OK}};

    say("two downloads:", download_all(good, 2) == COIR_OK ? "all complete" : "an error");
    say("three downloads:", download_all(bad, 3) == NOT_FOUND ? "one was not there" : "no error, or another");
    return arg;
}

int main(void)
{
    coir_exec_options options = {0};
    coir_exec *e;

    options.flags = COIR_VIRTUAL_CLOCK;
    check("coir_exec_create", coir_exec_create(&e, &options));
    check("coir_spawn", coir_spawn(NULL, e, show, NULL, NULL));
    check("coir_exec_run", coir_exec_run(e));
    check("coir_exec_destroy", coir_exec_destroy(e));
    return 0;
}
