/*
 * The rate of this machine's timestamp counter in kHz, against CLOCK_MONOTONIC_RAW. An emulated machine's counter is
 * this one. Left to itself, its kernel measures the rate on an emulated timer, and on a busy machine has been wrong by
 * a factor of 15: all of its time ran that much too fast.
 */
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct reading {
	long long ns;
	unsigned long long ticks;
};

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* The shortest of many readings: nothing interrupted it between the two clocks. */
static struct reading read_both(void)
{
	struct reading best = {};
	long long least = 1000000000;
	unsigned processor;

	for (int i = 0; i < 1000; i++) {
		long long before = now_ns();
		unsigned long long ticks = __rdtscp(&processor);
		long long took = now_ns() - before;

		if (took < least) {
			least = took;
			best = (struct reading){ before + took / 2, ticks };
		}
	}
	return best;
}

int main(void)
{
	struct reading first = read_both(), last;

	nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
	last = read_both();
	printf("%.0f\n", (double)(last.ticks - first.ticks) / (double)(last.ns - first.ns) * 1e6);
	return 0;
}
