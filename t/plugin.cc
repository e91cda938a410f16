/* SPDX-License-Identifier: MIT */
/* A plugin in C++, which brings its runtime into a program that has none: t/plugin_host.c. */

#include "plugin.h"

#include <cxxabi.h>
#include <exception>

namespace {

struct numbered {
    int number;
};

int call_in_handler(int number, void (*fn)(void *arg), void *arg)
{
    try {
        try {
            throw numbered{number};
        } catch (const numbered &) {
            fn(arg);
            throw;
        }
    } catch (const numbered &again) {
        return again.number;
    }
}

struct calls_at_end {
    void (*fn)(void *arg);
    void *arg;
    ~calls_at_end() { fn(arg); }
};

int call_while_one_flies(int number, void (*fn)(void *arg), void *arg)
{
    try {
        calls_at_end object = {fn, arg};
        throw numbered{number};
    } catch (const numbered &caught) {
        return caught.number;
    }
}

int in_hand()
{
    const std::exception_ptr current = std::current_exception();
    if (current == nullptr)
        return 0;
    try {
        std::rethrow_exception(current);
    } catch (const numbered &caught) {
        return caught.number;
    }
}

int in_flight()
{
    return std::uncaught_exceptions();
}

} // namespace

const struct plugin *plugin_functions(void)
{
    static const struct plugin functions = {
        call_in_handler, call_while_one_flies, in_hand, in_flight,
        reinterpret_cast<void *(*)()>(abi::__cxa_get_globals),
    };
    return &functions;
}
