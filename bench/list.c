/* SPDX-License-Identifier: MIT */
/* list.c - lists of what could be measured. */

#include "list.h"

#include <stdio.h>

#include "output.h"
#include "programs.h"

static void list_question(const struct question *question)
{
    char text[32];

    printf("    %-12s %s", question->name, question->title);
    for (const long *count = question->counts; question->noun != NULL && *count != 0; count++)
        printf("%s%s", count == question->counts ? ": " : ", ", output_count(*count, text));
    printf("%s%s\n", question->noun != NULL ? " " : "", question->noun != NULL ? question->noun : "");
}

static void list_contender(const struct contender *contender)
{
    printf("    %-28s %s%s%s %s", contender->label, contender->runner != NULL ? contender->runner : "",
           contender->runner != NULL ? " " : "", contender->program, contender->variant);
    printf("%s%s\n", contender->environment != NULL ? ", " : "",
           contender->environment != NULL ? contender->environment : "");
}

void list_absent(void)
{
    bool is_first = true;

    for (const struct contender *c = contenders; c->label != NULL; c++) {
        if (program_is_there(c))
            continue;
        printf("%s    %-28s %s\n", is_first ? "\nabsent:\n" : "", c->label, program_absence(c));
        is_first = false;
    }
}

void list_all(void)
{
    printf("questions:\n");
    for (const struct question *q = questions; q->name != NULL; q++)
        list_question(q);
    printf("\ncontenders:\n");
    for (const struct contender *c = contenders; c->label != NULL; c++)
        if (program_is_there(c))
            list_contender(c);
    list_absent();
}
