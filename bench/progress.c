/* SPDX-License-Identifier: MIT */
/* progress.c - says on a terminal what is measured, and how long it will take. */

#include "output.h"

#include <stdio.h>

#include "options.h"
#include "os.h"

#define WIDTH 78

/* What the guess of the time left starts from, so that the first few measurements do not upset it. */
#define HEAD_START 2000

static bool is_shown;
static double done, started; /* milliseconds */

static void tell_time(double seconds, char *out, size_t size)
{
    if (seconds < 90)
        snprintf(out, size, "%.0f s", seconds);
    else
        snprintf(out, size, "%.0f min", seconds / 60);
}

static double seconds_left(double left)
{
    double now = os_now() / 1e6;

    if (started == 0)
        started = now;
    return left * (now - started + HEAD_START) / (done + HEAD_START) / 1000;
}

void progress_show(const struct question *question, long count, const struct contender *contender, size_t round,
                   double left)
{
    char line[256], count_text[32], count_part[32] = "", time[32];

    if (!os_is_watched())
        return;
    tell_time(seconds_left(left), time, sizeof time);
    if (question->noun != NULL)
        snprintf(count_part, sizeof count_part, " %s", output_count(count, count_text));
    snprintf(line, sizeof line, "%s%s, round %zu of %zu: %s; about %s left", question->name, count_part, round + 1,
             options.rounds, contender->label, time);
    fprintf(stderr, "\r%-*.*s", WIDTH, WIDTH, line);
    fflush(stderr);
    is_shown = true;
}

void progress_add(double work)
{
    done += work;
}

void progress_clear(void)
{
    if (is_shown)
        fprintf(stderr, "\r%-*s\r", WIDTH, "");
    fflush(stderr);
    is_shown = false;
}
