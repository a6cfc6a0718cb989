/*
 * Intel's i210 and i225 for QEMU, as far as Linux's igb and igc and a pulse on a pin need them.
 *
 * It is no part of QEMU: tests/vm/run compiles it against the headers of Debian's QEMU and loads it into that program with
 * LD_PRELOAD. Registers and bits are those of the datasheet (Intel 333016) and of Linux's drivers (e1000_regs.h,
 * igc_regs.h); addresses are named where they are used more than once.
 *
 * The clock counts a 125 MHz oscillator, which is a straight line over the guest's time stamp counter. So what it shows is
 * computed from the counter at the very moment of reading, and the stamp of an edge from the counter at the edge, however
 * late the edge is told. Who tells is the module of tests/vm/module: by an I/O port, WIRE below. What the pin is soldered to
 * is no business of the PCI device, and survives its resets.
 *
 * One capture register for each channel, which the driver releases by reading its high half (datasheet, 7.8.3). An edge that
 * comes less than `latency-ns` after the one in there finds it not yet read: it is lost, or overwrites it (`overwrite`). A
 * driver that has cleared the flag and never reads the register keeps it taken until the next reset; with `overwrite`,
 * edges go on after 100 ms. Nothing else is lost, for an emulated driver is slower than any real one: later edges wait until
 * its handler has ended.
 */
#include "qemu/osdep.h"

#include "hw/pci/msix.h"
#include "hw/pci/pci.h"
#include "hw/qdev-properties.h"
#include "qapi/error.h"
#include "sysemu/cpu-timers.h"

/* Where the module tells of edges: 32 bits each. */
enum {
	WIRE = 0x5c0, /* the first of these ports */
	WIRE_SIZE = 0x20,
	COUNT_LOW = 0x00, /* the counter at the edge */
	COUNT_HIGH = 0x04,
	EDGE = 0x08, /* written last: the pin, and MORE if an edge follows at once */
	MORE = 0x100,
	PPB = 0x0c, /* the oscillator's rate */
	LINK = 0x10, /* UP, and HANGS: nothing that is sent ever completes */
	UP = 1,
	HANGS = 2,
};

enum {
	CTRL = 0x0000, CTRL_MASTER_DISABLE = 1 << 2, CTRL_RST = 1 << 26, CTRL_DEV_RST = 1 << 29, CTRL_PHY_RST = 1u << 31,
	STATUS = 0x0008,
	CTRL_EXT = 0x0018,
	MDIC = 0x0020,
	TSSDP = 0x003c,
	ICR_LSC = 1 << 2, ICR_TIME_SYNC = 1 << 19,
	TSYNCTXCTL = 0xb614, TXSTMPL = 0xb618, TXSTMPH = 0xb61c,
	SYSTIML = 0xb600, SYSTIMH = 0xb604, TIMINCA = 0xb608, SYSTIMR = 0xb6f8,
	TSAUXC = 0xb640,
	AUXSTMPL0 = 0xb65c, AUXSTMPH0 = 0xb660, AUXSTMPL1 = 0xb664, AUXSTMPH1 = 0xb668,
	TSICR = 0xb66c, TSICR_TXTS = 1 << 1, TSICR_AUTT0 = 1 << 5,
	TSIM = 0xb674,
	EICS = 0x1520, EIMS = 0x1524, EIMC = 0x1528, EIAM = 0x1530, EICR = 0x1580,
	IVAR0 = 0x1700, IVAR_MISC = 0x1740,
	SWSM = 0x5b50,
	RAL0 = 0x5400, RAH0 = 0x5404,
	TDBAL = 0xe000, TDBAH = 0xe004, TDLEN = 0xe008, TDH = 0xe010, TDT = 0xe018,
};

enum { SIZE = 0x20000, VECTORS = 5, QUEUES = 4, PINS = 4, CHANNELS = 2, WAITING = 16, LINES = 8 };

typedef __int128 Time; /* 2^-32 ns */

/* What the clock shows from a tick of its oscillator on. */
typedef struct Line {
	int64_t tick, rate; /* rate: 2^-32 ns a tick */
	Time time;
} Line;

/* An edge as it is captured. */
typedef struct Capture {
	uint64_t first; /* the counter, at the edge that set the flag */
	Time time;      /* of the edge that is kept */
} Capture;

/* A channel's capture register, and the edges that wait for it. */
typedef struct Channel {
	Capture held, queue[WAITING];
	unsigned waiting;
	bool full;
} Channel;

typedef struct I210 {
	PCIDevice pci;
	MemoryRegion memory, wire, table;
	uint32_t reg[SIZE / 4];
	uint16_t phy[32];
	uint8_t mac[6];
	bool igc;

	uint64_t tsc_khz, latency_ns;
	bool overwrite;

	/* The oscillator: ticks at a value of the counter, and how fast. */
	uint64_t osc_count;
	int64_t osc_tick, osc_ppb;
	Line line[LINES]; /* the clock's, the latest first: edges are told late */
	Channel channel[CHANNELS];

	uint32_t icr, ims;
	bool serving; /* the handler of other causes runs: its vector was fired, and masked by that */
	uint32_t link, count_low, count_high;
} I210;

static uint32_t *at(I210 *s, unsigned address)
{
	return &s->reg[address / 4];
}

/* ---- the clock ----------------------------------------------------------------------------------- */

static int64_t tick_at(const I210 *s, uint64_t count)
{
	Time span = (int64_t)(count - s->osc_count);

	return s->osc_tick + (int64_t)(span * (1000000000 + s->osc_ppb) / ((Time)s->tsc_khz * 8000));
}

static int64_t tick_now(const I210 *s)
{
	return tick_at(s, cpus_get_elapsed_ticks());
}

static Time time_at(const I210 *s, int64_t tick)
{
	const Line *line = s->line;

	while (tick < line->tick && line < &s->line[LINES - 1])
		line++;
	return line->time + (Time)(tick - line->tick) * line->rate;
}

/* From this tick on the clock shows another time, or runs at another rate. */
static void bend(I210 *s, int64_t tick, Time time)
{
	uint32_t inca = *at(s, TIMINCA);
	int64_t skew = inca & 0x7fffffff;

	memmove(s->line + 1, s->line, (LINES - 1) * sizeof(Line));
	s->line[0] = (Line){ tick, ((int64_t)8 << 32) + (inca >> 31 ? -skew : skew), time };
}

static void to_registers(I210 *s, unsigned low, unsigned high, Time time)
{
	uint64_t ns = time >> 32;

	*at(s, low) = ns % 1000000000;
	*at(s, high) = ns / 1000000000;
}

/* ---- interrupts ---------------------------------------------------------------------------------- */

static unsigned other_entry(I210 *s)
{
	return *at(s, IVAR_MISC) >> 8 & 0xff;
}

/* A vector whose cause is there: at once, or as soon as it is no longer masked. */
static void fire(I210 *s, unsigned vector)
{
	uint32_t bit = 1u << vector;

	if (vector >= VECTORS)
		return;
	if (!(*at(s, EIMS) & bit)) {
		*at(s, EICR) |= bit;
		return;
	}
	*at(s, EICR) &= ~bit;
	*at(s, EIMS) &= ~(*at(s, EIAM) & bit);
	s->serving |= vector == (other_entry(s) & 0x1f);
	msix_notify(&s->pci, vector);
}

static void unmask(I210 *s, uint32_t bits)
{
	unsigned vector;

	if (bits >> (other_entry(s) & 0x1f) & 1)
		s->serving = false;
	*at(s, EIMS) |= bits & ((1u << VECTORS) - 1);
	for (vector = 0; vector < VECTORS; vector++)
		if (*at(s, EICR) & bits & (1u << vector))
			fire(s, vector);
}

/* An entry of IVAR0 or IVAR_MISC: a vector, and bit 7 if it is valid. */
static void fire_by(I210 *s, unsigned entry)
{
	if (entry & 0x80)
		fire(s, entry & 0x1f);
}

static void other_cause(I210 *s, uint32_t bits)
{
	s->icr |= bits;
	if (s->icr & s->ims)
		fire_by(s, other_entry(s));
}

static void time_sync_cause(I210 *s, uint32_t bits)
{
	*at(s, TSICR) |= bits;
	if (*at(s, TSICR) & *at(s, TSIM))
		other_cause(s, ICR_TIME_SYNC);
}

/* ---- edges --------------------------------------------------------------------------------------- */

/* Whether the channel listens to the pin, and the pin is an input. */
static bool listens(I210 *s, int channel, unsigned pin)
{
	static const struct { unsigned address, bit; } output[PINS] = {
		{ CTRL, 22 }, { CTRL, 23 }, { CTRL_EXT, 10 }, { CTRL_EXT, 11 }
	};
	uint32_t sdp = *at(s, TSSDP) >> 3 * channel;

	return *at(s, TSAUXC) >> (channel ? 10 : 8) & 1 && sdp & 4 && (sdp & 3) == pin &&
	       !(*at(s, output[pin].address) >> output[pin].bit & 1);
}

/* The next edge that waits goes into the capture register, if the driver is done with the one before. */
static void capture_next(I210 *s, int channel)
{
	Channel *c = &s->channel[channel];

	if (s->serving || c->full || !c->waiting || *at(s, TSICR) & TSICR_AUTT0 << channel)
		return;
	c->held = c->queue[0];
	c->full = true;
	memmove(c->queue, c->queue + 1, --c->waiting * sizeof(Capture));
	to_registers(s, AUXSTMPL0 + 8 * channel, AUXSTMPH0 + 8 * channel, c->held.time);
	time_sync_cause(s, TSICR_AUTT0 << channel);
}

static void edge(I210 *s, unsigned pin, bool more)
{
	uint64_t count = (uint64_t)s->count_high << 32 | s->count_low;
	uint64_t latency = (Time)s->latency_ns * s->tsc_khz / 1000000;
	Time time = time_at(s, tick_at(s, count));
	int channel;

	for (channel = 0; channel < CHANNELS; channel++) {
		Channel *c = &s->channel[channel];
		Capture *last = c->waiting ? &c->queue[c->waiting - 1] : c->full ? &c->held : NULL;

		if (pin >= PINS || !listens(s, channel, pin))
			continue;
		if (s->overwrite && c->full && !(*at(s, TSICR) & TSICR_AUTT0 << channel) &&
		    count - c->held.first > 100 * s->tsc_khz)
			c->full = false;
		if (last && count - last->first < latency) {
			if (s->overwrite)
				last->time = time;
			if (s->overwrite && last == &c->held)
				to_registers(s, AUXSTMPL0 + 8 * channel, AUXSTMPH0 + 8 * channel, time);
		} else if (c->waiting < WAITING) {
			c->queue[c->waiting++] = (Capture){ count, time };
		}
	}
	for (channel = 0; channel < CHANNELS && !more; channel++)
		capture_next(s, channel);
}

/* ---- sending, and the link ----------------------------------------------------------------------- */

/* What is sent goes nowhere and completes at once, with a timestamp if one was asked for. */
static void transmit(I210 *s, unsigned queue)
{
	uint32_t *q = at(s, TDBAL + 0x40 * queue);
	uint32_t size = MIN(q[(TDLEN - TDBAL) / 4] / 16, 4096), *head = &q[(TDH - TDBAL) / 4], tail = q[(TDT - TDBAL) / 4];
	dma_addr_t base = (uint64_t)q[1] << 32 | q[0];
	bool told = false;

	if (s->link != UP || tail >= size)
		return;
	for (*head = *head < size ? *head : 0; *head != tail; *head = (*head + 1) % size) {
		dma_addr_t where = base + *head * 16;
		uint32_t command, done = cpu_to_le32(1);

		if (pci_dma_read(&s->pci, where + 8, &command, 4))
			break;
		command = le32_to_cpu(command);
		if ((command & 0x00f00000) == 0x00300000 && command & 0x00080000) {
			to_registers(s, TXSTMPL, TXSTMPH, time_at(s, tick_now(s)));
			*at(s, TSYNCTXCTL) |= 1;
			time_sync_cause(s, TSICR_TXTS);
		}
		if (command & 0x08000000) {
			pci_dma_write(&s->pci, where + 12, &done, 4);
			told = true;
		}
	}
	if (told)
		fire_by(s, *at(s, IVAR0 + 4 * (queue / 2)) >> (16 * (queue % 2) + 8) & 0xff);
}

static void set_link(I210 *s, uint32_t link)
{
	bool change = (s->link ^ link) & UP;
	unsigned queue;

	s->link = link;
	s->phy[1] = link & UP ? 0x796d : 0x7949; /* MII status: link, negotiation complete */
	if (change)
		other_cause(s, ICR_LSC);
	for (queue = 0; queue < QUEUES; queue++)
		transmit(s, queue);
}

/* ---- registers ----------------------------------------------------------------------------------- */

static void reset(I210 *s)
{
	memset(s->reg, 0, sizeof(s->reg));
	memset(s->channel, 0, sizeof(s->channel));
	memset(s->phy, 0, sizeof(s->phy));
	s->icr = s->ims = 0;
	s->serving = false;
	s->phy[2] = s->igc ? 0x67c9 : 0x0141;
	s->phy[3] = s->igc ? 0xdc00 : 0x0c00;
	s->phy[5] = 0x45e1;  /* the other end: 10 and 100 Mbit/s */
	s->phy[10] = 0x3800; /* and 1000 */
	s->phy[15] = 0x3000;
	*at(s, RAL0) = ldl_le_p(s->mac);
	*at(s, RAH0) = 1u << 31 | lduw_le_p(s->mac + 4);
	bend(s, tick_now(s), 0);
	set_link(s, s->link);
}

static void mdic(I210 *s, uint32_t command)
{
	unsigned reg = command >> 16 & 31;

	if (command & 1 << 27)
		command = (command & ~0xffff) | s->phy[reg];
	else if (reg == 0 || reg == 4 || reg == 9 || reg > 10)
		s->phy[reg] = command & (reg ? 0xffff : 0x7dff); /* reset and restart of the negotiation are over at once */
	*at(s, MDIC) = (command & ~(1u << 30)) | 1 << 28;
}

/* A register that has a second address, as igb and igc name some differently. */
static unsigned one_address(unsigned address)
{
	static const uint16_t legacy[][2] = {
		{ 0x00c0, 0x1500 }, { 0x00c8, 0x1504 }, { 0x00d0, 0x1508 }, { 0x00d8, 0x150c }, { 0x00e0, 0x1510 }
	};
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(legacy); i++)
		if (address == legacy[i][0])
			return legacy[i][1];
	if (address >= 0x3800 && address < 0x3800 + QUEUES * 0x100 && (address & 0xff) < 0x40) /* transmit queues */
		return TDBAL + 0x40 * (address >> 8 & 3) + (address & 0x3f);
	return address;
}

static uint64_t read_register(void *opaque, hwaddr address, unsigned size)
{
	I210 *s = opaque;
	uint32_t value;

	address = one_address(address);
	value = *at(s, address);
	switch (address) {
	case STATUS:
		value = s->link & UP ? 0x83 : 0; /* 1000 Mbit/s, full duplex */
		return value | (*at(s, CTRL) & CTRL_MASTER_DISABLE ? 0 : 1 << 19);
	case 0x0010: /* EECD, and the same for software: no flash, read through */
	case 0x12010:
		return value | 3 << 8;
	case 0x12014: /* EERD: done */
		return value | 1 << 1;
	case 0x1010: /* EEMNGCTL: configuration done */
	case 0x12030:
		return value | 1 << 18;
	case SWSM:
		*at(s, SWSM) |= 1;
		return value;
	case 0x1500: /* ICR */
		value = s->icr;
		s->icr = 0;
		return value;
	case 0x1508:
		return s->ims;
	case EICR:
	case TSICR:
		*at(s, address) = 0;
		return value;
	case SYSTIMR:
		to_registers(s, SYSTIML, SYSTIMH, time_at(s, tick_now(s)));
		return 0;
	case SYSTIML:
		if (s->igc)
			to_registers(s, SYSTIML, SYSTIMH, time_at(s, tick_now(s)));
		return *at(s, SYSTIML);
	case TXSTMPH:
		*at(s, TSYNCTXCTL) &= ~1;
		return value;
	case AUXSTMPH0:
	case AUXSTMPH1:
		s->channel[address == AUXSTMPH1].full = false;
		return value;
	}
	return value;
}

static void write_register(void *opaque, hwaddr address, uint64_t data, unsigned size)
{
	I210 *s = opaque;
	uint32_t value = data;
	int64_t tick;
	unsigned n;

	address = one_address(address);
	switch (address) {
	case CTRL:
		if (value & (CTRL_RST | (s->igc ? CTRL_DEV_RST : 0)))
			reset(s);
		*at(s, CTRL) = value & ~(CTRL_RST | CTRL_DEV_RST | CTRL_PHY_RST);
		return;
	case MDIC:
		mdic(s, value);
		return;
	case 0x1500: /* ICR, of which igc clears what it has seen */
		s->icr &= ~value;
		return;
	case 0x1504: /* ICS */
		other_cause(s, value);
		return;
	case 0x1508: /* IMS */
		s->ims |= value;
		other_cause(s, 0);
		return;
	case 0x150c: /* IMC */
		s->ims &= ~value;
		return;
	case EICS:
		for (n = 0; n < VECTORS; n++)
			if (value >> n & 1)
				fire(s, n);
		return;
	case EIMS:
		unmask(s, value);
		for (n = 0; n < CHANNELS; n++)
			capture_next(s, n);
		return;
	case EIMC:
		*at(s, EIMS) &= ~value;
		s->serving = false; /* a driver that goes down waits for its handlers */
		return;
	case EICR:
		*at(s, EICR) &= ~value;
		return;
	case SYSTIMH: /* after SYSTIML */
		*at(s, SYSTIMH) = value;
		bend(s, tick_now(s), (((Time)value * 1000000000) + *at(s, SYSTIML)) << 32);
		return;
	case TIMINCA:
		tick = tick_now(s);
		*at(s, TIMINCA) = value;
		bend(s, tick, time_at(s, tick));
		return;
	case TSAUXC:
		*at(s, TSAUXC) = value;
		for (n = 0; n < CHANNELS; n++)
			if (!(value >> (n ? 10 : 8) & 1))
				s->channel[n].waiting = 0;
		return;
	case TSICR:
		*at(s, TSICR) &= ~value;
		return;
	case TSIM:
		*at(s, TSIM) = value;
		time_sync_cause(s, 0);
		return;
	case TSYNCTXCTL:
		*at(s, TSYNCTXCTL) = (value & ~1) | (*at(s, TSYNCTXCTL) & 1);
		return;
	case STATUS:
	case SYSTIMR:
	case AUXSTMPL0:
	case AUXSTMPH0:
	case AUXSTMPL1:
	case AUXSTMPH1:
	case TXSTMPL:
	case TXSTMPH:
		return;
	}
	*at(s, address) = value;
	if (address >= TDT && address < TDBAL + 0x40 * QUEUES && (address & 0x3f) == (TDT & 0x3f))
		transmit(s, (address - TDBAL) / 0x40);
}

static const MemoryRegionOps register_ops = {
	.read = read_register,
	.write = write_register,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.impl = { .min_access_size = 4, .max_access_size = 4 },
};

static uint64_t read_nothing(void *opaque, hwaddr address, unsigned size)
{
	return 0;
}

static void write_wire(void *opaque, hwaddr address, uint64_t value, unsigned size)
{
	I210 *s = opaque;
	uint64_t count;

	switch (address) {
	case COUNT_LOW:
		s->count_low = value;
		break;
	case COUNT_HIGH:
		s->count_high = value;
		break;
	case EDGE:
		edge(s, value & 0xff, value & MORE);
		break;
	case PPB:
		count = cpus_get_elapsed_ticks();
		s->osc_tick = tick_at(s, count);
		s->osc_count = count;
		s->osc_ppb = CLAMP((int32_t)value, -100000000, 100000000);
		break;
	case LINK:
		set_link(s, value & (UP | HANGS));
		break;
	}
}

static const MemoryRegionOps wire_ops = {
	.read = read_nothing,
	.write = write_wire,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.impl = { .min_access_size = 4, .max_access_size = 4 },
};

/* ---- the device ---------------------------------------------------------------------------------- */

static void realize(PCIDevice *pci, Error **errp)
{
	I210 *s = (I210 *)pci;
	static const uint8_t mac[6] = { 0x02, 0x00, 0x00, 0x00, 0x02, 0x10 };
	unsigned vector;

	/* What is compiled here has to be what the program has been compiled from. */
	if (object_type_get_instance_size(TYPE_PCI_DEVICE) != sizeof(PCIDevice) ||
	    object_type_get_instance_size(TYPE_MEMORY_REGION) != sizeof(MemoryRegion)) {
		error_setg(errp, "the headers are not those of this QEMU");
		return;
	}
	if (!s->tsc_khz) {
		error_setg(errp, "tsc-khz is not set");
		return;
	}
	memcpy(s->mac, mac, sizeof(mac));
	pci->config[PCI_INTERRUPT_PIN] = 1;
	memory_region_init_io(&s->memory, OBJECT(s), &register_ops, s, "i210", SIZE);
	pci_register_bar(pci, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->memory);
	memory_region_init(&s->table, OBJECT(s), "i210-msix", 0x4000);
	pci_register_bar(pci, 3, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->table);
	if (msix_init(pci, VECTORS, &s->table, 3, 0, &s->table, 3, 0x2000, 0x70, errp))
		return;
	for (vector = 0; vector < VECTORS; vector++)
		msix_vector_use(pci, vector);
	memory_region_init_io(&s->wire, OBJECT(s), &wire_ops, s, "i210-wire", WIRE_SIZE);
	memory_region_add_subregion(pci_address_space_io(pci), WIRE, &s->wire);
}

static void reset_device(DeviceState *device)
{
	reset((I210 *)device);
}

static Property properties[] = {
	DEFINE_PROP_UINT64("tsc-khz", I210, tsc_khz, 0),
	DEFINE_PROP_UINT64("latency-ns", I210, latency_ns, 20000),
	DEFINE_PROP_BOOL("overwrite", I210, overwrite, false),
	DEFINE_PROP_END_OF_LIST(),
};

static void class_init(ObjectClass *class, void *data)
{
	PCIDeviceClass *pci = PCI_DEVICE_CLASS(class);
	DeviceClass *device = DEVICE_CLASS(class);

	pci->realize = realize;
	pci->vendor_id = 0x8086;
	pci->device_id = data ? 0x15f2 : 0x1533;
	pci->revision = 3;
	pci->class_id = PCI_CLASS_NETWORK_ETHERNET;
	device->reset = reset_device;
	device->desc = "a NIC with a clock and a pulse on a pin";
	device_class_set_props(device, properties);
}

static void is_igc(Object *object)
{
	((I210 *)object)->igc = true;
}

static const InterfaceInfo conventional[] = { { INTERFACE_CONVENTIONAL_PCI_DEVICE }, {} };

static const TypeInfo types[] = {
	{ .name = "i210", .parent = TYPE_PCI_DEVICE, .instance_size = sizeof(I210), .class_init = class_init,
	  .interfaces = (InterfaceInfo *)conventional },
	{ .name = "i225", .parent = TYPE_PCI_DEVICE, .instance_size = sizeof(I210), .class_init = class_init, .class_data = (void *)1,
	  .instance_init = is_igc, .interfaces = (InterfaceInfo *)conventional },
};

DEFINE_TYPES(types)
