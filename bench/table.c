/* SPDX-License-Identifier: MIT */
/* table.c - all answers to a question with one count, as a table for people. */

#include "output.h"

#include <stdio.h>
#include <string.h>

#include "results.h"

#define LABEL_WIDTH 28

static bool is_in_table(const struct result *result)
{
    return result_has_figures(result) || result->state == RESULT_REFUSED;
}

static bool has_figures(const struct question *question, long count)
{
    for (const struct contender *c = contenders; c->label != NULL; c++)
        if (result_has_figures(result_of(question, count, c)))
            return true;
    return false;
}

static void print_title(const struct question *question, long count)
{
    char text[32];

    printf("\n%s", question->name);
    if (question->noun != NULL)
        printf(", %s %.*s", output_count(count, text), (int)strlen(question->noun) - (count == 1), question->noun);
    printf(": %s, %s\n%-*s", question->title,
           question_is_memory(question) ? "bytes of each, and mappings in all" : "ns", LABEL_WIDTH, "");
    if (question_is_memory(question))
        for (size_t i = 0; question->units[i] != NULL; i++)
            printf("  %13s", question->units[i]);
    else
        printf(" %11s %11s %11s %8s %8s", "min", "median", "max", "spread", "ratio");
    printf("\n");
}

static void print_times(const struct result *result, double reference)
{
    struct summary s = result_summary(result, 0);

    printf(" %11.2f %11.2f %11.2f %7.0f%%", s.min, s.median, s.max, (s.max - s.min) / s.median * 100);
    if (reference > 0)
        printf(" %8.*f", s.median < reference / 10 ? 3 : 2, s.median / reference);
    else
        printf(" %8s", "-");
}

static void print_memory(const struct question *question, const struct result *result)
{
    char text[32];

    for (size_t i = 0; question->units[i] != NULL; i++)
        printf("  %13s", output_count((long)result_summary(result, i).median, text));
}

static void print_contender(const struct question *question, long count, const struct contender *contender)
{
    const struct result *result = result_of(question, count, contender);
    const struct result *first = result_of(question, count, contenders);
    char label[LABEL_WIDTH + 1];

    snprintf(label, sizeof label, "%s%s", contender->label, contender_note(contender, question) != NULL ? " *" : "");
    printf("%-*s", LABEL_WIDTH, label);
    if (!result_has_figures(result))
        printf("     %s", result->why);
    else if (question_is_memory(question))
        print_memory(question, result);
    else
        print_times(result, result_has_figures(first) ? result_summary(first, 0).median : 0);
    printf("\n");
}

/* One note may stand for several contenders, which are neighbours. */
static void print_notes(const struct question *question, long count)
{
    const char *last = NULL;

    for (const struct contender *c = contenders; c->label != NULL; c++) {
        const char *note = contender_note(c, question);
        if (note == NULL || note == last || !is_in_table(result_of(question, count, c)))
            continue;
        printf("* %s\n", note);
        last = note;
    }
}

void table_print(const struct question *question, long count)
{
    if (!has_figures(question, count))
        return;
    progress_clear();
    print_title(question, count);
    for (const struct contender *c = contenders; c->label != NULL; c++)
        if (is_in_table(result_of(question, count, c)))
            print_contender(question, count, c);
    print_notes(question, count);
    fflush(stdout);
}
