/* The simulated true time, as the programs in the guest see it. Times are ns since 1970 in an int64_t. */
#ifndef TRUTH_H
#define TRUTH_H

#include <stdint.h>

#define SECOND INT64_C(1000000000)
#define MILLISECOND INT64_C(1000000)

/* The same instant on three clocks. */
struct triple {
	int64_t truth, sys, raw;
};

/* Opens the PTP clock whose clock_name is "truth"; ends the program if there is none. */
int truth_open(void);

/* One exact reading: the kernel takes all three from a single value of its counter. */
struct triple truth_read(int fd);

/* Sleeps until truth has reached `ns`. May be late because of the scheduler, never early. */
void truth_sleep_until(int fd, int64_t ns);

/* Sleeps for about this long. */
void nap(int64_t ns);

/* Says why, and ends the program with status 1. */
void die(const char *why) __attribute__((noreturn));

#endif
