/* SPDX-License-Identifier: MIT */
/* svg.h - writes pictures. */

#ifndef BENCH_SVG_H
#define BENCH_SVG_H

#include <stdio.h>

struct svg {
    FILE *file;
    char name[64];
    double width, height;
};

/* Opens NAME.svg in the folder of results; closes it. */
struct svg svg_open(const char *name, double width, double height);
void svg_close(const struct svg *svg);

enum svg_anchor { SVG_START, SVG_MIDDLE, SVG_END };

/* `class` is one of: title, label, strong, small. */
void svg_text(const struct svg *svg, double x, double y, enum svg_anchor anchor, const char *class, const char *text);

/* Upwards, with its middle there. */
void svg_text_upwards(const struct svg *svg, double x, double y, const char *class, const char *text);

/* `dash` is as SVG has it, or NULL. */
void svg_line(const struct svg *svg, double x1, double y1, double x2, double y2, const char *colour, double width,
              const char *dash);

void svg_rectangle(const struct svg *svg, double x, double y, double width, double height, const char *colour);

enum svg_mark { SVG_CIRCLE, SVG_SQUARE, SVG_TRIANGLE, SVG_DIAMOND, SVG_MARKS };

void svg_mark(const struct svg *svg, double x, double y, enum svg_mark mark, const char *colour);

/* About as wide is a label, whatever sans-serif font is taken. */
double svg_text_width(const char *text);

#endif
