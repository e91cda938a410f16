/* SPDX-License-Identifier: MIT */
/* plot.c - a picture for each question that has one: what is common to all. */

#include "plot.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>

#include "output.h"

#define OURS "#d55e00"
#define NOTE 16 /* the height of a note */

/* Colours that people who see fewer colours can tell apart (after Okabe and Ito), but for yellow, which is too light
 * for a line, and what looks too much like ours. */
static const char *const colours[] = {"#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#444444"};
static const char *const dashes[] = {NULL, "7 3", "2 2.5"};

enum { COLOURS = sizeof colours / sizeof *colours, DASHES = sizeof dashes / sizeof *dashes };

struct plot_style plot_style(const struct contender *contender)
{
    bool is_ours = contender_is_coir(contender);
    size_t before = 0;

    for (const struct contender *c = contenders; c < contender; c++)
        before += contender_is_coir(c) == is_ours;
    if (is_ours)
        return (struct plot_style){OURS, dashes[before % DASHES], before % SVG_MARKS, before == 0 ? 3.5 : 2.5};
    return (struct plot_style){colours[before % COLOURS], dashes[before / COLOURS % DASHES],
                               before / COLOURS % SVG_MARKS, 1.5};
}

const char *plot_label(const struct question *question, const struct contender *contender, char text[64])
{
    snprintf(text, 64, "%s%s", contender->label, contender_note(contender, question) != NULL ? " *" : "");
    return text;
}

const char *plot_figure(double figure, char text[32])
{
    if (figure >= 99.95)
        return output_count(lround(figure), text);
    snprintf(text, 32, figure >= 9.995 ? "%.1f" : "%.2f", figure);
    return text;
}

static struct summary add(struct summary a, struct summary b)
{
    return (struct summary){a.min + b.min, a.median + b.median, a.max + b.max};
}

/* Of memory, what is resident, and the page tables for it. */
bool plot_find(const struct question *question, long count, const struct contender *contender, struct summary *summary)
{
    const struct result *result = result_of(question, count, contender);

    if (!result_has_figures(result))
        return false;
    *summary = result_summary(result, 0);
    if (question_is_memory(question))
        *summary = add(*summary, result_summary(result, 2));
    return summary->min > 0;
}

/* One note may stand for several contenders, which are neighbours. */
static size_t find_notes(const struct question *question, const char *notes[MOST_CONTENDERS])
{
    size_t found = 0;

    for (const struct contender *c = contenders; c->label != NULL; c++) {
        const char *note = contender_note(c, question);
        if (note == NULL || !result_has_figures(result_of(question, question->counts[0], c)))
            continue;
        if (found == 0 || note != notes[found - 1])
            notes[found++] = note;
    }
    return found;
}

double plot_notes_height(const struct question *question)
{
    const char *notes[MOST_CONTENDERS];

    return (double)find_notes(question, notes) * NOTE;
}

static void draw_notes(const struct svg *svg, const struct question *question)
{
    const char *notes[MOST_CONTENDERS];
    size_t count = find_notes(question, notes);
    char text[256];

    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof text, "* %s", notes[i]);
        svg_text(svg, 20, svg->height - 14 - (double)(count - i) * NOTE, SVG_START, "small", text);
    }
}

void plot_frame(const struct svg *svg, const struct question *question, const char *subtitle)
{
    char text[256];

    snprintf(text, sizeof text, "%s", question->title);
    text[0] = (char)toupper((unsigned char)text[0]);
    svg_text(svg, 20, 32, SVG_START, "title", text);
    svg_text(svg, 20, 53, SVG_START, "small", subtitle);
    draw_notes(svg, question);
    svg_text(svg, 20, svg->height - 14, SVG_START, "small", machine_line());
}

static bool has_figures(const struct question *question)
{
    struct summary summary;

    for (const long *count = question->counts; *count != 0; count++)
        for (const struct contender *c = contenders; c->label != NULL; c++)
            if (plot_find(question, *count, c, &summary))
                return true;
    return false;
}

/* A picture of an earlier run must not stay beside the rows of this one. */
static void remove_picture(const struct question *question)
{
    char name[64];

    snprintf(name, sizeof name, "%s.svg", question->name);
    output_remove(name);
}

void plots_draw(void)
{
    for (const struct question *q = questions; q->name != NULL; q++) {
        if (q->plot == PLOT_NONE)
            continue;
        if (!has_figures(q))
            remove_picture(q);
        else if (q->plot == PLOT_BARS)
            bars_draw(q);
        else
            lines_draw(q);
    }
}
