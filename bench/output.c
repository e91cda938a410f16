/* SPDX-License-Identifier: MIT */
/* output.c - files of the folder of results, and what other files of output need. */

#include "output.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "os.h"

_Noreturn void output_die(const char *why)
{
    progress_clear();
    fprintf(stderr, "bench: %s\n", why);
    exit(1);
}

/* A write that failed earlier has left nothing in errno that can be relied on. */
static bool has_lost(FILE *file)
{
    errno = EIO;
    return ferror(file) != 0;
}

void output_end(void)
{
    bool was_lost = has_lost(stdout);

    if (fflush(stdout) == 0 && !was_lost)
        return;
    fprintf(stderr, "bench: standard output: %s\n", strerror(errno));
    exit(1);
}

static _Noreturn void die_of_file(const char *name)
{
    progress_clear();
    fprintf(stderr, "bench: %s/%s: %s\n", options.out, name, strerror(errno));
    exit(1);
}

static void find_path(const char *name, char path[2048])
{
    if (snprintf(path, 2048, "%s/%s", options.out, name) >= 2048)
        output_die("the name of the folder of results is too long");
}

FILE *output_open(const char *name)
{
    char path[2048];
    FILE *file;

    os_make_folder(options.out);
    find_path(name, path);
    file = fopen(path, "wb");
    if (file == NULL)
        die_of_file(name);
    return file;
}

void output_close(FILE *file, const char *name)
{
    bool was_lost = has_lost(file);

    if (fclose(file) != 0 || was_lost)
        die_of_file(name);
}

void output_remove(const char *name)
{
    char path[2048];

    find_path(name, path);
    remove(path);
}

const char *output_count(long count, char text[32])
{
    char plain[32];
    size_t length = (size_t)snprintf(plain, sizeof plain, "%ld", count), to = 0;

    for (size_t from = 0; from < length; from++) {
        if (from > 0 && (length - from) % 3 == 0)
            text[to++] = ',';
        text[to++] = plain[from];
    }
    text[to] = '\0';
    return text;
}
