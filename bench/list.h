/* SPDX-License-Identifier: MIT */
/* list.h - lists of what could be measured. */

#ifndef BENCH_LIST_H
#define BENCH_LIST_H

/* Questions, contenders, and those that are absent. */
void list_all(void);

/* The contenders that are absent, each with what it needs; nothing if all are there. */
void list_absent(void);

#endif
