/* SPDX-License-Identifier: MIT */
/* t_win32.c - what the tests want of Windows. */

#include <config.h>

#include "t.h"

#include <fcntl.h>
#include <io.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>
#include <psapi.h>

/* ---- children: the same program runs the same case, up to the call that the child is for ---- */

/* In its environment a child finds how the earlier calls ended, each followed by a blank. */
#define OUTCOMES "T_OUTCOMES"

static const char *this_program;
static int this_case;
static char outcomes[4096];

void t_start(const char *program, int only)
{
    this_program = program;
    this_case = only;
    /* Results in text mode would end in CR LF, which the reader of the results does not know. */
    _setmode(_fileno(stdout), _O_BINARY);
    /* No window for a crash: it would wait for a person. */
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
}

/* In a child: the outcome of the next call, which is then answered; or else this is the call that the child is for. */
static bool is_answered(int *outcome)
{
    static const char *rest;
    char *end;

    if (rest == NULL)
        rest = getenv(OUTCOMES);
    *outcome = (int)strtol(rest, &end, 10);
    if (end == rest)
        return false;
    rest = end;
    return true;
}

static int outcome_of(DWORD status)
{
    switch (status) {
    case EXCEPTION_ACCESS_VIOLATION:
    case EXCEPTION_GUARD_PAGE:
    case EXCEPTION_STACK_OVERFLOW:
        return T_FAULT;
    case 3:          /* what abort exits with */
    case 0xc0000409: /* or, in newer C runtimes, how it fails: STATUS_STACK_BUFFER_OVERRUN */
        return T_ABORT;
    default:
        return status < 256 ? (int)status : T_KILLED;
    }
}

/* Where what children say is kept, if anybody wants it. */
static char *heard_text;
static size_t heard_room;

/* Without the CR that the C runtime puts before each LF. */
static void hear(const char *text, size_t length)
{
    for (size_t i = 0; i < length && heard_room > 0; i++) {
        if (text[i] == '\r')
            continue;
        *heard_text++ = text[i];
        heard_room--;
    }
    *heard_text = '\0';
}

/* Reads what there is to be read: was there anything? */
static bool drain(HANDLE output)
{
    char text[256];
    DWORD length;
    bool any = false;

    while (ReadFile(output, text, sizeof text, &length, NULL) && length > 0) {
        any = true;
        if (heard_text != NULL)
            hear(text, length);
    }
    return any;
}

/* Starts the program again and waits for its end: has it said anything? */
static bool run_program(DWORD *status)
{
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, NULL, TRUE};
    STARTUPINFOA start = {.cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES};
    PROCESS_INFORMATION child;
    HANDLE output, input;
    char command[1024];
    bool any;

    ck_assert(CreatePipe(&output, &input, &inherited, 0));
    SetHandleInformation(output, HANDLE_FLAG_INHERIT, 0);
    start.hStdOutput = start.hStdError = input;
    snprintf(command, sizeof command, "\"%s\" %d", this_program, this_case);
    if (!CreateProcessA(NULL, command, NULL, NULL, TRUE, 0, NULL, NULL, &start, &child)) {
        CloseHandle(input);
        CloseHandle(output);
        return false;
    }
    CloseHandle(input);
    any = drain(output);
    CloseHandle(output);
    WaitForSingleObject(child.hProcess, INFINITE);
    GetExitCodeProcess(child.hProcess, status);
    CloseHandle(child.hThread);
    CloseHandle(child.hProcess);
    return any;
}

/* Once in some thousand times wine does not get as far as to start a program. Ours says at least how many cases it will
 * run, so one that said nothing is tried again. */
static int run_child(const char *name, const char *value)
{
    DWORD status = 0;
    bool started = false;

    _putenv_s(name, value);
    for (int attempt = 0; attempt < 3 && !started; attempt++)
        started = run_program(&status);
    _putenv_s(name, "");
    ck_assert(started);
    return outcome_of(status);
}

int t_run_in_child(void (*fn)(void *arg), void *arg)
{
    size_t length = strlen(outcomes);
    int outcome;

    if (getenv(OUTCOMES) != NULL) {
        if (is_answered(&outcome))
            return outcome;
        fn(arg);
        t_exit(0);
    }
    ck_assert_int_ne(this_case, 0); /* else the child would run other cases too */
    outcome = run_child(OUTCOMES, outcomes[0] != '\0' ? outcomes : " ");
    ck_assert_uint_lt(length, sizeof outcomes - 16);
    snprintf(outcomes + length, sizeof outcomes - length, "%d ", outcome);
    return outcome;
}

int t_listen_to_child(void (*fn)(void *arg), void *arg, char *heard, size_t size)
{
    int outcome;

    heard[0] = '\0';
    heard_text = heard;
    heard_room = size - 1;
    outcome = t_run_in_child(fn, arg);
    heard_text = NULL;
    return outcome;
}

void t_listen(void (*fn)(int fd, void *arg), void *arg, char *heard, size_t size)
{
    int ends[2], got;
    size_t length = 0;

    ck_assert_int_eq(_pipe(ends, 65536, _O_BINARY), 0);
    fn(ends[1], arg);
    _close(ends[1]);
    while (length < size - 1 && (got = _read(ends[0], heard + length, (unsigned)(size - 1 - length))) > 0)
        length += (size_t)got;
    heard[length] = '\0';
    _close(ends[0]);
}

int t_run_again(const char *name, const char *value)
{
    return run_child(name, value);
}

void t_exit(int status)
{
    fflush(stdout);
    TerminateProcess(GetCurrentProcess(), (UINT)status);
}

/* ---- threads ---- */

static DWORD WINAPI run_thread(void *thread)
{
    t_thread *self = thread;

    return (DWORD)(uintptr_t)self->fn(self->arg);
}

t_thread *t_thread_start(void *(*fn)(void *arg), void *arg)
{
    t_thread *thread = t_thread_take();

    thread->fn = fn;
    thread->arg = arg;
    thread->system = (uintptr_t)CreateThread(NULL, 0, run_thread, thread, 0, NULL);
    ck_assert(thread->system != 0);
    return thread;
}

void *t_thread_join(t_thread *thread)
{
    HANDLE handle = (HANDLE)thread->system;
    DWORD value;

    WaitForSingleObject(handle, INFINITE);
    GetExitCodeThread(handle, &value);
    CloseHandle(handle);
    thread->used = false;
    return T_VALUE(value);
}

void t_thread_exit(void *value)
{
    ExitThread((DWORD)(uintptr_t)value);
}

/* Fiber-local storage, which is a thread's unless that is a fiber. Its callback comes as t_thread_key wants it, but for
 * the calling convention where there are several. */
t_thread_key t_thread_key_create(void (*destroy)(void *value))
{
    t_thread_key key = {FlsAlloc((PFLS_CALLBACK_FUNCTION)destroy)};

    ck_assert(key.number != FLS_OUT_OF_INDEXES);
    return key;
}

void t_thread_key_set(t_thread_key key, void *value)
{
    ck_assert(FlsSetValue(key.number, value));
}

struct t_monitor {
    CRITICAL_SECTION section;
    CONDITION_VARIABLE condition;
};

t_monitor *t_monitor_create(void)
{
    t_monitor *m = malloc(sizeof *m);

    ck_assert_ptr_nonnull(m);
    InitializeCriticalSection(&m->section);
    InitializeConditionVariable(&m->condition);
    return m;
}

void t_monitor_destroy(t_monitor *m)
{
    DeleteCriticalSection(&m->section);
    free(m);
}

void t_monitor_enter(t_monitor *m)
{
    EnterCriticalSection(&m->section);
}

void t_monitor_leave(t_monitor *m)
{
    LeaveCriticalSection(&m->section);
}

void t_monitor_wait(t_monitor *m)
{
    SleepConditionVariableCS(&m->condition, &m->section, INFINITE);
}

void t_monitor_wake(t_monitor *m)
{
    WakeAllConditionVariable(&m->condition);
}

/* ---- memory ---- */

size_t t_page_size(void)
{
    SYSTEM_INFO info;

    GetSystemInfo(&info);
    return info.dwPageSize;
}

void *t_map(uintptr_t address, size_t size)
{
    void *memory = VirtualAlloc((void *)address, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);

    if (memory == NULL) /* the place is taken */
        memory = VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    ck_assert_ptr_nonnull(memory);
    return memory;
}

void t_unmap(void *memory, size_t size)
{
    (void)size;
    VirtualFree(memory, 0, MEM_RELEASE);
}

void *t_aligned_allocate(size_t alignment, size_t size)
{
    return _aligned_malloc(size, alignment);
}

void t_aligned_release(void *memory)
{
    _aligned_free(memory);
}

void *t_library_open(const char *name)
{
    char path[256];

    snprintf(path, sizeof path, ".libs\\%s.dll", name);
    return (void *)LoadLibraryA(path);
}

void *t_library_symbol(void *library, const char *name)
{
    return (void *)(uintptr_t)GetProcAddress((HMODULE)library, name);
}

void t_setenv(const char *name, const char *value)
{
    _putenv_s(name, value != NULL ? value : "");
}

long t_resident_kib(void)
{
    PROCESS_MEMORY_COUNTERS counters;

    ck_assert(GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof counters));
    return (long)(counters.WorkingSetSize / 1024);
}

/* Allocations of address space. */
long t_mappings(void)
{
    MEMORY_BASIC_INFORMATION region;
    char *address = NULL;
    void *last = NULL;
    long count = 0;

    while (VirtualQuery(address, &region, sizeof region) != 0) {
        if (region.State != MEM_FREE && region.AllocationBase != last) {
            last = region.AllocationBase;
            count++;
        }
        address = (char *)region.BaseAddress + region.RegionSize;
    }
    return count;
}

bool t_guards_are_free(void)
{
    return !t_is_wine();
}

bool t_is_wine(void)
{
    return GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version") != NULL;
}
