/* SPDX-License-Identifier: MIT */
/* questions.c - what is asked, and of whom. To add a question or a contender is to add a row. */

#include "questions.h"

#include <string.h>

static const char *const ns[] = {"ns", NULL};
static const char *const bytes[] = {"resident B", "virtual B", "page tables B", "mappings", NULL};

/* clang-format off */
const struct question questions[] = {
    {"switch", "one switch, one fiber",
     NULL, ns, "ns per switch", PLOT_BARS, {1}},
    {"robin", "one switch, fibers resumed in turn",
     "fibers", ns, "ns per switch", PLOT_LINES, {1, 2, 100, 10000, 100000, 1000000}},
    {"generator", "one item of a generator",
     NULL, ns, "ns per item", PLOT_BARS, {1}},
    {"create", "create + run to the end + destroy, warm",
     NULL, ns, "ns per fiber", PLOT_BARS, {1}},
    {"create_among", "create + run to the end + destroy, warm, while others are suspended",
     "others", ns, "ns per fiber", PLOT_LINES, {1, 100, 10000, 100000, 1000000}},
    {"create_cold", "create + run to the end + destroy, cold, all at once",
     "fibers", ns, "ns per fiber", PLOT_NONE, {10000}},
    {"memory", "memory of suspended fibers",
     "fibers", bytes, "bytes per fiber: resident, and page tables", PLOT_LINES, {10000, 100000, 1000000}},
    {"yield", "one yield of a task; tasks take turns",
     "tasks", ns, "ns per yield", PLOT_LINES, {2, 100, 10000, 100000, 1000000}},
    {"channel", "one item from task to task, unbuffered",
     NULL, ns, "ns per item", PLOT_BARS, {1}},
    {"channel_16", "one item from task to task, capacity 16",
     NULL, ns, "ns per item", PLOT_NONE, {1}},
    {"spawn", "spawn + run + await a task",
     NULL, ns, "ns per task", PLOT_NONE, {1}},
    {"timer", "set a timer and take it back, with so many pending",
     "timers", ns, "ns per timer", PLOT_NONE, {1, 10000, 100000}},
    {.name = NULL},
};

/* Without a package: what builds this library builds it. */
#ifdef _WIN32
const struct contender contenders[] = {
    {"coir asm", "coir.exe", "plain", .environment = "COIR_BACKEND=asm"},
    {"coir asm, prefetch", "coir.exe", "prefetch", .environment = "COIR_BACKEND=asm"},
    {"coir asm, coir_switch", "coir.exe", "switch", .environment = "COIR_BACKEND=asm"},
    {"coir asm, from outside", "coir.exe", "outside", .environment = "COIR_BACKEND=asm"},
    {"coir winfiber", "coir.exe", "plain", .environment = "COIR_BACKEND=winfiber"},
    {"Windows fibers", "peers/windows_fiber.exe", "plain", .package = NULL},
    {.label = NULL},
};
#else
const struct contender contenders[] = {
    {"coir asm", "coir", "plain", .environment = "COIR_BACKEND=asm"},
    {"coir asm, prefetch", "coir", "prefetch", .environment = "COIR_BACKEND=asm"},
    {"coir asm, coir_switch", "coir", "switch", .environment = "COIR_BACKEND=asm"},
    {"coir asm, from outside", "coir", "outside", .environment = "COIR_BACKEND=asm"},
    {"coir ucontext", "coir", "plain", .environment = "COIR_BACKEND=ucontext"},
    {"libco-style", "peers/libco_style", "plain", .package = NULL},
    {"Boost.Context malloc", "peers/fcontext", "malloc", .package = "libboost-context-dev"},
    {"Boost.Context mmap + guard", "peers/fcontext", "mmap", .package = "libboost-context-dev"},
    {"Boost.Context pool", "peers/fcontext", "pool", .package = "libboost-context-dev", .only = "create"},
    {"Boost.Coroutine2", "peers/boost_coroutine2", "plain", .package = "libboost-coroutine-dev"},
    {"Boost.Coroutine2 pool", "peers/boost_coroutine2", "pool", .package = "libboost-coroutine-dev", .only = "create"},
    {"Boost.Fiber", "peers/boost_fiber", "plain", .package = "libboost-fiber-dev"},
    {"Boost.Fiber, dispatch", "peers/boost_fiber", "dispatch", .package = "libboost-fiber-dev"},
    {"GNU Pth", "peers/pth", "plain", .package = "libpth-dev"},
    {"State Threads", "peers/state_threads", "plain", .package = "libst-dev"},
    {"State Threads, conditions", "peers/state_threads", "cond", .package = "libst-dev"},
    {"glibc ucontext", "peers/ucontext", "plain", .package = NULL},
    {"LuaJIT", "peers/coroutines.lua", "plain", .runner = "luajit", .package = "luajit"},
    {"LuaJIT, interpreted", "peers/coroutines.lua", "interpreted", .runner = "luajit", .package = "luajit"},
    {"Lua 5.4", "peers/coroutines.lua", "plain", .runner = "lua5.4", .package = "lua5.4"},
    {"C++20 coroutines", "peers/cxx20", "plain", .package = "g++"},
    {"stackless Rust", "peers/stackless", "plain", .package = "rustc"},
    {"Go", "peers/goroutines", "plain", .package = "golang-go"},
    {"Go, ended early", "peers/goroutines", "early", .package = "golang-go"},
    {"Go, timer set again", "peers/goroutines", "reset", .package = "golang-go"},
    {"guards and pages alone", "peers/pages", "plain", .package = NULL},
    {"coir asm (wine)", "windows/coir", "plain", .environment = "COIR_BACKEND=asm",
     .package = "gcc-mingw-w64-x86-64, wine64", .is_slow = true},
    {"coir winfiber (wine)", "windows/coir", "plain", .environment = "COIR_BACKEND=winfiber",
     .package = "gcc-mingw-w64-x86-64, wine64", .is_slow = true},
    {"Windows fibers (wine)", "windows/windows_fiber", "plain", .package = "gcc-mingw-w64-x86-64, wine64",
     .is_slow = true},
    {.label = NULL},
};
#endif

/* Answers that are not quite to what the question says: of one variant, or of any. Since a question may have more than
 * one note, each says whom it is about. */
static const struct {
    const char *question, *program, *variant, *text;
} notes[] = {
    {"switch", "peers/goroutines", NULL, "Go: a hand-over by a channel: there is no switch"},
    {"generator", "peers/goroutines", NULL, "Go: a hand-over by a channel: there are no generators"},
    {"create", "peers/goroutines", NULL, "Go: a start, and a wait for the end by a channel: nothing is destroyed"},
    {"create", "peers/boost_fiber", NULL, "Boost.Fiber: a launch and a join, by way of its scheduler"},
    {"create_cold", "peers/goroutines", "plain", "Go: each also waits, and is woken when all have been started"},
    {"create_cold", "peers/pages", NULL,
     "guards and pages: the system calls and faults that new stacks with guards take at the least"},
    {"yield", "peers/fcontext", NULL, "Boost.Context: a resume and back, in turn: there is no executor"},
    {"yield", "peers/coroutines.lua", NULL, "Lua: a resume and back, in turn: there is no executor"},
    {"yield", "peers/state_threads", "plain", "State Threads: st_usleep(0), a timer and a poll: there is no yield"},
    {"channel_16", "peers/boost_fiber", NULL, "Boost.Fiber: holds 15: of 16 places one stays free"},
    {"timer", "peers/goroutines", NULL,
     "Go: the timer alone; with all others a task waits for it and is woken, which takes two switches"},
};
/* clang-format on */

_Static_assert(sizeof questions / sizeof *questions <= MOST_QUESTIONS, "MOST_QUESTIONS is too small");
_Static_assert(sizeof contenders / sizeof *contenders <= MOST_CONTENDERS, "MOST_CONTENDERS is too small");

bool question_is_memory(const struct question *question)
{
    return question->units == bytes;
}

bool contender_is_coir(const struct contender *contender)
{
    return strncmp(contender->label, "coir", 4) == 0;
}

const char *contender_note(const struct contender *contender, const struct question *question)
{
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        if (strcmp(notes[i].question, question->name) == 0 && strcmp(notes[i].program, contender->program) == 0 &&
            (notes[i].variant == NULL || strcmp(notes[i].variant, contender->variant) == 0))
            return notes[i].text;
    return NULL;
}
