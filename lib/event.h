/* SPDX-License-Identifier: MIT */
/* event.h - the seam to the system's way of sleeping: one thread waits for time or for a sign from another. */

#ifndef COIR__EVENT_H
#define COIR__EVENT_H

#include <stdint.h>

struct coir__event;

/* Makes one, not set: COIR_OK or COIR_ENOMEM. It is destroyed when nobody holds it any more, which is waited for. */
int coir__event_create(struct coir__event **out);
void coir__event_destroy(struct coir__event *event);

/* While a thread holds the event, it and what it belongs to stay. For moments only. */
void coir__event_hold(struct coir__event *event);
void coir__event_drop(struct coir__event *event);

/* Ends the wait that goes on, or the next one. Any thread may call it. */
void coir__event_set(struct coir__event *event);

/* Waits until the event is set, which it then no longer is, or until coir__os_now() is `deadline`; INT64_MAX: without
 * end. It may also return early. */
void coir__event_wait(struct coir__event *event, int64_t deadline);

/* In the child of a fork, with the lock held: makes all events new, for a thread that is no more may have been in the
 * middle of setting one. Of POSIX only. */
void coir__events_forked(void);

#endif
