/*
 * Steps a clock: step system NS, or step /dev/ptpN NS. What a program does that "corrects" it.
 * Or steps the system clock forth and back around each pulse: step sweep NS FROM BY COUNT steps it by NS and -NS in turn,
 * once a second, FROM ns after the pulse, then FROM + BY, and so on; says how late each step was.
 * Or has the kernel shift the stamps of a PPS device's assert edges from now on: step /dev/ppsN NS.
 */
#define _GNU_SOURCE
#include "truth.h"

#include <fcntl.h>
#include <linux/pps.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/timex.h>
#include <time.h>

static void shift(int fd, int64_t ns)
{
	struct pps_kparams params;

	if (ioctl(fd, PPS_GETPARAMS, &params))
		die("PPS_GETPARAMS");
	params.mode |= PPS_OFFSETASSERT;
	params.assert_off_tu = (struct pps_ktime){ .sec = ns / SECOND, .nsec = ns % SECOND };
	if (ioctl(fd, PPS_SETPARAMS, &params))
		die("PPS_SETPARAMS");
}

static void step(clockid_t clock, int64_t ns)
{
	struct timex t = { .modes = ADJ_SETOFFSET | ADJ_NANO };

	t.time.tv_sec = ns / SECOND - (ns % SECOND < 0);
	t.time.tv_usec = (ns % SECOND + SECOND) % SECOND;
	if (clock_adjtime(clock, &t) < 0)
		die("step");
}

static void sweep(int64_t ns, int64_t from, int64_t by, int64_t count)
{
	int truth = truth_open();
	int64_t second = truth_read(truth).truth / SECOND + 2, at, now;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int64_t n = 0; n < count; n++, second++, ns = -ns) {
		at = second * SECOND + from + n * by;
		truth_sleep_until(truth, at - 2 * MILLISECOND);
		while ((now = truth_read(truth).truth) < at)
			;
		step(CLOCK_REALTIME, ns);
		printf("%ld.%09ld stepped by %ld, late by %ld\n", (long)(at / SECOND), (long)(at % SECOND), (long)ns, (long)(now - at));
	}
}

int main(int argc, char **argv)
{
	clockid_t clock = CLOCK_REALTIME;
	int64_t ns;

	if (argc == 6 && !strcmp(argv[1], "sweep")) {
		sweep(atoll(argv[2]), atoll(argv[3]), atoll(argv[4]), atoll(argv[5]));
		return 0;
	}
	if (argc != 3)
		die("step: a clock and how many ns");
	ns = atoll(argv[2]);
	if (strcmp(argv[1], "system")) {
		int fd = open(argv[1], O_RDWR);

		if (fd < 0)
			die(argv[1]);
		if (strstr(argv[1], "/pps")) {
			shift(fd, ns);
			return 0;
		}
		clock = ~(clockid_t)fd << 3 | 3; /* clock_gettime(2), dynamic clocks */
	}
	step(clock, ns);
	return 0;
}
