/* SPDX-License-Identifier: MIT */
/* report.c - what an executor has to tell a person. */

#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <coir/wait.h>

#include "exec.h"
#include "likely.h"
#include "task.h"

#define LINE_SIZE 256

static void say(const coir_exec *e, const char *line)
{
    if (e->report != NULL)
        e->report(line, e->report_context);
    else
        fprintf(stderr, "%s\n", line);
}

/* Adds to a line, as much as there is room for. */
COIR__FORMAT(2, 3) static void add(char *line, const char *format, ...)
{
    size_t length = strlen(line);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line + length, LINE_SIZE - length, format, arguments);
    va_end(arguments);
}

static void add_task(char *line, const coir_task *task)
{
    add(line, "%p \"%.64s\"", (const void *)task, coir_fiber_name(task->root));
}

static const char *what(const coir_task *task)
{
    const coir_wait *w = task->target;

    if (task->wait->report != NULL)
        return task->wait->report;
    return w->what != NULL ? w->what : "waits";
}

/* "task 0x1230 "reader" waits for mutex 0x4560, held by task 0x7890 "writer"", and the like. */
static void report_task(const coir_exec *e, const coir_task *task)
{
    const struct coir__wait *wait = task->wait;
    const coir_task *whom = wait->whom != NULL ? wait->whom(task) : NULL;
    char line[LINE_SIZE] = "  task ";

    add_task(line, task);
    add(line, " %s", what(task));
    if (whom != NULL && whom == task->target) {
        add(line, " ");
        add_task(line, whom);
    } else if (wait->has_target) {
        add(line, " %p", task->target);
    }
    if (whom != NULL && whom != task->target) {
        add(line, ", held by task ");
        add_task(line, whom);
    }
    say(e, line);
}

/* None of them is ready, or there would be something to do. */
void coir__report_deadlock(const coir_exec *e)
{
    char line[LINE_SIZE];

    snprintf(line, sizeof line, "coir: deadlock: nothing can wake the %lu task(s) of executor %p",
             (unsigned long)e->alive, (const void *)e);
    say(e, line);
    for (const coir_task *task = e->tasks; task != NULL; task = task->next)
        if (!task->ended)
            report_task(e, task);
}
