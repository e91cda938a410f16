/* SPDX-License-Identifier: MIT */
/* machine.c - where, when and how this was measured. */

#include "output.h"

#include <coir/version.h>

#include <time.h>

#include "options.h"
#include "os.h"

static char machine[256], date[32], rounds[32], pinned[64];

void machine_note(int processor)
{
    time_t now = time(NULL);

    os_describe(machine, sizeof machine);
    strftime(date, sizeof date, "%Y-%m-%d", localtime(&now));
    snprintf(rounds, sizeof rounds, "%zu round%s", options.rounds, options.rounds == 1 ? "" : "s");
    if (processor >= 0)
        snprintf(pinned, sizeof pinned, "pinned to processor %d", processor);
    else
        snprintf(pinned, sizeof pinned, "not pinned to a processor");
}

static void print_to(FILE *file)
{
    fprintf(file, "coir %s, %s\n%s\n", COIR_VERSION, date, machine);
    fprintf(file, "%s of %ld ms; each measurement in a process of its own, %s\n", rounds, options.milliseconds, pinned);
}

void machine_print(void)
{
    FILE *file = output_open("machine.txt");

    print_to(file);
    output_close(file, "machine.txt");
    print_to(stdout);
    fflush(stdout);
}

const char *machine_line(void)
{
    static char line[512];

    snprintf(line, sizeof line, "coir %s; %s; %s; %s", COIR_VERSION, machine, date, rounds);
    return line;
}
