/* SPDX-License-Identifier: MIT */
/* error.c - the names and sentences of the error codes. */

#include <config.h>

#include <coir/error.h>

const char *coir_strerror(int error)
{
    if (error >= 0)
        return "no error";
    switch (error) {
#define SENTENCE(name, value, sentence) \
    case value:                         \
        return sentence;
        COIR_ERROR_LIST(SENTENCE)
#undef SENTENCE
    default:
        return "unknown error";
    }
}

const char *coir_errname(int error)
{
    if (error >= 0)
        return "COIR_OK";
    switch (error) {
#define NAME(name, value, sentence) \
    case value:                     \
        return "COIR_" #name;
        COIR_ERROR_LIST(NAME)
#undef NAME
    default:
        return "COIR_E?";
    }
}
