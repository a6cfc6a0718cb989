/* After u-blox's interface description: numbers have their lowest byte first. */
#include "ubx.h"

#include <string.h>

static void put(unsigned char *at, int64_t number, int bytes)
{
	for (; bytes--; number >>= 8)
		*at++ = number & 0xFF;
}

/* A frame round a payload of that size. */
static size_t frame(unsigned char *out, int class, int id, const unsigned char *payload, size_t size)
{
	unsigned char a = 0, b = 0;
	size_t i;

	put(out, 0x62B5, 2);
	put(out + 2, class, 1);
	put(out + 3, id, 1);
	put(out + 4, size, 2);
	memcpy(out + 6, payload, size);
	for (i = 2; i < size + 6; i++) {
		a += out[i];
		b += a;
	}
	put(out + size + 6, a, 1);
	put(out + size + 7, b, 1);
	return size + 8;
}

/* The bits for a valid time of week, a valid week and known leap seconds. */
static int valid_bits(const struct told *told)
{
	return (told->valid ? 3 : 0) | (told->utc_known ? 4 : 0);
}

size_t ubx_message(unsigned char *out, const char *name, const struct told *told)
{
	unsigned char p[24] = { 0 };
	struct civil c = told->named;
	int64_t pulse;

	put(p, told->gps % WEEK * 1000, 4);
	if (!strcmp(name, "TIMEUTC")) {
		put(p + 4, told->valid ? 25 : 4000000000, 4); /* accuracy, ns */
		put(p + 8, -213, 4);                          /* what was rounded away, ns */
		put(p + 12, c.year, 2);
		put(p + 14, c.month, 1);
		put(p + 15, c.day, 1);
		put(p + 16, c.hour, 1);
		put(p + 17, c.minute, 1);
		put(p + 18, c.second, 1);
		put(p + 19, 0x30 | valid_bits(told), 1); /* UTC as USNO keeps it */
		return frame(out, 0x01, 0x21, p, 20);
	}
	if (!strcmp(name, "TIMEGPS")) {
		put(p + 4, -213, 4);
		put(p + 8, told->gps / WEEK, 2);
		put(p + 10, told->leap_seconds, 1);
		put(p + 11, valid_bits(told), 1);
		put(p + 12, told->valid ? 25 : 4000000000, 4);
		return frame(out, 0x01, 0x20, p, 16);
	}
	if (!strcmp(name, "TIMELS")) {
		put(p + 8, told->utc_known ? 2 : 0, 1); /* by GPS, or by the firmware */
		put(p + 9, told->leap_seconds, 1);
		put(p + 23, told->utc_known, 1);
		return frame(out, 0x01, 0x26, p, 24);
	}
	if (!strcmp(name, "TIMTP")) {
		pulse = told->gps + 1 - (told->pulses_in_gps_time ? 0 : told->leap_seconds);
		put(p, pulse % WEEK * 1000, 4);
		put(p + 8, -told->next_pulse_late * 1000, 4); /* qErr, ps: positive if it comes early */
		put(p + 12, pulse / WEEK, 2);
		put(p + 14, told->pulses_in_gps_time ? 2 : 3, 1);
		return frame(out, 0x0D, 0x01, p, 16);
	}
	return 0;
}
