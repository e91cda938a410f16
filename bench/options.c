/* SPDX-License-Identifier: MIT */
/* options.c - what the command line asks for. */

#include "options.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"

#define ROUNDS 7
#define QUICK_ROUNDS 3
#define MOST_ROUNDS 1000
#define MILLISECONDS 150
#define QUICK_MILLISECONDS 10
#define MOST_MILLISECONDS 10000
#define QUICK_MOST 10000

struct options options;

static bool is_only[MOST_QUESTIONS]; /* which questions --only names */
static bool has_only;

static void print_usage(FILE *to, const char *program)
{
    fprintf(to, "usage: %s [OPTIONS]\n", program);
}

static void print_help(const char *program)
{
    print_usage(stdout, program);
    puts("Measures coir and its peers by turns, all on one processor; prints tables, writes rows and plots.\n\n"
         "  --quick            3 rounds, short ones, and no counts above 10,000; of programs that wine runs only one\n"
         "                     question is asked\n"
         "  --rounds N         how often each measurement is made (7)\n"
         "  --milliseconds N   how long each lasts at least (150)\n"
         "  --only QUESTION    measures only this; may be repeated\n"
         "  --most N           leaves out counts of fibers, tasks, timers above N\n"
         "  --programs FOLDER  where the contenders are (the folder of this program)\n"
         "  --out FOLDER       where the results go (bench-results)\n"
         "  --list             lists questions and contenders, and measures nothing\n"
         "  --help             prints this");
}

static _Noreturn void end_with_usage(const char *program)
{
    print_usage(stderr, program);
    fprintf(stderr, "%s --help tells more.\n", program);
    exit(2);
}

static long read_number(const char *text, long most, const char *program)
{
    char *end;
    long number = strtol(text, &end, 10);

    if (end != text && *end == '\0' && number >= 1 && number <= most)
        return number;
    fprintf(stderr, "%s: %s: a number from 1 to %ld is wanted\n", program, text, most);
    end_with_usage(program);
}

static void read_question(const char *name, const char *program)
{
    for (size_t i = 0; questions[i].name != NULL; i++) {
        if (strcmp(questions[i].name, name) == 0) {
            is_only[i] = has_only = true;
            return;
        }
    }
    fprintf(stderr, "%s: %s: no such question; --list lists them\n", program, name);
    end_with_usage(program);
}

/* The part of a path before its last separator, whichever the system has. */
static const char *folder_of(const char *path)
{
    static char folder[1024];
    size_t length = strlen(path);

    while (length > 0 && strchr("/\\", path[length - 1]) == NULL)
        length--;
    if (length == 0)
        return ".";
    if (length > sizeof folder)
        output_die("the name of this program's folder is too long");
    memcpy(folder, path, length - 1);
    return length == 1 ? "/" : folder;
}

static void fill_in(const char *program)
{
    if (options.rounds == 0)
        options.rounds = options.is_quick ? QUICK_ROUNDS : ROUNDS;
    if (options.milliseconds == 0)
        options.milliseconds = options.is_quick ? QUICK_MILLISECONDS : MILLISECONDS;
    if (options.most == 0)
        options.most = options.is_quick ? QUICK_MOST : LONG_MAX;
    if (options.programs == NULL)
        options.programs = folder_of(program);
    if (options.out == NULL)
        options.out = "bench-results";
}

void options_read(int argc, char **argv)
{
    static const struct option names[] = {
        {"quick", no_argument, NULL, 'q'},        {"rounds", required_argument, NULL, 'r'},
        {"only", required_argument, NULL, 'o'},   {"milliseconds", required_argument, NULL, 't'},
        {"most", required_argument, NULL, 'm'},   {"programs", required_argument, NULL, 'p'},
        {"out", required_argument, NULL, 'f'},    {"list", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    int name;

    while ((name = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (name) {
        case 'q': options.is_quick = true; break;
        case 'r': options.rounds = (size_t)read_number(optarg, MOST_ROUNDS, argv[0]); break;
        case 't': options.milliseconds = read_number(optarg, MOST_MILLISECONDS, argv[0]); break;
        case 'm': options.most = read_number(optarg, LONG_MAX, argv[0]); break;
        case 'o': read_question(optarg, argv[0]); break;
        case 'p': options.programs = optarg; break;
        case 'f': options.out = optarg; break;
        case 'l': options.is_list = true; break;
        case 'h': print_help(argv[0]); output_end(); exit(0);
        default: end_with_usage(argv[0]);
        }
    }
    if (optind < argc)
        end_with_usage(argv[0]);
    fill_in(argv[0]);
}

bool options_want(const struct question *question)
{
    return !has_only || is_only[question - questions];
}
