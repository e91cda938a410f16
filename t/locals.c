/* SPDX-License-Identifier: MIT */
/* Keys and fiber-local values. */

#include "t.h"

static coir_key key, other_key;
static int destroyed;
static intptr_t last_destroyed;

static void note_destruction(void *value)
{
    destroyed++;
    last_destroyed = (intptr_t)value;
}

static void *set_yield_get(void *value)
{
    ck_assert_ptr_null(coir_local_get(key));
    ck_assert_int_eq(coir_local_set(key, value), COIR_OK);
    coir_yield(NULL, NULL);
    ck_assert_ptr_eq(coir_local_get(key), value);
    coir_yield(NULL, NULL);
    return value;
}

START_TEST(each_fiber_has_its_own_value)
{
    ck_assert_int_eq(coir_key_create(&key, NULL), COIR_OK);
    coir_fiber *f = t_create(set_yield_get, T_VALUE(1)), *g = t_create(set_yield_get, T_VALUE(2));
    for (int i = 0; i < 3; i++) {
        coir_resume(f, NULL, NULL);
        coir_resume(g, NULL, NULL);
    }
    ck_assert_int_eq(coir_fiber_state(f), COIR_STATE_DONE);
    coir_destroy(f);
    coir_destroy(g);
}
END_TEST

START_TEST(outside_of_a_fiber_there_are_no_values)
{
    ck_assert_int_eq(coir_key_create(&key, NULL), COIR_OK);
    ck_assert_ptr_null(coir_local_get(key));
    ck_assert_int_eq(coir_local_set(key, &key), COIR_ENOTFIBER);
    ck_assert_int_eq(coir_key_create(NULL, NULL), COIR_EINVAL);
}
END_TEST

static void *use_bad_keys(void *arg)
{
    ck_assert_int_eq(coir_local_set(0, arg), COIR_EINVAL);
    ck_assert_int_eq(coir_local_set(12345, arg), COIR_EINVAL);
    ck_assert_ptr_null(coir_local_get(0));
    ck_assert_ptr_null(coir_local_get(12345));

    ck_assert_int_eq(coir_local_set(key, T_VALUE(1)), COIR_OK);
    ck_assert_int_eq(coir_key_delete(key), COIR_OK);
    ck_assert_ptr_null(coir_local_get(key));
    ck_assert_int_eq(coir_local_set(key, T_VALUE(1)), COIR_EINVAL);
    ck_assert_int_eq(coir_key_delete(key), COIR_EINVAL);

    ck_assert_int_eq(coir_key_create(&other_key, note_destruction), COIR_OK); /* in the same place */
    ck_assert_int_ne(key, other_key);
    ck_assert_ptr_null(coir_local_get(other_key));
    return arg;
}

START_TEST(a_deleted_keys_values_are_gone_and_not_the_next_keys)
{
    ck_assert_int_eq(coir_key_create(&key, note_destruction), COIR_OK);
    coir_fiber *f = t_create(use_bad_keys, NULL);
    ck_assert_int_eq(coir_resume(f, NULL, NULL), COIR_DONE);
    ck_assert_int_eq(destroyed, 0);
    ck_assert_int_eq(coir_key_delete(0), COIR_EINVAL);
    coir_destroy(f);
}
END_TEST

static void *end_in_a_way(void *way)
{
    coir_local_set(key, T_VALUE(5));
    coir_local_set(other_key, T_VALUE(6)); /* no destructor */
    if (T_NUMBER(way) == 1)
        coir_exit(NULL);
    if (T_NUMBER(way) >= 2)
        coir_yield(NULL, NULL);
    return NULL;
}

START_TEST(destructors_run_however_the_fiber_ends)
{
    coir_key_create(&key, note_destruction);
    coir_key_create(&other_key, NULL);
    for (int way = 0; way < 4; way++) {
        coir_fiber *f = t_create(end_in_a_way, T_VALUE(way));
        coir_resume(f, NULL, NULL);
        if (way == 3)
            ck_assert_int_eq(coir_cancel(f, NULL), COIR_DONE);
        coir_destroy(f);
        ck_assert_int_eq(destroyed, way + 1);
        ck_assert_int_eq(last_destroyed, 5);
    }
}
END_TEST

static void *set_and_clear(void *arg)
{
    coir_local_set(key, T_VALUE(5));
    coir_local_set(key, NULL);
    return arg;
}

START_TEST(null_values_are_not_destroyed)
{
    coir_key_create(&key, note_destruction);
    coir_fiber *f = t_create(set_and_clear, NULL);
    coir_resume(f, NULL, NULL);
    coir_destroy(f);
    ck_assert_int_eq(destroyed, 0);
}
END_TEST

static void read_key(void *arg)
{
    ck_assert_ptr_eq(coir_local_get(key), arg);
    ck_assert_int_eq(destroyed, 0);
}

static void *defer_a_read(void *arg)
{
    coir_local_set(key, arg);
    coir_defer(read_key, arg);
    return arg;
}

START_TEST(values_are_there_for_deferred_functions)
{
    coir_key_create(&key, note_destruction);
    coir_fiber *f = t_create(defer_a_read, T_VALUE(3));
    coir_resume(f, NULL, NULL);
    ck_assert_int_eq(destroyed, 1);
    coir_destroy(f);
}
END_TEST

/* Sets itself again for as long as it is called. */
static void set_again(void *value)
{
    destroyed++;
    ck_assert_int_eq(coir_yield(NULL, NULL), COIR_ECANCELED);
    ck_assert_int_eq(coir_local_set(key, value), COIR_OK);
}

START_TEST(destructors_that_set_values_run_again_a_few_times)
{
    coir_key_create(&key, set_again);
    coir_fiber *f = t_create(defer_a_read, T_VALUE(3));
    coir_resume(f, NULL, NULL);
    ck_assert_int_eq(destroyed, COIR_KEY_PASSES);
    coir_destroy(f);
}
END_TEST

static coir_key keys[COIR_KEYS_MAX];

static void *set_all(void *arg)
{
    for (int i = 0; i < COIR_KEYS_MAX; i++)
        ck_assert_int_eq(coir_local_set(keys[i], T_VALUE(i + 1)), COIR_OK);
    for (int i = 0; i < COIR_KEYS_MAX; i++)
        ck_assert_int_eq(T_NUMBER(coir_local_get(keys[i])), i + 1);
    return arg;
}

/* A value that has no destructor stays for those of others, whichever comes first. */
static void read_other(void *value)
{
    destroyed++;
    ck_assert_ptr_eq(coir_local_get(other_key), value);
}

static void *set_both(void *arg)
{
    coir_local_set(other_key, arg);
    coir_local_set(key, arg);
    return arg;
}

START_TEST(values_without_destructor_are_there_for_the_destructors_of_others)
{
    for (int i = 0; i < 2; i++) { /* in either order of keys */
        coir_key_create(i == 0 ? &key : &other_key, i == 0 ? read_other : NULL);
        coir_key_create(i == 0 ? &other_key : &key, i == 0 ? NULL : read_other);
        coir_fiber *f = t_create(set_both, T_VALUE(3));
        coir_resume(f, NULL, NULL);
        ck_assert_int_eq(destroyed, i + 1);
        coir_destroy(f);
    }
}
END_TEST

static void try_to_defer(void *value)
{
    destroyed++;
    ck_assert_int_eq(coir_defer(read_key, value), COIR_ECANCELED);
}

START_TEST(a_destructor_comes_too_late_to_defer)
{
    coir_key_create(&key, try_to_defer);
    coir_fiber *f = t_create(defer_a_read, T_VALUE(3));
    coir_resume(f, NULL, NULL);
    ck_assert_int_eq(destroyed, 1);
    coir_destroy(f);
}
END_TEST

START_TEST(there_are_so_many_keys_and_no_more)
{
    for (int i = 0; i < COIR_KEYS_MAX; i++)
        ck_assert_int_eq(coir_key_create(&keys[i], note_destruction), COIR_OK);
    key = 99;
    ck_assert_int_eq(coir_key_create(&key, NULL), COIR_EAGAIN);
    ck_assert_int_eq(key, 99);
    coir_fiber *f = t_create(set_all, NULL);
    coir_resume(f, NULL, NULL);
    ck_assert_int_eq(destroyed, COIR_KEYS_MAX);
    coir_destroy(f);
    ck_assert_int_eq(coir_key_delete(keys[500]), COIR_OK);
    ck_assert_int_eq(coir_key_create(&key, NULL), COIR_OK);
}
END_TEST

T_MAIN(each_fiber_has_its_own_value, outside_of_a_fiber_there_are_no_values,
       a_deleted_keys_values_are_gone_and_not_the_next_keys, destructors_run_however_the_fiber_ends,
       null_values_are_not_destroyed, values_are_there_for_deferred_functions,
       destructors_that_set_values_run_again_a_few_times, a_destructor_comes_too_late_to_defer,
       values_without_destructor_are_there_for_the_destructors_of_others,
       there_are_so_many_keys_and_no_more)
