/*
 * An NTP server that serves true time: sntp ADDRESS ERROR JITTER DISPERSION, in ns. It answers every request at once
 * (RFC 5905, mode 4, stratum 1). Its timestamps are true time plus ERROR, plus or minus up to JITTER, the same for
 * both. DISPERSION is the error that it admits to.
 */
#define _GNU_SOURCE
#include "truth.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define EPOCH INT64_C(2208988800) /* 1970 in seconds since 1900 */

struct packet {
	uint8_t mode, stratum, poll;
	int8_t precision;
	uint32_t root_delay, root_dispersion;
	char refid[4];
	uint64_t reference, originate, receive, transmit; /* 32.32 fixed point, seconds since 1900 */
};
_Static_assert(sizeof(struct packet) == 48, "size");

static uint64_t ntp(int64_t ns)
{
	uint64_t sec = ns / SECOND + EPOCH, fraction = ((uint64_t)(ns % SECOND) << 32) / SECOND;

	return htobe64(sec << 32 | fraction);
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(123) }, from;
	int64_t error, jitter, dispersion;
	int truth = truth_open(), s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (argc != 5 || !inet_aton(argv[1], &at.sin_addr))
		die("sntp ADDRESS ERROR JITTER DISPERSION");
	error = atoll(argv[2]);
	jitter = atoll(argv[3]);
	dispersion = atoll(argv[4]);
	if (s < 0 || bind(s, (struct sockaddr *)&at, sizeof(at)))
		die("port 123");
	srand48(at.sin_addr.s_addr);
	for (;;) {
		struct packet p;
		socklen_t length = sizeof(from);

		if (recvfrom(s, &p, sizeof(p), 0, (struct sockaddr *)&from, &length) != sizeof(p))
			continue;
		int64_t off = error + (int64_t)((2 * drand48() - 1) * jitter);

		p.originate = p.transmit;
		p.receive = ntp(truth_read(truth).truth + off);
		p.mode = 4 << 3 | 4;
		p.stratum = 1;
		p.precision = -20;
		p.root_delay = 0;
		p.root_dispersion = htobe32(dispersion * 65536 / SECOND);
		memcpy(p.refid, "TRUE", 4);
		p.reference = p.receive;
		p.transmit = ntp(truth_read(truth).truth + off);
		sendto(s, &p, sizeof(p), 0, (struct sockaddr *)&from, length);
	}
}
