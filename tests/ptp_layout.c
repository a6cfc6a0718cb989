/* Prints the kernel's layouts and numbers, one "name value" per line. tests/library/ptp_layout.rs compares src/sys with them. */
#include <linux/ethtool.h>
#include <linux/ptp_clock.h>
#include <stddef.h>
#include <stdio.h>

#define NUMBER(what) printf("%s %lu\n", #what, (unsigned long)(what))
#define SIZE(type) printf("%s %zu\n", #type, sizeof(struct type))
#define OFFSET(type, field) printf("%s.%s %zu\n", #type, #field, offsetof(struct type, field))

int main(void)
{
	SIZE(ptp_extts_event);
	OFFSET(ptp_extts_event, t.sec);
	OFFSET(ptp_extts_event, t.nsec);
	OFFSET(ptp_extts_event, index);
	OFFSET(ptp_extts_event, flags);
	OFFSET(ptp_extts_event, rsv);

	SIZE(ethtool_ts_info);
	OFFSET(ethtool_ts_info, cmd);
	OFFSET(ethtool_ts_info, so_timestamping);
	OFFSET(ethtool_ts_info, phc_index);
	OFFSET(ethtool_ts_info, tx_types);
	OFFSET(ethtool_ts_info, tx_reserved);
	OFFSET(ethtool_ts_info, rx_filters);
	OFFSET(ethtool_ts_info, rx_reserved);
	NUMBER(ETHTOOL_GET_TS_INFO);

	SIZE(ptp_clock_caps);
	OFFSET(ptp_clock_caps, max_adj);
	OFFSET(ptp_clock_caps, n_ext_ts);
	OFFSET(ptp_clock_caps, n_pins);
	OFFSET(ptp_clock_caps, cross_timestamping);
	SIZE(ptp_extts_request);
	OFFSET(ptp_extts_request, index);
	OFFSET(ptp_extts_request, flags);
	SIZE(ptp_pin_desc);
	OFFSET(ptp_pin_desc, name);
	OFFSET(ptp_pin_desc, index);
	OFFSET(ptp_pin_desc, func);
	OFFSET(ptp_pin_desc, chan);
	SIZE(ptp_sys_offset);
	OFFSET(ptp_sys_offset, ts);
	SIZE(ptp_sys_offset_extended);
	OFFSET(ptp_sys_offset_extended, ts);
	SIZE(ptp_sys_offset_precise);
	OFFSET(ptp_sys_offset_precise, device);
	OFFSET(ptp_sys_offset_precise, sys_realtime);
	OFFSET(ptp_sys_offset_precise, sys_monoraw);
	NUMBER(PTP_MAX_SAMPLES);

	NUMBER(PTP_ENABLE_FEATURE);
	NUMBER(PTP_RISING_EDGE);
	NUMBER(PTP_FALLING_EDGE);
	NUMBER(PTP_PF_NONE);
	NUMBER(PTP_PF_EXTTS);

	NUMBER(PTP_CLOCK_GETCAPS);
	NUMBER(PTP_EXTTS_REQUEST);
	NUMBER(PTP_EXTTS_REQUEST2);
	NUMBER(PTP_PIN_GETFUNC);
	NUMBER(PTP_PIN_SETFUNC);
	NUMBER(PTP_SYS_OFFSET);
	NUMBER(PTP_SYS_OFFSET_EXTENDED);
	NUMBER(PTP_SYS_OFFSET_PRECISE);

	/* Not in the headers of Debian 12 (Linux 6.1). */
#ifdef PTP_MASK_CLEAR_ALL
	NUMBER(PTP_MASK_CLEAR_ALL);
	NUMBER(PTP_MASK_EN_SINGLE);
#endif
#ifdef PTP_EXT_OFFSET
	NUMBER(PTP_EXT_OFFSET);
#endif
	return 0;
}
