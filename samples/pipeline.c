/* SPDX-License-Identifier: MIT */
/* Three stages joined by two channels: numbers, their squares, the sum. A stage that has no more to send closes its
 * channel; the next one still gets all that the channel holds, and only then hears of the end. */
#include <coir.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { LAST_NUMBER = 9, CAPACITY = 4 };

struct pipeline {
    coir_chan *numbers, *squares;
};

/* Gives the result of a call, or ends the program if that is an error. */
static int check(const char *call, int result)
{
    if (result >= 0)
        return result;
    fprintf(stderr, "pipeline: %s: %s\n", call, coir_strerror(result));
    exit(1);
}

/* Is there another item? If not, the channel is closed and empty. */
static int receive(coir_chan *c, int *item)
{
    int result = coir_chan_recv(c, item);

    return result != COIR_ECLOSED && check("coir_chan_recv", result) == COIR_OK;
}

static void *send_numbers(void *arg)
{
    const struct pipeline *p = arg;

    for (int n = 1; n <= LAST_NUMBER; n++)
        check("coir_chan_send", coir_chan_send(p->numbers, &n));
    check("coir_chan_close", coir_chan_close(p->numbers));
    printf("numbers closed, %d of them not taken yet\n", (int)coir_chan_count(p->numbers));
    return NULL;
}

static void *square(void *arg)
{
    const struct pipeline *p = arg;
    int n;

    while (receive(p->numbers, &n)) {
        n *= n;
        check("coir_chan_send", coir_chan_send(p->squares, &n));
    }
    check("coir_chan_close", coir_chan_close(p->squares));
    printf("squares closed, %d of them not taken yet\n", (int)coir_chan_count(p->squares));
    return NULL;
}

static void *add_up(void *arg)
{
    const struct pipeline *p = arg;
    intptr_t sum = 0;
    int n;

    while (receive(p->squares, &n)) {
        printf("%d\n", n);
        sum += n;
    }
    return (void *)sum;
}

int main(void)
{
    struct pipeline p;
    coir_exec *e;
    coir_task *sum;
    void *result;

    check("coir_exec_create", coir_exec_create(&e, NULL));
    check("coir_chan_create", coir_chan_create(&p.numbers, sizeof(int), CAPACITY));
    check("coir_chan_create", coir_chan_create(&p.squares, sizeof(int), CAPACITY));
    check("coir_spawn", coir_spawn(NULL, e, send_numbers, &p, NULL));
    check("coir_spawn", coir_spawn(NULL, e, square, &p, NULL));
    check("coir_spawn", coir_spawn(&sum, e, add_up, &p, NULL));
    check("coir_exec_run", coir_exec_run(e));
    check("coir_await", coir_await(sum, &result));
    printf("sum %d\n", (int)(intptr_t)result);
    check("coir_chan_destroy", coir_chan_destroy(p.squares));
    check("coir_chan_destroy", coir_chan_destroy(p.numbers));
    check("coir_exec_destroy", coir_exec_destroy(e));
    return 0;
}
