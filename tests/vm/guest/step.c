/*
 * Steps a clock: step system NS, or step /dev/ptpN NS. What a program does that "corrects" it.
 */
#define _GNU_SOURCE
#include "truth.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

int main(int argc, char **argv)
{
	struct timex t = { .modes = ADJ_SETOFFSET | ADJ_NANO };
	clockid_t clock = CLOCK_REALTIME;
	int64_t ns;

	if (argc != 3)
		die("step: a clock and how many ns");
	if (strcmp(argv[1], "system")) {
		int fd = open(argv[1], O_RDWR);

		if (fd < 0)
			die(argv[1]);
		clock = ~(clockid_t)fd << 3 | 3; /* clock_gettime(2), dynamic clocks */
	}
	ns = atoll(argv[2]);
	t.time.tv_sec = ns / SECOND - (ns % SECOND < 0);
	t.time.tv_usec = (ns % SECOND + SECOND) % SECOND;
	if (clock_adjtime(clock, &t) < 0)
		die("step");
	return 0;
}
