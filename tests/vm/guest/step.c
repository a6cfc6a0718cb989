/*
 * Steps a clock: step system NS, or step /dev/ptpN NS. What a program does that "corrects" it.
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

int main(int argc, char **argv)
{
	struct timex t = { .modes = ADJ_SETOFFSET | ADJ_NANO };
	clockid_t clock = CLOCK_REALTIME;
	int64_t ns;

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
	t.time.tv_sec = ns / SECOND - (ns % SECOND < 0);
	t.time.tv_usec = (ns % SECOND + SECOND) % SECOND;
	if (clock_adjtime(clock, &t) < 0)
		die("step");
	return 0;
}
