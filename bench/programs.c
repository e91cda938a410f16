/* SPDX-License-Identifier: MIT */
/* programs.c - the programs of the contenders. */

#include "programs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "os.h"
#include "output.h"

#define MOST_SECONDS 60
#define PATH_SIZE 2048

static bool is_there[MOST_CONTENDERS];

static void find_path(const struct contender *contender, char *path)
{
    int length = snprintf(path, PATH_SIZE, "%s/%s", options.programs, contender->program);

    if (length >= PATH_SIZE)
        output_die("the name of the folder of the contenders is too long");
}

static bool can_be_read(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL)
        return false;
    fclose(file);
    return true;
}

static bool look_for(const struct contender *contender)
{
    char path[PATH_SIZE];

    find_path(contender, path);
    if (contender->runner == NULL)
        return os_is_program(path);
    return os_is_program(contender->runner) && can_be_read(path);
}

void programs_find(void)
{
    for (size_t i = 0; contenders[i].label != NULL; i++)
        is_there[i] = look_for(&contenders[i]);
}

bool program_is_there(const struct contender *contender)
{
    return is_there[contender - contenders];
}

const char *program_absence(const struct contender *contender)
{
    static char why[128];

    if (contender->runner != NULL && !os_is_program(contender->runner))
        snprintf(why, sizeof why, "%s is not installed; Debian: %s", contender->runner,
                 contender->package);
    else if (contender->package != NULL)
        snprintf(why, sizeof why, "%s not built; Debian: %s", contender->program,
                 contender->package);
    else
        snprintf(why, sizeof why, "%s not built", contender->program);
    return why;
}

/* False if it could not be run, or not to its end. */
static bool run(const struct contender *contender, const struct question *question, long count, char *out, size_t size)
{
    char path[PATH_SIZE], count_text[32], milliseconds[32];
    const char *arguments[7];
    size_t n = 0;

    find_path(contender, path);
    snprintf(count_text, sizeof count_text, "%ld", count);
    snprintf(milliseconds, sizeof milliseconds, "%ld", options.milliseconds);
    if (contender->runner != NULL)
        arguments[n++] = contender->runner;
    arguments[n++] = path;
    arguments[n++] = contender->variant;
    arguments[n++] = question->name;
    arguments[n++] = count_text;
    arguments[n++] = milliseconds;
    arguments[n] = NULL;
    return os_run(arguments, contender->environment, MOST_SECONDS, out, size);
}

static bool read_figures(const struct question *question, const char *text, double figures[MOST_FIGURES])
{
    for (size_t i = 0; question->units[i] != NULL; i++) {
        char *end;
        figures[i] = strtod(text, &end);
        if (end == text)
            return false;
        text = end;
    }
    return true;
}

enum program_answer program_ask(const struct contender *contender, const struct question *question, long count,
                                double figures[MOST_FIGURES], const char **why)
{
    static char out[256];
    double start = os_now();
    bool has_ended = run(contender, question, count, out, sizeof out);

    out[strcspn(out, "\r\n")] = '\0';
    if (!has_ended)
        *why = os_now() - start < MOST_SECONDS * 1e9 ? "died" : "took too long";
    else if (strcmp(out, "- no such question") == 0)
        return PROGRAM_UNKNOWN;
    else if (strncmp(out, "- ", 2) == 0)
        *why = out + 2;
    else if (read_figures(question, out, figures))
        return PROGRAM_FIGURES;
    else
        *why = out[0] == '\0' ? "ended without an answer" : "gave an answer that makes no sense";
    return PROGRAM_REFUSED;
}
