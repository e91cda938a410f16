/* SPDX-License-Identifier: MIT */
/* os_posix.c - what the benchmarks want of a system like Linux. */

#define _GNU_SOURCE
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

double os_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* The value of a line "NAME:   123 kB" of /proc/self/status, in bytes; 0 if there is none. */
static double status_bytes(const char *line, const char *name)
{
    size_t length = strlen(name);

    return strncmp(line, name, length) == 0 && line[length] == ':' ? strtod(line + length + 1, NULL) * 1024 : 0;
}

static double count_mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    double lines = 0;
    int c;

    if (maps == NULL)
        return 0;
    while ((c = getc(maps)) != EOF)
        lines += c == '\n';
    fclose(maps);
    return lines;
}

bool os_memory(struct os_memory *out)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];

    if (status == NULL)
        return false;
    memset(out, 0, sizeof *out);
    while (fgets(line, sizeof line, status) != NULL) {
        out->resident += status_bytes(line, "VmRSS");
        out->mapped += status_bytes(line, "VmSize");
        out->tables += status_bytes(line, "VmPTE");
    }
    fclose(status);
    out->mappings = count_mappings();
    return out->resident > 0;
}

/* To the last processor that we may use: the first has most of the system's own work. */
int os_pin(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return -1;
    for (size_t cpu = CPU_SETSIZE; cpu-- > 0;) {
        if (CPU_ISSET(cpu, &set)) {
            CPU_ZERO(&set);
            CPU_SET(cpu, &set);
            return sched_setaffinity(0, sizeof set, &set) == 0 ? (int)cpu : -1;
        }
    }
    return -1;
}

bool os_is_watched(void)
{
    return isatty(STDERR_FILENO);
}

static volatile sig_atomic_t interrupted;

static void note_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* A terminal that is closed tells us only, not a child in a group of its own; unless that is not to matter (nohup). */
void os_catch_interrupt(void)
{
    struct sigaction action = {.sa_handler = note_interrupt, .sa_flags = (int)SA_RESETHAND}, before;

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(SIGHUP, &action, NULL);
}

bool os_is_interrupted(void)
{
    return interrupted;
}

/* What is behind the colon of a line of /proc/cpuinfo, without the space before it; empty if there is nothing. */
static const char *value_of(char *line)
{
    char *value = strchr(line, ':');

    if (value == NULL)
        return "";
    value[strcspn(value, "\n")] = '\0';
    return value + 1 + strspn(value + 1, " \t");
}

static void processor_name(char *out, size_t size)
{
    FILE *info = fopen("/proc/cpuinfo", "r");
    char line[256];

    snprintf(out, size, "unknown processor");
    while (info != NULL && fgets(line, sizeof line, info) != NULL) {
        const char *value = value_of(line);
        if (strncmp(line, "model name", 10) != 0 || value[0] == '\0')
            continue;
        snprintf(out, size, "%s", value);
        break;
    }
    if (info != NULL)
        fclose(info);
}

void os_describe(char *out, size_t size)
{
    struct utsname system = {.sysname = "unknown"};
    char processor[128];

    uname(&system);
    processor_name(processor, sizeof processor);
    snprintf(out, size, "%s, %s %s", processor, system.sysname, system.release);
}

void os_make_folder(const char *path)
{
    mkdir(path, 0777);
}

static bool is_executable(const char *path)
{
    struct stat file;

    return stat(path, &file) == 0 && S_ISREG(file.st_mode) && access(path, X_OK) == 0;
}

bool os_is_program(const char *name)
{
    const char *folders = getenv("PATH");
    char path[4096];

    if (strchr(name, '/') != NULL)
        return is_executable(name);
    while (folders != NULL) {
        const char *end = strchr(folders, ':');
        int length = end != NULL ? (int)(end - folders) : (int)strlen(folders);
        snprintf(path, sizeof path, "%.*s/%s", length, folders, name);
        if (length > 0 && is_executable(path))
            return true;
        folders = end != NULL ? end + 1 : NULL;
    }
    return false;
}

/* In a group of its own, so that it can be killed together with what it has started. Such a group must not read from
 * the terminal, which would stop it. */
static void become(const char *const *arguments, const char *environment, int output)
{
    int nowhere = open("/dev/null", O_RDWR);

    setpgid(0, 0);
    dup2(nowhere, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    if (environment != NULL)
        putenv((char *)environment);
    execvp(arguments[0], (char *const *)arguments);
    _exit(127);
}

/* Reads what is there; false at the end. What there is no room for is lost. */
static bool read_some(int input, char *out, size_t size, size_t *length)
{
    char rest[256];
    size_t room = size - 1 - *length;
    ssize_t got = room > 0 ? read(input, out + *length, room) : read(input, rest, sizeof rest);

    if (got < 0)
        return errno == EINTR;
    if (room > 0)
        *length += (size_t)got;
    out[*length] = '\0';
    return got > 0;
}

static bool has_ended(pid_t child, int *status)
{
    return waitpid(child, status, WNOHANG) == child;
}

/* Reads until the child has ended; false if it has not in time, or somebody interrupts us. The other end of the pipe
 * may stay open for longer, or not as long: wine starts processes that outlive the program. */
static bool read_until_end(pid_t child, int input, double seconds, char *out, size_t size, int *status)
{
    struct pollfd ready = {.fd = input, .events = POLLIN};
    double end = os_now() + seconds * 1e9;
    size_t length = 0;

    while (os_now() < end && !interrupted) {
        bool is_ready = poll(&ready, 1, ready.fd >= 0 ? 20 : 1) > 0;
        if (is_ready && !read_some(input, out, size, &length))
            ready.fd = -1; /* so that poll only waits */
        else if (!is_ready && has_ended(child, status))
            return true;
    }
    return false;
}

/* Ends a child and its group. What has left the group goes on, as `timeout` of t/wine.sh does with the program below
 * it: but not for longer than that allows, for which see windows.sh. */
static void end_group(pid_t child)
{
    int status;

    kill(-child, SIGKILL);
    waitpid(child, &status, 0);
}

bool os_run(const char *const *arguments, const char *environment, double seconds, char *out, size_t size)
{
    int ends[2], status = 0;
    bool in_time;
    pid_t child;

    out[0] = '\0';
    if (pipe(ends) != 0)
        return false;
    fflush(NULL);
    child = fork();
    if (child == 0)
        become(arguments, environment, ends[1]);
    if (child > 0)
        setpgid(child, child); /* whichever of the two is first */
    close(ends[1]);
    in_time = child > 0 && read_until_end(child, ends[0], seconds, out, size, &status);
    close(ends[0]);
    if (child > 0 && !in_time)
        end_group(child);
    return in_time && WIFEXITED(status) && WEXITSTATUS(status) != 127;
}
