/* SPDX-License-Identifier: MIT */
/* plot.h - a picture for each question that has one: bars.c or lines.c, by svg.c and scale.c. */

#ifndef BENCH_PLOT_H
#define BENCH_PLOT_H

#include "questions.h"
#include "results.h"
#include "svg.h"

/* plot.c */

/* Draws all that there are figures for. */
void plots_draw(void);

/* What a picture shows of this answer. False if there is nothing. */
bool plot_find(const struct question *question, long count, const struct contender *contender, struct summary *summary);

/* How this contender looks, in all pictures: coir's own share a colour. */
struct plot_style {
    const char *colour;
    const char *dash; /* as SVG has it, or NULL */
    enum svg_mark mark;
    double width;
};

struct plot_style plot_style(const struct contender *contender);

/* "coir asm", with a mark if there is a note on it. */
const char *plot_label(const struct question *question, const struct contender *contender, char text[64]);

/* Three digits of a figure. */
const char *plot_figure(double figure, char text[32]);

/* Title, subtitle and footnotes, and a rectangle behind all. */
void plot_frame(const struct svg *svg, const struct question *question, const char *subtitle);

enum { PLOT_HEAD = 74, PLOT_FOOT = 40 }; /* how much room they take, but for notes */
double plot_notes_height(const struct question *question);

/* bars.c, lines.c */

void bars_draw(const struct question *question);
void lines_draw(const struct question *question);

#endif
