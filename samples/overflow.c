/* SPDX-License-Identifier: MIT */
/* A stack overflow, and what the crash handler says about it. A parser calls itself for each bracket, in a fiber whose
 * stack is enough for some hundred of them, and gets a text with a hundred thousand. The report goes to standard
 * error; then the handler that was there before has its turn: the program's own, which ends it. */
#include <coir.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <windows.h>

static LONG WINAPI end_quietly(EXCEPTION_POINTERS *exception)
{
    (void)exception;
    ExitProcess(0);
}

static void set_own_handler(void)
{
    SetUnhandledExceptionFilter(end_quietly);
}
#else
#include <signal.h>
#include <unistd.h>

static void end_quietly(int signal)
{
    (void)signal;
    _exit(0);
}

static void set_own_handler(void)
{
    signal(SIGSEGV, end_quietly);
    signal(SIGBUS, end_quietly);
}
#endif

/* How deep the brackets are nested from here on; goes behind what it has read. */
static int parse(const char **text)
{
    char line[64]; /* a parser would have something here */
    int deepest = 0;

    while (**text == '(') {
        int depth;
        (*text)++;
        depth = parse(text) + 1;
        if (depth > deepest)
            deepest = depth;
    }
    if (**text == ')')
        (*text)++;
    snprintf(line, sizeof line, "%d", deepest);
    return atoi(line);
}

static void *parser(void *arg)
{
    const char *text = arg;

    printf("%d deep\n", parse(&text));
    fflush(stdout);
    return NULL;
}

int main(void)
{
    static char deep[200001];
    char *const texts[] = {"(()((())))", deep};
    const coir_options opt = {.name = "parser", .stack_size = 65536};
    int error;

    memset(deep, '(', 100000);
    memset(deep + 100000, ')', 100000);
    set_own_handler();
    error = coir_crash_handler_install();
    for (int i = 0; i < 2 && error == COIR_OK; i++) {
        coir_fiber *f;
        error = coir_create(&f, parser, texts[i], &opt);
        if (error == COIR_OK)
            coir_resume(f, NULL, NULL);
        if (error == COIR_OK)
            coir_destroy(f);
    }
    fprintf(stderr, "%s\n", error == COIR_OK ? "there was no overflow" : coir_strerror(error));
    return 1;
}
