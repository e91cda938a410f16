/* SPDX-License-Identifier: MIT */
/* plugin.h - what t/plugin.cc, a shared object in C++, has for t/plugin_host.c, a program in C. */

#ifndef PLUGIN_H
#define PLUGIN_H

#ifdef __cplusplus
extern "C" {
#endif

/* In none of them does the plugin call coir: what suspends is the host's. */
struct plugin {
    /* Throws and catches an exception with this number, and calls fn(arg) in the handler. Returns the number of the
     * exception that `throw;` throws then. */
    int (*call_in_handler)(int number, void (*fn)(void *arg), void *arg);
    /* Throws such an exception through an object whose destructor calls fn(arg). Returns the number that is caught. */
    int (*call_while_one_flies)(int number, void (*fn)(void *arg), void *arg);
    /* The number of the exception that is being handled, 0 for none; and how many fly. */
    int (*in_hand)(void);
    int (*in_flight)(void);
    /* The runtime's __cxa_get_globals. */
    void *(*get_globals)(void);
};

#ifdef _WIN32
__declspec(dllexport)
#endif
const struct plugin *plugin_functions(void);

#ifdef __cplusplus
}
#endif

#endif
