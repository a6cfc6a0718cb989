/*
 * The simulated receiver's serial output: names each second, late and with jitter.
 *
 * The first byte of the burst that names second K leaves when truth is K + delay, give or take the
 * jitter; the rest follows at the pace of the baud rate, because QEMU's UART would deliver
 * everything at once. A burst longer than its second pushes the next one back, as on a real line.
 * On a pseudo terminal it does come at once, as from a receiver with USB of its own.
 *
 * The messages of u-blox receivers are among what it can say: PUBX,04, and in binary NAV-TIMEUTC, NAV-TIMEGPS, NAV-TIMELS
 * and TIM-TP, which says how far off its second the next pulse will be.
 *
 * Faults happen between two moments, in seconds after the start.
 */
#define _GNU_SOURCE
#include "truth.h"
#include "ubx.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

struct period {
	int64_t from, to; /* seconds after the start; empty if equal */
};

static struct {
	const char *tty, *pty;   /* a line; or what names a pseudo terminal of our own */
	long baud, heard_at;     /* the reader's UART is set to heard_at; 0: to baud */
	const char *heard_by;    /* the reader's tty, which says what its UART is set to */
	int64_t delay, jitter;   /* ns */
	int64_t jump_at, jump_to; /* from this second on, this delay; never if jump_at < 0 */
	struct period silent;    /* silent */
	struct period invalid;   /* sends the time, but marks it invalid */
	struct period utc_unknown; /* reckons with one leap second less than there are, and says that they are its firmware's */
	bool gps_base;           /* announces pulses in GPS time */
	int64_t sawtooth;        /* maximum error of the pulse, ns */
	int corrupt;             /* bytes damaged, in 1/1000 */
	int off;                 /* names a second that is wrong by this many */
	int zda_ahead;           /* ZDA names one that is ahead of the others' by this many */
	int64_t leap_at;         /* the midnight before which truth is set back by 1 s; 0: none */
	int leap_says;           /* in that second: 60, 59 or 0 */
	const char *sentences;
} opt = { .tty = "/dev/ttyS2", .baud = 9600, .delay = 300 * MILLISECOND, .jump_at = -1, .leap_says = 60,
	  .sentences = "RMC,ZDA,GGA,GSA" };

static bool within(struct period p, int64_t t)
{
	return t >= p.from && t < p.to;
}

static int64_t uniform(int64_t limit)
{
	return limit > 0 ? (int64_t)(drand48() * (2 * limit + 1)) - limit : 0;
}

/* ---- a leap second ---- */

/* Truth as it would be without the leap second, so that every second has a number of its own. */
static int64_t unleapt(int truth)
{
	static struct triple last;
	static int64_t leapt;
	struct triple now = truth_read(truth);

	if (last.raw && now.truth - last.truth < now.raw - last.raw - SECOND / 2)
		leapt = SECOND;
	last = now;
	return now.truth + leapt;
}

static void sleep_until(int truth, int64_t ns)
{
	int64_t left;

	while ((left = ns - unleapt(truth)) > 0)
		nap(left > 2 * MILLISECOND ? left - left / 8 : left);
}

/* ---- sentences ---- */

static bool leap_year(int y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static struct civil civil_of(int64_t t)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	struct civil c = { 1970, 1, 1, t / 3600 % 24, t / 60 % 60, t % 60 };
	int64_t days = t / 86400;
	int length;

	while (days >= 365 + leap_year(c.year))
		days -= 365 + leap_year(c.year++);
	while (days >= (length = lengths[c.month - 1] + (c.month == 2 && leap_year(c.year)))) {
		days -= length;
		c.month++;
	}
	c.day += days;
	return c;
}

/* What the receiver calls this second: the leap second by opt.leap_says, those after it are one less. */
static struct civil named(int64_t second)
{
	struct civil c;

	if (!opt.leap_at || second < opt.leap_at)
		return civil_of(second + opt.off);
	if (second > opt.leap_at || opt.leap_says != 0)
		second--;
	c = civil_of(second + opt.off);
	if (second == opt.leap_at - 1 && opt.leap_says == 60)
		c.second = 60;
	return c;
}

/* How late the pulse of this second is, ns. module/gnss2shm_sim.c has the same line. */
static int64_t sawtooth(int64_t second)
{
	return second * 7 % (2 * opt.sawtooth + 1) - opt.sawtooth;
}

/* The part of a sentence between '$' and '*', or nothing if this type is not known. */
static int body(char *out, size_t room, const char *type, const struct told *told)
{
	struct civil c = told->named;
	bool valid = told->valid;
	static const char where[] = "5231.2040,N,01324.6150,E";
	char time[16], date[16];

	snprintf(time, sizeof(time), "%02d%02d%02d.00", c.hour, c.minute, c.second);
	snprintf(date, sizeof(date), "%02d%02d%02d", c.day, c.month, c.year % 100);
	if (!strcmp(type, "RMC"))
		return snprintf(out, room, "GPRMC,%s,%s,%s,0.01,,%s,,,%s", time, valid ? "A" : "V",
				where, date, valid ? "A" : "N");
	if (!strcmp(type, "ZDA")) {
		c = told->zda;
		return snprintf(out, room, "GPZDA,%02d%02d%02d.00,%02d,%02d,%04d,00,00", c.hour, c.minute, c.second, c.day,
				c.month, c.year);
	}
	if (!strcmp(type, "GGA"))
		return snprintf(out, room, "GPGGA,%s,%s,%d,%02d,0.9,41.5,M,39.6,M,,", time, where,
				valid, valid ? 9 : 0);
	if (!strcmp(type, "GSA"))
		return snprintf(out, room, "GPGSA,A,%d,02,05,07,09,13,16,20,29,30,,,,1.7,0.9,1.4",
				valid ? 3 : 1);
	if (!strcmp(type, "GLL"))
		return snprintf(out, room, "GPGLL,%s,%s,%s,%s", where, time, valid ? "A" : "V",
				valid ? "A" : "N");
	if (!strcmp(type, "VTG"))
		return snprintf(out, room, "GPVTG,,T,,M,0.01,N,0.02,K,%s", valid ? "A" : "N");
	if (!strcmp(type, "GSV"))
		return snprintf(out, room, "GPGSV,1,1,04,02,45,083,42,05,61,214,44,07,22,301,38,09,17,045,35");
	if (!strcmp(type, "TXT"))
		return snprintf(out, room, "GPTXT,01,01,02,gnss2shm simulated receiver");
	if (!strcmp(type, "PUBX"))
		return snprintf(out, room, "PUBX,04,%s,%s,%ld.00,%ld,%d%s,19,-2.660,21,", time, date, told->gps % WEEK,
				told->gps / WEEK, told->leap_seconds, told->utc_known ? "" : "D");
	return -1;
}

static size_t burst(char *out, size_t room, const struct told *told)
{
	size_t used = 0, length;
	char list[256], *rest = list, *type;

	snprintf(list, sizeof(list), "%s", opt.sentences);
	while ((type = strsep(&rest, ","))) {
		char text[100];
		unsigned char sum = 0, *p;

		if (room - used < 120)
			die("too many sentences");
		if ((length = ubx_message((unsigned char *)out + used, type, told))) {
			used += length;
			continue;
		}
		if (body(text, sizeof(text), type, told) < 0) {
			fprintf(stderr, "no such sentence or message here: %s\n", type);
			exit(64);
		}
		for (p = (unsigned char *)text; *p; p++)
			sum ^= *p;
		used += snprintf(out + used, room - used, "$%s*%02X\r\n", text, sum);
	}
	return used;
}

/* ---- the line ---- */

/* The line's level so many bits into the bytes: start bit, eight data bits, stop bit; high when idle. */
static int level(const char *bytes, size_t size, double bits)
{
	size_t n = bits, bit = n % 10;

	if (n / 10 >= size || bit == 9)
		return 1;
	return bit > 0 && bytes[n / 10] >> (bit - 1) & 1;
}

/*
 * What a UART set to another rate makes of the bytes; QEMU's does not care. Where it finds no stop bit,
 * a raw tty reads a zero.
 */
static size_t misheard(char *out, size_t room, const char *bytes, size_t size)
{
	double bit = (double)opt.baud / opt.heard_at, at;
	size_t used = 0;
	int n, c;

	for (at = 0; at < size * 10 && used < room;) {
		if (level(bytes, size, at)) {
			at += bit / 16;
			continue;
		}
		for (n = c = 0; n < 8; n++)
			c |= level(bytes, size, at + bit * (n + 1.5)) << n;
		out[used++] = level(bytes, size, at + bit * 9.5) ? c : 0;
		at += bit * 9.5;
	}
	return used;
}

static int line_open(void)
{
	int fd = open(opt.tty, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios t;

	if (fd < 0 || tcgetattr(fd, &t))
		die(opt.tty);
	cfmakeraw(&t);
	t.c_cflag |= CLOCAL;
	/* Above 115200 the emulated UART cannot follow; the pace below is what counts. */
	if (cfsetspeed(&t, opt.baud > 115200 ? 115200 : opt.baud) || tcsetattr(fd, TCSANOW, &t))
		die("baud rate");
	return fd;
}

/* A pseudo terminal, by the name that was asked for. */
static int pty_open(void)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), once;
	char reader[64];

	if (fd < 0 || grantpt(fd) || unlockpt(fd) || ptsname_r(fd, reader, sizeof(reader)))
		die("a pseudo terminal");
	/* That nobody has it open is told (POLLHUP) from its first close on. */
	once = open(reader, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (once < 0 || close(once))
		die(reader);
	unlink(opt.pty);
	if (symlink(reader, opt.pty))
		die(opt.pty);
	return fd;
}

/* Delivers everything at once; without a reader, it is lost, as on USB. */
static void send_at_once(int pty, const char *bytes, size_t size)
{
	struct pollfd state = { .fd = pty, .events = POLLOUT };

	if (poll(&state, 1, 0) < 0)
		die("poll");
	if (!(state.revents & POLLHUP) && write(pty, bytes, size) != (ssize_t)size)
		die("write");
}

/* Sends at the line's rate, in portions of at least 2 ms. Returns when the last byte is sent. */
static void send_paced(int line, int truth, const char *bytes, size_t size)
{
	int64_t start = unleapt(truth);
	int64_t byte = 10 * SECOND / (opt.heard_at ? opt.heard_at : opt.baud);
	size_t sent = 0;

	while (sent < size) {
		size_t due = (unleapt(truth) - start) / byte + 1;

		if (due > size)
			due = size;
		while (sent < due) {
			ssize_t n = write(line, bytes + sent, due - sent);

			if (n < 0)
				die("write");
			sent += n;
		}
		nap(byte > 2 * MILLISECOND ? byte : 2 * MILLISECOND);
	}
	sleep_until(truth, start + (int64_t)size * byte);
}

/* As the kernel has it (asm/termbits.h, which cannot be included beside termios.h). */
struct termios2 {
	unsigned int c_iflag, c_oflag, c_cflag, c_lflag;
	unsigned char c_line, c_cc[19];
	unsigned int c_ispeed, c_ospeed;
};

/* The rate that the reader's UART is set to now; opt.baud while it cannot be asked. */
static long rate_of_reader(void)
{
	struct termios2 t;
	int fd = open(opt.heard_by, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	long rate = fd >= 0 && !ioctl(fd, TCGETS2, &t) ? t.c_ospeed : opt.baud;

	if (fd >= 0)
		close(fd);
	return rate;
}

/* Sends sentence after sentence, each as the reader hears it at the rate that it listens at by then. */
static void send_heard(int line, int truth, const char *bytes, size_t size)
{
	char heard[1 << 16];
	const char *end = bytes + size, *next;

	for (; bytes < end; bytes = next) {
		next = memchr(bytes, '\n', end - bytes);
		next = next ? next + 1 : end;
		if (opt.heard_by)
			opt.heard_at = rate_of_reader();
		if (opt.heard_at == opt.baud)
			send_paced(line, truth, bytes, next - bytes);
		else
			send_paced(line, truth, heard, misheard(heard, sizeof(heard), bytes, next - bytes));
	}
}

/* ---- options ---- */

static struct period period_of(const char *text)
{
	struct period p;

	if (sscanf(text, "%ld:%ld", &p.from, &p.to) != 2) {
		fprintf(stderr, "a period is FROM:TO in seconds, not %s\n", text);
		exit(64);
	}
	return p;
}

static void options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "tty", 1, 0, 't' },     { "baud", 1, 0, 'b' },    { "delay-ns", 1, 0, 'd' },
		{ "jitter-ns", 1, 0, 'j' }, { "sentences", 1, 0, 's' }, { "seed", 1, 0, 'S' },
		{ "jump", 1, 0, 'J' },    { "silent", 1, 0, 'x' },  { "invalid", 1, 0, 'v' },
		{ "corrupt", 1, 0, 'c' }, { "off", 1, 0, 'o' },     { "heard-at", 1, 0, 'h' },
		{ "leap-at", 1, 0, 'l' }, { "leap-says", 1, 0, 'L' }, { "utc-unknown", 1, 0, 'u' },
		{ "sawtooth-ns", 1, 0, 'w' }, { "gps-base", 0, 0, 'g' },
		{ "heard-by", 1, 0, 'H' }, { "pty", 1, 0, 'p' },    { "zda-ahead", 1, 0, 'z' },
		{ 0, 0, 0, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 't': opt.tty = optarg; break;
		case 'p': opt.pty = optarg; break;
		case 'z': opt.zda_ahead = atoi(optarg); break;
		case 'b': opt.baud = atol(optarg); break;
		case 'd': opt.delay = atoll(optarg); break;
		case 'j': opt.jitter = atoll(optarg); break;
		case 's': opt.sentences = optarg; break;
		case 'S': srand48(atol(optarg)); break;
		case 'x': opt.silent = period_of(optarg); break;
		case 'v': opt.invalid = period_of(optarg); break;
		case 'c': opt.corrupt = atoi(optarg); break;
		case 'h': opt.heard_at = atol(optarg); break;
		case 'H': opt.heard_by = optarg; break;
		case 'l': opt.leap_at = atoll(optarg); break;
		case 'L': opt.leap_says = atoi(optarg); break;
		case 'u': opt.utc_unknown = period_of(optarg); break;
		case 'w': opt.sawtooth = atoll(optarg); break;
		case 'g': opt.gps_base = true; break;
		case 'o': opt.off = atoi(optarg); break;
		case 'J':
			if (sscanf(optarg, "%ld:%ld", &opt.jump_at, &opt.jump_to) == 2)
				break;
			fprintf(stderr, "a jump is AT:DELAY_NS, not %s\n", optarg);
			/* fall through */
		default: exit(64);
		}
	}
	if ((!opt.pty && opt.baud < 300) || (opt.heard_at && opt.heard_at < 300))
		die("the baud rate is too low");
}

int main(int argc, char **argv)
{
	char bytes[2048];
	int truth, line;
	int64_t first, next;

	options(argc, argv);
	truth = truth_open();
	line = opt.pty ? pty_open() : line_open();
	first = unleapt(truth) / SECOND + 1;
	for (next = first;; next++) {
		int64_t t = next - first;
		int64_t delay = opt.jump_at >= 0 && t >= opt.jump_at ? opt.jump_to : opt.delay;
		bool utc_known = !within(opt.utc_unknown, t);
		struct told told = {
			.named = named(next + !utc_known), .zda = named(next + !utc_known + opt.zda_ahead), .gps = next - GPS_EPOCH + LEAP_SECONDS, .valid = !within(opt.invalid, t),
			.utc_known = utc_known, .leap_seconds = LEAP_SECONDS - !utc_known,
			.pulses_in_gps_time = opt.gps_base, .next_pulse_late = sawtooth(next + 1),
		};
		size_t size = burst(bytes, sizeof(bytes), &told), i;

		for (i = 0; i < size; i++)
			if (drand48() * 1000 < opt.corrupt)
				bytes[i] ^= 1 << (lrand48() % 8);
		sleep_until(truth, next * SECOND + delay + uniform(opt.jitter));
		if (within(opt.silent, t))
			continue;
		if (opt.pty)
			send_at_once(line, bytes, size);
		else if (opt.heard_at || opt.heard_by)
			send_heard(line, truth, bytes, size);
		else
			send_paced(line, truth, bytes, size);
	}
}
