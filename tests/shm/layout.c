/*
 * The other side of the SHM refclock, written from its description and not from gnss2shm's code:
 *
 *   program layout        size and offset of every field, one "name number" a line
 *   program read UNIT     the fields of a unit's segment, one "name value" a line
 *   program make UNIT BYTES MODE   creates a segment, as another program would
 *   program chase UNIT N  reads as chronyd does until it has accepted N samples and met the writer half way N times,
 *                         and judges each; prints "accepted torn mixed": mixed ones were accepted although they are
 *                         not whole, and the first one ends it
 *
 * A whole sample of `chase` has clock sec = receive sec + 1000, receive nsec = receive sec modulo 10^9, and microseconds
 * that fit; leap = receive sec modulo 3.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <time.h>

struct refclock {
	int mode;
	volatile int count;
	time_t true_sec;
	int true_usec;
	time_t local_sec;
	int local_usec;
	int leap;
	int precision;
	int nsamples;
	volatile int valid;
	unsigned true_nsec;
	unsigned local_nsec;
	int dummy[8];
};

static void layout(void)
{
#define AT(name, field) printf("%s %zu\n", name, offsetof(struct refclock, field))
	printf("sizeof %zu\n", sizeof(struct refclock));
	AT("mode", mode);
	AT("count", count);
	AT("clock_sec", true_sec);
	AT("clock_usec", true_usec);
	AT("receive_sec", local_sec);
	AT("receive_usec", local_usec);
	AT("leap", leap);
	AT("precision", precision);
	AT("nsamples", nsamples);
	AT("valid", valid);
	AT("clock_nsec", true_nsec);
	AT("receive_nsec", local_nsec);
	AT("dummy", dummy);
}

static struct refclock *attach(int unit)
{
	int id = shmget(0x4e545030 + unit, sizeof(struct refclock), 0);
	void *p = id < 0 ? (void *)-1 : shmat(id, NULL, 0);

	if (p == (void *)-1) {
		perror("attach");
		exit(1);
	}
	return p;
}

static void show(const struct refclock *r)
{
	printf("mode %d\ncount %d\nclock_sec %lld\nclock_usec %d\n", r->mode, r->count, (long long)r->true_sec,
	       r->true_usec);
	printf("receive_sec %lld\nreceive_usec %d\nleap %d\nprecision %d\nnsamples %d\nvalid %d\n",
	       (long long)r->local_sec, r->local_usec, r->leap, r->precision, r->nsamples, r->valid);
	printf("clock_nsec %u\nreceive_nsec %u\n", r->true_nsec, r->local_nsec);
}

static int whole(const struct refclock *t)
{
	return t->true_sec == t->local_sec + 1000 && t->local_nsec == t->local_sec % 1000000000 &&
	       t->local_usec == (int)(t->local_nsec / 1000) && t->leap == t->local_sec % 3 && t->true_nsec == 0 &&
	       t->true_usec == 0;
}

/* chronyd's rules for mode 1; the fences stand for the order that it leaves to compiler and processor. */
static void chase(struct refclock *r, long wanted)
{
	long accepted = 0, torn = 0, mixed = 0;
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		struct refclock t;

		t.count = r->count;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		t.mode = r->mode;
		t.true_sec = r->true_sec;
		t.true_usec = r->true_usec;
		t.local_sec = r->local_sec;
		t.local_usec = r->local_usec;
		t.leap = r->leap;
		t.true_nsec = r->true_nsec;
		t.local_nsec = r->local_nsec;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		t.valid = r->valid;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (t.mode == 1 && t.count != r->count) {
			torn++;
		} else if (t.mode == 1 && t.valid) {
			r->valid = 0;
			accepted++;
			mixed += !whole(&t);
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (!mixed && (accepted < wanted || torn < wanted) && now.tv_sec - start.tv_sec < 300);
	printf("%ld %ld %ld\n", accepted, torn, mixed);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "layout"))
		layout();
	else if (argc == 3 && !strcmp(argv[1], "read"))
		show(attach(atoi(argv[2])));
	else if (argc == 5 && !strcmp(argv[1], "make"))
		return shmget(0x4e545030 + atoi(argv[2]), atol(argv[3]), IPC_CREAT | IPC_EXCL | strtol(argv[4], NULL, 8)) < 0;
	else if (argc == 4 && !strcmp(argv[1], "chase"))
		chase(attach(atoi(argv[2])), atol(argv[3]));
	else
		return 64;
	return 0;
}
