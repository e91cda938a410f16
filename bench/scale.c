/* SPDX-License-Identifier: MIT */
/* scale.c - where in a picture a figure stands. */

#include "scale.h"

#include <math.h>
#include <stdio.h>

#include "output.h"

#define EVEN_TICKS 6   /* how many there are of a scale that is not logarithmic, about */
#define CROWDED_TICKS 12
#define A_LITTLE 1e-9  /* by which a round figure may be off */

/* Round figures are 1, 2 and 5 times a power of ten; number 0 is 1, number 3 is 10, and so on. */
static double round_figure(int number)
{
    static const double digits[] = {1, 2, 5};
    int power = (int)floor(number / 3.0);

    return digits[number - power * 3] * pow(10, power);
}

/* The number of the greatest that is not above it. */
static int round_below(double figure)
{
    int number = (int)floor(log10(figure)) * 3;

    while (round_figure(number + 1) <= figure * (1 + A_LITTLE))
        number++;
    return number;
}

static int round_above(double figure)
{
    int number = round_below(figure);

    return round_figure(number) >= figure * (1 - A_LITTLE) ? number : number + 1;
}

static double step_of(double most)
{
    return round_figure(round_above(most / EVEN_TICKS));
}

struct scale scale_around(bool is_log, double least, double most, double low, double high)
{
    struct scale scale = {.is_log = is_log, .low = low, .high = high};
    double step = step_of(most);

    if (is_log) {
        scale.from = round_figure(round_below(least));
        scale.to = round_figure(round_above(most));
    } else {
        scale.to = ceil(most / step - A_LITTLE) * step;
    }
    return scale;
}

double scale_at(const struct scale *scale, double figure)
{
    double part;

    if (scale->from >= scale->to)
        return (scale->low + scale->high) / 2;
    if (scale->is_log)
        part = log(figure / scale->from) / log(scale->to / scale->from);
    else
        part = (figure - scale->from) / (scale->to - scale->from);
    return scale->low + part * (scale->high - scale->low);
}

static size_t even_ticks(const struct scale *scale, double ticks[MOST_TICKS])
{
    double step = step_of(scale->to);
    size_t count = 0;

    for (double tick = 0; tick <= scale->to * (1 + A_LITTLE) && count < MOST_TICKS; tick += step)
        ticks[count++] = tick;
    return count;
}

/* Powers of ten only where there would be too many others. */
size_t scale_ticks(const struct scale *scale, double ticks[MOST_TICKS])
{
    int first, last, step;
    size_t count = 0;

    if (!scale->is_log)
        return even_ticks(scale, ticks);
    first = round_above(scale->from);
    last = round_below(scale->to);
    step = last - first < CROWDED_TICKS ? 1 : 3;
    while (step == 3 && first % 3 != 0)
        first++;
    for (int number = first; number <= last && count < MOST_TICKS; number += step)
        ticks[count++] = round_figure(number);
    return count;
}

const char *scale_tick_text(double tick, char text[32])
{
    if (tick >= 1000)
        return output_count(lround(tick), text);
    snprintf(text, 32, "%.4g", tick);
    return text;
}
