/* SPDX-License-Identifier: MIT */
/* svg.c - writes pictures. */

#include "svg.h"

#include <string.h>

#include "output.h"

#define WIDTH_OF_LETTER 7.4 /* of a wide font; most are narrower */

static const char style[] = "<style>\n"
                            "text { font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', "
                            "Arial, sans-serif; fill: #222222; }\n"
                            ".title { font-size: 18px; font-weight: 600; }\n"
                            ".label { font-size: 13px; }\n"
                            ".strong { font-size: 13px; font-weight: 700; }\n"
                            ".small { font-size: 11.5px; fill: #555555; }\n"
                            "</style>\n";

struct svg svg_open(const char *name, double width, double height)
{
    struct svg svg = {.width = width, .height = height};

    snprintf(svg.name, sizeof svg.name, "%s.svg", name);
    svg.file = output_open(svg.name);
    fprintf(svg.file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\">\n%s",
            width, height, width, height, style);
    svg_rectangle(&svg, 0, 0, width, height, "#ffffff");
    return svg;
}

void svg_close(const struct svg *svg)
{
    fprintf(svg->file, "</svg>\n");
    output_close(svg->file, svg->name);
}

static void write_escaped(FILE *file, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<': fputs("&lt;", file); break;
        case '>': fputs("&gt;", file); break;
        case '&': fputs("&amp;", file); break;
        case '"': fputs("&quot;", file); break;
        default: putc((unsigned char)*text < ' ' ? ' ' : *text, file); /* XML has no control characters */
        }
    }
}

void svg_text(const struct svg *svg, double x, double y, enum svg_anchor anchor, const char *class, const char *text)
{
    static const char *const anchors[] = {"start", "middle", "end"};

    fprintf(svg->file, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">", x, y, anchors[anchor], class);
    write_escaped(svg->file, text);
    fprintf(svg->file, "</text>\n");
}

void svg_text_upwards(const struct svg *svg, double x, double y, const char *class, const char *text)
{
    fprintf(svg->file, "<text transform=\"translate(%.1f %.1f) rotate(-90)\" text-anchor=\"middle\" class=\"%s\">", x,
            y, class);
    write_escaped(svg->file, text);
    fprintf(svg->file, "</text>\n");
}

void svg_line(const struct svg *svg, double x1, double y1, double x2, double y2, const char *colour, double width,
              const char *dash)
{
    fprintf(svg->file, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"%g\"", x1,
            y1, x2, y2, colour, width);
    if (dash != NULL)
        fprintf(svg->file, " stroke-dasharray=\"%s\"", dash);
    fprintf(svg->file, "/>\n");
}

void svg_rectangle(const struct svg *svg, double x, double y, double width, double height, const char *colour)
{
    fprintf(svg->file, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n", x, y, width,
            height, colour);
}

void svg_mark(const struct svg *svg, double x, double y, enum svg_mark mark, const char *colour)
{
    static const char *const paths[SVG_MARKS] = {
        [SVG_CIRCLE] = "M-4 0A4 4 0 1 1 4 0A4 4 0 1 1 -4 0Z",
        [SVG_SQUARE] = "M-3.5 -3.5H3.5V3.5H-3.5Z",
        [SVG_TRIANGLE] = "M0 -4.8L4.5 3.5H-4.5Z",
        [SVG_DIAMOND] = "M0 -5L5 0L0 5L-5 0Z",
    };

    fprintf(svg->file, "<path transform=\"translate(%.1f %.1f)\" d=\"%s\" fill=\"%s\" stroke=\"#ffffff\"/>\n", x, y,
            paths[mark], colour);
}

double svg_text_width(const char *text)
{
    return (double)strlen(text) * WIDTH_OF_LETTER;
}
