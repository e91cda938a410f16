/* SPDX-License-Identifier: MIT */
/* lines.c - a picture of a line for each contender, over the count; both scales are logarithmic. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "output.h"
#include "plot.h"
#include "scale.h"

#define WIDTH 1080
#define HEIGHT 624 /* without notes */
#define LEFT 84
#define AXIS 44     /* room for ticks and what they are of */
#define INSET 24    /* from the sides of the plot to its first and last points */
#define LEADER 60   /* from the last points to the labels */
#define BETWEEN 17  /* labels, at least */
#define NUDGES 1000

#define GRID "#e2e2e2"
#define QUIET "#999999"

struct point {
    long count;
    struct summary summary;
};

struct curve {
    const struct contender *contender;
    struct point points[MOST_COUNTS];
    size_t length;
    double y; /* of its label */
    char label[160];
};

struct chart {
    struct curve curves[MOST_CONTENDERS];
    size_t length;
    struct scale x, y;
};

static const struct point *last_of(const struct curve *curve)
{
    return &curve->points[curve->length - 1];
}

/* ---- what is to be drawn ---- */

static void find_curve(const struct question *question, const struct contender *contender, struct curve *curve)
{
    curve->contender = contender;
    curve->length = 0;
    for (const long *count = question->counts; *count != 0; count++) {
        struct point *point = &curve->points[curve->length];
        point->count = *count;
        if (plot_find(question, *count, contender, &point->summary))
            curve->length++;
    }
}

/* Its name and its last figure; which that is, if it is not the last of all. */
static void name_curve(const struct question *question, struct curve *curve, double last_count)
{
    const struct point *last = last_of(curve);
    char label[64], figure[32], count[32], place[48] = "";

    if ((double)last->count < last_count)
        snprintf(place, sizeof place, " at %s", output_count(last->count, count));
    snprintf(curve->label, sizeof curve->label, "%s: %s%s", plot_label(question, curve->contender, label),
             plot_figure(last->summary.median, figure), place);
}

static void find_curves(const struct question *question, struct chart *chart)
{
    double last = 0;

    chart->length = 0;
    for (const struct contender *c = contenders; c->label != NULL; c++) {
        find_curve(question, c, &chart->curves[chart->length]);
        if (chart->curves[chart->length].length > 0)
            chart->length++;
    }
    for (size_t i = 0; i < chart->length; i++)
        last = fmax(last, (double)last_of(&chart->curves[i])->count);
    for (size_t i = 0; i < chart->length; i++)
        name_curve(question, &chart->curves[i], last);
}

static double width_of_labels(const struct chart *chart)
{
    double width = 0;

    for (size_t i = 0; i < chart->length; i++)
        width = fmax(width, svg_text_width(chart->curves[i].label));
    return width;
}

static void find_scales(struct chart *chart)
{
    double least = INFINITY, most = 0, first = INFINITY, last = 0;

    for (size_t i = 0; i < chart->length; i++) {
        const struct curve *curve = &chart->curves[i];
        for (size_t k = 0; k < curve->length; k++) {
            least = fmin(least, curve->points[k].summary.min);
            most = fmax(most, curve->points[k].summary.max);
        }
        first = fmin(first, (double)curve->points[0].count);
        last = fmax(last, (double)last_of(curve)->count);
    }
    chart->y = scale_around(true, least, most, HEIGHT - PLOT_FOOT - AXIS, PLOT_HEAD);
    chart->x = (struct scale){true, first, last, LEFT + INSET, WIDTH - 20 - width_of_labels(chart) - LEADER};
}

/* ---- labels ---- */

static int compare(const void *a, const void *b)
{
    double x = ((const struct curve *)a)->y, y = ((const struct curve *)b)->y;

    return (x > y) - (x < y);
}

/* Moves two neighbours apart, each as far as the other; true if they were too near. */
static bool nudge(struct curve *upper, struct curve *lower)
{
    double lack = BETWEEN - (lower->y - upper->y);

    if (lack < 0.1)
        return false;
    upper->y -= lack / 2;
    lower->y += lack / 2;
    return true;
}

/* Each label stands as near to the end of its line as the others let it. */
static void place_labels(struct chart *chart)
{
    struct curve *curves = chart->curves;
    bool is_moved = true;

    for (size_t i = 0; i < chart->length; i++)
        curves[i].y = scale_at(&chart->y, last_of(&curves[i])->summary.median);
    qsort(curves, chart->length, sizeof *curves, compare);
    for (int turns = 0; turns < NUDGES && is_moved; turns++) {
        is_moved = false;
        for (size_t i = 0; i + 1 < chart->length; i++)
            is_moved |= nudge(&curves[i], &curves[i + 1]);
        curves[0].y = fmax(curves[0].y, PLOT_HEAD);
        curves[chart->length - 1].y = fmin(curves[chart->length - 1].y, HEIGHT - PLOT_FOOT - AXIS);
    }
}

/* ---- drawing ---- */

static void draw_axes(const struct svg *svg, const struct question *question, const struct chart *chart)
{
    double left = LEFT, right = chart->x.high + INSET, bottom = chart->y.low, ticks[MOST_TICKS];
    size_t count = scale_ticks(&chart->y, ticks);
    char text[64];

    for (size_t i = 0; i < count; i++) {
        double y = scale_at(&chart->y, ticks[i]);
        svg_line(svg, left, y, right, y, GRID, 1, NULL);
        svg_text(svg, left - 8, y + 4, SVG_END, "small", scale_tick_text(ticks[i], text));
    }
    for (const long *n = question->counts; *n != 0; n++) {
        double x = scale_at(&chart->x, (double)*n);
        if ((double)*n < chart->x.from || (double)*n > chart->x.to)
            continue;
        svg_line(svg, x, PLOT_HEAD, x, bottom, GRID, 1, NULL);
        svg_text(svg, x, bottom + 17, SVG_MIDDLE, "small", output_count(*n, text));
    }
    snprintf(text, sizeof text, "number of %s", question->noun);
    svg_text(svg, (left + right) / 2, bottom + 37, SVG_MIDDLE, "label", text);
    svg_text_upwards(svg, 22, (PLOT_HEAD + bottom) / 2, "label", question->axis);
}

static void draw_curve(const struct svg *svg, const struct chart *chart, const struct curve *curve)
{
    struct plot_style style = plot_style(curve->contender);

    for (size_t i = 0; i < curve->length; i++) {
        const struct point *p = &curve->points[i];
        double x = scale_at(&chart->x, (double)p->count), y = scale_at(&chart->y, p->summary.median);
        if (i > 0)
            svg_line(svg, scale_at(&chart->x, (double)p[-1].count), scale_at(&chart->y, p[-1].summary.median), x, y,
                     style.colour, style.width, style.dash);
        svg_line(svg, x, scale_at(&chart->y, p->summary.min), x, scale_at(&chart->y, p->summary.max), style.colour, 1,
                 NULL);
    }
    for (size_t i = 0; i < curve->length; i++)
        svg_mark(svg, scale_at(&chart->x, (double)curve->points[i].count),
                 scale_at(&chart->y, curve->points[i].summary.median), style.mark, style.colour);
}

static void draw_label(const struct svg *svg, const struct chart *chart, const struct curve *curve)
{
    struct plot_style style = plot_style(curve->contender);
    const struct point *last = last_of(curve);
    double from = scale_at(&chart->x, (double)last->count) + 7, x = chart->x.high + LEADER - 12;

    svg_line(svg, from, scale_at(&chart->y, last->summary.median), x - 7, curve->y, QUIET, 0.7, "2 2");
    svg_mark(svg, x, curve->y, style.mark, style.colour);
    svg_text(svg, x + 9, curve->y + 4.5, SVG_START, contender_is_coir(curve->contender) ? "strong" : "label",
             curve->label);
}

void lines_draw(const struct question *question)
{
    static struct chart chart;
    struct svg svg = svg_open(question->name, WIDTH, HEIGHT + plot_notes_height(question));

    find_curves(question, &chart);
    find_scales(&chart);
    place_labels(&chart);
    plot_frame(&svg, question, "Lower is better. Median of all rounds; thin lines go from the least to the most.");
    draw_axes(&svg, question, &chart);
    for (size_t i = 0; i < chart.length; i++)
        draw_label(&svg, &chart, &chart.curves[i]);
    for (size_t i = 0; i < chart.length; i++)
        if (!contender_is_coir(chart.curves[i].contender))
            draw_curve(&svg, &chart, &chart.curves[i]);
    for (size_t i = 0; i < chart.length; i++)
        if (contender_is_coir(chart.curves[i].contender))
            draw_curve(&svg, &chart, &chart.curves[i]);
    svg_close(&svg);
}
