/* Prints the kernel's layouts and numbers, one "name value" per line. tests/library/pps_layout.rs compares src/sys with them. */
#include <linux/pps.h>
#include <stddef.h>
#include <stdio.h>

#define NUMBER(what) printf("%s %lu\n", #what, (unsigned long)(what))
#define SIZE(type) printf("%s %zu\n", #type, sizeof(struct type))
#define OFFSET(type, field) printf("%s.%s %zu\n", #type, #field, offsetof(struct type, field))

int main(void)
{
	SIZE(pps_ktime);
	OFFSET(pps_ktime, sec);
	OFFSET(pps_ktime, nsec);
	OFFSET(pps_ktime, flags);
	SIZE(pps_kinfo);
	OFFSET(pps_kinfo, assert_sequence);
	OFFSET(pps_kinfo, clear_sequence);
	OFFSET(pps_kinfo, assert_tu);
	OFFSET(pps_kinfo, clear_tu);
	OFFSET(pps_kinfo, current_mode);
	SIZE(pps_kparams);
	OFFSET(pps_kparams, api_version);
	OFFSET(pps_kparams, mode);
	OFFSET(pps_kparams, assert_off_tu);
	OFFSET(pps_kparams, clear_off_tu);
	SIZE(pps_fdata);
	OFFSET(pps_fdata, info);
	OFFSET(pps_fdata, timeout);

	NUMBER(PPS_CAPTUREASSERT);
	NUMBER(PPS_CAPTURECLEAR);
	NUMBER(PPS_OFFSETASSERT);
	NUMBER(PPS_OFFSETCLEAR);
	NUMBER(PPS_GETPARAMS);
	NUMBER(PPS_SETPARAMS);
	NUMBER(PPS_GETCAP);
	NUMBER(PPS_FETCH);
	return 0;
}
