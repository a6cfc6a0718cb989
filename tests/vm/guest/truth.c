#include "truth.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ptp_clock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

void die(const char *why)
{
	if (errno)
		fprintf(stderr, "%s: %s\n", why, strerror(errno));
	else
		fprintf(stderr, "%s\n", why);
	exit(1);
}

void nap(int64_t ns)
{
	struct timespec t = { ns / SECOND, ns % SECOND };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

int truth_open(void)
{
	char path[64], name[32];
	int n;

	for (n = 0; n < 16; n++) {
		FILE *f;
		int found, fd;

		snprintf(path, sizeof(path), "/sys/class/ptp/ptp%d/clock_name", n);
		f = fopen(path, "r");
		if (!f)
			continue;
		found = fscanf(f, "%31[^\n]", name) == 1 && !strcmp(name, "truth");
		fclose(f);
		if (!found)
			continue;
		snprintf(path, sizeof(path), "/dev/ptp%d", n);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			die(path);
		return fd;
	}
	errno = 0;
	die("no PTP clock is named truth: is gnss2shm_sim loaded?");
}

static int64_t ns_of(struct ptp_clock_time t)
{
	return t.sec * SECOND + t.nsec;
}

struct triple truth_read(int fd)
{
	struct ptp_sys_offset_precise p;

	memset(&p, 0, sizeof(p));
	if (ioctl(fd, PTP_SYS_OFFSET_PRECISE, &p))
		die("PTP_SYS_OFFSET_PRECISE on truth");
	return (struct triple){ ns_of(p.device), ns_of(p.sys_realtime), ns_of(p.sys_monoraw) };
}

void truth_sleep_until(int fd, int64_t ns)
{
	int64_t left;

	/* Sleeping is done on a clock that chronyd may slew by 10 %: approach in steps. */
	while ((left = ns - truth_read(fd).truth) > 0)
		nap(left > 2 * MILLISECOND ? left - left / 8 : left);
}
