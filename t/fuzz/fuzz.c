/* SPDX-License-Identifier: MIT */
/* fuzz.c - the interpreter as a target of libFuzzer. Each input has a thread of its own, so that all that the library
 * has allocated must be released when it is over. With FUZZ_STACKS in the environment the stacks are the program's
 * too. */

#include "operations.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

struct input {
    const uint8_t *bytes;
    size_t size;
};

static unsigned long long executions;

static void fail(const char *message)
{
    fprintf(stderr, "%s\n", message);
    abort();
}

static void report(void)
{
    fprintf(stderr, "%llu calls in %llu executions, backend %s\n", fuzz_calls, executions, coir_backend_name());
}

static void *run_in_thread(void *arg)
{
    const struct input *input = arg;
    fuzz_run(input->bytes, input->size);
    return NULL;
}

static void run(const uint8_t *bytes, size_t size)
{
    struct input input = {bytes, size};
    pthread_t thread;
    if (pthread_create(&thread, NULL, run_in_thread, &input) != 0)
        fail("no thread");
    pthread_join(thread, NULL);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_failed = fail;
    fuzz_set_up(getenv("FUZZ_STACKS") != NULL);
    atexit(report);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    run(bytes, size);
    executions++;
    if (fuzz_blocks() != 0)
        fail("memory is left");
    return 0;
}
