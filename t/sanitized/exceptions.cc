/* SPDX-License-Identifier: MIT */
/* Exceptions in fibers, and fibers of C++: a sanitizer has nothing to report. */

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <coir.h>

#include "want.h"

static void fill(char *bytes, size_t size, int value)
{
    std::memset(bytes, value, size);
    __asm__ volatile("" : : "r"(bytes) : "memory");
}

__attribute__((noinline)) static void throw_below(int depth)
{
    char bytes[300];

    fill(bytes, sizeof bytes, depth);
    if (depth == 0)
        throw std::runtime_error("from below");
    std::string local(static_cast<size_t>(depth) * 3, 'x');
    throw_below(depth - 1);
    WANT(bytes[299] == depth && local[0] == 'x');
}

/* Large frames where those that were unwound had been. */
__attribute__((noinline)) static void use_stack(int depth)
{
    char bytes[1234];

    fill(bytes, sizeof bytes, depth);
    if (depth > 0)
        use_stack(depth - 1);
    WANT(bytes[1233] == depth);
}

static int caught;

static void *throws_and_catches(void *arg)
{
    for (int i = 0; i < 3; i++) {
        try {
            throw_below(20);
        } catch (const std::runtime_error &) {
            caught++;
            WANT(coir_yield(nullptr, nullptr) == COIR_OK);
            use_stack(15);
        }
        use_stack(30);
        WANT(coir_yield(nullptr, nullptr) == COIR_OK);
    }
    return arg;
}

static coir_fiber *create(coir_fn *fn, void *arg)
{
    coir_fiber *f;

    WANT(coir_create(&f, fn, arg, nullptr) == COIR_OK);
    return f;
}

/* All are in a catch block, or between two, while others throw. */
static void caught_in_turn()
{
    std::vector<coir_fiber *> fibers;
    bool done = false;

    caught = 0;
    for (int i = 0; i < 5; i++)
        fibers.push_back(create(throws_and_catches, nullptr));
    while (!done) {
        for (coir_fiber *f : fibers)
            done = coir_resume(f, nullptr, nullptr) == COIR_DONE;
        try {
            throw_below(10);
        } catch (const std::exception &) {
            use_stack(3);
        }
    }
    WANT(caught == 15);
    for (coir_fiber *f : fibers)
        WANT(coir_destroy(f) == COIR_OK);
}

static void *resumes_while_it_handles(void *arg)
{
    try {
        throw_below(5);
    } catch (const std::exception &e) {
        std::unique_ptr<std::string> text(new std::string(e.what()));
        coir_fiber *inner = create(throws_and_catches, nullptr);
        while (coir_resume(inner, nullptr, nullptr) == COIR_YIELDED)
            use_stack(4);
        WANT(coir_destroy(inner) == COIR_OK);
        WANT(*text == "from below");
    }
    return arg;
}

static void nested_in_a_handler()
{
    coir_fiber *f = create(resumes_while_it_handles, nullptr);

    WANT(coir_resume(f, nullptr, nullptr) == COIR_DONE);
    WANT(coir_destroy(f) == COIR_OK);
}

/* Ended in the middle: what its frames own is the frames' to give back, so they own nothing of the heap here but what is
 * given back when they are unwound. */
static void *suspended_with_objects(void *arg)
{
    std::unique_ptr<std::string> text(new std::string(100, 'y'));

    use_stack(10);
    coir_yield(arg, nullptr);
    WANT((*text)[99] == 'y');
    return nullptr;
}

static void *exits_with_objects(void *arg)
{
    std::vector<int> numbers(100, 1);

    use_stack(10);
    if (numbers[99] == 1)
        coir_exit(arg);
    return nullptr;
}

static void unwound()
{
    for (int i = 0; i < 10; i++) {
        coir_fiber *f = create(suspended_with_objects, nullptr), *g = create(exits_with_objects, nullptr);
        WANT(coir_resume(f, nullptr, nullptr) == COIR_YIELDED);
        WANT(coir_resume(g, nullptr, nullptr) == COIR_DONE);
        WANT(coir_destroy(f) == COIR_OK);
        WANT(coir_destroy(g) == COIR_OK);
        caught_in_turn();
    }
}

static void *throws_in_a_task(void *arg)
{
    try {
        coir_task_yield();
        throw_below(7);
    } catch (const std::exception &) {
        WANT(coir_sleep(COIR_MILLISECOND / 10) == COIR_OK);
        use_stack(8);
    }
    return arg;
}

static void in_tasks()
{
    coir_exec *e;

    WANT(coir_exec_create(&e, nullptr) == COIR_OK);
    for (int i = 0; i < 5; i++)
        WANT(coir_spawn(nullptr, e, throws_in_a_task, nullptr, nullptr) == COIR_OK);
    WANT(coir_exec_run(e) == COIR_OK);
    WANT(coir_exec_destroy(e) == COIR_OK);
}

int main(int argc, char **argv)
{
    std::string name = argc > 1 ? argv[1] : "all";

    if (name == "all" || name == "caught_in_turn")
        caught_in_turn();
    if (name == "all" || name == "nested_in_a_handler")
        nested_in_a_handler();
    if (name == "all" || name == "unwound")
        unwound();
    if (name == "all" || name == "in_tasks")
        in_tasks();
    return 0;
}
