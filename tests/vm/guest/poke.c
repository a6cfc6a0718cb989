/*
 * poke SECONDS SEED FILE...: reads and writes at random what these files map, in all sizes. Says how often. The first is the
 * registers of an i210: at the end the card is reset, or the semaphores that it shares with firmware stay taken.
 */
#include "truth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

static uint64_t state;

static uint64_t draw(void) /* xorshift64 */
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static void poke(volatile uint8_t *at, unsigned kind)
{
	uint64_t value = draw();

	switch (kind) {
	case 0: (void)*at; break;
	case 1: (void)*(volatile uint16_t *)at; break;
	case 2: (void)*(volatile uint32_t *)at; break;
	case 3: (void)*(volatile uint64_t *)at; break;
	case 4: *at = value; break;
	case 5: *(volatile uint16_t *)at = value; break;
	case 6: *(volatile uint32_t *)at = value; break;
	case 7: *(volatile uint64_t *)at = value; break;
	}
}

int main(int argc, char **argv)
{
	time_t end = seconds();
	uint64_t count = 0;
	uint8_t *maps[4];
	size_t sizes[4];
	int n, files = argc - 3;

	if (files < 1 || files > 4)
		die("poke: how many seconds, a seed, and one to four files");
	end += atoi(argv[1]);
	state = strtoull(argv[2], NULL, 10) * UINT64_C(0x9e3779b97f4a7c15) + 1;
	for (n = 0; n < files; n++) {
		int fd = open(argv[3 + n], O_RDWR | O_SYNC);
		struct stat st;

		if (fd < 0 || fstat(fd, &st))
			die(argv[3 + n]);
		sizes[n] = st.st_size;
		maps[n] = mmap(NULL, sizes[n], PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (maps[n] == MAP_FAILED)
			die(argv[3 + n]);
	}
	errno = 0;
	if (((volatile uint32_t *)maps[0])[2] == UINT32_MAX)
		die("poke: nothing is mapped there");
	while (count % 1000 || seconds() < end) {
		/* The table of vectors is small and dull: one in eight. */
		n = files > 1 && draw() % 8 == 0 ? 1 + draw() % (files - 1) : 0;
		unsigned kind = draw() % 8;
		size_t at = draw() % sizes[n] & ~(((size_t)1 << kind % 4) - 1);

		/* Half of them where the clock, the interrupts and the queues are. */
		if (n == 0 && draw() % 2)
			at = (const uint32_t[]){ 0x0000, 0x1500, 0x5b00, 0xb600, 0xe000 }[draw() % 5] + at % 0x100;
		poke(maps[n] + at, kind);
		count++;
	}
	*(volatile uint32_t *)maps[0] = 1u << 26; /* CTRL.RST */
	printf("%llu accesses in %s s\n", (unsigned long long)count, argv[1]);
	return 0;
}
