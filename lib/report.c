/* SPDX-License-Identifier: MIT */
/* report.c - what an executor has to tell a person. */

#include <config.h>

#include <stdio.h>

#include "exec.h"
#include "task.h"

#define LINE_SIZE 256

static void say(const coir_exec *e, const char *line)
{
    if (e->report != NULL)
        e->report(line, e->report_context);
    else
        fprintf(stderr, "%s\n", line);
}

static void report_task(const coir_exec *e, const coir_task *task)
{
    const char *report = task->wait != NULL ? task->wait->report : "is ready";
    const coir_task *target = task->wait != NULL && task->wait->for_task ? task->target : NULL;
    char line[LINE_SIZE];

    if (target != NULL)
        snprintf(line, sizeof line, "  task %p \"%.64s\" %s %p \"%.64s\"", (const void *)task,
                 coir_fiber_name(task->root), report, (const void *)target, coir_fiber_name(target->root));
    else if (task->wait != NULL && task->target != NULL)
        snprintf(line, sizeof line, "  task %p \"%.64s\" %s %p", (const void *)task, coir_fiber_name(task->root), report,
                 task->target);
    else
        snprintf(line, sizeof line, "  task %p \"%.64s\" %s", (const void *)task, coir_fiber_name(task->root), report);
    say(e, line);
}

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
