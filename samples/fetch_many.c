/* SPDX-License-Identifier: MIT */
/* Downloads any number of pages, a few at a time: as many tasks as there may be downloads at once take them from one
 * channel. Each try has a deadline; what fails in a way that may pass is tried again, after a pause that grows.
 *
 *     fetch_many [-j JOBS] [-r RETRIES] [-t SECONDS] [URL...]        8 jobs, 2 retries, 10 seconds a try
 *
 * Without a URL it reads them from the standard input, one a line. Prints a line for each, in their order: URL STATUS
 * BYTES, or URL error: SENTENCE; at last, to the standard error, what it came to. Ctrl-C cancels what is left. The
 * program's own status is 1 if one failed: an error, or a status from 400 on. */
#include "http.h"
#include <coir.h>
#include <coir/uv.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 4096 };

#define FIRST_PAUSE (100 * COIR_MILLISECOND)
#define LONGEST_PAUSE (10 * COIR_SECOND)

struct page {
    char *url;
    bool is_done;
    int result;
    struct http_page got; /* if the result is COIR_OK */
};

struct batch {
    struct page *pages;
    size_t count, printed;
    size_t good;    /* of those that were printed, */
    uint64_t bytes; /* and all that these have */
    long jobs, retries;
    int64_t timeout;
    coir_chan *queue; /* of struct page * */
    coir_group *workers;
    bool is_interrupted;
};

/* Gives the result of a call, or ends the program if that is an error. */
static int check(const char *call, int result)
{
    if (result >= 0)
        return result;
    fprintf(stderr, "fetch_many: %s: %s\n", call, coir_uv_strerror(result));
    exit(1);
}

/* ---- results ---- */

static bool is_good(const struct page *p)
{
    return p->result == COIR_OK && p->got.status < 400;
}

static void print(struct batch *b, const struct page *p)
{
    if (p->result == COIR_OK)
        printf("%s %d %" PRIu64 "\n", p->url, p->got.status, p->got.bytes);
    else
        printf("%s error: %s\n", p->url, http_strerror(p->result));
    if (!is_good(p))
        return;
    b->good++;
    b->bytes += p->got.bytes;
}

/* Prints those for whose turn nobody has to wait any more. */
static void print_done(struct batch *b)
{
    while (b->printed < b->count && b->pages[b->printed].is_done)
        print(b, &b->pages[b->printed++]);
    fflush(stdout);
}

static void print_summary(const struct batch *b, int64_t start)
{
    fprintf(stderr, "%zu of %zu pages, %" PRIu64 " bytes, in %.2f s%s\n", b->good, b->count, b->bytes,
            (double)(coir_now() - start) / COIR_SECOND, b->is_interrupted ? "; interrupted" : "");
}

/* ---- downloads ---- */

/* Is it worth another try? */
static bool may_pass(const struct page *p)
{
    switch (p->result) {
    case COIR_OK: return p->got.status >= 500;
    case COIR_ETIMEDOUT:
    case HTTP_ESHORT: return true;
    default: return COIR_UV_IS_ERROR(p->result) && p->result != COIR_UV_ERROR(UV_EAI_NONAME);
    }
}

static void fetch(struct page *p, const struct batch *b)
{
    int64_t pause = FIRST_PAUSE;

    p->result = http_get_until(p->url, coir_now() + b->timeout, &p->got);
    for (long left = b->retries; left > 0 && may_pass(p); left--) {
        p->result = coir_sleep(pause);
        if (p->result == COIR_OK)
            p->result = http_get_until(p->url, coir_now() + b->timeout, &p->got);
        pause = 2 * pause < LONGEST_PAUSE ? 2 * pause : LONGEST_PAUSE;
    }
}

/* Until the queue is closed, or the task cancelled. */
static int work(void *arg)
{
    struct batch *b = arg;
    struct page *p;

    while (coir_chan_recv(b->queue, &p) == COIR_OK) {
        fetch(p, b);
        p->is_done = true;
        print_done(b);
    }
    return COIR_OK;
}

static int feed(void *arg)
{
    struct batch *b = arg;
    int result = COIR_OK;

    for (size_t i = 0; i < b->count && result == COIR_OK; i++) {
        struct page *p = &b->pages[i];
        result = coir_chan_send(b->queue, &p);
    }
    coir_chan_close(b->queue);
    return result;
}

/* Those that nobody came to are as cancelled as those that somebody was at. */
static void give_up_rest(struct batch *b)
{
    for (size_t i = b->printed; i < b->count; i++) {
        if (!b->pages[i].is_done)
            b->pages[i].result = COIR_ECANCELED;
        b->pages[i].is_done = true;
    }
    print_done(b);
}

static void *watch(void *arg)
{
    struct batch *b = arg;
    coir_uv_signal *interrupt;

    check("coir_uv_signal_create", coir_uv_signal_create(&interrupt, SIGINT));
    if (coir_uv_signal_wait(interrupt) > 0) {
        b->is_interrupted = true;
        check("coir_group_fail", coir_group_fail(b->workers, COIR_ECANCELED));
    }
    check("coir_uv_signal_destroy", coir_uv_signal_destroy(interrupt));
    return NULL;
}

static void *run(void *arg)
{
    struct batch *b = arg;
    int64_t start = coir_now();
    coir_task *watcher;

    check("coir_chan_create", coir_chan_create(&b->queue, sizeof(struct page *), 0));
    check("coir_group_create", coir_group_create(&b->workers, NULL));
    check("coir_spawn", coir_spawn(&watcher, NULL, watch, b, NULL));
    check("coir_group_spawn", coir_group_spawn(b->workers, feed, b, NULL));
    for (size_t i = 0; i < (size_t)b->jobs && i < b->count; i++)
        check("coir_group_spawn", coir_group_spawn(b->workers, work, b, NULL));
    coir_group_wait(b->workers);
    coir_task_cancel(watcher);
    check("coir_await", coir_await(watcher, NULL));
    give_up_rest(b);
    print_summary(b, start);
    check("coir_group_destroy", coir_group_destroy(b->workers));
    check("coir_chan_destroy", coir_chan_destroy(b->queue));
    return NULL;
}

/* ---- the program ---- */

static void refuse(const char *what)
{
    fprintf(stderr,
            "fetch_many: %s\n"
            "usage: fetch_many [-j JOBS] [-r RETRIES] [-t SECONDS] [URL...]\n",
            what);
    exit(2);
}

static long whole_number(const char *text, long least, long most)
{
    char *rest;
    long number = strtol(text, &rest, 10);

    if (rest == text || *rest != '\0' || number < least || number > most)
        refuse("a number is not as it should be");
    return number;
}

static int64_t time_of(const char *text)
{
    char *rest;
    double seconds = strtod(text, &rest);

    if (rest == text || *rest != '\0' || !(seconds >= 0 && seconds <= 1e9))
        refuse("a number of seconds is not as it should be");
    return (int64_t)(seconds * COIR_SECOND);
}

/* Gives the index of the first argument that is no option. */
static int parse_options(int argc, char **argv, struct batch *b)
{
    int i;

    for (i = 1; i < argc && argv[i][0] == '-'; i += 2) {
        if (i + 1 == argc)
            refuse("an option without a value");
        if (strcmp(argv[i], "-j") == 0)
            b->jobs = whole_number(argv[i + 1], 1, 10000);
        else if (strcmp(argv[i], "-r") == 0)
            b->retries = whole_number(argv[i + 1], 0, 1000);
        else if (strcmp(argv[i], "-t") == 0)
            b->timeout = time_of(argv[i + 1]);
        else
            refuse("an unknown option");
    }
    return i;
}

static void *not_null(void *memory)
{
    check("malloc", memory != NULL ? COIR_OK : COIR_ENOMEM);
    return memory;
}

/* Its pages double when they are full: their number is a power of two then. */
static void add(struct batch *b, const char *url)
{
    size_t size = strlen(url) + 1;

    if ((b->count & (b->count - 1)) == 0)
        b->pages = not_null(realloc(b->pages, (b->count > 0 ? 2 * b->count : 1) * sizeof *b->pages));
    b->pages[b->count] = (struct page){.url = not_null(malloc(size))};
    memcpy(b->pages[b->count++].url, url, size);
}

static void read_urls(struct batch *b)
{
    char line[LINE_SIZE];

    while (fgets(line, sizeof line, stdin) != NULL) {
        size_t size = strcspn(line, "\r\n");
        if (line[size] == '\0' && !feof(stdin))
            refuse("a line is too long");
        line[size] = '\0';
        if (size > 0)
            add(b, line);
    }
}

static void free_pages(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        free(b->pages[i].url);
    free(b->pages);
}

int main(int argc, char **argv)
{
    struct batch b = {.jobs = 8, .retries = 2, .timeout = 10 * COIR_SECOND};
    int first = parse_options(argc, argv, &b);
    bool all_good;

    for (int i = first; i < argc; i++)
        add(&b, argv[i]);
    if (first == argc)
        read_urls(&b);
    check("coir_uv_run", coir_uv_run(run, &b, NULL, NULL));
    all_good = b.good == b.count;
    free_pages(&b);
    return all_good ? 0 : 1;
}
