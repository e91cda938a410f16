/* SPDX-License-Identifier: MIT */
/* os_win32.c - what the benchmarks want of Windows. */

#include "os.h"

#include <direct.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

double os_now(void)
{
    LARGE_INTEGER count, frequency;

    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&frequency);
    return (double)count.QuadPart * 1e9 / (double)frequency.QuadPart;
}

/* There is nothing like page tables or a number of mappings to be had. */
bool os_memory(struct os_memory *out)
{
    memset(out, 0, sizeof *out);
    return false;
}

/* To the last processor that we may use, as on other systems. */
int os_pin(void)
{
    DWORD_PTR ours, all;
    int cpu = sizeof ours * 8 - 1;

    if (!GetProcessAffinityMask(GetCurrentProcess(), &ours, &all) || ours == 0)
        return -1;
    while (!(ours >> cpu & 1))
        cpu--;
    return SetProcessAffinityMask(GetCurrentProcess(), (DWORD_PTR)1 << cpu) ? cpu : -1;
}

bool os_is_watched(void)
{
    return _isatty(_fileno(stderr)) != 0;
}

static volatile LONG interrupted;

/* Called in a thread of its own. Those that we start have no such function, so they end. */
static BOOL WINAPI note_interrupt(DWORD event)
{
    return (event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT) && InterlockedExchange(&interrupted, 1) == 0;
}

void os_catch_interrupt(void)
{
    SetConsoleCtrlHandler(note_interrupt, TRUE);
}

bool os_is_interrupted(void)
{
    return interrupted != 0;
}

static void processor_name(char *out, DWORD size)
{
    const char *key = "HARDWARE\\DESCRIPTION\\System\\CentralProcessor\\0";

    if (RegGetValueA(HKEY_LOCAL_MACHINE, key, "ProcessorNameString", RRF_RT_REG_SZ, NULL, out, &size) != ERROR_SUCCESS)
        snprintf(out, size, "unknown processor");
    while (*out != '\0' && out[strlen(out) - 1] == ' ')
        out[strlen(out) - 1] = '\0';
}

/* NULL unless this is wine. */
static const char *wine_version(void)
{
    FARPROC function = GetProcAddress(GetModuleHandleA("ntdll"), "wine_get_version");

    return function != NULL ? ((const char *(*)(void))(void (*)(void))function)() : NULL;
}

void os_describe(char *out, size_t size)
{
    const char *wine = wine_version();
    char processor[128] = "";

    processor_name(processor, sizeof processor);
    snprintf(out, size, "%s, %s%s", processor, wine != NULL ? "wine " : "Windows", wine != NULL ? wine : "");
}

void os_make_folder(const char *path)
{
    _mkdir(path);
}

bool os_is_program(const char *name)
{
    char path[MAX_PATH];
    DWORD attributes = GetFileAttributesA(name);

    if (strpbrk(name, "/\\") == NULL)
        return SearchPathA(NULL, name, ".exe", sizeof path, path, NULL) != 0;
    return attributes != INVALID_FILE_ATTRIBUTES && !(attributes & FILE_ATTRIBUTE_DIRECTORY);
}

/* What CreateProcess takes instead of arguments; none of ours has a quotation mark in it. False if it is too long. */
static bool join(const char *const *arguments, char *line, size_t size)
{
    size_t length = 0;

    for (; *arguments != NULL; arguments++) {
        int added = snprintf(line + length, size - length, "\"%s\" ", *arguments);
        if (added < 0 || (size_t)added >= size - length)
            return false;
        length += (size_t)added;
    }
    return true;
}

/* Sets "NAME=VALUE" for processes that we start, or takes it back. */
static void set_environment(const char *environment, bool is_set)
{
    char name[64];
    const char *equals;

    if (environment == NULL)
        return;
    equals = strchr(environment, '=');
    snprintf(name, sizeof name, "%.*s", (int)(equals - environment), environment);
    SetEnvironmentVariableA(name, is_set ? equals + 1 : NULL);
}

static bool start(const char *const *arguments, const char *environment, HANDLE output, HANDLE *child)
{
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, NULL, TRUE};
    STARTUPINFOA how = {.cb = sizeof how, .dwFlags = STARTF_USESTDHANDLES, .hStdOutput = output};
    PROCESS_INFORMATION process;
    char line[4096]; /* CreateProcess wants it writable */
    bool is_started;

    if (!join(arguments, line, sizeof line))
        return false;
    how.hStdError = CreateFileA("NUL", GENERIC_WRITE, FILE_SHARE_WRITE, &inherited, OPEN_EXISTING, 0, NULL);
    set_environment(environment, true);
    is_started = CreateProcessA(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &how, &process);
    set_environment(environment, false);
    CloseHandle(how.hStdError);
    if (!is_started)
        return false;
    CloseHandle(process.hThread);
    *child = process.hProcess;
    return true;
}

/* Reads what is there now; what there is no room for is lost. */
static void read_some(HANDLE input, char *out, size_t size, size_t *length)
{
    char rest[256];
    DWORD there, got;

    while (PeekNamedPipe(input, NULL, 0, NULL, &there, NULL) && there > 0) {
        DWORD room = (DWORD)(size - 1 - *length);
        if (!ReadFile(input, room > 0 ? out + *length : rest, room > 0 ? room : sizeof rest, &got, NULL))
            return;
        if (room > 0)
            *length += got;
        out[*length] = '\0';
    }
}

static bool read_until_end(HANDLE child, HANDLE input, double seconds, char *out, size_t size)
{
    double end = os_now() + seconds * 1e9;
    size_t length = 0;

    while (os_now() < end && !interrupted) {
        bool has_ended = WaitForSingleObject(child, 20) == WAIT_OBJECT_0;
        read_some(input, out, size, &length);
        if (has_ended)
            return true;
    }
    return false;
}

/* Programs that end by an exception have its number as their exit code: an error, 0xC0000000 or above. */
static bool has_ended_well(HANDLE child)
{
    DWORD code;

    return GetExitCodeProcess(child, &code) && code < 0xC0000000;
}

bool os_run(const char *const *arguments, const char *environment, double seconds, char *out, size_t size)
{
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, NULL, TRUE};
    HANDLE input, output, child;
    bool in_time;

    out[0] = '\0';
    if (!CreatePipe(&input, &output, &inherited, 0))
        return false;
    if (!start(arguments, environment, output, &child)) {
        CloseHandle(input);
        CloseHandle(output);
        return false;
    }
    CloseHandle(output);
    in_time = read_until_end(child, input, seconds, out, size);
    if (!in_time)
        TerminateProcess(child, 1);
    WaitForSingleObject(child, INFINITE);
    in_time = in_time && has_ended_well(child);
    CloseHandle(input);
    CloseHandle(child);
    return in_time;
}
