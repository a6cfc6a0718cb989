// SPDX-License-Identifier: GPL-2.0
/*
 * A NIC with a pulse on one of its pins, and the clock that pulse comes from, without either.
 *
 * Two PTP clocks appear:
 *   "truth"    UTC seconds. Read only. Its whole seconds are the pulses.
 *   "sim igb"  the NIC's clock: free running, can be set and steered, four pins, two channels of
 *              external timestamps, and the manners of an i210.
 *
 * Both are straight lines over CLOCK_MONOTONIC_RAW. So the moment of a pulse is computed, never
 * measured: an emulated machine may run the timer as late as it likes, the timestamp is still the
 * one that perfect hardware would have latched. Only the delivery is late, as on a busy machine.
 *
 * A third thing comes and goes with the parameter `pps`: /dev/ppsN, where the same pulse is captured
 * as by an interrupt's handler that reads the system clock. An emulated machine would be late by
 * milliseconds now and then, which no real one is. So the handler's lateness is drawn (pps_late_ns), and
 * what the system clock showed by then is computed: it is a straight line between the reading
 * before the edge, 2 ms away at most, and the one after it. Where the reading before those two does not
 * lie on it, the edge is lost.
 *
 * With the parameter `card` the NIC is not one of this module's but a card of the machine's, with a driver of its own
 * (tests/vm/i210): then there is no "sim igb", and the card is told of the pulse by an I/O port.
 *
 * Parameters marked "run time" may be written under /sys/module/gnss2shm_sim/parameters.
 */
#include <asm/tsc.h>
#include <linux/hrtimer.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/module.h>
#include <linux/pps_kernel.h>
#include <linux/pci.h>
#include <linux/prandom.h>
#include <linux/ptp_clock_kernel.h>
#include <linux/timekeeping.h>

#define PINS 4
#define CHANNELS 2

/* The card's ports: see tests/vm/i210/i210.c. */
#define WIRE 0x5c0
#define WIRE_SIZE 0x20
#define WIRE_COUNT_LOW (WIRE + 0x00)
#define WIRE_COUNT_HIGH (WIRE + 0x04)
#define WIRE_EDGE (WIRE + 0x08)
#define WIRE_MORE 0x100
#define WIRE_PPB (WIRE + 0x0c)
#define WIRE_LINK (WIRE + 0x10)

/* ---- parameters ------------------------------------------------------------------------- */

static long truth_start = 1800000000;
module_param(truth_start, long, 0444);
MODULE_PARM_DESC(truth_start, "UTC second at which truth starts");

static long leap_at = 0;
module_param(leap_at, long, 0444);
MODULE_PARM_DESC(leap_at, "UTC second, a midnight, before which a leap second is inserted: truth is set back by 1 s there");

static long nic_epoch = 1000;
module_param(nic_epoch, long, 0444);
MODULE_PARM_DESC(nic_epoch, "second at which the NIC's clock starts");

static char *crosststamp = "extended";
module_param(crosststamp, charp, 0444);
MODULE_PARM_DESC(crosststamp, "best cross timestamp of the NIC: precise, extended or standard");

static bool card;
module_param(card, bool, 0444);
MODULE_PARM_DESC(card, "the NIC is a card of the machine's");

static ulong seed = 1;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "of noise, loss and glitches");

static int edges = 2;
module_param(edges, int, 0644);
MODULE_PARM_DESC(edges, "2: stamps both edges, as igb and igc do; 1: rising edges only (run time)");

static int wired = 0;
module_param(wired, int, 0644);
MODULE_PARM_DESC(wired, "number of the pin the pulse is soldered to (run time)");

static int pulse = 1;
module_param(pulse, int, 0644);
MODULE_PARM_DESC(pulse, "0: the receiver gives no pulse (run time)");

static int width_ns = 100000000;
module_param(width_ns, int, 0644);
MODULE_PARM_DESC(width_ns, "from the rising to the falling edge (run time)");

static int noise_ns = 0;
module_param(noise_ns, int, 0644);
MODULE_PARM_DESC(noise_ns, "timestamps are off by up to this, uniformly (run time)");

static int sawtooth_ns = 0;
module_param(sawtooth_ns, int, 0644);
MODULE_PARM_DESC(sawtooth_ns, "pulses are off their second by up to this, as the receiver's clock has no tick there; "
			      "nmea-gen knows by how much (run time)");

static int loss = 0;
module_param(loss, int, 0644);
MODULE_PARM_DESC(loss, "edges lost, in 1/1000 (run time)");

static int glitch = 0;
module_param(glitch, int, 0644);
MODULE_PARM_DESC(glitch, "seconds with one stray edge anywhere in them, in 1/1000 (run time)");

static int late_ms = 0;
module_param(late_ms, int, 0644);
MODULE_PARM_DESC(late_ms, "edges are delivered this much after they happened (run time)");

static int pps_late_ns = 12000;
module_param(pps_late_ns, int, 0644);
MODULE_PARM_DESC(pps_late_ns, "the handler of the PPS device reads the system clock up to this much after an edge, "
			      "from a sixth of it on, uniformly (run time)");

/* ---- straight lines ------------------------------------------------------------------------ */

/* ns(t) = ns + (t - raw) * (1 + skew / 2^48): fine enough to hold a line to the nanosecond for days. */
struct line {
	s64 raw, ns, skew;
};

static DEFINE_SPINLOCK(lock);            /* guards everything below */
static struct line truth, nic, nic_before; /* nic_before: the NIC's line until nic.raw */
static s64 nic_steering;                 /* the part of nic.skew that adjfine asked for */

static s64 skewed(s64 span, s64 skew)
{
	return (s64)(((__int128)span * skew) >> 48);
}

static s64 line_at(const struct line *l, s64 raw)
{
	return l->ns + (raw - l->raw) + skewed(raw - l->raw, l->skew);
}

/* The inverse. Each turn is a thousand times closer, as no skew here is above 1000 ppm or so. */
static s64 line_reaches(const struct line *l, s64 ns)
{
	s64 span = ns - l->ns;
	int turn;

	for (turn = 0; turn < 8; turn++)
		span = ns - l->ns - skewed(span, l->skew);
	return l->raw + span;
}

static s64 skew_of_ppb(s64 ppb)
{
	return div_s64(ppb << 39, 1953125); /* 2^48 / 10^9 */
}

static s64 skew_of_scaled_ppm(s64 scaled)
{
	return div_s64(scaled << 26, 15625); /* 2^48 / (10^6 * 2^16) */
}

/* The NIC's clock goes on from (raw, ns). Edges before raw keep the old line, however late they come. */
static void nic_bend(s64 raw, s64 ns, s64 skew)
{
	nic_before = nic;
	nic = (struct line){ .raw = raw, .ns = ns, .skew = skew };
}

static int nic_ppb, truth_ppb;

static int set_ppb(const char *text, const struct kernel_param *param)
{
	unsigned long flags;
	int err = param_set_int(text, param);
	s64 raw = ktime_get_raw();

	if (err)
		return err;
	spin_lock_irqsave(&lock, flags);
	if (param->arg == &nic_ppb && card)
		outl(nic_ppb, WIRE_PPB);
	else if (param->arg == &nic_ppb)
		nic_bend(raw, line_at(&nic, raw), skew_of_ppb(nic_ppb) + nic_steering);
	else
		truth = (struct line){ raw, line_at(&truth, raw), skew_of_ppb(truth_ppb) };
	spin_unlock_irqrestore(&lock, flags);
	return 0;
}

static const struct kernel_param_ops ppb_ops = { .set = set_ppb, .get = param_get_int };
module_param_cb(nic_ppb, &ppb_ops, &nic_ppb, 0644);
MODULE_PARM_DESC(nic_ppb, "rate of the NIC's clock against CLOCK_MONOTONIC_RAW (run time)");
module_param_cb(truth_ppb, &ppb_ops, &truth_ppb, 0644);
MODULE_PARM_DESC(truth_ppb, "rate of truth against CLOCK_MONOTONIC_RAW (run time)");

/* ---- edges --------------------------------------------------------------------------------- */

struct edge {
	s64 phase; /* ns into the second */
	bool rising;
};

static struct ptp_clock *truth_clock, *nic_clock; /* the NIC's is NULL while it is pulled out */
static struct pci_dev *slot; /* what the NIC's clock says it sits on: whatever is first on the bus */
static struct hrtimer timer;
static struct rnd_state random;
static int channel_pin[CHANNELS] = { -1, -1 }; /* pin of an enabled channel, else -1 */
static struct edge plan[3];                    /* the edges of `second`, in order */
static int planned, done;
static s64 second;                             /* of truth */
static struct pps_device *pps;                 /* NULL while there is none */
static struct system_time_snapshot earlier, before; /* the timer's last two looks at the clocks */

static bool chance(int permille)
{
	return (int)(prandom_u32_state(&random) % 1000) < permille;
}

/* How late the pulse of `second` is. guest/nmea-gen.c has the same line. */
static s64 sawtooth(void)
{
	return second * 7 % (2 * sawtooth_ns + 1) - sawtooth_ns;
}

static void plan_second(void)
{
	struct edge stray = { prandom_u32_state(&random) % NSEC_PER_SEC, true };
	int i;

	planned = done = 0;
	if (pulse) {
		plan[planned++] = (struct edge){ sawtooth(), true };
		if (edges == 2)
			plan[planned++] = (struct edge){ sawtooth() + clamp(width_ns, 1, (int)NSEC_PER_SEC - 1), false };
	}
	if (chance(glitch)) {
		for (i = planned++; i > 0 && plan[i - 1].phase > stray.phase; i--)
			plan[i] = plan[i - 1];
		plan[i] = stray;
	}
}

/* The card knows the counter, so it is told what that was at the edge. */
static void tell_card(s64 raw, bool lost, bool more, const struct system_time_snapshot *now)
{
	s64 count;

	if (noise_ns > 0)
		raw += (s64)(prandom_u32_state(&random) % (2 * (u32)noise_ns + 1)) - noise_ns;
	count = now->cycles - div_s64((now->raw - raw) * tsc_khz, NSEC_PER_MSEC);
	outl(count, WIRE_COUNT_LOW);
	outl(count >> 32, WIRE_COUNT_HIGH);
	outl((lost ? PINS : wired) | (more ? WIRE_MORE : 0), WIRE_EDGE);
}

/*
 * Edges less than 1 ms apart are told to the card in one go, after the last: whether it loses one is a matter of when they
 * came, and not of when the machine finds the time.
 */
static int last_at_once(void)
{
	int last = done;

	while (card && last + 1 < planned && plan[last + 1].phase - plan[last].phase < NSEC_PER_MSEC)
		last++;
	return last;
}

static long at_pulse[2];
module_param_array(at_pulse, long, NULL, 0444);
MODULE_PARM_DESC(at_pulse, "the last pulse: its second of truth, and how far the NIC's clock was ahead of truth, ns");

static void deliver(s64 raw, bool on_time)
{
	struct ptp_clock_event event = { .type = PTP_CLOCK_EXTTS };
	s64 stamp = line_at(raw < nic.raw ? &nic_before : &nic, raw);

	if (on_time) {
		at_pulse[0] = second;
		at_pulse[1] = stamp - second * NSEC_PER_SEC;
	}
	if (noise_ns > 0)
		stamp += (s64)(prandom_u32_state(&random) % (2 * (u32)noise_ns + 1)) - noise_ns;
	event.timestamp = stamp;
	if (!nic_clock)
		return;
	for (event.index = 0; event.index < CHANNELS; event.index++)
		if (channel_pin[event.index] >= 0 && channel_pin[event.index] == wired)
			ptp_clock_event(nic_clock, &event);
}

/* What the system clock gained on the counter within `part` of the time from one look at the clocks to the next. */
static s64 gained(const struct system_time_snapshot *from, const struct system_time_snapshot *to, s64 part)
{
	s64 raw = to->raw - from->raw;

	/* A step that would not fit in here is as good as one that does. */
	return raw > 0 ? div64_s64(clamp(to->real - from->real - raw, -raw, raw) * part, raw) : 0;
}

/* The edge as the handler of an interrupt would have captured it. `now` is a look at the clocks after it. */
static void capture(s64 raw, bool rising, const struct system_time_snapshot *now)
{
	struct pps_event_time stamp = {};
	s64 part, gain, bent, soonest = pps_late_ns / 6;

	if (!pps)
		return;
	part = raw - before.raw + soonest + prandom_u32_state(&random) % (u32)(pps_late_ns - soonest + 1);
	gain = gained(&before, now, part);
	bent = gain - gained(&earlier, &before, part);
	/*
	 * The system clock was stepped around the edge, or began or ended to be slewed, and `now` is late: what it
	 * showed cannot be told, so the interrupt is lost.
	 */
	if (bent < -1000 || bent > 1000) {
		pr_info("gnss2shm_sim: an edge for the PPS device is lost: the system clock is bent by %lld ns\n", bent);
		return;
	}
	stamp.ts_real = ktime_to_timespec64(before.real + part + gain);
	pps_event(pps, &stamp, rising ? PPS_CAPTUREASSERT : PPS_CAPTURECLEAR, NULL);
}

static enum hrtimer_restart tick(struct hrtimer *t)
{
	struct system_time_snapshot now;
	s64 wait, edge, raw;
	unsigned long flags;
	int last;

	spin_lock_irqsave(&lock, flags);
	ktime_get_snapshot(&now);
	raw = now.raw;
	for (;;) {
		if (done == planned) {
			/* An empty second is still waited for: its end is where the next begins. */
			edge = line_reaches(&truth, (second + 1) * NSEC_PER_SEC);
			if (raw < edge)
				break;
			second++;
			/* The pulse goes on; the last second of the day is counted twice. */
			if (leap_at && second == leap_at) {
				truth = (struct line){ edge, --second * NSEC_PER_SEC, truth.skew };
				leap_at = 0;
			}
			plan_second();
			continue;
		}
		last = last_at_once();
		edge = line_reaches(&truth, second * NSEC_PER_SEC + plan[last].phase) + late_ms * (s64)NSEC_PER_MSEC;
		if (raw < edge)
			break;
		for (; done <= last; done++) {
			s64 at = line_reaches(&truth, second * NSEC_PER_SEC + plan[done].phase);
			bool lost = chance(loss);

			if (card)
				tell_card(at, lost, done < last, &now);
			else if (!lost)
				deliver(at, plan[done].rising && plan[done].phase == sawtooth());
			if (!lost)
				capture(at, plan[done].rising, &now);
		}
	}
	wait = edge - raw;
	earlier = before;
	before = now;
	spin_unlock_irqrestore(&lock, flags);

	/* The timer runs on a clock that chronyd may slew by 10 %: approach, do not trust one leap. */
	if (wait > 2 * NSEC_PER_MSEC)
		wait -= wait / 8;
	hrtimer_set_expires(t, ktime_add_ns(ktime_get(), wait));
	return HRTIMER_RESTART;
}

static int set_disarm(const char *text, const struct kernel_param *param)
{
	unsigned long flags;
	int how, err = kstrtoint(text, 0, &how);
	s64 raw = ktime_get_raw(), real = ktime_get_real();

	if (err)
		return err;
	spin_lock_irqsave(&lock, flags);
	if (how > 0)
		channel_pin[0] = channel_pin[1] = -1;
	if (how > 1)
		nic_bend(raw, real, nic.skew);
	spin_unlock_irqrestore(&lock, flags);
	return 0;
}

static const struct kernel_param_ops disarm_ops = { .set = set_disarm };
module_param_cb(disarm, &disarm_ops, NULL, 0200);
MODULE_PARM_DESC(disarm, "write 1: timestamping stops without a word, as after a reset by igc; "
			 "2: and the clock jumps to system time, as by igb (run time)");

/* ---- what both clocks do ------------------------------------------------------------------- */

static s64 clock_at(struct ptp_clock_info *info, s64 raw);

/* One reading of the counter gives all three times, so their relation is exact to the rounding. */
static int get_precise(struct ptp_clock_info *info, struct system_device_crosststamp *out)
{
	struct system_time_snapshot now;

	ktime_get_snapshot(&now);
	out->device = clock_at(info, now.raw);
	out->sys_realtime = now.real;
	out->sys_monoraw = now.raw;
	return 0;
}

static int get_extended(struct ptp_clock_info *info, struct timespec64 *ts,
			struct ptp_system_timestamp *around)
{
	s64 raw;

	ptp_read_system_prets(around);
	raw = ktime_get_raw();
	ptp_read_system_postts(around);
	*ts = ns_to_timespec64(clock_at(info, raw));
	return 0;
}

static int get_standard(struct ptp_clock_info *info, struct timespec64 *ts)
{
	return get_extended(info, ts, NULL);
}

/* ---- truth --------------------------------------------------------------------------------- */

static int truth_settime(struct ptp_clock_info *info, const struct timespec64 *ts)
{
	return -EPERM;
}

static int truth_adjtime(struct ptp_clock_info *info, s64 delta)
{
	return -EPERM;
}

static int truth_adjfine(struct ptp_clock_info *info, long scaled_ppm)
{
	return -EPERM;
}

static int truth_enable(struct ptp_clock_info *info, struct ptp_clock_request *rq, int on)
{
	return -EOPNOTSUPP;
}

static struct ptp_clock_info truth_info = {
	.owner = THIS_MODULE,
	.name = "truth",
	.gettimex64 = get_extended,
	.getcrosststamp = get_precise,
	.settime64 = truth_settime,
	.adjtime = truth_adjtime,
	.adjfine = truth_adjfine,
	.enable = truth_enable,
};

/* ---- the NIC ------------------------------------------------------------------------------- */

static int nic_settime(struct ptp_clock_info *info, const struct timespec64 *ts)
{
	unsigned long flags;

	spin_lock_irqsave(&lock, flags);
	nic_bend(ktime_get_raw(), timespec64_to_ns(ts), nic.skew);
	spin_unlock_irqrestore(&lock, flags);
	return 0;
}

static int nic_adjtime(struct ptp_clock_info *info, s64 delta)
{
	unsigned long flags;
	s64 raw;

	spin_lock_irqsave(&lock, flags);
	raw = ktime_get_raw();
	nic_bend(raw, line_at(&nic, raw) + delta, nic.skew);
	spin_unlock_irqrestore(&lock, flags);
	return 0;
}

static int nic_adjfine(struct ptp_clock_info *info, long scaled_ppm)
{
	unsigned long flags;
	s64 raw;

	spin_lock_irqsave(&lock, flags);
	raw = ktime_get_raw();
	nic_steering = skew_of_scaled_ppm(scaled_ppm);
	nic_bend(raw, line_at(&nic, raw), skew_of_ppb(nic_ppb) + nic_steering);
	spin_unlock_irqrestore(&lock, flags);
	return 0;
}

static int nic_verify(struct ptp_clock_info *info, unsigned int pin, enum ptp_pin_function func,
		      unsigned int channel)
{
	return func == PTP_PF_NONE || func == PTP_PF_EXTTS ? 0 : -1;
}

static int nic_enable(struct ptp_clock_info *info, struct ptp_clock_request *rq, int on)
{
	/* The strict requests that this hardware can grant: igb both edges, a better card one. */
	unsigned int able = edges == 2 ? PTP_EXTTS_EDGES : PTP_RISING_EDGE;
	unsigned int asked = rq->extts.flags & PTP_EXTTS_EDGES;
	unsigned long flags;
	int pin = -1;

	if (rq->type != PTP_CLK_REQ_EXTTS || rq->extts.index >= CHANNELS)
		return -EOPNOTSUPP;
	if (on) {
		if (!nic_clock)
			return -ENODEV;
		if ((rq->extts.flags & PTP_STRICT_FLAGS) && asked != able)
			return -EOPNOTSUPP;
		pin = ptp_find_pin(nic_clock, PTP_PF_EXTTS, rq->extts.index);
		if (pin < 0)
			return -EBUSY;
	}
	spin_lock_irqsave(&lock, flags);
	channel_pin[rq->extts.index] = pin;
	spin_unlock_irqrestore(&lock, flags);
	return 0;
}

static struct ptp_pin_desc pins[PINS];

static struct ptp_clock_info nic_info = {
	.owner = THIS_MODULE,
	.name = "sim igb",
	.max_adj = 62499999,
	.n_ext_ts = CHANNELS,
	.n_pins = PINS,
	.pin_config = pins,
	.settime64 = nic_settime,
	.adjtime = nic_adjtime,
	.adjfine = nic_adjfine,
	.verify = nic_verify,
	.enable = nic_enable,
};

static s64 clock_at(struct ptp_clock_info *info, s64 raw)
{
	unsigned long flags;
	s64 ns;

	spin_lock_irqsave(&lock, flags);
	ns = line_at(info == &truth_info ? &truth : &nic, raw);
	spin_unlock_irqrestore(&lock, flags);
	return ns;
}

/* ---- the PPS device ------------------------------------------------------------------------ */

/* PPS_CANWAIT is not among it: Linux has everybody wait whether or not the driver says so. */
static struct pps_source_info pps_info = {
	.name = "sim",
	.mode = PPS_CAPTUREBOTH | PPS_OFFSETASSERT | PPS_OFFSETCLEAR | PPS_TSFMT_TSPEC,
	.owner = THIS_MODULE,
};

static int has_pps;

static int set_pps(const char *text, const struct kernel_param *param)
{
	struct pps_device *new = NULL, *old;
	int how, err = kstrtoint(text, 0, &how);
	unsigned long flags;

	if (err)
		return err;
	if (has_pps == !!how)
		return 0;
	if (how) {
		new = pps_register_source(&pps_info, PPS_CAPTUREBOTH | PPS_OFFSETASSERT | PPS_OFFSETCLEAR);
		if (IS_ERR_OR_NULL(new))
			return new ? PTR_ERR(new) : -ENODEV;
	}
	spin_lock_irqsave(&lock, flags);
	old = pps;
	pps = new;
	spin_unlock_irqrestore(&lock, flags);
	if (old)
		pps_unregister_source(old);
	has_pps = !!how;
	return 0;
}

static const struct kernel_param_ops pps_ops = { .set = set_pps, .get = param_get_int };
module_param_cb(pps, &pps_ops, &has_pps, 0644);
MODULE_PARM_DESC(pps, "1: the pulse is wired to a kernel PPS device, too; 0: that device is gone (run time)");

/* A card of the machine's is taken away and given back over its bus. */
static int has_nic = 1;

static int set_nic(const char *text, const struct kernel_param *param)
{
	struct ptp_clock *new = NULL, *old;
	int how, pin, err = kstrtoint(text, 0, &how);
	unsigned long flags;

	if (err)
		return err;
	if (card)
		return -EOPNOTSUPP;
	if (has_nic == !!how)
		return 0;
	if (how) {
		/* A card that is plugged in knows nothing of what it was set to. */
		for (pin = 0; pin < PINS; pin++)
			pins[pin].func = pins[pin].chan = 0;
		channel_pin[0] = channel_pin[1] = -1;
		new = ptp_clock_register(&nic_info, slot ? &slot->dev : NULL);
		if (IS_ERR_OR_NULL(new))
			return new ? PTR_ERR(new) : -ENODEV;
	}
	spin_lock_irqsave(&lock, flags);
	old = nic_clock;
	nic_clock = new;
	spin_unlock_irqrestore(&lock, flags);
	if (old)
		ptp_clock_unregister(old);
	has_nic = !!how;
	return 0;
}

static const struct kernel_param_ops nic_ops = { .set = set_nic, .get = param_get_int };
module_param_cb(nic, &nic_ops, &has_nic, 0644);
MODULE_PARM_DESC(nic, "0: the NIC is pulled out, 1: it is plugged in again (run time)");

/* ---- the card's link ----------------------------------------------------------------------- */

static int card_link;

static int set_link(const char *text, const struct kernel_param *param)
{
	int err = param_set_int(text, param);

	if (!err && card)
		outl(card_link, WIRE_LINK);
	return err;
}

static const struct kernel_param_ops link_ops = { .set = set_link, .get = param_get_int };
module_param_cb(link, &link_ops, &card_link, 0644);
MODULE_PARM_DESC(link, "of the card: 0 none, 1 there, 3 there, but nothing that is sent completes (run time)");

/* ---- coming and going ---------------------------------------------------------------------- */

static int __init sim_init(void)
{
	s64 raw = ktime_get_raw();
	int pin;

	if (!strcmp(crosststamp, "precise")) {
		nic_info.getcrosststamp = get_precise;
		nic_info.gettimex64 = get_extended;
	} else if (!strcmp(crosststamp, "extended")) {
		nic_info.gettimex64 = get_extended;
	} else if (!strcmp(crosststamp, "standard")) {
		nic_info.gettime64 = get_standard;
	} else {
		pr_err("gnss2shm_sim: crosststamp must be precise, extended or standard\n");
		return -EINVAL;
	}
	for (pin = 0; pin < PINS; pin++) {
		pins[pin].index = pin;
		snprintf(pins[pin].name, sizeof(pins[pin].name), "SDP%d", pin);
	}
	prandom_seed_state(&random, seed);
	truth = (struct line){ raw, truth_start * NSEC_PER_SEC, skew_of_ppb(truth_ppb) };
	nic = nic_before = (struct line){ raw, nic_epoch * NSEC_PER_SEC, skew_of_ppb(nic_ppb) };
	second = truth_start;

	truth_clock = ptp_clock_register(&truth_info, NULL);
	if (IS_ERR_OR_NULL(truth_clock))
		return truth_clock ? PTR_ERR(truth_clock) : -ENODEV;
	if (card) {
		if (!request_region(WIRE, WIRE_SIZE, "gnss2shm_sim")) {
			ptp_clock_unregister(truth_clock);
			return -EBUSY;
		}
		outl(nic_ppb, WIRE_PPB);
		outl(card_link, WIRE_LINK);
	} else {
		slot = pci_get_domain_bus_and_slot(0, 0, 0);
		nic_clock = ptp_clock_register(&nic_info, slot ? &slot->dev : NULL);
		if (IS_ERR_OR_NULL(nic_clock)) {
			ptp_clock_unregister(truth_clock);
			pci_dev_put(slot);
			return nic_clock ? PTR_ERR(nic_clock) : -ENODEV;
		}
	}
	ktime_get_snapshot(&before);
	earlier = before;
	hrtimer_init(&timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
	timer.function = tick;
	hrtimer_start(&timer, ktime_get(), HRTIMER_MODE_ABS);
	return 0;
}

static void __exit sim_exit(void)
{
	hrtimer_cancel(&timer);
	if (pps)
		pps_unregister_source(pps);
	if (nic_clock)
		ptp_clock_unregister(nic_clock);
	ptp_clock_unregister(truth_clock);
	pci_dev_put(slot);
	if (card)
		release_region(WIRE, WIRE_SIZE);
}

module_init(sim_init);
module_exit(sim_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Simulated NIC with a pulse per second, and the true time");
