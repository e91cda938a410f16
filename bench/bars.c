/* SPDX-License-Identifier: MIT */
/* bars.c - a picture of a bar for each contender, the shortest on top. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "plot.h"
#include "scale.h"

#define WIDTH 820
#define ROW 25
#define BAR 15
#define AXIS 44 /* room for ticks and what they are of */
#define FIGURE 70 /* room for the longest figure behind a bar */
#define LONG_RANGE 30 /* figures that differ by more than so many times are shown on a logarithmic scale */

#define PEER "#8fa3b5"
#define GRID "#e2e2e2"
#define WHISKER "#333333"

struct bar {
    const struct contender *contender;
    struct summary summary;
    char label[64];
};

static int compare(const void *a, const void *b)
{
    double x = ((const struct bar *)a)->summary.median, y = ((const struct bar *)b)->summary.median;

    return (x > y) - (x < y);
}

static size_t find_bars(const struct question *question, struct bar bars[MOST_CONTENDERS])
{
    size_t count = 0;

    for (const struct contender *c = contenders; c->label != NULL; c++) {
        struct bar *bar = &bars[count];
        if (!plot_find(question, question->counts[0], c, &bar->summary))
            continue;
        bar->contender = c;
        plot_label(question, c, bar->label);
        count++;
    }
    qsort(bars, count, sizeof *bars, compare);
    return count;
}

static double width_of_labels(const struct bar *bars, size_t count)
{
    double width = 0;

    for (size_t i = 0; i < count; i++)
        width = fmax(width, svg_text_width(bars[i].label));
    return width;
}

static struct scale find_scale(const struct bar *bars, size_t count, double low, double high)
{
    bool is_log = bars[count - 1].summary.median > bars[0].summary.median * LONG_RANGE;
    double most = 0, least = bars[0].summary.min;

    for (size_t i = 0; i < count; i++) {
        most = fmax(most, bars[i].summary.max);
        least = fmin(least, bars[i].summary.min);
    }
    /* A bar must have some length: half of the least is further left than the least itself. */
    return scale_around(is_log, least / 2, most, low, high);
}

static void draw_axis(const struct svg *svg, const struct question *question, const struct scale *scale, double bottom)
{
    double ticks[MOST_TICKS];
    size_t count = scale_ticks(scale, ticks);
    char text[64];

    for (size_t i = 0; i < count; i++) {
        double x = scale_at(scale, ticks[i]);
        svg_line(svg, x, PLOT_HEAD, x, bottom, GRID, 1, NULL);
        svg_text(svg, x, bottom + 16, SVG_MIDDLE, "small", scale_tick_text(ticks[i], text));
    }
    snprintf(text, sizeof text, "%s%s", question->axis, scale->is_log ? ", logarithmic scale" : "");
    svg_text(svg, (scale->low + scale->high) / 2, bottom + 35, SVG_MIDDLE, "label", text);
}

static void draw_whisker(const struct svg *svg, const struct scale *scale, const struct summary *summary, double y)
{
    double from = scale_at(scale, summary->min), to = scale_at(scale, summary->max);

    svg_line(svg, from, y, to, y, WHISKER, 1, NULL);
    svg_line(svg, from, y - 3, from, y + 3, WHISKER, 1, NULL);
    svg_line(svg, to, y - 3, to, y + 3, WHISKER, 1, NULL);
}

static void draw_bar(const struct svg *svg, const struct bar *bar, const struct scale *scale, double y)
{
    bool is_ours = contender_is_coir(bar->contender);
    const char *colour = is_ours ? plot_style(bar->contender).colour : PEER;
    const char *class = is_ours ? "strong" : "label";
    double end = scale_at(scale, bar->summary.median);
    char text[32];

    svg_text(svg, scale->low - 8, y + 4.5, SVG_END, class, bar->label);
    svg_rectangle(svg, scale->low, y - BAR / 2.0, end - scale->low, BAR, colour);
    draw_whisker(svg, scale, &bar->summary, y);
    svg_text(svg, scale_at(scale, bar->summary.max) + 7, y + 4.5, SVG_START, class,
             plot_figure(bar->summary.median, text));
}

void bars_draw(const struct question *question)
{
    struct bar bars[MOST_CONTENDERS];
    size_t count = find_bars(question, bars);
    double bottom = PLOT_HEAD + (double)count * ROW;
    struct svg svg = svg_open(question->name, WIDTH, bottom + AXIS + PLOT_FOOT + plot_notes_height(question));
    struct scale scale = find_scale(bars, count, 28 + width_of_labels(bars, count), WIDTH - FIGURE);

    plot_frame(&svg, question, "Shorter is quicker. Median of all rounds; the whiskers go from the least to the most.");
    draw_axis(&svg, question, &scale, bottom);
    for (size_t i = 0; i < count; i++)
        draw_bar(&svg, &bars[i], &scale, PLOT_HEAD + ((double)i + 0.5) * ROW);
    svg_close(&svg);
}
