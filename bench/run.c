/* SPDX-License-Identifier: MIT */
/* run.c - the benchmarks: asks each contender each question, round after round, and tells what they answered. */

#include <stdio.h>
#include <string.h>

#include "list.h"
#include "options.h"
#include "os.h"
#include "output.h"
#include "plot.h"
#include "programs.h"
#include "results.h"

/* Which counts of a question are measured: all up to a most. */
static bool is_measured(const struct question *question, long count)
{
    return options_want(question) && count <= options.most;
}

static size_t rounds_of(const struct question *question)
{
    return question_is_memory(question) ? 1 : options.rounds;
}

/* ---- how much there is to do ---- */

/* How many milliseconds one measurement is likely to take: the program starts, makes its fibers, and finds out how
 * often it has to do it. */
static double work_of(long count, const struct contender *contender)
{
    double start = contender->is_slow ? 200 : 5;

    return start + 1.5 * (double)options.milliseconds + 0.004 * (double)count;
}

/* Those that have not been asked may well not know the question. */
static double work_left_of(const struct question *question, long count, const struct contender *contender)
{
    const struct result *result = result_of(question, count, contender);
    double rounds = (double)(rounds_of(question) - result->rounds);

    if (result->state != RESULT_WANTED)
        return 0;
    return work_of(count, contender) * rounds * (result->rounds == 0 ? 0.5 : 1);
}

static double work_left(void)
{
    double left = 0;

    for (const struct question *q = questions; q->name != NULL; q++)
        for (const long *count = q->counts; *count != 0; count++)
            for (const struct contender *c = contenders; is_measured(q, *count) && c->label != NULL; c++)
                left += work_left_of(q, *count, c);
    return left;
}

/* ---- measuring ---- */

static bool is_asked(const struct contender *contender, const struct question *question, bool is_first)
{
    if (!program_is_there(contender) || (contender->only != NULL && strcmp(contender->only, question->name) != 0))
        return false;
    return is_first || !options.is_quick || !contender->is_slow;
}

/* Notes what need not be measured. */
static void prepare(void)
{
    bool is_first = true;

    for (const struct question *q = questions; q->name != NULL; q++) {
        if (!options_want(q))
            continue;
        for (const struct contender *c = contenders; c->label != NULL; c++)
            if (!is_asked(c, q, is_first))
                result_refuse(q, 0, c, RESULT_LEFT_OUT, "");
        is_first = false;
    }
}

static void measure(const struct question *question, long count, const struct contender *contender, size_t round)
{
    struct result *result = result_of(question, count, contender);
    double figures[MOST_FIGURES] = {0};
    const char *why = "";
    enum program_answer answer;

    if (result->state != RESULT_WANTED)
        return;
    progress_show(question, count, contender, round, work_left());
    answer = program_ask(contender, question, count, figures, &why);
    if (os_is_interrupted())
        return; /* which may have killed it */
    if (answer == PROGRAM_UNKNOWN) {
        result_refuse(question, count, contender, RESULT_LEFT_OUT, "");
    } else if (answer == PROGRAM_REFUSED) {
        result_refuse(question, count, contender, RESULT_REFUSED, why);
    } else {
        result_add(result, figures);
        rows_write(question, count, contender, round, figures);
        progress_add(work_of(count, contender));
    }
}

static size_t count_contenders(void)
{
    size_t count = 0;

    while (contenders[count].label != NULL)
        count++;
    return count;
}

/* Every other round goes backwards: a machine that becomes slower by and by is then as bad for all, and the first
 * contender does not always come after the last. */
static void measure_round(const struct question *question, long count, size_t round)
{
    size_t all = count_contenders();

    for (size_t i = 0; i < all && !os_is_interrupted(); i++)
        measure(question, count, &contenders[round % 2 == 0 ? i : all - 1 - i], round);
}

static void measure_question(const struct question *question)
{
    for (const long *count = question->counts; *count != 0; count++) {
        if (!is_measured(question, *count))
            continue;
        for (size_t round = 0; round < rounds_of(question) && !os_is_interrupted(); round++)
            measure_round(question, *count, round);
        table_print(question, *count);
    }
}

int main(int argc, char **argv)
{
    options_read(argc, argv);
    programs_find();
    if (options.is_list) {
        list_all();
        output_end();
        return 0;
    }
    prepare();
    rows_open();
    machine_note(os_pin());
    machine_print();
    os_catch_interrupt();
    for (const struct question *q = questions; q->name != NULL && !os_is_interrupted(); q++)
        measure_question(q);
    progress_clear();
    rows_close();
    plots_draw();
    list_absent();
    printf("\nRows and plots are in %s.\n", options.out);
    if (os_is_interrupted())
        printf("This run was cut short: not all has been measured.\n");
    output_end();
    return os_is_interrupted();
}
