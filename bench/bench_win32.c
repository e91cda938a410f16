/* SPDX-License-Identifier: MIT */
#include "bench.h"
#include "bench_os.h"

#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

double bench_now(void)
{
    LARGE_INTEGER count, frequency;

    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&frequency);
    return (double)count.QuadPart * 1e9 / (double)frequency.QuadPart;
}

/* To the last processor that we may use: the first has most of the system's own work. */
void bench_pin(void)
{
    DWORD_PTR ours, all, one;

    if (!GetProcessAffinityMask(GetCurrentProcess(), &ours, &all))
        return;
    one = (DWORD_PTR)1 << (sizeof one * 8 - 1);
    while (one != 0 && !(ours & one))
        one >>= 1;
    SetProcessAffinityMask(GetCurrentProcess(), one);
}

bool bench_is_watched(void)
{
    return _isatty(_fileno(stderr)) != 0;
}

static double read_figure(HANDLE output)
{
    char text[64];
    DWORD length = 0;

    if (!ReadFile(output, text, sizeof text - 1, &length, NULL) || length == 0)
        return -1;
    text[length] = '\0';
    return strtod(text, NULL);
}

double bench_run_command(const char *command)
{
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, NULL, TRUE};
    STARTUPINFOA start = {.cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES};
    PROCESS_INFORMATION child;
    HANDLE output, input;
    char line[1024]; /* CreateProcess wants it writable */
    double figure;

    snprintf(line, sizeof line, "%s", command);
    if (!CreatePipe(&output, &input, &inherited, 0))
        return -1;
    start.hStdOutput = input;
    start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    if (!CreateProcessA(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &child)) {
        CloseHandle(input);
        CloseHandle(output);
        return -1;
    }
    CloseHandle(input);
    figure = read_figure(output);
    WaitForSingleObject(child.hProcess, INFINITE);
    CloseHandle(output);
    CloseHandle(child.hThread);
    CloseHandle(child.hProcess);
    return figure;
}

double bench_measure_apart(const char *program, int contender, const char *backend)
{
    char command[1024];

    SetEnvironmentVariableA("COIR_BACKEND", backend);
    snprintf(command, sizeof command, "\"%s\" " BENCH_MEASURE " %d", program, contender);
    return bench_run_command(command);
}
