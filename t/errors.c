/* SPDX-License-Identifier: MIT */
/* Codes, names, sentences, versions, and the choice of a backend. */

#include "t.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(every_code_has_its_name_and_sentence)
{
    int codes = 0;
#define CHECK_CODE(name, value, sentence)                          \
    ck_assert_int_eq(COIR_##name, value);                          \
    ck_assert_str_eq(coir_errname(value), "COIR_" #name);          \
    ck_assert_str_eq(coir_strerror(value), sentence);              \
    codes++;
    COIR_ERROR_LIST(CHECK_CODE)
    ck_assert_int_eq(codes, -COIR_ERROR_LAST);
}
END_TEST

START_TEST(other_numbers_have_a_name_and_a_sentence_too)
{
    static const int good[] = {0, 1, 2, 1000000};
    static const int unknown[] = {COIR_ERROR_LAST - 1, -1000, INT32_MIN};
    for (int i = 0; i < 4; i++) {
        ck_assert_str_eq(coir_errname(good[i]), "COIR_OK");
        ck_assert_str_eq(coir_strerror(good[i]), "no error");
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(coir_errname(unknown[i]), "COIR_E?");
        ck_assert_str_eq(coir_strerror(unknown[i]), "unknown error");
    }
}
END_TEST

START_TEST(the_librarys_version_is_the_headers)
{
    char numbers[32];
    ck_assert_str_eq(coir_version(), COIR_VERSION);
    snprintf(numbers, sizeof numbers, "%d.%d.%d", COIR_VERSION_MAJOR, COIR_VERSION_MINOR, COIR_VERSION_PATCH);
    ck_assert_str_eq(numbers, COIR_VERSION);
    ck_assert_int_eq(COIR_VERSION_NUMBER,
                     COIR_VERSION_MAJOR * 1000000 + COIR_VERSION_MINOR * 1000 + COIR_VERSION_PATCH);
}
END_TEST

static void *nothing(void *arg)
{
    return arg;
}

START_TEST(the_environment_picks_the_backend)
{
    ck_assert_ptr_nonnull(coir_backend_name());
    ck_assert_str_eq(coir_backend_name(), getenv("COIR_BACKEND")); /* run.sh sets it */
    t_setenv("COIR_BACKEND", "other");
    ck_assert_ptr_nonnull(coir_backend_name()); /* the choice was made */
}
END_TEST

START_TEST(without_the_environment_the_first_of_the_build_is_picked)
{
    coir_fiber *f;
    t_setenv("COIR_BACKEND", NULL);
    f = t_create(nothing, NULL);
    ck_assert_int_eq(strncmp(getenv("COIR_TEST_BACKENDS"), coir_backend_name(), strlen(coir_backend_name())), 0);
    coir_destroy(f);
}
END_TEST

static void ignore_switch(coir_fiber *from, coir_fiber *to, void *context)
{
    (void)from, (void)to, (void)context;
}

START_TEST(an_unknown_backend_is_not_supported)
{
    coir_fiber *f = T_VALUE(99);
    t_setenv("COIR_BACKEND", "quantum");
    ck_assert_ptr_null(coir_backend_name());
    ck_assert_int_eq(coir_create(&f, nothing, NULL, NULL), COIR_ENOTSUP);
    ck_assert_int_eq(coir_set_switch_hook(ignore_switch, NULL), COIR_ENOTSUP);
    ck_assert_ptr_eq(f, T_VALUE(99));
    ck_assert_ptr_null(coir_self());
    t_setenv("COIR_BACKEND", NULL); /* the next try is free to choose */
    ck_assert_int_eq(coir_create(&f, nothing, NULL, NULL), COIR_OK);
    coir_destroy(f);
}
END_TEST

T_MAIN(every_code_has_its_name_and_sentence, other_numbers_have_a_name_and_a_sentence_too,
       the_librarys_version_is_the_headers, the_environment_picks_the_backend,
       without_the_environment_the_first_of_the_build_is_picked, an_unknown_backend_is_not_supported)
