/*
 * The witness: is each sample in chrony's shared memory right, and is the system clock?
 *
 * A sample says "when UTC was L, the system clock showed R". The judge knows better: about a
 * hundred times a second it reads the true time together with the system clock, so it can say what
 * the system clock showed, S(L), at the instant truth was L. The sample's error is R - S(L).
 * The system clock's own error does not enter, however wrong, slewed or stepped it is.
 *
 * Read-only: the segment is attached read-only. It shares no code with the program it judges.
 *
 * Lines on stdout, all times in ns:
 *   clock T OFFSET WORST        system clock minus truth, T seconds after the start, and its largest size since the last line
 *   sample L ERROR UNCERTAINTY  and words that qualify it
 *   leap L                      truth was set back in second L
 *   summary KEY=VALUE ...       last line
 * A sample is wrong from --wrong ns on. With --strict, where the clock was stepped after the pulse, a sample is right only on
 * a scale that the clock still had when the sample came: the judge looks every millisecond then. It ends after --seconds,
 * or on SIGTERM. With --peek it only says what the segment holds now, with --clock only how far the system clock is ahead
 * of truth.
 */
#include "truth.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>

static bool strict;
static int64_t wrong_from = 10000; /* ns: a sample further off than this (plus our own uncertainty) is wrong */

/* The segment as NTP's reference clock 28 and chrony define it for 64-bit machines. */
struct segment {
	int32_t mode, count;
	int64_t clock_sec;
	int32_t clock_usec, pad1;
	int64_t receive_sec;
	int32_t receive_usec, leap, precision, nsamples, valid;
	uint32_t clock_nsec, receive_nsec;
	int32_t unused[8];
	int32_t pad2;
};
_Static_assert(sizeof(struct segment) == 96, "size");
_Static_assert(offsetof(struct segment, receive_sec) == 24, "receive second");
_Static_assert(offsetof(struct segment, valid) == 48, "valid");
_Static_assert(offsetof(struct segment, receive_nsec) == 56, "receive ns");

/* ---- what the system clock showed ---- */

#define HISTORY 8192 /* readings, some 80 s */
static struct triple history[HISTORY];
static long readings; /* so far; the newest is number readings - 1 */

static struct triple *reading(long n)
{
	return &history[n % HISTORY];
}

static int64_t offset(long n)
{
	return reading(n)->sys - reading(n)->truth;
}

/* ns of offset gained per ns between reading n and the next. */
static double slope(long n)
{
	return (double)(offset(n + 1) - offset(n)) / (reading(n + 1)->truth - reading(n)->truth);
}

/* Faster than any slew (chronyd's limit is 10 %): the clock was stepped between n and the next. */
static bool stepped(long n)
{
	double s = slope(n);

	return (s > 0.15 || s < -0.15) && llabs(offset(n + 1) - offset(n)) > 1000;
}

/* Number of the last reading not after `truth`, or -1 if it is not between two we still have. */
static long before(int64_t truth)
{
	long lo = readings > HISTORY ? readings - HISTORY : 0, hi = readings - 1;

	if (readings < 2 || truth < reading(lo)->truth || truth >= reading(hi)->truth)
		return -1;
	while (hi - lo > 1) {
		long mid = lo + (hi - lo) / 2;

		*(reading(mid)->truth <= truth ? &lo : &hi) = mid;
	}
	return lo;
}

/* ---- samples ---- */

struct sample {
	int64_t label, receive, seen; /* clock stamp, receive stamp; truth when we saw it */
	int64_t unseen; /* truth when we looked last and it was not there yet */
	int32_t leap;
	bool torn; /* its microseconds and nanoseconds contradict each other */
};

static struct {
	long samples, wrong, steps, torn, missed, doubtful;
	int64_t worst;
	double squares;
} found;

/*
 * Between two readings the offset is taken as straight. How far from straight it may have been
 * shows in the neighbors: a kink of slope d inside an interval t lifts the curve off its chord by
 * at most d*t/4, and a jump too small to be recognized as a step makes the slope stick out from
 * both of its neighbors'.
 */
static double uncertainty(long n)
{
	double t = reading(n + 1)->truth - reading(n)->truth;
	double left, right, here = slope(n);
	double rounding = 2;

	if (n < 1 || n < readings - HISTORY + 1 || n + 2 >= readings)
		return rounding + 0.15 * t;
	left = stepped(n - 1) ? here : slope(n - 1);
	right = stepped(n + 1) ? here : slope(n + 1);
	double kink = (right > left ? right - left : left - right) * t / 4;
	double jump = here - (left + right) / 2;

	/* Rounding alone makes slopes differ by 2 ns or so per interval; it is counted once. */
	return rounding + kink + (jump < 0 ? -jump : jump) * t;
}

/* Keeps in *best whichever error is smaller. */
static void better(int64_t *best, int64_t error)
{
	if (llabs(error) < llabs(*best))
		*best = error;
}

static void judge(const struct sample *s)
{
	long n = before(s->label), i;
	int64_t error, unsure;
	const char *words = "";

	if (n < 0) {
		/* The label is far from the present; only the size of the error matters. */
		struct triple *now = reading(readings - 1);

		error = s->receive - (now->sys + s->label - now->truth);
		unsure = llabs(now->truth - s->label) / 10;
		if (unsure > 100 * MILLISECOND)
			unsure = 100 * MILLISECOND;
		words = " outside";
	} else {
		int64_t shown = s->label + offset(n);

		if (stepped(n)) {
			unsure = 0.1 * (reading(n + 1)->truth - reading(n)->truth);
		} else {
			/* Cast before adding: a double holds today's date to no better than 256 ns. */
			shown += (int64_t)(slope(n) * (s->label - reading(n)->truth));
			unsure = uncertainty(n);
		}
		/*
		 * Where the clock was stepped after the pulse and before the sample was out, R can be right
		 * on any scale that the clock had in between; strictly, on one that it still had at the end.
		 */
		int64_t moved = 0;
		error = INT64_MAX / 2;
		for (i = n; i + 1 < readings && reading(i)->truth < s->seen; i++) {
			if (!stepped(i))
				continue;
			words = " step";
			if (!strict || reading(i + 1)->truth >= s->unseen)
				better(&error, s->receive - shown - moved);
			moved += offset(i + 1) - offset(i);
		}
		better(&error, s->receive - shown - moved);
	}
	found.samples++;
	found.steps += !strcmp(words, " step");
	found.torn += s->torn;
	found.squares += (double)error * error;
	if (llabs(error) > found.worst)
		found.worst = llabs(error);
	if (llabs(error) > wrong_from + unsure)
		found.wrong++;
	else if (unsure > wrong_from)
		found.doubtful++;
	printf("sample %ld.%09ld %ld %ld%s%s%s leap=%d\n", (long)(s->label / SECOND),
	       (long)(s->label % SECOND), (long)error, (long)unsure, words, s->torn ? " torn" : "",
	       llabs(error) > wrong_from + unsure ? " WRONG" : "", s->leap);
}

/* ---- the segment ---- */

static volatile const struct segment *segment;

static void attach(int unit)
{
	static int attached = -1;
	int id = shmget(0x4e545030 + unit, sizeof(struct segment), 0);

	if (id < 0 || id == attached)
		return;
	void *at = shmat(id, NULL, SHM_RDONLY);
	if (at == (void *)-1)
		die("shmat");
	if (segment)
		shmdt((const void *)segment);
	segment = at;
	attached = id;
}

/*
 * A new and finished sample, if there is one. chronyd may clear `valid` before we come by, and it is
 * clear while a writer is at work, too: so `valid` proves a finished sample, and without it the
 * count must have stood still since our last visit.
 */
static bool take(struct sample *s)
{
	static bool known;
	static int32_t taken, visited;
	int32_t count, valid;
	struct segment copy;

	if (!segment)
		return false;
	count = segment->count;
	__sync_synchronize();
	memcpy(&copy, (const void *)segment, sizeof(copy));
	__sync_synchronize();
	valid = copy.valid;
	if (!known) { /* content from before the start is not a sample */
		known = true;
		taken = visited = count;
		return false;
	}
	bool still = count == visited;
	visited = count;
	if (count == taken || count != segment->count || copy.count != count || (!valid && !still))
		return false;
	if (copy.mode == 1 && count - taken > 2)
		found.missed += (count - taken) / 2 - 1;
	taken = count;
	s->label = copy.clock_sec * SECOND + copy.clock_nsec;
	s->receive = copy.receive_sec * SECOND + copy.receive_nsec;
	s->leap = copy.leap;
	s->torn = (int32_t)(copy.clock_nsec / 1000) != copy.clock_usec ||
		  (int32_t)(copy.receive_nsec / 1000) != copy.receive_usec;
	return true;
}

/* ---- the end ---- */

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t clock_error(int truth)
{
	int64_t errors[51];
	const int n = sizeof(errors) / sizeof(*errors);
	int i;

	for (i = 0; i < n; i++) {
		struct triple t = truth_read(truth);

		errors[i] = t.sys - t.truth;
		nap(2 * MILLISECOND);
	}
	qsort(errors, n, sizeof(*errors), by_size);
	return errors[n / 2];
}

/* How well a reading is predicted from its neighbors, times two: the judge's own accuracy. */
static void floor_of(long since, double *rms, double *worst)
{
	double squares = 0;
	long n, i;

	*worst = 0;
	for (n = 0, i = since; i + 2 < readings; i++, n++) {
		double t = (double)(reading(i + 1)->truth - reading(i)->truth) /
			   (reading(i + 2)->truth - reading(i)->truth);
		double miss = offset(i + 1) - offset(i) - t * (offset(i + 2) - offset(i));

		squares += miss * miss;
		if (miss < 0)
			miss = -miss;
		if (miss > *worst)
			*worst = miss;
	}
	*rms = n ? squares / n : 0;
}

static double root(double x)
{
	double r = x > 1 ? x : 1;
	int i;

	for (i = 0; i < 100; i++)
		r = (r + x / r) / 2;
	return r;
}

static volatile sig_atomic_t asked_to_end;

static void end(int signal)
{
	(void)signal;
	asked_to_end = 1;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{ "unit", 1, 0, 'u' }, { "seconds", 1, 0, 's' }, { "peek", 0, 0, 'p' },
		{ "clock", 0, 0, 'c' }, { "wrong", 1, 0, 'w' },
		{ "strict", 0, 0, 'S' }, { 0, 0, 0, 0 },
	};
	static struct sample waiting[64];
	int unit = 0, pending = 0, truth, c, i;
	int64_t seconds = 60, start, said = -1, last = 0, largest = 0;
	bool peek = false, clock = false;
	double rms, worst;
	long visit;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'u': unit = atoi(optarg); break;
		case 's': seconds = atoll(optarg); break;
		case 'p': peek = true; break;
		case 'c': clock = true; break;
		case 'w': wrong_from = atoll(optarg); break;
		case 'S': strict = true; break;
		default: exit(64);
		}
	}
	if (peek) {
		attach(unit);
		if (!segment)
			die("no segment");
		printf("mode=%d count=%d valid=%d\n", segment->mode, segment->count, segment->valid);
		return 0;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	truth = truth_open();
	if (clock) {
		printf("clock_ns=%ld\n", (long)clock_error(truth));
		return 0;
	}
	signal(SIGTERM, end);
	start = truth_read(truth).truth;

	for (visit = 0;; visit++, nap(strict ? MILLISECOND : 5 * MILLISECOND)) {
		struct triple now = truth_read(truth);
		int64_t t = (now.truth - start) / SECOND;

		/* Truth was set back, for a leap second: what was before can no longer be told apart. */
		if (now.truth < last) {
			for (i = 0; i < pending; i++)
				judge(&waiting[i]);
			pending = readings = 0;
			printf("leap %ld\n", (long)(last / SECOND));
		}
		if (pending < 64)
			waiting[pending].unseen = last;
		last = now.truth;
		if (visit % 2 == 0 || !readings)
			*reading(readings++) = now;
		if (visit % 100 == 0)
			attach(unit);
		if (pending < 64 && take(&waiting[pending])) {
			waiting[pending].seen = now.truth;
			pending++;
		}
		/* A sample waits for the readings after it, which say how straight the clock ran. */
		for (i = 0; i < pending && waiting[i].seen + 50 * MILLISECOND < now.truth; i++)
			judge(&waiting[i]);
		pending -= i;
		memmove(waiting, waiting + i, pending * sizeof(*waiting));

		if (llabs(now.sys - now.truth) > largest)
			largest = llabs(now.sys - now.truth);
		if (t % 5 == 0 && t != said) {
			printf("clock %ld %ld %ld\n", (long)t, (long)(now.sys - now.truth), (long)largest);
			said = t;
			largest = 0;
		}
		if (t >= seconds || asked_to_end)
			break;
	}
	for (i = 0; i < pending; i++)
		judge(&waiting[i]);

	int64_t error = clock_error(truth), swing = 0;
	int64_t since = reading(readings - 1)->truth - 10 * SECOND;
	long first = before(since > start ? since : start + MILLISECOND * 20);

	if (first < 0)
		first = readings - 2;
	for (long n = first; n < readings; n++)
		if (llabs(offset(n)) > swing)
			swing = llabs(offset(n));
	floor_of(first, &rms, &worst);
	printf("summary clock_ns=%ld clock_worst_10s_ns=%ld samples=%ld worst_ns=%ld rms_ns=%.0f wrong=%ld "
	       "doubtful=%ld steps=%ld torn=%ld missed=%ld readings=%ld floor_rms_ns=%.1f floor_worst_ns=%.0f\n",
	       (long)error, (long)swing, found.samples, (long)found.worst,
	       root(found.samples ? found.squares / found.samples : 0), found.wrong, found.doubtful,
	       found.steps, found.torn, found.missed, readings, root(rms), worst);
	return 0;
}
