# What a PTP client is told while pulse, fix, ptp4l, and the NIC's clock come and go: class 6 only while all of it is
# right. The NIC's clock starts right and keeps the rate of true time, so no time is spent on steering it.
programs="gnss2shm ip ptp4l pmc"
files=/usr/share/zoneinfo/right/UTC
judged=checks
lasts=240
: "${start:=$(($(date +%s) / 86400 * 86400 + 86400 + 43200))}"
phc_epoch=$((start + 37)) phc_ppb=$truth_ppb sys_offset=0
starts=0

scenario() {
	# The leap seconds of today, not expired.
	printf '#@ %d\n2272060800 10\n3692217600 37\n' $((start + 2208988800 + 31536000)) \
		>/usr/share/zoneinfo/leap-seconds.list
	mkdir -p /run/gnss2shm
	start_network
	start_chronyd "$(cat $recipe/chrony.conf)"
	start_receiver
	start_grandmaster
	check "without ptp4l, the log says so" until_true 10 gm_says "WARN.*ptp4l"
	start_server ptp4l.conf
	start_client -s
	start_gnss2shm --status /run/gnss2shm/default.sock
	start_judge
	watch_client &
	check "it locks" until_true 15 says " Locked"
	check "the audit is good" until_true 15 audit_is_good
	expect_6
	check_class 6 "all is well" 40
	check "what pmc reads is what --print prints" pmc_reads_what_is_printed
	echo "VmRSS of grandmaster: $(memory) kB" >>/results/figures
	check "its memory is below 4 MiB" test "$(memory)" -lt 4096

	sim pulse 0
	check_class 52 "the pulse is lost" 2.5
	expect_6
	sim pulse 1
	check_class 6 "the pulse is back" 30

	stop TERM "ptp4l -m -q -f"
	start_server ptp4l.conf
	check_within 12 "ptp4l was restarted: class 6" server_is_class 6

	step "$nic" 37000000000
	check_class 52 "the NIC's clock is 37 s off" 3
	expect_6
	step "$nic" -37000000000
	check_class 6 "the NIC's clock is right again" 30

	step "$nic" 3000
	check_class 52 "it is 3 us off" 3
	expect_6
	step "$nic" -3000
	check_class 6 "it is right once more" 30

	killall nmea-gen
	start_receiver --invalid 0:3 # from its second, which begins in up to 1.3 s
	check_class 52 "the fix is lost" 3.5
	expect_6
	check_class 6 "the fix is back" 60

	stop TERM "gnss2shm grandmaster"
	check_class 52 "grandmaster was ended" 1
	expect_6
	start_grandmaster
	check_class 6 "grandmaster is back" 30
	stop KILL "gnss2shm grandmaster"
	check "--withdraw exits with 0" gnss2shm grandmaster default --withdraw
	check_class 52 "grandmaster was killed, then --withdraw" 1

	# A telecom profile: its own domain, and class 248.
	stop TERM "ptp4l -m -q -f"
	stop TERM "ptp4l -m -q -i"
	echo 24 >/tmp/domain
	start_server ptp4l-g8275.1.conf
	start_client -s -2 --domainNumber 24 --dataset_comparison G.8275.x --ptp_dst_mac 01:80:C2:00:00:0E
	start_grandmaster --profile g8275
	check "a wrong domain is named" until_true 12 gm_says "WARN.*domain"
	stop TERM "gnss2shm grandmaster"
	expect_6
	start_grandmaster --profile g8275 --domain 24
	check_class 6 "with the right domain" 30
	stop TERM "gnss2shm grandmaster"
	check_class 248 "grandmaster of g8275 was ended" 1

	# The other one is better, and this one may follow it.
	stop TERM "ptp4l -m -q -f"
	stop TERM "ptp4l -m -q -i"
	echo 0 >/tmp/domain
	start_client --priority1 1
	start_server ptp4l.conf --masterOnly 0
	check "ptp4l follows" until_true 15 server_is_slave
	start_grandmaster
	check "that is named" until_true 12 gm_says "WARN.*follows another clock"
	sleep 6
	check "and nothing is claimed" server_is_class 52

	check "class 6 was seen only while all was well" class_6_only_when_expected
	check_judge
	check "the end" true
}

start_grandmaster() { # options
	starts=$((starts + 1))
	start grandmaster-$starts gnss2shm grandmaster default "$@"
}

gm_says() {
	grep -q "$1" /results/grandmaster-$starts.log || { tail -n 1 /results/grandmaster-$starts.log; return 1; }
}

memory() { # kB
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$(process_of "gnss2shm grandmaster")/status"
}

# The NIC's clock shows TAI, to the microsecond.
audit_is_good() {
	gnss2shm status --json | grep -Eq '"phc":\{"timescale":"TAI","utc_offset_ns":-(36999999[0-9]{3}|37000000[0-9]{3}),'
}

# All eleven fields.
pmc_reads_what_is_printed() {
	ask /var/run/ptp4l GRANDMASTER_SETTINGS_NP | sed -n '3,$s/^ //p' >/results/pmc
	gnss2shm grandmaster default --print | tee /results/printed | head -n 11 | tr -s ' ' >/tmp/printed
	cmp /results/pmc /tmp/printed && [ "$(wc -l </results/pmc)" = 11 ]
}

server_is_slave() {
	ask /var/run/ptp4l PORT_DATA_SET | grep -Eq " portState (SLAVE|UNCALIBRATED)"
}

server_is_class() {
	ask /var/run/ptp4l GRANDMASTER_SETTINGS_NP | grep -qx " clockClass $1 *"
}
