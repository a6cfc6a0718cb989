/*
 * The other side of the SOCK refclock, written from its description and not from gnss2shm's code:
 *
 *   program layout          size and offset of every field, one "name number" a line
 *   program listen PATH N   makes the socket, says "ready", and prints N samples, a line each: tv_sec tv_usec offset (ns)
 *                           pulse leap pad magic
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

struct sample {
	struct timeval when;
	double ahead;
	int pulse;
	int leap;
	int unused;
	int magic;
};

static void layout(void)
{
#define AT(name, field) printf("%s %zu\n", name, offsetof(struct sample, field))
	printf("sizeof %zu\n", sizeof(struct sample));
	AT("tv_sec", when.tv_sec);
	AT("tv_usec", when.tv_usec);
	AT("offset", ahead);
	AT("pulse", pulse);
	AT("leap", leap);
	AT("pad", unused);
	AT("magic", magic);
}

static int listen_at(const char *path, int count)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct sample s[2];

	strncpy(name.sun_path, path, sizeof(name.sun_path) - 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0) {
		perror(path);
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	while (count-- > 0) {
		ssize_t got = recv(fd, s, sizeof(s), 0);

		if (got != (ssize_t)sizeof(s[0])) {
			printf("%zd bytes\n", got);
			return 1;
		}
		printf("%lld %lld %.3f %d %d %d %#x\n", (long long)s[0].when.tv_sec, (long long)s[0].when.tv_usec,
		       s[0].ahead * 1e9, s[0].pulse, s[0].leap, s[0].unused, (unsigned)s[0].magic);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "layout"))
		return layout(), 0;
	if (argc == 4 && !strcmp(argv[1], "listen"))
		return listen_at(argv[2], atoi(argv[3]));
	return 64;
}
