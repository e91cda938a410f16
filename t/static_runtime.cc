/* SPDX-License-Identifier: MIT */
/* A program with the C++ runtime linked into it, where the library could not find it: coir.hpp tells. */

#include "t.h"
#undef fail /* a macro of libcheck's, and a name in coir.hpp */

#include <coir.hpp>

#include <cxxabi.h>

struct numbered {
    int number;
};

static int current()
{
    const std::exception_ptr thrown = std::current_exception();
    if (thrown == nullptr)
        return 0;
    try {
        std::rethrow_exception(thrown);
    } catch (const numbered &caught) {
        return caught.number;
    }
}

struct yields_at_end {
    ~yields_at_end()
    {
        coir::this_fiber::yield();
        ck_assert_int_eq(std::uncaught_exceptions(), 1);
    }
};

/* Is suspended while its exception flies, and then in the handler. */
static int throw_by_turns(int number)
{
    try {
        yields_at_end object;
        throw numbered{number};
    } catch (const numbered &) {
        coir::this_fiber::yield();
        return current();
    }
}

START_TEST(fibers_have_records_of_their_own)
{
    coir::fiber<int> one([] { return throw_by_turns(1); }), two([] { return throw_by_turns(2); });
    ck_assert(one.resume());
    ck_assert_int_eq(std::uncaught_exceptions(), 0);
    ck_assert(two.resume());
    ck_assert(one.resume());
    ck_assert_int_eq(current(), 0);
    ck_assert(two.resume());
    ck_assert(!one.resume());
    ck_assert(!two.resume());
    ck_assert_int_eq(one.result(), 1);
    ck_assert_int_eq(two.result(), 2);
}
END_TEST

START_TEST(the_runtime_is_known)
{
    auto *runtimes = reinterpret_cast<void *(*)()>(abi::__cxa_get_globals);
    ck_assert_int_eq(coir_exceptions_attach(runtimes), COIR_OK);
    ck_assert_int_eq(coir_exceptions_attach([]() -> void * { return nullptr; }), COIR_EBUSY);
}
END_TEST

static int destroyed;

struct counted {
    ~counted() { destroyed++; }
};

static void *suspend_with_objects(void *arg)
{
    counted outer;
    try {
        throw counted();
    } catch (const counted &) {
        counted inner;
        coir_yield(nullptr, nullptr);
    }
    return arg;
}

START_TEST(frames_are_unwound)
{
    coir_fiber *f = t_create(suspend_with_objects, nullptr);
    ck_assert_int_eq(coir_resume(f, nullptr, nullptr), COIR_YIELDED);
    const int before = destroyed;
    ck_assert_int_eq(coir_destroy(f), COIR_OK);
    ck_assert_int_eq(destroyed - before, 3); /* with the exception */
}
END_TEST

T_MAIN(fibers_have_records_of_their_own, the_runtime_is_known, frames_are_unwound)
