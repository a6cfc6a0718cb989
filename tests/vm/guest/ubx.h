/* What a receiver tells of a second, and u-blox's binary messages that tell it. */
#ifndef UBX_H
#define UBX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEEK INT64_C(604800)
#define GPS_EPOCH INT64_C(315964800) /* in UTC, since 1970 */
#define LEAP_SECONDS 18              /* that GPS time is ahead of UTC */

struct civil {
	int year, month, day, hour, minute, second;
};

struct told {
	struct civil named;      /* what the receiver calls it */
	struct civil zda;        /* what its ZDA calls it */
	int64_t gps;             /* GPS time */
	bool valid;              /* there is a fix */
	bool utc_known;          /* satellites have told the leap seconds; else they are the firmware's */
	int leap_seconds;
	bool pulses_in_gps_time; /* TIM-TP's time base */
	int64_t next_pulse_late; /* ns after its second */
};

/* Writes the message with this name, NAV- or TIM- left out, 32 bytes at most. Returns its length, 0 if none has this name. */
size_t ubx_message(unsigned char *out, const char *name, const struct told *told);

#endif
